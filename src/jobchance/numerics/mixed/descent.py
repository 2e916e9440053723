"""One quasi-Newton step on a criterion whose values are rounded: line search, BFGS update.

Letters: f criterion, g gradient, d direction, a step length along it, s = d'g slope, B inverse Hessian.
"""

from __future__ import annotations

import numpy as np

from jobchance.numerics.mixed.newton import Evaluator, Floats, Point

ENOUGH = 1e-4  # share of the promised decrease that a step must bring
STEEP = 0.9  # a step whose slope is still steeper than this share of the first is too short


def line_search(
    evaluate: Evaluator, start: Point, d: Floats, *, noise: float, tries: int = 20
) -> Point | None:
    """Point along `d` that meets the weak Wolfe conditions, the unit step first; None without any decrease.

    Where `f` changes by less than `noise * |f|` the trapezoid of the slopes stands in for the change, which
    turns the condition on values into the approximate Wolfe condition of Hager & Zhang (2005).
    """
    s0 = float(start.gradient @ d)
    if s0 > 0:
        return None
    lower, a_low, upper, a_high, a = start, 0.0, None, np.inf, 1.0
    for _ in range(tries):
        point = evaluate(start.x + a * d)
        if point is None:
            a_high, upper = a, None
        else:
            change, slope = change_between(start, point, a * d, noise), float(point.gradient @ d)
            if change > ENOUGH * a * s0:
                a_high, upper = a, point
            elif slope < STEEP * s0:
                a_low, lower = a, point
            else:
                return point
        a = _next_step(lower, a_low, upper, a_high, d, noise)
        if np.isfinite(a_high) and a_high - a_low <= 1e-12 * a_high:
            break
    return lower if a_low > 0 else None


def update_inverse(B: Floats, old: Point, new: Point, *, first: bool) -> Floats:
    """BFGS update of the inverse Hessian; the first also mends a scale wrong by over 10 times."""
    s, y = new.x - old.x, new.gradient - old.gradient
    By = B @ y
    sy, yBy = float(s @ y), float(y @ By)
    if not 1e-10 * abs(float(s @ old.gradient)) < sy or yBy <= 0:
        return B
    if first and not 0.1 <= sy / yBy <= 10.0:
        B, By, yBy = B * (sy / yBy), By * (sy / yBy), sy
    updated: Floats = B + np.outer(s, s) * (1.0 + yBy / sy) / sy - (np.outer(By, s) + np.outer(s, By)) / sy
    return updated


def change_between(old: Point, new: Point, step: Floats, noise: float) -> float:
    """Change of the value from `old` to `new`, by the gradients where rounding hides it."""
    change = new.value - old.value
    if abs(change) > noise * max(abs(old.value), abs(new.value)):
        return change
    return float((old.gradient + new.gradient) @ step) / 2.0


def _next_step(
    lower: Point, a_low: float, upper: Point | None, a_high: float, d: Floats, noise: float
) -> float:
    """Next trial: four times as far without an upper end, else the cubic's minimum, kept inside."""
    if not np.isfinite(a_high):
        return 4.0 * a_low
    width = a_high - a_low
    if upper is None:
        return a_low + 0.25 * width
    s_low, s_high = float(lower.gradient @ d), float(upper.gradient @ d)
    mean = change_between(lower, upper, width * d, noise) / width
    bend = s_low + s_high - 3.0 * mean
    root = np.sqrt(max(bend * bend - s_low * s_high, 0.0))
    below = s_high - s_low + 2.0 * root
    share = 1.0 - (s_high + root - bend) / below if below != 0 else 0.5
    return a_low + width * float(np.clip(share, 0.05, 0.95))
