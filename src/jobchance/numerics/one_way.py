"""Profile-likelihood limits for one grouping factor: y_gi = mu + b_g + e_gi with variances tau2 and sigma2.

Letters: group g has n_g rows with mean m_g; W = within-group sum of squares; w_g = n_g / (sigma2 + n_g tau2).
The restricted log-likelihood is that of Patterson & Thompson (1971) with an intercept only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq, minimize_scalar
from scipy.stats import chi2

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class OneWay:
    """REML estimates and profile limits: `sd` of the groups and `icc = tau2 / (tau2 + sigma2)`."""

    sd: float
    sd_low: float
    sd_high: float
    icc: float
    icc_low: float
    icc_high: float
    residual_sd: float


@dataclass(frozen=True)
class _Groups:
    """What the likelihood needs of the data."""

    n: Floats
    mean: Floats
    within: float


def profile_one_way(y: ArrayLike, group: ArrayLike, *, level: float = 0.95) -> OneWay:
    r"""Standard deviation between groups and intraclass correlation, with profile limits.

    .. math:: -2 \ell_R = \sum_g \{(n_g - 1) \log \sigma^2 + \log(\sigma^2 + n_g \tau^2)\} + \log \sum_g w_g
              + W / \sigma^2 + \sum_g w_g (m_g - \hat\mu)^2

    A limit is where the profiled `-2 l` has risen by the `level` quantile of chi-square(1) above its
    minimum; a lower limit is 0 where it never rises that far. For 0/1 outcomes this is the linear scale and
    the limits are approximate.

    Parameters
    ----------
    y : array of float, shape (n,)
        Outcome without missing values.
    group : array, shape (n,)
        Group of each row; at least two groups, and more rows than groups.
    level : float
        Coverage.

    Returns
    -------
    OneWay
        Estimates and limits; the estimates are those of the linear mixed model by REML.

    Raises
    ------
    ValueError
        Fewer than two groups, no group with two rows, or an outcome without variation within groups.

    Examples
    --------
    >>> found = profile_one_way([1.0, 1.2, 3.0, 3.1, 5.0, 5.3], [0, 0, 1, 1, 2, 2])
    >>> bool(found.icc > 0.9)
    True
    """
    data = _summed(y, group)
    total = float(np.sqrt(data.within / (data.n.sum() - len(data.n)) + np.var(data.mean)))
    sd = _profiled(lambda tau: _best_over_sigma(data, tau), upper=20 * total, level=level)
    icc = _profiled(lambda rho: _best_over_total(data, rho), upper=1 - 1e-9, level=level)
    share = icc[0]
    residual = sd[0] * np.sqrt((1 - share) / share) if share > 0 else _sigma_without_groups(data)
    return OneWay(*sd, *icc, float(residual))


def _summed(y: ArrayLike, group: ArrayLike) -> _Groups:
    values = np.asarray(y, dtype=float)
    codes = np.unique(np.asarray(group), return_inverse=True)[1]
    n = np.bincount(codes).astype(float)
    if len(n) < 2 or len(values) <= len(n):
        raise ValueError("at least two groups are needed, and more rows than groups")
    mean = np.bincount(codes, weights=values) / n
    within = float(((values - mean[codes]) ** 2).sum())
    if not within > 0:
        raise ValueError("the outcome does not vary within groups")
    return _Groups(n, mean, within)


def _criterion(data: _Groups, tau2: float, sigma2: float) -> float:
    """Minus twice the restricted log-likelihood, without constants."""
    spread = sigma2 + data.n * tau2
    w = data.n / spread
    mu = float((w * data.mean).sum() / w.sum())
    determinant = float(((data.n - 1) * np.log(sigma2) + np.log(spread)).sum() + np.log(w.sum()))
    return determinant + data.within / sigma2 + float((w * (data.mean - mu) ** 2).sum())


def _best_over_sigma(data: _Groups, tau: float) -> float:
    """Criterion at a group standard deviation, minimised over the residual variance."""
    guess = np.log(data.within / (data.n.sum() - len(data.n)))
    found = minimize_scalar(
        lambda log_sigma2: _criterion(data, tau**2, float(np.exp(log_sigma2))),
        bounds=(guess - 4, guess + 4),
        method="bounded",
        options={"xatol": 1e-10},
    )
    return float(found.fun)


def _best_over_total(data: _Groups, rho: float) -> float:
    """Criterion at an intraclass correlation; the total variance has a closed form."""
    df = float(data.n.sum() - 1)
    spread = (1 - rho) + data.n * rho
    w = data.n / spread
    mu = float((w * data.mean).sum() / w.sum())
    squares = data.within / (1 - rho) + float((w * (data.mean - mu) ** 2).sum())
    total = squares / df
    return _criterion(data, rho * total, (1 - rho) * total)


def _profiled(
    criterion: Callable[[float], float], *, upper: float, level: float
) -> tuple[float, float, float]:
    """Minimiser on [0, upper] and the two limits."""
    found = minimize_scalar(
        criterion, bounds=(0.0, upper), method="bounded", options={"xatol": 1e-10 * upper}
    )
    at_zero = criterion(0.0)
    estimate, least = (float(found.x), float(found.fun)) if found.fun < at_zero - 1e-9 else (0.0, at_zero)
    rise = float(chi2.ppf(level, 1))

    def above(value: float) -> float:
        return criterion(value) - least - rise

    low = float(brentq(above, 0.0, estimate, xtol=1e-12)) if estimate > 0 and above(0.0) > 0 else 0.0
    high = float(brentq(above, estimate, upper, xtol=1e-12)) if above(upper) > 0 else upper
    return estimate, low, high


def _sigma_without_groups(data: _Groups) -> float:
    """Residual standard deviation when there is no variance between groups."""
    n = data.n.sum()
    mu = (data.n * data.mean).sum() / n
    squares = data.within + float((data.n * (data.mean - mu) ** 2).sum())
    return float(np.sqrt(squares / (n - 1)))
