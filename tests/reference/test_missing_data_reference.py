"""Bounds, pooling and weighted regression against R (tests/reference/missing/make_missing.R)."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import jobchance as jc
from jobchance.sensitivity.bounds import lee_bounds
from jobchance.sensitivity.imputation_pool import pool_fits

HERE = Path(__file__).parent / "missing"
CLOSE = {"rel": 1e-9, "abs": 1e-11}


@pytest.fixture(scope="module")
def numbers():
    return json.loads((HERE / "missing.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def lee():
    return pd.read_csv(HERE / "lee.csv")


@pytest.mark.parametrize(("outcome", "key"), [("y", "continuous"), ("job", "binary")])
def test_lee_bounds_errors_and_interval(numbers, lee, outcome, key):
    expected = numbers["bounds"][key]
    fit = lee_bounds(lee[outcome].where(lee["s"] == 1), lee["d"])
    assert fit.params["lower"] == pytest.approx(expected["lower"], **CLOSE)
    assert fit.params["upper"] == pytest.approx(expected["upper"], **CLOSE)
    assert fit.std_errors["lower"] == pytest.approx(expected["se_lower"], **CLOSE)
    assert fit.std_errors["upper"] == pytest.approx(expected["se_upper"], **CLOSE)
    assert fit.statistics["trimmed"] == pytest.approx(expected["trimmed"], **CLOSE)
    interval = [fit.statistics["conf_low"], fit.statistics["conf_high"]]
    assert interval == pytest.approx(expected["interval"], rel=1e-8)


def test_lee_bounds_within_cells(numbers, lee):
    expected = numbers["bounds"]["tight"]
    fit = lee_bounds(lee["y"], lee["d"], lee["s"], cells=lee["x"])
    assert fit.params["lower"] == pytest.approx(expected["lower"], **CLOSE)
    assert fit.params["upper"] == pytest.approx(expected["upper"], **CLOSE)
    assert fit.std_errors["lower"] == pytest.approx(expected["se_lower"], **CLOSE)
    assert fit.std_errors["upper"] == pytest.approx(expected["se_upper"], **CLOSE)


@pytest.mark.parametrize("key", ["pooled_lm", "pooled_logit"])
def test_pooling_quantity_by_quantity(numbers, key):
    """estimate, ubar, b, t, df, riv, lambda and fmi of mice::pool on the same completed data sets."""
    expected = numbers[key]
    sets = [
        one.assign(high=(one["out"] > 2).astype(float))
        for _, one in pd.read_csv(HERE / "imputed.csv").groupby("imputation")
    ]
    formula, family = ("out ~ b + z", "gaussian") if key == "pooled_lm" else ("high ~ b + z", "binomial")
    fit = pool_fits([jc.fit_glm(formula, one, family=family, vcov="model") for one in sets])
    table = fit.diagnostics["pooling"]
    close = CLOSE if key == "pooled_lm" else {"rel": 1e-6}  # R's glm stops at a relative deviance of 1e-8
    assert fit.estimates == pytest.approx(expected["estimate"], **close)
    for name in ("ubar", "b", "t", "df", "riv", "lambda", "fmi"):
        assert table[name].to_numpy() == pytest.approx(np.array(expected[name]), **close), name
    assert fit.std_errors.to_numpy() ** 2 == pytest.approx(expected["t"], **close)
    assert fit.df.to_numpy() == pytest.approx(expected["df"], **close)


@pytest.mark.parametrize(
    ("outcome", "family", "key"),
    [("y", "gaussian", "gaussian"), ("job", "binomial", "logit"), ("count", "poisson", "poisson")],
)
def test_weighted_regression(numbers, outcome, family, key):
    """Estimates, clustered, robust and model standard errors of R's lm and glm with weights."""
    expected = numbers["weighted"][key]
    data = pd.read_csv(HERE / "weighted.csv")
    fit = jc.fit_glm(f"{outcome} ~ x", data, family=family, weights="w", vcov=jc.Cluster("g"))
    assert fit.estimates == pytest.approx(expected["estimate"], rel=1e-8)
    for kind, vcov in (("cluster", jc.Cluster("g")), ("hc0", jc.Robust("HC0")), ("model", "model")):
        made = fit.with_vcov(vcov).std_errors.to_numpy()
        assert made == pytest.approx(expected[kind], rel=1e-8), kind
    assert fit.augment()["fitted"].to_numpy() == pytest.approx(fit.predict(data).to_numpy())
    if family == "gaussian":
        assert fit.statistics["r2"] == pytest.approx(numbers["r2"], rel=1e-10)
