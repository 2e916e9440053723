"""Estimates around a change of caseworker: event-time paths, the shift contrast and leads.

Jobs are compared between citizens at risk; everything else within citizens.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

import numpy as np
import pandas as pd

from jobchance.errors import DesignError, IdentificationError
from jobchance.identification.switch_checks import Joint, joint_line, repeated_measures, wald
from jobchance.identification.switch_moves import CHANGE, LINE, of_citizens, optimism_columns, term_line
from jobchance.identification.switch_rows import History
from jobchance.identification.switch_stack import (
    DOWN,
    NEW,
    SHIFT,
    UP,
    Stacks,
    build_anchors,
    build_stacks,
    quarter_outcome,
)
from jobchance.models.panel import fit_panel
from jobchance.results.fit import Fit
from jobchance.results.parts import Floats
from jobchance.results.vcov import Vcov

JOB = "outcome"
BASE = -1  # the last wave with the former caseworker


def stack_by_direction(
    history: History, *, window: tuple[int, int], wanted: Sequence[str] | None, control: str
) -> Stacks:
    """Stacks with changes to more and to less optimistic caseworkers apart."""
    change = optimism_columns(history)[0][CHANGE]
    direction = pd.Series(np.where(change > 0, UP, DOWN), index=change.index, dtype=object)
    direction = direction.where(change.notna(), None)
    return build_stacks(history, window=window, wanted=wanted, direction=direction, control=control)


def fit_events(stacks: Stacks, outcome: str, window: tuple[int, int], vcov: Vcov) -> Fit:
    """Coefficients by event time and group of changes."""
    rows, terms = stacks.rows, {}
    if outcome == JOB:
        rows = rows[rows["event_time"] >= 0].assign(job=quarter_outcome)
    columns = {}
    for group in _groups(rows):
        for e in range(window[0], window[1] + 1):
            inside = rows["group"].eq(group) & rows["event_time"].eq(e)
            if e != BASE and inside.any():
                terms[f"{group}_{e - window[0]}"] = f"{group}[{e}]"
                columns[f"{group}_{e - window[0]}"] = inside.astype(float)
    rows = rows.assign(**columns)
    right = " + ".join(columns)
    if outcome == JOB:
        fit = fit_panel(f"job ~ {right}", rows, entity="when", time=None, vcov=vcov)
    else:
        fit = fit_panel(f"`{outcome}` ~ {right}", rows, entity="unit", time=None, absorb=("when",), vcov=vcov)
    return replace(
        of_citizens(fit, vcov),
        model="stacked event study of changes of caseworker",
        outcome="job within 13 weeks" if outcome == JOB else outcome,
        terms=tuple(terms[name] for name in fit.terms),
        predictor=None,
    )


def _groups(rows: pd.DataFrame) -> list[str]:
    present = set(rows["group"].dropna())
    return [group for group in (SHIFT, UP, DOWN) if group in present]


def event_path(fit: Fit, stacks: Stacks, window: tuple[int, int]) -> pd.DataFrame:
    """The table `event_study`: estimates by event time, the base as 0, with counts of those who changed.

    Jobs: no standard error at an event time at which nobody who changed found one.
    """
    changed = stacks.rows[stacks.rows["group"].notna()]
    within = fit.spec["entity"] == "unit"
    records = []
    for group in _groups(stacks.rows):
        for e in range(window[0] if within else 0, window[1] + 1):
            part = changed[changed["group"].eq(group) & changed["event_time"].eq(e)]
            term = f"{group}[{e}]"
            line = dict.fromkeys(LINE, np.nan) | ({"estimate": 0.0} if e == BASE else {})
            if term in fit.terms:
                line = dict(zip(LINE, term_line(fit, term), strict=True))
            if not within and not quarter_outcome(part).sum() > 0:
                # without a job among those who changed, the residuals say nothing of their chance variation
                line |= dict.fromkeys(LINE[1:], np.nan)
            counts = {"n_citizens": int(part["citizen_id"].nunique())}
            counts |= {"n_caseworkers": int(part[NEW].nunique())}
            records.append({"event_time": e, "group": group, **line, **counts})
    return pd.DataFrame(records)


def shift_table(history: History, kinds: Mapping[str, Sequence[str] | None], vcov: Vcov) -> pd.DataFrame:
    """A job within 52 weeks with a change and without one, in the same stack, by kind of reasons.

    Columns `group estimate std_error conf_low conf_high base_rate relative n_shifts`; `base_rate` is the
    chance without a change.
    """
    records = []
    for name, wanted in kinds.items():
        line, base, n = np.full(len(LINE), np.nan), np.nan, 0
        with suppress(IdentificationError, DesignError):
            line, base, n = _shift_contrast(build_anchors(history, wanted=wanted), vcov)
        numbers = dict(zip(LINE, line, strict=True))
        records.append(
            {"group": name, **numbers, "base_rate": base, "relative": line[0] / base, "n_shifts": n}
        )
    return pd.DataFrame(records)


def _shift_contrast(anchors: pd.DataFrame, vcov: Vcov) -> tuple[Floats, float, int]:
    """Numbers `LINE` of a change against none, the rate without it, and the number of changes."""
    rows = anchors.assign(shifted=anchors["group"].notna().astype(float))
    fit = fit_panel("outcome ~ shifted", rows, entity="stack", time=None, vcov=vcov)
    line = term_line(fit, "shifted")
    used = rows.iloc[fit.need_rows("shift_table").used]
    changed = used.loc[used["shifted"] == 1, "outcome"]
    return line, float(changed.mean() - line[0]), len(changed)


def lead_tests(stacks: Stacks, window: tuple[int, int], vcov: Vcov) -> pd.DataFrame:
    """Joint tests that those who will change do not move before it: belief and expectation, against stayers.

    Columns `outcome statistic df p_value n_shifts`, the last those with rows before the last wave.
    """
    early = Stacks(stacks.anchors, stacks.rows[stacks.rows["event_time"] < 0])
    changed = early.rows["group"].notna() & (early.rows["event_time"] < BASE)
    records = []
    for outcome in repeated_measures(early.rows):
        found = Joint()
        if changed.any():
            with suppress(DesignError):
                fit = fit_events(early, outcome, (window[0], BASE), vcov)
                found = wald(fit, fit.terms)
        size = int(early.rows.loc[changed, "unit"].nunique())
        records.append({"outcome": outcome} | joint_line(found) | {"n_shifts": size})
    return pd.DataFrame(records)
