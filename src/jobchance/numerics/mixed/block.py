"""One block of rows: its citizens' part of every sum that an evaluation needs.

Sums are additive over blocks, so a fit is the same whether its rows form one block in memory or many on other
machines. A block holds whole levels of the eliminated factor, or (m1 = 0) rows whose effects all lie in S.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jobchance.numerics.mixed import kernels
from jobchance.numerics.mixed.arrow import Layout
from jobchance.numerics.mixed.partition import Partition

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Slots:
    """The random columns that a row uses, in engine order: the eliminated factor's first.

    Parameters
    ----------
    widths : tuple of int
        Number of effects of each factor.
    """

    widths: tuple[int, ...]

    @property
    def total(self) -> int:
        """Columns used by a row."""
        return sum(self.widths)

    @property
    def bounds(self) -> tuple[Codes, Codes]:
        """First and last-plus-one slot of the factor of each slot."""
        ends = np.cumsum(self.widths)
        return np.repeat(ends - self.widths, self.widths), np.repeat(ends, self.widths)

    def joined(self, factors: list[Floats]) -> Floats:
        """Block-diagonal matrix of all Lambda_f."""
        made = np.zeros((self.total, self.total))
        at = 0
        for f in factors:
            made[at : at + len(f), at : at + len(f)] = f
            at += len(f)
        return made

    def split(self, joined: Floats) -> list[Floats]:
        """Diagonal blocks of a matrix over slots, by factor."""
        ends = np.cumsum(self.widths)
        return [joined[e - w : e, e - w : e] for e, w in zip(ends, self.widths, strict=True)]


@dataclass(frozen=True, eq=False)
class RowIndex:
    """Random columns of each row; rows are sorted by the level of the eliminated factor, then by columns.

    Parameters
    ----------
    rows : integer array (n,)
        Numbers of the rows in the data given.
    start : integer array (levels + 1,)
        First row of each level.
    r : integer array (n, mr)
        Remaining columns of each row.
    levels : integer array (q1,)
        Numbers of the levels in the data given; empty where they are not eliminated.
    """

    rows: Codes
    start: Codes
    r: NDArray[np.int32]
    levels: Codes


def index_rows(codes: list[Codes], partition: Partition) -> list[RowIndex]:
    """Rows of the eliminated levels, and of the levels kept in the border where there are any.

    `codes` are those of the factors in engine order.
    """
    kept = partition.moved[codes[0]] >= 0
    order = np.lexsort([*codes[:0:-1], codes[0]])
    made = []
    for rows, own in ((order[~kept[order]], False), (order[kept[order]], True)):
        if len(rows):
            sorted_codes = codes[0][rows]
            first = np.flatnonzero(np.append(True, sorted_codes[1:] != sorted_codes[:-1]))
            start = np.append(first, len(rows)).astype(np.int64)
            r = _columns(codes, partition, rows)
            if own:
                places = partition.moved_places[partition.moved[sorted_codes]]
                r = np.ascontiguousarray(np.hstack([places, r]), dtype=np.int32)
            made.append(RowIndex(rows, start, r, sorted_codes[first[: 0 if own else len(first)]]))
    return made


def _columns(codes: list[Codes], partition: Partition, rows: Codes) -> NDArray[np.int32]:
    """Remaining columns (n, mr) of the rows."""
    parts = [place[code[rows]] for code, place in zip(codes[1:], partition.places, strict=True)]
    if not parts:
        return np.zeros((len(rows), 0), dtype=np.int32)
    return np.ascontiguousarray(np.hstack(parts), dtype=np.int32)


class Block:
    """Elimination of the levels of one block of rows.

    Parameters
    ----------
    index : RowIndex
        Which columns the rows use.
    z : array (n, mt) or (1, mt)
        Random columns by slot; one row when all are alike (intercepts only).
    slots : Slots
        The factors.
    layout : Layout
        Places in S.
    """

    def __init__(self, index: RowIndex, z: Floats, slots: Slots, layout: Layout) -> None:
        self.index, self.slots, self.layout = index, slots, layout
        self.n, mr = index.r.shape
        self.q1 = len(index.levels)
        self.m1 = slots.total - mr
        self.z = np.ascontiguousarray(z)
        self.step = 0 if len(z) == 1 else 1
        self.first, self.last = slots.bounds
        self.single = self.m1 == 1 and not self.step and bool((self.z == 1).all())
        self.ptr, self.idx, self.rpos = kernels.build_lists(index.start, index.r, layout.q)
        self.slot = np.zeros(0, dtype=np.int64)
        if not layout.order:
            self.slot = layout.slots(*kernels.build_pairs(self.ptr, self.idx))
        self.A = np.zeros((len(index.start) - 1, self.m1, self.m1))
        self.C = np.zeros((len(self.idx), self.m1))
        self.zt = self.z

    @property
    def shape1(self) -> tuple[int, int]:
        """Shape of effects of the eliminated levels."""
        return (len(self.A), self.m1)

    def set_factor(self, joined: Floats) -> None:
        """Scale the random columns: Z Lambda."""
        self.zt = np.ascontiguousarray(self.z @ joined)

    def weigh(self, W: Floats, store: Floats) -> float:
        """Eliminate the levels under row weights W, add to S; returns the sum of log|I + A_i|."""
        if self.single:
            return kernels.weigh_single(
                W, self.index.start, self.rpos, self.zt, self.ptr, self.idx, self.slot, self.layout.order,
                self.A, self.C, store,
            )  # fmt: skip
        return kernels.weigh(
            W, self.index.start, self.rpos, self.zt, self.step, self.m1, self.ptr, self.idx, self.slot,
            self.layout.order, self.A, self.C, store,
        )  # fmt: skip

    def linear_predictor(self, fixed: Floats, u1: Floats, ur: Floats) -> Floats:
        """`fixed` + Z Lambda u by row."""
        eta = np.empty(self.n)
        kernels.linear_predictor(fixed, self.index.start, self.index.r, self.zt, self.step, u1, ur, eta)
        return eta

    def transpose_sums(self, v: Floats) -> tuple[Floats, Floats]:
        """(Z Lambda)'v for the eliminated and the remaining columns."""
        o1, orr = np.zeros(self.shape1), np.zeros(self.layout.q)
        kernels.transpose_sums(v, self.index.start, self.index.r, self.zt, self.step, o1, orr)
        return o1, orr

    def forward(self, g1: Floats, gr: Floats) -> Floats:
        """First half of a solution with M, columns last; takes its part from `gr` in place."""
        t1 = np.empty_like(g1)
        kernels.forward(self.A, self.C, self.ptr, self.idx, g1, t1, gr)
        return t1

    def backward(self, t1: Floats, xr: Floats) -> Floats:
        """Second half: effects of the eliminated levels from those of the remaining columns."""
        x1 = np.empty_like(t1)
        kernels.backward(self.A, self.C, self.ptr, self.idx, t1, xr, x1)
        return x1

    def leverage(self, W: Floats, inverse: Floats) -> tuple[Floats, Floats, Floats]:
        """Leverages by row, the sum of W z (M^{-1} Lambda'z)', and the diagonal of M^{-1} by level."""
        c, T = np.empty(len(W)), np.zeros((self.slots.total, self.slots.total))
        diagonal = np.zeros(self.shape1)
        if self.single:
            kernels.leverage_single(
                W, self.index.start, self.rpos, self.zt, self.ptr, self.idx, self.slot, self.layout.order,
                self.A, self.C, inverse, c, T, diagonal,
            )  # fmt: skip
        else:
            kernels.leverage(
                W, self.index.start, self.rpos, self.z, self.zt, self.step, self.m1, self.first, self.last,
                self.ptr, self.idx, self.slot, self.layout.order, self.A, self.C, inverse, c, T, diagonal,
            )  # fmt: skip
        return c, T, diagonal

    def covariances(self, inverse: Floats) -> Floats:
        """M^{-1}_ii (q1, m1, m1) of the eliminated levels."""
        out = np.zeros((self.q1, self.m1, self.m1))
        if self.q1:
            kernels.eliminated(self.ptr, self.idx, self.slot, self.layout.order, self.A, self.C, inverse, out)
        return out

    def outer_sums(self, v: Floats, u1: Floats, ur: Floats) -> Floats:
        """Sum over rows of v z u'."""
        T = np.zeros((self.slots.total, self.slots.total))
        kernels.outer_sums(
            v, self.index.start, self.index.r, self.z, self.step, u1, ur, self.first, self.last, T
        )
        return T


