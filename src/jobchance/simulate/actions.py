"""Activities between the waves: who has one when, and how belief and action move each other.

Letters: A_t is 1 if an activity is going on on the day of wave t, B_t the caseworker's answer at that wave.

    P(A_0 = 1) = logistic(FIRST + trait),
    P(A_{t+1} = 1) = logistic(LEVEL + trait + PERSISTENCE A_t + belief_action (B_t - 2.57)),

and the latent belief at wave t+1 is higher by `action_feedback` of its standard deviations if A_t = 1. The
trait lasts. Who has no intervention at all (a published share) has A = 0 throughout. All constants are
invented: no number on activities by wave is public.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from jobchance.simulate import calendar as cal
from jobchance.simulate.calibration import MEAN_BELIEF
from jobchance.simulate.caseload import Plan
from jobchance.simulate.dials import Dials
from jobchance.simulate.people import Citizens

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

FIRST, LEVEL = -0.5, -1.3
PERSISTENCE = 2.0
TRAIT_SD = 0.8
TRAIT_WITH_THETA = 0.15  # correlation: activities go a little more to those nearer to work
SWITCHES = 0.25  # share of the quarters inside a run of activity in which one activity follows another


@dataclass(frozen=True)
class Propensity:
    """What decides about activities apart from belief: one row per citizen (N) or planned wave (M)."""

    trait: Floats  # (N,)
    any: Bools  # (N,)
    luck: Floats  # (M,), uniform: an activity is going on where it is below the probability
    day: Floats  # (M,), uniform: where in the time since the wave before a change lies
    switch: Bools  # (M,)
    tail: Floats  # (N,), uniform: how long after the last planned wave an activity lasts


@dataclass(frozen=True)
class ActivityRuns:
    """Spells [start, end) of activities as planned, ordered by citizen and start; they do not overlap."""

    citizen: Ints
    start: Ints
    end: Ints


def draw_propensity(rng: np.random.Generator, citizens: Citizens, plan: Plan) -> Propensity:
    """Draw everything random about activities, so that two worlds can share it."""
    size, n_rows = citizens.theta.size, int(plan.n_waves.sum())
    own = rng.normal(size=size)
    shared = TRAIT_WITH_THETA * citizens.theta + np.sqrt(1 - TRAIT_WITH_THETA**2) * own
    return Propensity(
        trait=np.asarray(TRAIT_SD * shared),
        any=citizens.traits["any_intervention"],
        luck=rng.random(n_rows),
        day=rng.random(n_rows),
        switch=rng.random(n_rows) < SWITCHES,
        tail=rng.random(size),
    )


def first_probability(propensity: Propensity, citizen: Ints) -> Floats:
    """P(A_0 = 1)."""
    return np.asarray(propensity.any[citizen] * expit(FIRST + propensity.trait[citizen]))


def next_probability(
    dials: Dials, propensity: Propensity, citizen: Ints, active: Bools, answer: Ints | Floats
) -> Floats:
    """P(A_{t+1} = 1 | A_t, B_t)."""
    index = (
        LEVEL
        + propensity.trait[citizen]
        + PERSISTENCE * active
        + dials.belief_action * (answer - MEAN_BELIEF)
    )
    return np.asarray(propensity.any[citizen] * expit(index))


def plan_runs(
    propensity: Propensity,
    *,
    citizen: Ints,
    wave: Ints,
    day: Ints,
    active: Bools,
    entry: Ints,
    case_end: Ints,
) -> ActivityRuns:
    """Lay out activities such that one is going on on the day of a planned wave exactly where `active`.

    A change lies somewhere after the wave before and not after the day of this one; before the first wave
    it lies between entry and that wave. What goes on at the last planned wave ends within 91 days of it and
    with the case.

    Parameters
    ----------
    propensity : Propensity
        Where changes lie, and where one activity follows another.
    citizen, wave, day, active : arrays, shape (M,)
        Planned waves ordered by citizen and wave, and A.
    entry, case_end : int, shape (N,)
        Day of entry, and day on which the case is planned to end.
    """
    first = wave == 0
    before = np.where(first, entry[citizen] - 1, np.append(0, day[:-1]))
    change = before + 1 + np.floor(propensity.day * (day - before)).astype(np.int64)
    went_on = np.append(False, active[:-1]) & ~first
    starts = active & (~went_on | propensity.switch)
    last = np.append(first[1:], True)
    tail = day + 1 + np.floor(propensity.tail[citizen] * cal.WAVE_DAYS).astype(np.int64)
    closes = np.where(case_end < cal.NEVER, np.minimum(case_end, cal.PROJECT_END), cal.NEVER)[citizen]
    after = np.where(
        last, np.minimum(tail, closes), np.append(change[1:], 0)
    )  # day on which what goes on here may end
    ends = active & (last | ~np.append(active[1:], False) | np.append(propensity.switch[1:], False))
    return ActivityRuns(citizen[starts], change[starts], after[ends])
