"""Person-period rows for a hazard model: exits and their causes, periods, and spells that make sense."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from jobchance.design.columns import (
    Codes,
    counted,
    is_categorical,
    level_codes,
    numeric_values,
    require_columns,
    value_codes,
)
from jobchance.design.columns import column_kind as kind_of
from jobchance.design.formula import Formula
from jobchance.design.nodes import Name
from jobchance.errors import DesignError, SpecError
from jobchance.numerics.hazard import LifeTable, life_table
from jobchance.options import check_option

NO_EVENT = ("none", "0")


@dataclass(frozen=True, eq=False)
class SpellRows:
    """Rows at risk.

    Parameters
    ----------
    frame : DataFrame
        The data without rows before entry or without person, period or outcome; the outcome column holds
        0 for no exit and 1..K for the causes.
    exits : integer array (n,)
        That column.
    causes : tuple of str
        Names of the causes; one name for a 0/1 outcome.
    period : integer array (n,)
        Position of each row's period in `periods`.
    periods : tuple
        Values of the time column in order; empty without one.
    dropped : mapping of str to int
        Rows left out, by reason.
    remarks : tuple of str
        What was found.
    one_of_several : bool
        Other exits than the one modelled also end the time at risk.
    """

    frame: pd.DataFrame
    exits: Codes
    causes: tuple[str, ...]
    period: Codes
    periods: tuple[int | float | str, ...]
    dropped: dict[str, int]
    remarks: tuple[str, ...]
    one_of_several: bool


def read_spells(
    formula: Formula,
    data: pd.DataFrame,
    *,
    entity: str | None,
    time: str | None,
    entry: str | None,
    cause: str | None,
    no_event: str | None,
) -> SpellRows:
    """Exits by cause and periods of all rows, refused where they cannot be spells.

    Raises
    ------
    FormulaError
        Columns are absent.
    SpecError
        `cause` is not one of the exits, or the outcome has no codes of exits.
    DesignError
        The outcome is no exit; a person with several exits, with rows after one, or with two rows in a
        period.
    """
    names = [name for name in (*formula.columns, entity, time, entry) if name is not None]
    require_columns(dict.fromkeys(names), data)
    frame, dropped = _present(data, formula, entity=entity, time=time, entry=entry)
    outcome, exits, causes, remarks = _exits(formula, frame, cause=cause, no_event=no_event)
    period, periods = _periods(frame, time)
    if entity is not None:
        remarks = [*remarks, *_spell_remarks(frame[entity], exits, period, timed=time is not None)]
    # other exits than the cause asked for end the time at risk, and are no event of it
    kept = np.minimum(exits, 1) if cause is None and len(causes) == 1 else exits
    one_of_several = cause is not None and len(causes) > 1
    if cause is not None:
        kept, causes = (exits == causes.index(cause) + 1).astype(np.int64), (cause,)
    if isinstance(outcome, str):
        frame = frame.assign(**{outcome: kept})
    return SpellRows(frame, kept, causes, period, periods, dropped, tuple(remarks), one_of_several)


def tabulate(rows: SpellRows, used: Codes) -> pd.DataFrame | None:
    """Life table of the rows used, one row per period and cause; `None` without periods."""
    if not rows.periods:
        return None
    made = life_table(
        rows.period[used], rows.exits[used], n_periods=len(rows.periods), n_causes=len(rows.causes)
    )
    return life_frame(made, rows.periods, rows.causes)


def life_frame(made: LifeTable, periods: Sequence[object], causes: Sequence[str]) -> pd.DataFrame:
    """A life table as columns `period cause at_risk events hazard hazard_error survivor survivor_error`."""
    records = [
        {
            "period": value,
            "cause": name,
            "at_risk": int(made.at_risk[s]),
            "events": int(made.events[s, k]),
            "hazard": made.hazard[s, k],
            "hazard_error": made.hazard_error[s, k],
            "survivor": made.survivor[s],
            "survivor_error": made.survivor_error[s],
        }
        for s, value in enumerate(periods)
        for k, name in enumerate(causes)
    ]
    return pd.DataFrame(records)


def check_steps(rows: SpellRows, baseline: str) -> None:
    """Refuse a free level per period where some period has no event of a cause, or nothing else.

    Raises
    ------
    DesignError
        Naming these periods.
    """
    if baseline != "steps":
        return
    at_risk = np.bincount(rows.period, minlength=len(rows.periods))
    problems = []
    for k, name in enumerate(rows.causes):
        events = np.bincount(rows.period[rows.exits == k + 1], minlength=len(rows.periods))
        empty = [str(rows.periods[s]) for s in np.flatnonzero((events == 0) | (events == at_risk))]
        if empty:
            shown = ", ".join(empty[:12]) + (f" and {len(empty) - 12} more" if len(empty) > 12 else "")
            problems.append(f"{name} in {counted(len(empty), 'period')} ({shown})")
    if problems:
        raise DesignError(
            "baseline='steps' estimates a level for every period, which needs rows with and without the "
            f"event in each. Not so for {'; '.join(problems)}. Leave these periods out of the data, merge "
            "periods, or choose baseline='polynomial:2' or 'spline:4'."
        )


def _present(
    data: pd.DataFrame, formula: Formula, *, entity: str | None, time: str | None, entry: str | None
) -> tuple[pd.DataFrame, dict[str, int]]:
    """Rows with person, period and outcome that do not lie before entry, and how many others there were."""
    outcome = [formula.outcome.name] if isinstance(formula.outcome, Name) else []
    dropped: dict[str, int] = {}
    frame = data
    for name in [n for n in (*outcome, entity, time) if n is not None]:
        missing = frame[name].isna().to_numpy()
        if missing.any():
            dropped[f"{name} is missing"] = int(missing.sum())
            frame = frame.loc[~missing]
    if entry is not None:
        if time is None:
            raise SpecError("entry= is the first period at risk and needs time=.")
        early = numeric_values(frame, time) < numeric_values(frame, entry)
        if early.any():
            dropped[f"before {entry}"] = int(early.sum())
            frame = frame.loc[~early]
    if not len(frame):
        raise DesignError("No row is at risk: " + ", ".join(f"{k} in {v}" for k, v in dropped.items()) + ".")
    return frame, dropped


def _exits(
    formula: Formula, frame: pd.DataFrame, *, cause: str | None, no_event: str | None
) -> tuple[str | None, Codes, tuple[str, ...], list[str]]:
    """Column to recode (`None`: leave it), exit codes, names of causes, and remarks."""
    node = formula.outcome
    if not isinstance(node, Name):
        raise DesignError("The outcome of a hazard model is one column: 0/1, true/false, or codes of exits.")
    name = node.name
    if not _coded(frame, name):
        if cause is not None or no_event is not None:
            raise SpecError(
                f"cause= and no_event= are for an outcome with codes of exits; {name} is 0/1 or true/false."
            )
        return name, numeric_values(frame, name).astype(np.int64), (name,), []
    codes, levels = level_codes(frame, name)
    none = no_event
    if none is None:
        none = next((text for text in NO_EVENT if text in levels), None)
    if none is None or none not in levels:
        sought = repr(no_event) if no_event is not None else " or ".join(map(repr, NO_EVENT))
        raise DesignError(
            f"Column {name} has no level {sought} for a period without an exit; its levels are "
            f"{', '.join(levels[:12])}. Name it with no_event=, and write it in rows without an exit."
        )
    causes = tuple(level for level in levels if level != none)
    if not causes:
        raise DesignError(f"Column {name} has no exit: every row is {none}.")
    place = np.array([0 if level == none else causes.index(level) + 1 for level in levels])
    exits = place[codes].astype(np.int64)
    remarks = []
    if cause is not None:
        check_option("cause", cause, causes)
        others = int(np.sum((exits > 0) & (exits != causes.index(cause) + 1)))
        remarks.append(
            f"{counted(others, 'exit')} for other causes than {cause} end the time at risk; the hazard is "
            "that among those who are still there, and no probability follows from it without the hazards "
            "of the others."
        )
    return name, exits, causes, remarks


def _coded(frame: pd.DataFrame, name: str) -> bool:
    """Whether a column holds codes of exits, not 0/1 or true/false."""
    if is_categorical(frame, name):
        return kind_of(frame[name]) != "boolean"
    values = numeric_values(frame, name)
    if np.isin(values, (0.0, 1.0)).all():
        return False
    if (values != np.round(values)).any() or (values < 0).any():
        raise DesignError(f"Column {name} is neither 0/1 nor whole-number codes of exits.")
    return True


def _periods(frame: pd.DataFrame, time: str | None) -> tuple[Codes, tuple[int | float | str, ...]]:
    """Position of each row's period, and the periods in order."""
    if time is None:
        return np.zeros(len(frame), dtype=np.int64), ()
    codes, values = value_codes(frame, time)
    return codes, tuple(_plain(value) for value in values)


