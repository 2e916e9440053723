"""What followed a measurement, by hand; the model's refusals; weights that stay at home."""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest

import jobchance as jc
from jobchance.errors import DesignError, EstimationError, SpecError
from jobchance.numerics.attrition import effective_size, smd, sum_before, truncate
from jobchance.panel.model import AnalysisPanel
from jobchance.sensitivity.attrition import dropout_model
from jobchance.sensitivity.attrition_fit import weighted_fit
from jobchance.sensitivity.attrition_steps import read_steps
from jobchance.sensitivity.attrition_weights import attrition_weights

START = pd.Timestamp("2014-01-06")


def small_panel(rows, **meta):
    """A panel of rows (citizen, wave, weeks or None, event); measured every 91 days."""
    frame = pd.DataFrame(rows, columns=["citizen_id", "wave", "weeks_to_outcome", "event_observed"])
    frame["date"] = START + pd.to_timedelta(91 * (frame["wave"] - 1), unit="D")
    frame["window_start"] = frame["date"] + pd.Timedelta(days=7)
    frame["outcome"] = np.where(
        frame["event_observed"], 1.0, np.where(frame["weeks_to_outcome"] >= 52, 0.0, np.nan)
    )
    settings = {"outcome": "job", "horizon_weeks": 52, "data_through": "2020-01-01"} | meta
    return AnalysisPanel(frame, pd.DataFrame(), settings)


def test_every_reason_by_hand():
    panel = small_panel(
        [
            *[("stays", wave, 52, False) for wave in (1, 2, 3, 4)],
            ("lost", 1, 52, False),
            ("job", 1, 5, True),
            ("job_later", 1, 40, True),
            ("dies", 1, 6, False),
            ("dies_later", 1, 30, False),
            ("gap", 1, 52, False),
            ("gap", 3, 52, False),
        ]
    )
    steps = read_steps(panel)
    found = panel.frame.assign(status=steps.status).groupby("citizen_id")["status"].agg(list)
    assert found["stays"] == ["measured", "measured", "measured", "ended"]
    assert found["gap"] == ["measured", "ended"]  # the last date of the panel comes before the next is due
    single = found.drop(["stays", "gap"]).str[0].to_dict()
    assert {name: single[name] for name in ("job", "dies")} == {"job": "outcome", "dies": "exit"}
    assert {single[name] for name in ("lost", "job_later", "dies_later")} == {"lost"}
    strict = panel.frame.assign(status=read_steps(panel, gaps="lost").status).groupby("citizen_id")["status"]
    assert strict.agg(list)["gap"] == ["lost", "after_gap"]
    assert steps.n_gaps == 1
    longer = read_steps(panel, measured_until="2015-12-31")
    assert longer.status[panel.frame["citizen_id"] == "gap"].tolist() == ["measured", "lost"]


def test_order_of_rows_does_not_matter(bip_panel):
    frame = bip_panel.frame
    shuffled = AnalysisPanel(frame.sample(frac=1, random_state=3), bip_panel.flow, bip_panel.meta)
    again = read_steps(shuffled).status
    keys = shuffled.frame["measurement_id"]
    expected = dict(zip(frame["measurement_id"], read_steps(bip_panel).status, strict=True))
    assert (again == keys.map(expected)).all()


def test_study_names_the_exits(bip_study, bip_panel):
    with_names = dropout_model(bip_panel, study=bip_study).diagnostics["reasons"].set_index("reason")
    without = dropout_model(bip_panel).diagnostics["reasons"].set_index("reason")
    named = with_names.loc[["death", "emigration", "pension", "withdrawn"], "n_rows"].sum()
    assert named == without.loc["exit", "n_rows"]
    assert with_names["n_rows"].sum() == without["n_rows"].sum() == len(bip_panel.frame)


