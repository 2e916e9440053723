"""Cumulative incidence in discrete weeks: Kaplan–Meier and, with competing causes, Aalen–Johansen.

Letters follow Aalen, Borgan & Gjessing (2008), ch. 3: `Y` at risk, `d` events, `h = d / Y` hazard, `S`
survival, `F` cumulative incidence. Weeks are whole numbers from 0; at ties, events come before censorings.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Incidence:
    """A cumulative incidence curve; every array has one entry per week `0 ... horizon - 1`.

    `incidence[w]` is the share with the event by the end of week `w`, that is within `w + 1` weeks.
    """

    week: Ints
    at_risk: Ints
    events: Ints
    competing: Ints
    censored: Ints
    incidence: Floats
    std_error: Floats
    conf_low: Floats
    conf_high: Floats


def cumulative_incidence(
    weeks: ArrayLike,
    cause: ArrayLike,
    *,
    horizon_weeks: int,
    cluster: ArrayLike | None = None,
    level: float = 0.95,
) -> Incidence:
    r"""Share with the event of cause 1 within each number of weeks, with censoring and competing causes.

    .. math:: F_1(w) = \sum_{s \le w} S(s - 1) \frac{d_1(s)}{Y(s)}, \quad
              S(w) = \prod_{s \le w} \{1 - d(s)/Y(s)\}

    With one cause, `F_1 = 1 - S` (Kaplan–Meier). Variances are the infinitesimal jackknife: the squared sum
    of the influences of each cluster's rows. With one row per cluster and one cause this is Greenwood's
    formula exactly; with clusters the sum is multiplied by `G / (G - 1)`. Limits are symmetric for
    `log(-log(1 - F))`.

    Parameters
    ----------
    weeks : array of int, shape (n,)
        Full weeks from the start to the event or to the end of observation.
    cause : array of int, shape (n,)
        1 the event of interest, 2, 3, ... competing events, 0 censored.
    horizon_weeks : int
        Number of weeks to follow; events at `horizon_weeks` or later are outside.
    cluster : array, shape (n,), optional
        Dependence between rows; `None` means independent rows.
    level : float
        Confidence level of the pointwise limits.

    Returns
    -------
    Incidence
        Curve with counts, standard errors and limits; limits are NaN where the incidence is 0 or 1.

    Raises
    ------
    ValueError
        Empty input, negative weeks, or arrays of different lengths.

    References
    ----------
    Aalen, Borgan & Gjessing (2008), *Survival and Event History Analysis*, eqs. 3.5 and 3.13; Efron (1981)
    for the infinitesimal jackknife.

    Examples
    --------
    >>> curve = cumulative_incidence([0, 1, 2, 2], [1, 0, 1, 0], horizon_weeks=3)
    >>> curve.incidence.round(3).tolist()
    [0.25, 0.25, 0.625]
    """
    time, kind = _checked(weeks, cause)
    counts, F, influence = _estimate(time, kind, horizon_weeks)
    se = np.sqrt(_summed_squares(influence, cluster))
    low, high = _loglog_limits(F, se, level)
    return Incidence(
        week=np.arange(horizon_weeks, dtype=np.int64),
        **counts,
        incidence=F,
        std_error=se,
        conf_low=low,
        conf_high=high,
    )


@dataclass(frozen=True)
class IncidenceGap:
    """Difference between two cumulative incidence curves, week by week."""

    gap: Floats
    std_error: Floats
    conf_low: Floats
    conf_high: Floats


def incidence_gap(
    weeks: ArrayLike,
    cause: ArrayLike,
    *,
    upper: ArrayLike,
    horizon_weeks: int,
    cluster: ArrayLike | None = None,
    level: float = 0.95,
) -> IncidenceGap:
    """Cumulative incidence of the rows in `upper` minus that of the others, with normal pointwise limits.

    Both curves' influences are summed within each cluster before squaring, so a cluster with rows on both
    sides counts once and its dependence across the two curves is kept.

    Parameters
    ----------
    weeks, cause, horizon_weeks, cluster, level
        As in `cumulative_incidence`.
    upper : array of bool, shape (n,)
        Rows of the curve from which the other is subtracted; both sides must have rows.

    Returns
    -------
    IncidenceGap
        One entry per week `0 ... horizon - 1`.

    Examples
    --------
    >>> found = incidence_gap([0, 1, 1, 1], [1, 0, 0, 0], upper=[True, True, False, False], horizon_weeks=1)
    >>> found.gap.tolist()
    [0.5]
    """
    time, kind = _checked(weeks, cause)
    above = np.asarray(upper, dtype=bool)
    influence = np.zeros((len(time), horizon_weeks))
    gap = np.zeros(horizon_weeks)
    for side, sign in ((above, 1.0), (~above, -1.0)):
        part_time, part_kind = _checked(time[side], kind[side])
        _, F, part = _estimate(part_time, part_kind, horizon_weeks)
        gap += sign * F
        influence[side] = sign * part
    se = np.sqrt(_summed_squares(influence, cluster))
    z = float(norm.ppf(0.5 + level / 2))
    return IncidenceGap(gap, se, gap - z * se, gap + z * se)


def pooled_steps(events: ArrayLike, *, minimum: int) -> Ints:
    """Weeks (0-based) at which a curve may be shown so that every step holds at least `minimum` events.

    The last knot is always the last week: events left over after the last full step are pooled into it. Fewer
    than `minimum` events in all give no knot.

    Examples
    --------
    >>> pooled_steps([2, 3, 0, 4, 1, 2, 0], minimum=5).tolist()
    [1, 6]
    """
    counts = np.asarray(events, dtype=np.int64)
    knots: list[int] = []
    since = 0
    for week, count in enumerate(counts):
        since += int(count)
        if since >= minimum:
            knots.append(week)
            since = 0
    if not knots:
        return np.array([], dtype=np.int64)
    knots[-1] = len(counts) - 1  # the remainder (perhaps nil) joins the last full step
    return np.array(knots, dtype=np.int64)


def _checked(weeks: ArrayLike, cause: ArrayLike) -> tuple[Ints, Ints]:
    """Arrays of equal length with non-negative whole weeks."""
    time = np.asarray(weeks, dtype=np.int64)
    kind = np.asarray(cause, dtype=np.int64)
    if time.shape != kind.shape or time.ndim != 1 or len(time) == 0:
        raise ValueError("weeks and cause must be non-empty arrays of one length")
    if (time < 0).any():
        raise ValueError("weeks must not be negative")
    return time, kind


def _estimate(time: Ints, kind: Ints, horizon_weeks: int) -> tuple[dict[str, Ints], Floats, Floats]:
    """Counts per week, the incidence of cause 1, and each row's influence on it, shape (n, weeks)."""
    grid = np.arange(horizon_weeks)
    at_risk = time[:, None] >= grid
    here = time[:, None] == grid
    of_interest = here & (kind == 1)[:, None]
    any_event = here & (kind > 0)[:, None]
    Y, d1, d = (np.asarray(part.sum(axis=0), dtype=np.int64) for part in (at_risk, of_interest, any_event))
    h1, h = _ratio(d1, Y), _ratio(d, Y)
    before = np.concatenate([[1.0], np.cumprod(1.0 - h)[:-1]])
    influence = _influence(at_risk, of_interest, any_event, Y=Y, h1=h1, h=h, before=before)
    censored = np.asarray((here & (kind == 0)[:, None]).sum(axis=0), dtype=np.int64)
    counts = {"at_risk": Y, "events": d1, "competing": d - d1, "censored": censored}
    return counts, np.cumsum(before * h1), influence


