"""What belief and activity do to each other from wave to wave, in truth."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from jobchance.simulate import calibration
from jobchance.simulate.actions import next_probability
from jobchance.simulate.beliefs import answer_with
from jobchance.simulate.hazards import World
from jobchance.simulate.truth_rows import TruthRows

Ints = NDArray[np.int64]


def action_truth(world: World, rows: TruthRows) -> dict[str, float]:
    """Effects from one wave to the next, averaged over measurements that are followed by another one.

    Returns
    -------
    dict
        `belief_to_action`, `action_to_belief`: the dials (log odds per step; standard deviations of the
        latent belief). `belief_to_action_pp`: P(activity at the next wave) with the answer half a step
        higher less that with it half a step lower, in percentage points, given the activity at this wave.
        `action_to_belief_steps`: how many steps higher the next answer is with an activity at this wave than
        without. `action_share`: activities going on at those measurements.
    """
    beliefs, dials = world.beliefs, world.dials
    followed = np.append(
        (rows.citizen[1:] == rows.citizen[:-1]) & (rows.form[1:] == rows.form[:-1] + 1), False
    )[: rows.form.size]
    form = rows.form[followed]
    low, high = (
        next_probability(
            dials, world.propensity, beliefs.citizen[form], beliefs.active[form], beliefs.answer[form] + step
        )
        for step in (-0.5, 0.5)
    )
    workers = world.caseworkers
    after = form + 1
    rater = world.tenures.caseworker[beliefs.tenure[after]]
    without, with_ = (
        answer_with(
            dials,
            latent=beliefs.latent[after] + calibration.W_OPTIMISM * workers.alpha[rater],
            stretch=workers.stretch[rater],
            before=before,
        )
        for before in (False, True)
    )
    known = form.size > 0
    return {
        "belief_to_action": dials.belief_action,
        "belief_to_action_pp": 100 * float(np.mean(high - low)) if known else float("nan"),
        "action_to_belief": dials.action_feedback,
        "action_to_belief_steps": float(np.mean(with_ - without)) if known else float("nan"),
        "action_share": float(np.mean(beliefs.active[form])) if known else float("nan"),
    }
