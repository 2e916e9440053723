import json

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from jobchance import Cluster, Fit, Robust, fit_glm
from jobchance.errors import DesignError, EstimationError, FormulaError, SpecError

N = 900


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(4)
    worker = rng.integers(0, 45, N)
    frame = pd.DataFrame(
        {
            "caseworker_id": [f"{w:03d}" for w in worker],
            "office": worker % 9,
            "x": rng.normal(size=N) + 0.3 * (worker % 5),
            "edu": rng.choice(["none", "short", "long"], N),
        }
    )
    eta = -0.6 + 0.5 * frame["x"] + 0.4 * (frame["edu"] == "long") + 0.5 * rng.normal(size=45)[worker]
    frame["job"] = (rng.random(N) < 1 / (1 + np.exp(-eta))).astype(int)
    frame["weeks"] = rng.poisson(np.exp(0.3 * eta + 1))
    frame["score"] = eta + rng.normal(size=N)
    return frame


def _matrix(data):
    return np.column_stack([np.ones(N), data["x"], data["edu"] == "none", data["edu"] == "short"]).astype(
        float
    )


ORACLES = {
    ("binomial", "logit"): ("job", lambda: sm.families.Binomial(sm.families.links.Logit())),
    ("binomial", "probit"): ("job", lambda: sm.families.Binomial(sm.families.links.Probit())),
    ("binomial", "cloglog"): ("job", lambda: sm.families.Binomial(sm.families.links.CLogLog())),
    ("poisson", "log"): ("weeks", lambda: sm.families.Poisson()),
}


