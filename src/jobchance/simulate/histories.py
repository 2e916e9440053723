"""What happens to each citizen: jobs, education, exits, and what these leave of the planned case."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jobchance.simulate import calendar as cal
from jobchance.simulate.calendar import Days
from jobchance.simulate.caseload import CLOSED, OPEN, Tenures
from jobchance.simulate.events import CumulativeHazard, Spells
from jobchance.simulate.hazards import World

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

# All invented, except that they are small: exit rates per year, lengths in days.
EXITS = {"death": 0.008, "emigration": 0.005, "pension": 0.012, "withdrawn": 0.003}
JOB_LENGTH = (280.0, 1.1)  # median, log standard deviation
EDUCATION_LENGTH = (200.0, 0.7)
SHORTEST_SPELL = 7
SHORTEST_GAP = 14
CLOSES_AFTER_JOB = (14, 90)  # days
MEASURED_IN_JOB = 0.5


@dataclass(frozen=True)
class History:
    """What the registers and the project know of each citizen."""

    jobs: Spells
    education: Spells
    observed_to: Days  # (N,)
    exit_reason: Ints  # (N,): position in EXITS, -1 for the end of the data
    tenures: Tenures
    measured: Bools  # rows of `Beliefs` that became forms


def draw_history(
    rng: np.random.Generator, world: World, job: CumulativeHazard, education: CumulativeHazard
) -> History:
    """Draw exits, jobs and education, then cut caseworker spells and waves where the case ends."""
    observed_to, exit_reason = _draw_exits(rng, world)
    # people in a job are not taken into the project: jobs begin after the first wave
    first_wave = world.beliefs.day[world.beliefs.wave == 0]
    jobs = _draw_spells(rng, first_wave + 1, job, JOB_LENGTH)
    studies = _draw_spells(rng, world.citizens.entry, education, EDUCATION_LENGTH)
    close = _closing_days(rng, world, jobs)
    in_job = rng.random(world.beliefs.day.size) < MEASURED_IN_JOB
    return History(
        jobs=jobs.take(jobs.start < observed_to[jobs.citizen]),
        education=studies.take(studies.start < observed_to[studies.citizen]),
        observed_to=observed_to,
        exit_reason=exit_reason,
        tenures=_cut_tenures(world.tenures, np.minimum(close, observed_to), observed_to),
        measured=_kept_waves(world, jobs, close, observed_to, in_job),
    )


def _draw_exits(rng: np.random.Generator, world: World) -> tuple[Days, Ints]:
    """Exits have a constant rate and nothing to do with employability: censoring is not informative."""
    size = world.citizens.entry.size
    first = world.beliefs.day[world.beliefs.wave == 0]
    rates = np.array(list(EXITS.values()))
    waiting = rng.exponential(365.25 / rates.sum(), size)
    leaves = first + 30 + np.minimum(waiting, 36500).astype(np.int64)
    reason = np.searchsorted(np.cumsum(rates / rates.sum())[:-1], rng.random(size), side="right")
    stays = leaves >= cal.END
    return np.where(stays, cal.END, leaves), np.where(stays, -1, reason)


def _draw_spells(
    rng: np.random.Generator, begin: Days, hazard: CumulativeHazard, length: tuple[float, float]
) -> Spells:
    """Alternate between waiting and a spell until the data end.

    After the first spell the hazard stays what it was when that spell began.
    """
    who = np.arange(begin.size)
    start = hazard.first_event(who, begin, rng.exponential(size=who.size))
    rate = hazard.rate_at(who, np.minimum(start, cal.END - 1))
    found = []
    while True:
        happens = start < cal.END
        who, start, rate = who[happens], start[happens], rate[happens]
        if not who.size:
            break
        median, spread = length
        days = np.maximum(median * np.exp(spread * rng.normal(size=who.size)), SHORTEST_SPELL)
        end = start + days.astype(np.int64)
        found.append((who, start, end))
        wait = rng.exponential(size=who.size) / rate
        start = end + SHORTEST_GAP + np.minimum(wait, 36500).astype(np.int64)
    if not found:
        nothing = np.zeros(0, dtype=np.int64)
        return Spells(nothing, nothing, nothing)
    citizen, begins, ends = (np.concatenate(parts) for parts in zip(*found, strict=True))
    order = np.lexsort((begins, citizen))
    return Spells(citizen[order], begins[order], ends[order])


def _closing_days(rng: np.random.Generator, world: World, jobs: Spells) -> Days:
    """Day on which a first job closes the case; `NEVER` without a job."""
    close = np.full(world.citizens.entry.size, cal.NEVER)
    citizen, row = np.unique(jobs.citizen, return_index=True)
    close[citizen] = jobs.start[row] + rng.integers(*CLOSES_AFTER_JOB, citizen.size)
    return close


def _cut_tenures(tenures: Tenures, close: Days, observed_to: Days) -> Tenures:
    """End caseworker spells at the close of the case; an open one ends with the citizen's follow-up."""
    stop = close[tenures.citizen]
    gone = (tenures.ending == OPEN) & (observed_to[tenures.citizen] < cal.END)
    planned = np.where(
        tenures.ending == OPEN, np.where(gone, observed_to[tenures.citizen], cal.NEVER), tenures.end
    )
    cut = stop < planned
    kept = tenures.start < stop
    return Tenures(
        tenures.citizen[kept],
        tenures.caseworker[kept],
        tenures.number[kept],
        tenures.start[kept],
        np.minimum(planned, stop)[kept],
        np.where(cut | gone, CLOSED, tenures.ending)[kept],
    )


def _kept_waves(world: World, jobs: Spells, close: Days, observed_to: Days, in_job: Bools) -> Bools:
    """Waves before the close and the exit; half of those in a job; none after one left out."""
    beliefs = world.beliefs
    row = (
        np.searchsorted(
            cal.key(jobs.citizen, jobs.start), cal.key(beliefs.citizen, beliefs.day), side="right"
        )
        - 1
    )
    row = np.maximum(row, 0)
    working = np.zeros(beliefs.day.size, dtype=bool)
    if jobs.citizen.size:
        working = (
            (jobs.citizen[row] == beliefs.citizen)
            & (jobs.start[row] <= beliefs.day)
            & (beliefs.day < jobs.end[row])
        )
    kept = (beliefs.day < np.minimum(close, observed_to)[beliefs.citizen]) & (~working | in_job)
    # monotone: the first wave that is missing ends the series
    missed = np.cumsum(~kept)
    before = np.concatenate(([0], missed))[np.searchsorted(beliefs.citizen, beliefs.citizen)]
    return np.asarray(missed - before == 0)
