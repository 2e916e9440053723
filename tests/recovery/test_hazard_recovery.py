"""Hazard models of the simulated study: a known effect of belief comes back, and foresight is no effect."""

import numpy as np
import pytest

from jobchance import build_panel, simulate_study
from jobchance.identification.person_periods import person_periods
from jobchance.models.hazard import fit_hazard
from jobchance.models.hazard_curves import hazard_contrast

SEEDS = range(1, 9)


def _estimates(**dials):
    """Coefficient, contrast and truth of every seed; optimism and shifts do nothing of their own."""
    made = []
    for seed in SEEDS:
        study = simulate_study(seed=seed, optimism_effect=0.0, shift_effect=0.0, **dials)
        rows = person_periods(build_panel(study))
        rows = rows[rows["quarter"] < 8]
        fit = fit_hazard("event ~ belief", rows)
        contrast = hazard_contrast(fit, "belief", rows, starts="all").iloc[0]
        effects = study.truth["effects"]
        made.append(
            (
                fit.params["belief"],
                fit.std_errors["belief"],
                contrast["estimate_pp"] - effects["belief_step_pp"],
                contrast["std_error_pp"],
                100 * contrast["baseline"] - 100 * effects["base_rate"],
            )
        )
    return np.array(made)


@pytest.mark.parametrize("belief_effect", [0.0, 0.3])
def test_an_effect_of_belief_comes_back_where_nobody_foresees(belief_effect):
    made = _estimates(belief_effect=belief_effect, forecasting_skill=0.0)
    error = np.sqrt(np.mean(made[:, 1] ** 2) / len(made))
    assert abs(made[:, 0].mean() - belief_effect) < 3 * error
    gap_error = np.sqrt(np.mean(made[:, 3] ** 2) / len(made))
    assert abs(made[:, 2].mean()) < 3 * gap_error
    # standard errors are those of the spread over seeds, as far as eight of them can tell
    assert 0.4 < made[:, 0].std(ddof=1) / np.sqrt(np.mean(made[:, 1] ** 2)) < 2.0


def test_foresight_alone_looks_like_an_effect():
    made = _estimates(belief_effect=0.0, forecasting_skill=0.9)
    assert (made[:, 0] > 5 * made[:, 1]).all()
    assert (made[:, 2] > 3).all()
