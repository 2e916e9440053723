"""The simulated tables keep every rule of a real study, at every size and turn of the dials."""

import numpy as np
import pandas as pd
import pytest

from jobchance.simulate.bip import simulate_study
from jobchance.study.validate import validate_study

TABLES = {
    "citizen", "caseworker", "jobcentre", "assignment", "measurement", "rating", "item", "outcome",
    "follow_up", "activity", "extract",
}  # fmt: skip

CASES = [
    {},
    {"n_citizens": 1},
    {"n_citizens": 3, "n_jobcentres": 1, "n_caseworkers": 2},
    {"n_citizens": 300, "attrition": 0.0},
    {"n_citizens": 300, "attrition": 20.0},
    {"n_citizens": 300, "sorting": 1.0},
    {"n_citizens": 300, "sorting": -1.0, "forecasting_skill": 0.0, "scale_use": 1.0, "dont_know_share": 0.9},
    {"n_citizens": 300, "n_jobcentres": 80},
    {"n_citizens": 300, "belief_action": 2.0, "action_feedback": 2.0, "action_effect": 1.0},
    {"n_citizens": 300, "belief_action": -2.0, "action_feedback": -2.0, "action_effect": -1.0},
    {"n_citizens": 300, "belief_effect": 0.5, "optimism_effect": 0.5, "shift_effect": 2.0},
]


@pytest.fixture(scope="module")
def study():
    return simulate_study(seed=11)


@pytest.mark.parametrize("dials", CASES)
def test_every_rule_holds(dials):
    report = validate_study(simulate_study(seed=7, **dials))
    errors = report.problems[report.problems["level"] == "E"]
    assert report.ok, errors[["table", "rule", "n"]].to_string()
    # people in a job at a later form are the only thing that a validator may remark on
    assert set(report.problems["rule"]) <= {"C13"}


def test_eleven_tables_and_nothing_hidden_in_them(study):
    assert set(study.tables) == TABLES
    columns = {column for table in study.tables.values() for column in table.columns}
    assert not columns & {"theta", "alpha", "employability", "optimism", "seen"}


def test_ids_do_not_tell_the_disposition(study):
    latent = study.truth["caseworker"].sort_values("caseworker_id")
    joined = study.tables["caseworker"].merge(latent, on="caseworker_id")
    rank = joined.groupby("jobcentre_id")["optimism"].rank()
    order = joined.groupby("jobcentre_id").cumcount()
    # 300 caseworkers: standard deviation of a chance correlation is .06
    assert abs(np.corrcoef(rank, order)[0, 1]) < 0.25


def test_same_seed_same_study():
    one, two = (simulate_study(seed=5, n_citizens=200) for _ in range(2))
    assert one.fingerprint == two.fingerprint
    assert simulate_study(seed=6, n_citizens=200).fingerprint != one.fingerprint


def test_two_forms_at_each_wave_nine_and_eleven_answers(study):
    forms = study.tables["measurement"]
    pairs = forms.groupby(["citizen_id", "wave"])["respondent"].agg(["size", "nunique"])
    assert (pairs == 2).all().all()
    answers = study.tables["rating"].groupby("measurement_id").size()
    per_form = forms.set_index("measurement_id")["respondent"].map({"caseworker": 11, "citizen": 9})
    assert answers.reindex(per_form.index).eq(per_form).all()
    rating = study.tables["rating"]
    assert (rating["value"].notna() ^ rating["missing_reason"].notna()).all()
    assert set(rating["missing_reason"].dropna()) == {
        "dont_know", "not_asked", "refused", "not_applicable", "technical",
    }  # fmt: skip


def test_waves_every_third_month_from_2013_to_2016(study):
    forms = study.tables["measurement"].drop_duplicates(["citizen_id", "wave"])
    forms = forms.sort_values(["citizen_id", "wave"])
    gap = forms.groupby("citizen_id")["date"].diff().dropna().dt.days
    assert gap.between(70, 112).all()
    assert gap.mean() == pytest.approx(91, abs=1)
    assert (forms.groupby("citizen_id")["wave"].diff().dropna() == 1).all()
    assert set(forms["date"].dt.year) == {2013, 2014, 2015, 2016}
    assert (forms["date"].dt.day_of_week < 5).all()
    entry = study.tables["citizen"]["entry_date"]
    assert set(entry.dt.year) == {2013}
    assert entry.dt.month.nunique() == 12


def test_one_year_windows_are_complete_but_for_exits(study):
    follow_up = study.tables["follow_up"]
    exits = follow_up["exit_reason"].value_counts()
    assert {"death", "emigration", "end_of_data"} <= set(exits.index)
    assert exits["end_of_data"] / len(follow_up) > 0.85
    forms = study.tables["measurement"].merge(follow_up, on="citizen_id")
    complete = forms["date"] + pd.Timedelta(days=7 + 364) <= forms["observed_to"]
    assert complete[forms["exit_reason"] == "end_of_data"].all()


def test_outcome_windows_tile_follow_up(study):
    follow_up = study.tables["follow_up"].set_index("citizen_id")
    for _, table in study.tables["outcome"].groupby("outcome"):
        rows = table.sort_values(["citizen_id", "window_start"])
        ends = rows.groupby("citizen_id")["window_end"].shift()
        assert (rows["window_start"] == ends)[ends.notna()].all()
        ordered = rows.groupby("citizen_id").agg(first=("window_start", "first"), last=("window_end", "last"))
        assert ordered["first"].eq(follow_up["observed_from"]).all()
        assert ordered["last"].eq(follow_up["observed_to"]).all()
        done = rows["event_end"].notna()
        assert (rows["event_end"] == rows["window_end"])[done].all()
        assert rows["event_date"].notna().eq(rows["value"] == 1).all()


def test_a_job_is_also_job_or_education(study):
    outcome = study.tables["outcome"]
    shares = outcome.pivot_table(index="citizen_id", columns="outcome", values="value", aggfunc="max")
    assert (shares["job"] <= shares["job_or_education"]).all()
    assert shares["job"].sum() < shares["job_or_education"].sum()


def test_shifts_have_reasons_and_leavers_leave(study):
    assignment = study.tables["assignment"].sort_values(["citizen_id", "start"])
    follows = assignment["citizen_id"].eq(assignment["citizen_id"].shift(-1))
    reasons = set(assignment.loc[follows, "end_reason"])
    assert reasons == {"caseworker_left", "leave", "reorganised", "unknown"}
    left = study.tables["caseworker"].set_index("caseworker_id")["left"]
    gone = assignment[assignment["end_reason"] == "caseworker_left"]
    assert len(gone) > 100
    assert (gone["caseworker_id"].map(left) == gone["end"]).all()
    assert (assignment["caseworker_id"].ne(assignment["caseworker_id"].shift(-1)))[follows].all()


def test_sizes_are_what_was_asked_for():
    study = simulate_study(seed=1, n_citizens=120, n_caseworkers=17, n_jobcentres=4)
    sizes = {name: len(study.tables[name]) for name in ("citizen", "caseworker", "jobcentre")}
    assert sizes == {"citizen": 120, "caseworker": 17, "jobcentre": 4}


def test_nobody_can_be_taken_for_real(study):
    assert study.data_kind == "simulated"
    assert study.tables["extract"]["source_version"].str.startswith("simulated").all()
    assert str(study.data_through) == "2017-12-31"
