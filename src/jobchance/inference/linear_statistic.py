"""`LinearStatistic`: the coefficient of an assignment in a linear model, for many assignments at once.

Letters: z the assignment (n,), W the weights, Q an orthonormal basis of the covariates, M = I - QQ';
b = z'My / z'Mz, with W^(1/2) in y, Q and z. C classes of rows have the same z under every arrangement.
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
Codes = NDArray[np.int64]

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
    weights : str or None
        Column of positive weights, as in `fit_glm`; they stay with the rows, whatever is dealt.

    Raises
    ------
    FormulaError
        Columns are absent.
    DesignError
        Rows with missing values; random effects in the formula; weights that are not positive; an outcome
        that the covariates explain wholly.

    Examples
    --------
    >>> data = pd.DataFrame({"told": [1.0, 0, 0, 1], "y": [4.0, 1, 2, 5]})
    >>> LinearStatistic("y ~ 1", data).many(data["told"].to_numpy()[None, :]).tolist()
    [3.0]
    """

    def __init__(
        self, formula: str, data: pd.DataFrame, *, cluster: str | None = None, weights: str | None = None
    ) -> None:
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
        self.weights = weights
        self._root = _roots(data, weights)
        y = self._root * design.outcome
        self._q = np.linalg.qr(self._root[:, None] * design.matrix)[0]
        self._y = y - self._q @ (self._q.T @ y)
        if not np.sum(self._y**2) > _NOTHING_LEFT**2 * np.sum(y**2):
            raise DesignError(
                f"The covariates explain {design.outcome_name} wholly, or it is constant: nothing is "
                "left for the assignment."
            )
        # with an intercept a shift of the assigned values changes nothing, so they can be centred
        shift = self._root - self._q @ (self._q.T @ self._root)
        self._centre = bool(np.sum(shift**2) <= _NOTHING_LEFT * np.sum(self._root**2))
        self._sums = _indicator(data, cluster)

    def __repr__(self) -> str:
        return f"LinearStatistic({self.n} rows, cluster={self.cluster!r}, weights={self.weights!r})"

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("a LinearStatistic holds rows of persons and is not pickled")

    @property
    def words(self) -> str:
        """What the statistic is, for summaries."""
        return "coefficient" if self.cluster is None else f"t-statistic of the coefficient, by {self.cluster}"

    def many(self, rows: Floats) -> Floats:
        """Statistic (B,) of assignments (B, n); NaN where the covariates explain one wholly."""
        return self.of_classes(rows, np.arange(self.n, dtype=np.int64))

    def of_classes(self, values: Floats, classes: Codes) -> Floats:
        """Statistic (B,) of values (B, C) that rows of a class (n,) share; NaN where it is not defined."""
        values = self._centred(values, classes)
        left, through = self._left(values, classes)
        b: Floats = (values @ _summed(self._root * self._y, classes)) / left
        if self._sums is None:
            return b
        clean = self._root * values[:, classes] - through @ self._q.T
        scores = clean * (self._y[None, :] - b[:, None] * clean)
        by_cluster = scores @ self._sums
        size = np.sqrt(np.einsum("bg,bg->b", by_cluster, by_cluster))
        t: Floats = np.divide(b * left, size, out=np.full(len(b), np.nan), where=size > 0)
        return t

    def slopes(self, values: Floats, own: Floats, classes: Codes) -> Floats:
        """Coefficient (B,) that assignments get from the observed one (C,): z*'Mz / z*'Mz*."""
        z = self._root * self._centred(own[None, :], classes)[0][classes]
        clean = z - self._q @ (self._q.T @ z)
        values = self._centred(values, classes)
        found: Floats = (values @ _summed(self._root * clean, classes)) / self._left(values, classes)[0]
        return found

    def _centred(self, values: Floats, classes: Codes) -> Floats:
        """Less their mean over rows, where the covariates hold a constant."""
        if not self._centre:
            return values
        share = np.bincount(classes, weights=self._root**2) / np.sum(self._root**2)
        return values - (values @ share)[:, None]

    def _left(self, values: Floats, classes: Codes) -> tuple[Floats, Floats]:
        """Variation z'Mz (B,) that the covariates leave, NaN where there is none; and z'Q (B, k)."""
        whole = values**2 @ np.bincount(classes, weights=self._root**2)
        through = values @ _summed(self._root[:, None] * self._q, classes)
        left = whole - np.einsum("bk,bk->b", through, through)
        return np.where(left > _NOTHING_LEFT * whole, left, np.nan), through


def _summed(rows: Floats, classes: Codes) -> Floats:
    """Sums (C, ...) over the rows of each class."""
    if len(classes) == int(classes.max()) + 1:
        return rows[np.argsort(classes)]
    out = np.zeros((int(classes.max()) + 1, *rows.shape[1:]))
    np.add.at(out, classes, rows)
    return out


def _roots(data: pd.DataFrame, weights: str | None) -> Floats:
    """Square roots of the weights (n,); ones without."""
    if weights is None:
        return np.ones(len(data))
    require_columns([weights], data)
    found = pd.to_numeric(data[weights], errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    wrong = int((~(np.isfinite(found) & (found > 0))).sum())
    if wrong:
        raise DesignError(f"{weights} is missing, infinite or not positive in {counted(wrong, 'row')}.")
    return np.asarray(np.sqrt(found), dtype=np.float64)


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
