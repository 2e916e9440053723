"""Rows of a dynamic panel: complete level rows, and sparse transformations of them.

A transformation T (rows, level rows) makes differences, deviations from later rows, or differences stacked on
levels; the covariance of its errors is proportional to T T'.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from jobchance.design.build import Design, build_design
from jobchance.design.formula import INTERCEPT
from jobchance.design.nodes import Name, Node, render
from jobchance.errors import DesignError, SpecError
from jobchance.models.dynamic_panel_periods import Calendar, read_calendar
from jobchance.models.dynamic_panel_terms import (
    LagFormula,
    add_lags,
    finite_or_missing,
    instrumented,
    read_lags,
    term_bases,
)
from jobchance.numerics.linalg import independent_columns
from jobchance.results.parts import Codes, Floats


@dataclass(frozen=True, eq=False)
class Levels:
    """Complete rows in the order of entity and period.

    `X` has the columns `names` without the intercept; `bases` gives the expression behind each (empty for
    interactions); `grids` has every instrumenting variable by entity and period, all rows of the data.
    """

    design: Design
    calendar: Calendar
    dropped: Mapping[str, int]
    names: tuple[str, ...]
    bases: tuple[str, ...]
    y: Floats
    X: Floats
    entity: Codes
    period: Codes
    intercept: bool
    grids: Mapping[str, Floats]
    kinds: Mapping[str, str]

    @property
    def n(self) -> int:
        """Number of rows."""
        return len(self.y)


def read_levels(
    formula: str,
    data: pd.DataFrame,
    *,
    entity: str,
    time: str,
    lags: int,
    predetermined: tuple[str, ...],
    endogenous: tuple[str, ...],
) -> Levels:
    """Complete rows with lags by the calendar; see `fit_dynamic_panel` for the arguments and errors."""
    lagged = read_lags(formula, lags=lags)
    variables = _variables(lagged, predetermined, endogenous)
    kept, calendar, dropped = read_calendar(data, entity=entity, time=time)
    rows = add_lags(lagged, kept.reset_index(drop=True), calendar)
    _refuse_unobservable(lagged, rows)
    design = build_design(lagged.text, rows, required=(entity, time))
    if design.random:
        raise DesignError("fit_dynamic_panel has no random-effects terms (x | group); it differences them out.")
    bases = _column_bases(design, lagged, variables)
    order = np.lexsort((calendar.period[design.used], calendar.entity[design.used]))
    used = design.used[order]
    keep = [i for i, name in enumerate(design.columns) if name != INTERCEPT]
    own = [i for i in keep if bases[i] == render(lagged.outcome)]
    columns = own + [i for i in keep if i not in own]
    plain = {f"`{c}`": c for c in lagged.bases()}
    return Levels(
        design=design,
        calendar=calendar,
        dropped=dropped | dict(design.dropped),
        names=tuple(_plain(design.columns[i], plain) for i in columns),
        bases=tuple(bases[i] for i in columns),
        y=design.outcome[order],
        X=design.matrix[order][:, columns],
        entity=calendar.entity[used],
        period=calendar.period[used],
        intercept=design.formula.intercept,
        grids={
            text: calendar.grid(finite_or_missing(node, rows)) for text, (_, node) in variables.items()
        },
        kinds={text: kind for text, (kind, _) in variables.items()},
    )


def _variables(
    lagged: LagFormula, predetermined: tuple[str, ...], endogenous: tuple[str, ...]
) -> dict[str, tuple[str, Node]]:
    """Variables instrumented by their own lags: kind and expression by canonical text, the outcome first."""
    made: dict[str, tuple[str, Node]] = {render(lagged.outcome): ("outcome", lagged.outcome)}
    for kind, names in (("predetermined", predetermined), ("endogenous", endogenous)):
        for text, node in instrumented(names, argument=kind).items():
            if text in made:
                what = "the outcome" if made[text][0] == "outcome" else made[text][0]
                raise SpecError(f"{text} is named as {kind}, but it is {what} already.")
            made[text] = (kind, node)
    return made


def _refuse_unobservable(lagged: LagFormula, rows: pd.DataFrame) -> None:
    """Some entity must have the outcome in successive periods."""
    absent = [t.column for t in lagged.terms if rows[t.column].isna().all()]
    if absent:
        raise DesignError(
            f"{', '.join(absent)} cannot be observed in any row: no entity has a row so many periods before "
            "another. Lags go by period, so the time column must count 1, 2, 3 without steps in between."
        )


def _column_bases(
    design: Design, lagged: LagFormula, variables: Mapping[str, tuple[str, Node]]
) -> tuple[str, ...]:
    """Expression behind each column, once every named variable stands in the formula by itself.

    Raises
    ------
    SpecError
        A named variable is not in the formula, or another term reads it and would count as exogenous.
    """
    terms = design.formula.terms
    made = term_bases(terms, lagged.bases())
    named = {text for text, (kind, _) in variables.items() if kind != "outcome"}
    present = {text for text, _ in made}
    problems = [
        f"{text} is named as {variables[text][0]} but is not a term of the formula."
        for text in sorted(named - present)
    ]
    reads = {
        column
        for text, (_, node) in variables.items()
        if text in named
        for column in term_bases([(node,)], {})[0][1]
    }
    hidden = [
        ":".join(map(render, term))
        for term, (text, columns) in zip(terms, made, strict=True)
        if columns & reads and text not in variables
    ]
    if hidden:
        problems.append(
            f"{', '.join(hidden)} reads a predetermined or endogenous variable but is not named as such. "
            "Name it as well; write a product as I(a * b)."
        )
    if problems:
        raise SpecError("\n".join(problems))
    by_term = {":".join(map(render, term)): text for term, (text, _) in zip(terms, made, strict=True)}
    return tuple(by_term.get(label, "") for label in design.layout.terms)


def _plain(name: str, plain: Mapping[str, str]) -> str:
    """A column's name without the backticks that mark columns of lags."""
    for quoted, text in plain.items():
        name = name.replace(quoted, text)
    return name


