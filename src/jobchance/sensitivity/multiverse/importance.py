"""Which choice matters: the variance of the estimates over a multiverse, shared out among the dimensions.

Lindeman, Merenda & Gold (1980), chapter 4; Groemping (2007), The American Statistician 61, 139-147.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from jobchance.errors import SpecError
from jobchance.numerics.shapley import average_over_orders, dummies, subset_r_squared
from jobchance.sensitivity.multiverse.result_frame import known, same_question, unit_of, varying

REST = "interactions"
_SPREAD = 1e-9  # of the largest estimate: smaller differences are those of rounding


@dataclass(frozen=True, eq=False)
class Importance:
    """How much each choice moves the estimate; made by `Multiverse.importance`.

    Parameters
    ----------
    shares : DataFrame
        One row per dimension on which the specifications differ, largest first, then `interactions`:
        `dimension options share`. The shares add up to 1.
    options : DataFrame
        One row per option of these dimensions, with the median and the inner 90 per cent of its estimates:
        `dimension option specifications median spread_low spread_high`.
    unit : str
        Unit of the estimates.
    n_specifications, n_left_out : int
        Specifications behind this, and those without an estimate in that unit.
    """

    shares: pd.DataFrame
    options: pd.DataFrame
    unit: str
    n_specifications: int
    n_left_out: int

    @property
    def largest(self) -> str | None:
        """The dimension that explains most; `None` where no single choice explains anything."""
        choices = self.shares[self.shares["dimension"] != REST]
        if choices.empty or not choices["share"].iloc[0] > 0:
            return None
        return str(choices["dimension"].iloc[0])


def importance(frame: pd.DataFrame) -> Importance:
    """Share of the variance of the estimates that the choice on each dimension explains.

    With R2(S) the squared multiple correlation of the estimates with indicators of the options on the
    dimensions S, a dimension's share is what it adds to R2 averaged over all d! orders in which the
    dimensions can enter (Lindeman, Merenda & Gold; also the Shapley value of R2),

        share_j = sum over S without j of |S|! (d - |S| - 1)! / d! * (R2(S and j) - R2(S)),

    computed exactly from all 2^d subsets. In a balanced design this is the main effect's share of the sum of
    squares; in an unbalanced one, which constraints make, what two dimensions explain together is divided
    between them. `interactions` is 1 - R2(all): combinations of choices, not any single one.

    Parameters
    ----------
    frame : DataFrame
        Of a multiverse.

    Returns
    -------
    Importance

    Raises
    ------
    SpecError
        Fewer than two specifications have an estimate in the unit of the main one, or all give the same.

    Notes
    -----
    Every specification counts once, and the shares describe these specifications; they are no estimate of
    anything beyond them. Failed specifications, and those on another question or in another unit, are left
    out and counted. Not done: shares of the single interactions, and intervals for the shares.

    Examples
    --------
    >>> from jobchance.numerics.shapley import average_over_orders, dummies, subset_r_squared
    >>> import numpy as np
    >>> a, b = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])
    >>> r_squared = subset_r_squared(np.array([1.0, 2.0, 4.0, 5.0]), [dummies(a), dummies(b)])
    >>> average_over_orders(r_squared).round(2).tolist()
    [0.9, 0.1]
    """
    rows = same_question(known(frame), frame)
    if len(rows) < 2:
        raise SpecError(f"importance: {len(rows)} specifications have an estimate; at least two are needed.")
    y = rows["estimate"].to_numpy()
    if np.ptp(y) <= _SPREAD * np.abs(y).max():
        raise SpecError(
            f"importance: all {len(rows)} specifications give the same estimate: no choice matters."
        )
    dimensions = varying(rows)
    codes = [pd.factorize(rows[column], sort=True)[0] for column in dimensions]
    r_squared = subset_r_squared(y, [dummies(code) for code in codes])
    shares = pd.DataFrame(
        {
            "dimension": [*dimensions, REST],
            "options": [*(rows[column].nunique() for column in dimensions), 0],
            "share": [*np.maximum(average_over_orders(r_squared), 0.0), max(1.0 - r_squared[-1], 0.0)],
        }
    )
    choices = shares.iloc[:-1].sort_values("share", ascending=False, kind="stable")
    ordered = pd.concat([choices, shares.iloc[-1:]], ignore_index=True)
    options = _by_option(rows, list(ordered["dimension"].iloc[:-1]))
    return Importance(ordered, options, unit_of(rows), len(rows), len(frame) - len(rows))


def _by_option(rows: pd.DataFrame, dimensions: list[str]) -> pd.DataFrame:
    """Median and inner 90 per cent of the estimates with each option."""
    parts = []
    for dimension in dimensions:
        estimates = rows["estimate"].groupby(rows[dimension], sort=True)
        low, median, high = (estimates.quantile(q) for q in (0.05, 0.5, 0.95))
        columns = {
            "specifications": estimates.size(),
            "median": median,
            "spread_low": low,
            "spread_high": high,
        }
        part = pd.DataFrame(columns).rename_axis("option").reset_index()
        parts.append(part.astype({"option": object}))
        parts[-1].insert(0, "dimension", dimension)
    return pd.concat(parts, ignore_index=True)
