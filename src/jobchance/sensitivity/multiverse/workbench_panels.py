"""The panels of a multiverse: one for every outcome rule, horizon and at-risk rule that is asked for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from jobchance.design.columns import is_categorical, numeric_values
from jobchance.errors import DesignError, SpecError
from jobchance.panel.build import COLUMNS, build_panel
from jobchance.panel.model import AnalysisPanel
from jobchance.sensitivity.multiverse.samples import needed_columns
from jobchance.sensitivity.multiverse.specification import Specification
from jobchance.study.model import Study

Key = tuple[str, int, str]
"""Outcome rule, horizon in weeks, at-risk rule: what makes a panel."""


def panels_for(
    source: Study | AnalysisPanel, specifications: Sequence[Specification]
) -> dict[Key, AnalysisPanel]:
    """The panels that specifications ask for.

    Raises
    ------
    SpecError
        They name columns that there are not (all are listed), or a panel that is not at hand.
    """
    keys = list(dict.fromkeys(map(panel_key, specifications)))
    columns = list(dict.fromkeys(column for one in specifications for column in needed_columns(one)))
    if isinstance(source, Study):
        panels = {key: _built(source, key, columns) for key in keys}
    else:
        panels = _given(source, keys)
    require_columns(panels.values(), columns)
    return panels


def panel_key(spec: Specification) -> Key:
    """What makes the panel of a specification."""
    return spec.outcome, spec.horizon_weeks, spec.at_risk


def _built(study: Study, key: Key, columns: Iterable[str]) -> AnalysisPanel:
    """One panel of a study, with the columns of the citizen table that are asked for."""
    outcome, horizon, at_risk = key
    covariates = [column for column in columns if column not in COLUMNS]
    return build_panel(study, outcome=outcome, horizon_weeks=horizon, at_risk=at_risk, covariates=covariates)


def _given(panel: AnalysisPanel, keys: Sequence[Key]) -> dict[Key, AnalysisPanel]:
    """The one panel, which must be that of all specifications."""
    meta = panel.meta
    own = (str(meta.get("outcome")), int(str(meta.get("horizon_weeks", 0))), str(meta.get("at_risk")))
    others = [named(key) for key in keys if key != own]
    if others:
        raise SpecError(
            f"The panel is that of {named(own)}, but specifications ask for {'; '.join(others[:3])}"
            f"{' and others' if len(others) > 3 else ''}. Give the Study, from which each panel is built."
        )
    return {own: panel}


def named(key: Key) -> str:
    """A panel in words."""
    return f"outcome {key[0]!r}, {key[1]} weeks, at risk {key[2]!r}"


def require_columns(panels: Iterable[AnalysisPanel], columns: Iterable[str]) -> None:
    """Every column asked for is in every panel."""
    wanted = tuple(columns)
    absent = dict.fromkeys(c for panel in panels for c in wanted if c not in panel.frame.columns)
    if absent:
        raise SpecError(
            f"The panel has no column {', '.join(absent)}: name covariates in build_panel, or give the Study."
        )


def deviation(frame: pd.DataFrame, exposure: str) -> float:
    """Standard deviation of the exposure over rows with a known outcome."""
    rows = frame.loc[frame["outcome"].notna() & frame[exposure].notna(), [exposure]]
    if not len(rows) or is_categorical(rows, exposure):
        raise DesignError(f"The exposure {exposure} is no number, so it has no standard deviation.")
    spread = float(np.std(numeric_values(rows, exposure), ddof=1)) if len(rows) > 1 else 0.0
    if not spread > 0:
        raise DesignError(f"The exposure {exposure} does not vary in the panel.")
    return spread