def test_table_by_wave_adds_up(bip_panel):
    fit = dropout_model(bip_panel)
    waves = fit.diagnostics["waves"]
    parts = waves[["n_next", "n_lost", "n_outcome", "n_exit", "n_ended"]].sum(axis=1)
    assert (parts == waves["n_measured"]).all()
    assert waves["predicted"].to_numpy() == pytest.approx(waves["share"].to_numpy(), abs=1e-8)
    steps = read_steps(bip_panel)
    assert fit.nobs == (steps.due & steps.status.isin(["measured", "lost"])).sum()
    hazard = dropout_model(bip_panel, reason="outcome", covariates=[])
    waves = hazard.diagnostics["waves"]
    assert (waves["n_outcome"] / waves["n_due"]).to_numpy() == pytest.approx(
        waves["share"].to_numpy(), abs=0.02
    )


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"covariates": ["outcome"]}, "lies after the measurement"),
        ({"covariates": ["expectation_within"]}, "later waves"),
        ({"covariates": ["caseworker_id", "nothing"]}, "names persons.*nothing is not in the panel"),
        ({"covariates": ["date"]}, "is a date"),
        ({"gaps": "ignore"}, "gaps='ignore'"),
        ({"reason": "moved"}, "reason='moved'"),
        ({"link": "log"}, "link='log'"),
        ({"slack_days": -1}, "slack_days=-1"),
    ],
)
def test_refusals_of_the_model(bip_panel, options, words):
    with pytest.raises(SpecError, match=words):
        dropout_model(bip_panel, **options)


def test_one_wave_is_refused():
    with pytest.raises(SpecError, match="interval_days"):
        read_steps(small_panel([("a", 1, 52, False), ("b", 1, 52, False)]))
    panel = small_panel([("a", 1, 52, False), ("a", 2, 52, False), ("b", 1, 52, False), ("b", 2, 52, False)])
    with pytest.raises(DesignError, match="0 of"):
        dropout_model(panel, covariates=[])


def test_missing_values_are_kept_and_marked(bip_panel):
    fit = dropout_model(bip_panel, covariates=["expectation", "shift_reason"])
    assert not fit.sample.dropped
    assert "expectation_missing" in fit.terms
    assert "shift_reason[missing]" in fit.terms or "shift_reason[other]" in fit.terms


def test_numerics_by_hand():
    values, first = np.array([1.0, 2.0, 3.0, 10.0, 20.0]), np.array([True, False, False, True, False])
    assert sum_before(values, first).tolist() == [0, 1, 3, 0, 10]
    cut, moved = truncate(np.array([1.0, 2, 3, 4, np.nan]), 0.0, 2 / 3)
    assert cut[:4].tolist() == [1, 2, 3, 3]
    assert moved.tolist() == [False, False, False, True, False]
    assert effective_size(np.array([1.0, 1, 2])) == pytest.approx(16 / 6)
    x = np.array([[0.0], [1], [2], [3]])
    before, after = smd(x, np.full(4, True), np.array([True, True, False, False]), np.array([1, 3, 9, 9.0]))
    assert before[0] == pytest.approx(-1 / x.std())
    assert after[0] == pytest.approx((0.75 - 1.5) / x.std())


@pytest.fixture(scope="module")
def weights(bip_panel):
    return attrition_weights(bip_panel, covariates=["expectation", "citizen_belief"])


def test_weights_are_cumulative_products(bip_panel, weights):
    plain = attrition_weights(bip_panel, covariates=["expectation", "citizen_belief"], truncate_at=None)
    rows = bip_panel.frame.assign(p=weights.probability, w=plain.unstabilised)
    one = rows[rows["citizen_id"] == rows.loc[rows["wave"].idxmax(), "citizen_id"]]
    expected = 1 / np.concatenate([[1.0], np.cumprod(one["p"].to_numpy())[:-1]])
    assert one["w"].to_numpy() == pytest.approx(expected)
    assert (rows.loc[rows.groupby("citizen_id").cumcount() == 0, "w"] == 1).all()
    assert plain.stabilised.mean() == pytest.approx(1, abs=0.02)
    assert weights.weights.max() < plain.stabilised.max()


def test_weights_balance_what_is_in_the_model(weights):
    balance = weights.diagnostics["balance"]
    assert balance["smd_after"].abs().max() < 0.002
    assert balance["smd_after"].abs().max() < balance["smd_before"].abs().max()
    positivity = weights.diagnostics["positivity"].set_index("quantity")["value"]
    assert positivity["effective rows"] < positivity["rows with a weight"]


