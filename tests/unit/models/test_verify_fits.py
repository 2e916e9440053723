import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from jobchance import Fit, fit_glm, fit_mixed, fit_panel, meta_analysis, verify
from jobchance.errors import SpecError

N = 600


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(21)
    frame = pd.DataFrame(
        {"g": rng.integers(0, 30, N), "h": rng.integers(0, 20, N), "x": rng.normal(50, 20, N)}
    )
    frame["w"] = rng.uniform(0.5, 2, N)
    frame["o"] = rng.normal(size=N)
    frame["y"] = 0.02 * frame["x"] + rng.normal(size=30)[frame["g"]] + rng.normal(size=20)[frame["h"]]
    frame["y"] += rng.normal(size=N)
    frame["job"] = (frame["y"] > 1).astype(int)
    frame["count"] = rng.poisson(np.exp(0.3 * frame["y"]))
    frame["answer"] = np.digitize(frame["y"], [0, 1, 2])
    frame.loc[:4, "x"] = np.nan
    return frame


CASES = {
    "reml": ("y ~ x + (1 | g) + (1 | h)", {"weights": "w", "offset": "o"}),
    "ml": ("y ~ x + (1 + x | g)", {"method": "ml"}),
    "uncorrelated": ("y ~ x + (x || g) + (1 | h)", {}),
    "logit": ("job ~ x + (1 | g) + (1 | h)", {"family": "binomial"}),
    "quadrature": ("job ~ x + (1 | g)", {"family": "binomial", "n_quad": 7}),
    "cloglog": ("job ~ x + offset(o) + (1 | h)", {"family": "binomial", "link": "cloglog"}),
    "poisson": ("count ~ x + (1 | h) + (1 | g)", {"family": "poisson", "offset": "o"}),
    "ordinal": ("answer ~ x + (1 | g) + (1 | h)", {"family": "ordinal"}),
    "equidistant": ("answer ~ x + (1 | g)", {"family": "ordinal", "thresholds": "equidistant"}),
}


@pytest.fixture(scope="module")
def fits(data):
    return {name: fit_mixed(formula, data, **options) for name, (formula, options) in CASES.items()}


@pytest.mark.parametrize("name", list(CASES))
def test_mixed_fits_are_verified_also_when_read_back(fits, data, name):
    fit = fits[name]
    found = verify(fit, data)
    assert found["passes"].all(), found
    assert found.set_index("check").loc["rows used", "recomputed"] == N - 5
    assert found["difference"].iloc[-2] == pytest.approx(0, abs=1e-10 * abs(fit.loglik))
    back = Fit.from_dict(json.loads(json.dumps(fit.to_dict())))
    pd.testing.assert_frame_equal(verify(back, data), found)


@pytest.mark.parametrize("name", list(CASES))
def test_a_wrong_coefficient_is_found_and_measured(fits, data, name):
    """Half a standard error away in one coefficient: as far as the likelihood has fallen."""
    fit = fits[name]
    moved = fit.estimates.copy()
    moved[-1] += 0.5 * fit.std_errors.iloc[-1]
    found = verify(replace(fit, estimates=moved), data).set_index("check")
    distance = found.loc["standard errors from the optimum", "recomputed"]
    assert not found["passes"].iloc[-2:].any()
    assert distance > 0.45
    assert distance == pytest.approx(np.sqrt(-2 * found.loc["log-likelihood", "difference"]), rel=0.1)


@pytest.mark.parametrize("name", list(CASES))
def test_a_wrong_variance_is_found(fits, data, name):
    fit = fits[name]
    first = fit.structure[0]
    wrong = replace(first, theta=(first.theta[0] * 1.1, *first.theta[1:]))
    found = verify(replace(fit, structure=(wrong, *fit.structure[1:])), data).set_index("check")
    assert not found.loc["log-likelihood", "passes"]
    assert not found.loc["standard errors from the optimum", "passes"]
    assert found.loc["rows used", "passes"]


def test_other_rows_are_found(fits, data):
    found = verify(fits["reml"], data[data["g"] > 0]).set_index("check")["passes"]
    assert not found[["rows used", "levels of g", "log-likelihood"]].any()
    with pytest.raises(SpecError, match="levels of the outcome"):
        verify(fits["ordinal"], data[data["answer"] > 0])


def test_singular_fits_are_verified(data):
    rng = np.random.default_rng(2)
    noise = data.assign(y=rng.normal(size=N))
    noise["y"] -= noise.groupby("g")["y"].transform("mean") * 0.9
    fit = fit_mixed("y ~ x + (1 | g) + (1 | h)", noise)
    assert fit.is_singular
    assert verify(fit, noise)["passes"].all()


@pytest.mark.parametrize(
    ("family", "link"),
    [
        ("gaussian", None),
        ("binomial", "logit"),
        ("binomial", "identity"),
        ("binomial", "cloglog"),
        ("poisson", None),
    ],
)
def test_models_without_random_effects(data, family, link):
    outcome = {"gaussian": "y", "binomial": "job", "poisson": "count"}[family]
    fit = fit_glm(f"{outcome} ~ x", data, family=family, link=link, vcov="model")
    assert verify(Fit.from_dict(fit.to_dict()), data)["passes"].all()
    wrong = replace(fit, estimates=fit.estimates * 1.001)
    assert not verify(wrong, data)["passes"].iloc[1]


@pytest.mark.parametrize(
    ("family", "link", "check"),
    [
        ("gaussian", None, "residual sum of squares"),
        ("binomial", "identity", "residual sum of squares"),
        ("binomial", "logit", "deviance"),
        ("binomial", "cloglog", "deviance"),
        ("poisson", None, "deviance"),
    ],
)
def test_weighted_models_without_random_effects(data, family, link, check):
    outcome = {"gaussian": "y", "binomial": "job", "poisson": "count"}[family]
    weighted = data.assign(w=data["w"].where(np.arange(N) % 50 > 0))
    fit = fit_glm(f"{outcome} ~ x", weighted, family=family, link=link, vcov="model", weights="w")
    found = verify(fit, weighted)
    assert found["passes"].all(), found
    assert found["check"].tolist() == ["rows used", check]
    back = Fit.from_dict(json.loads(json.dumps(fit.to_dict())))
    pd.testing.assert_frame_equal(verify(back, weighted), found)
    assert not verify(replace(fit, estimates=fit.estimates * 1.001), weighted)["passes"].iloc[1]
    assert not verify(back, weighted.assign(w=weighted["w"] ** 2))["passes"].iloc[1]


def test_panel_fits_where_the_sum_of_squares_is_defined(data):
    panel = data.assign(wave=np.arange(N), w=data["w"].where(np.arange(N) % 50 > 0))
    panel.loc[10:19, "wave"] = np.nan
    for options in ({"estimator": "within", "absorb": ("h",)}, {"estimator": "pooled"}):
        fit = fit_panel("y ~ x", panel, entity="g", vcov="model", **options)
        found = verify(fit, panel)
        assert found["passes"].all(), found
    with pytest.raises(SpecError, match="pooled and within"):
        verify(fit_panel("y ~ x", panel, entity="g", estimator="between", vcov="model"), panel)


def test_other_fits_are_refused(data):
    ids = np.arange(12)
    meta = meta_analysis(pd.Series(np.sin(ids)), pd.Series(0.1 + 0.01 * ids))
    with pytest.raises(SpecError, match="verif"):
        verify(meta, data)
