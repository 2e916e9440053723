"""Cluster scores of one coefficient when all are estimated anew after signs on restricted residuals.

Letters: w (G,) signs of the clusters; X (n, k) columns, x the exposure less what the others explain over its
sum of squares, u residuals of the model without the exposure; s_g = x_g'u_g. A draw w o u leaves the
residuals M(w o u), M what X and the absorbed effects D leave, so that its cluster scores are

    s*_g(w) = w_g s_g - x_g'X_g (X'X)^{-1} sum_h w_h X_h'u_h - x_g'P_D(w o u).

The restricted wild cluster bootstrap of Cameron, Gelbach & Miller (2008) without touching a row again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from jobchance.numerics.wild_sums import removed

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

MOST_LEVELS = 100
"""Levels of absorbed factors beside the largest, beyond which estimating anew is too dear."""


@dataclass(frozen=True, eq=False, repr=False)
class Anew:
    """What s*(w) takes off w * s: left (G, m) times right' (m, G) w, and `cross` (G, G) w."""

    left: Floats
    right: Floats
    cross: sparse.csr_array | None = None

    def at(self, places: Codes) -> Anew:
        """The same for some of the clusters; the others have no rows."""
        if len(places) == len(self.left):
            return self
        cross = None if self.cross is None else sparse.csr_array(self.cross[places][:, places])
        return Anew(self.left[places], self.right[places], cross)

    def scores(self, own: Floats, W: Floats) -> Floats:
        """Scores (G, B) of the draws W (G, B); `own` (G,) are s."""
        out = own[:, None] * W
        out -= self.left @ (self.right.T @ W)
        if self.cross is not None:
            out -= self.cross @ W
        return out


@dataclass(frozen=True, eq=False, repr=False)
class Crossing:
    """Levels of a factor that lie in several clusters, as pairs of cells of cluster and level.

    Parameters
    ----------
    rows, cell : integer arrays
        Rows in such levels and the cell of each.
    first, second : integer arrays
        Pairs of cells of one level.
    size : array
        Rows of the level of each pair.
    place, indices, indptr : integer arrays
        Of the sparse matrix (G, G) that the pairs make.
    """

    rows: Codes
    cell: Codes
    first: Codes
    second: Codes
    size: Floats
    place: Codes
    indices: Codes
    indptr: Codes

    @property
    def held(self) -> int:
        """Bytes held."""
        return sum(int(part.nbytes) for part in vars(self).values())

    def matrix(self, x: Floats, u: Floats) -> sparse.csr_array:
        """Matrix of x_g'P_D(1_h u_h) over clusters g, h."""
        count = int(self.cell.max()) + 1
        a = np.bincount(self.cell, weights=x[self.rows], minlength=count)
        b = np.bincount(self.cell, weights=u[self.rows], minlength=count)
        products = a[self.first] * b[self.second] / self.size
        data = np.bincount(self.place, weights=products, minlength=len(self.indices))
        G = len(self.indptr) - 1
        return sparse.csr_array((data, self.indices, self.indptr), shape=(G, G))


@dataclass(frozen=True, eq=False, repr=False)
class Cells:
    """Cluster and level of each row, for a factor of few levels in many clusters; `size` (L,) rows."""

    cell: Codes
    size: Floats
    n_clusters: int

    @property
    def held(self) -> int:
        """Bytes held."""
        return int(self.cell.nbytes + self.size.nbytes)

    def sums(self, x: Floats) -> Floats:
        """Sums (G, L) of x."""
        G, L = self.n_clusters, len(self.size)
        found: Floats = np.bincount(self.cell, weights=x, minlength=G * L).astype(np.float64)
        return found.reshape(G, L)


@dataclass(frozen=True, eq=False, repr=False)
class Effects:
    """Absorbed effects as seen from the clusters: the largest factor by its levels, others as columns.

    `columns` (L, n) are orthonormal and orthogonal to the largest factor, whose levels are `spread`: `None`
    where each lies within one cluster.
    """

    columns: Floats
    spread: Crossing | Cells | None

    @property
    def held(self) -> int:
        """Bytes held."""
        return int(self.columns.nbytes) + (self.spread.held if self.spread else 0)


def effects_of(factors: Sequence[Codes], codes: Codes, n_clusters: int) -> Effects | None:
    """Absorbed effects for clusters `codes`; `None` where factors beside the largest have too many levels."""
    n = len(codes)
    if not factors:
        return Effects(np.zeros((0, n)), None)
    levels = sorted(int(one.max()) + 1 for one in factors)
    if sum(levels[:-1]) > MOST_LEVELS:
        return None
    gone = removed(np.zeros((n, 0)), factors)
    assert gone.factor is not None, "there are factors"
    columns = np.ascontiguousarray(gone.U.T)
    return Effects(columns, _spread(gone.factor, codes, n_clusters))


def _spread(factor: Codes, codes: Codes, G: int) -> Crossing | Cells | None:
    """The levels that lie in several clusters, as what is smaller; a level within one adds nothing."""
    cells, cell = np.unique(factor * np.int64(G) + codes, return_inverse=True)
    level, cluster = cells // G, cells % G
    spread = np.bincount(level, minlength=int(factor.max()) + 1)
    several = spread[level] > 1
    if not several.any():
        return None
    number = np.cumsum(several) - 1
    L = int(factor.max()) + 1
    if int((spread[spread > 1] ** 2).sum()) > 2 * G * L:
        return Cells(codes * np.int64(L) + factor, np.bincount(factor).astype(np.float64), G)
    rows = np.flatnonzero(several[cell])
    level, cluster = level[several], cluster[several]
    start = np.flatnonzero(np.r_[True, level[1:] != level[:-1]])
    count = np.diff(np.r_[start, len(level)])
    own = np.repeat(count, count)  # cells of the level of each cell
    first = np.repeat(np.arange(len(level)), own)
    offset = np.arange(len(first)) - np.repeat(np.cumsum(own) - own, own)
    second = np.repeat(np.repeat(start, count), own) + offset
    places, place = np.unique(cluster[first] * np.int64(G) + cluster[second], return_inverse=True)
    indptr = np.searchsorted(places // G, np.arange(G + 1))
    size = np.bincount(factor)[level[first]].astype(np.float64)
    return Crossing(rows, number[cell[rows]], first, second, size, place.astype(np.int64), places % G, indptr)


def draw_scores(own: Floats, W: Floats, anew: Anew | None, n_clusters: float) -> tuple[Floats, Floats]:
    """Estimates and their t (B,) under the draws W (G, B), t on n_clusters - 1 degrees of freedom.

    Estimated anew, t has CR1's factor G / (G - 1). Where only the scores are known, it is the one-sample t of
    the signed scores.
    """
    estimates = own @ W
    squares = float(own @ own)
    if anew is None:
        variance, least = squares - estimates**2 / n_clusters, 1e-12  # a difference of two large sums
    else:
        scores = anew.scores(own, W)
        variance, least = np.einsum("gb,gb->b", scores, scores), 1e-20
    sound = variance > least * squares
    size = np.sqrt(np.where(sound, variance, 1.0) * n_clusters / (n_clusters - 1.0))
    with np.errstate(invalid="ignore"):
        bound = np.nan_to_num(np.sign(estimates) * np.inf, nan=0.0, posinf=np.inf, neginf=-np.inf)
    return estimates, np.where(sound, estimates / size, bound)
