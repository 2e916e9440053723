"""Rates of many groups of cases: how much of their spread is chance, and what is left after shrinkage.

Letters: group `j` has `y_j` events among `n_j` cases; true rates `p_j ~ Beta(a, b)` with mean `mu` and
standard deviation `tau` (the beta-binomial model); `tau = 0` is the pure-noise model, one common rate.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq, minimize_scalar
from scipy.special import betaln, xlog1py, xlogy
from scipy.stats import chi2

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_TINY = 1e-4  # rates that differ less are one rate; below it the beta functions also lose their digits


@dataclass(frozen=True)
class ShrunkenRates:
    """Beta-binomial fit: `sd` of the true rates with profile limits, and each group's shrunken rate."""

    mean: float
    sd: float
    sd_low: float
    sd_high: float
    p_value: float
    rates: Floats


@dataclass(frozen=True)
class NoiseBenchmark:
    """Rates of ranked groups when all true rates are equal: mean and central 95 per cent over the draws."""

    rates: Floats
    low: Floats
    high: Floats
    gaps: Floats
    draws: int
    seed: int


def shrink_rates(events: ArrayLike, cases: ArrayLike, *, level: float = 0.95) -> ShrunkenRates:
    r"""Empirical-Bayes rates under the beta-binomial model, by maximum likelihood.

    .. math:: \tilde p_j = \frac{a + y_j}{a + b + n_j}, \qquad
              \tau^2 = \frac{\mu (1 - \mu)}{a + b + 1}

    Limits of `tau` invert the likelihood ratio (profile over `mu`); the lower one is 0 when the pure-noise
    model is not rejected. The p-value is that of the likelihood ratio against `tau = 0`, an equal mixture of
    chi-squares with 0 and 1 degrees of freedom (the value lies on the boundary).

    Parameters
    ----------
    events, cases : array of int, shape (groups,)
        Events and cases of each group; at least one case each. Cases are taken as independent.
    level : float
        Confidence level of the limits of `tau`.

    Returns
    -------
    ShrunkenRates
        Fit and shrunken rates in the order given.

    Raises
    ------
    ValueError
        Fewer than three groups, no cases in a group, or more events than cases.

    References
    ----------
    Griffiths (1973), *Biometrics* 29; Self & Liang (1987) for the boundary test.

    Examples
    --------
    >>> fit = shrink_rates([0, 5, 10, 20], [40, 40, 40, 40])
    >>> bool(fit.sd > 0.1) and bool(fit.rates[0] > 0)
    True
    """
    y, n = _checked(events, cases)
    pooled = float(y.sum() / n.sum())
    if pooled in (0.0, 1.0):
        return ShrunkenRates(pooled, 0.0, 0.0, np.nan, 1.0, np.full(len(y), pooled))
    ceiling = 0.999 * np.sqrt(pooled * (1 - pooled))

    def profile(sd: float) -> tuple[float, float]:
        return _best_mean(y, n, sd)

    found = minimize_scalar(
        lambda sd: -profile(sd)[0], bounds=(0.0, ceiling), method="bounded", options={"xatol": 1e-7}
    )
    null = profile(0.0)[0]
    sd, best = (float(found.x), -float(found.fun)) if -found.fun > null + 1e-6 else (0.0, null)
    half = chi2.ppf(level, 1) / 2

    def drop(value: float) -> float:
        return best - profile(value)[0] - half

    low = 0.0 if sd == 0.0 or drop(0.0) <= 0 else float(brentq(drop, 0.0, sd, xtol=1e-8))
    high = float(brentq(drop, sd, ceiling, xtol=1e-8)) if drop(ceiling) > 0 else float(ceiling)
    p = 0.5 * float(chi2.sf(2 * (best - null), 1)) if sd > 0 else 1.0
    mean = profile(sd)[1]
    return ShrunkenRates(mean, sd, low, high, p, _posterior_rates(y, n, mean, sd))


def noise_benchmark(
    cases: ArrayLike, rate: float, *, starts: ArrayLike, draws: int = 2000, seed: int = 20170301
) -> NoiseBenchmark:
    """Rates of groups ranked by their own raw rates when every true rate is `rate`.

    Parametric simulation: each draw gives every unit binomial events over its own number of cases, ranks the
    units by raw rate, cuts them into groups at the ranks `starts` and pools events over cases.

    Parameters
    ----------
    cases : array of int, shape (units,)
        Cases of each unit (caseworker).
    rate : float
        The common true rate.
    starts : array of int, shape (groups,)
        Rank (from 0) of the first unit of each group, see `group_starts`.
    draws : int
        Simulated studies.
    seed : int
        Seed of the generator; the same seed gives the same numbers.

    Returns
    -------
    NoiseBenchmark
        `rates`, `low` and `high` per ranked group (lowest first); `gaps`, top minus bottom group, per draw.

    Examples
    --------
    >>> found = noise_benchmark([33] * 300, 0.14, starts=group_starts(300, 4), draws=200)
    >>> [round(float(rate), 2) for rate in found.rates[[0, -1]]]
    [0.07, 0.22]
    """
    n = np.asarray(cases, dtype=np.int64)
    rng = np.random.default_rng(seed)
    y = rng.binomial(n, rate, size=(draws, len(n)))
    order = rank_order(y, n)
    groups = pooled_rates(y, n, order=order, starts=starts)
    low, high = np.quantile(groups, [0.025, 0.975], axis=0)
    return NoiseBenchmark(groups.mean(axis=0), low, high, groups[:, -1] - groups[:, 0], draws, seed)


