import numpy as np
import pytest
from cases import Case
from linearmodels.panel import BetweenOLS, FirstDifferenceOLS, PanelOLS, RandomEffects

from jobchance import Cluster, fit_panel
from jobchance.models.hausman import hausman

FORMULA = "inv ~ value + capital"
PANEL = {"entity": "firm", "time": "year"}


@pytest.fixture(scope="module")
def grunfeld():
    return Case("grunfeld")


def fit(case, estimator, vcov="model", **more):
    return fit_panel(FORMULA, case.data[0], estimator=estimator, vcov=vcov, **PANEL, **more)


@pytest.mark.parametrize("name", ["value", "capital"])
def test_within_equals_plm(grunfeld, name):
    made = fit(grunfeld, "within")
    grunfeld.check(f"fe.b.{name}", made.params[name])
    grunfeld.check(f"fe.se.{name}", made.std_errors[name])
    assert made.statistics["df_resid"] == 200 - 10 - 2


@pytest.mark.parametrize(
    ("name", "term"), [("intercept", "(Intercept)"), ("value", "value"), ("capital", "capital")]
)
def test_swamy_arora_equals_plm(grunfeld, name, term):
    made = fit(grunfeld, "random")
    grunfeld.check(f"re.b.{name}", made.params[term])
    grunfeld.check(f"re.se.{name}", made.std_errors[term])


def test_hausman_equals_plm(grunfeld):
    made = hausman(fit(grunfeld, "within"), fit(grunfeld, "random"))
    grunfeld.check("hausman.chisq", made.statistic)
    grunfeld.check("hausman.df", made.df)
    grunfeld.check("hausman.p", made.p_value)
    assert made.is_definite


ORACLES = {
    "within": lambda y, X: PanelOLS(y, X, entity_effects=True),
    "between": lambda y, X: BetweenOLS(y, X.assign(const=1.0)),
    "random": lambda y, X: RandomEffects(y, X.assign(const=1.0)),
    "first_difference": lambda y, X: FirstDifferenceOLS(y, X),
}


@pytest.mark.parametrize("estimator", ORACLES)
def test_linearmodels_gives_the_same_estimates_and_classical_errors(grunfeld, estimator):
    indexed = grunfeld.data[0].set_index(["firm", "year"])
    oracle = ORACLES[estimator](indexed["inv"], indexed[["value", "capital"]]).fit()
    made = fit(grunfeld, estimator)
    for name in ("value", "capital"):
        assert made.params[name] == pytest.approx(oracle.params[name], rel=1e-9)
        assert made.std_errors[name] == pytest.approx(oracle.std_errors[name], rel=1e-9)


def test_two_way_effects_equal_linearmodels(grunfeld):
    indexed = grunfeld.data[0].set_index(["firm", "year"])
    oracle = PanelOLS(
        indexed["inv"], indexed[["value", "capital"]], entity_effects=True, time_effects=True
    ).fit()
    made = fit(grunfeld, "within", absorb=("year",))
    assert made.params["value"] == pytest.approx(oracle.params["value"], rel=1e-9)
    assert made.std_errors["value"] == pytest.approx(oracle.std_errors["value"], rel=1e-9)


def test_clustered_factor_is_the_stated_one(grunfeld):
    """Nested effects count as one parameter: G/(G-1) * (n-1)/(n-K-1); PanelOLS states G-free (n)/(n-N-K)."""
    made = fit(grunfeld, "within", vcov=Cluster("firm"))
    indexed = grunfeld.data[0].set_index(["firm", "year"])
    oracle = PanelOLS(indexed["inv"], indexed[["value", "capital"]], entity_effects=True).fit(
        cov_type="clustered", cluster_entity=True, debiased=False, group_debias=False
    )
    stated = 10 / 9 * 199 / (200 - 3)
    assert made.inference.factors["firm"] == pytest.approx(stated, rel=1e-12)
    ratio = (made.std_errors / oracle.std_errors[made.std_errors.index]) ** 2
    assert np.allclose(ratio, stated, rtol=1e-8)
    assert (made.df == 9).all()
