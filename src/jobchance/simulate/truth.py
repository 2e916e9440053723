"""`study.truth`: every parameter of a simulated study, its true effects, and the latent variables by id."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from jobchance.simulate import actions, calibration, caseload, people
from jobchance.simulate.hazards import Segments, World
from jobchance.simulate.histories import History
from jobchance.simulate.true_effects import true_effects


def build_truth(
    world: World, segments: Segments, history: History, *, seed: int, ids: dict[str, NDArray[np.object_]]
) -> dict[str, object]:
    """Return parameters, true effects in percentage points, and the latent variables by id."""
    return {
        "preset": "bip",
        "seed": seed,
        "dials": asdict(world.dials),
        "parameters": _parameters(world),
        "effects": true_effects(world, segments, history),
        "caseworker": pd.DataFrame(
            {
                "caseworker_id": ids["caseworker"],
                "optimism": world.caseworkers.alpha,
                "effect": world.caseworkers.effect,
                "stretch": world.caseworkers.stretch,
            }
        ),
        "citizen": pd.DataFrame({"citizen_id": ids["citizen"], "employability": world.citizens.theta}),
    }


def _parameters(world: World) -> dict[str, object]:
    """Constants behind the study, by name."""
    return {
        "log_hazard_level": world.hazard.level,
        "log_hazard_employability": world.hazard.slope,
        "log_hazard_optimism": world.dials.optimism_effect,
        "log_hazard_belief_step": world.dials.belief_effect,
        "log_hazard_shift": world.dials.shift_effect,
        "log_hazard_activity": world.dials.action_effect,
        "log_odds_activity": {
            "first": actions.FIRST,
            "level": actions.LEVEL,
            "persistence": actions.PERSISTENCE,
            "belief_step": world.dials.belief_action,
            "trait_sd": actions.TRAIT_SD,
        },
        "log_hazard_progress_per_year": calibration.PROGRESS,
        "caseworker_sd": people.CASEWORKER_SD,
        "jobcentre_sd": people.JOBCENTRE_SD,
        "belief_weights": {
            "seen": calibration.W_SEEN,
            "optimism": calibration.W_OPTIMISM,
            "wave": calibration.W_WAVE,
        },
        "belief_cuts": calibration.belief_cuts(world.dials).tolist(),
        "belief_shares": list(calibration.BELIEF_SHARES),
        "shift_rate_per_year": caseload.SHIFT_RATE * 365.25,
        "dropout_rate_per_wave": world.dials.attrition * caseload.DROPOUT_RATE,
    }
