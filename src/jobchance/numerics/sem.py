"""Covariance structures that are linear in B, Psi and Phi, by maximum likelihood (Newton, Fisher scoring).

Sigma = Lambda Phi Lambda' + E Psi E' with E = (I - B)^{-1}; mu, B, Psi, Phi are linear in theta (q,), and
Lambda is known. Bollen (1989), Structural Equations with Latent Variables; Joreskog (1970).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jobchance.numerics.sem_likelihood import curvature, inverses, loglik, slope
from jobchance.numerics.sem_patterns import Codes, Patterns

Floats = NDArray[np.float64]
Numbers = NDArray[Any]
"""Real or complex: derivatives of what depends on theta are taken by a complex step."""

_CLOSE = 1e-7
"""Distance to the optimum, in standard errors, below which it counts as reached."""
_NOISE = 1e-9
"""Relative error of a log-likelihood below which a step cannot be judged by it."""


@dataclass(frozen=True, eq=False)
class Structure:
    """What each parameter moves: derivatives of B, Psi (q, p, p), Phi (q, r, r) and mu (q, p) by theta.

    `loadings` (p, r) is Lambda; r may be 0.
    """

    loadings: Floats
    of_b: Floats
    of_psi: Floats
    of_phi: Floats
    of_mu: Floats

    @property
    def q(self) -> int:
        """Parameters."""
        return len(self.of_mu)


@dataclass(frozen=True, eq=False)
class Implied:
    """Moments at theta: mu, Sigma, E, its inside part W = E Psi E' and Phi."""

    mu: Numbers
    sigma: Numbers
    E: Numbers
    W: Numbers
    phi: Numbers


@dataclass(frozen=True, eq=False)
class Optimum:
    """Where the search ended; `distance` is sqrt(g' I^{-1} g), how far the optimum is in standard errors."""

    theta: Floats
    loglik: float
    information: Floats
    distance: float
    converged: bool
    n_steps: int


def implied(structure: Structure, theta: Numbers) -> Implied:
    """Moments at theta."""
    B, psi = np.tensordot(theta, structure.of_b, 1), np.tensordot(theta, structure.of_psi, 1)
    phi = np.tensordot(theta, structure.of_phi, 1)
    E = np.linalg.inv(np.eye(len(B)) - B)
    W = E @ psi @ E.T
    return Implied(
        theta @ structure.of_mu, W + structure.loadings @ phi @ structure.loadings.T, E, (W + W.T) / 2, phi
    )


def sigma_slopes(structure: Structure, at: Implied) -> Floats:
    """Derivative (q, p, p) of Sigma by theta."""
    by_b = at.E @ structure.of_b @ at.W
    flat: Floats = (
        by_b
        + by_b.transpose(0, 2, 1)
        + at.E @ structure.of_psi @ at.E.T
        + structure.loadings @ structure.of_phi @ structure.loadings.T
    )
    return flat


def information(structure: Structure, patterns: Patterns, theta: Floats, *, expected: bool) -> Floats:
    """Information (q, q) about theta: minus the second derivative, or its expectation."""
    at = implied(structure, theta)
    made = curvature(patterns, at.mu, at.sigma, expected=expected)
    D = sigma_slopes(structure, at).reshape(structure.q, -1)
    M = structure.of_mu
    cross = D @ made.cross @ M.T
    total = D @ made.sigma @ D.T + cross + cross.T + M @ made.mu @ M.T
    if not expected:
        total = total - _bend(structure, at, slope(patterns, at.mu, at.sigma).by_sigma)
    half: Floats = (total + total.T) / 2
    return half


def gradient(structure: Structure, patterns: Patterns, theta: Floats) -> Floats:
    """Derivative (q,) of the log-likelihood."""
    at = implied(structure, theta)
    made = slope(patterns, at.mu, at.sigma)
    by_sigma: Floats = np.tensordot(sigma_slopes(structure, at), made.by_sigma, 2)
    return by_sigma + structure.of_mu @ made.by_mu


def case_scores(
    structure: Structure, patterns: Patterns, theta: Floats, values: Floats, codes: Codes
) -> Floats:
    """Derivative (n, q) of each case's log-likelihood, `u' dSigma u / 2 - tr(P dSigma) / 2 + u' dmu`."""
    at = implied(structure, theta)
    P = inverses(patterns, at.sigma)
    u = _weigh(P, np.where(np.isnan(values), 0.0, values - at.mu), codes)
    D = sigma_slopes(structure, at).reshape(structure.q, -1)
    squares = (u[:, :, None] * u[:, None, :]).reshape(len(u), -1)
    constant = (P.reshape(len(P), -1) @ D.T)[codes]
    scores: Floats = (squares @ D.T - constant) / 2 + u @ structure.of_mu.T
    return scores


