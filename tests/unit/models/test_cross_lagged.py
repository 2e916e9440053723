"""Cross-lagged models: forms of data, windows, names, improper solutions, refusals, what is stored."""

from functools import partial

import numpy as np
import pandas as pd
import pytest

from jobchance.errors import DesignError, EstimationError, FormulaError, SpecError
from jobchance.models import cross_lagged_estimate
from jobchance.models.cross_lagged import fit_cross_lagged
from jobchance.models.cross_lagged_moments import Moments
from jobchance.models.cross_lagged_window import usable_waves
from jobchance.results.fit import Fit
from jobchance.results.vcov import Cluster, Robust


def draw(seed=0, *, n=200, T=4):
    """Wide panel with stable levels, x before y."""
    rng = np.random.default_rng(seed)
    level = rng.multivariate_normal([0, 0], [[1, 0.5], [0.5, 1]], size=n)
    x, y = [rng.normal(size=n)], [rng.normal(size=n)]
    for _ in range(T - 1):
        x, y = (
            [*x, 0.3 * x[-1] + rng.normal(size=n)],
            [*y, 0.4 * x[-1] + 0.2 * y[-1] + rng.normal(size=n)],
        )
    made = {f"x{t + 1}": x[t] + level[:, 0] for t in range(T)}
    return pd.DataFrame(made | {f"y{t + 1}": y[t] + level[:, 1] for t in range(T)})


def to_long(wide):
    """One row per entity and wave, shuffled."""
    made = wide.reset_index(names="i").melt("i")
    made["t"], made["v"] = made["variable"].str[1:].astype(int), made["variable"].str[0]
    rows = made.pivot_table(index=["i", "t"], columns="v", values="value").reset_index()
    return rows.sample(frac=1, random_state=1).reset_index(drop=True)


def names(letter, T=4):
    return [f"{letter}{t + 1}" for t in range(T)]


def fit_wide(data, T=4, **options):
    return fit_cross_lagged(data, x=names("x", T), y=names("y", T), **options)


def fit_long(data, **options):
    return fit_cross_lagged(data, x="x", y="y", entity="i", time="t", **options)


def same(one, other, tolerance=1e-6):
    np.testing.assert_allclose(one.estimates, other.estimates, atol=tolerance)
    np.testing.assert_allclose(one.covariance, other.covariance, atol=tolerance)


def test_long_wide_and_moments_agree():
    data = draw()
    wide, long = fit_wide(data), fit_long(to_long(data))
    moments = Moments(data.cov(), data.mean(), len(data), divisor="n-1")
    summary = fit_wide(moments)
    assert wide.terms == long.terms == summary.terms
    same(wide, long)
    same(wide, summary)
    assert wide.loglik == pytest.approx(summary.loglik, abs=1e-8)
    assert summary.rows is None


def test_full_information_is_listwise_without_holes():
    data = draw()
    same(fit_wide(data), fit_wide(data, missing="listwise"))


def test_rows_of_other_scale_give_the_same_model():
    data = draw()
    scaled = data.copy()
    scaled[names("x")] = 1000 * scaled[names("x")] + 5e4
    one, other = fit_wide(data), fit_wide(scaled)
    assert one.statistics["chisq"] == pytest.approx(other.statistics["chisq"], abs=1e-6)
    assert other.params["wy2~wx1"] * 1000 == pytest.approx(one.params["wy2~wx1"], abs=1e-7)
    frames = [fit.diagnostics["standardised"].set_index("term") for fit in (one, other)]
    np.testing.assert_allclose(frames[0]["estimate"], frames[1]["estimate"], atol=1e-6)


def test_x_and_y_may_change_places():
    data = draw()
    one = fit_wide(data)
    other = fit_cross_lagged(data, x=names("y"), y=names("x"))
    assert one.loglik == pytest.approx(other.loglik, abs=1e-9)
    assert one.statistics["cross_lag_difference"] == pytest.approx(
        -other.statistics["cross_lag_difference"], abs=1e-8
    )
    assert one.statistics["cross_lag_wald"] == pytest.approx(other.statistics["cross_lag_wald"], abs=1e-6)


