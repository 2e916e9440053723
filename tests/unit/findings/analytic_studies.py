"""Variants of the simulated study for the tests of the analytical findings."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from jobchance import build_panel
from jobchance.disclosure.policy import DisclosurePolicy
from jobchance.panel.model import AnalysisPanel
from jobchance.study.model import Analysis, Study

POLICY = DisclosurePolicy.preset("cautious_dk")


def with_frame(panel: AnalysisPanel, **columns: object) -> AnalysisPanel:
    """The panel with some columns replaced."""
    return AnalysisPanel(panel.frame.assign(**columns), panel.flow, panel.meta)


def citizens_own_belief(study: Study) -> Study:
    """The study as if citizens alone had answered, once, and no caseworker were known."""
    tables = dict(study.tables)
    measurement = tables["measurement"]
    own = measurement[(measurement["respondent"] == "citizen") & (measurement["wave"] == 1)]
    tables["measurement"] = own.assign(caseworker_id=None)
    tables["rating"] = tables["rating"][tables["rating"]["measurement_id"].isin(own["measurement_id"])]
    for name in ("caseworker", "assignment", "jobcentre", "follow_up", "item"):
        tables.pop(name, None)
    analysis = Analysis(belief_item="self_efficacy_ci", belief_respondent="citizen")
    return replace(study, tables=tables, analysis=analysis)


def coin_outcomes(panel: AnalysisPanel, chance: object, *, seed: int) -> AnalysisPanel:
    """Outcomes drawn anew for each citizen with the given chance (a number or one per row)."""
    rng = np.random.default_rng(seed)
    citizens = panel.frame["citizen_id"].drop_duplicates()
    uniform = pd.Series(rng.random(len(citizens)), index=citizens.to_numpy())
    drawn = (panel.frame["citizen_id"].map(uniform) < chance).astype(float)
    weeks = np.where(drawn == 1, rng.integers(0, 52, len(drawn)), 52.0)
    return with_frame(panel, outcome=drawn, event_observed=drawn == 1, weeks_to_outcome=weeks)


def without_outcomes(panel: AnalysisPanel) -> AnalysisPanel:
    return with_frame(panel, outcome=np.nan)


def build_citizen_panel(study: Study) -> tuple[Study, AnalysisPanel]:
    own = citizens_own_belief(study)
    return own, build_panel(own)
