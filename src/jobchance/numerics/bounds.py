"""Bounds on a difference of two groups when outcomes are missing: Lee's trimming, Manski's worst case.

Letters: y (n,) outcome, d (n,) group (True = treated), s (n,) outcome seen, x (n,) cell, a_g = share seen in
group g, p = 1 - a_other / a_trimmed the share trimmed. Every bound comes with its influence values psi (n,):
the estimate errs by about their sum, so that sums of psi over clusters give its variance.
Lee (2009), Rev. Econ. Stud. 76, 1071-1102; Horowitz & Manski (2000), JASA 95, 77-84; Imbens & Manski (2004),
Econometrica 72, 1845-1857.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class CellBounds:
    """Bounds within one cell.

    Parameters
    ----------
    lower, upper : float
        Ends of the difference, treated less control.
    share_treated, share_control : float
        Shares with a seen outcome.
    trimmed : float
        Share of the seen outcomes of the trimmed group that is cut off; 0 for worst-case bounds.
    weight : float
        Weight of the cell in the total.
    n : int
        Rows.
    """

    lower: float
    upper: float
    share_treated: float
    share_control: float
    trimmed: float
    weight: float
    n: int


@dataclass(frozen=True, eq=False)
class Bounds:
    """Both ends, their influence values (n, 2) in the order of the rows, and the cells they were made of.

    `treated_trimmed` says which group had the larger share seen; `n_opposite` counts the cells in which it
    was the other one, where nothing is trimmed.
    """

    lower: float
    upper: float
    influence: Floats
    cells: tuple[CellBounds, ...]
    treated_trimmed: bool = True
    n_opposite: int = 0


def lee_bounds(y: Floats, d: Mask, s: Mask, x: Codes) -> Bounds:
    """Lee's trimming bounds, cell by cell, weighted by the seen rows of the group that is not trimmed.

    The group with the larger share seen over all rows is trimmed in every cell, by that cell's own share;
    outcomes tied at the cut count in part, so that exactly the share p is cut.
    """
    treated_trimmed = bool(s[d].mean() >= s[~d].mean())
    trimmed = d if treated_trimmed else ~d
    always = s & ~trimmed
    influence = np.zeros((len(y), 2))
    ends, shares, opposite = [], [], 0
    for cell in range(int(x.max()) + 1):
        here = x == cell
        t, o = here & trimmed, here & ~trimmed
        a_t, a_o = float(s[t].mean()), float(s[o].mean())
        p = max(0.0, 1 - a_o / a_t)
        opposite += a_o > a_t
        middle = float(y[o & s].mean())
        sides = [_cut(y, t & s, p, top=top) for top in (False, True)]
        for column, (value, psi, slope) in enumerate(sides):
            part = np.zeros(len(y))
            part[t & s] = psi
            if p > 0:
                part[t] += slope * (1 - p) * (s[t] - a_t) / (a_t * t.sum())
                part[o] -= slope * (1 - p) * (s[o] - a_o) / (a_o * o.sum())
            part[o & s] -= (y[o & s] - middle) / (o & s).sum()
            influence[:, column] += (here & always).sum() / always.sum() * part
            sides[column] = (value - middle, psi, slope)
        ends.append((sides[0][0], sides[1][0]))
        shares.append((a_t, a_o, p, float((here & always).sum() / always.sum()), int(here.sum())))
    total = np.array([[*pair] for pair in ends]).T @ np.array([share[3] for share in shares])
    for column in (0, 1):
        own = np.array([pair[column] for pair in ends])[x]
        influence[always, column] += (own[always] - total[column]) / always.sum()
    if not treated_trimmed:  # differences were taken trimmed less other
        ends = [(-high, -low) for low, high in ends]
        total, influence = -total[::-1], -influence[:, ::-1]
    cells = tuple(
        CellBounds(low, high, a_t if treated_trimmed else a_o, a_o if treated_trimmed else a_t, p, w, n)
        for (low, high), (a_t, a_o, p, w, n) in zip(ends, shares, strict=True)
    )
    return Bounds(float(total[0]), float(total[1]), influence, cells, treated_trimmed, opposite)


def _cut(y: Floats, rows: Mask, p: float, *, top: bool) -> tuple[float, Floats, float]:
    """Mean of the highest (lowest) 1 - p of the rows, its influence values at given p, and its slope in p."""
    sign = 1.0 if top else -1.0
    values = sign * y[rows]
    ordered = np.sort(values)[::-1]
    keep = len(values) * (1 - p)
    place = min(max(int(np.ceil(keep - 1e-9)), 1), len(values)) - 1
    edge = float(ordered[place])
    excess = np.maximum(values - edge, 0.0)
    mean = edge + float(excess.sum()) / keep
    psi = (excess - excess.mean()) / keep
    return sign * mean, sign * psi, sign * (mean - edge) / (1 - p)


def manski_bounds(
    y: Floats, d: Mask, s: Mask, x: Codes, *, low: float, high: float, side: str = "both"
) -> Bounds:
    """Worst-case bounds with outcomes in [low, high], cell by cell, weighted by the rows of the cells.

    `side` says how far the mean of the missing may go in either group: `"both"` to both ends, `"below"` from
    `low` up to the mean of the seen, `"above"` from that mean up to `high`.
    """
    n = len(y)
    filled = np.where(s, y, 0.0)
    influence = np.zeros((n, 2))
    ends, cells = [], []
    for cell in range(int(x.max()) + 1):
        here = x == cell
        w = float(here.mean())
        groups = []
        for rows in (here & d, here & ~d):
            seen = rows & s
            at_mean = float(y[seen].mean()) if seen.any() else np.nan
            means, psis = [], []
            for fill in (low if side != "above" else None, high if side != "below" else None):
                psi = np.zeros(n)
                if fill is None:
                    mean = at_mean
                    psi[seen] = (y[seen] - mean) / seen.sum()
                else:
                    values = filled[rows] + fill * ~s[rows]
                    mean = float(values.mean())
                    psi[rows] = (values - mean) / rows.sum()
                means.append(mean)
                psis.append(psi)
            groups.append((means, psis, float(s[rows].mean())))
        (one, psi_one, a_1), (zero, psi_zero, a_0) = groups
        pair = (one[0] - zero[1], one[1] - zero[0])
        influence[:, 0] += w * (psi_one[0] - psi_zero[1])
        influence[:, 1] += w * (psi_one[1] - psi_zero[0])
        ends.append(pair)
        cells.append(CellBounds(*pair, a_1, a_0, 0.0, w, int(here.sum())))
    matrix = np.array(ends)
    total = np.array([cell.weight for cell in cells]) @ matrix
    influence += (matrix[x] - total) / n
    return Bounds(float(total[0]), float(total[1]), influence, tuple(cells))


def imbens_manski(
    lower: float, upper: float, sd_lower: float, sd_upper: float, *, level: float
) -> tuple[float, float, float]:
    """Interval that covers the difference itself (not the whole range between the bounds), and its factor.

    The factor c solves `Phi(c + (upper - lower) / max sd) - Phi(-c) = level`: at level 0.95, 1.96 where the
    bounds meet and 1.64 where they are far apart.
    """
    widest = max(sd_lower, sd_upper)
    if not np.isfinite(widest):
        return np.nan, np.nan, np.nan
    gap = max(upper - lower, 0.0) / widest if widest > 0 else np.inf

    def short(c: float) -> float:
        return float(stats.norm.cdf(c + gap) - stats.norm.cdf(-c) - level)

    c = float(optimize.brentq(short, 0.0, float(stats.norm.ppf((1 + level) / 2)) + 1e-9, xtol=1e-13))
    return float(lower - c * sd_lower), float(upper + c * sd_upper), c