def test_terms():
    data = draw()
    assert fit_wide(data).terms[:4] == ("wx2~wx1", "wx2~wy1", "wy2~wx1", "wy2~wy1")
    assert fit_wide(data, random_intercepts=False).terms[2] == "y2~x1"
    everything = fit_wide(data, lags="equal", means="equal", residuals="equal")
    assert everything.terms == (
        *("x~x", "x~y", "y~x", "y~y", "RIx~~RIx", "RIy~~RIy", "RIx~~RIy"),
        *("wx1~~wx1", "wy1~~wy1", "wx1~~wy1", "ex~~ex", "ey~~ey", "ex~~ey", "x~1", "y~1"),
    )
    renamed = data.set_axis(list("abcdefgh"), axis=1)
    other = fit_cross_lagged(renamed, x=list("abcd"), y=list("efgh"), lags="equal")
    assert other.terms[:4] == ("x~x", "x~y", "y~x", "y~y")


def test_degrees_of_freedom():
    data = draw()
    # 8 * 11 / 2 = 44 moments; 12 lags, 3 levels, 12 residual moments, 8 means.
    assert fit_wide(data).statistics["df"] == 44 - 35
    assert fit_wide(data, lags="equal").statistics["df"] == 44 - 27
    assert fit_wide(data, random_intercepts=False).statistics["df"] == 44 - 32
    two = fit_cross_lagged(data, x=names("x", 2), y=names("y", 2), random_intercepts=False)
    assert two.statistics["df"] == 0
    assert two.statistics["chisq"] == pytest.approx(0, abs=1e-8)
    assert any("cannot be tested" in note for note in two.notes)


def test_two_waves_without_intercepts_are_two_regressions():
    data = draw()
    fit = fit_cross_lagged(data, x=names("x", 2), y=names("y", 2), random_intercepts=False)
    X = np.column_stack([np.ones(len(data)), data["x1"], data["y1"]])
    slopes = np.linalg.lstsq(X, data["y2"].to_numpy(), rcond=None)[0]
    np.testing.assert_allclose(fit.params[["y2~x1", "y2~y1"]], slopes[1:], atol=1e-9)
    forecast = fit.augment()
    np.testing.assert_allclose(forecast["fitted"], X @ slopes, atol=1e-8)
    assert (forecast["outcome"] == data["y2"]).all()


def test_mean_of_standardised_lags():
    frame = fit_wide(draw()).diagnostics["standardised"]
    lags = frame[frame["kind"] == "lag"].groupby("direction")["estimate"].mean()
    means = frame[frame["kind"] == "mean lag"].set_index("direction")["estimate"]
    np.testing.assert_allclose(means, lags[means.index])


def test_standard_errors_of_another_kind():
    data = draw().assign(site=np.arange(200) % 20)
    fit = fit_wide(data, vcov=Cluster("site"))
    assert dict(fit.inference.clusters) == {"site": 20}
    robust = fit.with_vcov(Robust())
    same(robust, fit_wide(data, vcov=Robust()))
    same(fit.with_vcov("model"), fit_wide(data))


def test_clusters_of_long_data():
    long = to_long(draw())
    long["site"] = long["i"] % 20
    fit = fit_long(long, vcov=Cluster("site"))
    assert dict(fit.inference.clusters) == {"site": 20}
    same(fit, fit_wide(draw().assign(site=np.arange(200) % 20), vcov=Cluster("site")))
    by_entity = fit_long(long, vcov=Cluster("i"))
    assert dict(by_entity.inference.clusters) == {"i": 200}
    long["site"] = long["t"]
    with pytest.raises(DesignError, match="site varies within i"):
        fit_long(long, vcov=Cluster("site"))


def test_entities_without_a_cluster_are_counted():
    data = draw().assign(site=(np.arange(200) % 20).astype(float))
    data.loc[:4, "site"] = np.nan
    fit = fit_wide(data, vcov=Cluster("site"))
    assert fit.nobs == 195
    assert fit.sample.dropped["entities without a cluster"] == 5


