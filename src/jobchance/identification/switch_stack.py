"""Stacked comparisons: citizens whose caseworker changes with citizens whose caseworker has not changed yet.

A stack is one jobcentre x period x wave: all citizens measured there in this wave and the one before. Event
time is the wave less the wave of the stack, for those who change in it and for those who do not.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import pandas as pd

from jobchance.errors import IdentificationError
from jobchance.identification.switch_rows import History, chosen_changes

CONTROLS = ("not_yet", "never")
STACK = ("jobcentre_id", "period", "wave")
SHIFT, UP, DOWN = "shift", "up", "down"
FORMER, NEW = "former_caseworker_id", "new_caseworker_id"
QUARTER = 13  # weeks; waves lie a quarter of a year apart


@dataclass(frozen=True, eq=False)
class Stacks:
    """Anchors, and the rows around them.

    `anchors` has one row per citizen in a stack (`stack unit group former_caseworker_id new_caseworker_id`,
    group None for those whose caseworker stays, and the columns of the history at the wave of the stack).
    `rows` has every row of the same citizens within the window: those who change, with their former
    caseworker before and their first new one after; the others until their own first change. Further columns:
    those of the anchor, `event_time`, `when` (stack x event time).
    """

    anchors: pd.DataFrame
    rows: pd.DataFrame

    def __repr__(self) -> str:
        return f"Stacks({self.anchors['stack'].nunique()} stacks, {len(self.rows)} rows)"


def build_stacks(
    history: History,
    *,
    window: tuple[int, int],
    wanted: Collection[str] | None,
    direction: pd.Series | None = None,
    control: str = "not_yet",
) -> Stacks:
    """Stack every wave in which somebody's caseworker changes for the first time.

    Parameters
    ----------
    history : History
        From `read_history`.
    window : tuple of int
        First and last event time.
    wanted : collection of str or None
        Reasons that count; other first changes are in no stack as changes, only before as controls.
    direction : Series or None
        `"up"` or `"down"` by row of the history; None puts all changes in one group.
    control : {"not_yet", "never"}
        Whoever has not changed yet at the wave, or only citizens never seen changing.

    Raises
    ------
    IdentificationError
        No stack holds both kinds of citizens (`comparison`).
    """
    anchors = build_anchors(history, wanted=wanted, direction=direction, control=control)
    return Stacks(anchors, _rows_around(history.frame, anchors, window))


def build_anchors(
    history: History,
    *,
    wanted: Collection[str] | None,
    direction: pd.Series | None = None,
    control: str = "not_yet",
) -> pd.DataFrame:
    """The anchors of `build_stacks` without the rows around them."""
    frame = history.frame
    group = pd.Series(SHIFT, index=frame.index, dtype=object) if direction is None else direction
    # the caseworker of the wave before was the citizen's first known one, without a break until then
    present = frame["follows"] & frame[list(STACK)].notna().all(axis=1)
    first = present & frame["change"] & frame["breaks"].eq(1)
    treated = first & chosen_changes(history, wanted) & group.notna()
    stays = present & frame["breaks"].eq(0)
    if control == "never":
        stays &= frame["breaks"].groupby(frame["citizen_id"], sort=False).transform("max").eq(0)
    anchors = frame[treated | stays].assign(group=group.where(treated, None))
    stack = anchors.groupby(list(STACK), sort=False)
    n_treated = stack["group"].transform("count")
    useful = (n_treated > 0) & (n_treated < stack["group"].transform("size"))
    if not useful.any():
        raise IdentificationError(
            f"{int(treated.sum())} first changes and {int(stays.sum())} rows without one never share "
            "jobcentre, period and wave, so there is nobody to compare with.",
            missing=("comparison",),
        )
    anchors = anchors[useful].assign(stack=stack.ngroup()[useful])
    who = {FORMER: anchors["before_caseworker_id"], NEW: anchors["caseworker_id"]}
    return anchors.assign(unit=np.arange(len(anchors)), **who)


def quarter_outcome(rows: pd.DataFrame) -> pd.Series:
    """1 for a job within 13 weeks from the window start, 0 for none, NaN where that is not known."""
    weeks = rows["weeks_to_outcome"].astype(float)
    event = rows["event_observed"].astype(bool) & (weeks < QUARTER)
    known = weeks.notna() & (event | (weeks >= QUARTER))
    return event.astype(float).where(known)


def _rows_around(frame: pd.DataFrame, anchors: pd.DataFrame, window: tuple[int, int]) -> pd.DataFrame:
    """Rows of the anchors' citizens within the window; see `Stacks`."""
    low, high = window
    own = ["group", "stack", "unit", FORMER, NEW]
    # columns of the panel with these names give way, as they do for the columns of a history
    joined = frame.drop(columns=[*own, "at"], errors="ignore").merge(
        anchors[["citizen_id", "wave", *own]].rename(columns={"wave": "at"}), on="citizen_id"
    )
    joined = joined.assign(event_time=joined["wave"] - joined["at"])
    after = joined["group"].notna() & (joined["event_time"] >= 0)
    inside = joined["event_time"].between(low, high) & joined["breaks"].eq(after.astype(int))
    rows = joined[inside & joined["caseworker_id"].notna()]
    return rows.assign(when=rows.groupby(["stack", "event_time"], sort=False).ngroup())
