"""Numbers that cannot be computed with, and arguments of a wrong kind: one clear error, no value in it."""

import numpy as np
import pandas as pd
import pytest

import jobchance as jc
from jobchance.errors import DesignError, SpecError

Y, V = np.array([0.1, 0.2, -0.1, 0.4]), np.array([0.01, 0.02, 0.01, 0.05])


@pytest.fixture
def data():
    rng = np.random.default_rng(4)
    return pd.DataFrame(
        {"y": rng.normal(size=40), "x": rng.normal(size=40), "g": [f"g{i % 8}" for i in range(40)]}
    )


@pytest.mark.parametrize("scale", [1e200, 1e-200])
def test_an_outcome_whose_square_cannot_be_held(data, scale):
    data["y"] *= scale
    with pytest.raises(DesignError, match="too large or too small to compute with in: y"):
        jc.fit_glm("y ~ x", data, family="gaussian", vcov="model")
    with pytest.raises(DesignError, match="in: y"):
        jc.fit_mixed("y ~ x + (1 | g)", data)


def test_a_merely_large_outcome_is_scaled_through(data):
    plain = jc.fit_glm("y ~ x", data, family="gaussian", vcov=jc.Robust())
    large = jc.fit_glm("y ~ x", data.assign(y=data["y"] * 1e50), family="gaussian", vcov=jc.Robust())
    np.testing.assert_allclose(large.params / 1e50, plain.params, rtol=1e-9)
    np.testing.assert_allclose(large.std_errors / 1e50, plain.std_errors, rtol=1e-9)


def test_meta_analysis_names_what_is_wrong():
    with pytest.raises(DesignError, match="4 of 4 variances are too small or too large"):
        jc.meta_analysis(Y, V * 1e-300)
    with pytest.raises(DesignError, match="too large or too small to compute with in: estimate"):
        jc.meta_analysis(Y * 1e200, V)
    with pytest.raises(SpecError, match="one number per study"):
        jc.meta_analysis(np.ones((4, 2)), V)
    with pytest.raises(SpecError, match="must be numbers"):
        jc.meta_analysis(Y + 1j, V)


def test_equal_estimates_have_no_heterogeneity():
    fit = jc.meta_analysis(np.ones(4), V, method="ee")
    assert fit.statistics["I2_pct"] == 0
    assert fit.statistics["Q"] == pytest.approx(0, abs=1e-20)
    assert fit.params["(Intercept)"] == pytest.approx(1)


def test_a_confidence_level_is_a_number(data):
    fit = jc.fit_glm("y ~ x", data, family="gaussian", vcov="model")
    for level in ("a", None, 1.5):
        with pytest.raises(SpecError, match="must lie between 0 and 1"):
            jc.comparisons(fit, "x", level=level)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"min_entities": None}, "min_entities"),
        ({"formats": "png"}, "formats"),
        ({"formats": None, "open_fields": 5}, "formats.*open_fields"),
        ({"nk": (1, "a")}, "nk"),
        ({"p_percent": "x"}, "p_percent"),
    ],
)
def test_a_policy_of_wrong_kinds(settings, words):
    with pytest.raises(SpecError, match=words):
        jc.DisclosurePolicy(**settings)


def test_save_figure_says_which_arguments_are_something_else(tmp_path):
    with pytest.raises(SpecError, match=r"catalogue figure.*DataFrame.*DisclosurePolicy"):
        jc.save_figure(None, {}, tmp_path / "a", policy="cautious_dk")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("covariates", ["sex", 5])
def test_covariates_are_several_names(bip_study, covariates):
    with pytest.raises(SpecError, match="several column names"):
        jc.build_panel(bip_study, covariates=covariates)
