"""Sensitivity of weighted least squares: whole weights are repeated rows, others the regression on rows
times roots of weights; what does not read weights refuses them."""

import numpy as np
import pandas as pd
import pytest

from jobchance import Cluster, fit_glm
from jobchance.errors import SpecError
from jobchance.numerics.partial_r2 import partial_r2, residual, set_partial_r2
from jobchance.sensitivity.confounding import robustness_value
from jobchance.sensitivity.confounding_adjusted import adjusted_estimate
from jobchance.sensitivity.confounding_bounds import benchmark_r2, confounder_bounds
from jobchance.sensitivity.confounding_rows import linear_rows
from jobchance.sensitivity.logit_confounding import logit_confounding
from jobchance.sensitivity.oster import oster_delta
from jobchance.sensitivity.private_information import private_information

N = 300
FORMULA = "y ~ d + x + C(e)"


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(14)
    frame = pd.DataFrame({"x": rng.normal(1, 2, N), "e": rng.integers(0, 3, N), "g": rng.integers(0, 12, N)})
    frame["d"] = 0.3 * frame["x"] + 0.4 * frame["e"] + rng.normal(size=N)
    frame["y"] = 5 + 0.4 * frame["d"] + 0.3 * frame["x"] + 0.5 * frame["e"] + rng.normal(size=N)
    frame["job"] = (frame["y"] > 6).astype(int)
    # weights that go with the rows' place in the model, so that leaving them out is seen
    frame["w"] = 1 + (frame["x"] > 1) * 3 + (frame["d"] > 1) * rng.integers(0, 3, N)
    frame["v"] = frame["w"] * rng.uniform(0.5, 1.5, N)
    return frame


@pytest.fixture(scope="module")
def pair(data):
    """A fit with whole weights, and that of the rows repeated."""
    long = data.loc[data.index.repeat(data["w"])].reset_index(drop=True)
    return (
        fit_glm(FORMULA, data, family="gaussian", weights="w", vcov="model"),
        fit_glm(FORMULA, long, family="gaussian", vcov="model"),
    )


def test_whole_weights_are_repeated_rows_in_what_does_not_depend_on_df(pair):
    one, other = (robustness_value(fit, "d", alpha=None) for fit in pair)
    for name in ("estimate", "f", "partial_r2", "value", "extreme"):
        assert getattr(one, name) == pytest.approx(getattr(other, name), rel=1e-10), name
    assert (one.df, other.df) == (N - 5, pair[1].nobs - 5)
    first, second = (adjusted_estimate(fit, "d", r2dz_x=[0.05, 0.2], r2yz_dx=0.1) for fit in pair)
    np.testing.assert_allclose(first["adjusted_estimate"], second["adjusted_estimate"], rtol=1e-10)


@pytest.mark.parametrize("options", [{}, {"controls": ["C(e)"]}, {"r_max": 0.8, "beta": 0.1, "delta": 0.5}])
def test_oster_delta_is_that_of_repeated_rows(pair, options):
    one, other = (oster_delta(fit, "d", **options).frame for fit in pair)
    pd.testing.assert_frame_equal(one, other, rtol=1e-8)
    assert one["r2"][0] == pytest.approx(pair[0].statistics["r2"], rel=1e-10)


def test_private_information_is_that_of_repeated_rows(pair):
    given = {"benchmarks": ["x", ["x", "C(e)"]], "foreseeable": 0.6}
    one, other = (private_information(fit, "d", **given) for fit in pair)
    for name in ("r2", "r2_covariates", "sd_outcome", "sd_exposure"):
        assert getattr(one, name) == pytest.approx(getattr(other, name), rel=1e-10), name
    limits = ["seen_low", "seen_high"]  # of the interval, which counts the rows
    pd.testing.assert_frame_equal(one.frame.drop(columns=limits), other.frame.drop(columns=limits), rtol=1e-9)
    pd.testing.assert_frame_equal(one.benchmarks, other.benchmarks, rtol=1e-9)