def test_window():
    long = to_long(draw(T=7))
    assert usable_waves(long, x="x", y="y", entity="i", time="t") == [1, 2, 3, 4, 5]
    assert fit_long(long).sample.dropped["t outside the window"] == 400
    assert len(fit_long(long, waves=[1, 2, 3]).spec["x"]) == 3
    sparse = long[(long["t"] < 5) | (long["i"] < 10)]
    assert usable_waves(sparse, x="x", y="y", entity="i", time="t") == [1, 2, 3, 4]
    late = long[(long["t"] > 1) | (long["i"] < 10)]
    assert usable_waves(late, x="x", y="y", entity="i", time="t") == [2, 3, 4, 5, 6]
    uneven = fit_long(long, waves=[1, 2, 4])
    assert any("unequal steps" in note for note in uneven.notes)
    with pytest.raises(DesignError, match="2 of 2 waves"):
        fit_long(long[long["t"] < 3])
    with pytest.raises(DesignError, match="at least 3 different"):
        fit_long(long, waves=[1, 2, 99])


@pytest.mark.parametrize("kind", ["date", "text", "category", "Int64"])
def test_waves_of_any_kind(kind):
    long = to_long(draw())
    plain = fit_long(long)
    days = pd.Timestamp("2024-01-01") + pd.to_timedelta(91 * long["t"], unit="D")
    forms = {"date": days, "text": "w" + long["t"].astype(str)}
    other = fit_long(long.assign(t=forms[kind] if kind in forms else long["t"].astype(kind)))
    same(plain, other)
    first = {"date": "wx2024-07-01~wx2024-04-01", "text": "wxw2~wxw1"}.get(kind, "wx2~wx1")
    assert other.terms[0] == first


def test_holes():
    data = draw(n=400)
    rng = np.random.default_rng(3)
    data = data.mask(rng.random(data.shape) < 0.1)
    data.loc[0] = np.nan
    fit = fit_wide(data)
    assert fit.nobs == 399
    assert fit.sample.dropped["entities without any value"] == 1
    listwise = fit_wide(data, missing="listwise")
    assert listwise.nobs == int(data.notna().all(axis=1).sum())
    assert np.mean(fit.std_errors < listwise.std_errors) > 0.9


def test_improper_solutions_are_said():
    """Levels that pull apart over time: the variance of a random intercept falls below zero."""
    rng = np.random.default_rng(0)
    x = [rng.normal(size=300)]
    for _ in range(4):
        x.append(-0.6 * x[-1] + rng.normal(size=300))
    made = {f"x{t + 1}": x[t] - 0.5 * np.mean(x, axis=0) * len(x) / 2 for t in range(5)}
    y = rng.normal(size=(300, 5)) + 2 * rng.normal(size=(300, 1))
    data = pd.DataFrame(made | {f"y{t + 1}": y[:, t] for t in range(5)})
    fit = fit_wide(data, 5, lags="equal")
    assert fit.is_singular
    assert any("random intercepts" in note and "not positive definite" in note for note in fit.notes)
    assert fit.params["RIx~~RIx"] < 0
    correlations = fit.diagnostics["standardised"].set_index("term")["estimate"]
    assert np.isnan(correlations["RIx~~RIy"])
    assert np.isfinite(correlations["y~x (mean)"])
    assert np.isfinite(fit.statistics["cross_lag_difference_se"])


def test_two_values_are_said():
    data = draw()
    data[names("y")] = (data[names("y")] > 0).astype(int)
    fit = fit_wide(data)
    assert any("y: two values" in note for note in fit.notes)


def test_stored_and_read():
    fit = fit_wide(draw())
    again = Fit.from_dict(fit.to_dict())
    same(fit, again, 0)
    pd.testing.assert_frame_equal(fit.diagnostics["standardised"], again.diagnostics["standardised"])
    assert again.summary() == fit.summary()
    assert "RI-CLPM" in fit.summary()


