"""Least squares with the effects of the cells removed, and the standard errors that go with the design."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from jobchance.identification.leniency_rows import CASEWORKER, CITIZEN
from jobchance.numerics.demean import demean
from jobchance.numerics.linalg import independent_columns
from jobchance.results.covariance import covariance
from jobchance.results.parts import Inference, Rows
from jobchance.results.vcov import Cluster, Vcov

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class CellRegression:
    """Coefficients, their covariance, and the rows behind them; `X`, `y`, `residual` without cell means."""

    beta: Floats
    cov: Floats
    inference: Inference
    rows: Rows
    y: Floats
    X: Floats
    residual: Floats

    @property
    def std_error(self) -> float:
        """Of the first coefficient."""
        return math.sqrt(max(float(self.cov[0, 0]), 0.0))

    @property
    def df(self) -> float:
        """Degrees of freedom of the reference distribution."""
        return float(np.min(self.inference.df))

    def p_value(self, *, side: str = "two") -> float:
        """Of the first coefficient against zero; `side="below"` against a negative one."""
        if not self.std_error > 0:
            return math.nan
        t = float(self.beta[0]) / self.std_error
        return float(stats.t.cdf(t, self.df) if side == "below" else 2 * stats.t.sf(abs(t), self.df))


def default_vcov(frame: pd.DataFrame) -> Vcov:
    """Clustered by caseworker, and by citizen too where citizens occur several times."""
    crossed = frame[CITIZEN].duplicated().any()
    return Cluster(CASEWORKER, CITIZEN) if crossed else Cluster(CASEWORKER)


def regress_within(
    y: Floats, X: Floats, *, cell: Codes, frame: pd.DataFrame, vcov: Vcov
) -> CellRegression | None:
    """Regress `y` on the columns of `X` (n, k) within cells; None where nothing is left to regress.

    `frame` holds the cluster columns, row by row.
    """
    cleaned = demean(np.column_stack([y, X]), [cell])
    y_, X_ = cleaned[:, 0], cleaned[:, 1:]
    scale = np.abs(X).max(axis=0, initial=0.0)
    varies = np.all(np.abs(X_).max(axis=0, initial=0.0) > 1e-9 * np.maximum(scale, 1e-300))
    k, effects = X_.shape[1], int(cell.max()) + 1 if len(cell) else 0
    df = len(y_) - effects - k
    if df <= 0 or not varies or len(independent_columns(X_)) < k or frame[CASEWORKER].nunique() < 2:
        return None
    bread = np.linalg.inv(X_.T @ X_).astype(np.float64)
    beta = bread @ (X_.T @ y_)
    residual = y_ - X_ @ beta
    rows = Rows(
        frame=frame,
        used=np.arange(len(y_)),
        outcome=y,
        fitted=y - residual,
        fitted_fixed=X @ beta + float(np.mean(y - X @ beta)),
        scores=X_ * residual[:, None],
        bread=bread,
        model_cov=float(residual @ residual) / df * bread,
        df_resid=float(df),
        k=k,
        absorbed={"cell": cell},
        unit=(CITIZEN, pd.factorize(frame[CITIZEN])[0].astype(np.int64)),
    )
    cov, inference = covariance(rows, vcov)
    return CellRegression(beta, cov, inference, rows, y_, X_, residual)
