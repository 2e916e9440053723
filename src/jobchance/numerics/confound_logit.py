"""A logit with an unseen binary confounder that is integrated out (Imbens 2003, Am. Econ. Rev. 93, 126-132).

Letters: y outcome 0/1, w exposure, X covariates with intercept, u in {0, 1} with probability 1/2 each and
independent of X; alpha and delta are given.

    w | X, u: logit with index X gamma + alpha u, or normal with that mean and standard deviation sigma
    y | w, X, u: logit with index tau w + X beta + delta u
    log L = sum_i log (1/2 sum_u f(w_i | u) P(y_i | w_i, u))

theta = (tau, beta, gamma[, log sigma]).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

Floats = NDArray[np.float64]

LOGISTIC_VARIANCE = np.pi**2 / 3
_STEPS = 60
_HALVINGS = 30


@dataclass(frozen=True, eq=False)
class Confounded:
    """Rows of the problem; `binary` says whether the exposure is 0/1."""

    y: Floats
    w: Floats
    X: Floats
    binary: bool


@dataclass(frozen=True, eq=False)
class Maximum:
    """The optimum: theta, scores by row (n, p), inverse observed information (p, p)."""

    theta: Floats
    loglik: float
    scores: Floats
    bread: Floats
    converged: bool


def maximise(problem: Confounded, alpha: float, delta: float, start: Floats) -> Maximum:
    """Newton steps from `start`, shortened while the likelihood falls; damped where it is not concave."""
    theta = start.copy()
    loglik, scores, information = _evaluate(problem, alpha, delta, theta)
    converged = False
    for _ in range(_STEPS):
        gradient = scores.sum(axis=0)
        step = _step(information, gradient)
        decrement = float(gradient @ step)
        if decrement < 1e-12:
            converged = True
            break
        size, better = 1.0, None
        for _ in range(_HALVINGS):
            tried = _evaluate(problem, alpha, delta, theta + size * step)
            if tried[0] > loglik:
                better = tried
                break
            size /= 2
        if better is None:
            converged = decrement < 1e-6
            break
        theta = theta + size * step
        loglik, scores, information = better
    bread = np.asarray(np.linalg.pinv(information, hermitian=True), dtype=np.float64)
    return Maximum(theta, loglik, scores, bread, converged)


def start_at(problem: Confounded, tau: float, beta: Floats, gamma: Floats) -> Floats:
    """Theta from the regressions without a confounder."""
    theta = np.concatenate([[tau], beta, gamma])
    if problem.binary:
        return theta
    sd = float(np.std(problem.w - problem.X @ gamma))
    return np.append(theta, np.log(sd))


def strength_of(share: float, scale: float) -> float:
    """Coefficient a of u whose variance, a^2/4, is this share of itself and `scale` together."""
    return float(2 * np.sqrt(scale * share / (1 - share)))


def share_of(strength: float, scale: float) -> float:
    """The reverse of `strength_of`."""
    return float(strength**2 / 4 / (strength**2 / 4 + scale))


def _step(information: Floats, gradient: Floats) -> Floats:
    """Newton step; the information is raised where it is not positive definite."""
    values, vectors = np.linalg.eigh(information)
    raised = np.maximum(np.abs(values), 1e-10 * np.abs(values).max())
    return np.asarray(vectors @ ((vectors.T @ gradient) / raised))


def _evaluate(problem: Confounded, alpha: float, delta: float, theta: Floats) -> tuple[float, Floats, Floats]:
    """Log-likelihood, scores by row and observed information."""
    k = problem.X.shape[1]
    logs, scores, parts = [], [], []
    for u in (0.0, 1.0):
        outcome_log, outcome_score, outcome_weight = _outcome(problem, theta[: 1 + k], delta * u)
        exposure_log, exposure_score, exposure_information = _exposure(problem, theta[1 + k :], alpha * u)
        logs.append(outcome_log + exposure_log)
        scores.append(np.column_stack([outcome_score, exposure_score]))
        parts.append((outcome_weight, exposure_information))
    # posterior of u = 1
    one = expit(logs[1] - logs[0])
    posterior = (1 - one, one)
    mean = scores[0] + one[:, None] * (scores[1] - scores[0])
    Z = np.column_stack([problem.w, problem.X])
    size = len(theta)
    information = np.zeros((size, size))
    for p, (weight, exposure_information) in zip(posterior, parts, strict=True):
        information[: 1 + k, : 1 + k] += (Z * (p * weight)[:, None]).T @ Z
        information[1 + k :, 1 + k :] += exposure_information(p)
    apart = (scores[1] - scores[0]) * np.sqrt(posterior[0] * posterior[1])[:, None]
    information -= apart.T @ apart
    loglik = float(np.sum(np.logaddexp(logs[0], logs[1]) - np.log(2)))
    return loglik, mean, information


def _outcome(problem: Confounded, coefficients: Floats, shift: float) -> tuple[Floats, Floats, Floats]:
    """Log-density, score (n, 1 + k) and weight mu (1 - mu) of the outcome."""
    eta = coefficients[0] * problem.w + problem.X @ coefficients[1:] + shift
    mu = expit(eta)
    log = problem.y * eta - np.logaddexp(0, eta)
    off = problem.y - mu
    score = np.column_stack([problem.w * off, problem.X * off[:, None]])
    return log, score, mu * (1 - mu)


def _exposure(
    problem: Confounded, coefficients: Floats, shift: float
) -> tuple[Floats, Floats, Callable[[Floats], Floats]]:
    """Log-density, score, and the information as a function of the weights of the rows."""
    X, k = problem.X, problem.X.shape[1]
    eta = X @ coefficients[:k] + shift
    if problem.binary:
        mu = expit(eta)
        log = problem.w * eta - np.logaddexp(0, eta)
        weight = mu * (1 - mu)
        return log, X * (problem.w - mu)[:, None], lambda p: np.asarray((X * (p * weight)[:, None]).T @ X)
    sd = np.exp(coefficients[k])
    off = (problem.w - eta) / sd
    log = -np.log(sd) - off**2 / 2 - np.log(2 * np.pi) / 2
    score = np.column_stack([X * (off / sd)[:, None], off**2 - 1])

    def information(p: Floats) -> Floats:
        made = np.empty((k + 1, k + 1))
        made[:k, :k] = (X * p[:, None]).T @ X / sd**2
        made[:k, k] = made[k, :k] = 2 * X.T @ (p * off) / sd
        made[k, k] = 2 * float(p @ off**2)
        return made

    return log, score, information
