"""Means over one group's values before and after a moment, leaving out one person's own values."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]


class Timed(NamedTuple):
    """Values with group, person and day (whole number), one row each."""

    group: Codes
    person: Codes
    day: Codes


def before_and_after(values: Floats, of: Timed, at: Timed, *, at_least: int) -> tuple[Floats, Floats]:
    """Mean of the group's values of other persons on days before, and on days after, each wanted row's day.

    Parameters
    ----------
    values : array (n,)
        Complete.
    of : Timed
        Group, person and day of each value.
    at : Timed
        The same of each wanted row (m,); its person's values are left out.
    at_least : int
        Fewer values on a side give NaN.

    Returns
    -------
    tuple of arrays (m,)
        Means before and after.

    Examples
    --------
    >>> zero = np.zeros(3, dtype=int)
    >>> of = Timed(zero, np.array([0, 1, 2]), np.array([1, 2, 3]))
    >>> before_and_after(np.array([5.0, 6, 7]), of, Timed(zero[:1], np.array([1]), np.array([2])), at_least=1)
    (array([5.]), array([7.]))
    """
    means = []
    for later in (False, True):
        total, count = _sums(values, of, at, later=later)
        with np.errstate(invalid="ignore", divide="ignore"):
            means.append(np.where(count >= at_least, total / count, np.nan))
    return means[0], means[1]


def _sums(values: Floats, of: Timed, at: Timed, *, later: bool) -> tuple[Floats, Floats]:
    """Sum and number of the values of other persons on one side of each wanted day."""
    width = int(max(of.person.max(), at.person.max())) + 1
    group = _side(values, of.group, of.day, at.group, at.day, later=later)
    own = _side(
        values, of.group * width + of.person, of.day, at.group * width + at.person, at.day, later=later
    )
    return group[0] - own[0], group[1] - own[1]


def _side(
    values: Floats, key: Codes, day: Codes, at_key: Codes, at_day: Codes, *, later: bool
) -> tuple[Floats, Floats]:
    """Sum and number of values under each key before the day, or after it."""
    start = int(min(day.min(), at_day.min()))
    span = int(max(day.max(), at_day.max())) - start + 2
    place = key * span + (day - start)
    order = np.argsort(place, kind="stable")
    running = np.concatenate([[0.0], np.cumsum(values[order])])
    place, wanted = place[order], at_key * span + (at_day - start)
    if later:
        low = np.searchsorted(place, wanted, side="right")
        high = np.searchsorted(place, (at_key + 1) * span, side="left")
    else:
        low = np.searchsorted(place, at_key * span, side="left")
        high = np.searchsorted(place, wanted, side="left")
    return running[high] - running[low], (high - low).astype(np.float64)
