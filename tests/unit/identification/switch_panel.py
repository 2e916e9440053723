"""Panels made by hand or by chance for the tests of changes of caseworker."""

import numpy as np
import pandas as pd

from jobchance.indicator.optimism import leave_one_out_optimism
from jobchance.panel.model import AnalysisPanel

REASONS = ("caseworker_left", "leave", "reorganised", "requested", None)


def panel_of(frame, covariates=()):
    return AnalysisPanel(frame, pd.DataFrame(), {"covariates": tuple(covariates), "outcome": "job"})


def rows_of(**workers):
    """One citizen per keyword, one letter per wave for the caseworker; `.` is unknown, `-` no form."""
    records = []
    for citizen, letters in workers.items():
        for wave, letter in enumerate(letters, start=1):
            if letter != "-":
                worker = None if letter == "." else letter
                records.append({"citizen_id": citizen, "wave": wave, "caseworker_id": worker})
    frame = pd.DataFrame(records).assign(jobcentre_id="J", period="2014H1")
    return frame.assign(belief=3.0, expectation=3.0, optimism=0.0, outcome=0.0)


def chance_panel(
    seed=0, *, citizens=400, workers=24, centres=2, waves=6, shift=0.25, slope=0.0, step=0.0, ability=0.0
):
    """Citizens with caseworkers drawn anew with chance `shift` each wave; nothing but chance decides who.

    The outcome depends on the caseworker by `slope`, on a change by `step`, on the citizen by `ability`.
    """
    rng = np.random.default_rng(seed)
    alpha = rng.normal(size=workers)
    centre = np.arange(workers) % centres
    records = []
    for citizen in range(citizens):
        home = rng.integers(centres)
        team = np.flatnonzero(centre == home)
        worker, theta = rng.choice(team), rng.normal()
        changed = False
        for wave in range(1, rng.integers(2, waves + 1) + 1):
            reason = None
            if wave > 1 and rng.random() < shift:
                worker, changed = rng.choice(team[team != worker]), True
                reason = REASONS[rng.integers(len(REASONS))]
            belief = 3 + 0.7 * theta + 0.5 * alpha[worker] + 0.5 * rng.normal()
            chance = 0.2 + slope * alpha[worker] + step * changed + ability * theta
            weeks = rng.integers(0, 52) if rng.random() < chance else 52
            records.append(
                {
                    "citizen_id": f"c{citizen}",
                    "caseworker_id": f"w{worker}",
                    "jobcentre_id": f"j{home}",
                    "wave": wave,
                    "period": f"h{(wave + 1) // 2}",
                    "belief": belief,
                    "expectation": belief,
                    "outcome": float(weeks < 52),
                    "weeks_to_outcome": float(weeks),
                    "event_observed": weeks < 52,
                    "shift_reason": reason,
                    "age": 40 + 5 * theta,
                    "sex": "man" if citizen % 2 else "woman",
                }
            )
    frame = pd.DataFrame(records)
    return panel_of(frame.assign(optimism=leave_one_out_optimism(frame)), ("age", "sex"))
