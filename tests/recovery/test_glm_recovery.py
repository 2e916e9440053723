"""Simulated studies with known truth: estimates, intervals and average differences come back."""

import numpy as np
import pandas as pd
import pytest

from jobchance import Cluster, comparisons, fit_glm

TRUTH = {"(Intercept)": -1.0, "belief": 0.5, "edu[short]": -0.4}


def _draw(rng, n_workers, per_worker):
    """Binary outcomes with a share of covariate variation between caseworkers; no random effect."""
    worker = np.repeat(np.arange(n_workers), per_worker)
    n = len(worker)
    belief = 0.6 * rng.normal(size=n_workers)[worker] + 0.8 * rng.normal(size=n)
    short = rng.random(n) < 0.4
    eta = TRUTH["(Intercept)"] + TRUTH["belief"] * belief + TRUTH["edu[short]"] * short
    share = 1 / (1 + np.exp(-eta))
    return pd.DataFrame(
        {
            "worker": worker,
            "belief": belief,
            "edu": np.where(short, "short", "long"),
            "job": (rng.random(n) < share).astype(int),
        }
    )


def test_a_large_sample_gives_the_truth_back():
    data = _draw(np.random.default_rng(21), 400, 200)
    fit = fit_glm("job ~ belief + edu", data, family="binomial", vcov=Cluster("worker"))
    for term, value in TRUTH.items():
        assert abs(fit.params[term] - value) < 4 * fit.std_errors[term]
        assert fit.std_errors[term] < 0.02
    eta = (
        TRUTH["(Intercept)"]
        + TRUTH["belief"] * data["belief"]
        + TRUTH["edu[short]"] * (data["edu"] == "short")
    )
    true_difference = np.mean(1 / (1 + np.exp(-(eta + TRUTH["belief"]))) - 1 / (1 + np.exp(-eta)))
    row = comparisons(fit, "belief").iloc[0]
    assert abs(row["estimate"] - true_difference) < 4 * row["std_error"]


@pytest.mark.parametrize("family", ["binomial", "gaussian"])
def test_clustered_intervals_cover_where_independent_ones_do_not(family):
    """Covariate and noise both vary between caseworkers: only clustered intervals keep their level."""
    rng = np.random.default_rng(22)
    draws, covered = 300, {"cluster": 0, "model": 0}
    for _ in range(draws):
        worker = np.repeat(np.arange(60), 20)
        x = rng.normal(size=60)[worker] + 0.3 * rng.normal(size=1200)
        noise = rng.normal(size=60)[worker] * 0.7
        latent = 0.0 * x + noise + rng.logistic(size=1200)
        outcome = (latent > 0).astype(int) if family == "binomial" else latent
        data = pd.DataFrame({"x": x, "outcome": outcome, "worker": worker})
        fit = fit_glm("outcome ~ x", data, family=family, vcov=Cluster("worker"))
        for kind, this in (("cluster", fit), ("model", fit.with_vcov("model"))):
            low, high = this.conf_int().loc["x"]
            covered[kind] += low < 0 < high
    assert 0.91 <= covered["cluster"] / draws <= 0.985
    assert covered["model"] / draws < 0.85


def test_intervals_of_average_differences_cover():
    rng = np.random.default_rng(23)
    draws, covered = 300, 0
    for _ in range(draws):
        data = _draw(rng, 60, 10)
        eta = (
            TRUTH["(Intercept)"]
            + TRUTH["belief"] * data["belief"]
            + TRUTH["edu[short]"] * (data["edu"] == "short")
        )
        true_difference = np.mean(1 / (1 + np.exp(-(eta + TRUTH["belief"]))) - 1 / (1 + np.exp(-eta)))
        fit = fit_glm("job ~ belief + edu", data, family="binomial", vcov="model")
        row = comparisons(fit, "belief").iloc[0]
        covered += row["conf_low"] < true_difference < row["conf_high"]
    assert 0.92 <= covered / draws <= 0.98
