from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import special, stats

from jobchance import Cluster, Fit, comparisons, fit_mixed, predictions
from jobchance.errors import SpecError
from jobchance.results.variance import theta_places

N = 1_500


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(6)
    frame = pd.DataFrame(
        {
            "g": rng.integers(0, 60, N),
            "h": rng.integers(0, 30, N),
            "x": rng.normal(size=N),
            "treated": rng.integers(0, 2, N),
            "weeks": rng.integers(1, 9, N).astype(float),
        }
    )
    level, slope, other = rng.normal(0, 1.2, 60), rng.normal(0, 0.8, 60), rng.normal(0, 0.7, 30)
    eta = -0.5 + 0.5 * frame["x"] + 0.8 * frame["treated"] + level[frame["g"]] + other[frame["h"]]
    eta += slope[frame["g"]] * frame["x"]
    frame["job"] = (rng.random(N) < special.expit(eta)).astype(int)
    frame["count"] = rng.poisson(frame["weeks"] * np.exp(0.3 * eta - 1))
    frame["answer"] = np.digitize(eta + rng.logistic(size=N), [-2, 0, 1.5]) + 1
    frame["y"] = eta + rng.normal(size=N)
    return frame


CASES = {
    "logit": ("job ~ x + treated + (1 + x | g) + (1 | h)", {"family": "binomial"}),
    "probit": ("job ~ x * treated + (1 | g)", {"family": "binomial", "link": "probit"}),
    "cloglog": ("job ~ x + treated + (1 | h) + (x || g)", {"family": "binomial", "link": "cloglog"}),
    "poisson": ("count ~ x + treated + offset(log(weeks)) + (x | g)", {"family": "poisson"}),
    "ordinal": ("answer ~ x + treated + (1 + x | g)", {"family": "ordinal"}),
    "symmetric": ("answer ~ x + treated + (1 | g)", {"family": "ordinal", "thresholds": "symmetric"}),
}


@pytest.fixture(scope="module")
def fits(data):
    return {name: fit_mixed(formula, data, **options) for name, (formula, options) in CASES.items()}


def _at(fit, values):
    """The fit with other values of everything in its joint covariance."""
    k = len(values) - len(fit.terms)
    structure = tuple(
        replace(term, theta=tuple(values[place]))
        for term, place in zip(fit.structure, theta_places(fit), strict=True)
    )
    return replace(fit, estimates=values[k:], structure=structure)


def _mean(fit, rows):
    """Population-averaged prediction, averaged over rows: an array with one number per level."""
    return np.atleast_1d(np.asarray(fit.predict(rows, random="integrated")).mean(axis=0))


def _by_differences(fit, quantity, step=1e-5):
    """Standard errors from numeric derivatives by all parameters."""
    at = fit.joint.estimates
    slopes = [
        (quantity(_at(fit, at + step * e)) - quantity(_at(fit, at - step * e))) / (2 * step)
        for e in np.eye(len(at))
    ]
    G = np.array(slopes).T
    return np.sqrt(np.diag(G @ fit.joint.covariance @ G.T))


@pytest.mark.parametrize("name", list(CASES))
def test_average_predictions_and_errors_by_brute_force(fits, data, name):
    fit, rows = fits[name], data.assign(treated=1)
    frame = predictions(fit, at={"treated": 1})
    np.testing.assert_allclose(frame["estimate"], _mean(fit, rows), rtol=1e-12)
    np.testing.assert_allclose(frame["std_error"], _by_differences(fit, lambda f: _mean(f, rows)), rtol=1e-6)
    assert set(frame["random_effects"]) == {"integrated"}
    assert (frame["N_rows"] == N).all()


