"""The search itself: quasi-Newton phase, Hessian, escape from saddles, Newton phase, proof.

Letters as in `newton.py`: g gradient, H Hessian, L scale; B inverse Hessian of the quasi-Newton phase.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from jobchance.numerics.mixed.descent import change_between, line_search, update_inverse
from jobchance.numerics.mixed.newton import (
    CLEARLY_NEGATIVE,
    Curvature,
    Evaluator,
    Floats,
    Point,
    measure_curvature,
    units,
)
from jobchance.numerics.mixed.optimum import FALLING, NO_ROOM, ROUNDING, SADDLE, Optimum
from jobchance.numerics.mixed.runaway import RunawayError, RunawayWatch, taking_part

FAR = 1e8  # units of scale from the start at which the search is called running away
SNAP = 1e-6  # standard errors from zero under which a coordinate is tried at exactly zero
NEAR = 1e-2  # predicted decrease under which Newton steps are tried again once there is a Hessian
WEAK = 0.05  # curvature, against the scale's, along the floor of a valley
LEVEL = 1e-4  # slope along a flat direction, per unit of scale, over which the criterion still falls
FIRST_STEP = 10.0  # units of scale: no longer than this while B is only believed


@dataclass
class Search:
    """State of one search: the current point, the inverse Hessian B and the last measured curvature."""

    evaluate: Evaluator
    L: Floats
    point: Point
    tolerance: float
    switch: float
    reach: float
    noise: float
    step: float
    central: bool

    def __post_init__(self) -> None:
        self.start = self.point.x
        self.B = self.L @ self.L.T / 2.0
        self.unit = units(self.L)
        self.fresh = True  # B is still the caller's
        self.curvature: Curvature | None = None
        self.near = False  # a Newton phase has begun
        self.watch = RunawayWatch(self.evaluate, self.start, self.unit, self.noise)

    def run(self) -> Optimum:
        """Alternate quasi-Newton and Newton phases until the proof stands or nothing moves any more."""
        stalled, shortest, falling = 0, np.inf, False
        while stalled < 2:
            self._descend()
            curvature = self._measure()
            if curvature is None:
                return self.failed(NO_ROOM)
            if curvature.negative.any():
                if self._escape(curvature):
                    stalled, shortest = 0, np.inf
                    continue
                if curvature.lam[0] < -CLEARLY_NEGATIVE:
                    return self.failed(SADDLE)
                curvature = replace(curvature, negative=np.zeros_like(curvature.negative))
            self.curvature = curvature
            self.watch.look(self.point, curvature)
            before, promised = self.point, curvature.distance(self.point.gradient) ** 2
            distance = self._newton(curvature)
            settled = curvature.settled(self.point.x, reach=self.reach, tolerance=self.tolerance)
            falling = curvature.slope(self.point.gradient) > LEVEL
            if distance <= self.tolerance and settled and not falling:
                return self._proved(curvature)
            fallen = -change_between(before, self.point, self.point.x - before.x, self.noise)
            stuck = distance >= 0.9 * shortest and fallen <= 0.1 * promised
            stalled = stalled + 1 if stuck else 0
            shortest = min(shortest, distance)
        return self.failed(FALLING if falling else ROUNDING.format(shortest))

    def _descend(self) -> None:
        """BFGS steps until the decrease they promise is below `switch`."""
        while True:
            d = -self.B @ self.point.gradient
            if -self.point.gradient @ d / 2.0 < (max(self.switch, NEAR) if self.near else self.switch):
                return
            if self.fresh:
                d *= min(1.0, FIRST_STEP / float(np.abs(d / self.unit).max()))
            new = line_search(self.evaluate, self.point, d, noise=self.noise)
            if new is None:
                return
            self.B = update_inverse(self.B, self.point, new, first=self.fresh)
            self.point, self.fresh = new, False
            far = np.abs(new.x - self.start) / self.unit
            if far.max() > FAR:
                raise RunawayError(tuple(np.flatnonzero(far >= 0.1 * far.max()).tolist()))

    def _measure(self) -> Curvature | None:
        """Hessian at the current point; from here on it sets B."""
        found = measure_curvature(
            self.evaluate, self.point, self.B, L=self.L, step=self.step, central=self.central
        )
        if found is not None:
            self.curvature, self.B, self.fresh = found, found.inverse, False
        return found

    def _escape(self, curvature: Curvature) -> bool:
        """Leave a saddle; False where the criterion does not fall."""
        d = curvature.escape(self.point.gradient)
        new = line_search(self.evaluate, self.point, d, noise=self.noise)
        if new is None:
            return False
        self.point, self.near = new, False
        self.watch.steps.clear()
        return True

    def _newton(self, curvature: Curvature) -> float:
        """Newton steps with one Hessian while each shortens the distance tenfold; the distance reached."""
        previous, self.near = np.inf, True
        while True:
            distance = curvature.distance(self.point.gradient)
            if distance > self.tolerance and distance > 0.1 * previous:
                return self._reach_floor(curvature)
            if distance <= self.tolerance:
                return distance
            new = self._newton_step(curvature)
            if new is None:
                return distance
            self.B = update_inverse(self.B, self.point, new, first=False)
            previous, self.point = distance, new

    def _reach_floor(self, curvature: Curvature) -> float:
        """In a bent valley go down its steep sides before the next Hessian; the distance then.

        A gradient on a steep side adds to the curvature along the valley about its distance in standard
        errors over the radius of the bend, and so hides a small one.
        """
        weakest = float(np.abs(curvature.lam).min())
        if weakest < WEAK:
            for _ in range(3):
                side = curvature.distance(self.point.gradient, above=WEAK)
                if side <= max(0.01 * weakest, self.tolerance):
                    break
                new = self.evaluate(self.point.x - curvature.inverse_above(WEAK) @ self.point.gradient)
                if new is None or curvature.distance(new.gradient, above=WEAK) > side:
                    break
                self.point = new
        return curvature.distance(self.point.gradient)

    def _newton_step(self, curvature: Curvature) -> Point | None:
        """Full step; where it first climbs in a bent valley, steps down its steep sides may make up for that.

        Otherwise a line search, which would creep along such a valley (a nearly singular covariance factor).
        """
        start, trial, inverse = self.point, self.point, curvature.inverse
        for _ in range(4):
            found = self.evaluate(trial.x - inverse @ trial.gradient)
            if found is None:
                break
            trial, inverse = found, curvature.inverse_above(WEAK)
            change = change_between(start, trial, trial.x - start.x, self.noise)
            if change < 0:
                return trial
            if change > 1.0 or curvature.lam[0] > WEAK:
                break
        d = -curvature.inverse @ start.gradient
        return line_search(self.evaluate, start, d, noise=self.noise, tries=6)

    def _snap_zeros(self, curvature: Curvature) -> None:
        """Put coordinates that are zero up to rounding (zero variances) at zero, if the proof holds there."""
        x = self.point.x
        size = np.abs(x) * np.maximum(np.sqrt(np.abs(np.diag(curvature.hessian)) / 2.0), 1.0 / self.unit)
        zeros = (x != 0) & (size < SNAP)
        if not zeros.any():
            return
        snapped = self.evaluate(np.where(zeros, 0.0, x))
        if snapped is not None and curvature.distance(snapped.gradient) <= self.tolerance:
            self.point = snapped

    def _proved(self, curvature: Curvature) -> Optimum:
        """The optimum with its proof."""
        self._snap_zeros(curvature)
        distance = curvature.distance(self.point.gradient)
        flat = int(curvature.flat.sum())
        message = f"optimum proved: gradient {distance:.1e} standard errors from zero, "
        message += "no negative curvature" + (f", {flat} flat direction(s)" if flat else "")
        return self._result(curvature, distance, message, converged=True)

    def failed(self, message: str, runaway: tuple[int, ...] = ()) -> Optimum:
        """Where the search stands, without proof."""
        curvature = self.curvature
        distance = curvature.distance(self.point.gradient) if curvature else float("nan")
        return self._result(curvature, distance, message, runaway=runaway)

    def _result(
        self,
        curvature: Curvature | None,
        distance: float,
        message: str,
        *,
        converged: bool = False,
        runaway: tuple[int, ...] = (),
    ) -> Optimum:
        k, point = len(self.start), self.point
        return Optimum(
            x=point.x,
            value=point.value,
            gradient=point.gradient,
            extra=point.extra,
            hessian=curvature.hessian if curvature else np.full((k, k), np.nan),
            eigenvalues=curvature.lam if curvature else np.full(k, np.nan),
            converged=converged,
            distance=distance,
            n_evaluations=self.evaluate.count,
            flat=int(curvature.flat.sum()) if curvature else 0,
            flat_coordinates=taking_part(curvature.M[:, curvature.flat], self.unit) if curvature else (),
            runaway=runaway,
            message=message,
            base=curvature.base if curvature else point,
            probes=curvature.probes if curvature else (),
        )
