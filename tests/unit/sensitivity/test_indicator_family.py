"""Every indicator, respondent and outcome as one family of tests."""

from __future__ import annotations

import numpy as np
import pytest

from jobchance.errors import SpecError
from jobchance.models.glm import fit_glm
from jobchance.panel.answers import construct_answers, constructs_of
from jobchance.panel.build import build_panel
from jobchance.results.vcov import Cluster
from jobchance.sensitivity.indicator_family import indicator_tests
from jobchance.simulate.bip import simulate_study


@pytest.fixture(scope="module")
def study():
    return simulate_study(seed=4, n_citizens=700)


@pytest.fixture(scope="module")
def family(study):
    return indicator_tests(study, outcomes=["job", "job_or_education"], draws=499, seed=1)


def test_a_row_per_indicator_respondent_and_outcome(study, family):
    frame = family.frame
    assert not frame.duplicated(["construct", "respondent", "outcome_rule"]).any()
    assert set(frame["outcome_rule"]) == {"job", "job_or_education"}
    assert set(frame["respondent"]) == {"caseworker", "citizen"}
    assert set(frame["construct"]) <= {c.construct_id for c in constructs_of(study)}
    assert len(frame) >= 2 * 11
    adjusted = frame[["p_holm", "p_bh", "p_romano_wolf"]]
    assert (adjusted.ge(frame["p_value"] - 1e-12, axis=0).drop(columns="p_romano_wolf")).all(axis=None)
    assert (adjusted["p_bh"] <= adjusted["p_holm"] + 1e-12).all()


def test_a_line_is_the_fit_by_hand(study, family):
    line = family.frame.query("outcome_rule == 'job' and respondent == 'caseworker'").iloc[0]
    panel = build_panel(study, outcome="job").frame
    answers = construct_answers(study)
    own = answers[(answers["construct"] == line["construct"]) & (answers["respondent"] == "caseworker")]
    kept = panel.drop(columns=["date"])
    rows = own.drop(columns=["caseworker_id", "jobcentre_id"]).merge(kept, on=["citizen_id", "wave"])
    rows = rows[rows["outcome"].notna() & (rows["date"] < rows["window_start"])]
    fit = fit_glm(
        "outcome ~ value + C(jobcentre_id) + C(period)",
        rows,
        family="gaussian",
        vcov=Cluster("caseworker_id"),
    )
    assert line["estimate"] == pytest.approx(fit.params["value"], rel=1e-10)
    assert line["std_error"] == pytest.approx(fit.std_errors["value"], rel=1e-10)
    assert line["n_rows"] == fit.nobs
    assert line["n_citizens"] == rows.loc[rows["value"].notna(), "citizen_id"].nunique()


def test_strong_indicators_pass_and_the_table_has_no_ids(study, family):
    caseworker = family.frame.query("outcome_rule == 'job' and respondent == 'caseworker'")
    assert (caseworker["p_romano_wolf"] < 0.05).any()
    words = family.frame.select_dtypes(exclude=np.number).astype(str).agg(" ".join).str.cat()
    assert not any(citizen in words for citizen in study.tables["citizen"]["citizen_id"].head(50))


def test_unknown_respondents_and_single_texts_are_refused(study):
    with pytest.raises(SpecError, match="respondents"):
        indicator_tests(study, respondents=["mentor"], seed=1)
    with pytest.raises(SpecError, match="several names"):
        indicator_tests(study, outcomes="job", seed=1)
