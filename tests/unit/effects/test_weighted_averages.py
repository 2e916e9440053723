"""Averages of weighted fits: against R, repeated rows and derivatives by force; what the data must hold."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from jobchance import Cluster, Fit, Robust, comparisons, fit_glm, fit_mixed, predictions
from jobchance.errors import DesignError, FormulaError, SpecError
from jobchance.sensitivity.e_value import e_value

HERE = Path(__file__).parents[2] / "reference" / "weighted"
MODELS = {
    "logit": ("y ~ x + z", {"family": "binomial"}),
    "poisson": ("count ~ x + z", {"family": "poisson"}),
    "gaussian": ("count ~ x + z", {"family": "gaussian"}),
}


@pytest.fixture(scope="module")
def data():
    return pd.read_csv(HERE / "weighted_averages.csv")


@pytest.fixture(scope="module")
def numbers():
    return json.loads((HERE / "weighted_averages.json").read_text(encoding="utf-8"))


def fitted(data, name, weights, vcov):
    formula, options = MODELS[name]
    return fit_glm(formula, data, weights=weights, vcov=vcov, **options)


@pytest.mark.parametrize("name", list(MODELS))
def test_r_gives_the_same_numbers(data, numbers, name):
    fit = fitted(data, name, "v", Cluster("g"))
    by = predictions(fit, by="z").set_index("z")
    found = {
        "step_x": comparisons(fit, "x").iloc[0],
        "swap_z": comparisons(fit, "z").iloc[0],
        "mean": predictions(fit).iloc[0],
        "mean_at_x2": predictions(fit, at={"x": 2}).iloc[0],
        "mean_z1": by.loc[1],
    }
    for quantity, row in found.items():
        expected = numbers[name][quantity]
        assert row["estimate"] == pytest.approx(expected["estimate"], rel=1e-9, abs=1e-11), quantity
        assert row["std_error"] == pytest.approx(expected["std_error"], rel=1e-8), quantity
        assert row["weighted_by"] == "v"


@pytest.mark.parametrize("name", list(MODELS))
def test_whole_weights_are_repeated_rows(data, name):
    """The model's standard errors count a row of weight w as w rows; least squares differ in df alone."""
    long = data.loc[data.index.repeat(data["w"])].reset_index(drop=True)
    short, repeated = fitted(data, name, "w", "model"), fitted(long, name, None, "model")
    ratio = np.sqrt((len(long) - 3) / (len(data) - 3)) if name == "gaussian" else 1.0
    for variable in ("x", "z"):
        one, other = comparisons(short, variable).iloc[0], comparisons(repeated, variable).iloc[0]
        for column in ("estimate", "baseline", "compared", "relative_change"):
            assert one[column] == pytest.approx(other[column], rel=1e-10), column
        assert one["std_error"] == pytest.approx(ratio * other["std_error"], rel=1e-9)
        assert (one["N_rows"], other["N_rows"]) == (len(data), len(long))
    mine, theirs = (predictions(fit, at={"x": [-1, 1]}, by="z") for fit in (short, repeated))
    np.testing.assert_allclose(mine["estimate"], theirs["estimate"], rtol=1e-10)
    np.testing.assert_allclose(mine["std_error"], ratio * theirs["std_error"], rtol=1e-9)


def test_odds_ratios_are_those_of_repeated_rows(data):
    long = data.loc[data.index.repeat(data["w"])]
    made = [
        comparisons(
            fit_glm("y ~ x * z", frame, family="binomial", vcov="model", weights=weights),
            "x",
            scale="odds_ratio",
        ).iloc[0]
        for frame, weights in ((data, "w"), (long, None))
    ]
    for column in ("estimate", "std_error", "conf_low", "conf_high", "p_value"):
        assert made[0][column] == pytest.approx(made[1][column], rel=1e-8), column


