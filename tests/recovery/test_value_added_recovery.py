"""Value added on panels with known effects: unbiased variance, intervals that cover, a slope of one."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

import jobchance as jc
from jobchance.identification.value_added import value_added

sys.path.insert(0, str(Path(__file__).parents[1] / "unit" / "identification"))
from value_added_panels import draw_panel

DRAWS = 60
SETTINGS = {"nothing": 0.0, "little": 0.03, "much": 0.08}


@pytest.fixture(scope="module")
def found():
    """Fits by setting."""
    made = {}
    for name, sd in SETTINGS.items():
        fits = [
            value_added(draw_panel(1000 + k, sd=sd, n_caseworkers=60)[0], permutations=99)
            for k in range(DRAWS)
        ]
        made[name] = fits
    return made


@pytest.mark.parametrize("setting", SETTINGS)
def test_the_variance_has_no_bias(found, setting):
    values = np.array([fit.estimates[0] for fit in found[setting]])
    error = values.std(ddof=1) / np.sqrt(DRAWS)
    assert abs(values.mean() - SETTINGS[setting] ** 2) < 3.3 * error


@pytest.mark.parametrize("setting", SETTINGS)
def test_the_interval_of_the_standard_deviation_covers(found, setting):
    truth = 100 * SETTINGS[setting]
    inside = [f.statistics["sd_pp_low"] <= truth <= f.statistics["sd_pp_high"] for f in found[setting]]
    assert np.mean(inside) >= 0.88  # 53 of 60: at 95 per cent this or more has probability 0.98


def test_the_permutation_test_keeps_its_level_and_finds_what_is_there(found):
    p = {name: np.array([f.statistics["p_value"] for f in fits]) for name, fits in found.items()}
    assert np.mean(p["nothing"] <= 0.05) <= 0.15
    assert np.mean(p["nothing"]) == pytest.approx(0.5, abs=0.15)
    assert np.mean(p["much"] <= 0.05) > 0.85  # 30 citizens each, noise as wide as the effects


def test_the_standard_error_is_the_spread_over_samples(found):
    for setting in ("little", "much"):
        values = [fit.estimates[0] for fit in found[setting]]
        claimed = np.mean([fit.std_errors.iloc[0] for fit in found[setting]])
        assert claimed == pytest.approx(np.std(values), rel=0.3)


def test_shrunken_effects_forecast_without_bias_on_movers(found):
    slopes = np.array([f.statistics["forecast_slope"] for f in found["much"]])
    errors = np.array([f.statistics["forecast_se"] for f in found["much"]])
    # The mean is drawn up by the few fits with a tiny variance, which shrink far too much.
    assert np.median(slopes) == pytest.approx(1, abs=0.15)
    assert np.mean(np.abs(slopes - 1) < 2 * errors) >= 0.85


def test_raw_deviations_exaggerate_what_shrunken_ones_do_not(found):
    for fit in found["little"]:
        table = fit.diagnostics["shrinkage"].iloc[0]
        assert table["sd_of_shrunken_effects_pp"] < 6
        assert table["sd_of_raw_deviations_pp"] > 6


def test_intervals_of_simulated_studies_cover_and_no_caseworkers_can_be_ordered():
    inside = 0
    for seed in range(11, 17):
        study = jc.simulate_study(seed=seed)
        truth = study.truth["effects"]["caseworker_sd_within_pp"]
        fit = value_added(jc.build_panel(study), permutations=99)
        inside += fit.statistics["sd_pp_low"] <= truth <= fit.statistics["sd_pp_high"]
        assert fit.diagnostics["ranking"]["share_of_pairs_ordered"].iloc[0] < 0.01
    assert inside >= 4  # at 95 per cent fewer than 4 of 6 has probability 0.002
