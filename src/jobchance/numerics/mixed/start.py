"""Where the search of a generalised linear or ordinal mixed model starts: the model without random effects.

It is fitted by Newton's method from sums over blocks of rows. An ordinal outcome gives thresholds from its
shares, and slopes from whether it lies above its mean.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, special, stats

from jobchance.errors import EstimationError
from jobchance.numerics.mixed import families
from jobchance.numerics.mixed.laplace import LaplaceBlock
from jobchance.numerics.mixed.pool import Pool

Floats = NDArray[np.float64]

MAX_START = 50
VANISHED = 1e-9  # information by row under which the outcomes count as separated
_BINARY = {
    families.ORDINAL_LOGIT: families.BINOMIAL_LOGIT,
    families.ORDINAL_PROBIT: families.BINOMIAL_PROBIT,
    families.ORDINAL_CLOGLOG: families.BINOMIAL_CLOGLOG,
}


@dataclass(frozen=True, eq=False)
class StartSums:
    """Sums over rows at one beta: log-likelihood, its derivative, and X'WX."""

    loglik: float
    gradient: Floats
    hessian: Floats


class StartBlock(LaplaceBlock):
    """A block that gives its part of the model without random effects.

    In each method `cut` is None, or the number that an ordinal outcome must exceed to count as 1; the slopes
    then follow an intercept.
    """

    def level_weights(self, n_levels: int) -> Floats:
        """Sum of the weights by level of an ordinal outcome."""
        made: Floats = np.bincount(self.y.astype(np.int64), self.w, minlength=n_levels).astype(np.float64)
        return made

    def first_sums(self, family: int, cut: float | None) -> tuple[int, Floats]:
        """Number of rows and X'z, z the link of the smoothed outcome."""
        X, y = self._independent(cut)
        if family == families.POISSON_LOG:
            z = np.log(y + 0.5) - self.offset
        else:
            z = np.asarray(quantile(family, (y * self.w + 0.5) / (self.w + 1.0)) - self.offset)
        return len(y), X.T @ z

    def start_sums(self, family: int, cut: float | None, beta: Floats) -> StartSums:
        """Sums of the log-likelihood and its derivatives at beta."""
        X, y = self._independent(cut)
        r, W = np.zeros(len(y)), np.zeros(len(y))
        loglik = families.fused(family, self.offset + X @ beta, y, self.w, np.zeros(0), r, W)
        with np.errstate(all="ignore"):  # a step too far: its log-likelihood says so
            return StartSums(float(loglik), X.T @ r, (X * W[:, None]).T @ X)

    def _independent(self, cut: float | None) -> tuple[Floats, Floats]:
        """Columns and outcome."""
        if cut is None:
            return self.X, self.y
        return np.column_stack([np.ones(len(self.y)), self.X]), (self.y > cut).astype(float)


def start_values(pool: Pool, family: int, J: Floats, separated: Callable[[], bool]) -> Floats:
    """(tau, beta') of the model without random effects (thresholds: of the model without covariates).

    Parameters
    ----------
    pool : Pool of StartBlock
        All rows.
    family : int
        Family code.
    J : array (K, number of tau)
        Thresholds are J tau; empty for families without.
    separated : function
        Whether covariates separate the outcomes; asked where no maximum was found.

    Raises
    ------
    EstimationError
        Covariates separate the outcomes.
    """
    if not len(J):
        return _newton(pool, family, None, separated)
    weights = np.sum(pool.call("level_weights", len(J) + 1), axis=0)
    alpha = quantile(family, np.cumsum(weights)[:-1] / weights.sum())
    mean = float(weights @ np.arange(len(weights)) / weights.sum())
    slopes = _newton(pool, _BINARY[family], mean, separated)[1:]
    return np.concatenate([np.linalg.lstsq(J, alpha, rcond=None)[0], slopes])


def _newton(pool: Pool, family: int, cut: float | None, separated: Callable[[], bool]) -> Floats:
    """Coefficients of maximum likelihood, or those reached after `MAX_START` steps."""
    first = pool.call("first_sums", family, cut)
    n = sum(n for n, _ in first)
    beta: Floats = np.sum([one for _, one in first], axis=0) / n
    now = _sums(pool, family, cut, beta)
    for _ in range(MAX_START):
        H = now.hessian
        if not (np.isfinite(now.loglik) and np.trace(H) > VANISHED * n):
            break
        step = linalg.solve(H + 1e-12 * np.trace(H) * np.eye(len(H)), now.gradient, assume_a="pos")
        decrement, length = float(now.gradient @ step), 1.0
        while True:
            made = _sums(pool, family, cut, beta + length * step)
            if made.loglik >= now.loglik - 1e-10 * abs(now.loglik) or length < 1e-6:
                break
            length /= 2
        beta, now = beta + length * step, made
        if decrement < 1e-8 and np.trace(now.hessian) > VANISHED * n:
            return beta
    if separated():
        raise EstimationError(
            "Covariates separate the outcomes completely, so coefficients have no finite estimate: look "
            "for a "
            "covariate, or a level of one, with the same outcome in all its rows."
        )
    return beta


def _sums(pool: Pool, family: int, cut: float | None, beta: Floats) -> StartSums:
    """Sums over all blocks."""
    parts: list[StartSums] = pool.call("start_sums", family, cut, beta)
    return StartSums(
        sum(part.loglik for part in parts),
        np.sum([part.gradient for part in parts], axis=0),
        np.sum([part.hessian for part in parts], axis=0),
    )


def quantile(family: int, share: Floats) -> Floats:
    """Linear predictor of a share: inverse of the distribution function of the link."""
    if family in (families.BINOMIAL_LOGIT, families.ORDINAL_LOGIT):
        return np.asarray(special.logit(share))
    if family in (families.BINOMIAL_PROBIT, families.ORDINAL_PROBIT):
        return np.asarray(stats.norm.ppf(share))
    return np.asarray(np.log(-np.log1p(-share)))
