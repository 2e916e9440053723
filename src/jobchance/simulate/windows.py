"""Outcome windows that tile follow-up, and the union of two kinds of spells."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jobchance.simulate import calendar as cal
from jobchance.simulate.calendar import Days
from jobchance.simulate.events import Spells

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Windows:
    """Half-open windows; `event` and `event_end` are `NEVER` where there is none."""

    citizen: Ints
    start: Days
    end: Days
    value: Ints
    event: Days
    event_end: Days


def tile_windows(spells: Spells, observed_from: Days, observed_to: Days) -> Windows:
    """Split every follow-up where a spell ends; a last window without event closes it.

    Parameters
    ----------
    spells : Spells
        Not overlapping, ordered, starting inside follow-up; may end after it.
    observed_from, observed_to : int, shape (N,)
        Follow-up [from, to) of every citizen.
    """
    stop = observed_to[spells.citizen]
    ends = np.minimum(spells.end, stop)
    first = np.append(True, spells.citizen[1:] != spells.citizen[:-1])[: spells.citizen.size]
    starts = np.where(first, observed_from[spells.citizen], np.append(0, ends[:-1])[: ends.size])
    reached = observed_from.copy()
    reached[spells.citizen] = ends  # ordered: the last spell of each citizen wins
    rest = np.flatnonzero(reached < observed_to)
    nothing = np.full(rest.size, cal.NEVER)
    columns = (
        (spells.citizen, rest),
        (starts, reached[rest]),
        (ends, observed_to[rest]),
        (np.ones_like(ends), np.zeros_like(rest)),
        (spells.start, nothing),
        (np.where(spells.end <= stop, spells.end, cal.NEVER), nothing),
    )
    joined = [np.concatenate(pair) for pair in columns]
    order = np.lexsort((joined[1], joined[0]))
    return Windows(*(column[order] for column in joined))


def union(left: Spells, right: Spells) -> Spells:
    """Time covered by either kind of spell, overlapping and touching ones merged."""
    citizen = np.concatenate((left.citizen, right.citizen))
    start = np.concatenate((left.start, right.start))
    end = np.concatenate((left.end, right.end))
    order = np.lexsort((start, citizen))
    citizen, start, end = citizen[order], start[order], np.minimum(end[order], cal.NEVER)
    reach = np.maximum.accumulate(cal.key(citizen, end)) if citizen.size else citizen
    opens = np.ones(citizen.size, dtype=bool)
    opens[1:] = cal.key(citizen[1:], start[1:]) > reach[:-1]
    rows = np.flatnonzero(opens)
    lasts = np.append(rows[1:] - 1, citizen.size - 1)[: rows.size]
    return Spells(citizen[rows], start[rows], cal.day_of(reach[lasts]))