def maximise(structure: Structure, patterns: Patterns, start: Floats, *, max_steps: int = 200) -> Optimum:
    """Newton steps where the log-likelihood bends down, Fisher scoring elsewhere, halved until it rises.

    `converged` means: observed information positive definite and `distance` below 1e-7 standard errors; it
    is false too where the start has no likelihood.
    """
    theta, value = start, _loglik(structure, patterns, start)
    distance, definite, n_steps = math.inf, False, 0
    if not math.isfinite(value):
        return Optimum(theta, value, np.full((structure.q, structure.q), np.nan), distance, False, 0)
    for n_steps in range(1, max_steps + 1):  # noqa: B007
        g = gradient(structure, patterns, theta)
        step, definite = _direction(structure, patterns, theta, g)
        distance = math.sqrt(max(float(g @ step), 0.0))
        if definite and distance < _CLOSE:
            break
        moved, reached = _search(structure, patterns, theta, value, step, distance)
        if moved is theta:
            break
        theta, value = moved, reached
    observed = information(structure, patterns, theta, expected=False)
    return Optimum(theta, value, observed, distance, definite and distance < _CLOSE, n_steps)


def inverse(matrix: Floats) -> Floats | None:
    """Inverse of a positive definite matrix after scaling its diagonal to one; `None` if it is not."""
    diagonal = np.diag(matrix)
    if not (np.isfinite(matrix).all() and (diagonal > 0).all()):
        return None
    scale = 1 / np.sqrt(diagonal)
    values, vectors = np.linalg.eigh(matrix * np.outer(scale, scale))
    if values[0] < 1e-10:
        return None
    made: Floats = (vectors / values) @ vectors.T * np.outer(scale, scale)
    return made


def _weigh(P: Floats, deviations: Floats, codes: Codes) -> Floats:
    """P of its pattern times each case's deviations (n, p), pattern by pattern to spare memory."""
    made = np.empty_like(deviations)
    for i in range(len(P)):
        mine = codes == i
        made[mine] = deviations[mine] @ P[i]
    return made


def _loglik(structure: Structure, patterns: Patterns, theta: Floats) -> float:
    """Log-likelihood at theta."""
    at = implied(structure, theta)
    return loglik(patterns, at.mu, at.sigma)


def _direction(structure: Structure, patterns: Patterns, theta: Floats, g: Floats) -> tuple[Floats, bool]:
    """The step I^{-1} g and whether the observed information could be used for it."""
    found = inverse(information(structure, patterns, theta, expected=False))
    if found is not None:
        return found @ g, True
    expected = information(structure, patterns, theta, expected=True)
    scale = 1 / np.sqrt(np.maximum(np.diag(expected), 1e-12))
    values, vectors = np.linalg.eigh(expected * np.outer(scale, scale))
    # A ridge keeps the step finite in directions that the data hardly inform.
    return scale * (vectors @ ((vectors.T @ (scale * g)) / np.maximum(values, 1e-4))), False


def _search(
    structure: Structure, patterns: Patterns, theta: Floats, value: float, step: Floats, distance: float
) -> tuple[Floats, float]:
    """The first of the halved steps that raises the log-likelihood; `theta` itself where none does."""
    slack = _NOISE * (1 + abs(value)) if distance < 1e-2 else 0.0
    for halvings in range(40):
        length = 0.5**halvings
        moved = theta + length * step
        reached = _loglik(structure, patterns, moved)
        if reached >= value + 1e-4 * length * distance**2 - slack:
            return moved, reached
    return theta, value


def _bend(structure: Structure, at: Implied, G: Floats) -> Floats:
    """Second derivatives (q, q) of Sigma, weighted by the gradient G: only E bends."""
    lags = np.flatnonzero(structure.of_b.any(axis=(1, 2)))
    J, K, E, W = structure.of_b[lags], structure.of_psi, at.E, at.W
    GE = G @ E
    # tr(G E J_b E J_a W), tr(G E J_a W J_b' E') and tr(G E J_a E K_c E').
    twice = _flat(W @ GE @ J) @ _flat((E @ J).transpose(0, 2, 1)).T
    around = _flat(E.T @ GE @ J @ W) @ _flat(J).T
    mixed = _flat(E.T @ GE @ J @ E) @ _flat(K).T
    total = np.zeros((structure.q, structure.q))
    total[np.ix_(lags, lags)] = 2 * (twice + twice.T + around)
    total[lags] += 2 * mixed
    total[:, lags] += 2 * mixed.T
    return total


def _flat(matrices: Floats) -> Floats:
    """Matrices (k, p, p) as rows (k, p*p)."""
    return matrices.reshape(len(matrices), matrices.shape[1] ** 2)
