"""`study.truth`: every parameter of a simulated study and its true average effects, from the hazards.

Effects are differences of P(job in the 52 weeks from the first Monday after the measurement) between two
worlds, averaged over the measurements before a first job. With H the hazard summed over the window,
P = 1 - exp(-H): exact, no outcome is drawn.
"""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from jobchance.simulate import calendar as cal
from jobchance.simulate import calibration, caseload, people
from jobchance.simulate.events import CumulativeHazard
from jobchance.simulate.hazards import Segments, World, job_hazard
from jobchance.simulate.histories import History

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


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


def true_effects(world: World, segments: Segments, history: History) -> dict[str, float]:
    """Average effects on P(job within 52 weeks), in percentage points; exactly zero where the dial is zero.

    Returns
    -------
    dict
        `optimism_sd_pp`: a caseworker one standard deviation more optimistic, from the measurement until
        the citizen's next caseworker; answers follow the disposition.
        `belief_step_pp`: an answer one step higher at this wave and all later ones.
        `belief_step_one_wave_pp`: one step higher until the next wave only.
        `shift_pp`: having had a shift against not having had one.
        Each with the same effect relative to the rate without it (`..._relative`), and `base_rate`.
    """
    rows = _rows_before_job(world, history)
    citizen, tenure = world.beliefs.citizen[rows], world.beliefs.tenure[rows]
    begin = cal.window_starts(world.beliefs.day[rows])
    end = np.minimum(begin + cal.HORIZON_DAYS, cal.END)
    actual = job_hazard(world, segments)
    raised = job_hazard(world, segments, raised=True)
    base = actual.between(citizen, begin, end)
    # this caseworker's time: until the next one begins, or the window ends
    until = np.clip(_next_start(world, tenure), begin, end)
    own = actual.between(citizen, begin, until)
    next_wave = np.clip(world.beliefs.day[rows] + cal.WAVE_DAYS, begin, end)
    step = np.expm1(world.dials.belief_effect)
    effects = {
        "optimism_sd": (base, base + (raised.between(citizen, begin, until) - own)),
        "belief_step": (base, base + step * base),
        "belief_step_one_wave": (base, base + step * actual.between(citizen, begin, next_wave)),
        "shift": tuple(_shift_worlds(world, segments, citizen, begin, end)),
    }
    result = {"base_rate": _mean_probability(base)}
    for name, (without, with_) in effects.items():
        difference = _mean_probability(with_) - _mean_probability(without)
        result[f"{name}_pp"] = 100 * difference
        result[f"{name}_relative"] = difference / _mean_probability(without)
    return result


def _rows_before_job(world: World, history: History) -> NDArray[np.bool_]:
    """Forms filled in before the citizen's first job."""
    first = np.full(world.citizens.entry.size, cal.NEVER)
    citizen, row = np.unique(history.jobs.citizen, return_index=True)
    first[citizen] = history.jobs.start[row]
    return np.asarray(history.measured & (world.beliefs.day < first[world.beliefs.citizen]))


def _next_start(world: World, tenure: Ints) -> Ints:
    """Day on which the next caseworker of the same citizen begins; `NEVER` if there is none."""
    tenures = world.tenures
    following = np.append(tenures.start[1:], cal.NEVER)
    following[np.append(tenures.citizen[1:] != tenures.citizen[:-1], True)] = cal.NEVER
    return np.asarray(following[tenure])


def _shift_worlds(world: World, segments: Segments, citizen: Ints, begin: Ints, end: Ints) -> list[Floats]:
    """Summed hazards had nobody, and had everybody, had a shift."""
    worlds: list[CumulativeHazard] = [job_hazard(world, segments, shifted=value) for value in (False, True)]
    return [hazard.between(citizen, begin, end) for hazard in worlds]


def _mean_probability(total: Floats) -> float:
    """Average probability of at least one event."""
    return float(np.mean(-np.expm1(-total)))