class CellBlock(Block):
    """A block without covariates in its random columns, where runs of like rows are one cell.

    Weights are given by cell; the linear predictor is by row, and `n` is the number of rows.
    """

    def __init__(self, index: RowIndex, z: Floats, slots: Slots, layout: Layout) -> None:
        new = np.zeros(len(index.r), dtype=bool)
        new[index.start[:-1]] = True
        new[1:] |= (index.r[1:] != index.r[:-1]).any(axis=1)
        self.cells = np.flatnonzero(new)
        start = np.searchsorted(self.cells, index.start).astype(np.int64)
        cells = RowIndex(index.rows[self.cells], start, index.r[self.cells], index.levels)
        super().__init__(cells, z, slots, layout)
        self.n = len(index.r)

    def sum(self, w: Floats) -> Floats:
        """Sums of row weights by cell."""
        made: Floats = np.add.reduceat(w, self.cells)
        return made

    def linear_predictor(self, fixed: Floats, u1: Floats, ur: Floats) -> Floats:
        """`fixed` + Z Lambda u by row."""
        eta = np.zeros(len(self.cells))
        kernels.linear_predictor(eta, self.index.start, self.index.r, self.zt, 0, u1, ur, eta)
        return fixed + np.repeat(eta, np.diff(self.cells, append=self.n))
