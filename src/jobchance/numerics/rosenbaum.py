"""Sensitivity of paired tests to hidden bias (Rosenbaum 2002, Observational Studies, sections 4.3-4.4).

Letters: gamma, how many times the odds of exposure may differ inside a pair; T a sum of scores r over the
pairs in which the exposed has the larger outcome. Given the pairs, T is stochastically between sums of
independent terms r_i with probability 1 / (1 + gamma) and with gamma / (1 + gamma).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.optimize import brentq

Floats = NDArray[np.float64]

MOST_EXACT = 150
MOST_WALSH = 5_000
_LARGEST_GAMMA = 1e4


@dataclass(frozen=True)
class PairScores:
    """Scores of the pairs in whole `unit`s, and their sum where the exposed has the larger outcome."""

    scores: NDArray[np.int64]
    total: int
    unit: float

    @property
    def statistic(self) -> float:
        """T."""
        return self.total * self.unit


def signed_rank_scores(differences: Floats, *, keep_ranks: bool) -> PairScores:
    """Ranks of the absolute differences (ties share the mean rank).

    `keep_ranks`: pairs without a difference take part in the ranking and then count nothing (Rosenbaum);
    otherwise they are left out before.
    """
    d = differences if keep_ranks else differences[differences != 0]
    ranks = stats.rankdata(np.abs(d))
    ranks, larger = ranks[d != 0], d[d != 0] > 0
    doubled = np.round(2 * ranks).astype(np.int64)
    return PairScores(doubled, int(doubled[larger].sum()), 0.5)


def sign_scores(differences: Floats) -> PairScores:
    """One for every pair with a difference; for 0/1 outcomes this is McNemar's test."""
    d = differences[differences != 0]
    return PairScores(np.ones(len(d), dtype=np.int64), int((d > 0).sum()), 1.0)


def upper_tail(found: PairScores, share: float, *, exact: bool) -> float:
    """P(T at least as large as seen) where each score counts with probability `share`."""
    r = found.scores
    if not len(r):
        return 1.0
    if exact and np.all(r == 1):
        return float(stats.binom.sf(found.total - 1, len(r), share))
    if exact:
        return float(_distribution(r, share)[found.total :].sum())
    variance = share * (1 - share) * float((r.astype(float) ** 2).sum())
    return float(stats.norm.sf((found.total - share * float(r.sum())) / np.sqrt(variance)))


def bounds(found: PairScores, gamma: float, *, alternative: str, exact: bool) -> tuple[float, float]:
    """Smallest and largest p-value that a bias of at most `gamma` allows.

    `alternative` is `"greater"` (the exposed have the larger outcomes), `"less"` or `"two-sided"`: twice
    the smaller of the two one-sided bounds, at most 1.
    """
    low, high = 1 / (1 + gamma), gamma / (1 + gamma)
    turned = PairScores(found.scores, int(found.scores.sum()) - found.total, found.unit)
    sides = {"greater": [found], "less": [turned], "two-sided": [found, turned]}[alternative]
    factor = len(sides)
    smallest = min(upper_tail(side, low, exact=exact) for side in sides)
    largest = min(upper_tail(side, high, exact=exact) for side in sides)
    return min(factor * smallest, 1.0), min(factor * largest, 1.0)


def gamma_limit(found: PairScores, alpha: float, *, alternative: str, exact: bool) -> float:
    """The bias at which the largest p-value passes `alpha`; NaN where it is above already without bias."""

    def excess(log_gamma: float) -> float:
        return bounds(found, float(np.exp(log_gamma)), alternative=alternative, exact=exact)[1] - alpha

    end = float(np.log(_LARGEST_GAMMA))
    if excess(0.0) > 0:
        return float("nan")
    return float(np.exp(brentq(excess, 0.0, end, xtol=1e-9))) if excess(end) > 0 else float("inf")


def hodges_lehmann(differences: Floats, gammas: Floats) -> Floats:
    """Smallest and largest Hodges-Lehmann estimate (len(gammas), 2) of a shift, for each bias.

    The shift at which T equals its expectation: quantiles of the n (n + 1) / 2 means of two differences.
    """
    i, j = np.triu_indices(len(differences))
    walsh = np.sort((differences[i] + differences[j]) / 2)[::-1]
    return np.array([[_level(walsh, g / (1 + g)), _level(walsh, 1 / (1 + g))] for g in gammas])


def amplified(gamma: float, lambdas: Floats) -> Floats:
    """Delta by Lambda: gamma = (Lambda Delta + 1) / (Lambda + Delta) (Rosenbaum & Silber 2009)."""
    return (gamma * lambdas - 1) / (lambdas - gamma)


def _level(descending: Floats, share: float) -> float:
    """Mean of sup {tau: more than share lie above} and inf {tau: fewer do}."""
    place = share * len(descending)
    whole = round(place)
    place = float(whole) if abs(place - whole) < 1e-9 * max(whole, 1) else place
    first = descending[min(int(np.floor(place)), len(descending) - 1)]
    other = descending[max(int(np.ceil(place)) - 1, 0)]
    return float((first + other) / 2)


def _distribution(scores: NDArray[np.int64], share: float) -> Floats:
    """Probabilities of 0, 1, ..., sum of the scores, by adding one score after the other."""
    p = np.zeros(int(scores.sum()) + 1)
    p[0], end = 1.0, 0
    for r in scores:
        with_it = share * p[: end + 1]
        p[: end + 1] *= 1 - share
        p[r : end + 1 + r] += with_it
        end += int(r)
    return p
