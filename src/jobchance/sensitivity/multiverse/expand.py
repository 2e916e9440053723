"""From a multiverse file to its specifications: counted exactly before anything is built, then made in order.

Choices that pass the same tests form a class. Whether a combination is left out depends on the classes alone,
so that a grid of any size is counted through a few products of class sizes.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import product
from math import prod
from typing import TYPE_CHECKING, Any

import pandas as pd

from jobchance.errors import SpecError
from jobchance.formatting import Formatter
from jobchance.sensitivity.multiverse.choices import DIMENSIONS, ESTIMATORS, neutral, specification, unused
from jobchance.sensitivity.multiverse.conditions import Constraint, Test, broken, own_constraints
from jobchance.sensitivity.multiverse.spec_covariates import Family
from jobchance.sensitivity.multiverse.specification import Specification

if TYPE_CHECKING:
    from jobchance.sensitivity.multiverse.read import MultiverseSpec

MAX_SPECIFICATIONS = 20_000
HARD_CAP = 200_000
MAX_CLASSES = 50_000
SAME_SET = "covariates: two choices give the same set"
SAME_COLUMNS = "{estimator} adjusts for columns: two sets of terms have the same"
NOT_USED = "{estimator} does not use {names}"
_FORMAT = 1
_TEXT = Formatter("en")


@dataclass(frozen=True, eq=False)
class Expansion:
    """Every specification that a file stands for.

    Parameters
    ----------
    specifications : tuple of Specification
        No two alike, sorted by dimension in the order of `DIMENSIONS`, smaller covariate sets first.
    dropped : DataFrame
        `reason n`: combinations of the whole grid that are no specification of their own, by reason.
    main : int or None
        Place of the specification that the paper rests on.
    fingerprint : str
        64 hexadecimal digits from the specifications, the main one, and the scale, level and clusters of
        the joint test; not from titles, names or the way of writing.
    """

    specifications: tuple[Specification, ...]
    dropped: pd.DataFrame
    main: int | None
    fingerprint: str

    def __len__(self) -> int:
        return len(self.specifications)

    def __repr__(self) -> str:
        return f"Expansion({len(self)} specifications, {int(sum(self.dropped['n']))} combinations dropped)"


@dataclass(frozen=True)
class _Class:
    """Choices of one dimension that pass the same tests."""

    true: frozenset[Test]
    n: int
    members: Callable[[], Iterable[Any]]


@dataclass
class _Plan:
    """What is left of the grid for one estimator, by classes; `exact` if `n` counts no broken combination."""

    estimator: str
    n: int = 0
    exact: bool = True
    kept: list[tuple[_Class, ...]] = field(default_factory=list)


def expand(spec: MultiverseSpec) -> Expansion:
    """Every specification that a file stands for, in a fixed order; never looks at data.

    Raises
    ------
    SpecError
        More specifications than `spec.max_specifications` (told before any is made), or none at all.
    """
    dropped: Counter[str] = Counter()
    plans = _plans(spec, dropped)
    total = sum(plan.n for plan in plans)
    may_merge = any(plan.estimator.startswith("rung:") or not plan.exact for plan in plans)
    if total > (HARD_CAP if may_merge else spec.max_specifications):
        raise _too_many(spec, total, exact=all(plan.exact for plan in plans))
    made = _make(spec, plans, dropped)
    if len(made) > spec.max_specifications:
        raise _too_many(spec, len(made), exact=True)
    if not made:
        reasons = "; ".join(f"{reason} ({n})" for reason, n in dropped.items())
        raise SpecError(f"No specification is left: {reasons}.")
    ordered = tuple(sorted(made, key=_place))
    main = None if spec.main is None else ordered.index(spec.main)
    return Expansion(ordered, _frame(spec, dropped), main, _fingerprint(spec, ordered))


def count(spec: MultiverseSpec) -> int:
    """Number of specifications, without making them.

    Exact, except that it is too high where a rung merges terms of one column, or where constraints name more
    than ten terms of `subsets` or split the grid into more than 50,000 classes.
    """
    return sum(plan.n for plan in _plans(spec, Counter()))


def _plans(spec: MultiverseSpec, dropped: Counter[str]) -> list[_Plan]:
    """The grid by estimator, with what merges and what constraints leave out counted in `dropped`."""
    constraints = (*own_constraints(spec.choices), *spec.constraints)
    family = Family(spec.choices.covariates)
    others = prod(len(spec.choices.of(d)) for d in DIMENSIONS if d not in ("covariates", "estimator"))
    plans = []
    for estimator in spec.choices.estimator:
        dropped[SAME_SET] += others * (family.n_written - family.n)
        used = prod(_n_choices(spec, d, family) for d in DIMENSIONS if d not in unused(estimator))
        n_choices = {d: _n_choices(spec, d, family) for d in unused(estimator)}
        names = ", ".join(d for d, n in n_choices.items() if n > 1)
        if names:
            lost = used // len(spec.choices.estimator) * (prod(n_choices.values()) - 1)
            dropped[NOT_USED.format(estimator=estimator, names=names)] += lost
        plans.append(_plan(spec, estimator, constraints, dropped))
    return plans


def _n_choices(spec: MultiverseSpec, dimension: str, family: Family) -> int:
    return family.n if dimension == "covariates" else len(spec.choices.of(dimension))


def _plan(
    spec: MultiverseSpec, estimator: str, constraints: tuple[Constraint, ...], dropped: Counter[str]
) -> _Plan:
    """Products of classes for one estimator, without those that break a constraint."""
    tests = [test for constraint in constraints for test in constraint.tests]
    without = unused(estimator)
    axes = [_axis(spec, d, estimator, [t for t in tests if t.axis == d]) for d in DIMENSIONS]
    plan = _Plan(estimator)
    if any(axis is None for axis in axes) or prod(len(axis or ()) for axis in axes) > MAX_CLASSES:
        whole = [_axis(spec, d, estimator, []) or [] for d in DIMENSIONS]
        plan.kept, plan.exact = [tuple(axis[0] for axis in whole)], False
    else:
        for classes in product(*(axis or () for axis in axes)):
            true = frozenset().union(*(one.true for one in classes))
            stopped = next((c for c in constraints if c.breaks(true, without)), None)
            if stopped is None:
                plan.kept.append(classes)
            else:
                dropped[stopped.reason] += prod(one.n for one in classes)
    plan.n = sum(prod(one.n for one in classes) for classes in plan.kept)
    return plan


def _axis(spec: MultiverseSpec, dimension: str, estimator: str, tests: list[Test]) -> list[_Class] | None:
    """Classes of one dimension's choices; `None` where there would be too many."""
    if dimension in unused(estimator):
        return [_listed(frozenset(), [neutral(dimension, estimator)])]
    if dimension == "covariates":
        made = Family(spec.choices.covariates).classes(tests)
        if made is None:
            return None
        return [
            _Class(true, sum(p.n for p in patterns), partial(_chained, patterns))
            for true, patterns in made.items()
        ]
    values = (estimator,) if dimension == "estimator" else spec.choices.of(dimension)
    classes: dict[frozenset[Test], list[Any]] = {}
    for value in values:
        classes.setdefault(frozenset(t for t in tests if t.holds(value)), []).append(value)
    return [_listed(true, members) for true, members in classes.items()]


