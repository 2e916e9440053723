"""Exclusion and monotonicity together: outcomes of caseworkers against a smooth function of their exposure.

Letters: p_j mean exposure of caseworker j within cells, `phi` a parabola, B its terms, D exposure, Y outcome.
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

_ENDS = (0.025, 0.975)  # quantiles of p over rows; further out a few caseworkers carry the curve


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
    line this is the regression with optimism as the instrument. `B` is p and its square: the derivative is a
    straight line, largest at an end (2.5 or 97.5 per cent of p); both ends are tested one-sided and the
    smaller p-value is doubled. Knots, as in the paper, would ask more of so few rows than they can tell: the
    noise in their coefficients looks like differences between caseworkers (with knots at the thirds, 14 to
    50 per cent of true hypotheses are rejected at the 5 per cent level; without, 2 to 5 per cent). Exposure
    and outcome enter without their cell means; one row for each citizen and caseworker.

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
    B, dB = np.column_stack([p, p**2]), np.column_stack([np.ones_like(p), 2 * p])
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
    slope, slope_p = _steepest(
        gamma, cov, np.quantile(p, _ENDS), bound=float(np.ptp(Y)) / _step(rows), df=made.df
    )
    both = np.array([fit.p_value, slope_p])
    return JudgeTest(*fit, slope, slope_p, float(min(1.0, 2 * np.min(both))))


def _steepest(gamma: Floats, cov: Floats, ends: Floats, *, bound: float, df: float) -> tuple[float, float]:
    """Largest absolute slope at the ends, and the p-value of its staying within the bound."""
    L = np.column_stack([np.ones_like(ends), 2 * ends])
    slope, se = L @ gamma, np.sqrt(np.einsum("ij,jk,ik->i", L, cov, L))
    p = stats.t.sf((np.abs(slope) - bound) / se, df)
    return float(slope[np.abs(slope).argmax()]), float(min(1.0, len(ends) * p.min()))


def _step(rows: LeniencyRows) -> float:
    """Smallest step between two values of the exposure."""
    return float(np.diff(np.unique(rows.ratings["exposure"])).min())
