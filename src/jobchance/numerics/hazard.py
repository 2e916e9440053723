"""Discrete-time hazards: life tables, and incidences from hazards with their derivatives.

Letters: periods s = 0..T-1, causes k = 0..K-1, h_k(s) = P(exit by k in s | still there), h = sum of h_k,
S(s) = prod_{r <= s} (1 - h(r)), F_k(t) = sum_{s <= t} S(s-1) h_k(s). Singer & Willett (1993), J. Educ. Stat.
18, 155-195; Tutz & Schmid (2016), Modeling Discrete Time-to-Event Data, ch. 8.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class LifeTable:
    """Counts and shares by period; arrays (T,), by cause (T, K).

    Parameters
    ----------
    at_risk : array (T,)
        Rows at risk.
    events : array (T, K)
        Exits by cause.
    hazard, hazard_error : array (T, K)
        Share of those at risk who exit by each cause, and its binomial standard error.
    survivor, survivor_error : array (T,)
        Share still there at the end of the period, and Greenwood's standard error.
    """

    at_risk: Codes
    events: Codes
    hazard: Floats
    hazard_error: Floats
    survivor: Floats
    survivor_error: Floats


def life_table(period: Codes, cause: Codes, *, n_periods: int, n_causes: int) -> LifeTable:
    """Life table of person-period rows.

    Parameters
    ----------
    period : integer array (n,)
        Period 0..T-1 of each row.
    cause : integer array (n,)
        0 without an exit, else its cause 1..K.
    n_periods, n_causes : int
        T and K.

    Examples
    --------
    >>> made = life_table(np.array([0, 0, 0, 1, 1]), np.array([1, 0, 0, 1, 0]), n_periods=2, n_causes=1)
    >>> made.hazard.ravel().round(3).tolist(), made.survivor.round(3).tolist()
    ([0.333, 0.5], [0.667, 0.333])
    """
    at_risk = np.bincount(period, minlength=n_periods)
    events = np.column_stack(
        [np.bincount(period[cause == k + 1], minlength=n_periods) for k in range(n_causes)]
    )
    size = np.maximum(at_risk, 1)
    hazard = events / size[:, None]
    every = events.sum(axis=1) / size
    survivor = np.cumprod(1 - every)
    with np.errstate(divide="ignore", invalid="ignore"):
        greenwood = np.sqrt(np.cumsum(np.where(every < 1, every / (size * (1 - every)), np.nan)))
    return LifeTable(
        at_risk,
        events,
        hazard,
        np.sqrt(hazard * (1 - hazard) / size[:, None]),
        survivor,
        np.where(survivor > 0, survivor * greenwood, np.nan),
    )


@dataclass(frozen=True, eq=False)
class Incidences:
    """Incidences of n paths: `before` (n, T) = S(s-1), `share` (n, T, K) = F_k(s), `through` = 1 - h(s)."""

    before: Floats
    share: Floats
    through: Floats


def incidences(hazard: Floats) -> Incidences:
    """Cumulative incidence by cause from hazards (n, T, K) whose sum over causes is at most 1."""
    through = 1 - hazard.sum(axis=2)
    after = np.cumprod(through, axis=1)
    before = np.concatenate([np.ones((len(hazard), 1)), after[:, :-1]], axis=1)
    return Incidences(before, np.cumsum(before[:, :, None] * hazard, axis=1), through)


def incidence_slopes(made: Incidences, cause: int, at: int) -> Floats:
    """Derivative (n, at + 1, K) of F_cause(at) by every hazard up to `at`.

    dF_k(t)/dh_j(s) = 1[j = k] S(s-1) - (F_k(t) - F_k(s)) / (1 - h(s)).
    """
    upto = slice(0, at + 1)
    later = made.share[:, at : at + 1, cause] - made.share[:, upto, cause]
    through = np.maximum(made.through[:, upto], 1e-300)
    slopes: Floats = np.repeat((-later / through)[:, :, None], made.share.shape[2], axis=2)
    slopes[:, :, cause] += made.before[:, upto]
    return slopes
