import numpy as np
import pandas as pd
import pytest

from jobchance import Cluster, fit_panel
from jobchance.errors import DesignError, FormulaError, SpecError
from jobchance.models.hausman import hausman


@pytest.fixture
def data():
    rng = np.random.default_rng(11)
    citizen = np.repeat(np.arange(60), 3)
    frame = pd.DataFrame(
        {
            "citizen_id": [f"c{c}" for c in citizen],
            "wave": np.tile([1, 2, 3], 60),
            "caseworker_id": [f"w{c % 40}" for c in citizen],
            "x": rng.normal(size=180),
            "sex": np.where(citizen % 2, "K", "M"),
        }
    )
    frame["y"] = 2 * frame["x"] + rng.normal(size=60)[citizen] + 0.1 * rng.normal(size=180)
    return frame


def test_duplicate_rows_are_counted_not_shown(data):
    with pytest.raises(DesignError, match="2 of 181 rows share citizen_id and wave") as caught:
        fit_panel("y ~ x", pd.concat([data, data.head(1)], ignore_index=True))
    assert "c0" not in str(caught.value)
    assert fit_panel("y ~ x", pd.concat([data, data.head(1)], ignore_index=True), time=None).nobs == 181


def test_singletons_are_dropped_and_counted(data):
    alone = data.head(1).assign(citizen_id="alone", y=50.0)
    fit = fit_panel("y ~ x", pd.concat([data, alone], ignore_index=True))
    assert fit.sample.n_singletons == 1
    assert fit.sample.dropped["alone in a level of citizen_id"] == 1
    pd.testing.assert_series_equal(fit.std_errors, fit_panel("y ~ x", data).std_errors)


def test_singletons_in_two_factors_fall_in_turn(data):
    chain = data.iloc[[0, 1, 3]].assign(citizen_id=["p", "p", "q"], wave=[7, 8, 8])
    fit = fit_panel("y ~ x", pd.concat([data, chain], ignore_index=True), absorb=("wave",))
    assert fit.sample.n_singletons == 3  # wave 7 is alone; then p is, then q
    assert fit.sample.groups["citizen_id"] == 60


def test_terms_without_variation_are_dropped_by_name(data):
    fit = fit_panel("y ~ x + sex + I(2 * x)", data)
    assert fit.terms == ("x",)
    assert fit.sample.dropped_terms == (
        "I(2 * x) (earlier columns determine it)",
        "sex[M] (does not vary within citizen_id)",
    )
    with pytest.raises(DesignError, match="No covariate is left"):
        fit_panel("y ~ sex", data)


def test_gaps_are_honoured_in_first_differences(data):
    gappy = data[~((data["citizen_id"] == "c3") & (data["wave"] == 2))]
    fit = fit_panel("y ~ x", gappy, estimator="first_difference")
    assert fit.nobs == 118
    assert fit.sample.dropped == {"first row of its citizen_id": 60, "no row at the wave before": 1}


def test_first_differences_do_not_hang_on_the_order_of_rows(data):
    mixed = data.sample(frac=1, random_state=1)
    before = fit_panel("y ~ x", data, estimator="first_difference")
    after = fit_panel("y ~ x", mixed, estimator="first_difference")
    pd.testing.assert_series_equal(before.std_errors, after.std_errors, rtol=1e-10)


def test_between_clusters_on_what_is_constant_within_citizens(data):
    fit = fit_panel("y ~ x", data, estimator="between", vcov=Cluster("caseworker_id"))
    assert (fit.nobs, fit.inference.clusters["caseworker_id"]) == (60, 40)
    with pytest.raises(DesignError, match="wave"):
        fit.with_vcov(Cluster("wave"))


def test_no_variance_between_citizens_is_the_pooled_estimator(data):
    flat = data.assign(y=data["x"] + np.tile([1.0, -1.0, 0.0], 60))
    fit = fit_panel("y ~ x", flat, estimator="random", vcov="model")
    assert fit.is_singular
    assert any("pooled" in note for note in fit.notes)
    pooled = fit_panel("y ~ x", flat, estimator="pooled", vcov="model")
    pd.testing.assert_series_equal(fit.params, pooled.params)


def test_random_effects_are_shrunken_means(data):
    fit = fit_panel("y ~ x", data, estimator="random", vcov="model")
    modes = fit.random_effects("citizen_id").set_index("level")["estimate"]
    raw = (data["y"] - fit.predict(random=False)).groupby(data["citizen_id"]).mean()
    ratio = (modes / raw[modes.index]).to_numpy()
    np.testing.assert_allclose(ratio, ratio[0])
    assert 0.9 < ratio[0] < 1
    np.testing.assert_allclose(fit.predict(data), fit.predict())


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"estimator": "fixed"}, SpecError, "within, between"),
        ({"estimator": "pooled", "absorb": ("wave",)}, SpecError, "absorb"),
        ({"absorb": "wave"}, SpecError, "several columns"),
        ({"absorb": ("citizen_id",)}, SpecError, "absorbs already"),
        ({"entity": "person"}, FormulaError, "person"),
        ({"estimator": "first_difference", "time": None}, DesignError, "time column"),
        ({"vcov": "robust"}, SpecError, "Robust"),
    ],
)
def test_what_cannot_be_done_is_refused(data, options, error, message):
    with pytest.raises(error, match=message):
        fit_panel("y ~ x", data, **options)


def test_random_terms_belong_to_mixed_models(data):
    with pytest.raises(DesignError, match="fit_mixed"):
        fit_panel("y ~ x + (1 | caseworker_id)", data)


def test_one_citizen_is_no_panel(data):
    with pytest.raises(DesignError, match="one level"):
        fit_panel("y ~ x", data.head(3))


def test_hausman_wants_model_covariances_in_order(data):
    within, random = (fit_panel("y ~ x", data, estimator=e, vcov="model") for e in ("within", "random"))
    with pytest.raises(SpecError, match="in this order"):
        hausman(random, within)
    with pytest.raises(SpecError, match="model"):
        hausman(within.with_vcov(Cluster("citizen_id")), random)


@pytest.mark.parametrize("estimator", ["within", "random", "hybrid", "pooled", "first_difference", "between"])
def test_an_outcome_without_variation_is_refused(data, estimator):
    with pytest.raises(DesignError, match="same value in all 180 rows"):
        fit_panel("y ~ x", data.assign(y=1.0), estimator=estimator, vcov="model")


@pytest.mark.parametrize("estimator", ["within", "random", "first_difference"])
def test_an_outcome_that_stands_still_is_refused(data, estimator):
    still = data.assign(y=data.groupby("citizen_id")["y"].transform("first"))
    with pytest.raises(DesignError, match=r"does not (vary within citizen_id|change over time)"):
        fit_panel("y ~ x", still, estimator=estimator, vcov="model")


@pytest.mark.parametrize("estimator", ["random", "hybrid", "pooled", "between"])
def test_a_mean_alone_can_be_fitted(data, estimator):
    fit = fit_panel("y ~ 1", data, estimator=estimator, vcov="model")
    assert fit.params["(Intercept)"] == pytest.approx(data["y"].mean())


def test_columns_of_other_kinds_give_the_same_numbers(data):
    plain = fit_panel("y ~ x", data)
    kinds = {"citizen_id": "category", "caseworker_id": "category", "x": "Float64", "wave": "Int64"}
    pd.testing.assert_series_equal(fit_panel("y ~ x", data.astype(kinds)).std_errors, plain.std_errors)
