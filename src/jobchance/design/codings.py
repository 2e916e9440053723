"""How one factor of a term becomes columns, learned once from the data and remembered for new data.

Each coding holds constants and level names only, never rows. Letters in `PolynomialCoding`: a_j, n_j are
the recurrence constants of Kennedy & Gentle (1980, p. 343), as in R's `poly`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import pandas as pd

from jobchance.design.arithmetic import basis_size, evaluate
from jobchance.design.columns import Floats, counted, is_categorical, level_codes
from jobchance.design.nodes import Call, Name, Node, Number, Text, number_text, render
from jobchance.errors import DesignError


@dataclass(frozen=True)
class NumericCoding:
    """A numeric column, `I()` or `log()`: one column as it is."""

    node: Node

    def names(self, *, full: bool) -> tuple[str, ...]:
        """Column names; `full` makes no difference here."""
        return (render(self.node),)

    def encode(self, data: pd.DataFrame, *, full: bool) -> Floats:
        """Column (n, 1)."""
        return evaluate(self.node, data)[:, None]


@dataclass(frozen=True)
class CategoricalCoding:
    """A categorical column: a 0/1 column per level, without the reference level unless `full`."""

    node: Node
    column: str
    levels: tuple[str, ...]
    reference: int

    def names(self, *, full: bool) -> tuple[str, ...]:
        """Names such as `education[vocational]`."""
        return tuple(f"{render(Name(self.column))}[{self.levels[i]}]" for i in self._shown(full))

    def encode(self, data: pd.DataFrame, *, full: bool) -> Floats:
        """Columns (n, levels or levels - 1), NaN where missing; a new level raises a `DesignError`."""
        codes, seen = level_codes(data, self.column)
        position = {level: i for i, level in enumerate(self.levels)}
        known = np.array([position.get(level, -2) for level in seen] + [-1])
        mine = known[codes]
        unseen = int(np.sum(mine == -2))
        if unseen:
            raise DesignError(
                f"Column {self.column}: a level that the fit has not seen, in {counted(unseen, 'row')}."
            )
        coded: Floats = (mine[:, None] == np.array(self._shown(full))[None, :]).astype(np.float64)
        coded[mine < 0] = np.nan
        return coded

    def _shown(self, full: bool) -> list[int]:
        """Levels that have a column."""
        return [i for i in range(len(self.levels)) if full or i != self.reference]


@dataclass(frozen=True)
class PolynomialCoding:
    """`poly(x, degree)`: polynomials orthogonal to each other and to the constant, as R's `poly`."""

    node: Call
    centres: tuple[float, ...]
    norms: tuple[float, ...]

    def names(self, *, full: bool) -> tuple[str, ...]:
        """Names such as `poly(age, 2)[1]`."""
        return tuple(f"{render(self.node)}[{j + 1}]" for j in range(len(self.centres)))

    def encode(self, data: pd.DataFrame, *, full: bool) -> Floats:
        """Columns (n, degree) by the three-term recurrence."""
        x = evaluate(self.node.arguments[0], data)
        before, now = np.zeros_like(x), np.ones_like(x)
        columns = []
        for j, centre in enumerate(self.centres):
            back = self.norms[j] / self.norms[j - 1] if j else 0.0
            before, now = now, (x - centre) * now - back * before
            columns.append(now / np.sqrt(self.norms[j + 1]))
        return np.column_stack(columns)


@dataclass(frozen=True)
class SplineCoding:
    """`spline(x, df)`: natural cubic spline, linear beyond the outer knots.

    Spans the same curves as R's `splines::ns(x, df)`: inner knots at evenly spaced quantiles, outer knots
    at the smallest and largest value; the basis is that of Hastie, Tibshirani & Friedman (2009, eq. 5.4).
    """

    node: Call
    knots: tuple[float, ...]

    def names(self, *, full: bool) -> tuple[str, ...]:
        """Names such as `spline(age, df=4)[1]`."""
        return tuple(f"{render(self.node)}[{j + 1}]" for j in range(len(self.knots) - 1))

    def encode(self, data: pd.DataFrame, *, full: bool) -> Floats:
        """Columns (n, df): x itself and df - 1 curved functions, x scaled to 0-1 between the outer knots."""
        low, high = self.knots[0], self.knots[-1]
        x = (evaluate(self.node.arguments[0], data) - low) / (high - low)
        knots = (np.array(self.knots) - low) / (high - low)
        last = self._bend(x, knots[-2])
        return np.column_stack([x, *(self._bend(x, knot) - last for knot in knots[:-2])])

    @staticmethod
    def _bend(x: Floats, knot: float) -> Floats:
        """`((x - knot)^3_+ - (x - 1)^3_+) / (1 - knot)` on the 0-1 scale."""
        bend: Floats = (np.maximum(x - knot, 0) ** 3 - np.maximum(x - 1, 0) ** 3) / (1 - knot)
        return bend


