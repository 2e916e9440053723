"""Outputs about nearly the same persons in one document: a cell of one less the cell of another is a few.

The share with a job by answer, beside the distribution of answers over everyone, gives the answers of the few
whose outcome is unknown. Rounded counts and shares of few digits do not. Nor may a curve tell how many were
lost from sight: 0.1034483 is 6 of 58, beside 60 who gave the answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from jobchance.disclosure import columns as cols
from jobchance.disclosure.export import export_frame, significant
from jobchance.disclosure.policy import DisclosurePolicy

# What says who is counted, and not in which output: the same words mean the same answer everywhere.
_WHO = ("construct", "respondent", "level", "series", "group")
_CURVES = ("curve", "gap")
_BANDED = ("curve", "at_risk")  # marks whose counts are in bands already
_DIGITS, _DIGITS_OF_A_FEW = 2, 1


def export_beside(
    frame: pd.DataFrame, others: Sequence[pd.DataFrame], policy: DisclosurePolicy
) -> tuple[pd.DataFrame, DisclosurePolicy]:
    """`export_frame` for a frame that is shown beside others, and the policy that it then keeps.

    Where the persons of a cell differ by 1 to `min_persons` - 1 from the same cell of another frame, all
    counts of the frame are rounded to multiples of twice `min_persons` and other numbers to two digits, one
    digit in those cells: `events / persons` with more digits gives the exact persons back. Curves are rounded
    to a step (1, 2 or 5 of a decimal place) of at least what `min_persons` - 1 persons lost from sight would
    change.

    Parameters
    ----------
    frame : DataFrame
        After `protect`.
    others : sequence of DataFrame
        The frames that are shown beside it.
    policy : DisclosurePolicy
        `min_persons`; nothing more than `export_frame` is done where `differencing` is off or counts are
        rounded anyway.

    Returns
    -------
    (DataFrame, DisclosurePolicy)
        Rounded, and the policy to check, draw and save it under: the same one where nothing was found.
    """
    few = cells_apart_by_few(frame, others, policy)
    if not few.any():
        exported = export_frame(frame, policy)
        return (_coarse_curves(exported, policy) if others else exported), policy
    coarse = replace(policy, round_base=2 * max(policy.min_persons, 1), max_digits=_DIGITS)
    result = export_frame(frame, coarse)
    for column in cols.estimate_columns(result):
        short = [significant(x, _DIGITS_OF_A_FEW) for x in cols.numbers(result, column)]
        result[column] = result[column].mask(few, pd.Series(short, index=result.index))
    return result, coarse


def cells_apart_by_few(
    frame: pd.DataFrame, others: Sequence[pd.DataFrame], policy: DisclosurePolicy
) -> pd.Series[bool]:
    """Rows whose persons differ by 1 to `min_persons` - 1 from the same cell of another frame.

    Hidden rows, comparisons of two levels and marks whose counts are in bands do not count.
    """
    found = pd.Series(False, index=frame.index)
    if not policy.differencing or policy.round_base:
        return found
    theirs: dict[tuple[str, ...], set[float]] = {}
    for other in others:
        for cell, n in _persons(other).values():
            theirs.setdefault(cell, set()).add(n)
    for place, (cell, n) in _persons(frame).items():
        found.iloc[place] = any(0 < abs(n - m) < policy.min_persons for m in theirs.get(cell, ()))
    return found


def _coarse_curves(frame: pd.DataFrame, policy: DisclosurePolicy) -> pd.DataFrame:
    """Curves and gaps between them in steps that a few persons lost from sight do not show in."""
    persons = next((column for column in cols.PERSONS if column in frame), None)
    known = persons is not None and {"mark", "level", "estimate"} <= set(frame)
    if not known or not policy.differencing or policy.round_base or policy.min_persons < 2:
        return frame
    assert persons is not None, "known"
    curve = frame["mark"].eq("curve") & cols.numbers(frame, "estimate").gt(0)
    lost = (policy.min_persons - 1) * cols.numbers(frame, "estimate") / cols.numbers(frame, persons)
    steps = {
        level: _step(float(most))
        for level, most in lost[curve].groupby(frame.loc[curve, "level"]).max().items()
    }
    pair = frame["compared_with"] if "compared_with" in frame else frame["level"]
    step = pd.concat([frame["level"].map(steps), pair.map(steps)], axis=1).max(axis=1)
    step = step.where(frame["mark"].isin(_CURVES))
    result = frame.copy()
    for column in cols.estimate_columns(frame):
        exact = cols.numbers(frame, column)
        coarse = ((exact / step).round() * step).map(lambda x: significant(x, policy.digits))
        result[column] = result[column].mask(step.notna() & exact.notna(), coarse)
    return result


def _step(least: float) -> float:
    """The smallest of 1, 2 or 5 of a decimal place that is at least so large."""
    place = 10.0 ** np.floor(np.log10(least))
    return float(next(place * one for one in (1.0, 2.0, 5.0, 10.0) if place * one >= least))


def _persons(frame: pd.DataFrame) -> dict[int, tuple[tuple[str, ...], float]]:
    """By place, the cell that a row shows, named in words that mean the same everywhere, and its persons."""
    persons = next((column for column in cols.PERSONS if column in frame), None)
    named = [column for column in _WHO if column in frame]
    if persons is None or "level" not in named:
        return {}
    counts = cols.numbers(frame, persons)
    plain = counts.notna()
    if "compared_with" in frame:
        plain &= frame["compared_with"].isna()
    if "mark" in frame:
        plain &= ~frame["mark"].isin(_BANDED)
    keys = frame[named].itertuples(index=False, name=None)
    return {
        place: ((*named, *map(str, key)), n)
        for place, (key, n, shown) in enumerate(zip(keys, counts, plain, strict=True))
        if shown
    }
