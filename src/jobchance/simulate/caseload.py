"""Who is in charge of whom and when: planned waves, drop-out, caseworkers and shifts.

Everything here is *planned*: a job, death or another exit cuts the plan short (`histories.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from jobchance.simulate import calendar as cal
from jobchance.simulate.calendar import Days
from jobchance.simulate.dials import Dials
from jobchance.simulate.people import Caseworkers, Citizens

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

DROPOUT_RATE = 0.405  # per wave at attrition 1
DROPOUT_TILT = -0.06  # log rate per unit of theta: those furthest from work drop out a little more
SHIFT_RATE = 1.72 / 365.25  # per day, apart from caseworkers who leave
SHIFT_SHAPE = 0.4  # gamma shape of its spread over citizens: most have few shifts, some many
MIN_TENURE = 14  # days

CASEWORKER_LEFT, OTHER_SHIFT, CLOSED, OPEN = range(4)


@dataclass(frozen=True)
class Plan:
    """Planned measurements: `n_waves` of the `MAX_WAVES` columns of `planned` and `measured` count."""

    n_waves: Ints  # (N,)
    planned: Days  # (N, MAX_WAVES)
    measured: Days  # (N, MAX_WAVES)
    case_end: Days  # (N,)


@dataclass(frozen=True)
class Tenures:
    """Caseworker spells [start, end) of every case, ordered by citizen and start; shape (R,)."""

    citizen: Ints
    caseworker: Ints
    number: Ints  # 0 for the first caseworker of a citizen, 1 after one shift, ...
    start: Days
    end: Days
    ending: Ints


def plan_waves(rng: np.random.Generator, dials: Dials, citizens: Citizens) -> Plan:
    """Plan a wave every 91 days until drop-out or the end of measurements."""
    size = citizens.entry.size
    begin = citizens.entry + rng.integers(10, 29, size)
    planned = begin[:, None] + cal.WAVE_DAYS * np.arange(cal.MAX_WAVES)
    jitter = rng.integers(-8, 9, planned.shape)
    measured = cal.workdays(planned + jitter)
    rate = dials.attrition * DROPOUT_RATE * np.exp(DROPOUT_TILT * citizens.theta)
    stays = rng.random((size, cal.MAX_WAVES - 1)) < np.exp(-rate)[:, None]
    retained = 1 + np.cumprod(stays, axis=1).sum(axis=1)
    possible = (measured <= cal.LAST_MEASUREMENT).sum(axis=1)
    n_waves = np.minimum(retained, possible)
    last = measured[np.arange(size), n_waves - 1]
    dropped = last + rng.integers(14, 78, size)
    # who is still measured at the last possible wave has an open case when the project ends
    case_end = np.where(
        (retained > possible) | (possible == cal.MAX_WAVES) & (retained == possible), cal.NEVER, dropped
    )
    return Plan(n_waves, planned, measured, case_end.astype(np.int64))


def draw_tenures(
    rng: np.random.Generator, dials: Dials, citizens: Citizens, caseworkers: Caseworkers, plan: Plan
) -> Tenures:
    """Give every case its caseworkers: one at entry, a new one at every shift until the case ends."""
    active = np.arange(citizens.entry.size)
    start = citizens.entry.copy()
    caseworker = _draw_caseworker(rng, dials, citizens, caseworkers, active, start, np.full(active.size, -1))
    until = np.minimum(plan.case_end, cal.PROJECT_END)
    rate = SHIFT_RATE * rng.gamma(SHIFT_SHAPE, 1 / SHIFT_SHAPE, active.size)
    rows = []
    number = 0
    while active.size:
        wait = rng.exponential(size=active.size) / np.maximum(rate[active], 1e-9)
        shift = start + MIN_TENURE + np.minimum(wait, 36500).astype(np.int64)
        left = caseworkers.left[caseworker]
        end = np.minimum(np.minimum(shift, left), until[active])
        ending = np.select([end == until[active], end == left], [CLOSED, CASEWORKER_LEFT], OTHER_SHIFT)
        ending[(ending == CLOSED) & (plan.case_end[active] == cal.NEVER)] = OPEN
        rows.append((active, caseworker, np.full(active.size, number), start, end, ending))
        goes_on = (ending == CASEWORKER_LEFT) | (ending == OTHER_SHIFT)
        active, start = active[goes_on], end[goes_on]
        caseworker = _draw_caseworker(rng, dials, citizens, caseworkers, active, start, caseworker[goes_on])
        number += 1
    columns = [np.concatenate(parts) for parts in zip(*rows, strict=True)]
    order = np.lexsort((columns[3], columns[0]))
    return Tenures(*(column[order] for column in columns))


def _draw_caseworker(
    rng: np.random.Generator,
    dials: Dials,
    citizens: Citizens,
    caseworkers: Caseworkers,
    who: Ints,
    at: Days,
    former: Ints,
) -> Ints:
    """Draw a caseworker of the citizen's jobcentre who works there at that day and is not the former one.

    With sorting rho the drawn rank in optimism is that of rho * theta + sqrt(1 - rho^2) * noise.
    """
    chosen = np.full(who.size, -1, dtype=np.int64)
    open_ = np.arange(who.size)
    rho = dials.sorting
    for attempt in range(60):
        if attempt == 20:
            rho = 0.0  # strong sorting can ask for ever the same absent caseworker
        if not open_.size:
            return chosen
        person = who[open_]
        office = citizens.jobcentre[person]
        score = rho * citizens.theta[person] + np.sqrt(1 - rho**2) * rng.normal(size=person.size)
        rank = (ndtr(score) * caseworkers.count[office]).astype(np.int64)
        drawn = caseworkers.first[office] + np.minimum(rank, caseworkers.count[office] - 1)
        day = at[open_]
        fits = (
            (caseworkers.hired[drawn] <= day)
            & (caseworkers.left[drawn] > day + MIN_TENURE)
            & (drawn != former[open_])
        )
        chosen[open_[fits]] = drawn[fits]
        open_ = open_[~fits]
    return _fall_back(citizens, caseworkers, who, at, former, chosen)


def _fall_back(
    citizens: Citizens, caseworkers: Caseworkers, who: Ints, at: Days, former: Ints, chosen: Ints
) -> Ints:
    """Take the first caseworker who fits, for the few for whom no draw did."""
    for position in np.flatnonzero(chosen < 0):
        office = citizens.jobcentre[who[position]]
        team = caseworkers.first[office] + np.arange(caseworkers.count[office])
        works = (caseworkers.hired[team] <= at[position]) & (
            caseworkers.left[team] > at[position] + MIN_TENURE
        )
        chosen[position] = team[works & (team != former[position])][0]
    return chosen
