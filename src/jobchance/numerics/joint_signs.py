"""Random signs of clusters, the same for every specification of a curve, and what they make of the curve.

S specifications, G clusters, B draws. s (S, G): restricted scores of the clusters, sum_g s_sg = estimate; w
(B, G): signs. Cameron, Gelbach & Miller (2008); Kline & Santos (2012); Simonsohn, Simmons & Nelson (2020).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from jobchance.numerics.joint_restricted import Anew, draw_scores

Floats = NDArray[np.float64]
Line = tuple[Floats, float, Anew | None]

STATISTICS = ("median_estimate", "share_significant", "average_z")
_CELLS = 4_000_000  # numbers held at once per array
_TIE = 1e-9  # of a statistic's size: closer values count as equal
_LEAST = 1e-300  # smallest tail probability that still has a z


@dataclass(frozen=True)
class Signs:
    """Sign vectors, one per row, and whether they are all that there are.

    The statistics do not change when all signs turn, so all vectors with the first sign positive stand for
    all.
    """

    values: NDArray[np.int8]
    is_complete: bool


def draw_signs(n_clusters: int, draws: int, rng: np.random.Generator) -> Signs:
    """All sign vectors up to a common turn if they are at most `draws` + 1, else `draws` random ones."""
    if n_clusters <= 62 and 2 ** (n_clusters - 1) <= draws + 1:
        place = np.arange(2 ** (n_clusters - 1))[:, None] >> np.arange(n_clusters - 1)[None, :]
        rest = (1 - 2 * (place & 1)).astype(np.int8)
        return Signs(np.column_stack([np.ones(len(rest), dtype=np.int8), rest]), True)
    values = (1 - 2 * rng.integers(0, 2, size=(draws, n_clusters), dtype=np.int8)).astype(np.int8)
    return Signs(values, False)


def flipped_curves(lines: Iterable[Line], signs: NDArray[np.int8], *, alpha: float) -> tuple[Floats, Floats]:
    """The statistics of the curve under each vector of signs.

    beta*_s = sum_g w_g s_sg; t*_s as in `joint_restricted.draw_scores`.

    Parameters
    ----------
    lines : iterable of (scores (G,), clusters with rows, Anew or None)
        One for each specification; scores are zero where a cluster has no row. They are taken one by one, so
        that not all of what they hold is in memory at once.
    signs : array of int8, shape (B, G)
        +1 and -1.
    alpha : float
        Two-sided level of significance.

    Returns
    -------
    curves : array, shape (B, 3)
        In the order of `STATISTICS`.
    errors : array, shape (B,)
        Root of the mean variance of the estimates: what a median is large or small against.
    """
    parts = [slice(i, i + _step(signs.shape[1])) for i in range(0, len(signs), _step(signs.shape[1]))]
    kept = signs.T.astype(float) if len(parts) == 1 else None
    sums = _Sums(len(signs))
    scores: list[Floats] = []
    for own, n_clusters, anew in lines:
        scores.append(own)
        critical = float(_critical(np.array([n_clusters - 1.0]), alpha)[0])
        for part in parts:
            W = signs[part].T.astype(float) if kept is None else kept
            estimates, t = draw_scores(own, W, anew, n_clusters)
            sums.add(part, estimates, t, _normal_score(t, n_clusters - 1.0), critical)
    medians = _medians(np.array(scores), signs)
    return np.column_stack([medians, *sums.shares(len(scores))]), sums.errors(len(scores))


class _Sums:
    """Running counts over specifications, for every draw."""

    def __init__(self, draws: int) -> None:
        self.above, self.below, self.lead, self.z, self.variance = (np.zeros(draws) for _ in range(5))

    def add(self, part: slice, estimates: Floats, t: Floats, z: Floats, critical: float) -> None:
        """One more specification."""
        self.above[part] += t > critical
        self.below[part] += t < -critical
        self.lead[part] += np.sign(estimates)
        self.z[part] += z
        known = np.isfinite(t) & (t != 0)
        self.variance[part] += np.where(known, estimates / np.where(known, t, 1.0), 0.0) ** 2

    def shares(self, n: int) -> tuple[Floats, Floats]:
        """Share significant with the dominant sign, average z."""
        return _dominant(self.above, self.below, np.sign(self.lead)) / n, self.z / n

    def errors(self, n: int) -> Floats:
        """Root of the mean variance."""
        return np.asarray(np.sqrt(self.variance / n), dtype=float)


def _step(wide: int) -> int:
    return max(1, _CELLS // wide)


def _medians(scores: Floats, signs: NDArray[np.int8]) -> Floats:
    """Median estimate of every draw."""
    found = np.empty(len(signs))
    for start in range(0, len(signs), _step(len(scores))):
        part = slice(start, start + _step(len(scores)))
        found[part] = np.median(scores @ signs[part].T.astype(float), axis=0)
    return found


def curve_statistics(estimates: Floats, t: Floats, df: Floats, *, alpha: float) -> Floats:
    """Median, share significant with the dominant sign, average z of each curve; (S, B) to (B, 3).

    The dominant sign is that of most estimates; where both signs are equally frequent, the one with the
    larger share. z is the normal score of the t with `df` (S,) degrees of freedom.
    """
    critical = _critical(df, alpha)[:, None]
    above, below = (t > critical).mean(axis=0), (t < -critical).mean(axis=0)
    lead = np.sign((estimates > 0).sum(axis=0) - (estimates < 0).sum(axis=0))
    z = _normal_score(t, df[:, None])
    return np.column_stack([np.median(estimates, axis=0), _dominant(above, below, lead), z.mean(axis=0)])


def _dominant(above: Floats, below: Floats, lead: Floats) -> Floats:
    """The count on the leading side; the larger one where none leads."""
    return np.where(lead > 0, above, np.where(lead < 0, below, np.maximum(above, below)))


def _normal_score(t: Floats, df: Floats | float) -> Floats:
    """Normal score of a t."""
    tail = np.maximum(special.stdtr(np.where(np.isfinite(df), df, 1e12), -np.abs(t)), _LEAST)
    return np.asarray(-special.ndtri(tail) * np.sign(t), dtype=float)


def against_error(curves: Floats, errors: Floats) -> Floats:
    """The curves (B, 3) with each median over the standard error that goes with it."""
    out = curves.copy()
    bound = np.nan_to_num(np.sign(out[:, 0]) * np.inf, nan=0.0, posinf=np.inf, neginf=-np.inf)
    out[:, 0] = np.where(errors > 0, out[:, 0] / np.where(errors > 0, errors, 1.0), bound)
    return out


def extreme_share(observed: Floats, null: Floats, *, is_complete: bool) -> Floats:
    """p-values (3,): share of curves at least as far from zero, ties counted as such.

    (1 + number) / (1 + draws) for random draws; number / draws where `null` holds every curve, the observed
    one among them.
    """
    reach = np.abs(observed) * (1 - _TIE)
    number = (np.abs(null) >= reach).sum(axis=0)
    p: Floats = number / len(null) if is_complete else (1 + number) / (1 + len(null))
    return p


def _critical(df: Floats, alpha: float) -> Floats:
    finite = np.isfinite(df)
    t = special.stdtrit(np.where(finite, df, 1.0), 1 - alpha / 2)
    return np.where(finite, t, special.ndtri(1 - alpha / 2))
