"""Weighted regressions: whole weights are repeated rows, their unit is free, the summary names them."""

import numpy as np
import pandas as pd
import pytest

from jobchance import Cluster, Fit, Robust, fit_glm

N = 400
MODELS = [
    ("gaussian", "identity", "y"),
    ("binomial", "identity", "job"),
    ("binomial", "logit", "job"),
    ("binomial", "probit", "job"),
    ("binomial", "cloglog", "job"),
    ("poisson", "log", "count"),
]


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(9)
    frame = pd.DataFrame({"x": rng.normal(size=N), "g": rng.integers(0, 40, N), "w": rng.integers(1, 5, N)})
    frame["y"] = 0.5 * frame["x"] + rng.normal(size=N)
    frame["job"] = (frame["y"] > 0.2).astype(int)
    frame["count"] = rng.poisson(np.exp(0.3 * frame["x"]))
    return frame


@pytest.mark.parametrize(("family", "link", "outcome"), MODELS)
def test_whole_weights_are_repeated_rows(data, family, link, outcome):
    long = data.loc[data.index.repeat(data["w"])].reset_index(drop=True)
    given = {"family": family, "link": link, "vcov": Cluster("g")}
    one = fit_glm(f"{outcome} ~ x", data, weights="w", **given)
    other = fit_glm(f"{outcome} ~ x", long, **given)
    np.testing.assert_allclose(one.estimates, other.estimates, rtol=1e-8)
    factor = np.sqrt((N - 1) / (N - 2) * (len(long) - 2) / (len(long) - 1))
    np.testing.assert_allclose(one.std_errors, factor * other.std_errors, rtol=1e-7)
    assert one.criterion == pytest.approx(other.criterion, rel=1e-10)
    if link != "identity":
        np.testing.assert_allclose(
            one.with_vcov("model").std_errors, other.with_vcov("model").std_errors, rtol=1e-7
        )


@pytest.mark.parametrize("vcov", [Cluster("g"), Robust()], ids=repr)
@pytest.mark.parametrize(("family", "link", "outcome"), MODELS)
def test_the_unit_of_the_weights_does_not_matter(data, family, link, outcome, vcov):
    made = [
        fit_glm(
            f"{outcome} ~ x",
            data.assign(v=data["w"] * unit),
            family=family,
            link=link,
            weights="v",
            vcov=vcov,
        )
        for unit in (1.0, 1 / data["w"].sum(), 1e6)
    ]
    for other in made[1:]:
        np.testing.assert_allclose(other.estimates, made[0].estimates, rtol=1e-7)
        np.testing.assert_allclose(other.std_errors, made[0].std_errors, rtol=1e-7)


def test_the_summary_names_the_weights(data):
    fit = fit_glm("job ~ x", data, family="binomial", weights="w", vcov="model")
    assert "\nWeights: w\n" in fit.summary()
    assert "\nWeights: w\n" in Fit.from_dict(fit.to_dict()).summary()
    assert "\nWeights:" not in fit_glm("job ~ x", data, family="binomial", vcov="model").summary()