Coding: TypeAlias = NumericCoding | CategoricalCoding | PolynomialCoding | SplineCoding


def learn_coding(factor: Node, data: pd.DataFrame) -> Coding:
    """Learn the coding of one factor from complete rows.

    Raises
    ------
    DesignError
        A categorical column with fewer than two levels, an absent reference level, too few different
        values for a basis, or a value that arithmetic cannot give (such as the logarithm of zero).
    """
    if isinstance(factor, Name):
        if is_categorical(data, factor.name):
            return _learn_levels(factor, factor.name, None, data)
        return NumericCoding(factor)
    assert isinstance(factor, Call), "factors are columns and calls"
    if factor.function == "C":
        column = factor.arguments[0]
        assert isinstance(column, Name), "checked when the formula was read"
        return _learn_levels(factor, column.name, dict(factor.options).get("ref"), data)
    inside = factor if factor.function in ("I", "log") else factor.arguments[0]
    x = finite_values(inside, data)
    if factor.function == "poly":
        return _learn_polynomial(factor, x)
    if factor.function == "spline":
        return _learn_spline(factor, x)
    return NumericCoding(factor)


def finite_values(node: Node, data: pd.DataFrame) -> Floats:
    """Values of an arithmetic node on complete rows; a `DesignError` counts rows where it is undefined."""
    values = evaluate(node, data)
    undefined = int(np.sum(~np.isfinite(values)))
    if undefined:
        raise DesignError(
            f"{render(node)} is undefined or infinite in {undefined} of {len(values)} rows "
            "(logarithm of a number not above 0, division by 0, or a power too large)."
        )
    return values


def _learn_levels(factor: Node, column: str, reference: Node | None, data: pd.DataFrame) -> CategoricalCoding:
    """Levels that occur, and which of them is the reference (the first unless `ref=` names one)."""
    _, levels = level_codes(data, column)
    if len(set(levels)) < len(levels):
        raise DesignError(f"Column {column} has different levels with the same text.")
    if len(levels) < 2:
        raise DesignError(
            f"Column {column} has {counted(len(levels), 'level')} in the rows used; at least 2 are needed."
        )
    if reference is None:
        return CategoricalCoding(factor, column, levels, 0)
    wanted = reference.value if isinstance(reference, Text) else number_text(_number(reference))
    if wanted not in levels:
        raise DesignError(f'Column {column} has no level "{wanted}" in the rows used (ref= in the formula).')
    return CategoricalCoding(factor, column, levels, levels.index(wanted))


def _number(node: Node) -> float:
    """Value of a number node."""
    assert isinstance(node, Number), "checked when the formula was read"
    return node.value


def _learn_polynomial(factor: Call, x: Floats) -> PolynomialCoding:
    """Recurrence constants of the orthogonal polynomials on the values `x`."""
    degree = basis_size(factor)
    if len(np.unique(x)) <= degree:
        raise DesignError(f"{render(factor)} needs more than {degree} different values.")
    before, now = np.zeros_like(x), np.ones_like(x)
    centres: list[float] = []
    norms = [float(len(x))]
    for j in range(degree):
        centres.append(float(np.sum(x * now**2) / norms[j]))
        back = norms[j] / norms[j - 1] if j else 0.0
        before, now = now, (x - centres[j]) * now - back * before
        norms.append(float(np.sum(now**2)))
    return PolynomialCoding(factor, tuple(centres), tuple(norms))


def _learn_spline(factor: Call, x: Floats) -> SplineCoding:
    """Knots: smallest value, df - 1 evenly spaced quantiles, largest value."""
    df = basis_size(factor)
    knots = np.quantile(x, np.linspace(0, 1, df + 1))
    if len(np.unique(knots)) <= df:
        raise DesignError(
            f"{render(factor)}: the {df + 1} knots are not all different, because few values occur or one is "
            "very frequent; use a smaller df or C(x)."
        )
    return SplineCoding(factor, tuple(float(knot) for knot in knots))
