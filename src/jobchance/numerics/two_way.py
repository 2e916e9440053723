"""Variance components of a two-way model: plug-in, homoskedastic (Andrews 2008) and leave-out (KSS 2020).

Letters: y = alpha_citizen + psi_caseworker + e; rows are observations, or matches (a citizen with one
caseworker) with the weight of their observations; P, M = 1 - P, B as in `numerics.two_way_leverage`; W the
number of observations. Components, in this order: variance of alpha, variance of psi, their covariance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from jobchance.numerics.two_way_design import Codes, Floats, Mask, TwoWayDesign
from jobchance.numerics.two_way_leverage import Leverages, exact_leverages, projected_leverages
from jobchance.numerics.two_way_threads import each

_PROBES = (5, 100)
_PROBED = 4_000_000  # values that the probes of a standard error may hold
_CELLS = 10
_POWER_STEPS = 200


@dataclass(frozen=True, eq=False)
class TwoWayComponents:
    """Components (3,) by method, and what they rest on.

    Parameters
    ----------
    plug_in, andrews, kss : array (3,)
        Estimates.
    covariance : array (3, 3)
        Of `kss`, from heteroskedastic rows (asymptotically normal case); NaN where it has none.
    projection_se : array (3,)
        Monte Carlo standard error of `kss` from the projections; 0 where leverages are exact.
    sigma2 : float
        Residual variance of an observation under one common variance.
    residual : float
        Mean over observations of the leave-out estimate of their own error variance.
    max_leverage : float
        Largest P among rows that can be left out.
    eigenvalue_share : float
        Largest squared eigenvalue over the sum of squares, for the variance of psi; NaN with projections.
    alpha, psi : array
        Least-squares effects, centred at zero in observation weights.
    """

    plug_in: Floats
    andrews: Floats
    kss: Floats
    covariance: Floats
    projection_se: Floats
    sigma2: float
    residual: float
    max_leverage: float
    eigenvalue_share: float
    alpha: Floats
    psi: Floats


def two_way_components(
    y: Floats,
    citizen: Codes,
    caseworker: Codes,
    *,
    by_match: bool,
    n_projections: int | None,
    seed: int,
    std_errors: bool,
) -> TwoWayComponents:
    r"""Variance components of a leave-out connected set.

    .. math:: \hat\theta = \hat\beta' A \hat\beta - \frac{1}{W-1} \sum_i B_i \hat\sigma^2_i, \qquad
              \hat\sigma^2_i = \frac{w_i (y_i - \bar y)(y_i - x_i'\hat\beta)}{1 - P_i}

    Parameters
    ----------
    y : array (n,)
        Outcome of the observations.
    citizen, caseworker : integer array (n,)
        Codes 0.. without gaps, a leave-out connected set.
    by_match : bool
        Collapse to matches and leave out a whole match; the variance of a stayer's match then comes from
        leaving out its observations one at a time.
    n_projections : int or None
        Random projections for P and B; `None` computes them exactly.
    seed : int
        Of the projections.
    std_errors : bool
        Compute `covariance`.
    """
    order = np.lexsort((caseworker, citizen))  # neighbours in memory, and numbers free of the rows' order
    y, citizen, caseworker = y[order], citizen[order], caseworker[order]
    rows, codes = _match_rows(citizen, caseworker) if by_match else (np.arange(len(y)), (citizen, caseworker))
    w = np.bincount(rows).astype(float)
    mean_y = np.bincount(rows, weights=y) / w
    design = TwoWayDesign(*codes, w, exact=n_projections is None)
    alpha, psi = design.effects(mean_y)
    alpha, psi = alpha - alpha @ design.citizen_weight / len(y), psi - psi @ design.caseworker_weight / len(y)
    gap = float(y.mean())
    residual = mean_y - gap - alpha[codes[0]] - psi[codes[1]]
    plug_in = _moments(design, alpha, psi)
    if n_projections is None:
        levers: tuple[Leverages, ...] = (exact_leverages(design),)
    else:
        levers = projected_leverages(design, n_projections, seed)
    stays: Mask = ~design.moves() & by_match
    own = _stayer_variances(y - gap, rows, w, (mean_y - gap - residual)) if by_match else np.zeros(len(w))

    def corrected(lever: Leverages) -> tuple[Floats, Floats]:
        with np.errstate(invalid="ignore"):
            row = w * (mean_y - gap) * residual * lever.inverse_m
        row = np.where(stays, own, row)
        return plug_in - lever.B @ row / (len(y) - 1), row

    kss, sigma = corrected(levers[0])
    parts = np.array([corrected(lever)[0] for lever in levers[1:]])
    df = len(w) - design.n_effects
    sigma2 = float(w @ residual**2) / df if df > 0 else np.nan
    cov = np.full((3, 3), np.nan)
    if std_errors:
        cov = (
            _covariance(design, np.sqrt(w) * (mean_y - gap), levers[0], sigma, stays, seed)
            / (len(y) - 1) ** 2
        )
        if by_match:  # a stayer's match cannot be left out, so nothing bounds its part of this variance
            cov[0, :] = cov[:, 0] = np.nan
    return TwoWayComponents(
        plug_in=plug_in,
        andrews=plug_in - sigma2 * levers[0].B.sum(axis=1) / (len(y) - 1),
        kss=kss,
        covariance=cov,
        projection_se=parts.std(axis=0, ddof=1) / np.sqrt(len(parts)) if len(parts) > 1 else np.zeros(3),
        sigma2=sigma2,
        residual=float(sigma @ w / len(y)),
        max_leverage=float(levers[0].P[~stays].max()),
        eigenvalue_share=_eigenvalue_share(design),
        alpha=alpha,
        psi=psi,
    )


def _match_rows(citizen: Codes, caseworker: Codes) -> tuple[Codes, tuple[Codes, Codes]]:
    """Match of every observation, and citizen and caseworker of every match; observations sorted by both."""
    new = (np.diff(citizen, prepend=-1) != 0) | (np.diff(caseworker, prepend=-1) != 0)
    return np.cumsum(new) - 1, (citizen[new], caseworker[new])


def _moments(design: TwoWayDesign, alpha: Floats, psi: Floats) -> Floats:
    """Variances and covariance of centred effects over observations, divisor W - 1."""
    among = np.array(
        [
            design.citizen_weight @ alpha**2,
            design.caseworker_weight @ psi**2,
            alpha @ (design.matches @ psi),
        ]
    )
    out: Floats = among / (design.total - 1)
    return out


def _eigenvalue_share(design: TwoWayDesign) -> float:
    """Largest squared eigenvalue of G A_psi over the sum of squares, by power iteration."""
    if design.inverse is None:
        return float("nan")
    W = design.caseworker_weight
    K = design.inverse * W - np.outer(design.inverse @ W, W) / design.total
    x = np.random.default_rng(0).normal(size=len(W))
    largest = 0.0
    for _ in range(_POWER_STEPS):
        x = K @ x
        largest = float(np.linalg.norm(x))
        x /= largest
    return largest**2 / float(np.sum(K * K.T))


def _stayer_variances(y: Floats, rows: Codes, w: Floats, fitted: Floats) -> Floats:
    """Mean over a match of y (y - fit) / (1 - 1/T), used where a match is all that a citizen has."""
    with np.errstate(divide="ignore", invalid="ignore"):
        each = y * (y - fitted[rows]) / (1 - 1 / w[rows])
    out: Floats = np.bincount(rows, weights=each) / w
    return out


def _covariance(
    design: TwoWayDesign, y: Floats, lever: Leverages, sigma: Floats, stays: Mask, seed: int
) -> Floats:
    """4 y'C_a S C_b y - 2 tr(C_a S C_b S) with S = diag of smoothed error variances, KSS (2020) section 4.

    C = B - (M diag(B_ii/M_ii) + diag(B_ii/M_ii) M) / 2 has no diagonal; traces by Hutchinson's probes.
    """
    smooth = _smoothed(sigma, lever.P, design.moves())
    ratio = np.where(stays, 0.0, lever.B * np.where(stays, 0.0, lever.inverse_m))
    keep = np.where(stays, lever.B, 0.0)  # rows that cannot be left out keep no diagonal either
    n_probes = int(np.clip(_PROBED // len(y), *_PROBES))
    probes = 2.0 * np.random.default_rng(seed + 1).integers(0, 2, size=(len(y), n_probes)) - 1.0
    v = np.column_stack([y, np.sqrt(smooth)[:, None] * probes])
    images = _apply_kernels(design, v, ratio) - keep[:, :, None] * v
    first = np.einsum("ai,bi,i->ab", images[:, :, 0], images[:, :, 0], smooth)
    second = np.einsum("aik,bik,i->ab", images[:, :, 1:], images[:, :, 1:], smooth) / n_probes
    out: Floats = 4 * first - 2 * second
    return out


def _apply_kernels(design: TwoWayDesign, v: Floats, ratio: Floats) -> Floats:
    """C v of each component, (3, n, m), in root-weighted rows."""
    root = np.sqrt(design.w)[:, None]
    accuracy = 1e-8

    def fit(values: Floats) -> tuple[Floats, Floats]:
        return design.solve(*design.gather(root * values), tolerance=accuracy)

    def unexplained(values: Floats) -> Floats:
        return values - root * design.spread(*fit(values))

    alpha, psi = fit(v)
    rest = v - root * design.spread(alpha, psi)
    a, b = design.citizen_weight[:, None], design.caseworker_weight[:, None]
    mean_a, mean_b = (a * alpha).sum(axis=0) / design.total, (b * psi).sum(axis=0) / design.total
    nothing_a, nothing_b = np.zeros_like(alpha), np.zeros_like(psi)
    sides = (
        (a * (alpha - mean_a), nothing_b),
        (nothing_a, b * (psi - mean_b)),
        ((design.matches @ psi - a * mean_b) / 2, (design.matches.T @ alpha - b * mean_a) / 2),
    )

    def component(a: int) -> Floats:
        weight = ratio[a][:, None]
        quadratic = root * design.spread(*design.solve(*sides[a], tolerance=accuracy))
        made: Floats = quadratic - (unexplained(weight * v) + weight * rest) / 2
        return made

    return np.array(each(component, range(3), steps=len(v)))


def _smoothed(sigma: Floats, P: Floats, moves: Mask) -> Floats:
    """Mean error variance of rows with about the same leverage, movers and stayers apart; at least 0."""
    out = np.zeros(len(sigma))
    for group in (np.flatnonzero(moves), np.flatnonzero(~moves)):
        for cell in np.array_split(group[np.argsort(P[group], kind="stable")], _CELLS):
            out[cell] = max(float(sigma[cell].mean()), 0.0) if len(cell) else 0.0
    return out
