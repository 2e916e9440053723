"""Cross-lagged models against lavaan: published moments, and simulated panels (sem/make_sem.R)."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from cases import Case

from jobchance.models.cross_lagged import fit_cross_lagged
from jobchance.models.cross_lagged_moments import Moments
from jobchance.results.vcov import Cluster, Robust

FOLDER = Path(__file__).parent / "sem"
LAVAAN = json.loads((FOLDER / "sem.json").read_text(encoding="utf-8"))
# lavaan's labels of what is the same over the waves.
LABELS = {"xx": "x~x", "xy": "x~y", "yx": "y~x", "yy": "y~y", "vx": "ex~~ex", "vy": "ey~~ey", "vxy": "ex~~ey"}
LABELS |= {"mx": "x~1", "my": "y~1"}
MEASURES = {
    "chisq": "chisq", "df": "df", "pvalue": "p", "cfi": "cfi", "tli": "tli", "rmsea": "rmsea",
    "rmsea.ci.lower": "rmsea_low", "rmsea.ci.upper": "rmsea_high", "srmr": "srmr",
    "unrestricted.logl": "loglik_saturated", "baseline.chisq": "chisq_baseline",
    "chisq.scaling.factor": "chisq_scale",
}  # fmt: skip
RUNS = {
    "riclpm_free": {},
    "riclpm_equal": {"lags": "equal"},
    "riclpm_all_equal": {"lags": "equal", "means": "equal", "residuals": "equal"},
    "riclpm_robust": {"vcov": Robust("HC0")},
    "clpm_free": {"random_intercepts": False},
    "clpm_equal": {"random_intercepts": False, "lags": "equal"},
    "riclpm_listwise": {"lags": "equal", "missing": "listwise", "data": "missing"},
    "riclpm_fiml_free": {"data": "missing"},
    "riclpm_fiml_equal": {"data": "missing", "lags": "equal"},
    "riclpm_fiml_robust": {"data": "missing", "vcov": Robust("HC0")},
    "riclpm_fiml_equal_robust": {"data": "missing", "lags": "equal", "vcov": Robust("HC0")},
    "clpm_fiml_free": {"data": "missing", "random_intercepts": False},
}
# lavaan's search ends up to 2e-5 standard errors from the optimum, as the next line's test shows; ours 1e-7.
STOPS = 3e-5


def waves(letter, n):
    return [f"{letter}{t}" for t in range(1, n + 1)]


def panel(name):
    return pd.read_csv(FOLDER / f"panel_{name}.csv")


def fitted(run):
    options = dict(RUNS[run])
    return fit_cross_lagged(
        panel(options.pop("data", "complete")), x=waves("x", 4), y=waves("y", 4), **options
    )


def named(values, fit):
    """lavaan's numbers by our terms; without random intercepts its `x2~1` is an intercept, ours a mean."""
    series = pd.Series(values).rename(LABELS)
    assert set(series.index) == set(fit.terms)
    return series if fit.spec["random_intercepts"] else series[~series.index.str.endswith("~1")]


@pytest.mark.parametrize("run", list(RUNS))
def test_as_lavaan(run):
    fit, theirs = fitted(run), LAVAAN[run]
    estimate, error = named(theirs["estimate"], fit), named(theirs["se"], fit)
    assert fit.statistics["distance"] < 1e-7
    assert np.abs((fit.params[estimate.index] - estimate) / error).max() < STOPS
    assert np.abs(fit.std_errors[error.index] / error - 1).max() < 1e-5
    for name, value in theirs["measures"].items():
        ours = fit.loglik if name == "logl" else fit.statistics[MEASURES[name]]
        np.testing.assert_allclose(ours, value, rtol=1e-6, atol=1e-7, err_msg=name)


@pytest.mark.parametrize("run", list(RUNS))
def test_lavaan_is_never_higher(run):
    assert fitted(run).loglik >= LAVAAN[run]["measures"]["logl"] - 1e-8


