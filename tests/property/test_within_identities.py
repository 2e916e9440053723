"""Identities of the panel estimators on panels of any shape."""

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from jobchance import Cluster, fit_glm, fit_mixed, fit_panel

PANEL = {"entity": "i", "time": "t"}


@st.composite
def panels(draw):
    """Unbalanced panels with two covariates."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    rows = rng.integers(2, 6, draw(st.integers(4, 25)))
    i = np.repeat(np.arange(len(rows)), rows)
    t = np.concatenate([np.arange(n) for n in rows])
    frame = pd.DataFrame({"i": i, "t": t, "x": rng.normal(size=len(i)), "z": rng.normal(size=len(i))})
    frame["y"] = frame["x"] - frame["z"] + 3 * rng.normal(size=len(rows))[i] + rng.normal(size=len(i))
    return frame


@settings(max_examples=25, deadline=None)
@given(panels())
def test_within_is_least_squares_with_a_dummy_for_every_entity(data):
    within = fit_panel("y ~ x + z", data, vcov="model", **PANEL)
    dummies = fit_glm("y ~ x + z + C(i)", data, family="gaussian", vcov="model")
    for name in ("x", "z"):
        np.testing.assert_allclose(within.params[name], dummies.params[name], rtol=1e-8)
        np.testing.assert_allclose(within.std_errors[name], dummies.std_errors[name], rtol=1e-8)


@settings(max_examples=15, deadline=None)
@given(panels())
def test_two_absorbed_factors_are_least_squares_with_both_sets_of_dummies(data):
    within = fit_panel("y ~ x + z", data, absorb=("t",), vcov="model", **PANEL)
    dummies = fit_glm("y ~ x + z + C(i) + C(t)", data, family="gaussian", vcov="model")
    assert within.statistics["df_resid"] + within.sample.n_singletons >= dummies.statistics["df_resid"]
    for name in ("x", "z"):
        np.testing.assert_allclose(within.params[name], dummies.params[name], rtol=1e-7)
        np.testing.assert_allclose(within.std_errors[name], dummies.std_errors[name], rtol=1e-7)


@settings(max_examples=15, deadline=None)
@given(panels())
def test_within_part_of_the_hybrid_is_the_within_estimator(data):
    within = fit_panel("y ~ x + z", data, vcov="model", **PANEL)
    hybrid = fit_panel("y ~ x + z", data, estimator="hybrid", vcov="model", **PANEL)
    for name in ("x", "z"):
        np.testing.assert_allclose(hybrid.params[f"within({name})"], within.params[name], rtol=1e-8)


@settings(max_examples=15, deadline=None)
@given(panels(), st.floats(0.001, 1000), st.floats(-1e3, 1e3))
def test_rescaling_a_covariate_rescales_its_coefficient(data, factor, shift):
    plain = fit_panel("y ~ x + z", data, vcov=Cluster("i"), **PANEL)
    scaled = fit_panel("y ~ x + z", data.assign(x=factor * data["x"] + shift), vcov=Cluster("i"), **PANEL)
    np.testing.assert_allclose(scaled.params["x"] * factor, plain.params["x"], rtol=1e-6)
    np.testing.assert_allclose(scaled.std_errors["x"] * factor, plain.std_errors["x"], rtol=1e-6)


@settings(max_examples=15, deadline=None)
@given(panels(), st.randoms(use_true_random=False))
def test_row_order_and_names_of_entities_do_not_matter(data, random):
    order = list(range(len(data)))
    random.shuffle(order)
    labels = [f"person {k}" for k in range(data["i"].nunique())]
    random.shuffle(labels)
    names = dict(enumerate(labels))
    other = data.iloc[order].assign(i=lambda d: d["i"].map(names))
    for estimator in ("within", "between", "random", "first_difference", "pooled", "hybrid"):
        a, b = (fit_panel("y ~ x", d, estimator=estimator, vcov=Cluster("i"), **PANEL) for d in (data, other))
        np.testing.assert_allclose(a.params, b.params, rtol=1e-6, atol=1e-9)
        np.testing.assert_allclose(a.std_errors, b.std_errors, rtol=1e-6)


@settings(max_examples=15, deadline=None)
@given(panels(), st.floats(0.01, 100))
def test_mixed_models_follow_the_scale_of_the_outcome(data, factor):
    plain = fit_mixed("y ~ x + (1 | i)", data)
    scaled = fit_mixed("y ~ x + (1 | i)", data.assign(y=factor * data["y"] + 5))
    np.testing.assert_allclose(scaled.params["x"], factor * plain.params["x"], rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(
        scaled.variance_components["sd"], factor * plain.variance_components["sd"], rtol=1e-5, atol=1e-7
    )


@settings(max_examples=15, deadline=None)
@given(panels())
def test_a_mixed_model_without_variance_between_groups_is_least_squares(data):
    centred = data.assign(**{v: data[v] - data.groupby("i")[v].transform("mean") for v in ("y", "x")})
    mixed = fit_mixed("y ~ x + (1 | i)", centred, method="ml")
    assert mixed.is_singular
    ols = fit_glm("y ~ x", centred, family="gaussian", vcov="model")
    np.testing.assert_allclose(mixed.params, ols.params, rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(mixed.loglik, ols.loglik, rtol=1e-9)