def test_rows_do_not_travel_with_weights(bip_panel, weights):
    citizen = bip_panel.frame["citizen_id"].iloc[0]
    assert citizen not in repr(weights) + weights.summary()
    stored = pickle.dumps(weights)
    assert citizen.encode() not in stored
    for other in (pickle.loads(stored), copy.deepcopy(weights)):
        assert other.stabilised is None
        assert other.summary() == weights.summary()
        with pytest.raises(SpecError, match="not stored"):
            other.apply()
        with pytest.raises(SpecError, match="not stored"):
            weighted_fit("outcome ~ expectation", other)


def test_apply_and_its_refusals(bip_panel, weights):
    assert weights.apply()["attrition_weight"].equals(weights.weights)
    assert "attrition_weight" not in bip_panel.frame
    with pytest.raises(SpecError, match="already"):
        weights.apply(column="belief")
    with pytest.raises(SpecError, match="two quantiles"):
        attrition_weights(bip_panel, truncate_at=(0.9, 0.1))


def test_rows_after_a_gap_have_no_weight(bip_panel):
    strict = attrition_weights(bip_panel, covariates=["expectation"], gaps="lost")
    assert strict.weights.isna().sum() == read_steps(bip_panel, gaps="lost").status.eq("after_gap").sum()
    fit = weighted_fit("outcome ~ expectation", strict)
    known = bip_panel.frame[["outcome", "expectation"]].notna().all(axis=1)
    assert fit.nobs == (known & strict.weights.notna()).sum()
    assert fit.sample.dropped["attrition_weight is missing"] == (known & strict.weights.isna()).sum()


def test_zero_probability_is_refused(bip_panel):
    """A covariate that rules out being measured again separates, and says so."""
    lost = read_steps(bip_panel).status.eq("lost")
    panel = AnalysisPanel(bip_panel.frame.assign(closed=lost.astype(float)), bip_panel.flow, bip_panel.meta)
    with pytest.raises(EstimationError, match="closed"):
        attrition_weights(panel, covariates=["closed"])


def test_weighted_fit_against_fit_glm(weights):
    known = weighted_fit("outcome ~ expectation", weights, estimated=False, vcov=jc.Cluster("caseworker_id"))
    glm = jc.fit_glm(
        "outcome ~ expectation",
        weights.apply(),
        family="gaussian",
        weights="attrition_weight",
        vcov=jc.Cluster("caseworker_id"),
    )
    assert known.estimates == pytest.approx(glm.estimates)
    assert known.covariance == pytest.approx(glm.covariance)
    stacked = weighted_fit("outcome ~ expectation", weights, vcov=jc.Cluster("caseworker_id"))
    assert stacked.estimates == pytest.approx(glm.estimates)
    assert stacked.std_errors.to_numpy() == pytest.approx(glm.std_errors.to_numpy(), rel=0.05)
    assert stacked.with_vcov(jc.Cluster("citizen_id")).std_errors.iloc[1] > 0
    with pytest.raises(SpecError, match="model"):
        weighted_fit("outcome ~ expectation", weights, vcov="model")


def test_weights_of_fit_glm_are_above_zero(bip_panel):
    data = bip_panel.frame.assign(w=(bip_panel.frame["wave"] > 1).astype(float))
    with pytest.raises(DesignError, match="zero in"):
        jc.fit_glm("outcome ~ expectation", data, family="binomial", weights="w")
    whole = data.assign(w=2.0)
    for family, link in (("binomial", "cloglog"), ("gaussian", "identity")):
        plain = jc.fit_glm("outcome ~ expectation", whole, family=family, link=link)
        same = jc.fit_glm("outcome ~ expectation", whole, family=family, link=link, weights="w")
        assert same.estimates == pytest.approx(plain.estimates)
        assert same.std_errors.to_numpy() == pytest.approx(plain.std_errors.to_numpy())
        assert same.loglik is None
