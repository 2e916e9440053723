"""`LinearStatistic`: the coefficient of an assignment in a linear model, for many assignments at once.

Letters: z the assignment (n,), Q an orthonormal basis of the covariates, M = I - QQ'; b = z'My / z'Mz.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_array

from jobchance.design.build import build_design
from jobchance.design.columns import counted, require_columns
from jobchance.errors import DesignError

Floats = NDArray[np.float64]

_NOTHING_LEFT = 1e-10


class LinearStatistic:
    r"""Coefficient of the assigned values in a least-squares regression, or its t-statistic.

    .. math:: b = \frac{z'My}{z'Mz}, \qquad t = b \Big/ \sqrt{\sum_g (\tilde z_g'\tilde u_g)^2} \cdot z'Mz

    Parameters
    ----------
    formula : str
        Outcome and covariates *without* the assignment, such as `"score ~ C(company)"`.
    data : DataFrame
        The rows of the assignment, in its order and complete.
    cluster : str or None
        Column to cluster by: the statistic is then the t-statistic (no small-sample factor), which also
        holds approximately where units differ in more than their mean. `None`: the coefficient.

    Raises
    ------
    FormulaError
        Columns are absent.
    DesignError
        Rows with missing values; random effects in the formula.
    """

    def __init__(self, formula: str, data: pd.DataFrame, *, cluster: str | None = None) -> None:
        design = build_design(formula, data)
        if design.random:
            raise DesignError("LinearStatistic takes no random effects (x | group).")
        if len(design.used) < len(data):
            lost = len(data) - len(design.used)
            raise DesignError(
                f"{counted(lost, 'row')} of {len(data)} have missing values: drop them, then make assignment "
                "and statistic from the same data."
            )
        self.n = len(data)
        self.cluster = cluster
        self._q = np.linalg.qr(design.matrix)[0]
        self._y = design.outcome - self._q @ (self._q.T @ design.outcome)
        self._sums = _indicator(data, cluster)

    def __repr__(self) -> str:
        return f"LinearStatistic({self.n} rows, cluster={self.cluster!r})"

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("a LinearStatistic holds rows of persons and is not pickled")

    def many(self, rows: Floats) -> Floats:
        """Statistic (B,) of assignments (B, n); NaN where the covariates explain one wholly."""
        left = self._left(rows)
        b: Floats = (rows @ self._y) / left
        if self._sums is None:
            return b
        clean = rows - (rows @ self._q) @ self._q.T
        scores = clean * (self._y[None, :] - b[:, None] * clean)
        by_cluster = scores @ self._sums
        size = np.sqrt(np.sum(by_cluster**2, axis=1))
        t: Floats = np.divide(b * left, size, out=np.full(len(b), np.nan), where=size > 0)
        return t

    def slopes(self, rows: Floats, own: Floats) -> Floats:
        """Coefficient (B,) that assignments get from the observed one: z*'Mz / z*'Mz*."""
        clean = own - self._q @ (self._q.T @ own)
        found: Floats = (rows @ clean) / self._left(rows)
        return found

    def _left(self, rows: Floats) -> Floats:
        """Variation z'Mz (B,) that the covariates leave; NaN where there is none."""
        whole = np.sum(rows**2, axis=1)
        left = whole - np.sum((rows @ self._q) ** 2, axis=1)
        return np.where(left > _NOTHING_LEFT * whole, left, np.nan)


def _indicator(data: pd.DataFrame, cluster: str | None) -> csr_array | None:
    """Rows by cluster (n, G)."""
    if cluster is None:
        return None
    require_columns([cluster], data)
    codes, levels = pd.factorize(data[cluster])
    if (codes < 0).any():
        raise DesignError(f"{cluster} is missing in {counted(int((codes < 0).sum()), 'row')}.")
    ones = np.ones(len(codes))
    return csr_array((ones, (np.arange(len(codes)), codes)), shape=(len(codes), len(levels)))
