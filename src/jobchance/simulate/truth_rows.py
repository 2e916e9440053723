"""The measurements over which true effects are averaged."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jobchance.simulate import calendar as cal
from jobchance.simulate.hazards import World
from jobchance.simulate.histories import History

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class TruthRows:
    """Measurements before the citizen's first job, ordered by citizen and wave; shape (R,)."""

    form: Ints  # row of `Beliefs`
    citizen: Ints
    tenure: Ints  # row of `Tenures`
    begin: Ints  # first Monday after the measurement
    end: Ints  # 52 weeks later
    until: Ints  # day on which the citizen's next caseworker begins, inside [begin, end]
    answered: (
        Ints  # day of the next caseworker's first answer, inside [until, end]: the old one stands so long
    )


def truth_rows(world: World, history: History) -> TruthRows:
    """Find the measurements and their windows."""
    beliefs = world.beliefs
    first = np.full(world.citizens.entry.size, cal.NEVER)
    worked, row = np.unique(history.jobs.citizen, return_index=True)
    first[worked] = history.jobs.start[row]
    form = np.flatnonzero(history.measured & (beliefs.day < first[beliefs.citizen]))
    begin = cal.window_starts(beliefs.day[form])
    end = np.minimum(begin + cal.HORIZON_DAYS, cal.END)
    citizen = beliefs.citizen[form]
    leaves = _next_start(world, beliefs.tenure[form])
    following = np.searchsorted(cal.key(beliefs.citizen, beliefs.day), cal.key(citizen, leaves))
    known = np.append(beliefs.citizen, -1)[following] == citizen
    answered = np.where(known, np.append(beliefs.day, cal.NEVER)[following], cal.NEVER)
    until = np.clip(leaves, begin, end)
    return TruthRows(
        form=form,
        citizen=citizen,
        tenure=beliefs.tenure[form],
        begin=begin,
        end=end,
        until=until,
        answered=np.clip(answered, until, end),
    )


def first_meetings(world: World, rows: TruthRows) -> tuple[Bools, Bools]:
    """Rows that are a citizen's first with a caseworker, and rows with another one than the row before."""
    rater = world.tenures.caseworker[rows.tenure]
    met = np.zeros(rows.citizen.size, dtype=bool)
    met[np.unique(rows.citizen * world.caseworkers.alpha.size + rater, return_index=True)[1]] = True
    new = np.zeros(rows.citizen.size, dtype=bool)
    new[1:] = (rows.citizen[1:] == rows.citizen[:-1]) & (rater[1:] != rater[:-1])
    return met, new


def _next_start(world: World, tenure: Ints) -> Ints:
    """Day on which the next caseworker of the same citizen begins; `NEVER` if there is none."""
    tenures = world.tenures
    following = np.append(tenures.start[1:], cal.NEVER)
    following[np.append(tenures.citizen[1:] != tenures.citizen[:-1], True)] = cal.NEVER
    return np.asarray(following[tenure])
