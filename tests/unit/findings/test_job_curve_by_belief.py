"""F16: curves are Kaplan–Meier, steps and risk table keep the policy, the gap is that of the curves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from analytic_studies import POLICY, build_citizen_panel, with_frame, without_outcomes
from statsmodels.duration.survfunc import SurvfuncRight

from jobchance.disclosure.check import check, export_frame, protect
from jobchance.findings import job_curve_by_belief
from jobchance.findings.belief_distribution import answered


def _built(study, panel, policy=POLICY):
    assert job_curve_by_belief.needs(study, panel) == ()
    return job_curve_by_belief.build(study, panel, policy=policy).frame


def test_curve_is_kaplan_meier_at_its_knots(bip_study, bip_panel):
    frame = _built(bip_study, bip_panel)
    rows = answered(bip_study, bip_panel)
    for level in ("1", "4", "dont_know"):
        part = rows[(rows["level"] == level) & rows["weeks_to_outcome"].notna()]
        weeks = part["weeks_to_outcome"].clip(upper=52)
        reference = SurvfuncRight(weeks, part["event_observed"].astype(int))
        curve = frame[(frame["mark"] == "curve") & (frame["level"] == level)]
        for week, share in zip(curve["week"], curve["estimate"], strict=True):
            before = reference.surv_times < week
            expected = 1 - reference.surv_prob[before][-1]
            assert share == pytest.approx(expected, rel=1e-9)


def test_every_step_holds_the_events_that_the_policy_asks_for(bip_study, bip_panel):
    for policy in (POLICY, replace(POLICY, curve_min_events=12)):
        frame = _built(bip_study, bip_panel, policy)
        curve = frame[frame["mark"] == "curve"]
        assert (curve["N_events"] >= policy.curve_min_events).all()
        assert set(curve.groupby("level")["week"].max()) == {52}
        shown = export_frame(protect(frame, policy, output="F16"), policy)
        assert check(shown, policy, output="F16") == []
    rows = answered(bip_study, bip_panel)
    five = rows[rows["level"] == "5"]
    events = int((five["event_observed"] & (five["weeks_to_outcome"] < 52)).sum())
    assert curve.loc[curve["level"] == "5", "N_events"].sum() == events


def test_risk_table_is_in_bands_and_falls(bip_study, bip_panel):
    frame = _built(bip_study, bip_panel, replace(POLICY, round_base=10))
    table = frame[frame["mark"] == "at_risk"]
    assert set(table["week"]) == {0, 13, 26, 39, 52}
    assert (table["N_at_risk"] % 10 == 0).all()
    assert (table["N_at_risk"] == table["N_citizens"]).all()
    assert all(part["N_at_risk"].is_monotonic_decreasing for _, part in table.groupby("level"))


def test_gap_is_the_distance_between_the_outermost_curves(bip_study, bip_panel):
    frame = _built(bip_study, bip_panel)
    last = frame[(frame["mark"] == "gap") & (frame["week"] == 52)].iloc[0]
    ends = frame[(frame["mark"] == "curve") & (frame["week"] == 52)].set_index("level")["estimate"]
    assert (last["level"], last["compared_with"]) == ("5", "1")
    assert last["estimate"] == pytest.approx(ends["5"] - ends["1"])
    assert last["conf_low"] < last["estimate"] < last["conf_high"]


def test_events_of_incomplete_windows_count_in_the_curve(bip_study, bip_panel):
    # An event before the data end is an event, though the row has no 0/1 outcome.
    rows = bip_panel.frame
    late = rows["event_observed"] & (np.arange(len(rows)) % 2 == 0)
    half = with_frame(bip_panel, outcome=rows["outcome"].where(~late))
    one, other = _built(bip_study, bip_panel), _built(bip_study, half)
    final = [frame[(frame["mark"] == "curve") & (frame["level"] == "5")].iloc[-1] for frame in (one, other)]
    assert final[1]["estimate"] == pytest.approx(final[0]["estimate"])


def test_nothing_to_show_leaves_hidden_rows(bip_study, bip_panel):
    few = bip_panel.frame.sample(60, random_state=1)
    small = type(bip_panel)(few, bip_panel.flow, bip_panel.meta)
    frame = protect(_built(bip_study, small, replace(POLICY, min_events=50)), POLICY, output="F16")
    assert frame["suppressed"].all()


def test_needs_dates_of_the_outcome(bip_study, bip_panel):
    assert job_curve_by_belief.needs(bip_study, None) == ("need.outcome",)
    assert job_curve_by_belief.needs(bip_study, without_outcomes(bip_panel)) == ("need.outcome",)
    undated = with_frame(
        bip_panel,
        weeks_to_outcome=bip_panel.frame["weeks_to_outcome"].where(~bip_panel.frame["event_observed"]),
    )
    assert job_curve_by_belief.needs(bip_study, undated) == ("figure.job_curve_by_belief.need.dates",)


def test_citizens_own_belief(bip_study):
    frame = _built(*build_citizen_panel(bip_study))
    assert set(frame["interval"]) == {"greenwood"}
    assert set(frame["respondent"]) == {"citizen"}