@pytest.mark.parametrize("run", list(RUNS))
def test_standardised_as_lavaan(run):
    frame = fitted(run).diagnostics["standardised"].set_index("term")
    theirs, error = (pd.Series(LAVAAN[run][k]) for k in ("standardised", "standardised_se"))
    assert set(theirs.index) == set(frame.index[frame["kind"] != "mean lag"])
    ours = frame.loc[theirs.index]
    assert np.abs((ours["estimate"] - theirs) / error).max() < STOPS
    assert np.abs(ours["std_error"] / error - 1).max() < 1e-5


def test_scaled_difference_as_lavaan():
    table = fitted("riclpm_fiml_robust").diagnostics["comparisons"].set_index("comparison")
    assert table.loc["equal_lags", "df"] == LAVAAN["scaled_difference"]["df"]
    np.testing.assert_allclose(
        table.loc["equal_lags", "scaled_statistic"], LAVAAN["scaled_difference"]["statistic"], rtol=1e-5
    )


def test_ratios_are_those_of_the_fits():
    small, large, plain = (fitted(r) for r in ("riclpm_fiml_equal", "riclpm_fiml_free", "clpm_fiml_free"))
    table = large.diagnostics["comparisons"].set_index("comparison")["statistic"]
    assert table["equal_lags"] == pytest.approx(2 * (large.loglik - small.loglik), abs=1e-8)
    assert table["no_random_intercepts"] == pytest.approx(2 * (large.loglik - plain.loglik), abs=1e-8)
    seen_from_small = small.diagnostics["comparisons"].set_index("comparison")["statistic"]
    assert seen_from_small["equal_lags"] == pytest.approx(table["equal_lags"], abs=1e-8)


def test_clusters_of_one_are_robust():
    data = panel("missing")
    data["case"] = np.arange(len(data))
    options = {"x": waves("x", 4), "y": waves("y", 4), "lags": "equal"}
    robust = fit_cross_lagged(data, vcov=Robust("HC0"), **options)
    clustered = robust.with_vcov(Cluster("case"))
    n, k = len(data), len(robust.terms)
    factor = n / (n - 1) * (n - 1) / (n - k)
    np.testing.assert_allclose(clustered.covariance, factor * robust.covariance, rtol=1e-10)


def test_clusters_as_lavaan():
    data = panel("complete")
    data["site"] = np.arange(len(data)) % 25
    fit = fit_cross_lagged(
        data, x=waves("x", 2), y=waves("y", 2), random_intercepts=False, vcov=Cluster("site")
    )
    n, k = len(data), len(fit.terms)
    theirs = pd.Series(LAVAAN["clustered"])
    assert len(theirs) == 10
    # lavaan has the factor G/(G-1) alone; ours (n-1)/(n-k) too, as everywhere in this package.
    ours = fit.std_errors[theirs.index] / np.sqrt((n - 1) / (n - k))
    np.testing.assert_allclose(ours, theirs, rtol=2e-5)


@pytest.fixture(scope="module")
def published():
    case = Case("riclpm")
    covariance, means = case.data
    moments = Moments(covariance.iloc[:, 1:], means, 1189)
    return case, moments


def test_published_moments(published):
    case, moments = published
    x, y = waves("x", 5), waves("y", 5)
    ri = fit_cross_lagged(moments, x=x, y=y)
    plain = fit_cross_lagged(moments, x=x, y=y, random_intercepts=False)
    standardised = ri.diagnostics["standardised"].set_index("term")["estimate"]
    own = {"loglik": ri.loglik, "cor_RI": standardised["RIx~~RIy"]}
    own |= {"var_RIx": ri.params["RIx~~RIx"], "var_RIy": ri.params["RIy~~RIy"]}
    checked = 0
    for quantity in case.entry["quantities"]:
        model, _, name = quantity.partition(".")
        fit = ri if model == "RI-CLPM" else plain
        value = own.get(name, fit.statistics.get(name, fit.params.get(name)))
        case.check(quantity, value)
        checked += 1
    assert checked == 24


def test_divisor(published):
    _, moments = published
    other = Moments(moments.covariance * 1189 / 1188, moments.means, 1189, divisor="n-1")
    options = {"x": waves("x", 5), "y": waves("y", 5), "lags": "equal"}
    one, two = (fit_cross_lagged(m, **options) for m in (moments, other))
    np.testing.assert_allclose(one.estimates, two.estimates, atol=1e-9)
