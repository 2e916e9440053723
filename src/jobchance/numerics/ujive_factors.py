"""The exact projection on the dummy variables of one factor or of two that cross.

Letters: a pair is a combination of levels that occurs. A pair that holds all rows of one of its levels is
fitted by its own mean, and the rest does not notice when its rows go; taking such pairs off until none is
left leaves the core (nothing, where one factor is nested in the other). In the core D_v counts the rows of
the levels of the longer factor, B those of the pairs, and S^{-1} = (D_u - B D_v^{-1} B')^{-1} is taken block
by connected block, one level of each block left out.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from jobchance.numerics.two_way_graph import recode
from jobchance.numerics.two_way_threads import in_two
from jobchance.numerics.ujive_inverse import inverse_blocks
from jobchance.numerics.ujive_kernels import (
    counted_order,
    cross_products,
    number_pairs,
    own_products,
    pair_terms,
)

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]
Mask = NDArray[np.bool_]

MAX_BYTES = 4_000_000_000


class Factors:
    """Projection on the dummy variables of `first`, or of `first` and `second` together.

    Parameters
    ----------
    first, second : integer array (n,)
        Levels 0..G-1 without gaps; `second=None` is one factor.

    Raises
    ------
    DesignError
        The factors cross in a connected block too large to hold.
    """

    def __init__(self, first: Codes, second: Codes | None = None) -> None:
        other = first if second is None else second
        self.pair, levels = _pairs(first, other)
        self.n_pair = np.bincount(self.pair).astype(np.float64)
        inner = np.zeros(len(levels[0]), dtype=bool) if second is None else _core_pairs(*levels)
        self._own = ~inner
        self._core = _Core(*levels, self.n_pair, inner) if inner.any() else None
        self.rank = int(self._own.sum()) + (self._core.rank if self._core else 0)

    @property
    def leverages(self) -> Floats:
        """Diagonal of the hat matrix, (n,)."""
        value = 1 / self.n_pair
        if self._core:
            value[self._core.pairs] = self._core.leverages
        out: Floats = value[self.pair]
        return out

    def residuals(self, values: Floats) -> Floats:
        """Columns (n, c) less their projection."""
        sums = _sums(values, self.pair, len(self.n_pair))
        fit = sums / self.n_pair[:, None]
        if self._core:
            fit[self._core.pairs] = self._core.fitted(sums[self._core.pairs])
        out: Floats = values - fit[self.pair]
        return out

    def products(self, i: Codes, j: Codes) -> Floats:
        """Elements of the hat matrix between rows `i` and rows `j`, one for each of them."""
        out = np.empty(len(i))
        in_two(own_products, len(i), self.pair, self.n_pair, i, j, out)
        if self._core:
            p, q = self.pair[i], self.pair[j]
            inner = np.flatnonzero(~self._own[p] & ~self._own[q])
            place = self._core.place_of_pair
            out[inner] = self._core.products(place[p[inner]], place[q[inner]])
        return out


class _Core:
    """The pairs that hold no level alone; levels renumbered, blocks of kept levels consecutive."""

    def __init__(self, first: Codes, second: Codes, n_pair: Floats, inner: Mask) -> None:
        chosen = np.flatnonzero(inner)
        kept, eliminated, block = _orient(first[chosen], second[chosen])
        order, self.ptr = counted_order(eliminated, int(eliminated.max()) + 1)
        self.pairs: Codes = chosen[order]
        self.place_of_pair = np.full(len(inner), -1, dtype=np.int64)
        self.place_of_pair[self.pairs] = np.arange(len(order))
        self.keep, self.level = kept[order], eliminated[order]
        self.n = n_pair[self.pairs]
        self.n_level = np.bincount(self.level, self.n)
        self.w: Floats = self.n / self.n_level[self.level]
        self.blocks = inverse_blocks(block, self.ptr, self.keep, self.n, self.w, MAX_BYTES)
        self.rank = len(self.n_level) + int(self.blocks.size.sum())
        self.single, self.double = np.empty(len(order)), np.empty(len(self.n_level))
        known = *self.blocks.arrays, self.ptr, self.keep, self.w
        in_two(pair_terms, len(self.n_level), *known, self.single, self.double, steps=len(order))

    @property
    def leverages(self) -> Floats:
        """Hat value of a row of each pair with itself."""
        return self._same(np.arange(len(self.n)), np.arange(len(self.n)))

    def products(self, p: Codes, q: Codes) -> Floats:
        """Hat value of a row of each pair `p` with a row of pair `q`."""
        out = np.empty(len(p))
        same = self.level[p] == self.level[q]
        out[same] = self._same(p[same], q[same])
        rest = np.flatnonzero(~same)
        if len(rest):
            order, starts = counted_order(self.level[q[rest]], len(self.n_level))
            rest = rest[order]
            made = np.empty(len(rest))
            known = *self.blocks.arrays, self.ptr, self.keep, self.w, self.level
            cut = int(starts[np.searchsorted(starts, len(rest) // 2)])
            in_two(cross_products, len(rest), *known, p[rest], q[rest], made, cut=cut)
            out[rest] = made
        return out

    def fitted(self, sums: Floats) -> Floats:
        """Fitted value of each pair from the sums of its rows; a second pass removes rounding errors."""
        fit = np.zeros_like(sums)
        for _ in range(2):
            left = sums - self.n[:, None] * fit
            means = _sums(left, self.level, len(self.n_level)) / self.n_level[:, None]
            rest = left - self.n[:, None] * means[self.level]
            rhs = _sums(rest, self.keep, len(self.blocks.block))
            kept = self.blocks.times(rhs)[self.keep]
            shift = _sums(self.w[:, None] * kept, self.level, len(self.n_level))
            fit += kept + (means - shift)[self.level]
        return fit

    def _same(self, p: Codes, q: Codes) -> Floats:
        """Hat values between pairs of the same eliminated level."""
        level = self.level[p]
        direct = self.blocks.at(self.keep[p], self.keep[q])
        out: Floats = direct - self.single[p] - self.single[q] + self.double[level] + 1 / self.n_level[level]
        return out


def _pairs(first: Codes, second: Codes) -> tuple[Codes, tuple[Codes, Codes]]:
    """Pair of each row, numbered in order of both levels, and the levels of each pair."""
    by_second = counted_order(second, int(second.max()) + 1)[0]
    order = by_second[counted_order(first[by_second], int(first.max()) + 1)[0]]
    pair = np.empty(len(first), dtype=np.int64)
    rows = number_pairs(first, second, order, pair)
    return pair, (first[rows], second[rows])


def _sums(values: Floats, codes: Codes, n_levels: int) -> Floats:
    """Sums of columns (n, c) by level, (n_levels, c)."""
    out = np.empty((n_levels, values.shape[1]))
    for j in range(values.shape[1]):
        out[:, j] = np.bincount(codes, values[:, j], n_levels)
    return out


def _core_pairs(first: Codes, second: Codes) -> Mask:
    """Pairs left once those that hold all rows of a level are taken off, repeatedly."""
    inner = np.ones(len(first), dtype=bool)
    while True:
        a = np.bincount(first[inner], minlength=int(first.max()) + 1)
        b = np.bincount(second[inner], minlength=int(second.max()) + 1)
        new = inner & (a[first] > 1) & (b[second] > 1)
        if new.sum() == inner.sum():
            return inner
        inner = new


def _orient(first: Codes, second: Codes) -> tuple[Codes, Codes, Codes]:
    """Kept and eliminated level of each pair, and the block of each kept level.

    The shorter factor of each connected block is kept; kept levels are numbered block by block.
    """
    a, b = recode(first), recode(second)
    n_a, n_b = int(a.max()) + 1, int(b.max()) + 1
    edges = coo_array((np.ones(len(a), dtype=np.int8), (a, b + n_a)), shape=(n_a + n_b, n_a + n_b))
    n_blocks, label = connected_components(edges, directed=False)
    many = np.bincount(label[:n_a], minlength=n_blocks) <= np.bincount(label[n_a:], minlength=n_blocks)
    is_kept = many[label] == (np.arange(n_a + n_b) < n_a)
    nodes = np.flatnonzero(is_kept)
    nodes = nodes[np.argsort(label[nodes], kind="stable")]
    number = np.cumsum(~is_kept) - 1
    number[nodes] = np.arange(len(nodes))
    flip = ~many[label[a]]
    kept, eliminated = np.where(flip, b + n_a, a), np.where(flip, a, b + n_a)
    block = label[nodes].astype(np.int64)
    return number[kept].astype(np.int64), number[eliminated].astype(np.int64), block
