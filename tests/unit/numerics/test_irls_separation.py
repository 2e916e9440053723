import numpy as np
import pytest

from jobchance.numerics.irls import fisher_scoring, least_squares
from jobchance.numerics.links import get_link
from jobchance.numerics.separation import find_separation, name_terms

RNG = np.random.default_rng(5)
N = 400
X = np.column_stack([np.ones(N), RNG.normal(size=N), RNG.integers(0, 2, N)])
CASES = [("binomial", "logit"), ("binomial", "probit"), ("binomial", "cloglog"), ("poisson", "log")]


def _outcome(family):
    eta = X @ np.array([-0.5, 0.6, 0.4])
    return RNG.poisson(np.exp(eta)).astype(float) if family == "poisson" else (RNG.random(N) < 0.4) * 1.0


@pytest.mark.parametrize(("family", "link"), CASES)
def test_the_gradient_vanishes_and_matches_the_scores(family, link):
    y = _outcome(family)
    made = fisher_scoring(X, y, family=family, link=get_link(link))
    assert made.converged
    gradient = made.scores.sum(axis=0)
    assert float(gradient @ made.bread @ gradient) < 1e-15


@pytest.mark.parametrize(("family", "link"), CASES)
def test_statsmodels_agrees(family, link):
    import statsmodels.api as sm

    y = _outcome(family)
    links = {"logit": "Logit", "probit": "Probit", "cloglog": "CLogLog", "log": "Log"}
    oracle_link = getattr(sm.families.links, links[link])()
    kind = sm.families.Binomial if family == "binomial" else sm.families.Poisson
    oracle = sm.GLM(y, X, family=kind(link=oracle_link)).fit(tol=1e-14)
    made = fisher_scoring(X, y, family=family, link=get_link(link))
    np.testing.assert_allclose(made.beta, oracle.params, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(made.expected, oracle.cov_params(), rtol=1e-6)
    observed = -sm.GLM(y, X, family=kind(link=oracle_link)).hessian(made.beta, observed=True)
    np.testing.assert_allclose(made.bread, np.linalg.inv(observed), rtol=1e-6)
    assert made.loglik == pytest.approx(oracle.llf, rel=1e-10)
    assert made.deviance == pytest.approx(oracle.deviance, rel=1e-10)


def test_least_squares_is_exact_with_a_large_mean():
    x = 1e6 + np.arange(20.0)
    made = least_squares(np.column_stack([np.ones(20), x]), 3 + 2 * (x - 1e6))
    assert made.beta[1] == pytest.approx(2, rel=1e-9)


def test_a_rare_outcome_with_a_strong_covariate_is_no_separation():
    y = np.zeros(N)
    y[[int(np.flatnonzero(X[:, 2] == group)[i]) for group in (0, 1) for i in (3, 9, 20)]] = 1
    assert find_separation(X, y, family="binomial") is None


def test_quasi_separation_names_the_dummy():
    y = _outcome("binomial")
    y[X[:, 2] == 1] = 1
    found = find_separation(X, y, family="binomial")
    assert found is not None
    assert found.columns == (2,)
    assert found.n_rows == int(X[:, 2].sum())


def test_complete_separation_names_the_covariate_alone():
    found = find_separation(X, (X[:, 1] > 0.3) * 1.0, family="binomial")
    assert found is not None
    assert found.columns == (1,)


def test_separation_by_two_together():
    y = (X[:, 1] + X[:, 2] > 0.5) * 1.0
    found = find_separation(X, y, family="binomial")
    assert found is not None
    assert {1, 2} <= set(found.columns)


def test_poisson_separation_where_a_group_has_no_events():
    y = _outcome("poisson")
    assert find_separation(X, y, family="poisson") is None
    y[X[:, 2] == 1] = 0
    found = find_separation(X, y, family="poisson")
    assert found is not None
    assert found.columns == (2,)


def test_terms_are_named_without_levels_that_may_say_who():
    names = [
        "age",
        "sex[man]",
        *[f"caseworker_id[w{i}]" for i in range(14)],
        *[f"town[t{i}]" for i in range(40)],
    ]
    assert name_terms(names, [0, 1]) == "age, sex[man]"
    assert name_terms(names, [2, 3]) == "caseworker_id (2 of 14 levels)"
    assert name_terms(names, range(20, 25)) == "town (5 of 40 levels)"
    crossed = [f"sex[man]:C(citizen_id)[c{i}]" for i in range(3)]
    assert name_terms(crossed, [0, 2]) == "sex:C(citizen_id) (2 of 3 levels)"
    assert name_terms([f"x{i}" for i in range(12)], range(12)).endswith("x7 and 4 more")
