from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from jobchance import Cluster, fit_glm, predictions
from jobchance.errors import FormulaError, SpecError

N = 600


@pytest.fixture(scope="module")
def fit():
    rng = np.random.default_rng(3)
    data = pd.DataFrame(
        {
            "belief": rng.integers(1, 6, N),
            "edu": rng.choice(["none", "short"], N),
            "office": rng.choice(["n", "s", "w"], N),
            "worker": rng.integers(0, 35, N),
        }
    )
    data["job"] = (rng.random(N) < 1 / (1 + np.exp(2.5 - 0.5 * data["belief"]))).astype(int)
    return fit_glm("job ~ belief * edu", data, family="binomial", vcov=Cluster("worker"))


def test_the_average_prediction_of_a_logit_is_the_share(fit):
    row = predictions(fit).iloc[0]
    assert row["estimate"] == pytest.approx(fit.rows.outcome.mean())
    assert row["N_rows"] == N


def test_at_sets_the_value_in_all_rows(fit):
    frame = predictions(fit, at={"belief": [1, 2, 3, 4, 5]})
    assert frame["belief"].tolist() == [1, 2, 3, 4, 5]
    for row in frame.itertuples():
        assert row.estimate == pytest.approx(fit.predict(fit.rows.frame.assign(belief=row.belief)).mean())
    assert frame["estimate"].is_monotonic_increasing


def test_delta_method_by_brute_force(fit):
    row = predictions(fit, at={"belief": 4}).iloc[0]
    gradient = []
    for j in range(len(fit.terms)):
        moved = []
        for step in (1e-6, -1e-6):
            estimates = fit.estimates.copy()
            estimates[j] += step
            moved.append(replace(fit, estimates=estimates).predict(fit.rows.frame.assign(belief=4)).mean())
        gradient.append((moved[0] - moved[1]) / 2e-6)
    error = np.sqrt(np.array(gradient) @ fit.covariance @ np.array(gradient))
    assert row["std_error"] == pytest.approx(error, rel=1e-5)
    assert row["conf_high"] - row["estimate"] == pytest.approx(1.959964 * error, rel=1e-5)


def test_by_takes_the_rows_of_each_group(fit):
    frame = predictions(fit, at={"edu": ["none", "short"]}, by=["office"])
    assert frame.columns.tolist()[:2] == ["edu", "office"]
    assert len(frame) == 6
    data = fit.rows.frame
    mine = data[data["office"] == "s"].assign(edu="short")
    row = frame[(frame["edu"] == "short") & (frame["office"] == "s")].iloc[0]
    assert row["estimate"] == pytest.approx(fit.predict(mine).mean())
    assert row["N_rows"] == len(mine)


def test_an_intercept_alone_has_the_standard_error_of_the_share(fit):
    data = fit.rows.frame
    alone = fit_glm("job ~ 1", data, family="binomial", vcov="model")
    row = predictions(alone).iloc[0]
    share = data["job"].mean()
    assert row["std_error"] == pytest.approx(np.sqrt(share * (1 - share) / N), rel=1e-6)


def test_what_cannot_be_predicted_is_refused(fit):
    with pytest.raises(SpecError, match="at='office' is not known"):
        predictions(fit, at={"office": "n"})
    with pytest.raises(FormulaError, match="nowhere"):
        predictions(fit, by="nowhere")
    with pytest.raises(SpecError, match="combinations"):
        predictions(fit, at={"belief": []})
    with pytest.raises(SpecError, match="between 0 and 1"):
        predictions(fit, level=1.0)
    with pytest.raises(SpecError, match="does not hold a design"):
        predictions(replace(fit, predictor=None))
    with pytest.raises(SpecError, match="absorbed"):
        predictions(replace(fit, spec=dict(fit.spec) | {"absorbed": ["citizen_id"]}))


def test_a_fit_without_the_covariance_of_its_random_effects_cannot_integrate(fit):
    components = pd.DataFrame(
        {"group": ["g"], "term": ["(Intercept)"], "sd": [1.0], "variance": [1.0], "correlation": [np.nan]}
    )
    strange = replace(fit, variance_components=components)
    with pytest.raises(SpecError, match="does not hold the covariance of its random effects"):
        predictions(strange)
    assert predictions(strange, random=False)["estimate"][0] == predictions(fit)["estimate"][0]
