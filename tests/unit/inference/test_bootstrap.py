"""Parametric bootstrap: same numbers everywhere, simulated moments, intervals, failures, refusals."""

import numpy as np
import pandas as pd
import pytest
from scipy import special

from jobchance import (
    LocalCompute,
    bootstrap_compare,
    fit_mixed,
    parametric_bootstrap,
    simulate_outcomes,
)
from jobchance.errors import EstimationError, SpecError


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(11)
    n = 300
    g = np.arange(n) % 30
    x = rng.normal(size=n)
    eta = 0.5 * x + 0.7 * rng.normal(size=30)[g]
    return pd.DataFrame(
        {
            "g": g,
            "x": x,
            "y": eta + rng.normal(size=n),
            "b": (rng.logistic(size=n) < eta).astype(int),
            "c": rng.poisson(np.exp(eta)),
            "o": np.digitize(eta + rng.logistic(size=n), [-1, 0.5, 2]),
            "m": rng.integers(1, 6, n),
        },
        index=np.arange(n) + 1000,
    )


FAMILIES = [("y", "gaussian"), ("b", "binomial"), ("c", "poisson"), ("o", "ordinal")]


@pytest.mark.parametrize(("outcome", "family"), FAMILIES)
def test_draws_are_the_same_bit_for_bit_in_other_processes(data, outcome, family):
    fit = fit_mixed(f"{outcome} ~ x + (1 | g)", data, family=family)
    here = parametric_bootstrap(fit, draws=6, seed=5)
    with LocalCompute(2) as compute:
        there = parametric_bootstrap(fit, data, draws=6, seed=5, compute=compute)
    pd.testing.assert_frame_equal(here.draws, there.draws, check_exact=True)
    assert here.draws.columns.tolist()[: len(fit.terms)] == list(fit.terms)
    first = parametric_bootstrap(fit, draws=3, seed=5)
    pd.testing.assert_frame_equal(first.draws, here.draws.iloc[:3], check_exact=True)
    assert not here.draws.equals(parametric_bootstrap(fit, draws=6, seed=6).draws)


def test_intervals_are_quantiles_of_the_draws(data):
    made = parametric_bootstrap(fit_mixed("y ~ x + (1 | g)", data), draws=40, seed=1)
    table = made.intervals(level=0.9).set_index("parameter")
    low, high = np.quantile(made.draws["x"], [0.05, 0.95])
    assert table.loc["x", ["conf_low", "conf_high"]].tolist() == pytest.approx([low, high])
    twice = 2 * table.loc["x", "estimate"]
    assert table.loc["x", ["basic_low", "basic_high"]].tolist() == pytest.approx([twice - high, twice - low])
    assert table.loc["x", "std_error"] == pytest.approx(made.draws["x"].std())
    with pytest.raises(SpecError, match="level"):
        made.intervals(level=2)


def test_own_statistic(data):
    fit = fit_mixed("b ~ x + (1 | g)", data, family="binomial")
    made = parametric_bootstrap(
        fit, draws=3, seed=1, statistic=lambda f: {"odds": np.exp(f.params["x"]), "rows": f.rows is None}
    )
    assert made.draws.columns.tolist() == ["odds", "rows"]
    assert made.estimates["odds"] == pytest.approx(np.exp(fit.params["x"]))
    assert (made.draws["rows"] == 1).all()


def test_simulated_outcomes_have_the_moments_of_the_model(data):
    """Gaussian: variance of rows, covariance within groups, and none between, over many draws."""
    fit = fit_mixed("y ~ x + (1 + x | g)", data)
    rng = np.random.default_rng(0)
    drawn = np.array([simulate_outcomes(fit, data, rng).to_numpy() for _ in range(3000)])
    sigma = fit.statistics["sigma"]
    factor = sigma * fit.structure[0].relative_factor()
    Z = np.column_stack([np.ones(len(data)), data["x"]])
    same = data["g"].to_numpy()[:, None] == data["g"].to_numpy()
    V = sigma**2 * np.eye(len(data)) + same * (Z @ factor @ factor.T @ Z.T)
    found = np.cov(drawn.T)
    spread = np.sqrt((V**2 + np.outer(np.diag(V), np.diag(V))) / 3000)
    z = (found - V) / spread
    assert abs(np.mean(z[np.triu_indices(300)] ** 2) - 1) < 0.1
    mean = drawn.mean(axis=0) - fit.predict(data, random=False).to_numpy()
    assert np.abs(mean / np.sqrt(np.diag(V) / 3000)).max() < 4.5


