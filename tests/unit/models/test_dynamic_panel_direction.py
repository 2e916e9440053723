"""dynamic_direction: refusals by key, the tables, and both directions against the equations by themselves."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import jobchance as jc
from jobchance.errors import FormulaError, IdentificationError
from jobchance.identification.dynamic_direction import FORWARD, dynamic_direction
from jobchance.identification.thresholds import Thresholds
from jobchance.models.dynamic_panel import fit_dynamic_panel


@pytest.fixture(scope="module")
def panel():
    return jc.build_panel(jc.simulate_study(seed=2))


@pytest.fixture(scope="module")
def fit(panel):
    return dynamic_direction(panel)


def test_terms_are_those_of_the_two_equations(panel, fit):
    options = {"collapse": True, "instrument_lags": (2, 5)}
    centred = panel.frame.assign(
        **{name: panel.frame[name] - panel.frame[name].mean() for name in ("belief", "action")}
    )
    forward = fit_dynamic_panel("action ~ lag(belief)", centred, endogenous=("belief",), **options)
    back = fit_dynamic_panel("belief ~ lag(action)", centred, endogenous=("action",), **options)
    for term, equation, name in (
        ("belief_to_action", forward, "lag(belief, 1)"),
        ("action_to_action", forward, "lag(action, 1)"),
        ("action_to_belief", back, "lag(action, 1)"),
        ("belief_to_belief", back, "lag(belief, 1)"),
    ):
        assert fit.params[term] == pytest.approx(equation.params[name], rel=1e-10)
        assert fit.std_errors[term] == pytest.approx(equation.std_errors[name], rel=1e-10)
    assert fit.diagnostics["equations"]["hansen_p"].tolist() == pytest.approx(
        [forward.statistics["hansen_p"], back.statistics["hansen_p"]]
    )
    assert np.linalg.eigvalsh(fit.covariance)[0] > 0


def test_the_common_scale_does_not_depend_on_units(panel, fit):
    frame = panel.frame.assign(belief=10 * panel.frame["belief"] + 3)
    other = dynamic_direction(replace(panel, frame=frame))
    columns = ["estimate", "std_error", "conf_low", "conf_high"]
    table = fit.diagnostics["directions"]
    np.testing.assert_allclose(other.diagnostics["directions"][columns], table[columns], rtol=1e-7)
    assert other.params[FORWARD] == pytest.approx(fit.params[FORWARD] / 10)
    assert list(table.columns) == ["model", "direction", *columns]
    gap = table["estimate"].iloc[0] - table["estimate"].iloc[1]
    assert fit.statistics["direction_difference"] == pytest.approx(gap)


def test_checks_name_every_assumption(fit):
    checks = fit.diagnostics["checks"].set_index("assumption")
    assert list(checks.index) == [
        "enough_waves",
        "no_serial_correlation",
        "valid_instruments",
        "instrument_count",
        "no_time_varying_confounding",
        "no_selective_exit",
    ]
    equations = fit.diagnostics["equations"]
    assert checks.loc["valid_instruments", "p_value"] == pytest.approx(
        min(1, 2 * equations["hansen_p"].min())
    )
    assert checks.loc["no_serial_correlation", "p_value"] == pytest.approx(
        min(1, 2 * equations["m2_p"].min())
    )
    assert any("association" in remark.lower() for remark in fit.remarks)
    assert not any("effect of" in remark for remark in fit.remarks)


def test_thresholds_count(panel):
    strict = dynamic_direction(panel, thresholds=Thresholds(min_citizens=1e6))
    assert strict.diagnostics["checks"].set_index("assumption").loc["enough_waves", "status"] == "doubtful"


def test_refusals_have_keys(panel):
    def refused(frame):
        with pytest.raises(IdentificationError) as caught:
            dynamic_direction(replace(panel, frame=frame))
        return set(caught.value.missing)

    frame = panel.frame
    assert refused(frame.drop(columns="action")) == {"action"}
    assert refused(frame.assign(action=np.nan)) == {"action", "waves"}
    assert refused(frame.assign(action=1.0)) == {"action"}
    assert refused(frame.assign(belief=3.0)) == {"belief"}
    assert refused(frame[frame["wave"] < 3]) == {"waves"}
    assert refused(frame[frame["wave"] % 2 == 1].drop(columns="action")) == {"action", "waves"}
    with pytest.raises(FormulaError):
        dynamic_direction(panel, belief="hope")


def test_row_order_and_other_columns(panel, fit):
    mixed = panel.frame.sample(frac=1, random_state=4).rename(columns={"belief": "my belief"})
    other = dynamic_direction(replace(panel, frame=mixed), belief="my belief")
    np.testing.assert_allclose(other.estimates, fit.estimates, rtol=1e-8)
    np.testing.assert_allclose(other.covariance, fit.covariance, rtol=1e-6, atol=1e-12)


def test_it_is_stored_without_persons(panel, fit):
    stored = jc.Fit.from_dict(fit.to_dict())
    assert stored.summary() == fit.summary()
    citizens = set(panel.frame["citizen_id"])
    for table in fit.diagnostics.values():
        assert not citizens & set(table.astype(str).to_numpy().ravel())


def test_short_panels_leave_tests_open():
    """Three waves: one difference, no second-order correlation to look at."""
    rng = np.random.default_rng(5)
    n = 300
    level = rng.normal(size=n)
    rows, b, a = [], level + rng.normal(size=n), (level > 0).astype(float)
    for wave in (1, 2, 3):
        rows.append(pd.DataFrame({"citizen_id": np.arange(n), "wave": wave, "belief": b, "action": a}))
        a = (0.4 * b + level + rng.normal(size=n) > 0).astype(float)
        b = 0.3 * b + level + rng.normal(size=n)
    panel = jc.build_panel(jc.simulate_study(seed=2))
    fit = dynamic_direction(replace(panel, frame=pd.concat(rows, ignore_index=True)))
    checks = fit.diagnostics["checks"].set_index("assumption")
    assert checks.loc["no_serial_correlation", "status"] == "untested"
