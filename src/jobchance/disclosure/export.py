"""`export_frame`: the digits and counts that may leave; what is drawn is exactly what is saved."""

from __future__ import annotations

import numpy as np
import pandas as pd

from jobchance.disclosure import columns as cols
from jobchance.disclosure.policy import DisclosurePolicy


def export_frame(frame: pd.DataFrame, policy: DisclosurePolicy) -> pd.DataFrame:
    """Round floats to the policy's significant digits and counts to its base; a second time changes nothing.

    Parameters
    ----------
    frame : DataFrame
        Usually from `protect`. It is not changed.
    policy : DisclosurePolicy
        `max_digits` and `round_base`. With a base, counts are rounded half up to its multiples (also the
        study's totals) and other numbers to three digits.

    Returns
    -------
    DataFrame
        Same rows and columns; negative zero becomes zero.
    """
    result = frame.copy()
    for column in map(str, frame.columns):
        if column.startswith("N_") and policy.round_base and cols.is_number(frame[column]):
            base = policy.round_base
            counts = cols.numbers(frame, column).div(base).add(0.5).floordiv(1).mul(base)
            whole = pd.api.types.is_integer_dtype(frame[column])
            result[column] = counts.astype(frame[column].dtype) if whole else counts
        elif cols.is_number(frame[column]) and not pd.api.types.is_integer_dtype(frame[column]):
            kept = [significant(x, policy.digits) for x in cols.numbers(frame, column)]
            result[column] = pd.Series(kept, index=frame.index, dtype=float)
    return result


def significant(x: float, digits: int) -> float:
    """`x` with at most `digits` significant digits; NaN and infinities stay."""
    return float(f"{x:.{digits}g}") + 0.0 if np.isfinite(x) else float(x)