def test_simulated_shares_counts_and_levels_have_the_means_of_the_model(data):
    rng = np.random.default_rng(0)
    nodes, weights = np.polynomial.hermite_e.hermegauss(40)
    weights = weights / weights.sum()

    def check(drawn, means):
        error = drawn.std(axis=0).mean() / np.sqrt(drawn.size)
        assert abs(drawn.mean() - means.mean()) < 6 * error + 0.02 * means.mean()

    share = data.assign(share=np.random.default_rng(4).binomial(data["m"], 0.4) / data["m"])
    fit = fit_mixed("share ~ x + (1 | g)", share, family="binomial", weights="m")
    drawn = np.array([simulate_outcomes(fit, share, rng) for _ in range(200)])
    assert np.allclose(drawn * share["m"].to_numpy(), np.round(drawn * share["m"].to_numpy()))
    eta = np.column_stack([np.ones(300), data["x"]]) @ fit.params.to_numpy()
    sd = fit.variance_components["sd"].iloc[0]
    check(drawn, special.expit(eta[:, None] + sd * nodes) @ weights)

    fit = fit_mixed("c ~ x + (1 | g)", data, family="poisson")
    eta = np.column_stack([np.ones(300), data["x"]]) @ fit.params.to_numpy()
    drawn = np.array([simulate_outcomes(fit, data, rng) for _ in range(400)])
    check(drawn, np.exp(eta + fit.variance_components["variance"].iloc[0] / 2))

    fit = fit_mixed("o ~ x + (1 | g)", data, family="ordinal")
    sd = fit.variance_components["sd"].iloc[0]
    drawn = pd.concat([simulate_outcomes(fit, data, rng) for _ in range(200)])
    assert drawn.index[:3].tolist() == [1000, 1001, 1002]
    at = fit.params["x"] * data["x"].to_numpy()[:, None] + sd * nodes
    for k, level in enumerate(["0", "1", "2"]):
        expected = (special.expit(fit.params.iloc[k] - at) @ weights).mean()
        assert (drawn <= level).mean() == pytest.approx(expected, abs=0.015)


def test_failures_are_counted(data):
    """A level that is rare is missing from some draws: its threshold has no estimate there."""
    rare = data.assign(o=np.where(np.arange(300) < 2, 3, data["o"].clip(upper=2)))
    fit = fit_mixed("o ~ x + (1 | g)", rare, family="ordinal")
    made = parametric_bootstrap(fit, draws=30, seed=2)
    failed = sum(made.failures.values())
    assert 0 < failed < 15
    assert len(made.draws) == 30 - failed
    assert (made.intervals()["failed"] == failed).all()


def _breaks(fit):
    raise EstimationError("no such statistic")


def test_all_draws_failed(data):
    fit = fit_mixed("y ~ x + (1 | g)", data)
    with pytest.raises(EstimationError, match="no such statistic"):
        parametric_bootstrap(fit, draws=2, seed=1, statistic=_breaks)


def test_bootstrap_test(data):
    small, large = fit_mixed("y ~ x + (1 | g)", data), fit_mixed("y ~ x + (1 + x | g)", data)
    made = bootstrap_compare(small, large, data, draws=30, seed=3)
    row = made.table.iloc[0]
    assert row["statistic"] == pytest.approx(2 * (large.loglik - small.loglik))
    assert row["p_value"] == (1 + (made.null >= row["statistic"] - 1e-8).sum()) / (row["draws"] + 1)
    assert (made.null >= 0).all()
    with LocalCompute(2) as compute:
        again = bootstrap_compare(small, large, data, draws=30, seed=3, compute=compute)
    pd.testing.assert_series_equal(again.null, made.null, check_exact=True)


def test_refusals(data):
    fit = fit_mixed("y ~ x + (1 | g)", data)
    with pytest.raises(SpecError, match=r"draws is a whole number.*seed is needed"):
        parametric_bootstrap(fit, draws=0, seed=None)
    halves = data.assign(w=0.5)
    frequency = fit_mixed("c ~ x + (1 | g)", halves, family="poisson", weights="w")
    with pytest.raises(SpecError, match="count several times"):
        parametric_bootstrap(frequency, draws=2, seed=1)
    trials = fit_mixed("b ~ x + (1 | g)", data, family="binomial")
    assert set(simulate_outcomes(trials, None, np.random.default_rng(1)).unique()) == {0.0, 1.0}
    from jobchance import Fit

    with pytest.raises(SpecError, match="needs the rows"):
        parametric_bootstrap(Fit.from_dict(fit.to_dict()), draws=2, seed=1)
