"""The grid of a multiverse by estimator and class, counted exactly before anything is built.

Choices of a dimension that pass the same tests form a class. Whether a combination is left out depends on the
classes alone, so that a grid of any size is counted through a few products of class sizes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import product
from math import prod
from typing import Any

from jobchance.sensitivity.multiverse.choices import DIMENSIONS, Choices, neutral, unused
from jobchance.sensitivity.multiverse.conditions import Constraint, Test
from jobchance.sensitivity.multiverse.spec_covariates import Family, Pattern

MAX_CLASSES = 50_000
SAME_SET = "covariates: two choices give the same set"
NOT_USED = "{estimator} does not use {names}"


@dataclass(frozen=True)
class OneClass:
    """Choices of one dimension that pass the same tests."""

    true: frozenset[Test]
    n: int
    members: Callable[[], Iterable[Any]]


@dataclass
class EstimatorGrid:
    """What is left of the grid for one estimator, by classes; `exact` if `n` counts no broken combination."""

    estimator: str
    n: int = 0
    exact: bool = True
    kept: list[tuple[OneClass, ...]] = field(default_factory=list)


def grids_of(
    choices: Choices, constraints: Sequence[Constraint], dropped: Counter[str]
) -> list[EstimatorGrid]:
    """The grid by estimator, with what merges and what constraints leave out counted in `dropped`."""
    family = Family(choices.covariates)
    others = prod(len(choices.of(d)) for d in DIMENSIONS if d not in ("covariates", "estimator"))
    grids = []
    for estimator in choices.estimator:
        dropped[SAME_SET] += others * (family.n_written - family.n)
        used = prod(n_choices(choices, d, family) for d in DIMENSIONS if d not in unused(estimator))
        idle = {d: n_choices(choices, d, family) for d in unused(estimator)}
        names = ", ".join(d for d, n in idle.items() if n > 1)
        if names:
            lost = used // len(choices.estimator) * (prod(idle.values()) - 1)
            dropped[NOT_USED.format(estimator=estimator, names=names)] += lost
        grids.append(_grid(choices, estimator, constraints, dropped))
    return grids


def n_choices(choices: Choices, dimension: str, family: Family) -> int:
    """Number of different choices of a dimension."""
    return family.n if dimension == "covariates" else len(choices.of(dimension))


def _grid(
    choices: Choices, estimator: str, constraints: Sequence[Constraint], dropped: Counter[str]
) -> EstimatorGrid:
    """Products of classes for one estimator, without those that break a constraint."""
    tests = [test for constraint in constraints for test in constraint.tests]
    without = unused(estimator)
    axes = [_axis(choices, d, estimator, [t for t in tests if t.axis == d]) for d in DIMENSIONS]
    grid = EstimatorGrid(estimator)
    if any(axis is None for axis in axes) or prod(len(axis or ()) for axis in axes) > MAX_CLASSES:
        whole = [_axis(choices, d, estimator, []) or [] for d in DIMENSIONS]
        grid.kept, grid.exact = [tuple(axis[0] for axis in whole)], False
    else:
        for classes in product(*(axis or () for axis in axes)):
            true = frozenset().union(*(one.true for one in classes))
            stopped = next((c for c in constraints if c.breaks(true, without)), None)
            if stopped is None:
                grid.kept.append(classes)
            else:
                dropped[stopped.reason] += prod(one.n for one in classes)
    grid.n = sum(prod(one.n for one in classes) for classes in grid.kept)
    return grid


def _axis(choices: Choices, dimension: str, estimator: str, tests: list[Test]) -> list[OneClass] | None:
    """Classes of one dimension's choices; `None` where there would be too many."""
    if dimension in unused(estimator):
        return [_listed(frozenset(), [neutral(dimension, estimator)])]
    if dimension == "covariates":
        made = Family(choices.covariates).classes(tests)
        if made is None:
            return None
        return [
            OneClass(true, sum(p.n for p in patterns), partial(_chained, patterns))
            for true, patterns in made.items()
        ]
    values = (estimator,) if dimension == "estimator" else choices.of(dimension)
    classes: dict[frozenset[Test], list[Any]] = {}
    for value in values:
        classes.setdefault(frozenset(t for t in tests if t.holds(value)), []).append(value)
    return [_listed(true, members) for true, members in classes.items()]


def _listed(true: frozenset[Test], members: list[Any]) -> OneClass:
    return OneClass(true, len(members), lambda: members)


def _chained(patterns: Iterable[Pattern]) -> Iterator[Any]:
    for pattern in patterns:
        yield from pattern.members()
