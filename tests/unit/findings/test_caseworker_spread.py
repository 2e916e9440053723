"""F23: raw, noise and shrunken groups; chance is told from real differences; no group is too small."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from analytic_studies import POLICY, build_citizen_panel, coin_outcomes

from jobchance import build_panel
from jobchance.findings import caseworker_spread
from jobchance.findings.caseworker_spread import MIN_CASES


def _built(study, panel, policy=POLICY):
    assert caseworker_spread.needs(study, panel) == ()
    return caseworker_spread.build(study, panel, policy=policy).frame


@pytest.fixture(scope="module")
def job_only(bip_study):
    """The study without the outcome job or education, so that the panel given is the one used."""
    outcome = bip_study.tables["outcome"]
    return replace(bip_study, tables={**bip_study.tables, "outcome": outcome[outcome["outcome"] == "job"]})


def _cases(panel):
    rows = panel.frame.dropna(subset=["outcome", "caseworker_id"]).sort_values(["citizen_id", "wave"])
    cases = rows.drop_duplicates(["citizen_id", "caseworker_id"])
    return cases[cases.groupby("caseworker_id")["outcome"].transform("size") >= MIN_CASES]


def test_raw_groups_are_pooled_shares_of_ranked_caseworkers(job_only, bip_panel):
    frame = _built(job_only, bip_panel)
    cases = _cases(bip_panel)
    loads = cases.groupby("caseworker_id")["outcome"].agg(["sum", "size"])
    raw = frame[(frame["mark"] == "group") & (frame["kind"] == "raw")]
    assert len(raw) == frame["groups"].iloc[0]
    assert raw["estimate"].is_monotonic_increasing
    assert raw["N_caseworkers"].sum() == len(loads)
    quarters = frame[(frame["mark"] == "quarter") & (frame["kind"] == "raw")].set_index("level")
    ranked = loads.assign(rate=loads["sum"] / loads["size"]).sort_values(
        ["rate", "size"], ascending=[True, False]
    )
    lowest = ranked.iloc[: int(quarters.loc["lowest", "N_caseworkers"])]
    assert quarters.loc["lowest", "estimate"] == pytest.approx(lowest["sum"].sum() / lowest["size"].sum())
    assert frame["mean_rate"].iloc[0] == pytest.approx(loads["sum"].sum() / loads["size"].sum())


def test_quarters_are_unions_of_groups(job_only, bip_panel):
    frame = _built(job_only, bip_panel)
    groups = int(frame["groups"].iloc[0])
    raw = frame[frame["kind"] == "raw"]
    parts = raw[raw["mark"] == "group"].sort_values("rank")["N_caseworkers"].to_list()
    quarters = raw[raw["mark"] == "quarter"].set_index("level")["N_caseworkers"]
    assert quarters["lowest"] == sum(parts[: groups // 4])
    assert quarters["highest"] == sum(parts[-groups // 4 :])


def test_no_group_is_below_the_policy(job_only, bip_panel):
    strict = replace(POLICY, min_events=15, min_entities={"caseworker": 6})
    frame = _built(job_only, bip_panel, strict)
    groups = frame[frame["mark"] == "group"]
    assert (groups["N_caseworkers"] >= 6).all()
    assert (groups["N_events"] >= 15).all() or len(groups) == 12  # four groups, three kinds: the fewest
    assert frame["groups"].iloc[0] <= _built(job_only, bip_panel)["groups"].iloc[0]


def test_chance_alone_is_recognised(job_only, bip_panel):
    quiet = []
    for seed in range(12):
        frame = _built(job_only, coin_outcomes(bip_panel, 0.14, seed=seed))
        gap = frame[(frame["mark"] == "gap") & (frame["kind"] == "raw")].iloc[0]
        quiet.append(gap["p_value"] >= 0.05)
        spread = frame[frame["mark"] == "true_sd"].iloc[0]
        assert spread["estimate"] < 0.04
        shrunken = frame[(frame["mark"] == "gap") & (frame["kind"] == "shrunken")].iloc[0]
        assert shrunken["estimate"] < 0.5 * gap["estimate"]
    assert sum(quiet) >= 9


def test_real_differences_are_recognised(job_only, bip_panel):
    workers = bip_panel.frame["caseworker_id"]
    rng = np.random.default_rng(5)
    level = {worker: max(0.01, 0.2 + 0.12 * rng.normal()) for worker in sorted(workers.dropna().unique())}
    frame = _built(job_only, coin_outcomes(bip_panel, workers.map(level).fillna(0.2), seed=6))
    gap = frame[(frame["mark"] == "gap") & (frame["kind"] == "raw")].iloc[0]
    noise = frame[(frame["mark"] == "gap") & (frame["kind"] == "noise")].iloc[0]
    spread = frame[frame["mark"] == "true_sd"].iloc[0]
    assert gap["p_value"] < 0.001
    assert gap["estimate"] > 1.3 * noise["estimate"]
    assert spread["conf_low"] > 0.05
    assert frame.loc[frame["mark"] == "noise_variance", "estimate"].iloc[0] < 0.7


def test_shrunken_shares_lie_between_raw_and_mean(job_only, bip_panel):
    frame = _built(job_only, bip_panel)
    groups = frame[frame["mark"] == "group"].pivot_table(index="rank", columns="kind", values="estimate")
    mean = frame["mean_rate"].iloc[0]
    away = (groups["raw"] - mean).abs()
    assert ((groups["shrunken"] - mean).abs() <= away + 0.01).all()


def test_prefers_the_outcome_of_the_published_spread(bip_study, bip_panel, job_only):
    assert set(_built(bip_study, bip_panel)["outcome"]) == {"job_or_education"}
    assert set(_built(job_only, bip_panel)["outcome"]) == {"job"}
    own = build_panel(bip_study, outcome="job_or_education")
    one, other = _built(bip_study, bip_panel), _built(bip_study, own)
    np.testing.assert_allclose(one["estimate"], other["estimate"])


def test_same_input_same_numbers_in_any_row_order(job_only, bip_panel):
    shuffled = type(bip_panel)(bip_panel.frame.sample(frac=1, random_state=2), bip_panel.flow, bip_panel.meta)
    one, other = _built(job_only, bip_panel), _built(job_only, shuffled)
    np.testing.assert_allclose(other["estimate"], one["estimate"], rtol=1e-12)
    assert set(one["seed"]) == {"20170301"}


def test_needs_caseworkers_with_enough_cases(bip_study, bip_panel):
    assert caseworker_spread.needs(bip_study, None) == ("need.outcome",)
    assert caseworker_spread.needs(*build_citizen_panel(bip_study)) == ("need.twelve_caseworkers",)
