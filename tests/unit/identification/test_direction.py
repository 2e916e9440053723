"""Which of belief and action comes first: the comparison, its card, refusals."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import jobchance as jc
from jobchance.errors import IdentificationError, SpecError
from jobchance.identification.cards import SUGGESTIVE, Card, read_checks
from jobchance.identification.direction import which_leads
from jobchance.identification.thresholds import Thresholds
from jobchance.models.cross_lagged import fit_cross_lagged
from jobchance.results.fit import Fit
from jobchance.results.vcov import Robust


@pytest.fixture(scope="module")
def panel():
    return jc.build_panel(jc.simulate_study(seed=3, n_citizens=2000, belief_action=1.0))


@pytest.fixture(scope="module")
def fit(panel):
    return which_leads(panel)


def direction(fit, name, model="RI-CLPM"):
    frame = fit.diagnostics["directions"].set_index(["model", "direction"])
    return frame.loc[(model, name)]


def test_it_is_the_cross_lagged_model(panel, fit):
    same = fit_cross_lagged(panel.frame, x="belief", y="action", lags="equal", vcov=Robust())
    np.testing.assert_allclose(fit.estimates, same.estimates)
    np.testing.assert_allclose(fit.covariance, same.covariance)
    line = direction(fit, "belief_to_action")
    assert line["estimate"] == fit.params["action~belief"]
    assert line["std_error"] == fit.std_errors["action~belief"]
    assert line["conf_low"] == pytest.approx(fit.conf_int().loc["action~belief", "conf_low"])


def test_difference(fit):
    forward, back = (direction(fit, n)["standardised"] for n in ("belief_to_action", "action_to_belief"))
    line = direction(fit, "difference")
    assert line["standardised"] == pytest.approx(forward - back)
    assert line["standardised_se"] == fit.statistics["cross_lag_difference_se"]
    assert np.isnan(line["estimate"])


def test_plain_model_stands_beside(panel, fit):
    plain = fit_cross_lagged(
        panel.frame, x="belief", y="action", lags="equal", vcov=Robust(), random_intercepts=False
    )
    assert direction(fit, "action_to_belief", "CLPM")["estimate"] == plain.params["belief~action"]


def test_direction_of_the_simulator(fit):
    assert direction(fit, "belief_to_action")["standardised_low"] > 0.15
    assert direction(fit, "difference")["standardised_low"] > 0


def test_feedback_of_the_simulator():
    panel = jc.build_panel(jc.simulate_study(seed=3, n_citizens=2000, belief_action=0.0, action_feedback=0.8))
    fit = which_leads(panel)
    assert direction(fit, "action_to_belief")["standardised_low"] > 0.3
    assert direction(fit, "difference")["standardised_high"] < 0
    # Lasting differences hide half of it from the plain model.
    assert (
        direction(fit, "action_to_belief", "CLPM")["standardised"]
        < 0.7 * (direction(fit, "action_to_belief")["standardised"])
    )


def test_verdict_is_at_most_suggestive(fit):
    checks = read_checks(fit.diagnostics["checks"])
    status = {check.name: check.status for check in checks}
    assert set(status) == {
        *("enough_waves", "equal_lags", "stable_traits", "model_fit", "drop_out_at_random"),
        *("no_measurement_error", "no_time_varying_confounding"),
    }
    assert status["enough_waves"] == "holds"
    assert status["drop_out_at_random"] == "doubtful"
    assert status["no_measurement_error"] == "untested"
    assert Card("direction", "directional", checks).verdict == SUGGESTIVE
    assert all(status["equal_lags"] != "fails" for _ in checks)


def test_drop_out_is_the_share_that_left(panel, fit):
    frame, window = panel.frame, [1, len(fit.spec["x"])]
    first, last = (set(frame.loc[frame["wave"] == w, "citizen_id"]) for w in window)
    checks = fit.diagnostics["checks"].set_index("assumption")
    assert checks.loc["drop_out_at_random", "value"] == pytest.approx(1 - len(first & last) / len(first))


def test_no_drop_out_holds(panel):
    frame = panel.frame
    stayed = frame[frame["wave"] <= 3].groupby("citizen_id")["wave"].transform("count") == 3
    complete = frame[(frame["wave"] <= 3) & stayed.reindex(frame.index, fill_value=False)]
    fit = which_leads(replace(panel, frame=complete))
    checks = fit.diagnostics["checks"].set_index("assumption")
    assert checks.loc["drop_out_at_random", "status"] == "holds"


def test_stored_without_rows(fit):
    again = Fit.from_dict(fit.to_dict())
    pd.testing.assert_frame_equal(again.diagnostics["directions"], fit.diagnostics["directions"])
    assert again.rows is None


def test_refusals(panel):
    frame = panel.frame
    with pytest.raises(SpecError, match="build_panel"):
        which_leads(frame)
    with pytest.raises(SpecError, match="belief"):
        which_leads(panel, belief="hope")
    for changed in (frame.drop(columns="action"), frame.assign(action=np.nan), frame.assign(action=1.0)):
        with pytest.raises(IdentificationError) as caught:
            which_leads(replace(panel, frame=changed))
        assert caught.value.missing == ("action",)
    with pytest.raises(IdentificationError) as caught:
        which_leads(replace(panel, frame=frame[frame["wave"] <= 2]))
    assert caught.value.missing == ("waves",)
    with pytest.raises(IdentificationError) as caught:
        which_leads(panel, thresholds=Thresholds(min_waves=9, min_citizens=10_000))
    assert caught.value.missing == ("waves", "citizens")
    with pytest.raises(IdentificationError) as caught:
        which_leads(panel, waves=[1, 2])
    assert caught.value.missing == ("waves",)
