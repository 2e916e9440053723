"""Rows of the drop-out model: what is known at each measurement, ready for a formula."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from jobchance.design.columns import is_categorical, numeric_values
from jobchance.design.nodes import quoted
from jobchance.errors import DesignError, SpecError
from jobchance.panel.model import AnalysisPanel

WAVE = "wave_group"
LEAST = 20  # rows with and without the event behind a wave of its own
_LATER = {
    "outcome": "lies after the measurement",
    "weeks_to_outcome": "lies after the measurement",
    "event_observed": "lies after the measurement",
    "censored": "lies after the measurement",
    "window_start": "is the date of the measurement",
    "expectation_within": "uses the citizen's later waves; take expectation",
    "expectation_between": "uses the citizen's later waves; take expectation",
}


def choose_covariates(panel: AnalysisPanel, covariates: Iterable[str] | None) -> tuple[str, ...]:
    """The covariates asked for, or the default: expectation, those of the panel, the jobcentre.

    Raises
    ------
    SpecError
        Columns that are absent, lie in the future, name persons or are dates; all at once.
    """
    frame = panel.frame
    if covariates is None:
        own = panel.meta.get("covariates", ())
        default = ("expectation", *(own if isinstance(own, tuple) else ()), "jobcentre_id")
        return tuple(c for c in dict.fromkeys(default) if c in frame and len(frame[c].dropna().unique()) > 1)
    names = tuple(dict.fromkeys([covariates] if isinstance(covariates, str) else covariates))
    problems = []
    for name in names:
        if name not in frame:
            problems.append(f"{name} is not in the panel")
        elif name in _LATER:
            problems.append(f"{name} {_LATER[name]}")
        elif name.endswith("_id") and name != "jobcentre_id":
            problems.append(f"{name} names persons or forms, which do not repeat")
        elif pd.api.types.is_datetime64_any_dtype(frame[name].dtype):
            problems.append(f"{name} is a date; take period, or wave, which is always in the model")
    if problems:
        raise SpecError(
            f"covariates of drop-out are what is known at the measurement: {'; '.join(problems)}."
        )
    return names


def model_rows(
    panel: AnalysisPanel, event: pd.Series, usable: pd.Series, covariates: tuple[str, ...]
) -> tuple[pd.DataFrame, list[str]]:
    """Every row of the panel with the event, the wave (tail pooled), covariates without gaps; formula terms.

    A missing number is set to the mean of the known ones and marked in `<name>_missing`; a missing text is a
    level of its own. That is right for a prediction, and would not be for a coefficient of interest.
    """
    frame = panel.frame
    rows = frame[[c for c in frame if c not in covariates]].copy()
    rows[str(event.name)] = event.astype(float)
    rows[WAVE] = wave_groups(frame["wave"], event, usable)
    terms = [WAVE] if len(rows[WAVE].unique()) > 1 else []
    for name in covariates:
        column = frame[name]
        if is_categorical(frame, name):
            rows[name] = column.astype(object).where(column.notna(), "missing").astype(str)
            terms.append(quoted(name))
            continue
        values = numeric_values(frame, name)
        blank = pd.isna(values)
        if blank.all():
            raise DesignError(f"covariate {name} of drop-out is missing in every row.")
        rows[name] = pd.Series(values, index=frame.index).fillna(float(values[~blank].mean()))
        terms.append(quoted(name))
        if blank.any():
            rows[f"{name}_missing"] = blank.astype(float)
            terms.append(quoted(f"{name}_missing"))
    return rows, terms


def wave_groups(wave: pd.Series, event: pd.Series, usable: pd.Series) -> pd.Series:
    """Waves as texts `"01"`, `"02"`, ..., the tail pooled until every one has rows enough of both kinds."""
    table = pd.crosstab(wave[usable], event[usable]).reindex(columns=[False, True], fill_value=0)
    last = int(wave.min())
    for number in sorted(int(w) for w in table.index):
        tail = table.loc[table.index >= number].sum()
        if (tail >= LEAST).all() and (table.loc[table.index < number] >= LEAST).all(axis=None):
            last = number
    return wave.clip(upper=last).map(lambda w: f"{int(w):02d}" + ("+" if w == last else ""))
