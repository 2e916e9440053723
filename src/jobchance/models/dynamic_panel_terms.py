"""Lags in a formula: `lag(x)`, `lag(x, 2)`, `lag(log(x), 0:1)` become columns, by period and not by row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from jobchance.design.arithmetic import check_factor, evaluate
from jobchance.design.columns import require_columns
from jobchance.design.formula import parse_formula
from jobchance.design.nodes import Call, Name, Node, columns_of, render
from jobchance.design.parser import parse_sides
from jobchance.design.syntax import Token, complaint, tokenise
from jobchance.errors import FormulaError, SpecError
from jobchance.models.dynamic_panel_periods import Calendar
from jobchance.results.parts import Floats

MAX_LAG = 50


@dataclass(frozen=True)
class LagTerm:
    """One lag of one expression; `column` is the name of the column that holds it."""

    node: Node
    lag: int

    @property
    def base(self) -> str:
        """Canonical text of the expression."""
        return render(self.node)

    @property
    def column(self) -> str:
        """Name such as `lag(log(wage), 1)`."""
        return f"lag({self.base.replace('`', '')}, {self.lag})"


@dataclass(frozen=True)
class LagFormula:
    """A formula whose lags are names of columns to be made; the outcome's own lags come first."""

    text: str
    outcome: Node
    terms: tuple[LagTerm, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of the data that the lags read."""
        return tuple(dict.fromkeys(n.name for t in self.terms for n in columns_of(t.node)))

    def bases(self) -> dict[str, str]:
        """Expression behind every column of lags."""
        return {term.column: term.base for term in self.terms}


def read_lags(text: str, *, lags: int) -> LagFormula:
    """Take the lags out of a formula and put in `lags` lags of the outcome.

    Raises
    ------
    FormulaError
        A lag that cannot be read; lags on the left side, or of the outcome (`lags=` has those).
    """
    tokens = tokenise(text)
    written, found = _replace_lags(text, tokens)
    left, right = written.split("~", 1) if "~" in written else (written, "")
    parse_formula(written)
    outcome = parse_sides(written)[0]
    if outcome is None or not left.strip():
        raise FormulaError('The formula has no outcome; write for example "belief ~ action".')
    if not isinstance(outcome, Name | Call) or (isinstance(outcome, Call) and outcome.function == "cbind"):
        raise FormulaError(
            "A dynamic panel has one numeric outcome: a column, log() or I() on the left side."
        )
    if any(render(term.node) == render(outcome) for term in found):
        raise FormulaError(
            f"The lags of the outcome {render(outcome)} are set by lags=, such as lags=2; "
            "leave them out of the formula."
        )
    own = tuple(LagTerm(outcome, k) for k in range(1, lags + 1))
    text = f"{left}~{right} + {' + '.join(f'`{term.column}`' for term in own)}"
    return LagFormula(text, outcome, tuple(dict.fromkeys([*own, *found])))


def _replace_lags(text: str, tokens: Sequence[Token]) -> tuple[str, list[LagTerm]]:
    """The text with every call of lag() replaced by names of columns in backticks, and those lags."""
    made, found, at, i = "", list[LagTerm](), 0, 0
    tilde = next((t.at for t in tokens if t.value == "~" and t.kind == "operator"), len(text))
    while i < len(tokens):
        token = tokens[i]
        if not (token.kind == "name" and token.value == "lag" and text[token.at] != "`"):
            i += 1
            continue
        if token.at < tilde:
            raise complaint(text, token.at, "lag() cannot stand on the left side")
        end = _closing(text, tokens, i + 1)
        terms = _lag_terms(text, tokens[i : end + 1])
        parts = [f"`{t.column}`" if t.lag else t.base for t in terms]
        made += text[at : token.at] + (f"({' + '.join(parts)})" if len(parts) > 1 else parts[0])
        found += [t for t in terms if t.lag]
        at, i = tokens[end].at + 1, end + 1
    return made + text[at:], found


def _closing(text: str, tokens: Sequence[Token], opening: int) -> int:
    """Position of the token that closes the parenthesis at `opening`."""
    depth = 0
    for i in range(opening, len(tokens)):
        if tokens[i].kind == "operator":
            depth += (tokens[i].value == "(") - (tokens[i].value == ")")
        if depth == 0 and i == opening:
            raise complaint(text, tokens[i - 1].at, "write lag(x), lag(x, 2) or lag(x, 0:1)")
        if depth == 0:
            return i
    raise complaint(text, tokens[opening].at, "this parenthesis is not closed")


def _lag_terms(text: str, tokens: Sequence[Token]) -> list[LagTerm]:
    """The lags of one call: `lag ( expression [, k | first:last] )`."""
    start, depth, comma = tokens[0].at, 0, None
    for i, token in enumerate(tokens[1:], 1):
        if token.kind == "operator":
            depth += (token.value == "(") - (token.value == ")")
            if token.value == "," and depth == 1 and comma is None:
                comma = i
        if i > 1 and token.kind == "name" and token.value == "lag" and text[token.at] != "`":
            raise complaint(text, token.at, "lags cannot be nested; write lag(x, 2)")
    end = tokens[-1].at if comma is None else tokens[comma].at
    inside = text[tokens[1].at + 1 : end]
    if not inside.strip():
        raise complaint(text, start, "lag() needs a column: lag(x)")
    node = parse_sides(f"~ {inside}")[1]
    if not isinstance(node, Name | Call) or (isinstance(node, Call) and node.function not in ("log", "I")):
        raise complaint(text, start, "lag() takes a column, log() or I()")
    check_factor(node, f"~ {inside}")
    lags = [1] if comma is None else _lag_numbers(text, tokens[comma + 1 : -1], start)
    return [LagTerm(node, k) for k in lags]


def _lag_numbers(text: str, tokens: Sequence[Token], at: int) -> list[int]:
    """`2`, or `0:1` for each from the first to the last."""
    numbers = [t for t in tokens if t.kind == "number"]
    shape = [t.value if t.kind == "operator" else t.kind for t in tokens]
    whole = all(float(t.value).is_integer() and float(t.value) <= MAX_LAG for t in numbers)
    if shape not in (["number"], ["number", ":", "number"]) or not whole:
        raise complaint(text, at, f"the lag is a whole number from 0 to {MAX_LAG}, or 0:1 for several")
    first, last = int(float(numbers[0].value)), int(float(numbers[-1].value))
    if last < first:
        raise complaint(text, at, "the first lag is above the last")
    return list(range(first, last + 1))


def add_lags(formula: LagFormula, data: pd.DataFrame, calendar: Calendar) -> pd.DataFrame:
    """The data with a column for every lag, missing where the entity has no row in that period."""
    require_columns(formula.columns, data)
    columns = {}
    for term in formula.terms:
        at = calendar.rows_before(term.lag)
        # The outcome is a number even where its column is true/false; other columns keep their kind.
        if isinstance(term.node, Name) and term.node != formula.outcome:
            columns[term.column] = (
                data[term.node.name].reset_index(drop=True).reindex(at).set_axis(data.index)
            )
        else:
            values = finite_or_missing(term.node, data)
            columns[term.column] = pd.Series(np.where(at >= 0, values[at], np.nan), index=data.index)
    return data.assign(**columns)


def finite_or_missing(node: Node, data: pd.DataFrame) -> Floats:
    """Values of an expression; missing where it is not defined, as the logarithm of 0."""
    values = evaluate(node, data)
    return np.where(np.isfinite(values), values, np.nan)


def instrumented(names: Sequence[str], *, argument: str) -> dict[str, Node]:
    """Expressions named in `predetermined=` or `endogenous=`, by canonical text.

    Raises
    ------
    SpecError
        A single text instead of several, or something other than a column, log() or I().
    """
    if isinstance(names, str):
        raise SpecError(f'{argument} takes several variables: {argument}=("{names}",).')
    nodes: dict[str, Node] = {}
    for name in names:
        if isinstance(name, str) and name.replace(" ", "").startswith("lag("):
            raise SpecError(f"{argument} names variables without lag(); all their lags are meant.")
        node = parse_sides(f"~ {name}")[1] if isinstance(name, str) else None
        if not isinstance(node, Name | Call) or (
            isinstance(node, Call) and node.function not in ("log", "I")
        ):
            raise SpecError(f"{argument} names columns, log() or I() as they stand in the formula.")
        check_factor(node, f"~ {name}")
        nodes[render(node)] = node
    return nodes


def term_bases(terms: Sequence[tuple[Node, ...]], bases: Mapping[str, str]) -> list[tuple[str, set[str]]]:
    """For every term: its expression without lags (empty for interactions), and the columns that it reads."""
    made = []
    for term in terms:
        texts = [bases.get(n.name, render(n)) if isinstance(n, Name) else render(n) for n in term]
        columns = {c.name for text in texts for c in columns_of(parse_sides(f"~ {text}")[1])}
        made.append((texts[0] if len(texts) == 1 else "", columns))
    return made
