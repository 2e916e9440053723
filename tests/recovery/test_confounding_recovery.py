"""The simulated study gives its dial of forecasting skill back without an effect, and more with one."""

import numpy as np
import pytest

from jobchance import build_panel, fit_glm, simulate_study
from jobchance.sensitivity.confounding_reliability import belief_reliability
from jobchance.sensitivity.private_information import private_information


def apparent_skill(skill, effect):
    """Forecasting skill that would explain the whole gradient over first answers."""
    study = simulate_study(
        seed=11,
        n_citizens=3500,
        forecasting_skill=skill,
        belief_effect=effect,
        optimism_effect=0.0,
        shift_effect=0.0,
        scale_use=0.0,
    )
    frame = build_panel(study).frame
    first = frame.sort_values(["citizen_id", "wave"]).drop_duplicates("citizen_id")
    first = first.dropna(subset=["outcome", "belief"]).merge(study.truth["citizen"], on="citizen_id")
    reliability = belief_reliability(frame).set_index("answers").loc["same caseworker", "reliability"]
    foreseeable = np.corrcoef(first["outcome"], first["employability"])[0, 1] ** 2
    fit = fit_glm("outcome ~ belief", first, family="gaussian")
    made = private_information(fit, "belief", explained=[1], reliability=reliability, foreseeable=foreseeable)
    return made.frame["skill"][0]


@pytest.mark.parametrize("skill", [0.4, 0.9])
def test_without_an_effect_the_skill_is_the_dial(skill):
    # few hundred jobs: over eight seeds with 4,500 citizens the standard deviation was 0.055
    assert apparent_skill(skill, 0.0) == pytest.approx(skill, abs=0.12)


def test_with_an_effect_more_would_have_to_be_seen_than_is():
    assert apparent_skill(0.4, 0.3) > 0.4 + 0.12
