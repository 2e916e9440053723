"""The table `[choices]` of a multiverse file, checked whole: every problem is noted with its place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jobchance.errors import SpecError
from jobchance.sensitivity.multiverse.choices import (
    DIMENSIONS,
    ESTIMATORS,
    Choices,
    CovariateChoices,
    SampleChoice,
)
from jobchance.sensitivity.multiverse.conditions import read_condition
from jobchance.sensitivity.multiverse.spec_entries import MAX_CHOICES, entries, known_keys, once, read_at
from jobchance.sensitivity.multiverse.spec_sets import read_covariates
from jobchance.sensitivity.multiverse.spec_text import Problems, name_fault
from jobchance.sensitivity.multiverse.specification import Condition

MAX_CONDITIONS = 20
PLACE = "choices"
_NEEDED = {
    "exposure": "the column whose coefficient is reported, such as exposure = 'belief'",
    "covariates": "terms to adjust for, such as covariates = ['age', 'C(education)'], or [] for none",
}


def read_choices(raw: object, problems: Problems) -> tuple[Choices, frozenset[str]] | None:
    """The choices, and the dimensions with problems; `None` without a table at all."""
    if not isinstance(raw, Mapping):
        problems.add(PLACE, "the table [choices] is missing; it holds at least exposure and covariates")
        return None
    known_keys(raw, DIMENSIONS, PLACE, problems)
    for name, what in _NEEDED.items():
        if name not in raw:
            problems.add(f"{PLACE}.{name}", f"is missing: {what}")
    values: dict[str, Any] = {"exposure": (), "covariates": CovariateChoices()}
    broken = {name for name in _NEEDED if name not in raw}
    for name in (*(d for d in DIMENSIONS if d != "covariates"), "covariates"):
        if name not in raw:
            continue
        before = len(problems.lines)
        if name == "covariates":
            values[name] = read_covariates(raw[name], values["exposure"], problems)
        else:
            values[name] = (_samples if name == "sample" else _several)(raw[name], name, problems)
        if len(problems.lines) > before:
            broken.add(name)
    return Choices(**values), frozenset(broken)


def _several(raw: object, name: str, problems: Problems) -> tuple[Any, ...]:
    """The choices of a dimension, sorted."""
    found: dict[Any, str] = {}
    for place, entry in entries(raw, f"{PLACE}.{name}", problems, at_most=MAX_CHOICES):
        value = read_at(place, problems, name, entry)
        if value is not None:
            once(found, value, place, problems)
    if name == "waves":
        return tuple(
            sorted(found, key=lambda w: (-1 if w[0] is None else w[0], 1e9 if w[1] is None else w[1]))
        )
    return tuple(sorted(found, key=ESTIMATORS.index if name == "estimator" else None))


def _samples(raw: object, name: str, problems: Problems) -> tuple[SampleChoice, ...]:
    """Named sample rules, `all` first."""
    place = f"{PLACE}.{name}"
    if not isinstance(raw, Mapping) or not 0 < len(raw) <= MAX_CHOICES:
        problems.add(
            place,
            "a table of named rules is needed, [choices.sample], such as young = [['age', '<', 30]]",
        )
        return ()
    found: dict[Any, str] = {}
    made = []
    for own, rule in raw.items():
        fault = name_fault(own)
        if fault:
            problems.add(place, fault)
            continue
        here = f"{place}.{own}"
        conditions = _conditions(rule, here, problems)
        if conditions is None:
            continue
        if (own == "all") == bool(conditions):
            problems.add(here, "the rule 'all', and no other, has no conditions: all = []")
            continue
        once(found, repr(conditions), here, problems)
        made.append(SampleChoice(own, conditions))
    return tuple(sorted(made, key=lambda sample: (sample.name != "all", sample.name)))


def _conditions(rule: object, place: str, problems: Problems) -> tuple[Condition, ...] | None:
    """Conditions of one rule, sorted; `None` where something is wrong with them."""
    if not isinstance(rule, list | tuple) or len(rule) > MAX_CONDITIONS:
        problems.add(
            place, f"at most {MAX_CONDITIONS} conditions [column, comparison, value] are needed here"
        )
        return None
    before = len(problems.lines)
    found: dict[Any, str] = {}
    made = []
    for number, entry in enumerate(rule, 1):
        here = f"{place}[{number}]"
        try:
            condition = read_condition(entry)
        except SpecError as error:
            problems.add(here, str(error))
            continue
        once(found, repr(condition), here, problems)
        made.append(condition)
    return None if len(problems.lines) > before else tuple(sorted(made, key=repr))
