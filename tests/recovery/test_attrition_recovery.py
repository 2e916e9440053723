"""Known truths: weights, bounds, imputation and delta recover what complete cases miss."""

import numpy as np
import pandas as pd
import pytest

import jobchance as jc
from jobchance.panel.model import AnalysisPanel
from jobchance.sensitivity.attrition import dropout_model
from jobchance.sensitivity.attrition_fit import weighted_fit
from jobchance.sensitivity.attrition_weights import attrition_weights
from jobchance.sensitivity.bounds import lee_bounds, manski_bounds
from jobchance.sensitivity.delta import delta_adjustment
from jobchance.sensitivity.imputation import multiple_imputation

TRUE_SLOPE = 0.5  # 1 for half the citizens, 0 for the others


def panel_with_loss(rng, n, waves=3):
    """Slope 1 where need = 1 and 0 where need = 0; those in need are lost six times as often."""
    need = rng.integers(0, 2, n)
    frames, here = [], np.arange(n)
    for wave in range(1, waves + 1):
        x = rng.normal(size=len(here))
        frames.append(
            pd.DataFrame(
                {"citizen_id": here.astype(str), "wave": wave, "need": need[here], "expectation": x}
            ).assign(outcome=need[here] * x + rng.normal(size=len(here)))
        )
        here = here[rng.random(len(here)) > np.where(need[here] == 1, 0.6, 0.1)]
    frame = pd.concat(frames, ignore_index=True)
    frame["date"] = pd.Timestamp("2014-01-06") + pd.to_timedelta(91 * (frame["wave"] - 1), unit="D")
    frame["window_start"] = frame["date"] + pd.Timedelta(days=7)
    frame = frame.assign(weeks_to_outcome=52.0, event_observed=False)
    return AnalysisPanel(frame, pd.DataFrame(), {"horizon_weeks": 52, "data_through": "2020-01-01"})


def test_weights_recover_the_slope_of_all_and_their_errors_cover():
    estimates, errors, known, naive = [], [], [], []
    for seed in range(40):
        panel = panel_with_loss(np.random.default_rng(seed), 400)
        weights = attrition_weights(panel, covariates=["need"], truncate_at=None)
        fit = weighted_fit("outcome ~ expectation", weights, stabilised=False)
        table = fit.diagnostics["attrition"].set_index("term").loc["expectation"]
        estimates.append(table["estimate"])
        errors.append(table["std_error"])
        naive.append(table["unweighted"])
        if seed < 10:
            known.append(
                weighted_fit(
                    "outcome ~ expectation", weights, stabilised=False, estimated=False
                ).std_errors.iloc[1]
            )
    estimates, errors = np.array(estimates), np.array(errors)
    noise = estimates.std() / np.sqrt(40)
    assert np.mean(estimates) == pytest.approx(TRUE_SLOPE, abs=4 * noise)
    assert np.mean(naive) < TRUE_SLOPE - 10 * noise
    assert errors.mean() == pytest.approx(estimates.std(ddof=1), rel=0.3)
    covered = np.abs(estimates - TRUE_SLOPE) < 1.96 * errors
    assert covered.mean() >= 0.85
    assert np.mean(known) == pytest.approx(errors[:10].mean(), rel=0.3)


def test_stacked_scores_are_what_leaving_a_citizen_out_does():
    """Delete one citizen, estimate weights and slope anew: the change is minus bread times stacked scores."""
    panel = panel_with_loss(np.random.default_rng(3), 300)

    def slope(frame, *, estimated=True):
        own = AnalysisPanel(frame, panel.flow, panel.meta)
        weights = attrition_weights(
            own, covariates=["need"], truncate_at=None, measured_until=panel.frame["date"].max()
        )
        return weighted_fit("outcome ~ expectation", weights, stabilised=False, estimated=estimated)

    fit, known = slope(panel.frame), slope(panel.frame, estimated=False)
    stacked, plain, found = [], [], []
    for citizen in panel.frame["citizen_id"].drop_duplicates().iloc[:14]:
        here = panel.frame["citizen_id"] == citizen
        found.append(fit.params["expectation"] - slope(panel.frame[~here]).params["expectation"])
        for made, rows in ((stacked, fit.need_rows("test")), (plain, known.need_rows("test"))):
            inside = here.to_numpy()[rows.used]
            made.append((rows.row_scores[inside].sum(axis=0) @ rows.bread)[1])
    miss = [np.linalg.norm(np.subtract(found, made)) / np.linalg.norm(found) for made in (stacked, plain)]
    assert miss[0] < 0.05
    assert miss[1] > 2 * miss[0]


def test_drop_out_model_recovers_its_odds():
    panel = panel_with_loss(np.random.default_rng(5), 6000)
    fit = dropout_model(panel, covariates=["need"])
    log_odds = np.log(0.6 / 0.4) - np.log(0.1 / 0.9)
    assert fit.params["need"] == pytest.approx(log_odds, abs=4 * fit.std_errors["need"])
    assert fit.statistics["auc"] > 0.7


