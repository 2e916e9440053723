"""Proportional selection on observed and unobserved variables (Oster 2019, J. Bus. Econ. Stat. 37, 187-204).

Letters: b0, r0 coefficient and R2 of the short regression, b1, r1 of the one with the controls; vy, vx
variance of outcome and exposure, tx of what the controls leave of the exposure; r_max R2 with the unobserved
too; nu = b1 - beta. Both questions are about the same cubic in nu, proposition 2 and corollary 1:
delta * (c0 + c1 nu + c2 nu^2 + c3 nu^3) = a1 nu + a2 nu^2 + a3 nu^3.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Stability:
    """What the two regressions say: see the letters of the module."""

    b0: float
    r0: float
    b1: float
    r1: float
    vy: float
    vx: float
    tx: float

    def sides(self, r_max: float) -> tuple[Floats, Floats]:
        """Coefficients by rising power of nu: of the left side (times delta) and of the right side."""
        gap, room = self.b0 - self.b1, (r_max - self.r1) * self.vy
        curve, cubic = self.tx * gap * self.vx, self.tx * (self.vx - self.tx)
        left = np.array([room * gap * self.vx, room * (self.vx - self.tx), curve, cubic])
        first = (self.r1 - self.r0) * self.vy * self.tx + self.vx * self.tx * gap**2
        return left, np.array([0.0, first, 2 * curve, cubic])


def delta_for(found: Stability, *, r_max: float, beta: float) -> float:
    """Relative selection at which the true coefficient is `beta`; infinite where none brings it there."""
    left, right = found.sides(r_max)
    powers = (found.b1 - beta) ** np.arange(4)
    below, above = float(left @ powers), float(right @ powers)
    return above / below if below != 0 else float(np.copysign(np.inf, above)) if above else float("nan")


def betas_for(found: Stability, *, r_max: float, delta: float) -> Floats:
    """Every coefficient that goes with relative selection `delta`, nearest to the controlled one first."""
    left, right = found.sides(r_max)
    cubic = (delta * left - right)[::-1]
    scale = np.abs(cubic).max()
    roots = np.roots(np.where(np.abs(cubic) < 1e-14 * scale, 0.0, cubic)) if scale > 0 else np.zeros(1)
    real = roots[np.abs(roots.imag) <= 1e-7 * (1 + np.abs(roots.real))].real
    return np.asarray(found.b1 - real[np.argsort(np.abs(real), kind="stable")])


def choose_beta(found: Stability, roots: Floats) -> tuple[float, bool]:
    """The root to report, and whether it moves on in the direction in which the controls moved the estimate.

    Of the roots that do (Oster's assumption 3: the unobserved bias the estimate as the observed do), the
    nearest to the controlled estimate; where none does, the nearest of all.
    """
    if not len(roots):
        return float("nan"), False
    onward = np.sign(roots - found.b1) == np.sign(found.b1 - found.b0)
    chosen = roots[onward] if onward.any() else roots
    return float(chosen[0]), bool(onward.any())
