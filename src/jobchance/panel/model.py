"""`AnalysisPanel`: one row per citizen and wave, who fell out on the way, and the conventions used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import pandas as pd


@dataclass(frozen=True)
class AnalysisPanel:
    """One row per citizen x wave, at risk at the measurement; built by `build_panel`.

    Parameters
    ----------
    frame : DataFrame
        Columns at least `citizen_id caseworker_id jobcentre_id wave date belief expectation
        expectation_within expectation_between optimism outcome weeks_to_outcome censored`.
    flow : DataFrame
        `step n_citizens n_rows reason`, one line per step that lost rows.
    meta : mapping
        Outcome rule, horizon, at-risk rule, belief item and respondent, covariates, study name and source,
        conventions in words.
    """

    frame: pd.DataFrame
    flow: pd.DataFrame
    meta: Mapping[str, object]

    def __post_init__(self) -> None:
        object.__setattr__(self, "meta", MappingProxyType(dict(self.meta)))

    def __repr__(self) -> str:
        return (
            f"AnalysisPanel({len(self.frame)} rows, {self.frame['citizen_id'].nunique()} citizens, "
            f"outcome={self.meta.get('outcome')!r}, horizon_weeks={self.meta.get('horizon_weeks')})"
        )
