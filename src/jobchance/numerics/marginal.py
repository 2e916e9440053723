"""Means of an inverse link h over a normal effect, m(eta, v) = E h(eta + sqrt(v) U), and their derivatives.

dm/deta = E h'(eta + sqrt(v) U), and by the heat equation dm/dv = d2m/deta2 / 2 (Stein 1981, Ann. Statist. 9).
Probit and log have closed forms. Logit and cloglog use the trapezoidal rule, whose error falls exponentially
in 1/step for integrands that are analytic in a strip (Crouch & Spiegelman 1990, JASA 85, 464-469); the step
is that of an error below 1e-13.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from jobchance.options import check_option

Floats = NDArray[np.float64]

REACH = 8.6
_STEP = {"logit": 0.5, "cloglog": 0.25}
_CHUNK = 2_000_000
_LINKS = ("identity", "log", "probit", "logit", "cloglog")


@dataclass(frozen=True, eq=False)
class Marginal:
    """Mean of the inverse link and its derivatives by eta and by the variance v, all of the shape of eta."""

    mean: Floats
    by_eta: Floats
    by_variance: Floats


def marginal(link: str, eta: Floats, variance: Floats) -> Marginal:
    """E h(eta + sqrt(v) U) and its derivatives.

    Parameters
    ----------
    link : {"identity", "log", "probit", "logit", "cloglog"}
        Name of the link whose inverse is h.
    eta : array
        Linear predictor; NaN gives NaN.
    variance : array of the same shape
        Variance v >= 0 of the normal effect; 0 gives h itself.

    Returns
    -------
    Marginal

    Raises
    ------
    SpecError
        Another link.

    Examples
    --------
    >>> marginal("probit", np.array([1.0]), np.array([3.0])).mean.round(4)
    array([0.6915])
    """
    check_option("link", link, _LINKS)
    if link == "identity":
        return Marginal(eta, np.ones_like(eta), np.zeros_like(eta))
    if link == "log":
        mean = np.exp(eta + variance / 2)
        return Marginal(mean, mean, mean / 2)
    if link == "probit":
        width = np.sqrt(1 + variance)
        t = eta / width
        density = np.exp(-(t**2) / 2) / np.sqrt(2 * np.pi)
        return Marginal(special.ndtr(t), density / width, -t * density / (2 * width**2))
    return _trapezoid(link, np.asarray(eta, dtype=float), np.asarray(variance, dtype=float))


def _trapezoid(link: str, eta: Floats, variance: Floats) -> Marginal:
    """The trapezoidal rule over U, for as many values at a time as memory likes."""
    flat, sd = eta.ravel(), np.sqrt(variance).ravel()
    largest = float(np.max(sd, initial=0.0, where=~np.isnan(sd)))
    step = _STEP[link] / max(largest, 1.0)
    half = int(np.ceil(REACH / step)) if largest > 0 else 0
    nodes = step * np.arange(-half, half + 1)
    weights = np.exp(-(nodes**2) / 2)
    weights /= weights.sum()
    out = np.empty((3, len(flat)))
    size = max(1, _CHUNK // len(nodes))
    for start in range(0, len(flat), size):
        part = slice(start, start + size)
        at = flat[part, None] + sd[part, None] * nodes
        for k, values in enumerate(_derivatives(link, at)):
            out[k, part] = values @ weights
    mean, first, second = (row.reshape(eta.shape) for row in out)
    return Marginal(np.minimum(mean, 1.0), first, second / 2)  # weights sum to 1 up to rounding


def _derivatives(link: str, eta: Floats) -> tuple[Floats, Floats, Floats]:
    """h, h' and h''."""
    if link == "logit":
        mean, rest = special.expit(eta), special.expit(-eta)
        first = mean * rest
        return mean, first, first * (rest - mean)
    grown = np.exp(np.minimum(eta, 700.0))
    first = np.exp(np.minimum(eta, 700.0) - grown)
    return -np.expm1(-grown), first, first * (1 - grown)
