"""From a multiverse file to its specifications: counted before any is made, then made in a fixed order."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

import pandas as pd

from jobchance.errors import SpecError
from jobchance.formatting import Formatter
from jobchance.sensitivity.multiverse.choices import DIMENSIONS, ESTIMATORS, specification, unused
from jobchance.sensitivity.multiverse.conditions import Constraint, broken, own_constraints
from jobchance.sensitivity.multiverse.spec_covariates import Family
from jobchance.sensitivity.multiverse.spec_grid import EstimatorGrid, grids_of, n_choices
from jobchance.sensitivity.multiverse.specification import RUNG, Specification

if TYPE_CHECKING:
    from jobchance.sensitivity.multiverse.read import MultiverseSpec

MAX_SPECIFICATIONS = 20_000
HARD_CAP = 200_000
SAME_COLUMNS = "{estimator} adjusts for columns: two sets of terms have the same"
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


def expand(spec: MultiverseSpec) -> Expansion:
    """Every specification that a file stands for, in a fixed order; never looks at data.

    Raises
    ------
    SpecError
        More specifications than `spec.max_specifications` (told before any is made), or none at all.
    """
    dropped: Counter[str] = Counter()
    grids = grids_of(spec.choices, _constraints(spec), dropped)
    total = sum(grid.n for grid in grids)
    if total > (HARD_CAP if _may_shrink(spec, grids) else spec.max_specifications):
        raise _too_many(spec, total, exact=all(grid.exact for grid in grids))
    made = _make(spec, grids, dropped)
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
    return sum(grid.n for grid in grids_of(spec.choices, _constraints(spec), Counter()))


def _constraints(spec: MultiverseSpec) -> tuple[Constraint, ...]:
    """Ours, then those of the file."""
    return (*own_constraints(spec.choices), *spec.constraints)


def _may_shrink(spec: MultiverseSpec, grids: list[EstimatorGrid]) -> bool:
    """Whether fewer specifications can come out than were counted: then up to `HARD_CAP` are made to see."""
    columns = [names for _, names in spec.choices.covariates.columns]
    merges = len({names for names in columns if len(names) == 1}) < len(columns)
    return any(not grid.exact or (merges and grid.estimator.startswith(RUNG)) for grid in grids)


def _frame(spec: MultiverseSpec, dropped: Counter[str]) -> pd.DataFrame:
    """Reasons and counts, largest first; a constraint of the file that stops nothing is shown with 0."""
    counts = dict.fromkeys((one.reason for one in spec.constraints), 0) | {
        r: n for r, n in dropped.items() if n
    }
    rows = sorted(counts.items(), key=lambda row: (-row[1], row[0]))
    return pd.DataFrame(rows, columns=["reason", "n"])


def _make(spec: MultiverseSpec, grids: list[EstimatorGrid], dropped: Counter[str]) -> set[Specification]:
    """The specifications of all grids; those that turn out alike are merged."""
    columns = dict(spec.choices.covariates.columns)
    constraints = _constraints(spec)
    made: set[Specification] = set()
    for grid in grids:
        for classes in grid.kept:
            for values in product(*(list(one.members()) for one in classes)):
                combination = dict(zip(DIMENSIONS, values, strict=True))
                stopped = None if grid.exact else broken(constraints, combination, unused(grid.estimator))
                if stopped is not None:
                    dropped[stopped.reason] += 1
                    continue
                one = specification(combination, columns)
                if one in made:
                    dropped[SAME_COLUMNS.format(estimator=grid.estimator)] += 1
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
    sizes = {d: n_choices(spec.choices, d, family) for d in DIMENSIONS}
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
