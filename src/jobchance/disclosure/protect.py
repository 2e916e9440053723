"""`protect`: hide the rows that break a rule so that nothing about them can be read or worked out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from jobchance.disclosure import columns as cols
from jobchance.disclosure.policy import DisclosurePolicy
from jobchance.disclosure.rules import contrasts_with_hidden, small_side_counts, unsafe_rows

# Columns that set one table of a frame apart from another.
_GROUPS = ("mark", "quantity", "construct", "respondent", "series", "group")


def protect(
    frame: pd.DataFrame, policy: DisclosurePolicy, *, output: str, totals: Sequence[str] | None = None
) -> pd.DataFrame:
    """Blank every number of the rows that break a cell rule, and mark them in a column `suppressed`.

    Hidden are: rows with too few persons, events, non-events, entities or degrees of freedom; empty and full
    cells where the policy says so; words for extremes and quantiles; and rows that compare a hidden level
    with a shown one. A hidden row keeps its texts and its place (`week`, `wave`, ...) and loses all other
    numbers, exact counts among them. Small side counts (`N_censored` = 2) are blanked alone.

    Parameters
    ----------
    frame : DataFrame
        Tidy; counts in columns `N_...`. It is not changed.
    policy : DisclosurePolicy
        The thresholds.
    output : str
        Name of the output, for messages.
    totals : sequence of str, optional
        Columns that define groups whose cells add up to a total that is shown or implied (`()` = all rows).
        Where one cell of a group is hidden, or the hidden ones hold fewer than `min_persons` together, the
        smallest shown cell is hidden as well (`policy.check_margins`). Without `totals` the same is done
        for small cells of groups that add up to the frame's own `N_answers` or `N_citizens_total`. This
        protects one table by itself; several tables with common cells need complementary suppression over
        all of them, which this function does not do.

    Returns
    -------
    DataFrame
        A new frame with the same rows in the same order and a boolean column `suppressed`; the measures of
        dominance have done their work and are left out, since a share of a shown sum gives the largest away.

    Raises
    ------
    KeyError
        A column of `totals` is not in the frame.
    """
    absent = [column for column in totals or () if column not in frame]
    if absent:
        raise KeyError(f"{output}: totals name absent columns: {', '.join(absent)}")
    broken = unsafe_rows(frame, policy)
    hidden = _already_hidden(frame)
    for mask in broken.values():
        hidden |= mask
    if policy.check_margins and totals is not None:
        hidden = _with_complement(frame, hidden, list(totals), least=policy.min_persons)
    elif policy.check_margins:
        few = _already_hidden(frame)
        for rule in ("min_persons", "zeros_disclosive"):
            few |= broken.get(rule, few)
        hidden = _against_shown_totals(frame, hidden, few, least=policy.min_persons)
    hidden |= contrasts_with_hidden(frame, hidden)
    result = frame.assign(suppressed=hidden)
    for column in cols.result_columns(frame):
        result[column] = _blank(result[column], hidden)
    for column, small in small_side_counts(frame, policy).items():
        result[column] = _blank(result[column], small)
    extremes = () if policy.allow_extremes else cols.extreme_columns(frame)
    quantiles = () if policy.allow_quantiles else cols.quantile_columns(frame)
    for column in (*extremes, *quantiles):
        result[column] = _blank(result[column], pd.Series(True, index=frame.index))
    return result.drop(columns=[column for column in cols.DOMINANCE if column in result])


def _already_hidden(frame: pd.DataFrame) -> pd.Series[bool]:
    if "suppressed" not in frame:
        return pd.Series(False, index=frame.index)
    return frame["suppressed"].eq(True).fillna(False).astype(bool)


def _blank(column: pd.Series[float], where: pd.Series[bool]) -> pd.Series[float]:
    """NaN in the rows `where`; a column without hidden rows keeps its type."""
    return column.astype(float).mask(where) if bool(where.any()) else column


def _with_complement(
    frame: pd.DataFrame, hidden: pd.Series[bool], totals: Sequence[str], *, least: int
) -> pd.Series[bool]:
    """Hide more cells of each group until the hidden ones cannot be worked out from the total."""
    persons = next((column for column in cols.PERSONS if column in frame), None)
    if persons is None:
        return hidden
    result = hidden.to_numpy(dtype=bool, copy=True)
    groups = (
        frame.groupby(list(totals), sort=False, dropna=False).indices.values()
        if totals
        else [range(len(frame))]
    )
    size = cols.numbers(frame, persons).to_numpy()
    for rows in groups:
        places = np.asarray(rows)
        result[places] = _complement(size[places], result[places], least=least)
    return pd.Series(result, index=frame.index)


def _against_shown_totals(
    frame: pd.DataFrame, hidden: pd.Series[bool], few: pd.Series[bool], *, least: int
) -> pd.Series[bool]:
    """Complement for groups that visibly add up to their total, where a cell is hidden for its few persons.

    A cell hidden for its few *events* needs no company: its persons follow from the total, its events do not.
    """
    persons = next((column for column in cols.PERSONS if column in frame), None)
    total = next((column for column in (cols.DENOMINATOR, "N_citizens_total") if column in frame), None)
    if persons is None or total is None:
        return hidden
    within = [column for column in _GROUPS if column in frame]
    groups = (
        frame.groupby(within, sort=False, dropna=False).indices.values() if within else [range(len(frame))]
    )
    size, whole = (cols.numbers(frame, column).to_numpy() for column in (persons, total))
    result = hidden.to_numpy(dtype=bool, copy=True)
    for rows in groups:
        places = np.asarray(rows)
        adds_up = size[places].sum() == whole[places][0]  # never where a count is already missing
        if adds_up and few.to_numpy()[places].any():
            result[places] = _complement(size[places], result[places], least=least)
    return pd.Series(result, index=frame.index)


def _complement(size: np.ndarray, hidden: np.ndarray, *, least: int) -> np.ndarray:
    """Hidden cells of one group; `size` may be NaN where a cell was hidden before."""
    chosen = hidden.copy()
    while chosen.any() and not chosen.all():
        unknown = np.isnan(size[chosen]).any()
        enough = chosen.sum() >= 2 and (unknown or size[chosen].sum() >= least)
        if enough:
            break
        shown = np.flatnonzero(~chosen & (np.nan_to_num(size) > 0))
        if shown.size == 0:
            chosen[:] = True
            break
        chosen[shown[np.argmin(size[shown])]] = True
    return chosen
