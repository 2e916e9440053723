"""Random signs of clusters, the same for every specification of a curve, and what they make of the curve.

S specifications, G clusters, B draws. s (S, G): restricted scores of the clusters, sum_g s_sg = estimate; w
(B, G): signs. Kline & Santos (2012); Canay, Romano & Shaikh (2017); Simonsohn, Simmons & Nelson (2020).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

Floats = NDArray[np.float64]

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


def flipped_curves(scores: Floats, n_clusters: Floats, signs: NDArray[np.int8], *, alpha: float) -> Floats:
    """The statistics of the curve under each vector of signs.

    beta*_s = sum_g w_g s_sg and t_s = beta*_s / sqrt(sum_g s_sg^2), which is turned into Student's form with
    G_s - 1 degrees of freedom, t sqrt((G_s - 1) / (G_s - t^2)): the one-sample t of the s_sg.

    Parameters
    ----------
    scores : array, shape (S, G)
        Zero where a cluster has no row in a specification.
    n_clusters : array, shape (S,)
        G_s, clusters with rows.
    signs : array of int8, shape (B, G)
        +1 and -1.
    alpha : float
        Two-sided level of significance.

    Returns
    -------
    array, shape (B, 3)
        In the order of `STATISTICS`.
    """
    sizes = np.sqrt((scores**2).sum(axis=1))
    step = max(1, _CELLS // len(scores))
    found = np.empty((len(signs), len(STATISTICS)))
    for start in range(0, len(signs), step):
        part = slice(start, start + step)
        estimates = scores @ signs[part].T.astype(float)
        t = student_form(estimates / sizes[:, None], n_clusters[:, None])
        found[part] = curve_statistics(estimates, t, n_clusters - 1.0, alpha=alpha)
    return found


def student_form(t: Floats, n_clusters: Floats) -> Floats:
    """One-sample t from the sum over the root of the raw sum of squares; monotone, infinite at its bound."""
    with np.errstate(divide="ignore"):
        ratio = (n_clusters - 1.0) / np.maximum(n_clusters - t**2, 0.0)
    return np.asarray(t * np.sqrt(ratio), dtype=float)


def curve_statistics(estimates: Floats, t: Floats, df: Floats, *, alpha: float) -> Floats:
    """Median, share significant with the dominant sign, average z of each curve; (S, B) to (B, 3).

    The dominant sign is that of most estimates; where both signs are equally frequent, the one with the
    larger share. z is the normal score of the t with `df` (S,) degrees of freedom.
    """
    critical = _critical(df, alpha)[:, None]
    above, below = (t > critical).mean(axis=0), (t < -critical).mean(axis=0)
    lead = np.sign((estimates > 0).sum(axis=0) - (estimates < 0).sum(axis=0))
    dominant = np.where(lead > 0, above, np.where(lead < 0, below, np.maximum(above, below)))
    tail = np.maximum(special.stdtr(np.where(np.isfinite(df), df, 1e12)[:, None], -np.abs(t)), _LEAST)
    z = -special.ndtri(tail) * np.sign(t)
    return np.column_stack([np.median(estimates, axis=0), dominant, z.mean(axis=0)])


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
