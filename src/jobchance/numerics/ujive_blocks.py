"""Projections on factors and columns together, and the blocks of a matrix that belong to one left-out unit.

Letters: H hat matrix, M = I - H; the block of a unit holds the rows that are left out together (one row, or
all rows of a citizen).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jobchance.errors import DesignError
from jobchance.numerics.linalg import independent_columns
from jobchance.numerics.ujive_factors import Factors
from jobchance.numerics.ujive_kernels import counted_order

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]
Mask = NDArray[np.bool_]

MAX_ELEMENTS = 100_000_000
_CHUNK = 2_000_000
_VARIATION = 1e-9


class Projection:
    """Projection on the dummy variables of factors and on further columns (n, p), of any rank."""

    def __init__(self, factors: Factors, columns: Floats) -> None:
        self.factors = factors
        rest = factors.residuals(columns) if columns.shape[1] else columns
        size, left = np.linalg.norm(columns, axis=0), np.linalg.norm(rest, axis=0)
        varying = np.flatnonzero(left > _VARIATION * size)
        # A column of the length it has left, not of the length it had, is what may depend on others.
        kept = varying[independent_columns(rest[:, varying])] if len(varying) else varying
        self.Q: Floats = np.linalg.qr(rest[:, kept])[0] if len(kept) else np.empty((len(columns), 0))
        self.rank = factors.rank + len(kept)

    @property
    def leverages(self) -> Floats:
        """Diagonal of H."""
        out: Floats = self.factors.leverages + np.sum(self.Q**2, axis=1)
        return out

    def residuals(self, values: Floats) -> Floats:
        """M applied to columns (n, c)."""
        left = self.factors.residuals(values)
        out: Floats = left - self.Q @ (self.Q.T @ left) if self.Q.shape[1] else left
        return out

    def products(self, i: Codes, j: Codes) -> Floats:
        """Elements of H between rows `i` and rows `j`."""
        out = self.factors.products(i, j)
        step = max(1, _CHUNK // max(self.Q.shape[1], 1))
        if self.Q.shape[1]:
            for at in range(0, len(i), step):
                part = slice(at, at + step)
                out[part] += np.einsum("ij,ij->i", self.Q[i[part]], self.Q[j[part]])
        return out


@dataclass(frozen=True, eq=False)
class BlockDiagonal:
    """A symmetric matrix (n, n) that is zero between rows of different units.

    `rows[t]` (units, s) holds the rows of all units with s rows, `values[t]` (units, s, s) their blocks.
    """

    rows: tuple[Codes, ...]
    values: tuple[Floats, ...]

    def __add__(self, other: BlockDiagonal) -> BlockDiagonal:
        pairs = zip(self.values, other.values, strict=True)
        return BlockDiagonal(self.rows, tuple(a + b for a, b in pairs))

    def times(self, v: Floats) -> Floats:
        """Product with a vector (n,) or columns (n, c)."""
        return self._each(v, lambda block, part: block @ part)

    def solve(self, v: Floats) -> Floats:
        """Solution of the system with a vector (n,) or columns (n, c) on the right."""
        return self._each(v, _solved)

    def complement(self) -> BlockDiagonal:
        """The identity less this matrix."""
        return BlockDiagonal(self.rows, tuple(np.eye(v.shape[1]) - v for v in self.values))

    def undefined_rows(self, tolerance: float) -> Mask:
        """Rows in which a null vector is not zero: they have no prediction without their unit."""
        out = np.zeros(sum(rows.size for rows in self.rows), dtype=bool)
        for rows, blocks in zip(self.rows, self.values, strict=True):
            if rows.shape[1] == 1:
                out[rows[:, 0]] = blocks[:, 0, 0] <= tolerance
                continue
            values, vectors = np.linalg.eigh(blocks)
            null = values <= tolerance
            share = np.sum(np.where(null[:, None, :], vectors**2, 0.0), axis=2)
            out[rows] = share > tolerance
        return out

    def _each(self, v: Floats, what: Callable[[Floats, Floats], Floats]) -> Floats:
        """Apply to the rows of each unit, all units of one size at once."""
        wide = v if v.ndim == 2 else v[:, None]
        out = np.empty_like(wide)
        for rows, block in zip(self.rows, self.values, strict=True):
            out[rows] = what(block, wide[rows])
        return out if v.ndim == 2 else out[:, 0]


def _solved(block: Floats, part: Floats) -> Floats:
    """Solutions of the systems of all units of one size."""
    if block.shape[1] == 1:
        return part / block
    return np.asarray(np.linalg.solve(block, part), dtype=np.float64)


def unit_rows(codes: Codes) -> tuple[Codes, ...]:
    """Rows of every unit, one array (units, s) for each size s.

    Raises
    ------
    DesignError
        Units so large that their blocks cannot be held.
    """
    order, starts = counted_order(codes, int(codes.max()) + 1)
    counts = np.diff(starts)
    needed = int(np.sum(counts**2))
    if needed > MAX_ELEMENTS:
        raise DesignError(
            f"The largest unit that is left out has {int(counts.max())} rows, and all blocks together "
            f"{needed} elements; leave out smaller units (citizens, not caseworkers)."
        )
    sizes = np.flatnonzero(np.bincount(counts))
    return tuple(order[starts[:-1][counts == s][:, None] + np.arange(s)] for s in sizes[sizes > 0])


def diagonal_blocks(projection: Projection, rows: Sequence[Codes]) -> BlockDiagonal:
    """The blocks of H of all units."""
    triangles = [np.triu_indices(part.shape[1]) for part in rows]
    sides = zip(rows, triangles, strict=True)
    pairs = [(part[:, upper].ravel(), part[:, lower].ravel()) for part, (upper, lower) in sides]
    # One call for units of all sizes: what it costs per level of a factor is then paid once.
    values = projection.products(*(np.concatenate(side) for side in zip(*pairs, strict=True)))
    ends = np.cumsum([len(i) for i, _ in pairs])[:-1]
    made = []
    for part, (upper, lower), flat in zip(rows, triangles, np.split(values, ends), strict=True):
        units, s = part.shape
        block = np.empty((units, s, s))
        block[:, upper, lower] = block[:, lower, upper] = flat.reshape(units, -1)
        made.append(block)
    return BlockDiagonal(tuple(rows), tuple(made))