def _plain(value: object) -> int | float | str:
    """A period as a JSON value."""
    if isinstance(value, int | float | np.number) and not isinstance(value, bool):
        number = float(value)
        return int(number) if number.is_integer() else number
    return str(value)


def _spell_remarks(entity: pd.Series, exits: Codes, period: Codes, *, timed: bool) -> list[str]:
    """Remarks on late entry and gaps; raises for what a spell cannot be, all at once."""
    person = pd.factorize(entity)[0]
    n_people = int(person.max()) + 1
    several = int(np.sum(np.bincount(person[exits > 0], minlength=n_people) > 1))
    problems = []
    if several:
        problems.append(f"{several} of {n_people} have more than one exit, where one at most can be")
    if timed:
        order = np.lexsort((period, person))
        who, when, out = person[order], period[order], exits[order] > 0
        same = who[1:] == who[:-1]
        twice = int(np.sum(same & (when[1:] == when[:-1])))
        before: Codes = np.cumsum(out) - out
        start = np.concatenate([[True], ~same])
        after = int(np.sum(before - np.maximum.accumulate(np.where(start, before, 0)) > 0))
        if twice:
            problems.append(f"{counted(twice, 'row')} repeat the period of another row of the same person")
        if after:
            problems.append(f"{counted(after, 'row')} lie after an exit, when nobody is at risk")
    if problems:
        raise DesignError(
            f"The rows are not spells of {entity.name} until one exit: {'; '.join(problems)}. Keep one row "
            f"per person and period until the exit; for repeated spells give an entity= that numbers the "
            "spells."
        )
    if not timed:
        return []
    gaps = int(np.sum(np.bincount(who[1:][same & (np.diff(when) > 1)], minlength=n_people) > 0))
    late = int(np.sum(when[start] > period.min()))
    remarks = []
    if late:
        remarks.append(
            f"{late} of {n_people} enter after the first period: periods before are not at risk, and nobody "
            "who left then is in the data (left truncation)."
        )
    if gaps:
        remarks.append(
            f"{gaps} of {n_people} have gaps between their periods: an exit in a gap would not be seen."
        )
    return remarks
