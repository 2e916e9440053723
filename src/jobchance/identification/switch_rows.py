"""Changes of caseworker in a panel: where they are, why they happened, and what refuses them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import pandas as pd

from jobchance.errors import DesignError, IdentificationError, SpecError
from jobchance.options import check_option
from jobchance.panel.model import AnalysisPanel

EXOGENOUS = ("caseworker_left", "leave", "reorganised")
"""Reasons that lie with the caseworker or the office, not with the citizen's case."""
CASE_DRIVEN = ("requested", "citizen_moved", "target_group_change", "closed", "unknown")
"""Reasons that may have to do with the case, or say nothing."""
UNDOCUMENTED = "undocumented"
_NEEDED = ("citizen_id", "caseworker_id", "jobcentre_id", "wave", "period")


@dataclass(frozen=True, eq=False)
class History:
    """The rows of a panel by citizen and wave, with what had happened until each.

    `frame` has the panel's columns and: `change` (another caseworker than in the row before, both known),
    `follows` (the row before is that of the wave before, both caseworkers known), `breaks` (changes and
    unknown caseworkers up to this row), `reason` (of a change; `"undocumented"` without one) and
    `before_caseworker_id`, that of the row before.
    """

    frame: pd.DataFrame
    has_reasons: bool

    def __repr__(self) -> str:
        return f"History({len(self.frame)} rows, {int(self.frame['change'].sum())} changes)"

    @property
    def changes(self) -> pd.DataFrame:
        """The rows in which a citizen is seen with a new caseworker for the first time."""
        return self.frame[self.frame["change"]]

    def before(self, rows: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
        """Columns as they were one row earlier, of some rows of the history."""
        earlier = self.frame.groupby("citizen_id", sort=False)[list(names)].shift(1)
        return earlier.loc[rows.index]


def read_history(panel: AnalysisPanel) -> History:
    """Rows of the panel with the changes of caseworker in them.

    A change is two rows of one citizen, one after the other, with different known caseworkers. A row whose
    caseworker is unknown is neither before nor after a change: when the change came is then not known.

    Raises
    ------
    IdentificationError
        No caseworkers (`caseworker_ids`), no citizen with two rows (`repeated_measurements`), or no citizen
        with two caseworkers (`shifts`).
    DesignError
        Several rows for one citizen and wave.
    """
    frame = panel.frame
    _refuse(frame)
    rows = frame.sort_values(["citizen_id", "wave"], kind="stable").reset_index(drop=True)
    before = rows.groupby("citizen_id", sort=False).shift(1)
    worker, former = rows["caseworker_id"], before["caseworker_id"]
    inside = rows["citizen_id"].duplicated()
    known = inside & worker.notna() & former.notna()
    change = known & (worker.astype(object) != former.astype(object))
    if not change.any():
        raise IdentificationError(
            "A change of caseworker needs citizens with several caseworkers: every citizen here has one.",
            missing=("shifts",),
        )
    unclear = worker.isna() | (inside & former.isna())
    made = rows.assign(
        change=change,
        follows=known & (rows["wave"] - before["wave"]).eq(1),
        breaks=(change | unclear).groupby(rows["citizen_id"], sort=False).cumsum(),
        reason=_reasons(rows, change),
        before_caseworker_id=former,
    )
    return History(made, has_reasons=bool(made.loc[change, "reason"].ne(UNDOCUMENTED).any()))


def check_reasons(reasons: str | Sequence[str], exogenous: Sequence[str]) -> tuple[str, ...] | None:
    """The reasons that count, or None for all.

    Raises
    ------
    SpecError
        `reasons` is an unknown word, or a reason is not in the code list.
    """
    codes = (*EXOGENOUS, *CASE_DRIVEN)
    for name in exogenous:
        check_option("exogenous", name, codes)
    if isinstance(reasons, str):
        check_option("reasons", reasons, ("all", "exogenous"))
        return None if reasons == "all" else tuple(exogenous)
    chosen = tuple(check_option("reasons", name, codes) for name in dict.fromkeys(reasons))
    if not chosen:
        raise SpecError("reasons is empty: name reasons, or use 'all' or 'exogenous'.")
    return chosen


def chosen_changes(history: History, wanted: Collection[str] | None) -> pd.Series:
    """Whether each row of the history is a change for one of these reasons; without reasons, all are."""
    change: pd.Series = history.frame["change"]
    if wanted is None or not history.has_reasons:
        return change
    return change & history.frame["reason"].isin(list(wanted))


def count_reasons(history: History, exogenous: Collection[str]) -> pd.DataFrame:
    """Counts by reason: columns `reason kind n_shifts n_citizens n_caseworkers`.

    `kind` is `exogenous`, `case_driven` or `undocumented`.
    """
    table = (
        history.changes.groupby("reason", sort=True)
        .agg(
            n_shifts=("reason", "size"),
            n_citizens=("citizen_id", "nunique"),
            n_caseworkers=("caseworker_id", "nunique"),
        )
        .reset_index()
    )
    kinds = dict.fromkeys(table["reason"], "case_driven") | dict.fromkeys(exogenous, "exogenous")
    table.insert(1, "kind", table["reason"].map(kinds | {UNDOCUMENTED: UNDOCUMENTED}))
    return table


def _refuse(frame: pd.DataFrame) -> None:
    """Everything that no change of caseworker can be read from, at once."""
    absent = [name for name in _NEEDED if name not in frame.columns]
    if absent and absent != ["caseworker_id"]:
        raise DesignError(f"The panel lacks columns: {', '.join(absent)}.")
    missing = {}
    if "caseworker_id" in absent or frame["caseworker_id"].isna().all():
        missing["caseworker_ids"] = "no row has a caseworker"
    if not frame["citizen_id"].duplicated().any():
        missing["repeated_measurements"] = "no citizen has two rows"
    if missing:
        raise IdentificationError(
            f"A change of caseworker cannot be seen in this panel: {'; '.join(missing.values())}.",
            missing=tuple(missing),
        )
    twice = int(frame.duplicated(["citizen_id", "wave"], keep=False).sum())
    if twice:
        raise DesignError(
            f"{twice} of {len(frame)} rows share citizen and wave with another row, so the caseworker of the "
            "wave is not known. Keep one row for each; build_panel does."
        )


def _reasons(rows: pd.DataFrame, change: pd.Series) -> pd.Series:
    """Reason of every change, `UNDOCUMENTED` where there is none; None elsewhere."""
    if "shift_reason" not in rows.columns:
        return pd.Series(UNDOCUMENTED, index=rows.index, dtype=object).where(change, None)
    given = rows["shift_reason"].astype(object)
    return given.where(given.notna(), UNDOCUMENTED).where(change, None)
