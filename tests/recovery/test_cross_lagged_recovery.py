"""Cross-lagged models on panels of known lags: what the random intercepts are for, and honest intervals."""

import numpy as np
import pandas as pd
import pytest

from jobchance.identification.direction import which_leads
from jobchance.models.cross_lagged import fit_cross_lagged
from jobchance.panel.build import build_panel
from jobchance.results.vcov import Robust
from jobchance.simulate.bip import simulate_study

B = np.array([[0.30, 0.00], [0.20, 0.25]])
TERMS = ["x~x", "x~y", "y~x", "y~y"]
WITHIN = np.array([[1.0, 0.2], [0.2, 1.0]])
TRAITS = np.array([[1.0, 0.6], [0.6, 1.2]])


def draw(seed, *, n=800, T=5, traits=TRAITS, drop=None, binary=False):
    """Long panel; `drop` gives the log odds of leaving by what was last seen."""
    rng = np.random.default_rng(seed)
    level = rng.multivariate_normal(np.zeros(2), traits, size=n) if traits is not None else 0.0
    w, alive, rows = rng.multivariate_normal(np.zeros(2), WITHIN, size=n), np.ones(n, bool), []
    for t in range(T):
        if t:
            w = w @ B.T + rng.multivariate_normal(np.zeros(2), WITHIN * 0.8, size=n)
        v = w + level
        y = (v[:, 1] > 0).astype(float) if binary else v[:, 1]
        rows.append(pd.DataFrame({"i": np.arange(n), "t": t + 1, "x": v[:, 0], "y": y})[alive])
        if drop is not None:
            alive = alive & (rng.random(n) > 1 / (1 + np.exp(-(drop + 0.7 * v[:, 0] + 0.5 * v[:, 1]))))
    return pd.concat(rows, ignore_index=True)


def lags(data, **options):
    return fit_cross_lagged(data, x="x", y="y", entity="i", time="t", lags="equal", **options)


@pytest.fixture(scope="module")
def runs():
    """60 panels with drop-out that depends on what was seen: full information, listwise, plain."""
    made = {"fiml": [], "listwise": [], "plain": []}
    for seed in range(60):
        data = draw(seed, drop=-1.5)
        made["fiml"].append(lags(data))
        made["listwise"].append(lags(data, missing="listwise"))
        made["plain"].append(lags(data, random_intercepts=False))
    return made


def bias(fits):
    """Mean error over the panels and its standard error, by term."""
    values = np.array([fit.params[TERMS] for fit in fits]) - B.reshape(-1)
    return values.mean(axis=0), values.std(axis=0, ddof=1) / np.sqrt(len(fits))


def test_lags_are_recovered_despite_drop_out(runs):
    mean, error = bias(runs["fiml"])
    assert np.all(np.abs(mean) < 3.5 * error), mean / error


def test_intervals_cover(runs):
    inside = []
    for fit in runs["fiml"]:
        interval = fit.conf_int().loc[TERMS]
        inside.append((interval["conf_low"] <= B.reshape(-1)) & (B.reshape(-1) <= interval["conf_high"]))
    share = np.mean(inside)
    # 240 intervals; 0.95 within 3 standard errors of dependent draws.
    assert 0.90 < share < 0.99, share


def test_standard_errors_are_the_spread(runs):
    values = np.array([fit.params[TERMS] for fit in runs["fiml"]])
    said = np.array([fit.std_errors[TERMS] for fit in runs["fiml"]]).mean(axis=0)
    assert np.all(np.abs(np.log(values.std(axis=0, ddof=1) / said)) < np.log(1.35))


def test_plain_model_takes_traits_for_influence(runs):
    mean, error = bias(runs["plain"])
    by_term = dict(zip(TERMS, mean, strict=True))
    # Nothing leads from y to x, yet stable differences make the plain model say so; both stabilities swell.
    assert by_term["x~y"] > 0.03
    assert by_term["x~x"] > 0.15
    assert by_term["y~y"] > 0.15
    assert np.all(np.abs(mean[[0, 1, 3]]) > 5 * error[[0, 1, 3]])


def test_plain_model_is_right_without_traits():
    fits = [lags(draw(seed, traits=None), random_intercepts=False) for seed in range(30)]
    mean, error = bias(fits)
    assert np.all(np.abs(mean) < 3.5 * error)


def test_complete_entities_only_are_biased_by_drop_out(runs):
    full, listwise = bias(runs["fiml"])[0], bias(runs["listwise"])[0]
    assert np.abs(listwise).max() > 3 * np.abs(full).max()


def test_ratio_of_random_intercepts_keeps_its_size():
    """Variances may go below zero, so chi-squared with 3 degrees of freedom holds without traits."""
    p_values = []
    for seed in range(100):
        fit = lags(draw(1000 + seed, traits=None, n=500))
        table = fit.diagnostics["comparisons"].set_index("comparison")
        p_values.append(table.loc["no_random_intercepts", "p_value"])
    share = np.mean(np.array(p_values) < 0.10)
    assert 0.03 <= share <= 0.19, share
    assert abs(np.mean(p_values) - 0.5) < 0.1


def test_direction_is_told_for_an_action_of_two_values():
    wins = []
    for seed in range(10):
        fit = lags(draw(seed, n=1500, binary=True), vcov=Robust())
        wins.append(fit.statistics["cross_lag_difference"] > 2 * fit.statistics["cross_lag_difference_se"])
        assert any("two values" in note for note in fit.notes)
    assert np.mean(wins) >= 0.8


def test_no_direction_is_found_where_the_simulator_has_none():
    """Five studies without either influence: the plain model finds one, the random intercepts do not."""
    z = []
    for seed in range(20, 25):
        study = simulate_study(seed=seed, belief_action=0.0, action_feedback=0.0)
        table = which_leads(build_panel(study)).diagnostics["directions"].set_index(["model", "direction"])
        z.append(table["standardised"] / table["standardised_se"])
    pooled = sum(z) / np.sqrt(len(z))
    assert np.abs(pooled["RI-CLPM"]).max() < 3
    assert pooled["CLPM"]["belief_to_action"] > 4
