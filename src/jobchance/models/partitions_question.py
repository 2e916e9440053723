"""What is asked of data in partitions: a formula, its columns, and the column whose levels are kept whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from jobchance.design.formula import Formula, parse_formula
from jobchance.design.nodes import Call, Name
from jobchance.errors import DesignError, SpecError

LEARNED = ("poly", "spline")


@dataclass(frozen=True)
class Question:
    """What every partition is asked about: a formula with its columns, and the column that is kept whole.

    Parameters
    ----------
    formula : str
        As given by the user.
    weights, offset : str or None
        Columns.
    outcome : str
        What the left side must give, see `build_design`.
    by : str
        Column whose levels each lie in one partition.
    """

    formula: str
    weights: str | None
    offset: str | None
    outcome: str
    by: str

    @cached_property
    def parsed(self) -> Formula:
        """The formula taken apart."""
        return parse_formula(self.formula)

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns that are read, in the order in which missing values are counted."""
        further = [column for column in (self.weights, self.offset) if isinstance(column, str)]
        return tuple(dict.fromkeys([*self.parsed.columns, *further]))

    def private(self, group: Sequence[str]) -> bool:
        """Whether each level of a grouping lies in one partition."""
        return self.by in group

    @property
    def level_columns(self) -> set[str]:
        """Columns of which every value matters, whatever their kind."""
        found = {name for t in self.parsed.random if not self.private(t.group) for name in t.group}
        if self.outcome == "ordinal" and isinstance(self.parsed.outcome, Name):
            found.add(self.parsed.outcome.name)
        for factor in self._factors:
            if isinstance(factor, Call) and factor.function == "C" and isinstance(factor.arguments[0], Name):
                found.add(factor.arguments[0].name)
        return found

    def check(self) -> None:
        """Refuse what partitions cannot give.

        Raises
        ------
        DesignError
            A basis learned from all rows.
        SpecError
            No grouping holds the column of the partitions.
        """
        learned = {f.function for f in self._factors if isinstance(f, Call) and f.function in LEARNED}
        if learned:
            raise DesignError(
                f"{', '.join(sorted(learned))}() is learned from the order of all rows, which partitions "
                f"do not give: "
                "write the columns into the files, or use I() and log()."
            )
        if not any(self.private(term.group) for term in self.parsed.random):
            raise SpecError(
                f"The partitions keep levels of {self.by} together, but the formula has no random effects "
                f"of {self.by}: "
                f"add (1 | {self.by}), or partition the rows by the largest grouping of the formula."
            )

    @property
    def modelled(self) -> set[str]:
        """Columns that stand anywhere but in groupings of the partitions' column."""
        others = tuple(term for term in self.parsed.random if not self.private(term.group))
        bare = tuple(replace(term, group=()) for term in self.parsed.random if self.private(term.group))
        further = [column for column in (self.weights, self.offset) if column is not None]
        return {*replace(self.parsed, random=(*others, *bare)).columns, *further}

    @property
    def _factors(self) -> list[object]:
        sides = [self.parsed.terms, *(term.terms for term in self.parsed.random)]
        return [factor for terms in sides for term in terms for factor in term]
