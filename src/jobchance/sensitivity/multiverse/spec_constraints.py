"""`[[exclude]]` and `[[require]]` of a multiverse file: choices that were named before, named again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jobchance.errors import FormulaError
from jobchance.sensitivity.multiverse.choices import (
    DIMENSIONS,
    OF_THE_PANEL,
    Choices,
    SampleChoice,
    waves_text,
)
from jobchance.sensitivity.multiverse.conditions import WITH, WITHOUT, Constraint, Test
from jobchance.sensitivity.multiverse.spec_covariates import Family
from jobchance.sensitivity.multiverse.spec_entries import MAX_CHOICES, entries, known_keys, once, read_at
from jobchance.sensitivity.multiverse.spec_terms import read_term
from jobchance.sensitivity.multiverse.spec_text import Problems, kind, label_fault, not_known

MAX_CONSTRAINTS = 100
_TESTABLE = (*DIMENSIONS, WITH, WITHOUT)
_KINDS = ("exclude", "require")


class Named:
    """The choices of a file as other parts of it name them."""

    def __init__(
        self, choices: Choices, stated: frozenset[str], broken: frozenset[str] = frozenset()
    ) -> None:
        self.choices = choices
        self.stated = stated
        self.broken = broken  # dimensions whose choices are not known, so that nothing is said of them
        self.family = Family(choices.covariates)
        self.sets = self.family.named()

    def read(self, dimension: str, raw: object, place: str, problems: Problems) -> Any:
        """One choice that the file names again; `None` with a problem noted where it is not there."""
        if dimension in OF_THE_PANEL and dimension not in self.stated:
            problems.add(place, f"names a choice, but choices.{dimension} is not given; state it there first")
            return None
        if dimension in self.broken and dimension in ("sample", "covariates"):
            return None
        if dimension == "sample":
            return self._sample(raw, place, problems)
        if dimension == "covariates":
            return self._set_name(raw, place, problems)
        value = read_at(place, problems, dimension, raw)
        if value is not None and dimension not in self.broken and value not in self.choices.of(dimension):
            listed = ", ".join(text_of(dimension, choice) for choice in self.choices.of(dimension))
            problems.add(place, f"{text_of(dimension, value)} is none of choices.{dimension}: {listed}")
            return None
        return value

    def term(self, dimension: str, raw: object, place: str, problems: Problems) -> str | None:
        """A term of the covariates; `None` with a problem noted where it is none."""
        try:
            term, _ = read_term(raw)
        except FormulaError as error:
            problems.add(place, str(error))
            return None
        if "covariates" in self.broken or term in self.choices.covariates.terms:
            return term
        problems.add(
            place,
            f"{dimension} names covariates; {not_known(term, self.choices.covariates.terms)}",
        )
        return None

    def _sample(self, raw: object, place: str, problems: Problems) -> SampleChoice | None:
        by_name = {sample.name: sample for sample in self.choices.sample}
        if isinstance(raw, str) and raw in by_name:
            return by_name[raw]
        problems.add(place, not_known(raw, by_name))
        return None

    def _set_name(self, raw: object, place: str, problems: Problems) -> str | None:
        if isinstance(raw, str) and raw in self.sets:
            return str(raw)
        named = f" {not_known(raw, tuple(self.sets))}" if self.sets else " no set of this file has a name"
        problems.add(place, f"a set of covariates is named here.{named}")
        return None


def text_of(dimension: str, value: Any) -> str:
    """A canonical choice as a file writes it."""
    if dimension == "waves":
        return waves_text(value)
    if isinstance(value, tuple):
        return " + ".join(value) or "none"
    return str(value)


def read_constraints(raw: Mapping[str, Any], named: Named, problems: Problems) -> tuple[Constraint, ...]:
    """All constraints of a file, in an order that does not depend on that of writing."""
    found: dict[Constraint, str] = {}
    for sort in _KINDS:
        tables = raw.get(sort, [])
        if not isinstance(tables, list | tuple) or len(tables) > MAX_CONSTRAINTS:
            problems.add(sort, f"[[{sort}]] in double brackets is needed, at most {MAX_CONSTRAINTS} times")
            continue
        for number, table in enumerate(tables, 1):
            place = f"{sort}[{number}]"
            if not isinstance(table, Mapping):
                problems.add(place, f"a table is needed, not {kind(table)}")
                continue
            constraint = _constraint(sort, table, place, named, problems)
            if constraint is not None:
                once(found, constraint, place, problems)
    return tuple(sorted(found, key=_order))


def _constraint(
    sort: str, table: Mapping[Any, Any], place: str, named: Named, problems: Problems
) -> Constraint | None:
    """One `[[exclude]]` or `[[require]]`."""
    if sort == "exclude":
        known_keys(table, (*_TESTABLE, "reason"), place, problems)
        when = _tests({k: v for k, v in table.items() if k != "reason"}, place, named, problems)
        then: tuple[Test, ...] = ()
    else:
        known_keys(table, ("when", "then", "reason"), place, problems)
        when, then = (_part(table, part, place, named, problems) for part in ("when", "then"))
    if "reason" in table and (fault := label_fault(table["reason"])):
        problems.add(f"{place}.reason", fault)
    if not when or (sort == "require" and not then):
        return None
    reason = table.get("reason")
    return Constraint(when, then, reason=str(reason) if reason else _in_words(when, then))


def _part(
    table: Mapping[Any, Any], part: str, place: str, named: Named, problems: Problems
) -> tuple[Test, ...]:
    """`when` or `then` of a `[[require]]`."""
    raw = table.get(part)
    if not isinstance(raw, Mapping):
        problems.add(f"{place}.{part}", "a table is needed, such as when = { estimator = 'within' }")
        return ()
    known_keys(raw, _TESTABLE, f"{place}.{part}", problems)
    return _tests(raw, f"{place}.{part}", named, problems)


def _tests(raw: Mapping[Any, Any], place: str, named: Named, problems: Problems) -> tuple[Test, ...]:
    """Every test of a table, in the order of the dimensions."""
    tests = []
    for name in _TESTABLE:
        if name not in raw:
            continue
        read = named.term if name in (WITH, WITHOUT) else named.read
        values = [
            read(name, entry, here, problems)
            for here, entry in entries(raw[name], f"{place}.{name}", problems, at_most=MAX_CHOICES)
        ]
        kept = [v.name if isinstance(v, SampleChoice) else v for v in values if v is not None]
        sets = frozenset(named.sets[v] for v in kept) if name == "covariates" else frozenset()
        tests.append(Test(name, tuple(sorted(set(kept), key=repr)), sets))
    if not tests:
        problems.add(place, "names no choice, such as estimator = 'within'")
    return tuple(tests)


def _order(constraint: Constraint) -> str:
    """Sort key; a set of sets has no order of its own."""
    return repr([(test.dimension, test.values) for test in constraint.tests] + [constraint.reason])


def _in_words(when: tuple[Test, ...], then: tuple[Test, ...]) -> str:
    """A constraint as text, where the file gives no reason."""
    words = [" and ".join(_test_text(test) for test in part) for part in (when, then) if part]
    return f"excluded: {words[0]}" if len(words) < 2 else f"required: {words[1]} when {words[0]}"


def _test_text(test: Test) -> str:
    joint = " and " if test.dimension in (WITH, WITHOUT) else " or "
    return f"{test.dimension} = {joint.join(text_of(test.dimension, value) for value in test.values)}"
