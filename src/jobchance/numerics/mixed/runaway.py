"""Tells a minimum from a criterion that falls without end: separation, unbounded variances."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from jobchance.numerics.mixed.descent import change_between
from jobchance.numerics.mixed.newton import Curvature, Evaluator, Floats, Point


class RunawayError(Exception):
    """The criterion falls without end along `coordinates`."""

    def __init__(self, coordinates: tuple[int, ...]) -> None:
        super().__init__()
        self.coordinates = coordinates


@dataclass
class RunawayWatch:
    """Looks at every Hessian of one search; `steps` are the last Newton steps."""

    evaluate: Evaluator
    start: Floats
    unit: Floats
    noise: float
    steps: list[Floats] = field(default_factory=list)

    def look(self, point: Point, curvature: Curvature) -> None:
        """Raise where the criterion has all but stopped to bend and is no higher much further out.

        Suspect are a direction that went flat on the way, and Newton steps that do not shorten: towards a
        minimum they do, along `exp(-x)` they stay one unit long and along `1 / x` they grow.
        """
        moved = np.linalg.solve(curvature.M, point.x - self.start)
        gone = curvature.flat & (np.abs(moved) > 5.0)
        if gone.any():
            self._look_ahead(point, curvature.M[:, gone] * moved[gone])
        d = -curvature.inverse @ point.gradient
        size = float(np.linalg.norm(d / self.unit))
        if size < 1e-3 or d @ curvature.hessian @ d / 2.0 > 0.01 * size**2 or self._turned(d):
            self.steps.clear()
        self.steps.append(d)
        if len(self.steps) == 3:
            self._look_ahead(point, 10.0 * d[:, None])
            self.steps.clear()

    def _turned(self, d: Floats) -> bool:
        """Whether a Newton step is shorter than the last one or leads elsewhere."""
        if not self.steps:
            return False
        now, before = d / self.unit, self.steps[-1] / self.unit
        size, last = float(np.linalg.norm(now)), float(np.linalg.norm(before))
        return bool(size < 0.8 * last or now @ before < 0.9 * size * last)

    def _look_ahead(self, point: Point, directions: Floats) -> None:
        """Raise if the criterion does not rise by the sum of `directions` (k, m)."""
        jump = directions.sum(axis=1)
        beyond = self.evaluate(point.x + jump)
        if beyond is not None and change_between(point, beyond, jump, self.noise) <= 0:
            raise RunawayError(taking_part(directions, self.unit))


def taking_part(directions: Floats, unit: Floats) -> tuple[int, ...]:
    """Coordinates with at least a tenth of the largest part in any of the directions (k, m)."""
    parts = np.abs(directions) / unit[:, None]
    return tuple(np.flatnonzero((parts >= 0.1 * parts.max(axis=0)).any(axis=1)).tolist())