@pytest.mark.parametrize("kind", ORACLES, ids="-".join)
def test_statsmodels_agrees_clustered_and_from_the_model(data, kind):
    outcome, family = ORACLES[kind]
    oracle = sm.GLM(data[outcome], _matrix(data), family=family())
    fit = fit_glm(f"{outcome} ~ x + edu", data, family=kind[0], link=kind[1], vcov="model")
    plain = oracle.fit(tol=1e-14)
    np.testing.assert_allclose(fit.estimates, plain.params, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(fit.std_errors, plain.bse, rtol=1e-6)
    assert fit.loglik == pytest.approx(plain.llf, rel=1e-9)
    groups = pd.factorize(data["caseworker_id"])[0]
    clustered = oracle.fit(tol=1e-14, cov_type="cluster", cov_kwds={"groups": groups})
    mine = fit.with_vcov(Cluster("caseworker_id"))
    np.testing.assert_allclose(mine.std_errors, clustered.bse, rtol=1e-6)
    np.testing.assert_allclose(mine.pvalues, clustered.pvalues, rtol=1e-4)
    assert np.isinf(mine.df).all()


def test_logit_command_of_statsmodels_agrees_clustered(data):
    groups = data["office"].to_numpy()
    oracle = sm.Logit(data["job"], _matrix(data)).fit(
        disp=0, tol=1e-14, cov_type="cluster", cov_kwds={"groups": groups}
    )
    fit = fit_glm("job ~ x + edu", data, family="binomial", vcov=Cluster("office"))
    np.testing.assert_allclose(fit.std_errors, oracle.bse, rtol=1e-6)
    assert any("Only 9 clusters of office" in note for note in fit.notes)


def test_linear_models_use_t_with_clusters_less_one(data):
    groups = data["office"].to_numpy()
    oracle = sm.OLS(data["score"], _matrix(data)).fit()
    fit = fit_glm("score ~ x + edu", data, family="gaussian", vcov="model")
    np.testing.assert_allclose(fit.std_errors, oracle.bse, rtol=1e-9)
    np.testing.assert_allclose(fit.pvalues, oracle.pvalues, rtol=1e-8)
    assert fit.statistics["r2"] == pytest.approx(oracle.rsquared, rel=1e-10)
    assert fit.loglik == pytest.approx(oracle.llf, rel=1e-10)
    assert fit.glance()["aic"].iloc[0] == pytest.approx(
        oracle.aic + 2, rel=1e-10
    )  # statsmodels leaves sigma out
    assert (fit.df == N - 4).all()
    clustered = oracle.get_robustcov_results("cluster", groups=groups, use_t=True)
    mine = fit.with_vcov(Cluster("office"))
    np.testing.assert_allclose(mine.std_errors, clustered.bse, rtol=1e-9)
    np.testing.assert_allclose(mine.pvalues, clustered.pvalues, rtol=1e-8)
    assert (mine.df == 8).all()
    robust = oracle.get_robustcov_results("HC1")
    np.testing.assert_allclose(fit.with_vcov(Robust()).std_errors, robust.bse, rtol=1e-9)


def test_linear_probability_model_is_least_squares(data):
    lpm = fit_glm("job ~ x", data, family="binomial", link="identity")
    ols = fit_glm("job ~ x", data, family="gaussian")
    np.testing.assert_allclose(lpm.estimates, ols.estimates)
    np.testing.assert_allclose(lpm.covariance, ols.covariance)
    assert lpm.model == "linear probability"
    assert lpm.loglik is None


def test_fitted_probabilities_outside_0_to_1_are_said():
    x = np.array([0.0] * 10 + [1.0] * 10 + [8.0])
    data = pd.DataFrame({"x": x, "job": [0, 1] * 3 + [0] * 4 + [1] * 9 + [0] + [1]})
    fit = fit_glm("job ~ x", data, family="binomial", link="identity", vcov="model")
    assert any("outside 0 to 1 in 1 of 21 rows" in note for note in fit.notes)


def test_the_default_clusters_by_caseworker_and_says_so(data):
    fit = fit_glm("job ~ x", data, family="binomial")
    assert fit.inference.label == "clustered by caseworker_id"
    assert fit.sample.nobs == N
    assert any("No vcov was given: clustered by caseworker_id" in note for note in fit.notes)
    other = fit_glm("job ~ x", data.drop(columns="caseworker_id"), family="binomial")
    assert other.inference.kind == "HC1"
    assert any("take the rows to be independent" in note for note in other.notes)


def test_rows_without_a_cluster_are_left_out_and_counted(data):
    gaps = data.assign(caseworker_id=data["caseworker_id"].where(data.index >= 30))
    fit = fit_glm("job ~ x", gaps, family="binomial")
    assert dict(fit.sample.dropped) == {"caseworker_id is missing": 30}
    assert fit.nobs == N - 30


def test_conventions_are_printed(data):
    text = fit_glm("job ~ x", data, family="binomial").summary()
    for part in (
        "G/(G-1) * (n-1)/(n-k)",
        "Stata's logit",
        "information: clustered and robust: observed",
        "clustered by caseworker_id",
    ):
        assert part in " ".join(text.split())


def test_dropped_terms_are_named(data):
    fit = fit_glm("job ~ x + I(2*x)", data, family="binomial")
    assert fit.terms == ("(Intercept)", "x")
    assert fit.sample.dropped_terms == ("I(2 * x) (earlier columns determine it)",)


@pytest.mark.parametrize("family", ["gaussian", "binomial"])
def test_round_trip_keeps_predictions_and_holds_no_rows(data, family):
    fit = fit_glm("job ~ poly(x, 2) * edu", data, family=family)
    stored = json.dumps(fit.to_dict())
    assert data["caseworker_id"].iloc[0] not in json.loads(stored).values()
    again = Fit.from_dict(json.loads(stored))
    np.testing.assert_allclose(again.predict(data), fit.predict(), rtol=1e-12)
    np.testing.assert_allclose(again.covariance, fit.covariance)
    assert again.summary() == fit.summary()


def test_predictions_of_incomplete_rows_are_missing(data):
    fit = fit_glm("job ~ x + edu", data, family="binomial")
    new = pd.DataFrame({"x": [0.0, np.nan], "edu": ["none", "long"]})
    assert fit.predict(new).isna().tolist() == [False, True]


@pytest.mark.parametrize(
    ("link", "family"), [("logit", "binomial"), ("probit", "binomial"), ("log", "poisson")]
)
def test_separation_names_the_term(data, link, family):
    split = data.assign(job=np.where(data["edu"] == "long", family == "binomial", data["job"]).astype(int))
    with pytest.raises(EstimationError, match=r"separation\): edu\[") as caught:
        fit_glm("job ~ x + C(edu, ref='none')", split, family=family, link=link)
    assert "edu[long] predicts" in str(caught.value)


def test_complete_separation_names_the_covariate(data):
    split = data.assign(job=(data["x"] > 0.2).astype(int))
    with pytest.raises(EstimationError, match=r"separation\): x predicts"):
        fit_glm("job ~ x + edu", split, family="binomial")


def test_predicted_shares_near_the_edge_are_no_separation():
    rng = np.random.default_rng(9)
    x = 6 * rng.normal(size=4_000)
    data = pd.DataFrame({"x": x, "job": rng.random(4_000) < 1 / (1 + np.exp(-2.0 * x))})
    fit = fit_glm("job ~ x", data, family="binomial", vcov="model")
    assert fit.predict().min() < 1e-8
    assert fit.params["x"] == pytest.approx(2.0, abs=0.3)


def _small(**columns):
    return pd.DataFrame({"job": [0, 1, 1, 0, 1, 0], "x": [1.0, 2, 3, 4, 5, 7]} | columns)


@pytest.mark.parametrize(
    ("frame", "family", "message"),
    [
        (_small(job=1), "binomial", "the same value in all 6 rows"),
        (_small(job=3.5), "gaussian", "the same value in all 6 rows"),
        (_small(job=[0, 1, 2, 3, 1, 0]), "binomial", "2 of 6 outcomes are neither 0 nor 1"),
        (_small(job=[0, 1, -2, 3, 1, 0]), "poisson", "1 of 6 outcomes are negative"),
        (_small().iloc[:1], "gaussian", "1 complete row cannot carry 1 coefficient"),
        (_small().iloc[:2], "gaussian", "2 complete rows cannot carry 2 coefficients"),
        (_small().iloc[:0], "gaussian", "No complete row among 0"),
        (_small(x=np.nan), "gaussian", "No complete row among 6: x is missing in 6"),
        (_small(x=[1, 2, np.inf, 3, 4, 5]), "gaussian", r"x \(1 row\)"),
        (_small(job=list("abcabc")), "binomial", "Outcome: Column job is categorical"),
    ],
)
def test_data_that_cannot_carry_the_model(frame, family, message):
    with pytest.raises(DesignError, match=message):
        fit_glm("job ~ x", frame, family=family, vcov="model")


def test_options_are_closed_lists(data):
    with pytest.raises(SpecError, match="Did you mean 'binomial'"):
        fit_glm("job ~ x", data, family="binomal")
    with pytest.raises(SpecError, match="Allowed: logit, probit, cloglog, identity"):
        fit_glm("job ~ x", data, family="binomial", link="log")
    with pytest.raises(SpecError, match="vcov='cluster' is not known"):
        fit_glm("job ~ x", data, family="binomial", vcov="cluster")
    with pytest.raises(FormulaError, match="nowhere"):
        fit_glm("job ~ x", data, family="binomial", vcov=Cluster("nowhere"))
    with pytest.raises(FormulaError, match="use fit_mixed"):
        fit_glm("job ~ x + (1 | caseworker_id)", data, family="binomial")


def test_the_data_are_left_as_they_were(data):
    before = data.copy(deep=True)
    fit_glm("job ~ poly(x, 2) + edu", data, family="binomial")
    pd.testing.assert_frame_equal(data, before)


def test_an_outcome_of_true_and_false(data):
    truth = fit_glm("job ~ x", data.assign(job=data["job"] == 1), family="binomial")
    np.testing.assert_allclose(truth.estimates, fit_glm("job ~ x", data, family="binomial").estimates)


def test_poisson_with_fractions_says_that_it_is_quasi_likelihood(data):
    fit = fit_glm("hours ~ x", data.assign(hours=data["weeks"] + 0.5), family="poisson")
    assert any("quasi-likelihood" in note for note in fit.notes)
