"""`Layout`: a fitted design without its rows. Makes the same columns from new data; can be stored."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from jobchance.design.codings import (
    CategoricalCoding,
    Coding,
    NumericCoding,
    PolynomialCoding,
    SplineCoding,
)
from jobchance.design.columns import Floats, counted, infinite_counts, require_columns
from jobchance.design.formula import INTERCEPT, Formula, parse_formula, term_label
from jobchance.design.nodes import Call, Node, columns_of
from jobchance.errors import DesignError, SpecError

KIND = "design"


@dataclass(frozen=True, eq=False)
class Layout:
    """Remembered coding of one side of a formula; row-free, so it may be stored.

    Parameters
    ----------
    formula : Formula
        The covariates (no outcome, no random terms).
    codings : mapping of Node to Coding
        Coding of every factor.
    full : tuple of tuple of bool
        For each term and factor, whether a categorical factor keeps its reference level there.
    kept : tuple of int
        Positions of the columns kept, collinear ones left out.
    columns : tuple of str
        Names of the kept columns.
    terms : tuple of str
        Term that each kept column belongs to.
    """

    formula: Formula
    codings: Mapping[Node, Coding]
    full: tuple[tuple[bool, ...], ...]
    kept: tuple[int, ...]
    columns: tuple[str, ...]
    terms: tuple[str, ...]

    def matrix(self, data: pd.DataFrame) -> Floats:
        """Design matrix (n, k) of new data; a row with a missing value is NaN throughout.

        Raises
        ------
        FormulaError
            Columns of the fit are absent; all are listed.
        DesignError
            A categorical column has levels that the fit has not seen, or a number is infinite.
        """
        used = self.used_columns
        require_columns(used, data)
        problems, blocks = infinite_problems(used, data), {}
        for factor, coding in self.codings.items():
            try:
                blocks[factor] = {full: coding.encode(data, full=full) for full in self.needed(factor)}
            except DesignError as error:
                problems.append(str(error))
        if problems:
            raise DesignError("\n".join(problems))
        X = assemble(self.formula, self.full, blocks, len(data))[:, list(self.kept)]
        X[np.isnan(X).any(axis=1)] = np.nan
        return X

    @property
    def used_columns(self) -> tuple[str, ...]:
        """Columns of the data that the fixed part reads."""
        return tuple(dict.fromkeys(name.name for factor in self.codings for name in columns_of(factor)))

    def categorical_levels(self, column: str) -> tuple[str, ...] | None:
        """Levels of a categorical column, the reference first; `None` if it is not coded by levels."""
        for coding in self.codings.values():
            if isinstance(coding, CategoricalCoding) and coding.column == column:
                rest = [level for i, level in enumerate(coding.levels) if i != coding.reference]
                return (coding.levels[coding.reference], *rest)
        return None

    def to_dict(self) -> dict[str, Any]:
        """Content as JSON values: formula, levels and constants; no rows."""
        return {
            "kind": KIND,
            "formula": self.formula.text,
            "codings": [_coding_dict(coding) for coding in self.codings.values()],
            "full": [list(flags) for flags in self.full],
            "kept": list(self.kept),
        }

    def needed(self, factor: Node) -> set[bool]:
        """Which of the two codings of a factor the terms use."""
        return {
            flag
            for term, flags in zip(self.formula.terms, self.full, strict=True)
            for other, flag in zip(term, flags, strict=True)
            if other == factor
        }


def read_layout(stored: Mapping[str, Any]) -> Layout:
    """Read back what `Layout.to_dict` stored.

    Raises
    ------
    SpecError
        `stored` is not a stored layout.
    """
    if stored.get("kind") != KIND:
        raise SpecError("This is not a stored design.")
    formula = parse_formula(stored["formula"])
    pairs = zip(factors_of(formula), stored["codings"], strict=True)
    codings = {factor: _coding_from(factor, content) for factor, content in pairs}
    full = tuple(tuple(flags) for flags in stored["full"])
    return make_layout(formula, codings, full, stored["kept"])


def make_layout(
    formula: Formula,
    codings: Mapping[Node, Coding],
    full: tuple[tuple[bool, ...], ...],
    kept: Sequence[int] | None,
) -> Layout:
    """Layout with the names of its kept columns; `kept=None` keeps all."""
    names, terms = _column_names(formula, codings, full)
    positions = range(len(names)) if kept is None else kept
    return Layout(
        formula,
        codings,
        full,
        tuple(positions),
        tuple(names[i] for i in positions),
        tuple(terms[i] for i in positions),
    )


def factors_of(formula: Formula) -> list[Node]:
    """The different factors of the fixed terms, in order."""
    return list(dict.fromkeys(factor for term in formula.terms for factor in term))


def infinite_problems(names: Sequence[str], data: pd.DataFrame) -> list[str]:
    """What is wrong with infinite values, counted by column; empty if there are none."""
    infinite = infinite_counts(names, data)
    if infinite:
        counts = ", ".join(f"{name} ({counted(count, 'row')})" for name, count in infinite.items())
        return [f"Infinite values in {counts}. Set them to missing, or mend them."]
    return []


def full_flags(formula: Formula, codings: Mapping[Node, Coding]) -> tuple[tuple[bool, ...], ...]:
    """Where a categorical factor needs all its levels, by R's rule.

    In a term, a factor leaves out its reference level if the term without that factor is in the formula
    (for a main effect: the intercept); otherwise all its levels have a column. Without an intercept the
    first purely categorical term keeps all levels of its first factor.
    """
    present = {frozenset(term) for term in formula.terms}
    flags = []
    owed = not formula.intercept
    for term in formula.terms:
        mine = [len(term) > 1 and frozenset(term) - {factor} not in present for factor in term]
        if owed and all(isinstance(codings[factor], CategoricalCoding) for factor in term):
            mine[0] = True
            owed = False
        flags.append(tuple(mine))
    return tuple(flags)


def assemble(
    formula: Formula,
    full: tuple[tuple[bool, ...], ...],
    blocks: Mapping[Node, Mapping[bool, Floats]],
    n: int,
) -> Floats:
    """All columns: the intercept, then each term as the row-wise product of its factors."""
    used = [
        [blocks[factor][flag] for factor, flag in zip(term, flags, strict=True)]
        for term, flags in zip(formula.terms, full, strict=True)
    ]
    widths = [math.prod(block.shape[1] for block in term) for term in used]
    X = np.empty((n, formula.intercept + sum(widths)))
    X[:, : int(formula.intercept)] = 1.0
    end = int(formula.intercept)
    for (product, *others), width in zip(used, widths, strict=True):
        for block in others:
            product = (block[:, :, None] * product[:, None, :]).reshape(n, -1)
        X[:, end : end + width] = product
        end += width
    return X


def _column_names(
    formula: Formula, codings: Mapping[Node, Coding], full: tuple[tuple[bool, ...], ...]
) -> tuple[list[str], list[str]]:
    """Name and term of every column, in the order of `assemble`: the first factor varies fastest."""
    names, terms = ([INTERCEPT], [INTERCEPT]) if formula.intercept else ([], [])
    for term, flags in zip(formula.terms, full, strict=True):
        mine = [""]
        for factor, flag in zip(term, flags, strict=True):
            block = codings[factor].names(full=flag)
            mine = [f"{before}:{name}" if before else name for name in block for before in mine]
        names += mine
        terms += [term_label(term)] * len(mine)
    return names, terms


def _coding_dict(coding: Coding) -> dict[str, Any]:
    """One coding as JSON values."""
    match coding:
        case NumericCoding():
            return {"kind": "numeric"}
        case CategoricalCoding():
            return {
                "kind": "categorical",
                "column": coding.column,
                "levels": list(coding.levels),
                "reference": coding.reference,
            }
        case PolynomialCoding():
            return {"kind": "polynomial", "centres": list(coding.centres), "norms": list(coding.norms)}
        case SplineCoding():
            return {"kind": "spline", "knots": list(coding.knots)}


def _coding_from(factor: Node, stored: Mapping[str, Any]) -> Coding:
    """One coding from JSON values."""
    kind = stored["kind"]
    if kind == "categorical":
        levels = tuple(stored["levels"])
        return CategoricalCoding(factor, stored["column"], levels, stored["reference"])
    if kind == "numeric":
        return NumericCoding(factor)
    assert isinstance(factor, Call), "bases are calls"
    if kind == "polynomial":
        return PolynomialCoding(factor, tuple(stored["centres"]), tuple(stored["norms"]))
    return SplineCoding(factor, tuple(stored["knots"]))
