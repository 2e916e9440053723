"""Two raters of one latent trait: closed-form moments, and their influence on the estimates.

Letters: theta the trait, T1 and T2 the ratings, Z a proxy, Y the outcome, all net of covariates;
T1 = theta + b1, T2 = phi theta + b2, Z = zeta theta + z, Y = kappa theta + gamma1 T1 + gamma2 T2 + e.
Papageorge, Gershenson & Kang (2020), Review of Economics and Statistics 102, 234-251.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Moments = NDArray[np.complex128] | Floats

FULL = ("gamma1", "gamma2", "kappa", "phi", "zeta", "variance_trait", "variance_error1", "variance_error2")
EQUAL = ("gamma2", "kappa", "variance_trait", "variance_error1", "variance_error2")
_STEP = 1e-20  # of the complex-step derivative, which has no cancellation


@dataclass(frozen=True, eq=False)
class TwoRaters:
    """Estimates by name (see `FULL`, `EQUAL`) and their influence, shape (n, k): rows sum to about zero."""

    names: tuple[str, ...]
    estimates: Floats
    influence: Floats


def two_raters(Y: Floats, T1: Floats, T2: Floats, Z: Floats | None) -> TwoRaters:
    """Solve the moment equations; with a proxy for both raters' effects, without one for the second's alone.

    Without `Z` both raters are taken to use one scale (phi = 1) and the first rating to have no effect of its
    own (gamma1 = 0): gamma2 = (cov(Y, T2) - cov(Y, T1)) / (var(T2) - cov(T1, T2)).

    Parameters
    ----------
    Y, T1, T2, Z : array (n,)
        Centred, net of covariates.
    """
    columns = np.column_stack([Y, T1, T2] if Z is None else [Y, T1, T2, Z])
    n = len(columns)
    first, second = np.triu_indices(columns.shape[1])
    products = columns[:, first] * columns[:, second]
    m = products.sum(axis=0) / n
    solve = _equal if Z is None else _full
    names = EQUAL if Z is None else FULL
    gradient = np.empty((len(names), len(m)))
    with np.errstate(divide="ignore", invalid="ignore"):  # raters who never disagree: the caller refuses them
        estimates = np.real(solve(m))
        for place in range(len(m)):
            stepped = m.astype(np.complex128)
            stepped[place] += 1j * _STEP
            gradient[:, place] = np.imag(solve(stepped)) / _STEP
    return TwoRaters(names, np.asarray(estimates, dtype=float), (products - m) @ gradient.T)


def _full(m: Moments) -> Moments:
    """All parameters from the ten second moments of (Y, T1, T2, Z), upper triangle row by row."""
    _, yt1, yt2, yz, v1, c12, c1z, v2, c2z, _ = m
    phi = c2z / c1z
    variance = c12 / phi
    zeta = c1z / variance
    b1, b2 = v1 - variance, v2 - phi**2 * variance
    gamma1 = (yt1 - yz / zeta) / b1
    gamma2 = (yt2 - phi * yz / zeta) / b2
    kappa = yz / (zeta * variance) - gamma1 - gamma2 * phi
    return np.array([gamma1, gamma2, kappa, phi, zeta, variance, b1, b2])


def _equal(m: Moments) -> Moments:
    """The parameters under phi = 1 and gamma1 = 0 from the six second moments of (Y, T1, T2)."""
    _, yt1, yt2, v1, c12, v2 = m
    b1, b2 = v1 - c12, v2 - c12
    gamma2 = (yt2 - yt1) / b2
    kappa = yt1 / c12 - gamma2
    return np.array([gamma2, kappa, c12, b1, b2])
