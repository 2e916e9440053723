"""The hazards of the simulated study: when they change, and their level under the world as it is or another.

    log h(t) = level + slope theta + optimism_effect alpha_j(t) + belief_effect (B(t) - 2.57)
               + shift_effect [a shift has happened] + action_effect A(t)
               + progress (t - entry) + caseworker + jobcentre

with j(t) the caseworker in charge (after the case: the last one) and B(t) the answer that stands (that of
the last wave; before the first wave that of the first), A(t) whether an activity is going on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jobchance.simulate import calendar as cal
from jobchance.simulate import calibration
from jobchance.simulate.actions import ActivityRuns, Propensity
from jobchance.simulate.beliefs import Beliefs
from jobchance.simulate.calibration import Hazard
from jobchance.simulate.caseload import Tenures
from jobchance.simulate.dials import Dials
from jobchance.simulate.events import CumulativeHazard
from jobchance.simulate.people import Caseworkers, Citizens, Offices

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
YEAR = 364.0  # days; the horizon's year of 52 weeks


@dataclass(frozen=True)
class World:
    """Everything drawn before any job: people, plan and beliefs."""

    dials: Dials
    offices: Offices
    caseworkers: Caseworkers
    citizens: Citizens
    propensity: Propensity
    planned: Ints  # (N, MAX_WAVES), planned day of every wave
    tenures: Tenures
    beliefs: Beliefs
    runs: Mapping[float, ActivityRuns]  # by how much dispositions are raised
    hazard: Hazard


@dataclass(frozen=True)
class Segments:
    """Stretches of time in which nothing that moves a hazard changes, ordered by citizen and day."""

    keys: Ints
    citizen: Ints
    start: Ints
    last: Ints
    tenure: Ints
    belief: Ints


def build_segments(world: World) -> Segments:
    """Cut every citizen's time at entry, waves, shifts and every 91 days after entry.

    Activities of all worlds cut it too, where they have an effect.
    """
    citizens, tenures, beliefs = world.citizens, world.tenures, world.beliefs
    size = citizens.entry.size
    quarters = -(-(cal.END - cal.FIRST_ENTRY) // cal.WAVE_DAYS)
    who = np.repeat(np.arange(size), quarters)
    grid = citizens.entry[who] + cal.WAVE_DAYS * np.tile(np.arange(quarters), size)
    inside = grid < cal.END
    keys = np.unique(
        np.concatenate(
            (
                cal.key(who[inside], grid[inside]),
                cal.key(tenures.citizen, tenures.start),
                cal.key(beliefs.citizen, beliefs.day),
                *_action_cuts(world),
            )
        )
    )
    citizen = cal.citizen_of(keys)
    start = cal.day_of(keys)
    last = np.append(start[1:], cal.END)
    last[np.append(citizen[1:] != citizen[:-1], True)] = cal.END
    tenure = np.searchsorted(cal.key(tenures.citizen, tenures.start), keys, side="right") - 1
    belief = np.searchsorted(cal.key(beliefs.citizen, beliefs.day), keys, side="right") - 1
    first = np.searchsorted(beliefs.citizen, citizen)
    return Segments(keys, citizen, start, last, tenure, np.maximum(belief, first))


def _action_cuts(world: World) -> list[Ints]:
    """Keys of the days on which activities begin or end; none where they do nothing to the hazard."""
    if world.dials.action_effect == 0:
        return []
    return [cal.key(runs.citizen, day) for runs in world.runs.values() for day in (runs.start, runs.end)]


def job_hazard(
    world: World,
    segments: Segments,
    *,
    raised: float = 0.0,
    answers_raised: float | None = None,
    shifted: bool | None = None,
    active: bool | None = None,
) -> CumulativeHazard:
    """Hazard of a job; with `raised` every disposition is so many standard deviations higher.

    Answers and activities follow the disposition, unless `answers_raised` raises them by another amount.
    `shifted` and `active` set the term of a shift and of an activity for everybody at all times; None leaves
    it as it happens.
    """
    dials, tenures = world.dials, world.tenures
    rater = tenures.caseworker[segments.tenure]
    course = raised if answers_raised is None else answers_raised
    answer = world.beliefs.courses[course].answer[segments.belief]
    held = _active(world, segments, world.runs[course]) if active is None else np.full(rater.size, active)
    after = tenures.number[segments.tenure] > 0 if shifted is None else np.full(rater.size, shifted)
    log_rate = (
        world.hazard.level
        + world.hazard.slope * world.citizens.theta[segments.citizen]
        + dials.optimism_effect * (world.caseworkers.alpha[rater] + raised)
        + dials.belief_effect * (answer - calibration.MEAN_BELIEF)
        + dials.shift_effect * after
        + calibration.PROGRESS * (segments.start - world.citizens.entry[segments.citizen]) / 365.25
        + _places(world, segments)
        + dials.action_effect * held
    )
    return _cumulate(segments, log_rate)


def _active(world: World, segments: Segments, runs: ActivityRuns) -> NDArray[np.bool_]:
    """Whether an activity is going on in each segment; not looked up where it does not matter."""
    if world.dials.action_effect == 0 or not runs.citizen.size:
        return np.zeros(segments.keys.size, dtype=bool)
    row = np.searchsorted(cal.key(runs.citizen, runs.start), segments.keys, side="right") - 1
    own = (row >= 0) & (runs.citizen[row] == segments.citizen)
    return np.asarray(own & (segments.start < runs.end[row]))


def education_hazard(world: World, segments: Segments) -> CumulativeHazard:
    """Hazard of ordinary education: flatter in theta, falling with age, no effect of belief or optimism."""
    age = world.citizens.age[segments.citizen]
    log_rate = (
        np.log(calibration.EDUCATION_RATE)
        + calibration.EDUCATION_SLOPE * world.citizens.theta[segments.citizen]
        + calibration.EDUCATION_AGE_SLOPE * (age - calibration.EDUCATION_AGE)
        + _places(world, segments)
    )
    return _cumulate(segments, log_rate)


def _places(world: World, segments: Segments) -> Floats:
    """What the caseworker in charge and the jobcentre do to both hazards, apart from optimism."""
    rater = world.tenures.caseworker[segments.tenure]
    return np.asarray(
        world.caseworkers.effect[rater] + world.offices.effect[world.caseworkers.jobcentre[rater]]
    )


def _cumulate(segments: Segments, log_rate: Floats) -> CumulativeHazard:
    """Hazard per day from log yearly rates."""
    return CumulativeHazard(
        keys=segments.keys,
        rates=np.exp(log_rate) / YEAR,
        start=segments.start,
        last=segments.last,
        citizen=segments.citizen,
    )
