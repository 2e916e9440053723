"""`fit_leniency` gets a known effect back, also zero: without bias, with intervals that cover it."""

import numpy as np
import pandas as pd
import pytest

from jobchance.identification.leniency import fit_leniency
from jobchance.indicator.optimism import leave_one_out_optimism
from jobchance.panel.build import build_panel
from jobchance.panel.model import AnalysisPanel
from jobchance.simulate.bip import simulate_study

STUDIES = 80
SPREAD = 0.4


def small_world(seed, effect):
    """Forty caseworkers in four offices, 800 citizens with one or two ratings each, a linear effect."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=40)
    citizen = np.arange(800)
    caseworker = rng.integers(0, 40, 800)
    theta = rng.normal(size=800)
    y = effect * z[caseworker] + theta + rng.normal(size=800)
    waves = []
    for wave in (1, 2):
        who = citizen if wave == 1 else citizen[rng.random(800) < 0.5]
        belief = theta[who] + SPREAD * z[caseworker[who]] + rng.normal(0, 0.5, len(who))
        waves.append(
            pd.DataFrame(
                {"citizen_id": who, "caseworker_id": caseworker[who], "jobcentre_id": caseworker[who] % 4}
                | {"wave": wave, "period": "2014H1", "belief": belief, "outcome": y[who]}
            )
        )
    frame = pd.concat(waves, ignore_index=True)
    frame["optimism"] = leave_one_out_optimism(frame)
    return AnalysisPanel(frame, pd.DataFrame(), {"outcome": "job"})


@pytest.mark.parametrize("effect", [0.0, 0.5])
def test_disposition_scale_is_unbiased_and_covered(effect):
    found, naive = [], []
    for seed in range(STUDIES):
        panel = small_world(seed, effect)
        fit = fit_leniency(panel, outcome="job")
        low, high = fit.conf_int().loc["optimism"]
        found.append((fit.params["optimism"], low <= effect <= high))
        naive.append(fit_leniency(panel, outcome="job", scale="measured").params["optimism"])
    estimates, covered = np.array(found).T
    assert abs(estimates.mean() - effect) < 3 * estimates.std() / np.sqrt(STUDIES)
    # three standard errors of a share of 80 below the nominal level
    assert covered.mean() > 0.95 - 3 * np.sqrt(0.95 * 0.05 / STUDIES)
    if effect:  # the noisy measure finds too little
        assert np.mean(naive) < 0.93 * effect


def test_simulated_study_of_full_size():
    """The slope of the hazard model: the true step of one sd, with the curvature of exp(0.29 a) taken out."""
    study = simulate_study(seed=1)
    fit = fit_leniency(build_panel(study), outcome="job")
    truth = study.truth["effects"]["optimism_sd_pp"] * 0.29 / np.expm1(0.29)
    assert fit.statistics["estimate_pp"] == pytest.approx(truth, abs=2.5 * 100 * fit.std_errors["optimism"])
    assert fit.statistics["calibration"] == pytest.approx(1, abs=3 * fit.statistics["calibration_se"])
    assert 0.5 < fit.statistics["reliability"] < 0.75
