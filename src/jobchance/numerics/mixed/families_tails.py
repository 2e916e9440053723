"""Normal and extreme value law, exact in the tails: probability of a side or an interval, with derivatives.

Letters: `P` the probability of an outcome in `(b, a)`, thresholds minus `eta`; `d = a - b`; `l = log P`;
`r = dl/d eta`; `W = -dr/d eta`; `W1 = dW/d eta`; `la lb ra rb wa wb` derivatives of `l r W` in `a` and `b`.
Sources: Abramowitz & Stegun (1964), 26.2.14 (Mills ratio); Burridge (1981), JRSS B 43, 41-45.
"""

from __future__ import annotations

import math

import numpy as np

from jobchance.numerics.mixed.jit import njit

_ROOT_HALF = math.sqrt(0.5)
_LOG_ROOT_2PI = 0.5 * math.log(2.0 * math.pi)
_POINTS, _WEIGHTS = np.polynomial.legendre.leggauss(12)
_POINTS, _WEIGHTS = 0.5 * (_POINTS + 1.0), 0.5 * _WEIGHTS  # for [0, 1]
_FRACTION_TERMS = 30  # enough for rounding error from x = 4 outwards
_NEGLIGIBLE = 38.0  # exp(-38) is below half a unit in the last place
_LARGEST_EXPONENT = 700.0  # exp() of more is infinite

Row = tuple[float, float, float, float, float, float, float, float, float, float]


@njit
def normal_side(t: float) -> tuple[float, float, float, float]:
    """`log Phi(t)`, its slope `m`, `W = m (m + t)` (minus the second derivative), and `dW/dt`."""
    if t < -4.0:
        # m = x + 1/(x + 2/(x + 3/(x + ...))): its levels are the differences that would cancel
        x = -t
        third = 0.0
        for k in range(_FRACTION_TERMS, 2, -1):
            third = k / (x + third)
        second = 2.0 / (x + third)
        first = 1.0 / (x + second)
        m = x + first
        bend = m * (first * second) ** 2 * (1.0 - 0.5 * third * (x + third))
        return -0.5 * x * x - _LOG_ROOT_2PI - math.log(m), m, m * first, bend
    beyond = 0.5 * math.erfc(abs(t) * _ROOT_HALF)
    if t < 0.0:
        P, log_P = beyond, math.log(beyond)
    else:
        P, log_P = 1.0 - beyond, math.log1p(-beyond)
    m = math.exp(-0.5 * t * t - _LOG_ROOT_2PI) / P
    first = m + t
    return log_P, m, m * first, m * (1.0 - first * (m + first))


@njit
def normal_interval(a: float, b: float, d: float) -> Row:
    """`l, r, W, W1, la, lb, ra, rb, wa, wb` of `log(Phi(a) - Phi(b))`; `a` may be inf, `b` minus inf."""
    if b == -math.inf:
        log_P, m, W, bend = normal_side(a)
        return log_P, -m, W, -bend, m, 0.0, W, 0.0, bend, 0.0
    if a == math.inf:
        log_P, m, W, bend = normal_side(-b)
        return log_P, m, W, bend, 0.0, -m, 0.0, W, 0.0, -bend
    if a + b <= 0.0:
        return _left_interval(a, b, d)
    log_P, r, W, W1, la, lb, ra, rb, wa, wb = _left_interval(-b, -a, d)
    return log_P, -r, W, -W1, -lb, -la, rb, ra, -wb, -wa


