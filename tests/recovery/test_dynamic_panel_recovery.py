"""Known truths: bias of the within estimator, coverage with and without correction, levels of the tests."""

import numpy as np
import pandas as pd
import pytest

import jobchance as jc
from jobchance.identification.dynamic_direction import dynamic_direction
from jobchance.models.dynamic_panel import fit_dynamic_panel

RHO, BETA = 0.5, 0.4
AXES = {"entity": "i", "time": "t"}
X = {"predetermined": ("x",), "time_effects": False}


def draw(rng, *, n=150, periods=7, gaps=0.0, moving_average=0.0, stationary=False):
    """An outcome with a past, x that reacts to it, errors of unequal size.

    All start far from their own level unless twenty periods are left out, which makes it stationary.
    """
    level, size = rng.normal(size=n), rng.uniform(0.5, 1.5, size=n)
    y, x, before, made = rng.normal(size=n), rng.normal(size=n), np.zeros(n), []
    warm = 20 if stationary else 0
    for t in range(-warm, periods):
        e = size * rng.normal(size=n)
        x = 0.5 * x + 0.2 * y + 0.3 * level + rng.normal(size=n)
        y = RHO * y + BETA * x + level + e + moving_average * before
        before = e
        if t >= 0:
            made.append(pd.DataFrame({"i": np.arange(n), "t": t, "y": y, "x": x}))
    data = pd.concat(made, ignore_index=True)
    return data[rng.uniform(size=len(data)) >= gaps]


def replicate(repeats, seed, one, **options):
    rng = np.random.default_rng(seed)
    return pd.DataFrame([one(draw(rng, **options)) for _ in range(repeats)])


def test_within_is_biased_and_gmm_is_not():
    """Differences have a bias of their own that goes with entities; that of within does not."""

    def one(data):
        lagged = data.sort_values(["i", "t"])
        lagged["before"] = lagged.groupby("i")["y"].shift(1)
        within = jc.fit_panel("y ~ before + x", lagged, entity="i", time="t", vcov="model")
        gmm = fit_dynamic_panel("y ~ x", data, instrument_lags={"y": (2, 4), "x": (1, 3)}, **AXES, **X)
        return {"within": within.params["before"], "gmm": gmm.params["lag(y, 1)"], "x": gmm.params["x"]}

    means = replicate(20, 1, one, n=2000).agg(["mean", "sem"])
    assert means.loc["mean", "within"] < RHO - 0.10
    assert abs(means.loc["mean", "gmm"] - RHO) < 4 * means.loc["sem", "gmm"] + 0.015
    assert abs(means.loc["mean", "x"] - BETA) < 4 * means.loc["sem", "x"] + 0.015


@pytest.mark.parametrize("transformation", ["difference", "system", "orthogonal_deviations"])
def test_all_transformations_find_the_truth_with_gaps(transformation):
    rng = np.random.default_rng(2)
    data = draw(rng, n=6000, periods=6, gaps=0.1, stationary=True)
    fit = fit_dynamic_panel("y ~ x", data, transformation=transformation, collapse=True, **AXES, **X)
    truth = np.array([RHO, BETA])
    np.testing.assert_array_less(np.abs(fit.estimates[:2] - truth) / fit.std_errors.to_numpy()[:2], 3.5)
    assert fit.std_errors.iloc[:2].max() < 0.05
    assert fit.statistics["m1_p"] < 1e-6
    assert fit.statistics["m2_p"] > 1e-3
    assert fit.statistics["hansen_p"] > 1e-3


def test_coverage_with_and_without_the_correction():
    """Many instruments for 100 entities: conventional two-step intervals are far too short."""

    def one(data):
        corrected = fit_dynamic_panel("y ~ x", data, **AXES, **X)
        plain = fit_dynamic_panel("y ~ x", data, vcov="model", **AXES, **X)
        centre = corrected.params["x"] - BETA
        return {
            "corrected": abs(centre) < 1.96 * corrected.std_errors["x"],
            "plain": abs(centre) < 1.96 * plain.std_errors["x"],
            "error": centre,
            "se": corrected.std_errors["x"],
            "se_plain": plain.std_errors["x"],
        }

    made = replicate(200, 3, one, n=100, periods=6)
    assert 0.88 <= made["corrected"].mean() <= 0.985
    assert made["plain"].mean() < 0.86
    assert made["se"].mean() == pytest.approx(made["error"].std(), rel=0.15)
    assert made["se_plain"].mean() < 0.8 * made["error"].std()


def test_tests_keep_their_level_and_see_what_is_wrong():
    def one(data):
        fit = fit_dynamic_panel("y ~ x", data, collapse=True, **AXES, **X)
        return {name: fit.statistics[f"{name}_p"] < 0.05 for name in ("m2", "hansen")}

    right = replicate(150, 4, one, n=400).mean()
    assert right["m2"] < 0.11
    assert right["hansen"] < 0.11
    wrong = replicate(40, 5, one, n=1500, moving_average=0.6).mean()
    assert wrong["m2"] > 0.8
    assert wrong["hansen"] > 0.5


def test_level_instruments_are_seen_through_where_the_start_is_not_stationary():
    def one(data):
        fit = fit_dynamic_panel("y ~ x", data, transformation="system", collapse=True, **AXES, **X)
        return {
            "levels": fit.statistics["hansen_levels_p"] < 0.05,
            "without": fit.statistics["hansen_without_levels_p"] < 0.05,
        }

    far = replicate(30, 6, one, n=500)
    settled = replicate(100, 7, one, n=500, stationary=True)
    assert far["without"].mean() < 0.2
    assert settled["levels"].mean() < 0.13
    assert far["levels"].mean() > 0.5


def test_serial_correlation_in_a_system_has_its_level():
    def one(data):
        fit = fit_dynamic_panel("y ~ x", data, transformation="system", collapse=True, **AXES, **X)
        return {"m2": fit.statistics["m2"]}

    m2 = replicate(200, 8, one, n=300, stationary=True)["m2"]
    assert abs(m2.mean()) < 0.25
    assert m2.std() == pytest.approx(1, abs=0.15)


@pytest.mark.parametrize("dial", [0.0, 1.0])
def test_direction_in_the_simulated_study(dial):
    """Belief moves the next activity by the dial; activity never moves belief."""
    fits = [
        dynamic_direction(jc.build_panel(jc.simulate_study(seed=seed, belief_action=dial)))
        for seed in (1, 2, 3)
    ]
    forward = np.mean([fit.params["belief_to_action"] for fit in fits])
    error = np.sqrt(np.mean([fit.std_errors["belief_to_action"] ** 2 for fit in fits]) / 3)
    back = np.mean([fit.params["action_to_belief"] for fit in fits])
    back_error = np.sqrt(np.mean([fit.std_errors["action_to_belief"] ** 2 for fit in fits]) / 3)
    assert abs(back) < 3 * back_error
    assert forward > 5 * error if dial else abs(forward) < 3 * error