def _ratio(over: NDArray[np.int64], under: NDArray[np.int64]) -> Floats:
    """Hazard per week; 0 where nobody is at risk."""
    return np.divide(over, under, out=np.zeros(len(over)), where=under > 0)


def _influence(
    at_risk: NDArray[np.bool_],
    of_interest: NDArray[np.bool_],
    any_event: NDArray[np.bool_],
    *,
    Y: NDArray[np.int64],
    h1: Floats,
    h: Floats,
    before: Floats,
) -> Floats:
    """Derivative of F_1(w) in each row's weight, shape (n, weeks)."""
    size = np.maximum(Y, 1)
    shift1 = (of_interest - at_risk * h1) / size
    shift = (any_event - at_risk * h) / size
    through = np.maximum(1.0 - h, np.finfo(float).tiny)
    survived = np.cumsum(shift / through, axis=1)
    lagged = np.concatenate([np.zeros((len(survived), 1)), survived[:, :-1]], axis=1)
    total: Floats = np.cumsum(before * (shift1 - h1 * lagged), axis=1)
    return total


def _summed_squares(influence: Floats, cluster: ArrayLike | None) -> Floats:
    """Sum over clusters of the squared cluster sums, with G / (G - 1) when clusters are given."""
    if cluster is None:
        total: Floats = (influence**2).sum(axis=0)
        return total
    _, index = np.unique(np.asarray(cluster), return_inverse=True)
    n_clusters = int(index.max()) + 1
    sums = np.zeros((n_clusters, influence.shape[1]))
    np.add.at(sums, index, influence)
    if n_clusters < 2:
        return np.full(influence.shape[1], np.nan)
    squares: Floats = (sums**2).sum(axis=0) * n_clusters / (n_clusters - 1)
    return squares


def _loglog_limits(F: Floats, se: Floats, level: float) -> tuple[Floats, Floats]:
    """Pointwise limits on the complementary log-log scale of the surviving share."""
    z = norm.ppf(0.5 + level / 2)
    inside = (F > 0) & (F < 1)
    S = np.where(inside, 1.0 - F, 0.5)
    spread = z * se / (S * -np.log(S))
    low = np.where(inside, 1.0 - S ** np.exp(-spread), np.nan)
    high = np.where(inside, 1.0 - S ** np.exp(spread), np.nan)
    return low, high