@pytest.mark.parametrize("dial", [0.5, 2.0])
def test_drop_out_of_the_simulator(dial):
    """The share lost per wave is that of the simulator's rate, and its slope in employability is negative."""
    study = jc.simulate_study(seed=31, n_citizens=2500, attrition=dial)
    fit = dropout_model(jc.build_panel(study), covariates=["expectation"])
    waves = fit.diagnostics["waves"]
    lost, kept = waves["n_lost"].sum(), waves["n_next"].sum()
    rate = study.truth["parameters"]["dropout_rate_per_wave"]
    assert lost / (lost + kept) == pytest.approx(1 - np.exp(-rate), abs=0.02)
    assert fit.params["expectation"] < fit.std_errors["expectation"]


def test_weights_without_the_cause_do_not_help():
    """The assumption matters: leaving out what drives the loss leaves the bias."""
    panel = panel_with_loss(np.random.default_rng(6), 3000)
    fit = weighted_fit("outcome ~ expectation", attrition_weights(panel, covariates=["expectation"]))
    assert fit.params["expectation"] < TRUE_SLOPE - 4 * fit.std_errors["expectation"]


def test_bounds_hold_the_effect_on_those_always_seen():
    """Treatment helps by 1 and keeps people in: complete cases mislead, bounds and intervals do not."""
    inside, held, naive = [], [], []
    for seed in range(80):
        rng = np.random.default_rng(seed)
        n = 1000
        d, ability = rng.integers(0, 2, n), rng.normal(size=n)
        seen = ability > np.where(d == 1, -0.8, 0.0)  # monotone: treatment only adds, and adds the weaker
        y = 1.0 * d + ability
        fit = lee_bounds(y, d, seen)
        inside.append(fit.params["lower"] <= 1.0 + 0.1 and fit.params["upper"] >= 1.0 - 0.1)
        held.append(fit.statistics["conf_low"] <= 1.0 <= fit.statistics["conf_high"])
        naive.append(y[seen & (d == 1)].mean() - y[seen & (d == 0)].mean())
    assert np.mean(naive) < 0.7
    assert np.mean(inside) > 0.9
    assert np.mean(held) >= 0.9


def test_worst_case_holds_whatever_drives_the_loss():
    for seed in range(20):
        rng = np.random.default_rng(seed)
        d = rng.integers(0, 2, 2000)
        y = (rng.random(2000) < 0.3 + 0.2 * d).astype(float)
        seen = rng.random(2000) < np.where(y == d, 0.9, 0.5)
        fit = manski_bounds(y, d, seen)
        assert fit.statistics["conf_low"] <= 0.2 <= fit.statistics["conf_high"]


def test_imputation_recovers_the_slope_where_complete_cases_do_not():
    """The exposure is missing where outcome and covariate are high: at random given what is seen."""
    rng = np.random.default_rng(9)
    n = 3000
    z = rng.normal(size=n)
    x = z + rng.normal(size=n)
    y = 0.5 * x + rng.normal(size=n)
    data = pd.DataFrame({"y": y, "x": np.where(rng.random(n) < 1 / (1 + np.exp(-2 * y)), np.nan, x), "z": z})
    complete = jc.fit_glm("y ~ x", data, family="gaussian", vcov=jc.Robust())
    fit = multiple_imputation(
        data, "y ~ x", using=["z"], vcov=jc.Robust(), imputations=10, iterations=5, seed=1
    )
    assert complete.params["x"] < 0.5 - 4 * complete.std_errors["x"]
    assert fit.params["x"] == pytest.approx(0.5, abs=3 * fit.std_errors["x"])
    assert fit.diagnostics["pooling"]["fmi"].iloc[1] > 0.1


def test_the_true_delta_gives_the_true_difference():
    """The unseen are 15 percentage points worse than like ones seen; only that delta finds 0.2."""
    rng = np.random.default_rng(10)
    n = 40_000
    high = rng.integers(0, 2, n).astype(float)
    gone = rng.random(n) < np.where(high == 1, 0.4, 0.1)
    share = np.where(high == 1, 0.5, 0.3)
    job = (rng.random(n) < share - 0.15 * gone).astype(float)
    truth = (0.5 - 0.15 * 0.4) - (0.3 - 0.15 * 0.1)
    data = pd.DataFrame({"job": np.where(gone, np.nan, job), "high": high})
    made = delta_adjustment(
        data, "job ~ high", term="high", deltas=[-15], imputations=5, vcov=jc.Robust(), seed=1
    )
    by = made.frame.set_index("delta")
    assert by.loc[-15, "estimate"] == pytest.approx(truth, abs=3 * by.loc[-15, "std_error"])
    assert abs(by.loc[0, "estimate"] - truth) > 3 * by.loc[0, "std_error"]