@pytest.mark.parametrize("name", list(CASES))
@pytest.mark.parametrize("variable", ["x", "treated"])
def test_average_differences_and_errors_by_brute_force(fits, data, name, variable):
    fit = fits[name]
    low, high = (data, data.assign(x=data["x"] + 1)) if variable == "x" else (
        data.assign(treated=0),
        data.assign(treated=1),
    )  # fmt: skip
    frame = comparisons(fit, variable)
    np.testing.assert_allclose(frame["estimate"], _mean(fit, high) - _mean(fit, low), rtol=1e-9, atol=1e-14)
    np.testing.assert_allclose(
        frame["std_error"], _by_differences(fit, lambda f: _mean(f, high) - _mean(f, low)), rtol=1e-5
    )
    log_ratio = _by_differences(fit, lambda f: np.log(_mean(f, high) / _mean(f, low)))
    relative = frame["compared"] / frame["baseline"]
    reach = np.log((frame["relative_high"] + 1) / relative) / log_ratio  # t at some degrees of freedom
    assert (reach > 1.9599).all()
    assert (reach < stats.t.ppf(0.975, fit.df.min()) + 1e-4).all()


@pytest.mark.parametrize("name", ["logit", "ordinal"])
def test_delta_method_against_draws_of_all_parameters(fits, data, name):
    fit, rng = fits[name], np.random.default_rng(1)
    draws = rng.multivariate_normal(fit.joint.estimates, fit.joint.covariance, size=600)
    part = data.head(60)
    low, high = part.assign(treated=0), part.assign(treated=1)
    drawn = np.array([_mean(_at(fit, d), high) - _mean(_at(fit, d), low) for d in draws])
    frame = comparisons(fit, "treated", data=part)
    np.testing.assert_allclose(frame["std_error"], drawn.std(axis=0), rtol=0.1)


def test_integrating_is_what_a_population_shows(data, fits):
    """Simulated persons and caseworkers, not quadrature: the share with a job among very many new ones."""
    fit, rng = fits["logit"], np.random.default_rng(5)
    frame = fit.variance_components.set_index(["group", "term"])
    sd, r = frame.loc["g", "sd"].to_numpy(), frame.loc[("g", "x"), "correlation"]
    u = rng.normal(size=(3, 400_000))
    level, slope = sd[0] * u[0], sd[1] * (r * u[0] + np.sqrt(1 - r**2) * u[1])
    b = fit.params
    eta = b["(Intercept)"] + b["x"] * 1.5 + level + slope * 1.5 + frame.loc[("h", "(Intercept)"), "sd"] * u[2]
    row = predictions(fit, data=data.head(1), at={"x": 1.5, "treated": 0}).iloc[0]
    assert row["estimate"] == pytest.approx(special.expit(eta).mean(), abs=4 * 0.5 / np.sqrt(400_000))


def test_typical_level_is_available_and_named(fits, data):
    fit = fits["logit"]
    typical = comparisons(fit, "treated", random=False).iloc[0]
    average = comparisons(fit, "treated").iloc[0]
    expected = fit.predict(data.assign(treated=1), random=False) - fit.predict(
        data.assign(treated=0), random=False
    )
    assert typical["estimate"] == pytest.approx(expected.mean(), rel=1e-10)
    assert typical["random_effects"] == "at zero"
    assert abs(average["estimate"]) < abs(typical["estimate"])
    assert average["odds_ratio"] == pytest.approx(np.exp(fit.params["treated"]), rel=1e-12)
    assert typical["odds_ratio_high"] == pytest.approx(average["odds_ratio_high"], rel=1e-12)


def test_ordinal_levels_add_up(fits):
    fit = fits["ordinal"]
    levels = predictions(fit)
    assert levels["level"].tolist() == ["1", "2", "3", "4"]
    assert levels["estimate"].sum() == pytest.approx(1)
    score = predictions(fit, scale="outcome").iloc[0]
    assert score["estimate"] == pytest.approx((levels["estimate"] * [1, 2, 3, 4]).sum())
    changes = comparisons(fit, "x")
    assert list(changes.columns[:4]) == ["measure", "variable", "contrast", "level"]
    assert changes["estimate"].sum() == pytest.approx(0, abs=1e-14)
    np.testing.assert_allclose(changes["estimate_pp"], 100 * changes["estimate"])
    whole = comparisons(fit, "x", scale="outcome").iloc[0]
    assert whole["measure"] == "average difference in expected score"
    assert whole["estimate"] == pytest.approx((changes["estimate"] * [1, 2, 3, 4]).sum())
    error = _by_differences(
        fit,
        lambda f: (
            (_mean(f, fit.rows.frame.assign(x=lambda d: d["x"] + 1)) - _mean(f, fit.rows.frame))
            @ [[1], [2], [3], [4]]
        ),
    )
    assert whole["std_error"] == pytest.approx(error[0], rel=1e-5)
    odds = comparisons(fit, "x", scale="odds_ratio")
    assert len(odds) == 1
    assert odds["estimate"][0] == pytest.approx(np.exp(fit.params["x"]))


