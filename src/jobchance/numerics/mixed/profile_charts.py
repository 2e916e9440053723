"""Charts of the parameters of a mixed model in which one of them is fixed.

A row of Lambda is s (sin f1, cos f1 sin f2, ..., cos f1 ... cos f_{r-1}): standard deviation s and angles f.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from jobchance.errors import EstimationError
from jobchance.numerics.mixed.profile_criteria import Criterion, LaplaceCriterion, LinearCriterion
from jobchance.numerics.mixed.search import OutOfDomain

Floats = NDArray[np.float64]

Evaluate = Callable[[float, Floats], tuple[float, Floats]]

TOO_FAR = 1e8
SMALL = 1e-12


@dataclass(frozen=True)
class Target:
    """One parameter.

    Parameters
    ----------
    kind : str
        `"coefficient"`, `"sigma"`, `"sd"` or `"correlation"` (with the first effect of the set).
    term : int
        Number of the coefficient.
    row : tuple of int
        Places in theta of its row of Lambda.
    first : int
        Place in theta of the first diagonal element of its set.
    error : float
        About its standard error; NaN if unknown.
    """

    kind: Literal["coefficient", "sigma", "sd", "correlation"]
    term: int = 0
    row: tuple[int, ...] = ()
    first: int = 0
    error: float = math.nan


@dataclass(frozen=True, eq=False)
class Chart:
    """Where x lies when the parameter is v.

    Parameters
    ----------
    value, error : float
        The estimate and about its standard error.
    bounds : tuple of float
        What the parameter may be.
    closed : bool
        Whether D exists at the bounds.
    start : array (k,)
        t of the estimates.
    place : callable
        (v, t) -> x and its derivative (P, k) by t.
    evaluate : callable
        (v, x) -> D and its gradient by x; a very large D outside its domain.
    """

    value: float
    error: float
    bounds: tuple[float, float]
    closed: bool
    start: Floats
    place: Callable[[float, Floats], tuple[Floats, Floats]]
    evaluate: Evaluate


def chart_of(criterion: Criterion, target: Target) -> Chart:
    """The chart in which the target is fixed."""
    if target.kind == "coefficient" and isinstance(criterion, LinearCriterion):
        return _held(criterion, target)
    if target.kind == "coefficient" and isinstance(criterion, LaplaceCriterion):
        return _contrast(criterion, target)
    if target.kind == "sigma":
        return _sigma(criterion, target)
    return _sd(criterion, target) if target.kind == "sd" else _correlation(criterion, target)


def _guarded(criterion: Criterion, evaluate: Evaluate) -> Evaluate:
    """D, or something very large where it does not exist."""

    def safe(v: float, x: Floats) -> tuple[float, Floats]:
        try:
            return evaluate(v, x)
        except (OutOfDomain, EstimationError, FloatingPointError):
            return criterion.minimum + TOO_FAR, np.zeros(len(criterion.x))

    return safe


def _plain(criterion: Criterion) -> Evaluate:
    """D as a function of x alone."""
    return _guarded(criterion, lambda v, x: criterion.evaluate(x))


def _held(criterion: LinearCriterion, target: Target) -> Chart:
    """A coefficient of a linear model: the criterion itself holds it, and log sigma in x is unused."""
    k = len(criterion.x) - 1
    E = np.eye(k + 1)[:, :k]

    def evaluate(v: float, x: Floats) -> tuple[float, Floats]:
        value, by_theta = criterion.hold(target.term, v, x[:k])
        return value, np.append(by_theta, 0.0)

    state = criterion.problem.evaluate(criterion.inverse @ criterion.x[:k])
    value = float(criterion.K[target.term] @ (criterion.centre + criterion.unit * state.beta))
    return Chart(
        value,
        target.error,
        (-math.inf, math.inf),
        True,
        criterion.x[:k],
        lambda v, t: (np.append(t, criterion.x[k]), E),
        _guarded(criterion, evaluate),
    )


def _contrast(criterion: LaplaceCriterion, target: Target) -> Chart:
    """A linear function a'x: along its regression on x, and across."""
    a, C = criterion.contrast(target.term), criterion.covariance
    variance = float(a @ C @ a)
    along, value = C @ a / variance, float(a @ criterion.x)
    across = linalg.null_space(a[None, :])

    def place(v: float, t: Floats) -> tuple[Floats, Floats]:
        return criterion.x + (v - value) * along + across @ t, across

    return Chart(
        value,
        math.sqrt(variance),
        (-math.inf, math.inf),
        True,
        np.zeros(len(a) - 1),
        place,
        _plain(criterion),
    )


