"""T7: each level's model is the package's own mixed model; levels without enough groups say why."""

from __future__ import annotations

import numpy as np
import pytest
from analytic_studies import POLICY, build_citizen_panel, coin_outcomes, with_frame

from jobchance.findings import variance_decomposition
from jobchance.findings.context import first_at_risk
from jobchance.models.mixed import fit_mixed
from jobchance.panel.model import AnalysisPanel


def _built(study, panel):
    assert variance_decomposition.needs(study, panel) == ()
    return variance_decomposition.build(study, panel, policy=POLICY).frame


def _row(frame, level, mark):
    return frame[(frame["level"] == level) & (frame["mark"] == mark)].iloc[0]


def test_rows_are_one_factor_models(bip_study, bip_panel):
    frame = _built(bip_study, bip_panel)
    first = first_at_risk(bip_panel).dropna(subset=["outcome", "jobcentre_id"])
    fit = fit_mixed("outcome ~ 1 + (1 | jobcentre_id)", first)
    assert _row(frame, "jobcentre", "sd")["estimate"] == pytest.approx(
        fit.variance_components["sd"].iloc[0], abs=1e-6
    )
    assert _row(frame, "jobcentre", "sd")["N_groups"] == first["jobcentre_id"].nunique()
    assert _row(frame, "jobcentre", "sd")["N_rows"] == len(first)
    for level in ("citizen", "caseworker", "jobcentre"):
        for mark in ("sd", "icc"):
            row = _row(frame, level, mark)
            assert row["conf_low"] <= row["estimate"] <= row["conf_high"]
        assert 0 <= _row(frame, level, "icc")["estimate"] < 1


def test_recovers_caseworker_variation_and_ignores_repeated_rows(bip_study, bip_panel):
    workers = bip_panel.frame["caseworker_id"]
    rng = np.random.default_rng(5)
    level = {
        worker: float(np.clip(0.3 + 0.1 * rng.normal(), 0, 1)) for worker in sorted(workers.dropna().unique())
    }
    planted = coin_outcomes(bip_panel, workers.map(level).fillna(0.3), seed=6)
    row = _row(_built(bip_study, planted), "caseworker", "sd")
    assert row["conf_low"] < 0.1 < row["conf_high"]
    # repeated rows of one citizen must not pass for agreement within the caseworker
    known = bip_panel.frame.dropna(subset=["caseworker_id"]).drop_duplicates(["citizen_id", "caseworker_id"])
    none = _row(_built(bip_study, coin_outcomes(bip_panel, 0.3, seed=7)), "caseworker", "sd")
    assert none["conf_low"] == 0
    assert none["N_rows"] == len(known)


def test_outcome_fixed_within_citizens_is_refused(bip_study, bip_panel):
    frame = _built(bip_study, coin_outcomes(bip_panel, 0.3, seed=7))
    assert _row(frame, "citizen", "refused")["reason"] == "constant"


def test_refused_levels_have_a_reason_and_no_number(bip_study, bip_panel):
    four = bip_panel.frame["jobcentre_id"].isin(sorted(bip_panel.frame["jobcentre_id"].dropna().unique())[:4])
    frame = _built(bip_study, AnalysisPanel(bip_panel.frame[four], bip_panel.flow, bip_panel.meta))
    refused = _row(frame, "jobcentre", "refused")
    assert refused["reason"] == "few"
    assert np.isnan(refused["estimate"])
    once = bip_panel.frame[bip_panel.frame["wave"] == 1]
    frame = _built(bip_study, AnalysisPanel(once, bip_panel.flow, bip_panel.meta))
    assert _row(frame, "citizen", "refused")["reason"] == "once"
    nobody = with_frame(bip_panel, caseworker_id=None)
    assert _row(_built(bip_study, nobody), "caseworker", "refused")["reason"] == "unknown"


def test_needs_repeated_measurements_or_caseworkers(bip_study):
    assert variance_decomposition.needs(bip_study, None) == ("need.outcome",)
    study, panel = build_citizen_panel(bip_study)
    blank = with_frame(panel, jobcentre_id=None)
    assert variance_decomposition.needs(study, blank) == ("need.groups",)