def test_information_criteria_count_every_parameter():
    fit = fit_wide(draw())
    assert fit.glance()["aic"].item() == pytest.approx(-2 * fit.loglik + 2 * len(fit.terms))


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"lags": "same"}, SpecError, "lags"),
        ({"means": "none"}, SpecError, "means"),
        ({"residuals": "none"}, SpecError, "residuals"),
        ({"missing": "mean"}, SpecError, "missing"),
        ({"vcov": "cluster"}, SpecError, "vcov"),
        ({"waves": [1, 2, 3]}, SpecError, "long data"),
        ({"vcov": Cluster("site")}, FormulaError, "site"),
        ({"y": names("y", 3)}, SpecError, "4 waves and y has 3"),
        ({"x": ["x1", "x1", "x2", "x3"]}, SpecError, "twice"),
        ({"x": names("x", 2), "y": names("y", 2)}, SpecError, "the model needs 3"),
        ({"x": [*names("x", 3), "z9"]}, FormulaError, "z9"),
        ({"x": "x1"}, SpecError, "both"),
    ],
)
def test_refusals(options, error, text):
    with pytest.raises(error, match=text):
        fit_cross_lagged(draw(), **({"x": names("x"), "y": names("y")} | options))


def test_refusals_of_values():
    data = draw()
    with pytest.raises(DesignError, match="Not numbers: x2"):
        fit_wide(data.assign(x2="a"))
    with pytest.raises(DesignError, match="No variation: y3"):
        fit_wide(data.assign(y3=1.0))
    with pytest.raises(DesignError, match="Infinite values in x1"):
        fit_wide(data.assign(x1=np.inf))
    apart = data.copy()
    apart.loc[:99, "x1"] = np.nan
    apart.loc[100:, "x2"] = np.nan
    with pytest.raises(DesignError, match="1 pairs"):
        fit_wide(apart)
    with pytest.raises(DesignError, match="cannot carry 8 variables"):
        fit_wide(data.head(8))
    long = to_long(data)
    with pytest.raises(DesignError, match="share i and t"):
        fit_long(pd.concat([long, long.head(3)]))
    with pytest.raises(SpecError, match="two variables"):
        fit_cross_lagged(long, x="x", y="x", entity="i", time="t")


def test_variables_that_determine_each_other():
    data = draw()
    with pytest.raises(DesignError, match="sum of others"):
        fit_wide(data.assign(y2=data["x2"]))
    with pytest.raises(DesignError, match="sum of others"):
        fit_wide(data.assign(y2=data["x2"] + data["x1"], y4=data["y4"].where(data.index > 9)))


def test_no_optimum_is_an_error(monkeypatch):
    short = partial(cross_lagged_estimate.maximise, max_steps=1)
    monkeypatch.setattr(cross_lagged_estimate, "maximise", short)
    with pytest.raises(EstimationError, match="none of 3 starts"):
        fit_wide(draw())


def test_noise_has_an_optimum_or_says_so():
    """Nothing tells levels from lags in three short waves of noise: what comes out is proved, or refused."""
    rng = np.random.default_rng(1)
    fits = []
    for _ in range(20):
        data = pd.DataFrame(rng.normal(size=(40, 6)), columns=[*names("x", 3), *names("y", 3)])
        fits.append(fit_wide(data, 3))
    assert all(fit.statistics["distance"] < 1e-7 for fit in fits)
    assert all(np.isfinite(fit.std_errors).all() for fit in fits)
    assert sum(fit.is_singular for fit in fits) > 5
    assert all(any("Improper" in note for note in fit.notes) == fit.is_singular for fit in fits)


def test_moments_refuse():
    data = draw()
    with pytest.raises(SpecError, match="no mean of x2") as caught:
        Moments(-data.cov(), data.mean().drop("x2"), 5)
    assert "positive definite" in str(caught.value)
    assert "n=5" in str(caught.value)
    with pytest.raises(SpecError, match="divisor"):
        Moments(data.cov(), data.mean(), 200, divisor="n+1")
    with pytest.raises(SpecError, match="not symmetric"):
        Moments(data.cov() + np.triu(np.ones((8, 8)), 1), data.mean(), 200)
    moments = Moments(data.cov(), data.mean(), 200)
    with pytest.raises(SpecError, match="no rows"):
        fit_wide(moments, vcov=Robust())
    with pytest.raises(SpecError, match="wide"):
        fit_cross_lagged(moments, x="x", y="y")
    with pytest.raises(SpecError, match="rows behind"):
        fit_wide(moments).with_vcov(Robust())
