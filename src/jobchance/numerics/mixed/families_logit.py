"""Logistic law: one side, one interval, and the passes over rows of binomial and cumulative logit.

Letters as in `families`, whose `_pass` says what is filled; `a`, `b` upper and lower threshold minus `eta`,
`d = a - b`. An interval has `P = F(a) (1 - F(b)) (1 - exp(-d))`, whose last factor is free of `eta`: nothing
cancels, however narrow it is.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from jobchance.numerics.mixed.families_tails import Row, log_one_minus_exp
from jobchance.numerics.mixed.jit import njit

Floats = NDArray[np.float64]

_BLOCK = 256  # rows summed, and factors multiplied, before they join the total


@njit
def binomial_logit_pass(
    eta: Floats, y: Floats, w: Floats, sums: Floats, r: Floats, W: Floats, W1: Floats
) -> None:
    """The pass of the logit: one exponential a row, and one logarithm a block where weights are 1."""
    summed, second, third = len(sums) > 0, len(W) > 0, len(W1) > 0
    total, part, product = 0.0, 0.0, 1.0
    for i in range(len(eta)):
        t, share, weight = eta[i], y[i], w[i]
        e = math.exp(-abs(t))
        near = 1.0 / (1.0 + e)
        far = e * near
        if second:
            sign = math.copysign(0.5, t)  # no branch: the sign of eta cannot be predicted
            p = near * ((0.5 + sign) + (0.5 - sign) * e)
            q = near * ((0.5 - sign) + (0.5 + sign) * e)
            r[i] = weight * (share * q - (1.0 - share) * p)
            W[i] = weight * near * far
        if third:
            W1[i] = math.copysign(weight * near * far * near * (1.0 - e), -t)
        if summed:
            miss = (1.0 - share) * max(t, 0.0) - share * min(t, 0.0)
            if weight == 1.0:
                product *= 1.0 + e
                part -= miss
            else:
                part -= weight * (miss + math.log1p(e))
            if i % _BLOCK == _BLOCK - 1:
                total += part - math.log(product)
                part, product = 0.0, 1.0
    if summed:
        sums[0] = total + part - math.log(product)


@njit
def ordinal_logit_pass(
    eta: Floats, y: Floats, w: Floats, alpha: Floats, sums: Floats, r: Floats, W: Floats, W1: Floats
) -> None:
    """The pass of the cumulative logit: two exponentials a row; the factor free of `eta` once a level."""
    K = len(alpha)
    upper, lower, log_gap = np.empty(K + 1), np.empty(K + 1), np.zeros(K + 1)
    upper[K], lower[0] = math.inf, -math.inf
    for k in range(K):
        upper[k] = lower[k + 1] = alpha[k]
    for k in range(1, K):
        d = alpha[k] - alpha[k - 1]
        log_gap[k] = log_one_minus_exp(d) if d > 0.0 else -math.inf
    summed, second, third = len(sums) > 0, len(W) > 0, len(W1) > 0
    total, part, product = 0.0, 0.0, 1.0
    for i in range(len(eta)):
        k, weight = int(y[i]), w[i]
        a, b = upper[k] - eta[i], lower[k] - eta[i]
        ea, eb = math.exp(-abs(a)), math.exp(-abs(b))
        near_a, near_b = 1.0 / (1.0 + ea), 1.0 / (1.0 + eb)
        fa, fb = ea * near_a * near_a, eb * near_b * near_b
        if second:
            above = ea if a > 0.0 else 1.0
            below = 1.0 if b > 0.0 else eb
            r[i] = weight * (below * near_b - above * near_a)
            W[i] = weight * (fa + fb)
        if third:
            turn_a = math.copysign(fa * near_a * (1.0 - ea), a)
            turn_b = math.copysign(fb * near_b * (1.0 - eb), b)
            W1[i] = weight * (turn_a + turn_b)
        if summed:
            fixed = log_gap[k] + min(a, 0.0) - max(b, 0.0)
            if weight == 1.0:
                product *= (1.0 + ea) * (1.0 + eb)
                part += fixed
            else:
                part += weight * (fixed - math.log1p(ea) - math.log1p(eb))
            if i % _BLOCK == _BLOCK - 1:
                total += part - math.log(product)
                part, product = 0.0, 1.0
    if summed:
        sums[0] = total + part - math.log(product)


@njit
def logistic_side(t: float) -> tuple[float, float, float, float]:
    """`log F(t)`, its slope, minus its curvature, and the slope of that."""
    e = math.exp(-abs(t))
    near = 1.0 / (1.0 + e)
    far = e * near
    bend = far * near * near * (1.0 - e)
    if t > 0.0:
        return -math.log1p(e), far, near * far, -bend
    return t - math.log1p(e), near, near * far, bend


@njit
def logistic_interval(a: float, b: float, d: float) -> Row:
    """`l, r, W, W1, la, lb, ra, rb, wa, wb` of the logistic law; `a` may be inf, `b` minus inf."""
    log_a, above, fa, bend_a = logistic_side(a)
    log_b, below, fb, bend_b = logistic_side(-b)
    gap = math.exp(-d) / -math.expm1(-d)
    log_P = log_a + log_b + log_one_minus_exp(d)
    return (
        log_P,
        below - above,
        fa + fb,
        bend_b - bend_a,
        above + gap,
        -below - gap,
        fa,
        fb,
        bend_a,
        -bend_b,
    )
