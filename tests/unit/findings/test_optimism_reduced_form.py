"""F18: slope is the within-cell regression, bins hold everyone, curve points hold enough."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from analytic_studies import POLICY, build_citizen_panel, coin_outcomes

from jobchance.findings import optimism_reduced_form
from jobchance.findings.optimism_rows import optimism_rows


def _built(study, panel):
    assert optimism_reduced_form.needs(study, panel) == ()
    return optimism_reduced_form.build(study, panel, policy=POLICY).frame


def _slope(frame):
    return frame[frame["mark"] == "slope"].iloc[0]


def test_slope_is_the_clustered_regression_within_cells(bip_study, bip_panel):
    found = _slope(_built(bip_study, bip_panel))
    rows = optimism_rows(bip_panel)
    dummies = (rows["cell"].to_numpy()[:, None] == np.unique(rows["cell"])).astype(float)
    X = np.column_stack([rows["optimism_sd"], dummies])
    reference = sm.OLS(rows["outcome"].to_numpy(), X).fit(
        cov_type="cluster",
        cov_kwds={"groups": rows["caseworker_id"].astype("category").cat.codes, "df_correction": True},
    )
    assert found["estimate"] == pytest.approx(reference.params[0], rel=1e-8)
    half = (found["conf_high"] - found["conf_low"]) / 2
    assert half == pytest.approx(reference.bse[0] * 1.97, rel=0.01)


def test_recovers_a_planted_slope(bip_study, bip_panel):
    rows = bip_panel.frame
    optimism = (rows["optimism"] - rows["optimism"].mean()) / rows["optimism"].std()
    chance = (0.2 + 0.04 * optimism).fillna(0.2)
    frames = [_built(bip_study, coin_outcomes(bip_panel, chance, seed=seed)) for seed in range(100, 110)]
    slopes = [_slope(frame) for frame in frames]
    # one estimate has a standard error of about 0.0065
    assert np.mean([slope["estimate"] for slope in slopes]) == pytest.approx(0.04, abs=0.008)
    assert sum(slope["conf_low"] < 0.04 < slope["conf_high"] for slope in slopes) >= 7
    assert all(slope["conf_low"] > 0 for slope in slopes)
    curve = frames[0][frames[0]["mark"] == "curve"]
    near = np.polyfit(curve["x"], curve["estimate"], 1)[0]
    assert near == pytest.approx(0.04, abs=0.03)


def test_bins_hold_every_row_and_enough_caseworkers(bip_study, bip_panel):
    frame = _built(bip_study, bip_panel)
    bins = frame[frame["mark"] == "bin"]
    assert bins["N_rows"].sum() == len(optimism_rows(bip_panel))
    assert (bins["N_caseworkers"] >= 3).all()
    assert (bins["N_citizens"] >= 5).all()
    assert (bins["x_high"].to_numpy()[:-1] == bins["x_low"].to_numpy()[1:]).all()
    curve = frame[frame["mark"] == "curve"]
    assert curve["x"].between(-2, 2).all()
    assert (curve["N_caseworkers"] >= 3).all()
    assert (curve["N_events"] >= 5).all()


def test_small_studies_get_wide_bins(bip_study, bip_panel):
    some = bip_panel.frame["caseworker_id"].isin(
        sorted(bip_panel.frame["caseworker_id"].dropna().unique())[:24]
    )
    small = type(bip_panel)(bip_panel.frame[some], bip_panel.flow, bip_panel.meta)
    bins = _built(bip_study, small)
    bins = bins[bins["mark"] == "bin"]
    assert len(bins) < 20
    assert (bins["N_caseworkers"] >= 3).all()


def test_optimism_is_in_standard_deviations(bip_panel):
    rows = optimism_rows(bip_panel)
    assert rows["optimism_sd"].mean() == pytest.approx(0, abs=1e-12)
    assert rows["optimism_sd"].std() == pytest.approx(1)


def test_needs_caseworkers(bip_study):
    assert optimism_reduced_form.needs(bip_study, None) == ("need.outcome",)
    assert optimism_reduced_form.needs(*build_citizen_panel(bip_study)) == ("need.optimism",)
