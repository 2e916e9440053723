"""One block of rows: its citizens' part of every sum that an evaluation needs.

Sums are additive over blocks, so a fit is the same whether its rows form one block in memory or many on other
machines. A block holds whole levels of the eliminated factor, or (with `m1 = 0`) rows whose effects all lie in S.
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
    """Which random columns each row uses; rows are sorted by the level of the eliminated factor.

    Parameters
    ----------
    rows : integer array (n,)
        Numbers of the rows in the data given.
    start : integer array (q1 + 1,)
        First row of each level.
    r : integer array (n, mr)
        Remaining columns of each row.
    levels : integer array (q1,)
        Numbers of the levels in the data given.
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
    order = np.argsort(codes[0], kind="stable")
    made = []
    rows = order[~kept[order]] if kept.any() else order
    if len(rows):
        levels, first = np.unique(codes[0][rows], return_index=True)
        start = np.append(first, len(rows)).astype(np.int64)
        made.append(RowIndex(rows, start, _columns(codes, partition, rows), levels))
    if kept.any():
        rows = order[kept[order]]
        own = partition.moved_places[partition.moved[codes[0][rows]]]
        r = np.ascontiguousarray(np.hstack([own, _columns(codes, partition, rows)]), dtype=np.int32)
        made.append(RowIndex(rows, np.array([0, len(rows)], dtype=np.int64), r, np.zeros(0, dtype=np.int64)))
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
        self.step = 0 if len(z) == 1 and self.n != 1 else 1
        self.first, self.last = slots.bounds
        if self.m1:
            self.ptr, self.idx, self.rpos = kernels.build_lists(index.start, index.r, layout.q)
        else:
            self.ptr, self.idx = np.zeros(2, dtype=np.int64), np.zeros(0, dtype=np.int32)
            self.rpos = np.zeros((self.n, mr), dtype=np.int64)
        self.A = np.zeros((max(self.q1, 1), self.m1, self.m1))
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
        total: float = kernels.weigh(
            W, self.index.start, self.index.r, self.rpos, self.zt, self.step, self.m1, self.ptr, self.idx,
            self.A, self.C, store, *self.layout.address,
        )  # fmt: skip
        return total

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
        c, T = np.empty(self.n), np.zeros((self.slots.total, self.slots.total))
        diagonal = np.zeros(self.shape1)
        kernels.leverage(
            W, self.index.start, self.index.r, self.rpos, self.z, self.zt, self.step, self.m1, self.first, self.last,
            self.ptr, self.idx, self.A, self.C, inverse, c, T, diagonal, *self.layout.address,
        )  # fmt: skip
        return c, T, diagonal

    def outer_sums(self, v: Floats, u1: Floats, ur: Floats) -> Floats:
        """Sum over rows of v z u'."""
        T = np.zeros((self.slots.total, self.slots.total))
        kernels.outer_sums(
            v, self.index.start, self.index.r, self.z, self.step, u1, ur, self.first, self.last, T
        )
        return T
