"""F17: thirds of rows by optimism about others, contrast with intervals, and what it needs."""

from __future__ import annotations

import pytest
from analytic_studies import POLICY, build_citizen_panel, coin_outcomes, with_frame

from jobchance.findings import optimism_terciles
from jobchance.indicator.optimism import optimism_thirds


def _built(study, panel):
    assert optimism_terciles.needs(study, panel) == ()
    return optimism_terciles.build(study, panel, policy=POLICY).frame


def test_thirds_and_contrast_are_plain_arithmetic(bip_study, bip_panel):
    frame = _built(bip_study, bip_panel)
    rows = bip_panel.frame.dropna(subset=["outcome", "optimism"])
    rows = rows.assign(third=optimism_thirds(rows))
    bars = frame[frame["mark"] == "level"].set_index("level")
    assert list(bars.index) == ["low", "middle", "high"]
    grouped = rows.groupby("third")
    assert bars["estimate"].to_dict() == pytest.approx(grouped["outcome"].mean().to_dict())
    assert bars["N_rows"].to_dict() == grouped.size().to_dict()
    assert bars["N_citizens"].to_dict() == grouped["citizen_id"].nunique().to_dict()
    assert bars["N_caseworkers"].to_dict() == grouped["caseworker_id"].nunique().to_dict()
    gap = frame[frame["mark"] == "difference"].iloc[0]
    ratio = frame[frame["mark"] == "ratio"].iloc[0]
    assert gap["estimate"] == pytest.approx(bars["estimate"]["high"] - bars["estimate"]["low"])
    assert ratio["estimate"] == pytest.approx(bars["estimate"]["high"] / bars["estimate"]["low"])
    assert set(frame["estimand"]) == {"dispositional"}
    assert set(frame["interval"]) == {"cluster_caseworker"}


def test_no_association_gives_an_interval_round_zero(bip_study, bip_panel):
    inside = []
    for seed in range(20):
        frame = _built(bip_study, coin_outcomes(bip_panel, 0.06, seed=seed))
        gap = frame[frame["mark"] == "difference"].iloc[0]
        inside.append(gap["conf_low"] < 0 < gap["conf_high"])
    assert sum(inside) >= 16  # 95 per cent intervals: fewer than 16 of 20 has a chance below 1 in 1,000


def test_a_planted_association_is_found(bip_study, bip_panel):
    rows = bip_panel.frame
    optimism = (rows["optimism"] - rows["optimism"].mean()) / rows["optimism"].std()
    frame = _built(bip_study, coin_outcomes(bip_panel, (0.15 + 0.05 * optimism).fillna(0.15), seed=2))
    gap = frame[frame["mark"] == "difference"].iloc[0]
    assert gap["conf_low"] > 0
    assert gap["estimate"] == pytest.approx(0.05 * 2.18, abs=0.04)  # outer thirds of a normal: 2.18 sd apart


def test_needs_caseworkers_with_optimism(bip_study, bip_panel):
    assert optimism_terciles.needs(bip_study, None) == ("need.outcome",)
    own = build_citizen_panel(bip_study)
    assert optimism_terciles.needs(*own) == ("need.optimism",)
    one_outlook = with_frame(bip_panel, optimism=0.0)
    assert optimism_terciles.needs(bip_study, one_outlook) == ("need.optimism",)
    eight = bip_panel.frame["caseworker_id"].isin(bip_panel.frame["caseworker_id"].dropna().unique()[:8])
    few = type(bip_panel)(bip_panel.frame[eight], bip_panel.flow, bip_panel.meta)
    assert optimism_terciles.needs(bip_study, few) == ("need.nine_caseworkers",)
