"""Profile intervals: against lme4's, against the likelihood itself, at the boundary, and what is refused."""

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats

from jobchance import LocalCompute, fit_mixed, fit_panel, profile_intervals
from jobchance.errors import SpecError

QUANTILE = stats.chi2.ppf(0.95, 1)


def _slopes(seed=4, groups=30, per=10):
    rng = np.random.default_rng(seed)
    g = np.repeat(np.arange(groups), per)
    x = rng.normal(size=len(g))
    b = rng.multivariate_normal([0, 0], [[1.0, 0.4], [0.4, 0.5]], size=groups)
    eta = 0.5 * x + b[g, 0] + b[g, 1] * x
    return pd.DataFrame(
        {
            "g": g,
            "x": x,
            "y": 2 + eta + rng.normal(size=len(g)),
            "o": np.digitize(eta + rng.logistic(size=len(g)), [-1.0, 0.5, 1.5]),
            "c": rng.poisson(np.exp(eta - 0.5)),
        }
    )


def _dense_deviance(data, values):
    """-2 log-likelihood of y ~ x + (1 + x | g): values are beta, sds, correlation, sigma."""
    a, b, s0, s1, r, sigma = values
    covariance = np.array([[s0**2, r * s0 * s1], [r * s0 * s1, s1**2]])
    total = 0.0
    for _, part in data.groupby("g"):
        z = np.column_stack([np.ones(len(part)), part["x"]])
        V = z @ covariance @ z.T + sigma**2 * np.eye(len(part))
        rest = part["y"].to_numpy() - z @ [a, b]
        total += np.linalg.slogdet(2 * np.pi * V)[1] + rest @ np.linalg.solve(V, rest)
    return total


NAMES = ["(Intercept)", "x", "sd[g.(Intercept)]", "sd[g.x]", "cor[g.(Intercept).x]", "sigma"]


@pytest.mark.parametrize("name", NAMES)
def test_limits_are_where_the_dense_profile_has_risen_by_the_quantile(name):
    data = _slopes(groups=15, per=8)
    fit = fit_mixed("y ~ x + (1 + x | g)", data, method="ml")
    table = profile_intervals(fit, parameters=[name]).iloc[0]
    full = profile_intervals(fit).set_index("parameter")["estimate"][NAMES].to_numpy()
    held = NAMES.index(name)
    others = [i for i in range(6) if i != held]

    def profile(v):
        def value(rest):
            values = np.empty(6)
            values[held], values[others] = v, rest
            if min(values[2], values[3], values[5]) < 1e-6 or abs(values[4]) > 1 - 1e-9:
                return 1e10
            return _dense_deviance(data, values)

        options = {"xatol": 1e-8, "fatol": 1e-9, "maxiter": 8000, "maxfev": 8000, "adaptive": True}
        return optimize.minimize(value, full[others], method="Nelder-Mead", options=options).fun

    assert fit.criterion == pytest.approx(_dense_deviance(data, full), abs=1e-8)
    for side in ("conf_low", "conf_high"):
        assert profile(table[side]) - fit.criterion == pytest.approx(QUANTILE, abs=2e-5)


@pytest.mark.parametrize(
    ("family", "options"),
    [("poisson", {}), ("poisson", {"n_quad": 5}), ("ordinal", {}), ("ordinal", {"link": "probit"})],
)
def test_limits_agree_with_fits_that_hold_a_coefficient_by_an_offset(family, options):
    data = _slopes(groups=25, per=8)
    outcome = "c" if family == "poisson" else "o"
    fit = fit_mixed(f"{outcome} ~ x + (1 | g)", data, family=family, **options)
    row = profile_intervals(fit, parameters=["x"]).iloc[0]
    for side in ("conf_low", "conf_high"):
        held = data.assign(shift=row[side] * data["x"])
        other = fit_mixed(f"{outcome} ~ 1 + (1 | g)", held, family=family, offset="shift", **options)
        assert 2 * (fit.loglik - other.loglik) == pytest.approx(QUANTILE, abs=1e-4)


