"""Maximum likelihood of generalised linear models by Fisher scoring, and least squares.

Letters: X (n, k) of full rank, y (n,), eta = X beta, mu = inverse link of eta, V = variance function,
W = (d mu / d eta)^2 / V, w (n,) = prior weights of the rows (`None`: all 1). McCullagh & Nelder (1989),
Generalized Linear Models, section 2.5. The iterations run on the orthonormal columns Q of X = QR, so that a
covariate's unit or a large mean costs no precision.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, special

from jobchance.numerics.links import Link

Floats = NDArray[np.float64]

MAX_ITERATIONS = 100
_TINY = 1e-300


@dataclass(frozen=True, eq=False)
class GlmSolution:
    """Estimates at the optimum and what a sandwich needs.

    Parameters
    ----------
    beta : array (k,)
        Coefficients.
    mu : array (n,)
        Fitted means.
    scores : array (n, k)
        Derivative of the log-likelihood by row (of the half sum of squares for least squares).
    bread : array (k, k)
        Inverse observed information, minus the second derivative of the log-likelihood, which a sandwich
        needs when the model is not exactly true (inverse of X'X for least squares).
    expected : array (k, k)
        Inverse expected information; the same as `bread` for logit, Poisson and least squares.
    deviance, loglik : float
        At the estimates; for least squares the residual sum of squares and the normal log-likelihood with
        variance RSS / n.
    converged : bool
        Half the Newton decrement, the distance to the optimum in standard errors, is below 1e-8.
    iterations : int
        Scoring steps.
    """

    beta: Floats
    mu: Floats
    scores: Floats
    bread: Floats
    expected: Floats
    deviance: float
    loglik: float
    converged: bool
    iterations: int


def least_squares(X: Floats, y: Floats) -> GlmSolution:
    """Ordinary least squares by QR, with one step of refinement."""
    Q, R = _orthonormal(X)
    beta = linalg.solve_triangular(R, Q.T @ y)
    beta = beta + linalg.solve_triangular(R, Q.T @ (y - X @ beta))
    residual = y - X @ beta
    rss = float(residual @ residual)
    n = len(y)
    loglik = -n / 2 * (np.log(2 * np.pi * max(rss, _TINY) / n) + 1)
    scores = X * residual[:, None]
    inverse = _inverse(R, np.eye(R.shape[0]))
    return GlmSolution(beta, X @ beta, scores, inverse, inverse, rss, float(loglik), True, 0)


def fisher_scoring(X: Floats, y: Floats, *, family: str, link: Link, w: Floats | None = None) -> GlmSolution:
    """Maximum likelihood for the `binomial` (0/1) or `poisson` family; with `w` each row counts w times.

    Steps are halved while the deviance rises. Without a finite optimum (separation) the iterations end
    with `converged=False` or with fitted means at the edge; `numerics.separation` tells which.
    """
    Q, R = _orthonormal(X)
    eta = link.link((y + 0.5) / 2 if family == "binomial" else y + 0.1)
    gamma = np.zeros(Q.shape[1])
    deviance = np.inf
    converged = False
    step = 0
    for step in range(1, MAX_ITERATIONS + 1):
        score, weight = _derivatives(eta, y, family, link, w)
        if not (np.isfinite(weight).all() and np.isfinite(score).all()):
            break
        information = Q.T @ (Q * weight[:, None])
        # The first step is a weighted regression from starting values of the mean; later ones are updates.
        working = Q.T @ (weight * eta + score) - information @ gamma if step == 1 else Q.T @ score
        try:
            change = np.asarray(linalg.cho_solve(linalg.cho_factor(information), working))
        except linalg.LinAlgError:
            break
        converged = step > 1 and float(change @ working) < 1e-16
        gamma, eta, deviance = _halved(Q, y, gamma, change, deviance, family, link, w)
        if converged:
            break
    return _solution(X, y, Q, R, gamma, family, link, w, converged=converged, iterations=step)


def _orthonormal(X: Floats) -> tuple[Floats, Floats]:
    """Thin QR factorisation."""
    Q, R = linalg.qr(X, mode="economic")
    return np.asarray(Q, dtype=np.float64), np.asarray(R, dtype=np.float64)


def loglikelihood(eta: Floats, y: Floats, family: str, link: Link, w: Floats | None = None) -> float:
    """Log-likelihood of 0/1 (`binomial`) or count (`poisson`) outcomes."""
    if family == "binomial":
        mu, rest = _both_sides(eta, link)
        chosen = np.where(y == 1, mu, rest)
        return float(np.sum(_weighted(np.log(np.maximum(chosen, _TINY)), w)))
    mu = link.inverse(eta)
    return float(np.sum(_weighted(special.xlogy(y, mu) - mu - special.gammaln(y + 1), w)))


def saturated_loglikelihood(y: Floats, family: str, w: Floats | None = None) -> float:
    """Log-likelihood where every row has its own mean; twice its distance from another is the deviance."""
    if family == "binomial":
        return 0.0
    return float(np.sum(_weighted(special.xlogy(y, y) - y - special.gammaln(y + 1), w)))


def _weighted(values: Floats, w: Floats | None) -> Floats:
    """Values times the weights of their rows."""
    return values if w is None else w * values


def _derivatives(
    eta: Floats, y: Floats, family: str, link: Link, w: Floats | None = None
) -> tuple[Floats, Floats]:
    """Derivative of the log-likelihood by eta, and the expected weight W."""
    slope = link.derivative(eta)
    if family == "binomial":
        mu, rest = _both_sides(eta, link)
        variance = np.maximum(mu * rest, _TINY)
        # y - mu without cancellation where mu is close to 1
        residual = np.where(y == 1, rest, -mu)
    else:
        mu = link.inverse(eta)
        variance = np.maximum(mu, _TINY)
        residual = y - mu
    return _weighted(residual * slope / variance, w), _weighted(slope**2 / variance, w)


def _observed_weight(eta: Floats, y: Floats, link: Link) -> Floats | None:
    """Minus the second derivative of the log-likelihood by eta; `None` where it is the expected weight."""
    if link.name == "probit":
        sign = 2 * y - 1
        log_density = -0.5 * eta**2 - 0.5 * np.log(2 * np.pi)
        ratio = sign * np.exp(log_density - special.log_ndtr(sign * eta))
        return np.asarray(ratio * (ratio + eta))
    if link.name == "cloglog":
        rate = np.maximum(np.exp(np.minimum(eta, 700.0)), _TINY)  # 0/0 at separation
        first = rate / np.expm1(np.minimum(rate, 700.0))
        return np.where(y == 1, first * (rate / -np.expm1(-rate) - 1), rate)
    return None


def _both_sides(eta: Floats, link: Link) -> tuple[Floats, Floats]:
    """Means and their complements, both accurate in the tails."""
    mu = link.inverse(eta)
    if link.name == "cloglog":
        return mu, np.exp(-np.exp(np.minimum(eta, 700.0)))
    return mu, link.inverse(-eta)


def _halved(
    Q: Floats,
    y: Floats,
    gamma: Floats,
    change: Floats,
    deviance: float,
    family: str,
    link: Link,
    w: Floats | None,
) -> tuple[Floats, Floats, float]:
    """The step, halved up to 30 times until -2 log-likelihood does not rise."""
    for _ in range(30):
        eta = Q @ (gamma + change)
        with np.errstate(over="ignore"):
            now = -2 * loglikelihood(eta, y, family, link, w)
        if np.isfinite(now) and now <= deviance + 1e-9 * (abs(now) + 1):
            break
        change = change / 2
    return gamma + change, eta, now


def _solution(
    X: Floats,
    y: Floats,
    Q: Floats,
    R: Floats,
    gamma: Floats,
    family: str,
    link: Link,
    w: Floats | None,
    *,
    converged: bool,
    iterations: int,
) -> GlmSolution:
    """Everything at the last coefficients, back on the columns of X."""
    eta = Q @ gamma
    score, weight = _derivatives(eta, y, family, link, w)
    beta = linalg.solve_triangular(R, gamma)
    expected = _inverse(R, Q.T @ (Q * weight[:, None]))
    curved = _observed_weight(eta, y, link)
    bread = expected if curved is None else _inverse(R, Q.T @ (Q * _weighted(curved, w)[:, None]))
    loglik = loglikelihood(eta, y, family, link, w)
    best, scores = saturated_loglikelihood(y, family, w), X * score[:, None]
    return GlmSolution(
        beta, link.inverse(eta), scores, bread, expected, 2 * (best - loglik), loglik, converged, iterations
    )


def _inverse(R: Floats, middle: Floats) -> Floats:
    """Inverse of R' middle R; NaN where `middle` is singular."""
    half = linalg.solve_triangular(R, np.eye(R.shape[0]))
    try:
        inner = linalg.cho_solve(linalg.cho_factor(middle), np.eye(R.shape[0]))
    except linalg.LinAlgError:
        inner = np.full_like(middle, np.nan)
    out: Floats = half @ inner @ half.T
    return out
