"""Linear mixed model with one grouping factor, by profiled REML or ML with an exact gradient.

Letters of Bates, Maechler, Bolker & Walker (2015), J. Stat. Softw. 67(1): y = X beta + Z b + e,
b_i = Lambda u_i, u_i ~ N(0, sigma2 I), e ~ N(0, sigma2 I); Lambda lower triangular (q, q), its
entries are theta. n rows, p coefficients, m groups, q random terms. The groups enter through cross-products
only, O(n (p + q)^2) once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import linalg

from jobchance.errors import DesignError
from jobchance.numerics.one_factor_criterion import Codes, Floats, State, Sums, cross_products, evaluate
from jobchance.numerics.one_factor_search import optimum

SINGULAR = 1e-4  # lme4's tolerance for a singular fit; here for random terms scaled to unit mean square


@dataclass(frozen=True, eq=False)
class OneFactor:
    """Estimates of a linear mixed model with one grouping factor.

    `cov_random` is the covariance (q, q) of the random effects, in the units of the outcome; `modes` and
    `mode_cov` are conditional modes (m, q) and their conditional covariances (m, q, q); `weighted_residual`
    is V^{-1}(y - X beta) with V relative to sigma2.
    """

    beta: Floats
    cov: Floats
    sigma2: float
    theta: Floats
    cov_random: Floats
    criterion: float
    loglik: float
    is_singular: bool
    gradient: float
    modes: Floats
    mode_cov: Floats
    weighted_residual: Floats


def fit_one_factor(
    X: Floats, y: Floats, Z: Floats, codes: Codes, *, restricted: bool = True, correlated: bool = True
) -> OneFactor:
    """Maximise the (restricted) likelihood.

    One random term: every sign change of the derivative by the variance ratio is bracketed on a grid and
    solved, and the best of these and zero is taken. Several: L-BFGS-B from several starts with the exact
    gradient, then Newton steps; the gradient of the solution is checked, not the optimiser's word.

    Parameters
    ----------
    X, y, Z : arrays (n, p), (n,), (n, q)
        Fixed design of full column rank, outcome, random design of each row.
    codes : integer array (n,)
        Group of each row, 0..m-1.
    restricted : bool
        REML (else ML).
    correlated : bool
        Whether the random terms of a group are correlated.

    Returns
    -------
    OneFactor

    Raises
    ------
    DesignError
        X has linearly dependent columns, no residual rows, or the outcome has no residual variation.
    EstimationError
        No optimum with a vanishing gradient was found.
    """
    q_matrix, r_matrix = _orthonormal(X, n=len(y))
    offset = q_matrix.T @ y
    residual = y - q_matrix @ offset
    if not np.any(np.abs(residual) > 1e-10 * max(1.0, float(np.abs(y).max()))):
        raise DesignError("The outcome has no variation beyond the fixed terms.")
    scale = np.sqrt(np.mean(Z**2, axis=0))
    if not np.all(scale > 0):
        raise DesignError("A random term is zero in every row.")
    sums = cross_products(q_matrix, residual, Z / scale, codes)
    lower = optimum(sums, restricted=restricted, correlated=correlated)
    state = evaluate(sums, lower, restricted=restricted)
    return _assemble(
        sums,
        state,
        lower,
        scale,
        r_matrix,
        offset,
        (X, y, Z, codes),
        restricted=restricted,
        correlated=correlated,
    )


def _orthonormal(X: Floats, *, n: int) -> tuple[Floats, Floats]:
    """QR of the fixed design."""
    if n <= X.shape[1]:
        raise DesignError(f"{n} rows cannot carry {X.shape[1]} coefficients and a variance.")
    q_matrix, r_matrix = linalg.qr(X, mode="economic")
    diagonal = np.abs(np.diag(r_matrix))
    norms = np.sqrt(np.sum(X**2, axis=0))
    if np.any(diagonal <= 1e-10 * norms):
        raise DesignError("The fixed terms are linearly dependent.")
    return np.asarray(q_matrix, dtype=float), np.asarray(r_matrix, dtype=float)


def _assemble(
    sums: Sums,
    state: State,
    lower: Floats,
    scale: Floats,
    r_matrix: Floats,
    offset: Floats,
    data: tuple[Floats, Floats, Floats, Codes],
    *,
    restricted: bool,
    correlated: bool,
) -> OneFactor:
    """Back to the units of the data."""
    X, y, Z, codes = data
    sigma2 = state.r2 / (sums.n - sums.p if restricted else sums.n)
    inverse = linalg.solve_triangular(r_matrix, np.eye(sums.p))
    beta = inverse @ (offset + state.delta)
    cov = sigma2 * inverse @ np.linalg.inv(state.information) @ inverse.T
    factor = state.factor / np.outer(scale, scale)
    residual = y - X @ beta
    z_residual = np.column_stack([np.bincount(codes, weights=z * residual) for z in Z.T])
    modes = np.einsum("mab,mb->ma", factor, z_residual)
    criterion = state.criterion
    if restricted:  # log|X'V^-1 X| of the data's own X, which the orthonormal one lacks
        criterion += 2 * float(np.sum(np.log(np.abs(np.diag(r_matrix)))))
    lower_data = lower / scale[:, None]
    free = np.tril(np.ones_like(lower, dtype=bool)) if correlated else np.eye(len(lower), dtype=bool)
    gradient = np.where(free, 2 * state.slope @ lower, 0.0)
    gradient = np.where(np.eye(len(lower), dtype=bool) & (lower <= 0), np.minimum(gradient, 0.0), gradient)
    return OneFactor(
        beta=beta,
        cov=(cov + cov.T) / 2,
        sigma2=sigma2,
        theta=lower_data[np.tril_indices(len(scale))],
        cov_random=sigma2 * lower_data @ lower_data.T,
        criterion=criterion,
        loglik=-criterion / 2,
        is_singular=bool(np.linalg.svd(lower, compute_uv=False).min() < SINGULAR),
        gradient=float(np.abs(gradient).max()),
        modes=modes,
        mode_cov=sigma2 * factor,
        weighted_residual=residual - np.sum(Z * modes[codes], axis=1),
    )
