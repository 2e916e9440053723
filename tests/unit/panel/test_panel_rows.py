"""Which rows a panel has, who belongs to them, and what goes with them."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from jobchance.errors import SpecError
from jobchance.labels.load import label
from jobchance.panel.build import COLUMNS, build_panel
from jobchance.panel.outcomes import OUTCOMES
from jobchance.resources import data_folder
from jobchance.study.model import Analysis

OWN = Analysis(belief_item="belief_own", belief_respondent="citizen")


def quiet(citizens):
    """Nothing happens to any of these citizens."""
    return [
        {"citizen_id": c, "window_start": "2012-01-01", "window_end": "2017-01-01", "value": 0}
        for c in citizens
    ]


def form(citizen, day, **more):
    return {"citizen_id": citizen, "date": day, "wave": 1, **more}


def test_flow_counts_every_step_from_all_forms_to_the_panel(make_study):
    forms = [
        form("a", "2014-03-05"),
        form("a", "2014-03-12", value=5.0),  # a second form in the same wave
        form("a", "2014-06-05", wave=2, value=np.nan, missing_reason="dont_know"),
        form("b", "2014-03-05", value=np.nan, missing_reason="refused"),
        form("c", "2014-03-05", respondent="citizen", caseworker_id=None),
        form("d", "2014-03-05", value=2.0),
        form("e", "2014-03-05", value=4.0),
    ]
    windows = quiet("abce")
    windows += [
        {"citizen_id": "d", "window_start": "2012-01-01", "window_end": "2015-01-01", "value": 1}
        | {"event_date": "2014-01-01", "event_end": "2015-01-01"}
    ]
    panel = build_panel(make_study(forms, windows), horizon_weeks=13)
    assert panel.flow[["step", "n_citizens", "n_rows"]].to_numpy().tolist() == [
        ["measurements", 5, 7],
        ["respondent", 4, 6],
        ["belief_answered", 3, 5],
        ["one_per_wave", 3, 4],
        ["at_risk", 2, 3],
        ["panel", 2, 3],
        ["of_which_censored", 0, 0],
        ["of_which_dont_know", 1, 1],
        ["of_which_no_optimism", 0, 0],
    ]
    assert panel.frame["belief"].tolist()[0] == 3  # the first form of the wave
    assert panel.frame["belief_dont_know"].tolist() == [False, True, False]
    assert np.isnan(panel.frame["belief"].iloc[1])


def test_frame_has_the_documented_columns_in_order_and_covariates_last(make_study):
    citizen = pd.DataFrame({"citizen_id": ["a"], "birth_year": [1980], "own_column": ["x"]})
    study = make_study([form("a", "2014-03-05")], quiet("a"), citizen=citizen)
    panel = build_panel(study, covariates=["own_column", "birth_year"])
    assert panel.frame.columns.tolist() == [*COLUMNS, "own_column", "birth_year"]
    assert panel.frame[["own_column", "birth_year"]].to_numpy().tolist() == [["x", 1980]]
    assert panel.meta["covariates"] == ("own_column", "birth_year")


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["birth_yaer"], r"Allowed: birth_year, own_column.*Did you mean 'birth_year'"),
        (["nope", "neither"], r"nope, neither are not known. Allowed: birth_year, own_column"),
        (["any_intervention"], "measured during follow-up"),
        (["citizen_id"], "is not known"),
    ],
)
def test_covariates_that_cannot_be_had_are_refused_with_a_reason(make_study, names, message):
    citizen = pd.DataFrame(
        {"citizen_id": ["a"], "birth_year": [1980], "any_intervention": [True], "own_column": ["x"]}
    )
    study = make_study([form("a", "2014-03-05")], quiet("a"), citizen=citizen)
    with pytest.raises(SpecError, match=message):
        build_panel(study, covariates=names)


def test_citizens_own_belief_takes_the_lead_caseworker_of_the_day_and_has_no_optimism(make_study):
    forms = [
        form("a", "2014-03-05", respondent="citizen", caseworker_id=None),
        form("a", "2014-06-05", wave=2, respondent="citizen", caseworker_id=None),
        form("b", "2014-03-05", respondent="citizen", caseworker_id=None),
        form("c", "2014-03-05", respondent="citizen", caseworker_id="w9"),
        form("c", "2014-03-05", respondent="caseworker", caseworker_id="w1"),
    ]
    assignment = pd.DataFrame(
        [
            ("a", "w1", "2014-01-01", "2014-06-05", "lead"),
            ("a", "w2", "2014-06-05", None, "lead"),
            ("a", "w3", "2014-01-01", None, "mentor"),
            ("b", "w1", "2014-03-06", None, "lead"),
            ("c", "w1", "2014-01-01", None, "lead"),
        ],
        columns=["citizen_id", "caseworker_id", "start", "end", "role"],
    )
    assignment = assignment.assign(
        start=pd.to_datetime(assignment["start"]), end=pd.to_datetime(assignment["end"])
    )
    caseworker = pd.DataFrame({"caseworker_id": ["w1", "w2", "w9"], "jobcentre_id": ["j1", "j2", "j9"]})
    study = make_study(forms, quiet("abc"), analysis=OWN, assignment=assignment, caseworker=caseworker)
    panel = build_panel(study)
    frame = panel.frame
    assert frame["caseworker_id"].fillna("none").tolist() == ["w1", "w2", "none", "w9"]
    assert frame["jobcentre_id"].fillna("none").tolist() == ["j1", "j2", "none", "j9"]
    assert frame["optimism"].isna().all()
    assert "no_optimism" in panel.meta["conventions"]


def test_jobcentre_falls_back_on_the_citizens_municipality_if_it_has_one_jobcentre(make_study):
    citizen = pd.DataFrame({"citizen_id": ["a", "b", "c"], "municipality_at_entry": ["101", "851", "999"]})
    jobcentre = pd.DataFrame({"jobcentre_id": ["j1", "j2", "j3"], "municipality_code": ["101", "851", "851"]})
    forms = [form(c, "2014-03-05", respondent="citizen", caseworker_id=None) for c in "abc"]
    study = make_study(forms, quiet("abc"), analysis=OWN, citizen=citizen, jobcentre=jobcentre)
    assert build_panel(study).frame["jobcentre_id"].fillna("none").tolist() == ["j1", "none", "none"]


def test_belief_respondent_must_be_the_items(make_study):
    study = make_study([form("a", "2014-03-05")], quiet("a"), analysis=Analysis(belief_respondent="citizen"))
    with pytest.raises(SpecError, match="answered by the caseworker"):
        build_panel(study)


@pytest.mark.parametrize("with_scale", [True, False])
def test_reversed_belief_is_turned_once_in_expectation_and_not_in_belief(make_study, with_scale):
    forms = [form("a", "2014-03-05", value=1.0), form("a", "2014-06-05", wave=2, value=4.0)]
    study = make_study(forms, quiet("a"), reverse=True, with_scale=with_scale)
    frame = build_panel(study).frame
    assert frame["belief"].tolist() == [1, 4]
    assert frame["expectation"].tolist() == [5, 2]
    assert frame["expectation_between"].tolist() == [3.5, 3.5]
    assert frame["expectation_within"].tolist() == [1.5, -1.5]


def test_reversed_belief_turns_optimism_round(make_study):
    forms = [
        form(c, "2014-03-05", value=v, caseworker_id=w)
        for c, v, w in [
            ("a", 1.0, "w1"),
            ("b", 1.0, "w1"),
            ("c", 5.0, "w2"),
            ("d", 4.0, "w2"),
            ("e", 2.0, "w2"),
        ]
    ]
    plain, turned = (build_panel(make_study(forms, quiet("abcde"), reverse=r)).frame for r in (False, True))
    np.testing.assert_allclose(plain["optimism"], -turned["optimism"], atol=1e-14)
    assert plain["optimism"].abs().min() > 0.1


def test_between_part_is_over_the_rows_of_the_panel_only(make_study):
    forms = [form("a", f"2014-0{3 * k}-05", wave=k, value=float(k)) for k in (1, 2, 3)]
    windows = [
        {"citizen_id": "a", "window_start": "2012-01-01", "window_end": "2014-04-01", "value": 1}
        | {"event_date": "2014-03-01", "event_end": "2014-04-01"},
        {"citizen_id": "a", "window_start": "2014-04-01", "window_end": "2017-01-01", "value": 0},
    ]
    frame = build_panel(make_study(forms, windows), horizon_weeks=13).frame
    assert frame["wave"].tolist() == [2, 3]
    assert frame["expectation_between"].tolist() == [2.5, 2.5]


def test_optimism_uses_answers_of_citizens_that_are_not_at_risk(make_study):
    forms = [form("a", "2014-03-05", value=2.0), form("b", "2014-03-05", value=5.0)]
    forms += [form(c, "2014-03-05", value=v, caseworker_id="w2") for c, v in [("c", 1.0), ("d", 3.0)]]
    in_job = {"citizen_id": "b", "window_start": "2012-01-01", "window_end": "2017-01-01", "value": 1}
    windows = [*quiet("acd"), in_job | {"event_date": "2013-01-01"}]
    frame = build_panel(make_study(forms, windows)).frame
    assert frame["citizen_id"].tolist() == ["a", "c", "d"]
    assert frame["optimism"].iloc[0] == pytest.approx((5 - 3) / 2)  # b alone, against 5, 1, 3 with sd 2


def test_period_is_the_calendar_half_year(make_study):
    forms = [
        form("a", d, wave=k) for k, d in enumerate(["2013-12-31", "2014-01-01", "2014-06-30", "2014-07-01"])
    ]
    periods = build_panel(make_study(forms, quiet("a"))).frame["period"]
    assert periods.tolist() == ["2013H2", "2014H1", "2014H1", "2014H2"]


def test_meta_states_the_choices_and_holds_no_ids(make_study):
    study = make_study([form("citizen-17", "2014-03-05")], quiet(["citizen-17"]))
    meta = build_panel(study, horizon_weeks=26).meta
    assert meta["outcome"] == "job"
    assert meta["horizon_weeks"] == 26
    assert meta["belief_item"] == "belief_job"
    assert meta["data_kind"] == "simulated"
    assert meta["study_fingerprint"] == study.fingerprint
    assert (meta["n_rows"], meta["n_citizens"], meta["n_events"], meta["n_censored"]) == (1, 1, 0, 0)
    assert "citizen-17" not in str(dict(meta))


@pytest.mark.parametrize("risk", ["not_in_job", "all"])
@pytest.mark.parametrize("lang", ["da", "en"])
def test_every_step_reason_and_convention_has_words(make_study, risk, lang):
    panel = build_panel(make_study([form("a", "2014-03-05")], quiet("a")), at_risk=risk)
    keys = [f"panel.step.{s}" for s in panel.flow["step"]] + [
        f"panel.reason.{r}" for r in panel.flow["reason"]
    ]
    keys += [f"panel.convention.{c}" for c in (*panel.meta["conventions"], "no_optimism")]
    assert all(label(key, lang).strip() for key in keys)


def test_outcome_rules_are_those_of_the_code_list_and_described_in_both_languages():
    codes = pd.read_csv(data_folder() / "codelists" / "outcome.csv")
    assert set(OUTCOMES) == set(codes["code"])
    assert OUTCOMES["job"].label_da == "job"
    for rule_id, rule in OUTCOMES.items():
        assert rule.rule_id == rule_id
        texts = [rule.definition_da, rule.definition_en, rule.at_risk_da, rule.at_risk_en, rule.source]
        assert len({*texts, ""}) == 6


def test_a_caseworker_that_no_table_knows_has_no_jobcentre(make_study):
    forms = [form("a", "2014-03-05"), form("b", "2014-03-05", caseworker_id="w2")]
    caseworker = pd.DataFrame({"caseworker_id": ["w1"], "jobcentre_id": ["j1"]})
    frame = build_panel(make_study(forms, quiet("ab"), caseworker=caseworker)).frame
    assert frame["jobcentre_id"].isna().tolist() == [False, True]
    assert frame["jobcentre_id"].iloc[0] == "j1"


def test_a_study_without_caseworkers_has_none_in_its_panel(make_study):
    forms = [form("a", "2014-03-05", respondent="citizen", caseworker_id=None)]
    study = make_study(forms, quiet("a"), analysis=OWN)
    bare = study.tables["measurement"].drop(columns="caseworker_id")
    study = replace(study, tables={**study.tables, "measurement": bare})
    frame = build_panel(study).frame
    assert frame[["caseworker_id", "jobcentre_id", "optimism"]].isna().all(axis=None)
    assert frame["outcome"].tolist() == [0]
