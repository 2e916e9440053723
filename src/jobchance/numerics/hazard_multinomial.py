"""Maximum likelihood of the multinomial logit: several exits against none.

Letters: X (n, k) of full rank, c (n,) 0 for none and 1..K for the exits, beta (K, k),
p_j = exp(x'beta_j) / (1 + sum_l exp(x'beta_l)). McFadden (1974). The iterations run on the orthonormal
columns Q of X = QR.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

MAX_ITERATIONS = 100


@dataclass(frozen=True, eq=False)
class MultinomialSolution:
    """Estimates at the optimum.

    Parameters
    ----------
    beta : array (K, k)
        Coefficients of each exit.
    shares : array (n, K)
        Probability of each exit.
    scores : array (n, K k)
        Derivative of the log-likelihood by row, exit after exit.
    bread : array (K k, K k)
        Inverse information (observed and expected are one).
    loglik : float
        At the estimates.
    converged : bool
        The Newton decrement is below 1e-8.
    iterations : int
        Newton steps.
    """

    beta: Floats
    shares: Floats
    scores: Floats
    bread: Floats
    loglik: float
    converged: bool
    iterations: int


def multinomial_logit(X: Floats, cause: Codes, *, n_causes: int) -> MultinomialSolution:
    """Newton's method from equal shares within the sample, steps halved while the likelihood falls."""
    Q, R = (np.asarray(part, dtype=np.float64) for part in linalg.qr(X, mode="economic"))
    chosen = (cause[:, None] == np.arange(1, n_causes + 1)).astype(np.float64)
    gamma: Floats = np.zeros((n_causes, Q.shape[1]))
    loglik, shares = _likelihood(Q, chosen, gamma)
    step, converged = 0, False
    while step < MAX_ITERATIONS and not converged:
        step += 1
        score = ((chosen - shares).T @ Q).ravel()
        try:
            factor = linalg.cho_factor(_information(Q, shares))
            change = np.asarray(linalg.cho_solve(factor, score), dtype=np.float64)
        except linalg.LinAlgError:
            break
        converged = float(change @ score) < 1e-16
        move = change.reshape(gamma.shape)
        for _ in range(30):
            now, moved = _likelihood(Q, chosen, gamma + move)
            if np.isfinite(now) and now >= loglik - 1e-9 * (abs(now) + 1):
                break
            move = move / 2
        gamma, loglik, shares = gamma + move, now, moved
    beta = np.asarray(linalg.solve_triangular(R, gamma.T).T, dtype=np.float64)
    scores: Floats = ((chosen - shares)[:, :, None] * X[:, None, :]).reshape(len(X), -1)
    return MultinomialSolution(beta, shares, scores, _bread(Q, R, shares), loglik, converged, step)


def multinomial_shares(eta: Floats) -> Floats:
    """Probability of each exit from linear predictors (..., K) against none."""
    top = np.maximum(eta.max(axis=-1, keepdims=True), 0.0)
    raised = np.exp(eta - top)
    made: Floats = raised / (np.exp(-top) + raised.sum(axis=-1, keepdims=True))
    return made


def _likelihood(Q: Floats, chosen: Floats, gamma: Floats) -> tuple[float, Floats]:
    """Log-likelihood and probabilities of the exits."""
    shares = multinomial_shares(Q @ gamma.T)
    none = 1 - chosen.sum(axis=1)
    rest = np.maximum(1 - shares.sum(axis=1), 1e-300)
    taken = (chosen * shares).sum(axis=1) + none * rest
    return float(np.sum(np.log(np.maximum(taken, 1e-300)))), shares


def _information(Q: Floats, shares: Floats) -> Floats:
    """Blocks Q' diag(p_j (1[j = l] - p_l)) Q."""
    K, k = shares.shape[1], Q.shape[1]
    made = np.empty((K * k, K * k))
    for j in range(K):
        for i in range(j + 1):
            weight = shares[:, j] * ((i == j) - shares[:, i])
            block = Q.T @ (Q * weight[:, None])
            made[j * k : (j + 1) * k, i * k : (i + 1) * k] = block
            made[i * k : (i + 1) * k, j * k : (j + 1) * k] = block.T
    return made


def _bread(Q: Floats, R: Floats, shares: Floats) -> Floats:
    """Inverse information on the columns of X; NaN where singular."""
    K, k = shares.shape[1], Q.shape[1]
    try:
        inner = linalg.cho_solve(linalg.cho_factor(_information(Q, shares)), np.eye(K * k))
    except linalg.LinAlgError:
        return np.full((K * k, K * k), np.nan)
    half = np.kron(np.eye(K), np.asarray(linalg.solve_triangular(R, np.eye(k))))
    return np.asarray(half @ inner @ half.T, dtype=np.float64)
