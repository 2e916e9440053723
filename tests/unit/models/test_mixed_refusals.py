import numpy as np
import pandas as pd
import pytest
from statsmodels.regression.mixed_linear_model import MixedLM

from jobchance import fit_mixed
from jobchance.errors import DesignError, EstimationError, SpecError


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(5)
    g = rng.integers(0, 40, 800)
    frame = pd.DataFrame({"g": g, "h": g % 8, "x": rng.normal(size=800)})
    frame["y"] = 1 + 0.3 * frame["x"] + (rng.normal(size=40) + 0)[g] + rng.normal(size=800)
    frame["job"] = (frame["y"] > 1).astype(int)
    return frame


@pytest.mark.parametrize(
    ("formula", "options", "message"),
    [
        ("job ~ x + (1 | g)", {"family": "bernoulli"}, "Allowed"),
        ("y ~ x + (1 | g)", {"link": "log"}, "identity"),
        ("y ~ x + (1 | g)", {"n_quad": 7}, "n_quad"),
        ("job ~ x + (1 | g)", {"family": "binomial", "n_quad": 0}, "from 1 to"),
        ("job ~ x + (1 | g)", {"family": "binomial", "n_quad": True}, "from 1 to"),
        ("job ~ x + (1 | g)", {"family": "binomial", "link": "log"}, "logit, probit, cloglog"),
        ("job ~ x + (1 | g)", {"family": "binomial", "thresholds": "symmetric"}, "ordinal"),
        ("y ~ x + (1 | g)", {"link": "log", "n_quad": 5}, "(?s)log.*n_quad"),
        ("y ~ x + (1 | g)", {"method": "restricted"}, "reml, ml"),
    ],
)
def test_what_is_not_fitted_is_refused(data, formula, options, message):
    with pytest.raises(SpecError, match=message):
        fit_mixed(formula, data, **options)


@pytest.mark.parametrize(
    ("formula", "change", "message"),
    [
        ("y ~ x", {}, "random term"),
        ("y ~ x + (1 | row)", {"row": range(800)}, "800 levels of row"),
        ("y ~ x + (1 | one)", {"one": 1}, "one"),
        ("flat ~ 1 + (1 | g)", {"flat": 3.0}, "one value in all rows"),
    ],
)
def test_designs_that_carry_no_model(data, formula, change, message):
    with pytest.raises(DesignError, match=message):
        fit_mixed(formula, data.assign(**change))


@pytest.mark.parametrize("random", ["(1 | g)", "(x | g)"])
@pytest.mark.parametrize("noise", [0.0, 1e-9])
def test_groups_that_explain_everything_have_no_estimate(data, random, noise):
    level = data["g"] + noise * np.random.default_rng(1).normal(size=800)
    with pytest.raises(EstimationError, match=r"almost. fully"):
        fit_mixed(f"level ~ 1 + {random}", data.assign(level=level))


def test_slopes_on_a_strange_scale_are_found(data):
    near = fit_mixed("y ~ x + (1 + x | g)", data)
    far = fit_mixed("y ~ z + (1 + z | g)", data.assign(z=data["x"] * 1e6 + 1e6))
    assert far.loglik + np.log(1e6) == pytest.approx(near.loglik, abs=1e-4)


def test_no_optimum_of_statsmodels_is_better(data):
    """MixedLM stops loosely: its likelihood may be lower, never higher."""
    fit = fit_mixed("y ~ x + (1 + x | g)", data)
    X = np.column_stack([np.ones(800), data["x"]])
    other = MixedLM(data["y"], X, groups=data["g"], exog_re=X).fit(reml=True)
    assert fit.loglik >= other.llf - 1e-6
    assert fit.loglik == pytest.approx(other.llf, abs=1e-2)
    np.testing.assert_allclose(fit.params, other.fe_params, atol=1e-3)


def test_uncorrelated_terms_have_no_correlation(data):
    fit = fit_mixed("y ~ x + (x || g)", data)
    assert fit.variance_components["correlation"].isna().all()
    assert "cor__" not in " ".join(fit.tidy()["term"])
    assert fit.loglik <= fit_mixed("y ~ x + (x | g)", data).loglik


def test_three_terms_show_every_correlation(data):
    fit = fit_mixed("y ~ x + (x + I(x * x) | g)", data)
    parts = fit.variance_components
    assert parts["correlation"].notna().sum() == 3
    assert (parts["correlation"].abs().dropna() <= 1 + 1e-9).all()


def test_random_slopes_predict_new_rows(data):
    fit = fit_mixed("y ~ x + (1 + x | g)", data)
    modes = fit.random_effects("g").query("level == '5'").set_index("term")["estimate"]
    row = pd.DataFrame({"x": [2.0], "g": [5]})
    b = fit.params
    expected = b["(Intercept)"] + modes["(Intercept)"] + 2 * (b["x"] + modes["x"])
    assert fit.predict(row)[0] == pytest.approx(expected)
    assert fit.predict(row, random=False)[0] == pytest.approx(b["(Intercept)"] + 2 * b["x"])


def test_combinations_are_one_factor(data):
    fit = fit_mixed("y ~ x + (1 | h:g)", data)
    whole = fit_mixed("y ~ x + (1 | g)", data)  # g lies within h
    assert fit.loglik == pytest.approx(whole.loglik, abs=1e-8)
    np.testing.assert_allclose(fit.predict(data), fit.predict(), rtol=1e-10)


def test_whole_numbers_and_floats_are_the_same_level(data):
    fit = fit_mixed("y ~ x + (1 | g)", data)
    np.testing.assert_allclose(fit.predict(data.assign(g=data["g"].astype(float))), fit.predict())


def test_few_groups_are_noted(data):
    assert any("8 levels of h" in note for note in fit_mixed("y ~ x + (1 | h)", data).notes)


def test_all_problems_are_said_at_once(data):
    data = data.assign(twin=data["g"], one=1, zero=0.0)
    with pytest.raises(DesignError, match=r"(?s)zero of h are 0.*g and twin split.*"):
        fit_mixed("y ~ x + (1 | g) + (1 | twin) + (1 + zero | h)", data)


def test_numpy_whole_numbers_are_points(data):
    options = {"family": "binomial", "n_quad": np.int64(3)}
    fit = fit_mixed("job ~ x + (1 | g)", data, **options)
    assert fit.spec["n_quad"] == 3
    assert type(fit.spec["n_quad"]) is int