def rank_order(events: ArrayLike, cases: ArrayLike) -> Ints:
    """Order of the units by raw rate, lowest first; equal rates by falling number of cases.

    `events` may have leading axes (draws); the order runs along the last. Ties beyond that are between units
    with the same events and cases, so no sum over groups depends on the order of the rows.
    """
    y, n = np.asarray(events, dtype=float), np.asarray(cases, dtype=float)
    return np.argsort(y / n - 1e-12 * n, axis=-1, kind="stable").astype(np.int64)


def group_starts(n_units: int, n_groups: int) -> Ints:
    """First rank of each of `n_groups` groups with (almost) equally many units."""
    return np.array([part[0] for part in np.array_split(np.arange(n_units), n_groups)], dtype=np.int64)


def pooled_rates(values: ArrayLike, cases: ArrayLike, *, order: Ints, starts: ArrayLike) -> Floats:
    """Sum of `values` over sum of `cases` in each ranked group, along the last axis."""
    y = np.asarray(values, dtype=float)
    n = np.broadcast_to(np.asarray(cases, dtype=float), y.shape)
    first = np.asarray(starts, dtype=np.int64)
    over = np.add.reduceat(np.take_along_axis(y, order, axis=-1), first, axis=-1)
    under = np.add.reduceat(np.take_along_axis(n, order, axis=-1), first, axis=-1)
    rates: Floats = over / under
    return rates


def noise_share_of_variance(events: ArrayLike, cases: ArrayLike) -> float:
    r"""Share of the case-weighted variance of raw rates that equal true rates would give, at most 1.

    .. math:: \frac{\bar p (1 - \bar p) (J - 1) / N}{\sum_j n_j (p_j - \bar p)^2 / N}

    The numerator is the exact expectation of the denominator when all `J` true rates equal the pooled one.
    """
    y, n = _checked(events, cases)
    pooled, total = y.sum() / n.sum(), n.sum()
    raw = float((n * (y / n - pooled) ** 2).sum() / total)
    expected = float(pooled * (1 - pooled) * (len(n) - 1) / total)
    return 1.0 if raw <= expected else expected / raw


def _checked(events: ArrayLike, cases: ArrayLike) -> tuple[Floats, Floats]:
    """Arrays of one length that can be events among cases."""
    y, n = np.asarray(events, dtype=float), np.asarray(cases, dtype=float)
    if y.shape != n.shape or y.ndim != 1 or len(y) < 3:
        raise ValueError("events and cases must be arrays of one length, with at least three groups")
    if (n < 1).any() or (y < 0).any() or (y > n).any():
        raise ValueError("every group needs at least one case and no more events than cases")
    return y, n


def _best_mean(y: Floats, n: Floats, sd: float) -> tuple[float, float]:
    """Largest log-likelihood over the mean, for a given sd of the true rates, and that mean."""
    pooled = float(y.sum() / n.sum())
    if sd < _TINY:
        return float(np.sum(xlogy(y, pooled) + xlog1py(n - y, -pooled))), pooled
    edge = 0.5 - np.sqrt(max(0.25 - sd**2, 0.0))  # a beta with this sd needs mu (1 - mu) > sd^2
    low, high = edge + 1e-9, 1 - edge - 1e-9
    found = minimize_scalar(
        lambda mean: -_log_likelihood(y, n, mean, sd),
        bounds=(low, high),
        method="bounded",
        options={"xatol": 1e-9},
    )
    return -float(found.fun), float(found.x)


def _log_likelihood(y: Floats, n: Floats, mean: float, sd: float) -> float:
    """Beta-binomial log-likelihood without the binomial coefficients."""
    size = mean * (1 - mean) / sd**2 - 1
    a, b = mean * size, (1 - mean) * size
    return float(np.sum(betaln(a + y, b + n - y) - betaln(a, b)))


def _posterior_rates(y: Floats, n: Floats, mean: float, sd: float) -> Floats:
    """Posterior mean of each group's true rate."""
    if sd < _TINY:
        return np.full(len(y), mean)
    size = mean * (1 - mean) / sd**2 - 1
    rates: Floats = (mean * size + y) / (size + n)
    return rates
