"""`[main]` of a multiverse file: the one specification that the paper rests on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jobchance.sensitivity.multiverse.choices import (
    DIMENSIONS,
    Choices,
    specification,
    unused,
)
from jobchance.sensitivity.multiverse.conditions import Constraint, broken, own_constraints
from jobchance.sensitivity.multiverse.spec_constraints import Named
from jobchance.sensitivity.multiverse.spec_covariates import Family
from jobchance.sensitivity.multiverse.spec_entries import known_keys
from jobchance.sensitivity.multiverse.spec_sets import TermReader
from jobchance.sensitivity.multiverse.spec_text import Problems, kind
from jobchance.sensitivity.multiverse.spec_values import is_list
from jobchance.sensitivity.multiverse.specification import Specification

PLACE = "main"
Main = tuple[tuple[str, Any], ...]


def read_main(
    raw: object, named: Named, constraints: tuple[Constraint, ...], problems: Problems
) -> Main | None:
    """What `[main]` says, by dimension; `None` without that table or where it cannot be used."""
    if raw is None:
        return None
    if not isinstance(raw, Mapping):
        problems.add(PLACE, f"a table is needed, not {kind(raw)}")
        return None
    known_keys(raw, DIMENSIONS, PLACE, problems)
    before = len(problems.lines)
    stated = {name: _value(name, raw[name], named, problems) for name in DIMENSIONS if name in raw}
    if len(problems.lines) > before or named.broken:
        return None
    _require_complete(stated, named, problems)
    if len(problems.lines) > before:
        return None
    combination = _combination(named.choices, stated)
    stopped = broken(
        (*own_constraints(named.choices), *constraints), combination, unused(combination["estimator"])
    )
    if stopped is not None:
        problems.add(PLACE, f"the main specification is left out by a constraint ({stopped.reason})")
        return None
    return tuple(stated.items())


def main_specification(choices: Choices, main: Main) -> Specification:
    """The main specification in canonical form."""
    return specification(_combination(choices, dict(main)), dict(choices.covariates.columns))


def _value(name: str, raw: object, named: Named, problems: Problems) -> Any:
    """The choice of one dimension; covariates by the name of a set or as a list of terms."""
    place = f"{PLACE}.{name}"
    if name != "covariates":
        return named.read(name, raw, place, problems)
    if is_list(raw) and name not in named.broken:
        terms = frozenset(TermReader(named.choices.exposure, problems).terms(raw, place))
        if named.family.holds(terms):
            return tuple(sorted(terms))
        problems.add(place, "these terms are none of the sets of choices.covariates (always included)")
        return None
    chosen = named.read(name, raw, place, problems)
    return None if chosen is None else tuple(sorted(named.sets[chosen]))


def _require_complete(stated: Mapping[str, Any], named: Named, problems: Problems) -> None:
    """Every dimension with several choices, of those that the main estimator uses, must be stated."""
    sizes = {name: len(named.choices.of(name)) for name in DIMENSIONS if name != "covariates"}
    sizes["covariates"] = named.family.n
    estimator = stated.get("estimator", named.choices.estimator[0])
    idle = unused(estimator) if "estimator" in stated or sizes["estimator"] == 1 else ()
    absent = [name for name in DIMENSIONS if sizes[name] > 1 and name not in stated and name not in idle]
    if absent:
        problems.add(PLACE, f"does not say which choice it takes of: {', '.join(absent)}")


def _combination(choices: Choices, stated: Mapping[str, Any]) -> dict[str, Any]:
    """One choice on every dimension; where nothing was stated there is only one, or it is not used."""
    made: dict[str, Any] = {}
    for name in DIMENSIONS:
        if name in stated:
            made[name] = stated[name]
        elif name == "covariates":
            made[name] = next(Family(choices.covariates).members())
        else:
            made[name] = choices.of(name)[0]
    return made
