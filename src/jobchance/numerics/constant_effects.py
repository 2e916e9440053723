"""The constant effects that a randomisation test does not reject, from where its count changes.

Letters: a the statistic as observed, f_b that of arrangement b, s_b the coefficient that arrangement b gets
from the observed assignment; under an effect tau they become a - tau and f_b - tau s_b.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_SAME = 1e-9


def not_rejected(a: float, f: Floats, s: Floats, *, least: float) -> tuple[float, float]:
    r"""Smallest and largest tau that at least so many arrangements stand against.

    Arrangement b stands against tau where :math:`|f_b - \tau s_b| \ge |a - \tau|`: an interval about a where
    :math:`|s_b| < 1`, all but an interval beside a where :math:`|s_b| > 1`, a half line or the line where it
    is 1. The ends of what is not rejected are ends of these, so they are found without search, also where
    it has gaps (they are then included).

    Parameters
    ----------
    a : float
        Observed statistic.
    f, s : array (B,)
        NaN (no statistic) stands against every tau.
    least : float
        Arrangements, more than which must stand against a tau that is not rejected.

    Returns
    -------
    (float, float)
        Infinite where no tau is rejected on that side.

    Examples
    --------
    >>> not_rejected(2.0, np.array([2.0, 1.0, 0.5]), np.array([1.0, 0.5, 0.0]), least=1)
    (1.5, 2.5)
    """
    return -_largest(-a, -f, s, least), _largest(a, f, s, least)


def _largest(a: float, f: Floats, s: Floats, least: float) -> float:
    """Largest tau at or beyond a that more than `least` arrangements stand against."""
    unknown = np.isnan(f) | np.isnan(s)
    always = int(unknown.sum())
    f, s = f[~unknown], s[~unknown]
    # (1 - s) tau = a - f and (1 + s) tau = a + f are where the two sizes are equal
    plus, minus = np.abs(1 - s) > _SAME, np.abs(1 + s) > _SAME
    first = np.divide(a - f, 1 - s, out=np.full(len(f), np.nan), where=plus)
    second = np.divide(a + f, 1 + s, out=np.full(len(f), np.nan), where=minus)
    inner = plus & minus & (np.abs(s) < 1)
    outer = plus & minus & ~inner
    until = [np.fmax(first, second)[inner], np.fmin(first, second)[outer]]
    since = [np.fmax(first, second)[outer]]
    near = _SAME * abs(a)
    # s = 1: (f - a)(f + a - 2 tau) >= 0; s = -1: (f + a)(f - a + 2 tau) >= 0
    for half, end, rise in ((~plus, second, a - f), (~minus, first, a + f)):
        always += int((np.abs(rise[half]) <= near).sum())
        since.append(end[half & (rise > near)])
        until.append(end[half & (rise < -near)])
    ends, starts = np.sort(np.concatenate(until)), np.sort(np.concatenate(since))
    if always + len(starts) > least:
        return float("inf")
    ends = ends[ends >= a]
    standing = always + (len(ends) - np.arange(len(ends))) + np.searchsorted(starts, ends, side="right")
    kept = ends[standing > least]
    return float(kept[-1]) if len(kept) else a
