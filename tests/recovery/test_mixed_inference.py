"""Tests and intervals of mixed models hold their level on simulated data."""

import numpy as np
import pandas as pd

from jobchance import Cluster, compare_fits, fit_mixed, profile_intervals


def test_the_mixture_holds_its_level_where_chi_squared_does_not():
    """No variance between groups: half the statistics are zero, and 5 % are above the mixture's limit."""
    mixture, plain = [], []
    for seed in range(600):
        rng = np.random.default_rng(seed)
        data = pd.DataFrame({"g": np.repeat(np.arange(40), 5), "h": np.tile(np.arange(50), 4)})
        data["y"] = rng.normal(size=200) + rng.normal(size=50)[data["h"]]
        small = fit_mixed("y ~ 1 + (1 | h)", data, method="ml")
        large = fit_mixed("y ~ 1 + (1 | h) + (1 | g)", data, method="ml")
        mixture.append(compare_fits(small, large)["p_value"].item())
        plain.append(compare_fits(small, large, boundary="none")["p_value"].item())
    level = np.mean(np.array(mixture) < 0.05)
    assert abs(level - 0.05) < 3.5 * np.sqrt(0.05 * 0.95 / 600)
    assert np.mean(np.array(plain) < 0.05) < 0.045
    assert 0.4 < np.mean(np.array(mixture) == 1) < 0.65


def test_profile_intervals_cover():
    hits = []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        g = np.repeat(np.arange(25), 8)
        x = rng.normal(size=200)
        y = 0.5 * x + 0.6 * rng.normal(size=25)[g] + rng.normal(size=200)
        data = pd.DataFrame({"g": g, "x": x, "y": y})
        table = profile_intervals(fit_mixed("y ~ x + (1 | g)", data)).set_index("parameter")
        truth = pd.Series({"(Intercept)": 0.0, "x": 0.5, "sd[g.(Intercept)]": 0.6, "sigma": 1.0})
        inside = (table["conf_low"] <= truth[table.index]) & (truth[table.index] <= table["conf_high"])
        hits.append(inside.to_numpy())
    coverage = np.mean(hits, axis=0)
    assert (np.abs(coverage - 0.95) < 0.05).all(), coverage


def test_sandwich_covers_where_the_models_errors_do_not():
    """The effect of x differs between jobcentres, which a model with one effect of x leaves out."""
    model, sandwich = [], []
    for seed in range(150):
        rng = np.random.default_rng(seed)
        c = np.repeat(np.arange(60), 30)
        g = 3 * c + rng.integers(0, 3, 1800)
        x = rng.normal(size=1800)
        eta = (0.5 + 0.6 * rng.normal(size=60)[c]) * x + 0.5 * rng.normal(size=60)[c]
        data = pd.DataFrame({"c": c, "g": g, "x": x})
        data["y"] = (rng.logistic(size=1800) < eta + 0.4 * rng.normal(size=180)[g]).astype(int)
        fit = fit_mixed("y ~ x + (1 | c) + (1 | g)", data, family="binomial")
        # what x estimates here is the effect at the mean of the logit of a model without the slopes
        for made, which in ((fit, model), (fit.with_vcov(Cluster("c")), sandwich)):
            which.append((fit.params["x"], made.std_errors["x"]))
    estimates, errors = np.array(model).T
    robust = np.array(sandwich)[:, 1]
    spread = estimates.std(ddof=1)
    assert errors.mean() < 0.75 * spread
    assert abs(robust.mean() / spread - 1) < 0.15
