"""Curvature of a smooth criterion by differences of its exact gradient, and the steps that follow from it.

Letters: f = -2 log-likelihood in x, gradient g, Hessian H, so H / 2 is the information; L the caller's scale
(`H` about `2 inv(L L')`); M the directions with `M' H M / 2 = diag(lam)`, about one standard error long.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Objective = Callable[[Floats], tuple[Any, ...]]

FLAT = 1e-6  # eigenvalue under which a direction counts as flat: its standard error is 1000 times the scale
CLEARLY_NEGATIVE = 1e-3  # a failed escape along a weaker curvature than this is put down to rounding


class OutOfDomain(Exception):  # noqa: N818
    """Raised by an objective at a point where it does not exist; the search shortens its step."""


class ExhaustedError(Exception):
    """The allowed number of evaluations is used up."""


@dataclass(frozen=True)
class Point:
    """A point with its value and gradient; `extra` is whatever else the objective returned there."""

    x: Floats
    value: float
    gradient: Floats
    extra: Any = None


@dataclass(frozen=True)
class Probe:
    """A point `base.x + step * e_index` that was evaluated for the Hessian; `step` has a sign."""

    index: int
    step: float
    point: Point


@dataclass
class Evaluator:
    """Counts evaluations and turns every way to say `not there` into None."""

    objective: Objective
    limit: int
    count: int = 0

    def __call__(self, x: Floats) -> Point | None:
        """Evaluate at `x`; None out of the domain."""
        if self.count >= self.limit:
            raise ExhaustedError
        self.count += 1
        try:
            value, gradient, *extra = self.objective(x.copy())
        except OutOfDomain:
            return None
        slope = np.array(gradient, dtype=np.float64)
        if not (np.isfinite(value) and np.isfinite(slope).all()):
            return None
        return Point(x, float(value), slope, extra[0] if extra else None)


@dataclass(frozen=True)
class Curvature:
    """Hessian at `base` with its directions; `negative`, `flat`: masks over the eigenvalues `lam`."""

    base: Point
    hessian: Floats
    lam: Floats
    M: Floats
    negative: NDArray[np.bool_]
    well_probed: bool
    probes: tuple[Probe, ...] = field(default=())

    @property
    def flat(self) -> NDArray[np.bool_]:
        """Directions without curvature beyond rounding."""
        return (self.lam <= FLAT) & ~self.negative

    @property
    def inverse(self) -> Floats:
        """Positive definite inverse: eigenvalues in absolute value, with a floor."""
        return (self.M / (2.0 * np.maximum(np.abs(self.lam), FLAT))) @ self.M.T

    def inverse_above(self, least: float) -> Floats:
        """Inverse on the directions with at least this curvature, zero on the others."""
        M = self.M[:, self.lam > least]
        return (M / (2.0 * self.lam[self.lam > least])) @ M.T

    def distance(self, gradient: Floats, *, above: float = FLAT) -> float:
        """`sqrt(g' inv(H) g / 2)` over the directions with curvature `above`: standard errors to go."""
        firm = self.lam > above
        return float(np.linalg.norm((self.M.T @ gradient)[firm] / (2.0 * np.sqrt(self.lam[firm]))))

    def slope(self, gradient: Floats) -> float:
        """Largest change of the criterion per unit of scale along a flat direction; 0 without any."""
        return float(np.abs(self.M[:, self.flat].T @ gradient).max(initial=0.0))

    def moved(self, x: Floats) -> float:
        """Standard errors between `x` and the point of the Hessian."""
        step = x - self.base.x
        return float(np.sqrt(max(float(step @ self.hessian @ step), 0.0) / 2.0))

    def settled(self, x: Floats, *, reach: float, tolerance: float) -> bool:
        """Whether this Hessian holds at `x`: near, and nearer where a weak curvature could be an artefact.

        Off the optimum a flat direction shows a curvature of about the distance, so it must exceed that.
        """
        near = max(min(reach, 0.1 * float(np.abs(self.lam).min())), 10.0 * tolerance)
        return self.well_probed and self.moved(x) <= near

    def escape(self, gradient: Floats) -> Floats:
        """One standard error downhill along every negative curvature, a Newton step along the others."""
        along = self.M.T @ gradient
        newton = -along / (2.0 * np.maximum(np.abs(self.lam), FLAT))
        out = np.where(along > 0, -1.0, 1.0) / np.sqrt(np.maximum(np.abs(self.lam), FLAT))
        return self.M @ np.where(self.negative, out, np.where(self.flat, 0.0, newton))


def measure_curvature(
    evaluate: Evaluator, base: Point, guess: Floats, *, L: Floats, step: float, central: bool
) -> Curvature | None:
    """Difference the gradient along each axis, `step` standard errors away; None where an axis has no room.

    `guess` is an inverse Hessian that sets the standard errors where they are shorter than those of `L`.
    """
    inverse = np.linalg.inv(L)
    information = np.linalg.pinv(inverse @ guess @ inverse.T, hermitian=True) / 2.0
    believed = np.sqrt(np.maximum(np.diag(inverse.T @ information @ inverse), 0.0))
    h = step / np.maximum(believed, 1.0 / units(L))
    columns, probes = [], []
    for j in range(len(base.x)):
        found = _probe(evaluate, base, j, h[j], central=central)
        if not found:
            return None
        probes += found
        columns.append(_difference(base, found))
    raw = np.column_stack(columns)
    used = np.array([max(abs(p.step) for p in probes if p.index == j) for j in range(len(base.x))])
    well_probed = bool((used * np.sqrt(np.abs(np.diag(raw)) / 2.0) <= 30.0 * step).all())
    return _analyse(base, raw, L, well_probed, tuple(probes))


def units(L: Floats) -> Floats:
    """Standard error of each coordinate, the others held, by the caller's scale."""
    lengths: Floats = 1.0 / np.linalg.norm(np.linalg.inv(L), axis=0)
    return lengths


def _probe(evaluate: Evaluator, base: Point, j: int, h: float, *, central: bool) -> list[Probe]:
    """Evaluate at `+h` and, central or where `+h` does not exist, at `-h`; shorter if there is neither."""
    for _ in range(5):
        found: list[Probe] = []
        for sign in (1.0, -1.0):
            if sign < 0 and found and not central:
                break
            x = base.x.copy()
            x[j] += sign * h
            point = evaluate(x)
            if point is not None:
                found.append(Probe(j, float(x[j] - base.x[j]), point))
        if found:
            return found
        h /= 10.0
    return []


def _difference(base: Point, found: list[Probe]) -> Floats:
    """Derivative of the gradient along one axis from one or two probes."""
    first, step = found[0].point.gradient, found[0].step
    if len(found) == 1:
        return (first - base.gradient) / step
    return (first - found[1].point.gradient) / (step - found[1].step)


def _analyse(
    base: Point, raw: Floats, L: Floats, well_probed: bool, probes: tuple[Probe, ...]
) -> Curvature | None:
    """Eigenvalues in the caller's scale; a coordinate stiffer than its scale is first shortened to it."""
    if not np.isfinite(raw).all():
        return None
    S = L.T @ raw @ L / 2.0
    D = np.maximum(1.0, np.sqrt(np.abs(np.diag(S))))
    C = S / np.outer(D, D)
    asymmetry = float(np.abs(C - C.T).max()) / 2.0
    lam, V = np.linalg.eigh((C + C.T) / 2.0)
    M = (L / D) @ V
    return Curvature(base, (raw + raw.T) / 2.0, lam, M, lam < -max(FLAT, asymmetry), well_probed, probes)
