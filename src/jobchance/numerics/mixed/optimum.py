"""What a search of the likelihood ends with: the point, its proof, or the words for what went wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from jobchance.numerics.mixed.newton import Floats, Point, Probe

NO_MAXIMUM = (
    "the likelihood has no maximum: it keeps rising as coordinates {} grow (separation, or a variance that "
    "the data do not bound); drop or merge what belongs to them"
)
EXHAUSTED = (
    "stopped after {} evaluations without reaching the optimum; standardise the covariates, drop a random "
    "term that the data cannot carry, or allow more evaluations"
)
NO_ROOM = (
    "the criterion does not exist around the point reached, so there is no proof of an optimum; rescale the "
    "covariates or drop a random term"
)
SADDLE = (
    "the point reached is a saddle, not an optimum, and no way down was found; drop a random term or give "
    "other start values"
)
ROUNDING = (
    "the search stopped {:.1e} standard errors from the optimum and rounding allows no further; rescale the "
    "covariates or drop a random term"
)
FALLING = (
    "the search stopped where the criterion still falls but cannot be followed further, as at the edge of "
    "its domain; drop a random term, merge rare categories or rescale the covariates"
)
NO_START = (
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
