"""Piecewise-constant hazards per citizen, the events they bring, and spells made of events.

All citizens lie end to end on one axis of cumulated hazard, so that the first event of each is one search.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from jobchance.simulate import calendar as cal

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Spells:
    """Spells [start, end) ordered by citizen and start; `end` may lie beyond the data."""

    citizen: Ints
    start: Ints
    end: Ints

    def take(self, rows: NDArray[np.bool_] | Ints) -> Spells:
        """Keep the given rows."""
        return Spells(self.citizen[rows], self.start[rows], self.end[rows])


@dataclass(frozen=True)
class CumulativeHazard:
    """Hazard summed over time.

    Parameters
    ----------
    keys : int, shape (S,)
        Start of every segment as `cal.key(citizen, day)`, ascending.
    rates : float, shape (S,)
        Hazard per day inside the segment.
    last : int, shape (S,)
        Day on which the segment ends.
    start : int, shape (S,)
        Day on which the segment begins.
    citizen : int, shape (S,)
        Whose segment it is.
    """

    keys: Ints
    rates: Floats
    start: Ints
    last: Ints
    citizen: Ints
    total: Floats = field(init=False)  # hazard summed over all segments before

    def __post_init__(self) -> None:
        total = np.concatenate(([0.0], np.cumsum(self.rates * (self.last - self.start))[:-1]))
        object.__setattr__(self, "total", total)

    def at(self, citizen: Ints, day: Ints) -> Floats:
        """Cumulated hazard of each citizen at each day (an arbitrary constant in front)."""
        row = np.searchsorted(self.keys, cal.key(citizen, day), side="right") - 1
        return np.asarray(self.total[row] + self.rates[row] * (day - self.start[row]))

    def between(self, citizen: Ints, begin: Ints, end: Ints) -> Floats:
        """Hazard summed over [begin, end)."""
        return self.at(citizen, end) - self.at(citizen, begin)

    def rate_at(self, citizen: Ints, day: Ints) -> Floats:
        """Hazard per day of each citizen at each day."""
        return self.rates[np.searchsorted(self.keys, cal.key(citizen, day), side="right") - 1]

    def first_event(self, citizen: Ints, begin: Ints, threshold: Floats) -> Ints:
        """Day on which the hazard since `begin` passes the unit-exponential threshold; else `NEVER`."""
        goal = self.at(citizen, begin) + threshold
        row = np.maximum(np.searchsorted(self.total, goal, side="right") - 1, 0)
        own = self.citizen[row] == citizen
        with np.errstate(divide="ignore", invalid="ignore"):
            day = self.start[row] + np.floor((goal - self.total[row]) / self.rates[row])
        happens = own & (day < self.last[row])
        return np.where(happens, np.maximum(np.nan_to_num(day, posinf=0.0), begin), cal.NEVER).astype(
            np.int64
        )