def test_the_gradient_is_the_derivative_by_force(data):
    fit = fitted(data, "logit", "v", Robust())
    X = np.column_stack([np.ones(len(data)), data["x"], data["z"]])
    more = X + np.array([0, 1, 0])

    def difference(beta):
        return np.average(expit(more @ beta) - expit(X @ beta), weights=data["v"])

    beta, h = fit.estimates, 1e-6
    gradient = np.array([(difference(beta + h * e) - difference(beta - h * e)) / (2 * h) for e in np.eye(3)])
    row = comparisons(fit, "x").iloc[0]
    assert row["estimate"] == pytest.approx(difference(beta), rel=1e-12)
    assert row["std_error"] == pytest.approx(np.sqrt(gradient @ fit.covariance @ gradient), rel=1e-7)


def test_the_mean_prediction_of_a_weighted_fit_is_the_weighted_mean_of_the_outcome(data):
    """With an intercept and the canonical link the weighted residuals sum to 0."""
    found = predictions(fitted(data, "logit", "v", "model"))["estimate"].iloc[0]
    assert found == pytest.approx(np.average(data["y"], weights=data["v"]), rel=1e-10)
    assert abs(found - data["y"].mean()) > 1e-4


def test_equal_weights_change_nothing_and_no_weights_say_nothing(data):
    equal = fitted(data.assign(v=2.5), "poisson", "v", Cluster("g"))
    none = fitted(data, "poisson", None, Cluster("g"))
    one, other = comparisons(equal, "x"), comparisons(none, "x")
    assert one.pop("weighted_by").tolist() == ["v"]
    pd.testing.assert_frame_equal(one, other, rtol=1e-10)
    assert "weighted_by" not in predictions(none)


def test_data_must_have_the_weights(data):
    fit = fitted(data, "logit", "v", "model")
    back = Fit.from_dict(json.loads(json.dumps(fit.to_dict())))
    pd.testing.assert_frame_equal(comparisons(back, "x", data=data), comparisons(fit, "x"))
    for ask in (lambda d: comparisons(fit, "x", data=d), lambda d: predictions(fit, data=d)):
        with pytest.raises(FormulaError, match="weighted by v, and so are its averages"):
            ask(data.drop(columns="v"))
        with pytest.raises(FormulaError, match=r"(?s)2 columns are not.*  z.*  v.*weighted by v"):
            ask(data.drop(columns=["v", "z"]))
        with pytest.raises(DesignError, match="not finite and above 0 in 2 of 240 rows"):
            ask(data.assign(v=data["v"].where(data.index > 1, 0.0)))
        with pytest.raises(DesignError, match="categorical"):
            ask(data.assign(v="many"))
    with pytest.raises(FormulaError) as error:
        comparisons(fit, "x", data=data.drop(columns="z"))
    assert "weighted by" not in str(error.value)


def test_rows_without_a_weight_are_left_out(data):
    gaps = data.assign(v=data["v"].where(data.index >= 7))
    fit = fitted(data, "logit", "v", "model")
    found = comparisons(fit, "x", data=gaps)
    assert found["N_rows"].tolist() == [len(data) - 7]
    pd.testing.assert_frame_equal(found, comparisons(fit, "x", data=data.iloc[7:]))


def test_the_weights_are_not_a_variable(data):
    fit = fit_glm("y ~ x + v", data, family="binomial", weights="v", vcov="model")
    assert comparisons(fit, "x")["weighted_by"].tolist() == ["v"]
    with pytest.raises(SpecError, match="v weights the rows"):
        comparisons(fit, "v")
    with pytest.raises(SpecError, match="v weights the rows"):
        predictions(fit, at={"v": [1, 2]})


def test_prior_weights_of_a_mixed_model_do_not_weight_its_averages(data):
    fit = fit_mixed("count ~ x + (1 | g)", data, weights="v")
    found = predictions(fit, random=False)
    assert "weighted_by" not in found
    X = np.column_stack([np.ones(len(data)), data["x"]])
    assert found["estimate"].iloc[0] == pytest.approx(float((X @ fit.estimates).mean()), rel=1e-12)


def test_e_value_of_a_weighted_fit_is_that_of_repeated_rows(data):
    long = data.loc[data.index.repeat(data["w"])]
    one = e_value(fitted(data, "logit", "w", "model"), "z")
    other = e_value(fitted(long, "logit", None, "model"), "z")
    assert (one.value, one.value_limit) == pytest.approx((other.value, other.value_limit), rel=1e-8)
