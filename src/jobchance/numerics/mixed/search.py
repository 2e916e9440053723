"""Minimum of a smooth expensive criterion with a proof from its gradient and Hessian at the end.

Letters as in `newton.py`: f = -2 log-likelihood, g, H, scale L; B inverse Hessian of the quasi-Newton phase.
BFGS and line search: Nocedal & Wright (2006), ch. 3 and 6; steps under rounding: Hager & Zhang (2005).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from jobchance.errors import EstimationError
from jobchance.numerics.mixed.descent import line_search, update_inverse
from jobchance.numerics.mixed.newton import (
    CLEARLY_NEGATIVE,
    Curvature,
    Evaluator,
    ExhaustedError,
    Floats,
    Objective,
    OutOfDomain,
    Point,
    Probe,
    measure_curvature,
)

__all__ = ["Optimum", "OutOfDomain", "Point", "Probe", "minimise"]

FAR = 1e8  # units of scale from the start at which the search is called running away
SNAP = 1e-6  # standard errors from zero under which a coordinate is tried at exactly zero
FIRST_STEP = 10.0  # units of scale: no longer than this while B is only believed


_RUNAWAY = (
    "the likelihood has no maximum: it keeps rising as coordinates {} grow (separation, or a variance that "
    "the data do not bound); drop or merge what belongs to them"
)
_EXHAUSTED = (
    "stopped after {} evaluations without reaching the optimum; standardise the covariates, drop a random "
    "term that the data cannot carry, or allow more evaluations"
)
_NO_ROOM = (
    "the criterion does not exist around the point reached, so there is no proof of an optimum; rescale the "
    "covariates or drop a random term"
)
_SADDLE = (
    "the point reached is a saddle, not an optimum, and no way down was found; drop a random term or give "
    "other start values"
)
_ROUNDING = (
    "the search stopped {:.1e} standard errors from the optimum and rounding allows no further; rescale the "
    "covariates or drop a random term"
)
_NO_START = (
    "the criterion has no finite value and gradient at the start of the search; give other start values, or "
    "rescale covariates that are very large or very small"
)


@dataclass(frozen=True)
class Optimum:
    """Where the search ended, with the proof.

    Attributes
    ----------
    x, value, gradient : the point; `extra` is what else the objective returned there.
    hessian : array (k, k)
        Symmetric Hessian by differences; NaN where none could be measured.
    eigenvalues : array (k,)
        Of the Hessian in units of `scale` (1 = as expected), ascending.
    converged : bool
        Proved: `distance <= tolerance`, no negative curvature beyond rounding, not running away.
    distance : float
        `sqrt(g' inv(H) g / 2)`: standard errors to the optimum, over the directions that are not flat.
    n_evaluations : int
    flat : int
        Number of directions in which the criterion does not bend; `flat_coordinates` take part in them.
    runaway : tuple of int
        Coordinates along which the criterion keeps falling without end.
    message : str
        What was proved, or what is wrong and what to do.
    base, probes : Point, tuple of Probe
        Point of the Hessian (within `reach` standard errors of `x` if converged) and the points
        `base.x + step e_index` evaluated for it: differences of `probe.point.extra` cost nothing more.
    """

    x: Floats
    value: float
    gradient: Floats
    extra: Any
    hessian: Floats
    eigenvalues: Floats
    converged: bool
    distance: float
    n_evaluations: int
    flat: int
    flat_coordinates: tuple[int, ...]
    runaway: tuple[int, ...]
    message: str
    base: Point
    probes: tuple[Probe, ...]


def minimise(
    objective: Objective,
    x0: ArrayLike,
    *,
    scale: ArrayLike,
    tolerance: float = 1e-7,
    differences: Literal["central", "forward"] = "central",
    hessian_step: float | None = None,
    switch: float = 1e-3,
    reach: float = 0.003,
    noise: float = 1e-9,
    max_evaluations: int | None = None,
) -> Optimum:
    r"""Minimise `f = -2 log-likelihood` and prove the minimum by gradient and Hessian there.

    Quasi-Newton steps until the predicted decrease :math:`g'Bg/2` is below `switch`; then a Hessian by
    differences of the gradient and Newton steps until

    .. math:: \sqrt{g' H^{-1} g / 2} \le \text{tolerance}.

    One Hessian serves as long as each step shortens this distance tenfold. Negative curvature (a saddle, as
    where a variance is falsely zero) is left along it. Flat directions do not stop
    convergence; they are counted.

    Parameters
    ----------
    objective : callable
        `x -> (value, gradient)` or `(value, gradient, extra)`; `extra` is kept with the point, unread. Raises
        `OutOfDomain`, or returns a value or gradient that is not finite, where it does not exist.
    x0 : array (k,)
        Start; must be in the domain.
    scale : array (k,) or (k, k)
        L with `H` about `2 inv(L L')`: standard errors, or a square root of the covariance of the estimates.
        Step lengths and the meaning of `flat` rest on it to a factor of 1000.
    tolerance : float
        Distance to the optimum in standard errors.
    differences : {"central", "forward"}
        `2k` or `k` evaluations per Hessian.
    hessian_step : float or None
        Step of the differences in standard errors; None = 1e-3 central, 1e-4 forward.
    switch : float
        Predicted decrease of `f` under which the Hessian is measured.
    reach : float
        The Hessian is measured again if the minimum is further than this, in standard errors, from its point.
    noise : float
        Changes of `f` under `noise * |f|` are read from the gradients instead.
    max_evaluations : int or None
        None = `200 + 20 k`.

    Returns
    -------
    Optimum
        Also where the search failed: `converged` is False and `message` says why.

    Raises
    ------
    ValueError
        Shapes that do not fit, a scale that is singular or not finite, an unknown `differences`.
    EstimationError
        The criterion does not exist at `x0`.

    References
    ----------
    Nocedal & Wright (2006), Numerical Optimization, 2nd ed.; Hager & Zhang (2005), SIAM Journal on
    Optimization 16, 170-192.

    Examples
    --------
    >>> found = minimise(lambda x: (float(x @ x), 2 * x), [3.0, -1.0], scale=[1.0, 1.0])
    >>> found.converged, found.n_evaluations
    (True, 6)
    """
    start, L = _checked(x0, scale, differences)
    central = differences == "central"
    step = hessian_step or (1e-3 if central else 1e-4)
    evaluate = Evaluator(objective, max_evaluations or 200 + 20 * len(start))
    first = evaluate(start)
    if first is None:
        raise EstimationError(_NO_START)
    search = _Search(evaluate, L, first, tolerance, switch, reach, noise, step, central)
    try:
        return search.run()
    except ExhaustedError:
        return search.failed(_EXHAUSTED.format(evaluate.count))
    except _RunawayError as far:
        return search.failed(_RUNAWAY.format(list(far.coordinates)), far.coordinates)


class _RunawayError(Exception):
    """The criterion falls without end along `coordinates`."""

    def __init__(self, coordinates: tuple[int, ...]) -> None:
        super().__init__()
        self.coordinates = coordinates


@dataclass
class _Search:
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
        self.unit = 1.0 / np.sqrt(np.diag(np.linalg.inv(self.L @ self.L.T)))
        self.fresh = True  # B is still the caller's
        self.curvature: Curvature | None = None
        self.newton_steps: list[Floats] = []

    def run(self) -> Optimum:
        """Alternate quasi-Newton and Newton phases until the proof stands or nothing moves any more."""
        stalled, shortest = 0, np.inf
        while stalled < 4:
            self._descend()
            curvature = self._measure()
            if curvature is None:
                return self.failed(_NO_ROOM)
            if curvature.negative.any():
                if self._escape(curvature):
                    stalled, shortest = 0, np.inf
                    continue
                if curvature.lam[0] < -CLEARLY_NEGATIVE:
                    return self.failed(_SADDLE)
                curvature = replace(curvature, negative=np.zeros_like(curvature.negative))
            self.curvature = curvature
            self._watch_runaway(curvature)
            distance = self._newton(curvature)
            settled = curvature.settled(self.point.x, reach=self.reach, tolerance=self.tolerance)
            if distance <= self.tolerance and settled:
                return self._proved(curvature)
            stalled = stalled + 1 if distance > 0.9 * shortest else 0
            shortest = min(shortest, distance)
        return self.failed(_ROUNDING.format(shortest))

    def _descend(self) -> None:
        """BFGS steps until the decrease they promise is below `switch`."""
        while True:
            d = -self.B @ self.point.gradient
            if -self.point.gradient @ d / 2.0 < self.switch:
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
                raise _RunawayError(tuple(np.flatnonzero(far >= 0.1 * far.max()).tolist()))

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
        self.point = new
        self.newton_steps.clear()
        return True

    def _newton(self, curvature: Curvature) -> float:
        """Newton steps with one Hessian while each shortens the distance tenfold; the distance reached."""
        previous = np.inf
        while True:
            distance = curvature.distance(self.point.gradient)
            if distance <= self.tolerance or distance > 0.1 * previous:
                return distance
            d = -curvature.inverse @ self.point.gradient
            new = line_search(self.evaluate, self.point, d, noise=self.noise, tries=6)
            if new is None:
                return distance
            previous, self.point = distance, new

    def _watch_runaway(self, curvature: Curvature) -> None:
        """Raise where Newton steps do not shorten although the criterion has all but stopped to bend.

        Towards a minimum they do; along `exp(-x)` they stay one unit long and along `1 / x` they grow.
        """
        g, moved = self.point.gradient, np.linalg.solve(curvature.M, self.point.x - self.start)
        along = curvature.M.T @ g / 2.0
        gone = curvature.flat & (np.abs(moved) > 5.0) & (along * moved <= 0)
        gone &= np.abs(along) >= 1e-3 * np.abs(curvature.lam)
        if gone.any():
            self._run_away(curvature.M[:, gone])
        d = -curvature.inverse @ g
        steps, size = self.newton_steps, np.linalg.norm(d / self.unit)
        weak = d @ curvature.hessian @ d / 2.0 < 0.01 * size**2
        if not (weak and size > 1e-3):
            steps.clear()
            return
        if steps:
            before = np.linalg.norm(steps[-1] / self.unit)
            cosine = (steps[-1] / self.unit) @ (d / self.unit) / (before * size)
            if cosine < 0.9 or size < 0.8 * before:
                steps.clear()
        steps.append(d)
        if len(steps) == 3:
            self._run_away(d[:, None])

    def _run_away(self, directions: Floats) -> None:
        """Raise with the coordinates that take part in `directions` (k, m)."""
        raise _RunawayError(self._taking_part(directions))

    def _taking_part(self, directions: Floats) -> tuple[int, ...]:
        """Coordinates with at least a tenth of the largest part in any of the directions (k, m)."""
        parts = np.abs(directions) / self.unit[:, None]
        return tuple(np.flatnonzero((parts >= 0.1 * parts.max(axis=0)).any(axis=1)).tolist())

    def _snap_zeros(self, curvature: Curvature) -> None:
        """Put coordinates that are zero up to rounding (zero variances) at zero, if the proof holds there."""
        x = self.point.x
        zeros = (x != 0) & (np.abs(x) * np.sqrt(np.abs(np.diag(curvature.hessian)) / 2.0) < SNAP)
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
            flat_coordinates=self._taking_part(curvature.M[:, curvature.flat]) if curvature else (),
            runaway=runaway,
            message=message,
            base=curvature.base if curvature else point,
            probes=curvature.probes if curvature else (),
        )


def _checked(x0: ArrayLike, scale: ArrayLike, differences: str) -> tuple[Floats, Floats]:
    """Start and square scale; everything wrong at once."""
    start, L = np.array(x0, dtype=np.float64), np.array(scale, dtype=np.float64)
    if L.ndim == 1:
        L = np.diag(L)
    wrong = []
    if start.ndim != 1 or not len(start) or not np.isfinite(start).all():
        wrong.append("x0 must be one finite row of numbers")
    if L.shape != (start.size, start.size):
        wrong.append(f"scale must have shape ({start.size},) or ({start.size}, {start.size})")
    elif not np.isfinite(L).all() or np.linalg.matrix_rank(L / np.abs(L).max(axis=1, keepdims=True)) < len(L):
        wrong.append("scale must be finite and invertible")
    if differences not in ("central", "forward"):
        wrong.append("differences must be 'central' or 'forward'")
    if wrong:
        raise ValueError("; ".join(wrong))
    return start, L
