"""Exclusion and monotonicity together: outcomes of caseworkers against a smooth function of their exposure.

Letters: p_j mean exposure of caseworker j within cells, `phi` a quadratic spline, D exposure, Y outcome.
Frandsen, Lefgren & Leslie (2023), American Economic Review 113, 253-277.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from jobchance.identification.leniency_disposition import Disposition
from jobchance.identification.leniency_regression import default_vcov, regress_within
from jobchance.identification.leniency_rows import CASEWORKER, LeniencyRows
from jobchance.identification.leniency_tables import comparison, dense
from jobchance.numerics.leave_out_tests import leftover_test
from jobchance.results.covariance import covariance

Floats = NDArray[np.float64]

_KNOTS = (1 / 3, 2 / 3)  # quantiles of p_j over rows
_ENDS = (0.025, 0.975)  # further out a few caseworkers carry the spline


class JudgeTest(NamedTuple):
    """Statistic, degrees of freedom and p-value of the fit, largest slope and its p-value, both together."""

    fit_statistic: float
    fit_df: float
    fit_p: float
    slope: float
    slope_p: float
    p_value: float


def judge_test(rows: LeniencyRows, disposition: Disposition) -> JudgeTest:
    r"""Test whether the outcomes of all caseworkers could come from the exposure alone.

    Under random assignment, exclusion and monotonicity, a caseworker's mean outcome is a continuous function
    `phi` of the caseworker's mean exposure, and no steeper than the outcome is wide. Two parts:

    - *fit*: beside `phi`, caseworkers do not differ (`leftover_test`, which generalises the test of
      overidentifying restrictions);
    - *slope*: `max |phi'|` is at most (largest - smallest outcome) / (smallest step of the exposure).

    The p-value is `2 min(p_fit, p_slope)`, at most 1 (Bonferroni with equal weights).

    Notes
    -----
    This version differs from the paper's, which regresses caseworkers' mean outcomes on a spline in their
    mean exposures with many rows for each caseworker. Here caseworkers have few rows, and the noise in a
    mean exposure would pass for differences. So p is the leave-out prediction of the disposition, and
    `phi(p_j)` of a row is expanded at it: :math:`B(p)'\gamma + B'(p)'\gamma (D - p)`, whose error is noise
    that other rows of the caseworker do not share. `gamma` comes from instruments `B(p)`; with a straight
    line this is the regression with optimism as the instrument. `B` is a quadratic spline with knots at the
    thirds. Its derivative is piecewise linear, so the slope is largest at a knot or an end (2.5 and 97.5 per
    cent of p); each is tested one-sided and the smallest p-value is multiplied by their number. Exposure and
    outcome enter without their cell means; one row for each citizen and caseworker.

    What is not tested: a violation that itself is a smooth function of the exposure, such as optimists who
    all make the same additional effort. Such a violation cannot be seen in any data.

    Examples
    --------
    >>> import jobchance as jc
    >>> fit = jc.fit_leniency(panel, outcome="job", method="2sls")  # doctest: +SKIP
    >>> fit.diagnostics["judge"]  # doctest: +SKIP
    """
    data = comparison(rows, relationships=True)
    keep = ~rows.frame.duplicated(["citizen_id", CASEWORKER]).to_numpy()
    p = disposition.predicted[keep] * disposition.exposure_sd
    D, Y = data.frame["exposure"].to_numpy(dtype=float), rows.y[keep]
    known = ~np.isnan(D)
    data, p, D, Y = data.take(known), p[known], D[known], Y[known]
    size = np.bincount(data.cell)
    D = D - (np.bincount(data.cell, weights=D) / size)[data.cell]
    marks = np.quantile(p, [_ENDS[0], *_KNOTS, _ENDS[1]])
    B, dB = _basis(p, marks[1:-1])
    R = B + dB * (D - p)[:, None]
    made = regress_within(Y, B, cell=data.cell, frame=data.clusters, vcov=default_vcov(data.clusters))
    if made is None:
        nan = float("nan")
        return JudgeTest(nan, nan, nan, nan, nan, nan)
    Z = made.X
    R = R - np.column_stack([np.bincount(data.cell, weights=r) / size for r in R.T])[data.cell]
    inverse = np.linalg.inv(Z.T @ R)
    gamma = inverse @ (Z.T @ made.y)
    v = made.y - R @ gamma
    rows_of = replace(made.rows, scores=(Z * v[:, None]) @ inverse.T, bread=np.eye(B.shape[1]))
    cov, _ = covariance(rows_of, default_vcov(data.clusters))
    rater = dense(data.clusters[CASEWORKER].to_numpy())
    fit = leftover_test(v, rater=rater, cell=data.cell, n_fitted=B.shape[1])
    slope, slope_p = _steepest(gamma, cov, marks, bound=np.ptp(Y) / _step(rows), df=made.df)
    both = np.array([fit.p_value, slope_p])
    return JudgeTest(*fit, slope, slope_p, float(min(1.0, 2 * np.min(both))))


def _basis(p: Floats, knots: Floats) -> tuple[Floats, Floats]:
    """Quadratic truncated powers without a constant and their derivatives, (n, 2 + knots)."""
    above = np.maximum(p[:, None] - knots, 0.0)
    B = np.column_stack([p, p**2, above**2])
    return B, np.column_stack([np.ones_like(p), 2 * p, 2 * above])


def _steepest(gamma: Floats, cov: Floats, marks: Floats, *, bound: float, df: float) -> tuple[float, float]:
    """Largest absolute slope over the marks, and the p-value of its staying within the bound."""
    L = _basis(marks, marks[1:-1])[1]
    slope, se = L @ gamma, np.sqrt(np.einsum("ij,jk,ik->i", L, cov, L))
    p = stats.t.sf((np.abs(slope) - bound) / se, df)
    return float(slope[np.abs(slope).argmax()]), float(min(1.0, len(marks) * p.min()))


def _step(rows: LeniencyRows) -> float:
    """Smallest step between two values of the exposure."""
    return float(np.diff(np.unique(rows.ratings["exposure"])).min())
