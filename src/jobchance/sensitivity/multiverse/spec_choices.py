"""The table `[choices]` of a multiverse file, checked whole: every problem is noted with its place."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from jobchance.errors import FormulaError, SpecError
from jobchance.sensitivity.multiverse.choices import (
    DIMENSIONS,
    Choices,
    CovariateChoices,
    SampleChoice,
)
from jobchance.sensitivity.multiverse.conditions import read_condition
from jobchance.sensitivity.multiverse.spec_terms import covariate_fault, read_term
from jobchance.sensitivity.multiverse.spec_text import Problems, kind, name_fault, not_known
from jobchance.sensitivity.multiverse.spec_values import is_list, read_value, whole_number
from jobchance.sensitivity.multiverse.specification import Condition

MAX_CHOICES = 500
MAX_CONDITIONS = 20
PLACE = "choices"
_COVARIATE_KEYS = ("each", "subsets", "min_size", "max_size", "sets", "always")
_NEEDED = {
    "exposure": "the column whose coefficient is reported, such as exposure = 'belief'",
    "covariates": "terms to adjust for, such as covariates = ['age', 'C(education)'], or [] for none",
}


def read_choices(raw: object, problems: Problems) -> Choices | None:
    """The choices; `None` where they are too incomplete to go on with."""
    if not isinstance(raw, Mapping):
        problems.add(PLACE, "the table [choices] is missing; it holds at least exposure and covariates")
        return None
    known_keys(raw, DIMENSIONS, PLACE, problems)
    for name, what in _NEEDED.items():
        if name not in raw:
            problems.add(f"{PLACE}.{name}", f"is missing: {what}")
    found = len(problems.lines)
    values: dict[str, Any] = {}
    for name in DIMENSIONS:
        if name in raw and name not in ("covariates", "sample"):
            values[name] = _several(raw[name], name, problems)
    if "sample" in raw:
        values["sample"] = _samples(raw["sample"], problems)
    if "covariates" in raw:
        exposures = [e for e in values.get("exposure", ()) if isinstance(e, str)]
        values["covariates"] = _covariates(raw["covariates"], exposures, problems)
    if len(problems.lines) > found or any(name not in raw for name in _NEEDED):
        return None
    return Choices(**values)


def known_keys(raw: Mapping[Any, Any], allowed: Collection[str], place: str, problems: Problems) -> None:
    """Note every key that is not allowed."""
    for key in raw:
        if key not in allowed:
            problems.add(place or "file", f"the key {not_known(key, allowed)}")


def read_at(place: str, problems: Problems, dimension: str, value: object) -> Any:
    """One canonical value, or `None` with a problem noted."""
    try:
        return read_value(dimension, value)
    except (SpecError, FormulaError) as error:
        problems.add(place, str(error))
        return None


def entries(raw: object, place: str, problems: Problems, *, at_most: int) -> list[tuple[str, Any]]:
    """The entries of a list with their places, counted from 1; a single value is a list of one."""
    if not isinstance(raw, list | tuple):
        return [(place, raw)]
    if not 0 < len(raw) <= at_most:
        problems.add(place, f"a list of 1 to {at_most} entries is needed, this one has {len(raw)}")
        return []
    return [(f"{place}[{number}]", entry) for number, entry in enumerate(raw, 1)]


def once(found: dict[Any, str], value: Any, place: str, problems: Problems) -> None:
    """Keep a value with its place, or note that it was there before."""
    if value in found:
        problems.add(place, f"says the same as {found[value]}")
    else:
        found[value] = place


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
    return tuple(sorted(found))


def _samples(raw: object, problems: Problems) -> tuple[SampleChoice, ...]:
    """Named sample rules, `all` first."""
    place = f"{PLACE}.sample"
    if not isinstance(raw, Mapping) or not 0 < len(raw) <= MAX_CHOICES:
        problems.add(
            place,
            "a table of named rules is needed, [choices.sample], such as young = [['age', '<', 30]]",
        )
        return ()
    found: dict[Any, str] = {}
    made = []
    for name, rule in raw.items():
        fault = name_fault(name)
        if fault:
            problems.add(place, fault)
            continue
        here = f"{place}.{name}"
        conditions = _conditions(rule, here, problems)
        if conditions is None:
            continue
        if (name == "all") == bool(conditions):
            problems.add(here, "the rule 'all', and no other, has no conditions: all = []")
            continue
        once(found, repr(conditions), here, problems)
        made.append(SampleChoice(name, conditions))
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


def _covariates(raw: object, exposures: Collection[str], problems: Problems) -> CovariateChoices:
    """Sets of terms from the short form (a list) or the table."""
    place = f"{PLACE}.covariates"
    table: Mapping[Any, Any] = {"each": raw} if is_list(raw) or isinstance(raw, str) else {}
    if isinstance(raw, Mapping):
        table = raw
        known_keys(raw, _COVARIATE_KEYS, place, problems)
        if not any(key in raw for key in ("each", "subsets", "sets")):
            problems.add(place, "names no terms; give each, subsets or sets")
        if "each" in raw and "subsets" in raw:
            problems.add(place, "each and subsets cannot stand together; keep one")
    elif not table:
        problems.add(place, f"a list of terms or a table is needed, not {kind(raw)}")
    reader = TermReader(exposures, problems)
    here = place if table is not raw else f"{place}.each"
    each = reader.terms(table.get("each", []), here)
    subsets = reader.terms(table.get("subsets", []), f"{place}.subsets")
    always = reader.terms(table.get("always", []), f"{place}.always")
    for name, terms in (("each", each), ("subsets", subsets)):
        for term in sorted(set(terms) & set(always)):
            problems.add(f"{place}.{name}", f"{term} stands in always too; keep one")
    low, high = _sizes(table, len(subsets), problems)
    return CovariateChoices(
        always=always,
        each=each,
        subsets=subsets,
        min_size=low,
        max_size=high,
        sets=_sets(table, reader, problems),
        columns=tuple(sorted(reader.columns.items())),
    )


def _sizes(table: Mapping[Any, Any], n: int, problems: Problems) -> tuple[int, int]:
    """Smallest and largest size of a subset."""
    sizes = {"min_size": 0, "max_size": n}
    for name in sizes:
        if name not in table:
            continue
        place = f"{PLACE}.covariates.{name}"
        if "subsets" not in table:
            problems.add(place, "limits the size of subsets, but there is no list subsets")
            continue
        try:
            sizes[name] = whole_number(table[name], 0, n)
        except SpecError as error:
            problems.add(place, str(error))
    if sizes["min_size"] > sizes["max_size"]:
        problems.add(f"{PLACE}.covariates.min_size", "is larger than max_size")
    return sizes["min_size"], sizes["max_size"]


def _sets(
    table: Mapping[Any, Any], reader: TermReader, problems: Problems
) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Named sets, sorted by name."""
    place = f"{PLACE}.covariates.sets"
    raw = table.get("sets", {})
    if not isinstance(raw, Mapping) or ("sets" in table and not 0 < len(raw) <= MAX_CHOICES):
        problems.add(place, "a table of named lists is needed: basic = ['age', 'sex']")
        return ()
    made = {}
    for name, terms in raw.items():
        fault = name_fault(name)
        if fault:
            problems.add(place, fault)
        elif name in ("none", "all") and ("each" in table or "subsets" in table):
            problems.add(
                f"{place}.{name}", f"each and subsets make a set of the name {name}; choose another name"
            )
        else:
            made[name] = reader.terms(terms, f"{place}.{name}")
    return tuple(sorted(made.items()))


class TermReader:
    """Reads lists of terms and remembers which columns each term names."""

    def __init__(self, exposures: Collection[str], problems: Problems) -> None:
        self.exposures = exposures
        self.problems = problems
        self.columns: dict[str, tuple[str, ...]] = {}

    def terms(self, raw: object, place: str) -> tuple[str, ...]:
        """Canonical terms of a list, sorted; problems are noted."""
        if is_list(raw) and not raw:
            return ()
        found: dict[Any, str] = {}
        for here, entry in entries(raw, place, self.problems, at_most=MAX_CHOICES):
            try:
                term, columns = read_term(entry)
                fault = covariate_fault(columns, self.exposures)
                if fault:
                    raise SpecError(fault)
            except (SpecError, FormulaError) as error:
                self.problems.add(here, str(error))
                continue
            self.columns[term] = columns
            once(found, term, here, self.problems)
        return tuple(sorted(found))
