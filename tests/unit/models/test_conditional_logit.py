"""Conditional logit: the exact likelihood by enumeration, identities, clusters and refusals."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from scipy import optimize

from jobchance import Cluster, Robust, fit_glm
from jobchance.errors import DesignError, EstimationError
from jobchance.models.conditional_logit import fit_conditional_logit


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(1)
    g = np.repeat(np.arange(60), rng.integers(2, 8, 60))
    x, z = rng.normal(size=len(g)), rng.normal(size=len(g))
    effect = rng.normal(size=60)
    y = rng.random(len(g)) < 1 / (1 + np.exp(-(effect[g] + 0.7 * x - 0.4 * z)))
    frame = pd.DataFrame({"g": g, "x": x, "z": z, "job": y.astype(int), "fixed": effect[g], "half": g // 2})
    return frame.sample(frac=1, random_state=3)


def _loglik(beta, data):
    """All sets of the size observed, by hand."""
    total = 0.0
    for _, part in data.groupby("g"):
        eta = part[["x", "z"]].to_numpy() @ beta
        m = int(part["job"].sum())
        sets = [eta[list(chosen)].sum() for chosen in combinations(range(len(part)), m)]
        total += eta[part["job"].to_numpy() == 1].sum() - np.log(np.exp(sets).sum())
    return total


def test_the_likelihood_is_that_of_all_sets(data):
    fit = fit_conditional_logit("job ~ x + z", data, group="g", vcov="model")
    assert fit.loglik == pytest.approx(_loglik(fit.estimates, data), abs=1e-10)
    best = optimize.minimize(lambda b: -_loglik(b, data), [0, 0], method="BFGS", options={"gtol": 1e-9})
    assert np.allclose(fit.estimates, best.x, atol=1e-6)
    step = 1e-4
    for j in range(2):
        e = step * np.eye(2)[j]
        slope = (_loglik(fit.estimates + e, data) - _loglik(fit.estimates - e, data)) / (2 * step)
        assert abs(slope) < 1e-6


def test_two_rows_per_group_are_a_logit_of_differences():
    rng = np.random.default_rng(2)
    g = np.repeat(np.arange(300), 2)
    x = rng.normal(size=600)
    y = (rng.random(600) < 1 / (1 + np.exp(-0.8 * x - rng.normal(size=300)[g]))).astype(int)
    frame = pd.DataFrame({"g": g, "x": x, "job": y})
    fit = fit_conditional_logit("job ~ x", frame, group="g", vcov="model")
    wide = frame.assign(t=np.tile([0, 1], 300)).pivot_table(index="g", columns="t", values=["x", "job"])
    wide = wide[wide[("job", 0)] != wide[("job", 1)]]
    change = pd.DataFrame({"up": wide[("job", 1)], "dx": wide[("x", 1)] - wide[("x", 0)]})
    other = fit_glm("up ~ 0 + dx", change, family="binomial", vcov="model")
    assert fit.params["x"] == pytest.approx(other.params["dx"], abs=1e-9)
    assert fit.std_errors["x"] == pytest.approx(other.std_errors["dx"], rel=1e-8)
    clustered = fit_conditional_logit("job ~ x", frame, group="g", vcov=Cluster("g"))
    robust = fit_glm("up ~ 0 + dx", change, family="binomial", vcov=Robust("HC0"))
    groups, rows = len(change), 2 * len(change)
    factor = groups / (groups - 1) * (rows - 1) / (rows - 1)
    assert clustered.std_errors["x"] == pytest.approx(np.sqrt(factor) * robust.std_errors["dx"], rel=1e-8)


def test_what_does_not_vary_is_left_out_and_counted(data):
    fit = fit_conditional_logit("job ~ x + fixed + I(2 * x)", data, group="g", vcov="model")
    assert fit.terms == ("x",)
    assert fit.sample.dropped_terms[0] == "fixed (does not vary within g)"
    flat = data.groupby("g")["job"].transform("nunique") == 1
    assert fit.statistics["groups_without_variation"] == data.loc[flat, "g"].nunique()
    assert sum(fit.sample.dropped.values()) == flat.sum()
    assert fit.nobs == (~flat).sum()


def test_events_and_others_may_change_places(data):
    """Many events in a group, where the recursion runs over the others."""
    fit = fit_conditional_logit("job ~ x + z", data, group="g", vcov="model")
    turned = fit_conditional_logit("job ~ x + z", data.assign(job=1 - data["job"]), group="g", vcov="model")
    assert np.allclose(fit.estimates, -turned.estimates, atol=1e-10)
    assert fit.loglik == pytest.approx(turned.loglik, abs=1e-10)
    shares = fit.augment()
    sums = shares.groupby(data.loc[shares.index, "g"])[["outcome", "fitted"]].sum()
    assert np.allclose(sums["outcome"], sums["fitted"], atol=1e-10)


def test_large_groups_do_not_overflow():
    rng = np.random.default_rng(5)
    x = 30 * rng.normal(size=3000)
    y = (rng.random(3000) < 1 / (1 + np.exp(-x / 30))).astype(int)
    frame = pd.DataFrame({"g": np.repeat([0, 1], 1500), "x": x, "job": y})
    fit = fit_conditional_logit("job ~ x", frame, group="g", vcov="model")
    plain = fit_glm("job ~ x + C(g)", frame, family="binomial", vcov="model")
    # groups this large carry their own level, so that the incidental-parameter bias is of order 1 / 1500
    assert fit.params["x"] == pytest.approx(plain.params["x"], rel=2e-3)


def test_default_standard_errors(data):
    fit = fit_conditional_logit("job ~ x", data, group="g")
    assert fit.inference.clusters == {"g": fit.sample.groups["g"]}
    nested = fit_conditional_logit("job ~ x", data.assign(caseworker_id=data["half"]), group="g")
    assert list(nested.inference.clusters) == ["caseworker_id"]
    crossed = fit_conditional_logit("job ~ x", data.assign(caseworker_id=data["x"] > 0), group="g")
    assert list(crossed.inference.clusters) == ["g"]
    few = fit_conditional_logit("job ~ x", data, group="half", vcov=None)
    assert few.inference.kind in ("cluster", "model")


def test_clusters_that_split_groups_are_refused(data):
    with pytest.raises(DesignError, match="positive splits") as caught:
        fit_conditional_logit(
            "job ~ x", data.assign(positive=data["x"] > 0), group="g", vcov=Cluster("positive")
        )
    assert "Cluster('g')" in str(caught.value)
    with pytest.raises(DesignError, match="in place of Robust"):
        fit_conditional_logit("job ~ x", data, group="g", vcov=Robust())


def test_separation_within_groups_is_found():
    frame = pd.DataFrame(
        {"g": np.repeat(np.arange(50), 3), "x": np.tile([0.0, 1, 2], 50), "job": np.tile([0, 0, 1], 50)}
    )
    frame["z"] = np.random.default_rng(0).normal(size=150)
    with pytest.raises(EstimationError, match="x orders the outcomes"):
        fit_conditional_logit("job ~ x", frame, group="g", vcov="model")
    # separated within groups only, not over all of them
    shifted = frame.assign(x=frame["x"] + 10 * frame["g"])
    with pytest.raises(EstimationError, match="separation"):
        fit_conditional_logit("job ~ x + z", shifted, group="g", vcov="model")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"job": 2}, "neither 0 nor 1"),
        ({"job": 1}, "has both outcomes"),
        ({"x": 1.0}, "No covariate varies"),
    ],
)
def test_refusals(data, change, message):
    with pytest.raises(DesignError, match=message):
        fit_conditional_logit("job ~ x", data.assign(**change), group="g")
