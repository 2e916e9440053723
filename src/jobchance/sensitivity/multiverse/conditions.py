"""Conditions: what a row must fulfil to be in a sample, and what a combination must fulfil to be run.

Both are lists of comparisons; there is no expression language.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

from jobchance.errors import SpecError
from jobchance.sensitivity.multiverse.choices import Choices, SampleChoice
from jobchance.sensitivity.multiverse.spec_terms import AFTER
from jobchance.sensitivity.multiverse.spec_text import kind, not_known
from jobchance.sensitivity.multiverse.spec_values import column, is_list, text_value
from jobchance.sensitivity.multiverse.specification import Condition

COMPARISONS = ("==", "!=", "<", "<=", ">", ">=", "in")
_ORDERED = ("<", "<=", ">", ">=")
MAX_VALUES = 200
_LARGEST = 2.0**53
_NO_CONDITION = AFTER | {
    "measurement_id": "an identifier has no place in a file",
    "citizen_id": "an identifier of a person has no place in a file",
    "caseworker_id": "an identifier of a person has no place in a file; use leave_one_out",
    "date": "use wave or period",
}
WITH, WITHOUT = "with_covariates", "without_covariates"


def read_condition(entry: object) -> Condition:
    """`[column, comparison, value]` as a checked condition.

    Raises
    ------
    SpecError
        Another shape, a column that cannot be selected on, an unknown comparison, or a value that is no
        text, number, true/false or (with `in`) a list of texts or of numbers. The value is never shown.
    """
    if not isinstance(entry, list | tuple) or len(entry) != 3:
        raise SpecError("a condition is [column, comparison, value], such as ['age', '<', 50]")
    name = column(entry[0], refused=_NO_CONDITION)
    comparison, value = entry[1], entry[2]
    if isinstance(comparison, str) and comparison == "=":
        raise SpecError("'=' is not known; equality is '=='")
    if not isinstance(comparison, str) or comparison not in COMPARISONS:
        raise SpecError(not_known(comparison, COMPARISONS))
    if comparison == "in":
        return name, comparison, _several(value)
    if is_list(value):
        raise SpecError(f"{comparison} takes one value; several stand after 'in'")
    checked = _value(value)
    if comparison in _ORDERED and not isinstance(checked, float):
        raise SpecError(f"{comparison} compares with a number, not {kind(value)}")
    return name, comparison, checked


def _value(value: object) -> str | float | bool:
    """A text, a finite number or true/false; numbers are floating, so that 1 and 1.0 are the same."""
    if isinstance(value, bool):
        return value
    if isinstance(value, Real):
        number: Any = value  # compared before it is made floating: a whole number may be too long for that
        if not -_LARGEST <= number <= _LARGEST:
            raise SpecError("the number to compare with is not finite or too large")
        return float(value) + 0.0  # minus zero becomes zero
    if isinstance(value, str):
        return text_value(value)
    raise SpecError(f"a text, a number or true/false is needed, not {kind(value)}")


def _several(value: object) -> tuple[str | float, ...]:
    """The values after `in`, sorted, each once."""
    if not isinstance(value, list | tuple) or not 0 < len(value) <= MAX_VALUES:
        raise SpecError(f"'in' takes a list of 1 to {MAX_VALUES} values")
    values = [_value(entry) for entry in value]
    kinds = {type(entry) for entry in values}
    if kinds not in ({str}, {float}):
        raise SpecError("the values after 'in' are all texts or all numbers")
    return tuple(sorted(set(values)))


@dataclass(frozen=True)
class Test:
    """One comparison of a combination: the choice on `dimension` is one of `values`.

    Parameters
    ----------
    dimension : str
        One of `DIMENSIONS`, or `with_covariates` (all of `values` are adjusted for) or `without_covariates`
        (none of them is).
    values : tuple
        Canonical choices; names of samples and of covariate sets.
    sets : frozenset of frozenset of str
        For `covariates`: the terms of the named sets.
    """

    __test__ = False  # no test of pytest

    dimension: str
    values: tuple[Any, ...]
    sets: frozenset[frozenset[str]] = frozenset()

    @property
    def axis(self) -> str:
        """The dimension that is looked at."""
        return "covariates" if self.dimension in (WITH, WITHOUT) else self.dimension

    def holds(self, value: Any) -> bool:
        """Whether a choice on `axis` passes."""
        if self.dimension == WITH:
            return set(self.values) <= set(value)
        if self.dimension == WITHOUT:
            return not set(self.values) & set(value)
        if self.dimension == "covariates":
            return frozenset(value) in self.sets
        return (value.name if isinstance(value, SampleChoice) else value) in self.values


@dataclass(frozen=True)
class Constraint:
    """Combinations that are left out: `when` holds and, where there is a `then`, that does not.

    Parameters
    ----------
    when, then : tuple of Test
        All must hold. A test of a dimension that the estimator does not use never triggers a constraint and
        never breaks one.
    reason : str
        In the file's own words, or its place in the file.
    """

    when: tuple[Test, ...]
    then: tuple[Test, ...] = ()
    reason: str = ""

    @property
    def tests(self) -> tuple[Test, ...]:
        """All of them."""
        return (*self.when, *self.then)

    def breaks(self, true: Collection[Test], unused: Collection[str]) -> bool:
        """Whether a combination with these true tests is left out."""
        if not all(test in true and test.axis not in unused for test in self.when):
            return False
        return not self.then or any(test not in true and test.axis not in unused for test in self.then)


def broken(
    constraints: Sequence[Constraint], combination: Mapping[str, Any], unused: Collection[str]
) -> Constraint | None:
    """The first constraint that a combination breaks, or `None`."""
    for constraint in constraints:
        true = {test for test in constraint.tests if test.holds(combination[test.axis])}
        if constraint.breaks(true, unused):
            return constraint
    return None


NEEDS_TWO_WAVES = "the within estimator needs two waves, the window holds one"
NOTHING_TO_FILL = "without covariates there is nothing to fill in: the same as 'complete'"


def own_constraints(choices: Choices) -> tuple[Constraint, ...]:
    """Combinations that cannot be estimated, or say the same as another, whatever the data."""
    made = []
    single = tuple(window for window in choices.waves if window[0] is not None and window[0] == window[1])
    if single:
        within = Test("estimator", ("within",))
        made.append(Constraint((within, Test("waves", single)), reason=NEEDS_TWO_WAVES))
    if {"complete", "indicator"} <= set(choices.missing):
        empty = Test("covariates", (), sets=frozenset([frozenset[str]()]))
        made.append(Constraint((empty, Test("missing", ("indicator",))), reason=NOTHING_TO_FILL))
    return tuple(made)
