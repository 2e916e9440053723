"""Confidence sets by inversion of a test whose p-value is cheap to compute at every null."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

_DOUBLINGS = 30
_ROUNDING = 1e-12
_INSIDE = (0.2, 0.4, 0.6, 0.8)
_OUTSIDE = (1.1, 1.3, 1.6, 2.0, 3.0, 5.0, 10.0)


@dataclass(frozen=True)
class InvertedSet:
    """Limits of all nulls that are not rejected, and whether that set has gaps (`disjoint`)."""

    low: float
    high: float
    disjoint: bool


def invert(
    p_value: Callable[[float], float], estimate: float, scale: float, *, alpha: float, digits: float = 1e-7
) -> InvertedSet:
    """Nulls with p > alpha, searched outward from the estimate on both sides.

    Parameters
    ----------
    p_value : function
        Of the null.
    estimate, scale : float
        Where to begin and the first step, a standard error.
    alpha : float
        Level of the test.
    digits : float
        Precision of a limit, in units of `scale`.

    Returns
    -------
    InvertedSet
        Outermost limits; infinite where nulls 2^30 standard errors away are not rejected. Gaps are looked for
        at four places within and seven beyond each limit, so that a narrow one may stay unseen.
    """
    alpha += _ROUNDING  # shares of draws may equal the level, which 1 - 0.9 is not exactly
    low, gap_low = _side(p_value, estimate, -scale, alpha, digits)
    high, gap_high = _side(p_value, estimate, scale, alpha, digits)
    return InvertedSet(low, high, gap_low or gap_high)


def _side(
    p_value: Callable[[float], float], estimate: float, step: float, alpha: float, digits: float
) -> tuple[float, bool]:
    """Outermost limit on one side, and whether there is a gap before it."""
    reach = 1.0
    while p_value(estimate + reach * step) > alpha:
        reach *= 2.0
        if reach > 2.0**_DOUBLINGS:
            return math.copysign(math.inf, step), False
    limit = _crossing(p_value, estimate, step, (0.0 if reach == 1 else reach / 2, reach), alpha, digits)
    gap = any(p_value(estimate + share * limit * step) <= alpha for share in _INSIDE)
    for share in reversed(_OUTSIDE):
        if p_value(estimate + share * limit * step) > alpha:
            ends = (share * limit, 2 * share * limit)
            while p_value(estimate + ends[1] * step) > alpha and ends[1] < 2.0**_DOUBLINGS:
                ends = (ends[1], 2 * ends[1])
            return estimate + _crossing(p_value, estimate, step, ends, alpha, digits) * step, True
    return estimate + limit * step, gap


def _crossing(
    p_value: Callable[[float], float],
    estimate: float,
    step: float,
    ends: tuple[float, float],
    alpha: float,
    digits: float,
) -> float:
    """Distance in steps at which p falls to alpha, between a kept and a rejected distance."""
    kept, rejected = ends
    while rejected - kept > digits * max(1.0, kept):
        middle = (kept + rejected) / 2
        if p_value(estimate + middle * step) > alpha:
            kept = middle
        else:
            rejected = middle
    return (kept + rejected) / 2
