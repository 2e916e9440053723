"""The left side of a formula as a family needs it: numbers, shares of trials, or ordered codes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from jobchance.design.codings import finite_values
from jobchance.design.columns import (
    Floats,
    Mask,
    column_kind,
    counted,
    is_categorical,
    level_codes,
    level_text,
    numeric_values,
    value_codes,
)
from jobchance.design.nodes import Call, Name, Node, render
from jobchance.errors import DesignError

KINDS = ("numeric", "binomial", "ordinal")
MAX_LEVELS = 100
WHOLE = 1e-6


@dataclass(frozen=True, eq=False)
class Outcome:
    """Values of the left side on the rows used.

    Parameters
    ----------
    values : array (n,)
        Numbers; for `"binomial"` shares of trials; for `"ordinal"` codes 0, 1, ..., K.
    weights : array (n,) or None
        Prior weights, or numbers of trials; `None` when all are 1.
    levels : tuple of str or None
        Texts of the levels, where the column holds categories; the position is the code.
    notes : tuple of str
        What was decided for the user.
    """

    values: Floats
    weights: Floats | None = None
    levels: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()


def read_outcome(node: Node, rows: pd.DataFrame, *, kind: str, weights: Floats | None) -> Outcome:
    """Read the left side of a formula from complete rows.

    Parameters
    ----------
    node : Node
        Left side of the formula.
    rows : DataFrame
        Complete rows.
    kind : str
        `"numeric"`, `"binomial"` or `"ordinal"`.
    weights : array (n,) or None
        Prior weights, all above 0; for `"binomial"` the number of trials.

    Returns
    -------
    Outcome

    Raises
    ------
    DesignError
        The column is not of the kind, the outcome is constant (`"binomial"`), shares and trials do not give
        whole numbers of successes, or an ordinal outcome has fewer than 2 or more than 100 levels.

    Examples
    --------
    >>> rows = pd.DataFrame({"hits": [1, 0, 3], "shots": [2, 1, 4]})
    >>> from jobchance.design.parser import parse_sides
    >>> node, _ = parse_sides("cbind(hits, shots - hits) ~ 1")
    >>> made = read_outcome(node, rows, kind="binomial", weights=None)
    >>> made.values.tolist(), made.weights.tolist()
    ([0.5, 0.0, 0.75], [2.0, 1.0, 4.0])
    """
    counts = isinstance(node, Call) and node.function == "cbind"
    if kind == "ordinal":
        return _ordinal(node, rows, weights)
    if kind == "binomial":
        made = _counts(node, rows, weights) if counts else _shares(node, rows, weights)
        return _varying(node, made)
    if counts:
        raise DesignError("cbind() is an outcome of the binomial family only.")
    return Outcome(_numbers(node, rows), weights)


def _numbers(node: Node, rows: pd.DataFrame) -> Floats:
    """A column, or arithmetic on columns, as floats."""
    return numeric_values(rows, node.name) if isinstance(node, Name) else finite_values(node, rows)


def _counts(node: Node, rows: pd.DataFrame, weights: Floats | None) -> Outcome:
    """`cbind(successes, failures)` as shares and numbers of trials."""
    assert isinstance(node, Call), "asked before"
    problems = []
    if weights is not None:
        problems.append("cbind() gives the number of trials itself: leave out weights=.")
    parts = [finite_values(argument, rows) for argument in node.arguments]
    for argument, part in zip(node.arguments, parts, strict=True):
        if wrong := int(np.sum((part < 0) | (part != np.rint(part)))):
            problems.append(
                f"{render(argument)} is negative or not a whole number in {wrong} of {len(part)} rows; "
                "cbind() needs counts."
            )
    trials = parts[0] + parts[1]
    if empty := int(np.sum(trials == 0)):
        problems.append(f"No trial in {empty} of {len(trials)} rows: leave these rows out.")
    if problems:
        raise DesignError("\n".join(problems))
    return Outcome(parts[0] / trials, _unequal(trials))


def _shares(node: Node, rows: pd.DataFrame, weights: Floats | None) -> Outcome:
    """0/1, true/false, two levels, or shares with the number of trials as weights."""
    levels = None
    if isinstance(node, Name) and _has_levels(node.name, rows):
        codes, levels = level_codes(rows, node.name)
        if len(levels) != 2:
            raise DesignError(
                f"Column {node.name} has {counted(len(levels), 'level')} in the rows used; a binomial "
                "outcome has 2."
            )
        values = codes.astype(np.float64)
    else:
        values = _numbers(node, rows)
    problems = _share_problems(values, weights)
    if problems:
        raise DesignError("\n".join(problems))
    return Outcome(values, _unequal(weights), levels)


def _share_problems(values: Floats, weights: Floats | None) -> list[str]:
    """What is wrong with shares and numbers of trials."""
    n, inside = len(values), (values >= 0) & (values <= 1)
    problems = []
    if wrong := n - int(inside.sum()):
        problems.append(f"{wrong} of {n} values are below 0 or above 1; an outcome is 0, 1 or a share.")
    if weights is None:
        if parts := int(np.sum(inside & (values != 0) & (values != 1))):
            problems.append(
                f"{parts} of {n} values lie between 0 and 1: a share needs its number of trials as weights=."
            )
        return problems
    if wrong := int(np.sum(_broken(weights))):
        problems.append(f"{wrong} of {n} weights are not whole numbers; here they are numbers of trials.")
    if wrong := int(np.sum(inside & ~_broken(weights) & _broken(values * weights))):
        problems.append(f"The share times the number of trials is not a whole number in {wrong} of {n} rows.")
    return problems


def _broken(numbers: Floats) -> Mask:
    """Which numbers are not whole, up to what writing a share as a decimal loses."""
    broken: Mask = np.abs(numbers - np.rint(numbers)) > WHOLE * np.maximum(1.0, np.abs(numbers))
    return broken


def _varying(node: Node, made: Outcome) -> Outcome:
    """Refuse an outcome without variation."""
    if len(made.values) and np.ptp(made.values) == 0:
        raise DesignError(
            f"The outcome {render(node)} has the same value in all {len(made.values)} rows used."
        )
    return made


def _has_levels(name: str, rows: pd.DataFrame) -> bool:
    """Whether a column is text or categorical."""
    return is_categorical(rows, name) and column_kind(rows[name]) != "boolean"


def _ordinal(node: Node, rows: pd.DataFrame, weights: Floats | None) -> Outcome:
    """Codes 0, 1, ..., K of the ordered levels that occur."""
    if not isinstance(node, Name):
        raise DesignError(f"An ordinal outcome is one column, not {render(node)}.")
    column, series = node.name, rows[node.name]
    if not is_categorical(rows, column):
        numbers = numeric_values(rows, column)
        if broken := int(np.sum(numbers != np.rint(numbers))):
            raise DesignError(
                f"Column {column} is not a whole number in {broken} of {len(numbers)} rows; an ordinal "
                "outcome is an ordered category or whole numbers."
            )
    codes, values = value_codes(rows, column)
    if not 2 <= len(values) <= MAX_LEVELS:
        raise DesignError(
            f"Column {column} has {counted(len(values), 'level')} in the rows used; an ordinal outcome has 2 "
            f"to {MAX_LEVELS}."
        )
    levels = tuple(level_text(value) for value in values)
    if len(set(levels)) < len(levels):
        raise DesignError(f"Column {column} has different levels with the same text.")
    notes = _ordinal_notes(column, series, len(levels))
    return Outcome(codes.astype(np.float64), _unequal(weights), levels, notes)


def _ordinal_notes(column: str, series: pd.Series, n_levels: int) -> tuple[str, ...]:
    """Where the order comes from, unless the column says it, and levels that do not occur."""
    notes = []
    if isinstance(series.dtype, pd.CategoricalDtype):
        if not series.dtype.ordered:
            notes.append(
                f"{column} is not marked as ordered: its categories are taken in their stored order."
            )
        if unused := len(series.dtype.categories) - n_levels:
            notes.append(f"{counted(unused, 'level')} of {column} left out: not in the rows used.")
    elif column_kind(series) == "string":
        notes.append(f"{column} is text: its levels are taken in alphabetical order.")
    return tuple(notes)


def _unequal(weights: Floats | None) -> Floats | None:
    """Weights, unless all are 1."""
    return None if weights is None or bool(np.all(weights == 1)) else weights