@njit
def _left_interval(a: float, b: float, d: float) -> Row:
    """The same, `a` being the end nearer to 0. With `T` the truncated normal: `r = E T`, `W = 1 - V`."""
    drop = d * (0.5 * d - a)  # log(phi(a) / phi(b))
    if drop > _NEGLIGIBLE:
        log_P, at_a, W, bend = normal_side(a)
        r, V, W1 = -at_a, 1.0 - W, -bend
        to_a = a + at_a
        at_b = at_a * math.exp(-drop)
        return log_P, r, W, W1, at_a, -at_b, W, at_b * (d - to_a), bend, at_b * ((d - to_a) ** 2 - V)
    if d < 0.5 or a < -3.0:
        log_ratio, to_a, V, W1 = _truncated_moments(-a, d, drop)
        log_P = log_ratio - 0.5 * a * a - _LOG_ROOT_2PI
        at_a = math.exp(-log_ratio)
        at_b = at_a * math.exp(-drop)
        r, W, to_b = a - to_a, 1.0 - V, d - to_a
    else:
        beyond = math.erfc(-b * _ROOT_HALF)
        if a > 0.0:
            rest = 0.5 * (math.erfc(a * _ROOT_HALF) + beyond)
            P, log_P = 1.0 - rest, math.log1p(-rest)
        else:
            P = 0.5 * (math.erfc(-a * _ROOT_HALF) - beyond)
            log_P = math.log(P)
        at_a = math.exp(-0.5 * a * a - _LOG_ROOT_2PI) / P
        at_b = math.exp(-0.5 * b * b - _LOG_ROOT_2PI) / P
        r = at_b - at_a
        to_a, to_b = a - r, r - b
        W = r * r + a * at_a - b * at_b
        V = 1.0 - W
        W1 = at_a * (to_a * to_a - V) - at_b * (to_b * to_b - V)
    wa, wb = at_a * (V - to_a * to_a), at_b * (to_b * to_b - V)
    return log_P, r, W, W1, at_a, -at_b, at_a * to_a, at_b * to_b, wa, wb


@njit
def _truncated_moments(x: float, d: float, drop: float) -> tuple[float, float, float, float]:
    """Log integral, mean, variance, third cumulant of the density `exp(-x s - s^2 / 2)` on `(0, d)`."""
    panels = 1 + int(0.25 * drop)
    width = d / panels
    centre = d / (x * d + 2.0)  # near the mean, so that central moments do not cancel
    m0 = m1 = m2 = m3 = 0.0
    for panel in range(panels):
        for j in range(len(_POINTS)):
            s = (panel + _POINTS[j]) * width
            mass = _WEIGHTS[j] * math.exp(-s * (x + 0.5 * s))
            z = s - centre
            m0 += mass
            m1 += mass * z
            m2 += mass * z * z
            m3 += mass * z * z * z
    mean, square, cube = m1 / m0, m2 / m0, m3 / m0
    V = square - mean * mean
    return math.log(m0 * width), centre + mean, V, cube - mean * (3.0 * square - 2.0 * mean * mean)


@njit
def extreme_interval(a: float, b: float, d: float) -> Row:
    """`l, r, W, W1, la, lb, ra, rb, wa, wb` of `log(exp(-e^b) - exp(-e^a))`; infinite ends are allowed."""
    A, B = math.exp(min(a, _LARGEST_EXPONENT)), math.exp(min(b, _LARGEST_EXPONENT))
    share = -math.expm1(-d)
    u = A * share  # e^a - e^b; l = -e^b + log(1 - e^-u), and e^a, e^b, u all fall by the factor e^-eta
    log_rest = log_one_minus_exp(u) if u > 1e-290 else a + math.log(share)
    g, g1, g2 = bernoulli_function(u)
    la, lb = g / share, -B - g * math.exp(-d) / share
    return log_rest - B, B - g, B - u * g1, u * g2 - B, la, lb, -A * g1, B + B * g1, -A * g2, B + B * g2


@njit
def bernoulli_function(u: float) -> tuple[float, float, float]:
    """`g = u / (e^u - 1)`, its derivative, and the derivative of `u g'(u)`, for `u >= 0`."""
    if u > _LARGEST_EXPONENT:
        return 0.0, 0.0, 0.0
    if u < 0.5:  # (g + u - 1) / u by its series, with the Bernoulli numbers
        v = u * u
        high = 1 / 47900160 + v * (-691 / 1307674368000 + v / 74724249600)
        rest = 0.5 + u * (1 / 12 + v * (-1 / 720 + v * (1 / 30240 + v * (-1 / 1209600 + v * high))))
        g = 1.0 - u + u * rest
    else:
        g = u / math.expm1(u)
        rest = (g + u - 1.0) / u
    slope = -g * rest
    return g, slope, -g - slope * (u * rest + g)


@njit
def log_one_minus_exp(u: float) -> float:
    """`log(1 - e^-u)` for `u > 0`."""
    if u < 0.7:
        return math.log(-math.expm1(-u))
    return math.log1p(-math.exp(-u))
