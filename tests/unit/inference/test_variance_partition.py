"""Variance partition: formulas, nested and crossed sums, probabilities by simulation, intervals, edges."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import special, stats

from jobchance import Fit, fit_mixed, variance_partition
from jobchance.errors import SpecError


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(21)
    n = 1200
    centre = np.repeat(np.arange(20), 60)
    worker = centre * 4 + rng.integers(0, 4, n)
    citizen = rng.integers(0, 150, n)
    x = rng.normal(size=n)
    eta = 0.4 * x + 0.5 * rng.normal(size=20)[centre] + 0.4 * rng.normal(size=80)[worker]
    eta += 0.8 * rng.normal(size=150)[citizen]
    return pd.DataFrame(
        {
            "centre": centre,
            "worker": worker,
            "citizen": citizen,
            "x": x,
            "y": eta + rng.normal(size=n),
            "b": (rng.logistic(size=n) < eta - 0.5).astype(int),
            "c": rng.poisson(np.exp(eta - 0.5)),
            "o": np.digitize(eta + rng.logistic(size=n), [-1, 0.5, 2]),
            "w": rng.integers(1, 9, n).astype(float),
        }
    )


RIGHT = "x + (1 | centre) + (1 | worker) + (1 | citizen)"


def _table(fit, **options):
    return variance_partition(fit, **options).set_index(["quantity", "group"])


def _variances(fit):
    frame = fit.variance_components
    return frame[frame["group"] != "Residual"].set_index("group")["variance"]


def test_linear_shares_and_sums(data):
    fit = fit_mixed(f"y ~ {RIGHT}", data)
    v, rest = _variances(fit), fit.statistics["sigma"] ** 2
    total = v.sum() + rest
    table = _table(fit)
    for group in v.index:
        assert table.loc[("share", group), "estimate"] == pytest.approx(v[group] / total)
    worker = table.loc[("same group", "worker"), "estimate"]
    assert worker == pytest.approx((v["worker"] + v["centre"]) / total), "worker is nested in centre"
    assert table.loc[("same group", "citizen"), "estimate"] == pytest.approx(v["citizen"] / total)
    assert table.loc[("all groups", "all"), "estimate"] == pytest.approx(v.sum() / total)


def test_names_tell_nesting_of_a_stored_fit(data):
    fit = fit_mixed("y ~ x + (1 | centre/worker)", data)
    pd.testing.assert_frame_equal(variance_partition(Fit.from_dict(fit.to_dict())), variance_partition(fit))
    assert set(_table(fit).loc["same group"].index) == {"centre", "centre:worker"}


@pytest.mark.parametrize(
    ("outcome", "options", "rest"),
    [
        ("b", {"family": "binomial"}, math.pi**2 / 3),
        ("b", {"family": "binomial", "link": "probit"}, 1.0),
        ("b", {"family": "binomial", "link": "cloglog"}, math.pi**2 / 6),
        ("o", {"family": "ordinal"}, math.pi**2 / 3),
        ("o", {"family": "ordinal", "link": "probit"}, 1.0),
    ],
)
def test_latent_scale(data, outcome, options, rest):
    fit = fit_mixed(f"{outcome} ~ x + (1 | citizen)", data, **options)
    v = _variances(fit)["citizen"]
    row = _table(fit).loc[("share", "citizen")]
    assert row["estimate"] == pytest.approx(v / (v + rest))
    # delta method by hand: share = t^2 / (t^2 + rest)
    t, variance = math.sqrt(v), fit.joint.covariance[0, 0]
    error = 2 * t * rest / (v + rest) ** 2 * math.sqrt(variance)
    assert row["std_error"] == pytest.approx(error, rel=1e-5)
    center = special.logit(row["estimate"])
    reach = stats.norm.ppf(0.975) * error / (row["estimate"] * (1 - row["estimate"]))
    assert row["conf_high"] == pytest.approx(special.expit(center + reach), rel=1e-5)


def test_poisson_latent_scale(data):
    fit = fit_mixed("c ~ x + (1 | citizen)", data, family="poisson")
    v = _variances(fit)["citizen"]
    eta = np.column_stack([np.ones(len(data)), data["x"]]) @ fit.params.to_numpy()
    rest = math.log1p(1 / np.exp(eta + v / 2).mean())
    assert _table(fit).loc[("share", "citizen"), "estimate"] == pytest.approx(v / (v + rest))
    shifted = data.assign(shift=math.log(3.0))
    other = fit_mixed("c ~ x + (1 | citizen)", shifted, family="poisson", offset="shift")
    inside = fit_mixed("c ~ x + offset(shift) + (1 | citizen)", shifted, family="poisson")
    expected = _table(fit)["estimate"].to_numpy()
    np.testing.assert_allclose(_table(other)["estimate"], expected, rtol=1e-5)
    np.testing.assert_allclose(_table(inside)["estimate"], expected, rtol=1e-5)


def test_probability_scale_is_the_correlation_of_simulated_outcomes(data):
    fit = fit_mixed(f"b ~ {RIGHT}", data, family="binomial")
    v, at = _variances(fit), data.iloc[[3]]
    table = _table(fit, scale="probability", data=at)
    eta = float(fit.params["(Intercept)"] + fit.params["x"] * at["x"].item())
    rng = np.random.default_rng(0)
    for group in ("worker", "citizen"):
        shared = v["worker"] + v["centre"] if group == "worker" else v["citizen"]
        rest = v.sum() - shared
        draws = 4_000_000
        common = math.sqrt(shared) * rng.normal(size=draws)
        p = [special.expit(eta + common + math.sqrt(rest) * rng.normal(size=draws)) for _ in range(2)]
        correlation = np.cov(*p)[0, 1] / (p[0].mean() * (1 - p[0].mean()))
        found = table.loc[("same group", group), "estimate"]
        assert found == pytest.approx(correlation, abs=5e-4)
    assert table["row"].tolist() == [3] * len(table)


def test_probability_scale_without_data_is_that_at_the_mean(data):
    fit = fit_mixed("b ~ x + (1 | citizen)", data, family="binomial")
    mean = data[["x"]].mean().to_frame().T
    a, b = _table(fit, scale="probability"), _table(fit, scale="probability", data=mean)
    np.testing.assert_allclose(a["estimate"], b["estimate"], rtol=1e-12)
    np.testing.assert_allclose(a["std_error"], b["std_error"], rtol=1e-6)


def test_random_slopes_are_averaged_over_rows(data):
    fit = fit_mixed("y ~ x + (1 + x | citizen)", data)
    factor = fit.statistics["sigma"] * fit.structure[0].relative_factor()
    z = np.column_stack([np.ones(len(data)), data["x"]])
    v = np.mean(np.einsum("na,ab,nb->n", z, factor @ factor.T, z))
    row = _table(fit).loc[("share", "citizen")]
    assert row["variance"] == pytest.approx(v)
    assert row["estimate"] == pytest.approx(v / (v + fit.statistics["sigma"] ** 2))
    with pytest.raises(SpecError, match="give data"):
        variance_partition(Fit.from_dict(fit.to_dict()))
    again = variance_partition(Fit.from_dict(fit.to_dict()), data=data)
    pd.testing.assert_frame_equal(again, variance_partition(fit))


def test_variance_at_zero_has_a_remark_and_no_interval():
    rng = np.random.default_rng(2)
    data = pd.DataFrame({"g": np.repeat(np.arange(12), 6), "h": np.tile(np.arange(6), 12)})
    data["y"] = rng.normal(size=72)
    data["y"] += rng.normal(size=6)[data["h"]] - data.groupby("g")["y"].transform("mean")
    fit = fit_mixed("y ~ 1 + (1 | g) + (1 | h)", data)
    table = _table(fit)
    gone, kept = table.loc[("share", "g")], table.loc[("share", "h")]
    assert gone["estimate"] == 0
    assert np.isnan(gone["conf_low"])
    assert "profile_intervals" in gone["remark"]
    assert kept["conf_low"] < kept["estimate"] < kept["conf_high"]


def test_interval_covers_the_truth_about_as_often_as_it_says():
    hits = []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        g = np.repeat(np.arange(60), 8)
        data = pd.DataFrame({"g": g, "y": rng.normal(size=60)[g] + 1.5 * rng.normal(size=480)})
        row = _table(fit_mixed("y ~ 1 + (1 | g)", data)).loc[("share", "g")]
        hits.append(row["conf_low"] <= 1 / 3.25 <= row["conf_high"])
    assert abs(np.mean(hits) - 0.95) < 0.045


def test_refusals(data):
    fit = fit_mixed("o ~ x + (1 | citizen)", data, family="ordinal")
    with pytest.raises(SpecError, match="binomial fits, not ordinal"):
        variance_partition(fit, scale="probability")
    with pytest.raises(SpecError, match="Did you mean 'latent'"):
        variance_partition(fit, scale="latnt")
    with pytest.raises(SpecError, match="level"):
        variance_partition(fit, level=0)
