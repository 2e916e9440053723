"""Prepare a panel for the ladder: rows with a known outcome, the common population, what to adjust for."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from jobchance.design.columns import counted
from jobchance.errors import IdentificationError, SpecError
from jobchance.identification.rungs.model import Ground
from jobchance.identification.thresholds import Thresholds
from jobchance.panel.model import AnalysisPanel, require_panel

OWN_ANSWERS = ("citizen_score",)
_MOST_LEVELS = 20
_TAKEN = (
    "belief",
    "expectation",
    "expectation_within",
    "expectation_between",
    "optimism",
    "outcome",
    "weeks_to_outcome",
    "event_observed",
    "censored",
    "citizen_id",
    "caseworker_id",
    "jobcentre_id",
    "period",
)
_NEEDED = ("citizen_id", "caseworker_id", "wave", "date", "belief", "outcome", "optimism")


def prepare(panel: AnalysisPanel, *, covariates: Iterable[str] | None, thresholds: Thresholds) -> Ground:
    """Rows and columns that the rungs share.

    Raises
    ------
    SpecError
        Not a panel, or covariates that the panel does not have.
    IdentificationError
        Too few citizens or events for any rung.
    """
    frame = require_panel(panel, "evidence_ladder").frame
    absent = [c for c in _NEEDED if c not in frame]
    if absent:
        raise SpecError(f"The panel lacks columns that the ladder needs: {', '.join(absent)}.")
    known = frame[frame["outcome"].notna()]
    every = known.sort_values(["citizen_id", "wave", "date"], kind="stable").reset_index(drop=True)
    _require(every, thresholds)
    # a missing caseworker counts as one caseworker of the citizen, so that the citizen is not lost
    first = every.drop_duplicates(["citizen_id", "caseworker_id"]).reset_index(drop=True)
    return Ground(
        panel=panel,
        every=every,
        relationships=first,
        covariates=_covariates(panel, every, covariates),
        base_rate=float(first["outcome"].mean()),
        thresholds=thresholds,
    )


def _require(every: pd.DataFrame, thresholds: Thresholds) -> None:
    """Refuse a panel that carries nothing."""
    citizens = int(every["citizen_id"].nunique())
    events = int(every.loc[every["outcome"] == 1, "citizen_id"].nunique())
    rest = int(every.loc[every["outcome"] == 0, "citizen_id"].nunique())
    lacks = []
    if citizens < thresholds.min_citizens:
        lacks.append(("citizens", f"{counted(citizens, 'citizen')} of at least {thresholds.min_citizens:g}"))
    if min(events, rest) < thresholds.min_events:
        lacks.append(
            ("events", f"{events} with the outcome, {rest} without, of at least {thresholds.min_events:g}")
        )
    if lacks:
        words = "; ".join(text for _, text in lacks)
        raise IdentificationError(
            f"No rung of the ladder can stand on this panel: {words}.", tuple(k for k, _ in lacks)
        )


def _covariates(panel: AnalysisPanel, every: pd.DataFrame, names: Iterable[str] | None) -> tuple[str, ...]:
    """The panel's covariates that can stand in a formula, and the citizen's own answers."""
    if names is None:
        wanted = [*_names(panel.meta.get("covariates", ())), *OWN_ANSWERS]
        return tuple(c for c in wanted if c in every and _usable(every[c]))
    chosen = _names(names)
    absent = [c for c in chosen if c not in every]
    if absent:
        raise SpecError(
            f"The panel has no columns {', '.join(absent)}: name covariates in build_panel first."
        )
    taken = [c for c in chosen if c in _TAKEN]
    if taken:
        raise SpecError(f"These columns are the question itself and no covariates: {', '.join(taken)}.")
    poor = [c for c in chosen if not _usable(every[c])]
    if poor:
        raise SpecError(
            f"Covariates must be numbers, true/false or text with 2 to {_MOST_LEVELS} values, not: "
            f"{', '.join(poor)}."
        )
    return chosen


def _names(names: object) -> tuple[str, ...]:
    if isinstance(names, str) or not isinstance(names, Iterable):
        raise SpecError("covariates takes several column names: covariates=[...].")
    return tuple(dict.fromkeys(str(name) for name in names))


def _usable(column: pd.Series) -> bool:
    """Whether a column can be adjusted for: it varies, and is a number or has few levels."""
    try:
        values = int(column.nunique())
    except TypeError:  # lists and the like
        return False
    if values < 2 or pd.api.types.is_datetime64_any_dtype(column):
        return False
    return pd.api.types.is_numeric_dtype(column) or values <= _MOST_LEVELS