def test_other_weights_are_the_regression_on_rows_times_their_roots(data):
    fit = fit_glm(FORMULA, data, family="gaussian", weights="v", vcov=Cluster("g"))
    root = np.sqrt(data["v"].to_numpy())
    dummies = [(data["e"] == level).to_numpy(float) for level in (1, 2)]
    others = np.column_stack([np.ones(N), data["x"], *dummies]) * root[:, None]
    d, y = data["d"].to_numpy() * root, data["y"].to_numpy() * root
    by_hand = set_partial_r2(y, others, d[:, None])
    found = robustness_value(fit, "d")
    assert found.partial_r2 == pytest.approx(by_hand, rel=1e-10)
    assert private_information(fit, "d").r2 == pytest.approx(by_hand, rel=1e-10)
    b, left = residual(np.column_stack([y, d]), others).T
    assert oster_delta(fit, "d").estimate == pytest.approx(float(b @ left / (left @ left)), rel=1e-10)
    plain = fit_glm(FORMULA, data, family="gaussian", vcov=Cluster("g"))
    assert abs(found.partial_r2 / robustness_value(plain, "d").partial_r2 - 1) > 0.01


def test_the_unit_of_the_weights_does_not_matter(data):
    made = []
    for scale in (1.0, 1e-3):
        fit = fit_glm(FORMULA, data.assign(v=data["v"] * scale), family="gaussian", weights="v", vcov="model")
        found = private_information(fit, "d", explained=[1], reliability=1)
        made.append([robustness_value(fit, "d").value_alpha, oster_delta(fit, "d").delta, found.sd_outcome])
    np.testing.assert_allclose(made[0], made[1], rtol=1e-9)


def test_an_omitted_confounder_of_the_weighted_regression_moves_it_as_far_as_its_partial_r2_say(data):
    """Cinelli & Hazlett's equation 14 with weights: leave x out, put its weighted partial R2 in."""
    long = fit_glm("y ~ d + x", data, family="gaussian", weights="v", vcov="model")
    short = fit_glm("y ~ d", data, family="gaussian", weights="v", vcov="model")
    t = float(long.params["x"] / long.std_errors["x"])
    exposure = fit_glm("d ~ x", data, family="gaussian", weights="v", vcov="model")
    strengths = {
        "r2yz_dx": float(partial_r2(t, long.df["x"])),
        "r2dz_x": float(partial_r2(exposure.params["x"] / exposure.std_errors["x"], exposure.df["x"])),
    }
    found = adjusted_estimate(short, "d", **strengths).iloc[0]
    assert found["adjusted_estimate"] == pytest.approx(long.params["d"], rel=1e-10)
    assert found["adjusted_se"] == pytest.approx(long.std_errors["d"], rel=1e-10)


def test_weighted_rows_know_whether_their_weights_are_in_them(data):
    fit = fit_glm(FORMULA, data, family="gaussian", weights="v", vcov="model")
    rows = linear_rows(fit, "a test")
    solved = rows.weighted()
    np.testing.assert_allclose(solved.X, rows.X * np.sqrt(data["v"].to_numpy())[:, None], rtol=1e-14)
    assert (rows.size, solved.size) == pytest.approx((N, data["v"].sum()))
    assert solved.weighted() is solved
    with pytest.raises(AssertionError, match="in weighted rows"):
        rows.places("x", exposure="d")


def test_benchmarks_are_those_of_repeated_rows(pair):
    one, other = (benchmark_r2(linear_rows(fit, "a test").weighted(), "d", "x") for fit in pair)
    assert one == pytest.approx(other, rel=1e-10)
    strengths = ["r2dz_x", "r2yz_dx"]
    bounds = [confounder_bounds(fit, "d", benchmarks=["x"])[strengths].to_numpy() for fit in pair]
    np.testing.assert_allclose(bounds[0], bounds[1], rtol=1e-10)


def test_logit_confounding_refuses_weights(data):
    fit = fit_glm("job ~ d + x", data, family="binomial", weights="w", vcov="model")
    with pytest.raises(SpecError, match="does not read weights"):
        logit_confounding(fit, "d", r2_exposure=[0.1], r2_outcome=[0.1])