def test_structured_thresholds_are_profiled():
    data = _slopes()
    fit = fit_mixed("o ~ x + (1 | g)", data, family="ordinal", thresholds="equidistant")
    table = profile_intervals(fit).set_index("parameter")
    assert table.index[:4].tolist() == list(fit.terms)
    wald = fit.conf_int()
    np.testing.assert_allclose(table.loc[list(fit.terms), "conf_low"], wald["conf_low"], atol=0.1)
    np.testing.assert_allclose(table.loc[list(fit.terms), "conf_high"], wald["conf_high"], atol=0.1)


def test_zero_variance_has_lower_limit_zero_and_a_positive_upper_one():
    rng = np.random.default_rng(2)
    data = pd.DataFrame({"g": np.repeat(np.arange(12), 6), "y": rng.normal(size=72)})
    data["y"] -= data.groupby("g")["y"].transform("mean")
    fit = fit_mixed("y ~ 1 + (1 | g)", data)
    assert fit.is_singular
    row = profile_intervals(fit, parameters=["sd[g.(Intercept)]"]).iloc[0]
    assert row["conf_low"] == 0 == row["estimate"]
    assert 0.05 < row["conf_high"] < 0.5
    assert "lower" in row["remark"]


def test_zero_inside_the_interval_although_the_estimate_is_positive():
    rng = np.random.default_rng(5)
    g = np.repeat(np.arange(15), 8)
    data = pd.DataFrame({"g": g, "y": rng.normal(size=120) + 0.25 * rng.normal(size=15)[g]})
    fit = fit_mixed("y ~ 1 + (1 | g)", data)
    row = profile_intervals(fit, parameters=["sd[g.(Intercept)]"]).iloc[0]
    assert row["estimate"] > 0
    assert row["conf_low"] == 0


def test_correlations_beyond_the_first_effect_say_that_they_are_not_profiled():
    data = _slopes(groups=60, per=12)
    data["z"] = np.random.default_rng(1).normal(size=len(data))
    data["y"] += data["z"] * np.random.default_rng(2).normal(size=60)[data["g"]]
    fit = fit_mixed("y ~ x + (1 + x + z | g)", data, method="ml")
    table = profile_intervals(fit, parameters=["cor[g.(Intercept).z]", "cor[g.x.z]", "sd[g.z]"]).set_index(
        "parameter"
    )
    assert np.isnan(table.loc["cor[g.x.z]", "conf_low"])
    assert "not profiled" in table.loc["cor[g.x.z]", "remark"]
    for name in ("cor[g.(Intercept).z]", "sd[g.z]"):
        assert table.loc[name, "conf_low"] < table.loc[name, "estimate"] < table.loc[name, "conf_high"]
    assert table.loc["cor[g.(Intercept).z]", "conf_low"] > -1


def test_reml_fits_are_profiled_by_maximum_likelihood():
    data = _slopes()
    a = profile_intervals(fit_mixed("y ~ x + (1 | g)", data))
    b = profile_intervals(fit_mixed("y ~ x + (1 | g)", data, method="ml"))
    pd.testing.assert_frame_equal(a, b, rtol=1e-5)


def test_same_numbers_in_other_processes():
    data = _slopes()
    fit = fit_mixed("y ~ x + (1 | g)", data)
    with LocalCompute(2) as compute:
        pd.testing.assert_frame_equal(
            profile_intervals(fit, compute=compute), profile_intervals(fit), check_exact=True
        )


def test_refusals():
    data = _slopes()
    fit = fit_mixed("y ~ x + (1 | g)", data)
    with pytest.raises(SpecError, match="level"):
        profile_intervals(fit, level=95)
    with pytest.raises(SpecError, match="beta"):
        profile_intervals(fit, parameters=["beta"])
    with pytest.raises(SpecError, match="200 usable rows, against 300"):
        profile_intervals(fit, data.iloc[:200])
    with pytest.raises(SpecError, match="other values of the outcome"):
        profile_intervals(fit, data.assign(y=data["y"] + 1))
    hybrid = fit_panel("y ~ x", data, entity="g", time=None, estimator="hybrid")
    with pytest.raises(SpecError, match="cannot rebuild the data of fit_panel"):
        profile_intervals(hybrid)
    with pytest.raises(SpecError, match="fit_mixed, not str"):
        profile_intervals("fit")