def _sigma(criterion: Criterion, target: Target) -> Chart:
    """The residual standard deviation."""
    at = criterion.sigma_at
    assert at is not None, "linear models only"
    others = np.delete(np.arange(len(criterion.x)), at)
    E = np.eye(len(criterion.x))[:, others]

    def place(v: float, t: Floats) -> tuple[Floats, Floats]:
        return np.insert(t, at, math.log(v)), E

    value = math.exp(criterion.x[at])
    return Chart(value, target.error, (0.0, math.inf), False, criterion.x[others], place, _plain(criterion))


def _sd(criterion: Criterion, target: Target) -> Chart:
    """A standard deviation: the length of a row of Lambda, times sigma in a linear model."""
    row, at, P = list(target.row), criterion.sigma_at, len(criterion.x)
    others = np.setdiff1d(np.arange(P), row)
    ends, r = len(others), len(row)
    size = float(np.linalg.norm(criterion.x[row]))
    scale = 1.0 if at is None else math.exp(criterion.x[at])

    def place(v: float, t: Floats) -> tuple[Floats, Floats]:
        x, E = np.zeros(P), np.zeros((P, ends + r - 1))
        x[others], E[others, np.arange(ends)] = t[:ends], 1.0
        unit, turn = _direction(t[ends:])
        length = v if at is None else v / math.exp(x[at])
        x[row], E[row, ends:] = length * unit, length * turn
        if at is not None:
            E[row, np.searchsorted(others, at)] = -length * unit
        return x, E

    value = scale * size
    start = np.concatenate([criterion.x[others], _angles(criterion.x[row])])
    error = target.error if target.error > 0 else max(value, 0.1 * scale)
    return Chart(value, error, (0.0, math.inf), True, start, place, _plain(criterion))


def _correlation(criterion: Criterion, target: Target) -> Chart:
    """The correlation of an effect with the first of its set; both standard deviations on the log scale."""
    row, first, P = list(target.row), target.first, len(criterion.x)
    others = np.setdiff1d(np.arange(P), [*row, first])
    ends, r = len(others), len(row)
    size, lead = float(np.linalg.norm(criterion.x[row])), float(criterion.x[first])
    if size < SMALL or lead < SMALL:
        raise EstimationError("A standard deviation is estimated at zero, so its correlation is not defined.")
    value = float(criterion.x[row[0]]) / size

    def place(v: float, t: Floats) -> tuple[Floats, Floats]:
        x, E = np.zeros(P), np.zeros((P, ends + r))
        x[others], E[others, np.arange(ends)] = t[:ends], 1.0
        x[first] = E[first, ends] = math.exp(t[ends])
        length, rest = math.exp(t[ends + 1]), math.sqrt(max(1.0 - v * v, 0.0))
        unit, turn = _direction(t[ends + 2 :])
        x[row] = E[row, ends + 1] = length * np.append(v, rest * unit)
        E[row[1:], ends + 2 :] = length * rest * turn
        return x, E

    start = np.concatenate(
        [criterion.x[others], [math.log(lead), math.log(size)], _angles(criterion.x[row[1:]])]
    )
    error = target.error if target.error > 0 else 0.5
    return Chart(value, error, (-1.0, 1.0), True, start, place, _plain(criterion))


def _direction(f: Floats) -> tuple[Floats, Floats]:
    """Unit vector (r,) of r - 1 angles, and its derivative (r, r - 1)."""
    r = len(f) + 1
    sines, cosines = np.append(np.sin(f), 1.0), np.append(1.0, np.cumprod(np.cos(f)))
    unit = sines * cosines
    turn = np.zeros((r, r - 1))
    for j in range(r - 1):
        others = np.cos(f).copy()
        others[j] = -math.sin(f[j])
        changed = np.append(1.0, np.cumprod(others))
        turn[j, j] = math.cos(f[j]) * cosines[j]
        turn[j + 1 :, j] = sines[j + 1 :] * changed[j + 1 :]
    return unit, turn


def _angles(row: Floats) -> Floats:
    """Angles of a row of Lambda; zero where it has no length."""
    made, rest = np.zeros(len(row) - 1), float(np.linalg.norm(row))
    for j in range(len(row) - 1):
        if rest < SMALL:
            break
        made[j] = math.asin(min(max(row[j] / rest, -1.0), 1.0))
        rest *= math.cos(made[j])
    return made