def _listed(true: frozenset[Test], members: list[Any]) -> _Class:
    return _Class(true, len(members), lambda: members)


def _chained(patterns: Iterable[Any]) -> Iterator[Any]:
    for pattern in patterns:
        yield from pattern.members()


def _frame(spec: MultiverseSpec, dropped: Counter[str]) -> pd.DataFrame:
    """Reasons and counts, largest first; a constraint of the file that stops nothing is shown with 0."""
    counts = dict.fromkeys((one.reason for one in spec.constraints), 0) | {
        r: n for r, n in dropped.items() if n
    }
    rows = sorted(counts.items(), key=lambda row: (-row[1], row[0]))
    return pd.DataFrame(rows, columns=["reason", "n"])


def _make(spec: MultiverseSpec, plans: list[_Plan], dropped: Counter[str]) -> set[Specification]:
    """The specifications of all plans; those that turn out alike are merged."""
    columns = dict(spec.choices.covariates.columns)
    constraints = (*own_constraints(spec.choices), *spec.constraints)
    made: set[Specification] = set()
    for plan in plans:
        for classes in plan.kept:
            for values in product(*(list(one.members()) for one in classes)):
                combination = dict(zip(DIMENSIONS, values, strict=True))
                stopped = None if plan.exact else broken(constraints, combination, unused(plan.estimator))
                if stopped is not None:
                    dropped[stopped.reason] += 1
                    continue
                one = specification(combination, columns)
                if one in made:
                    dropped[SAME_COLUMNS.format(estimator=plan.estimator)] += 1
                made.add(one)
    return made


def _place(one: Specification) -> tuple[Any, ...]:
    """Sort key: dimension by dimension; estimators in their own order, open windows first."""
    first, last = one.waves
    return (
        one.outcome,
        one.horizon_weeks,
        one.at_risk,
        one.exposure,
        len(one.covariates),
        one.covariates,
        one.sample != "all",
        one.sample,
        -1 if first is None else first,
        1e9 if last is None else last,
        ESTIMATORS.index(one.estimator),
        one.absorb,
        one.random,
        one.vcov,
        one.missing,
    )


def _fingerprint(spec: MultiverseSpec, ordered: tuple[Specification, ...]) -> str:
    """sha256 of everything that decides a number."""
    content = {
        "format": _FORMAT,
        "keys": [one.key for one in ordered],
        "main": spec.main.key if spec.main else None,
        "scale": spec.scale,
        "level": spec.level,
        "joint_cluster": spec.joint_cluster,
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _too_many(spec: MultiverseSpec, n: int, *, exact: bool) -> SpecError:
    """Say how many there would be, and which dimensions make it."""
    family = Family(spec.choices.covariates)
    sizes = {d: _n_choices(spec, d, family) for d in DIMENSIONS}
    largest = sorted((d for d in DIMENSIONS if sizes[d] > 1), key=lambda d: -sizes[d])
    listed = ", ".join(f"{d} {_TEXT.count(sizes[d])}" for d in largest)
    subsets = len(spec.choices.covariates.subsets)
    hint = (
        f" The {subsets} terms of choices.covariates.subsets make most of them: set max_size."
        if (subsets and largest[0] == "covariates")
        else ""
    )
    return SpecError(
        f"This file stands for {'' if exact else 'up to '}{_TEXT.count(n)} specifications; at most "
        f"{_TEXT.count(spec.max_specifications)} are run (max_specifications, which can be at most "
        f"{_TEXT.count(HARD_CAP)}). Choices: {listed}.{hint} Take choices away or add [[exclude]]."
    )
