"""Names, places and values of everything that a mixed model estimates.

Names: the terms of the fit, `sd[group.effect]`, `cor[group.effect.effect]`, `sigma`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from jobchance.numerics.mixed.profile_charts import Target
from jobchance.results.fit import Fit
from jobchance.results.parts import Floats, RandomStructure


@dataclass(frozen=True)
class Parameter:
    """One parameter.

    Parameters
    ----------
    name : str
        See the module.
    effect : str
        `"fixed"` or `"variance"`.
    group, term : str
        As in `Fit.tidy()`.
    target : Target or None
        How to hold it fixed; `None` where that is not offered.
    """

    name: str
    effect: str
    group: str
    term: str
    target: Target | None


def parameters_of(fit: Fit) -> list[Parameter]:
    """Coefficients, then standard deviations and correlations term by term, then sigma."""
    errors = fit.std_errors.to_numpy()
    made = [
        Parameter(term, "fixed", "", term, Target("coefficient", term=i, error=float(errors[i])))
        for i, term in enumerate(fit.terms)
    ]
    for structure, at in placed_structures(fit):
        made += _of_term(structure, at)
    if "sigma" in fit.statistics:
        # 1 / sqrt(2 n): the standard error of log sigma where random effects take no rows
        error = fit.statistics["sigma"] / math.sqrt(2 * fit.nobs)
        made.append(Parameter("sigma", "variance", "Residual", "sd__residual", Target("sigma", error=error)))
    return made


def placed_structures(fit: Fit) -> Iterator[tuple[RandomStructure, int]]:
    """Each random term with the place of its first theta in `fit.joint`, where terms of one group adjoin."""
    groups = list(dict.fromkeys(s.group for s in fit.structure))
    starts, at = {}, 0
    for group in groups:
        starts[group] = at
        at += sum(len(s.theta) for s in fit.structure if s.group == group)
    for structure in fit.structure:
        yield structure, starts[structure.group]
        starts[structure.group] += len(structure.theta)


def n_theta(fit: Fit) -> int:
    """Number of parameters of the random effects."""
    return sum(len(s.theta) for s in fit.structure)


def joint_theta(fit: Fit) -> Floats:
    """Theta in the order of `fit.joint`."""
    made = np.zeros(n_theta(fit))
    for structure, at in placed_structures(fit):
        made[at : at + len(structure.theta)] = structure.theta
    return made


def _of_term(structure: RandomStructure, at: int) -> list[Parameter]:
    """Standard deviations of a term, then its correlations."""
    rows, _ = structure.places
    names, group = structure.columns, structure.group
    places = [tuple(int(i) + at for i in np.flatnonzero(rows == a)) for a in range(len(names))]
    made = [
        Parameter(f"sd[{group}.{name}]", "variance", group, f"sd__{name}", Target("sd", row=places[a]))
        for a, name in enumerate(names)
    ]
    first = 0
    for size in structure.sizes:
        for a in range(first, first + size):
            for b in range(a + 1, first + size):
                target = Target("correlation", row=places[b], first=places[first][0]) if a == first else None
                pair = f"{names[a]}.{names[b]}"
                made.append(Parameter(f"cor[{group}.{pair}]", "variance", group, f"cor__{pair}", target))
        first += size
    return made


def values_of(fit: Fit) -> dict[str, float]:
    """Estimates by name; correlations of effects without variance are NaN."""
    made = {term: float(value) for term, value in zip(fit.terms, fit.estimates, strict=True)}
    scale = float(fit.statistics.get("sigma", 1.0))
    for structure in fit.structure:
        factor = scale * structure.relative_factor()
        sigma = factor @ factor.T
        sd = np.sqrt(np.diag(sigma))
        made |= {f"sd[{structure.group}.{c}]": float(s) for c, s in zip(structure.columns, sd, strict=True)}
        first = 0
        for size in structure.sizes:
            for a in range(first, first + size):
                for b in range(a + 1, first + size):
                    product = sd[a] * sd[b]
                    name = f"cor[{structure.group}.{structure.columns[a]}.{structure.columns[b]}]"
                    made[name] = float(sigma[a, b] / product) if product > 0 else math.nan
            first += size
    if "sigma" in fit.statistics:
        made["sigma"] = scale
    return made