@dataclass(frozen=True, eq=False)
class Transformed:
    """Rows after a transformation T, in blocks: `level` marks the rows of the level equation.

    `period` is that of the row's timing: a deviation from later rows counts one period later, so that the same
    lags are instruments as for the difference.
    """

    T: sparse.csr_matrix
    entity: Codes
    period: Codes
    level: NDArray[np.bool_]

    def apply(self, columns: Floats) -> Floats:
        """T times columns of the level rows."""
        return np.asarray(self.T @ columns)


def difference_rows(levels: Levels, *, first: int = 1) -> Transformed:
    """Row less the row of the period before, where both are complete, from period `first` on."""
    i = np.arange(1, levels.n)
    pair = (levels.entity[i] == levels.entity[i - 1]) & (levels.period[i] == levels.period[i - 1] + 1)
    at = i[pair & (levels.period[i] >= first)]
    rows = np.arange(len(at))
    T = sparse.csr_matrix(
        (
            np.concatenate([np.ones(len(at)), -np.ones(len(at))]),
            (np.concatenate([rows, rows]), np.concatenate([at, at - 1])),
        ),
        shape=(len(at), levels.n),
    )
    return Transformed(T, levels.entity[at], levels.period[at], np.zeros(len(at), dtype=bool))


def deviation_rows(levels: Levels, *, first: int) -> Transformed:
    """Row less the mean of the entity's later rows, times sqrt(r / (r + 1)) with r later rows.

    Arellano & Bover (1995): errors that are independent with one variance stay so.
    """
    ends = np.searchsorted(levels.entity, levels.entity, side="right")
    later = ends - np.arange(levels.n) - 1
    at = np.flatnonzero((later > 0) & (levels.period + 1 >= first))
    r = later[at]
    c = np.sqrt(r / (r + 1))
    rows = np.repeat(np.arange(len(at)), r)
    offset = np.arange(len(rows)) - np.repeat(np.cumsum(r) - r, r)
    columns = np.repeat(at, r) + 1 + offset
    T = sparse.csr_matrix(
        (
            np.concatenate([c, -np.repeat(c / r, r)]),
            (np.concatenate([np.arange(len(at)), rows]), np.concatenate([at, columns])),
        ),
        shape=(len(at), levels.n),
    )
    return Transformed(T, levels.entity[at], levels.period[at] + 1, np.zeros(len(at), dtype=bool))


def system_rows(levels: Levels, *, first: int) -> Transformed:
    """Differences stacked on levels; the levels begin one period before the differences."""
    differences = difference_rows(levels, first=first)
    at = np.flatnonzero(levels.period >= first - 1)
    one = sparse.csr_matrix((np.ones(len(at)), (np.arange(len(at)), at)), shape=(len(at), levels.n))
    return Transformed(
        sparse.vstack([differences.T, one], format="csr"),
        np.concatenate([differences.entity, levels.entity[at]]),
        np.concatenate([differences.period, levels.period[at]]),
        np.concatenate([differences.level, np.ones(len(at), dtype=bool)]),
    )


@dataclass(frozen=True, eq=False)
class Regressors:
    """Level columns that enter: intercept, covariates and effects of periods, and what was left out.

    `effects` marks the intercept and the periods, which are no covariates.
    """

    W: Floats
    names: tuple[str, ...]
    effects: NDArray[np.bool_]
    dropped: tuple[str, ...]


def regressors(levels: Levels, made: Transformed, *, time: str, time_effects: bool) -> Regressors:
    """Columns that are independent once transformed; effects of periods come before covariates.

    The earliest period that is not needed is the reference; a covariate that the transformation or the effects
    of periods take up is left out with its reason.
    """
    blocks, names = [levels.X], list(levels.names)
    if time_effects:
        touched = np.unique(levels.period[np.unique(made.T.indices)]) if made.T.nnz else np.zeros(0, int)
        blocks.append((levels.period[:, None] == touched[None, :]).astype(float))
        names += [f"{time}[{levels.calendar.labels[p]}]" for p in touched]
    k = levels.X.shape[1]
    if made.level.any() and levels.intercept:
        blocks.append(np.ones((levels.n, 1)))
        names.append(INTERCEPT)
    W = np.column_stack(blocks)
    moved = made.apply(W)
    # Latest periods first, so that the earliest becomes the reference; covariates last, so that they give way.
    order = np.array([*range(W.shape[1] - 1, k - 1, -1), *range(k)], dtype=np.int64)
    size = np.linalg.norm(W, axis=0)
    moved[:, np.linalg.norm(moved, axis=0) <= 1e-10 * np.where(size > 0, size, 1)] = 0.0
    kept = set(order[independent_columns(moved[:, order])].tolist())
    gone = [i for i in range(k) if i not in kept]
    reason = {i: "does not vary within the entity" if not moved[:, i].any() else "collinear" for i in gone}
    use = [i for i in range(W.shape[1]) if i in kept]
    return Regressors(
        W[:, use],
        tuple(names[i] for i in use),
        np.array([i >= k for i in use]),
        tuple(f"{names[i]} ({reason[i]})" for i in gone),
    )