def test_groups_of_rows_and_an_exposure(fits, data):
    fit = fits["poisson"]
    by = predictions(fit, by="treated")
    for row in by.itertuples():
        mine = data[data["treated"] == row.treated]
        assert row.estimate == pytest.approx(_mean(fit, mine)[0])
        assert row.N_rows == len(mine)
    weeks = predictions(fit, at={"weeks": [1, 4]})["estimate"]
    assert weeks[1] == pytest.approx(4 * weeks[0])


def test_a_variable_that_only_varies_by_group_changes_the_population(data):
    fit = fit_mixed("job ~ treated + (1 + x | g)", data, family="binomial")
    near, far = predictions(fit, at={"x": [0, 3], "treated": 1})["estimate"]
    typical = special.expit(fit.params.sum())
    assert abs(far - 0.5) < abs(near - 0.5) < abs(typical - 0.5)


def test_degrees_of_freedom_are_weighted_by_shares_of_the_variance(data):
    fit = fit_mixed("y ~ x + treated + (1 + x | g) + (1 | h)", data)
    slope, step = comparisons(fit, "x").iloc[0], comparisons(fit, "treated").iloc[0]
    assert slope["df"] == pytest.approx(fit.df["x"])
    assert step["df"] == pytest.approx(fit.df["treated"])
    assert slope["conf_low"] == pytest.approx(fit.conf_int().loc["x", "conf_low"], rel=1e-9)
    level = predictions(fit)
    g = np.array([1.0, data["x"].mean(), data["treated"].mean()])
    share = np.abs(g * (fit.covariance @ g))
    assert level["df"][0] == pytest.approx(share.sum() / np.sum(share / fit.df.to_numpy()))
    assert "random_effects" not in level
    pd.testing.assert_frame_equal(level, predictions(fit, random=False))


def test_singular_fits_hold_the_boundary_fixed_and_say_so(data):
    rng = np.random.default_rng(3)
    noise = data.assign(job=rng.integers(0, 2, N), few=rng.integers(0, 5, N))
    fit = fit_mixed("job ~ treated + (1 | few)", noise, family="binomial")
    assert fit.is_singular
    row = comparisons(fit, "treated").iloc[0]
    assert row["random_effects"] == "integrated (theta[few.1] held at the boundary)"
    flat = comparisons(fit, "treated", random=False).iloc[0]
    assert row["estimate"] == pytest.approx(flat["estimate"], rel=1e-9)
    assert row["std_error"] == pytest.approx(flat["std_error"], rel=1e-9)


@pytest.mark.parametrize("name", ["logit", "symmetric"])
def test_a_stored_fit_gives_the_same(fits, data, name):
    back = Fit.from_dict(fits[name].to_dict())
    bare = data.drop(columns=["g", "h"])
    pd.testing.assert_frame_equal(comparisons(back, "x", data=bare), comparisons(fits[name], "x"))


def test_what_has_no_answer_is_refused(fits, data):
    fit = fits["logit"]
    with pytest.raises(SpecError, match="use fit"):
        predictions(fit, random=True)
    with pytest.raises(SpecError, match="scale= is for ordinal fits"):
        predictions(fit, scale="outcome")
    with pytest.raises(SpecError, match="rename"):
        predictions(fits["ordinal"], data=data.assign(level=1), by="level")
    other = replace(fit, inference=replace(fit.inference, kind="cluster", label="clustered by g"))
    with pytest.raises(SpecError, match="clustered by g"):
        comparisons(other, "x")
    assert len(comparisons(other, "x", random=False)) == 1


def test_clustered_linear_fits_are_compared_as_before(data):
    fit = fit_mixed("y ~ x + treated + (1 | g)", data).with_vcov(Cluster("g"))
    row = comparisons(fit, "treated").iloc[0]
    assert row["std_error"] == pytest.approx(fit.std_errors["treated"])
    assert row["df"] == fit.df["treated"]
