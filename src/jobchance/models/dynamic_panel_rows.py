"""Complete level rows of a dynamic panel, and what each covariate counts as."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from jobchance.design.build import Design, build_design
from jobchance.design.formula import INTERCEPT
from jobchance.design.nodes import Node, render
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
        raise DesignError(
            "fit_dynamic_panel has no random-effects terms (x | group); it differences them out."
        )
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
        grids={text: calendar.grid(finite_or_missing(node, rows)) for text, (_, node) in variables.items()},
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
