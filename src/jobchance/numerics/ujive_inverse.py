"""The inverses of the connected blocks of two crossed factors, without one level of each.

Letters as in `ujive_kernels`: kept levels u lie in blocks b; a pair joins one to an eliminated level.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack

from jobchance.errors import DesignError, EstimationError
from jobchance.numerics.two_way_threads import in_two
from jobchance.numerics.ujive_kernels import block_products, mirror, subtract_products

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

_SMALL = 24


@dataclass(frozen=True, eq=False)
class InverseBlocks:
    """Inverses of the blocks in one flat array, see `ujive_kernels`."""

    S: Floats
    start: Codes
    size: Codes
    block: Codes
    place: Codes

    @property
    def arrays(self) -> tuple[Floats, Codes, Codes, Codes, Codes]:
        """In the order in which the kernels take them."""
        return self.S, self.start, self.size, self.block, self.place

    def at(self, u: Codes, w: Codes) -> Floats:
        """Elements between kept levels of the same block; 0 with the level left out."""
        i, j, b = self.place[u], self.place[w], self.block[u]
        there = (i >= 0) & (j >= 0)
        index = np.where(there, self.start[b] + i * self.size[b] + j, 0)
        return np.where(there, self.S[index], 0.0)

    def times(self, rhs: Floats) -> Floats:
        """Products with columns (A, c) of the kept levels; 0 at those left out."""
        out = np.zeros_like(rhs)
        block_products(*self.arrays, rhs, out, _SMALL)
        for b in np.flatnonzero(self.size > _SMALL):
            r, start = self.size[b], self.start[b]
            rows = slice(int(np.searchsorted(self.block, b)), int(np.searchsorted(self.block, b)) + int(r))
            out[rows] = self.S[start : start + r * r].reshape(r, r) @ rhs[rows]
        return out


def inverse_blocks(
    block: Codes, ptr: Codes, keep: Codes, n: Floats, w: Floats, max_bytes: int
) -> InverseBlocks:
    """S^{-1} of every block; the last kept level of each is left out.

    Raises
    ------
    DesignError
        The blocks take more than `max_bytes`.
    EstimationError
        A block is not positive definite in double precision.
    """
    count = np.bincount(block)
    size = (count - 1).astype(np.int64)
    first = np.concatenate([[0], np.cumsum(count)[:-1]])
    place = np.arange(len(block)) - first[block]
    place[place == size[block]] = -1
    start = np.concatenate([[0], np.cumsum(size**2)]).astype(np.int64)
    if start[-1] * 8 > max_bytes:
        raise DesignError(
            f"The two factors cross in a connected block of {int(count.max())} levels of the shorter factor, "
            "too large to invert. Use cells that hold whole groups, or fewer rows."
        )
    S = np.zeros(int(start[-1]))
    made = InverseBlocks(S, start[:-1], size, block.astype(np.int64), place.astype(np.int64))
    inside = np.flatnonzero(place >= 0)
    S[start[block[inside]] + place[inside] * (size[block[inside]] + 1)] = np.bincount(keep, n)[inside]
    work = np.cumsum(np.where(place >= 0, size[block] - place, 0))
    cut = int(np.searchsorted(work, work[-1] // 2))
    known = *made.arrays, ptr, keep, n, w
    in_two(subtract_products, len(block), *known, cut=cut, steps=len(n))
    for r in np.unique(size):
        chosen = np.flatnonzero(size == r)
        if r > _SMALL:
            for b in chosen:
                if not invert_in_place(S[start[b] : start[b + 1]].reshape(r, r)):
                    raise EstimationError(
                        "The two factors are hardly connected by common rows, so that the projection on both "
                        "cannot be computed. Drop levels that few rows connect."
                    )
        elif r > 0:
            index = start[chosen][:, None] + np.arange(r * r)
            upper = S[index].reshape(-1, r, r)
            whole = upper + np.triu(upper, 1).transpose(0, 2, 1)
            S[index] = np.linalg.inv(whole).reshape(len(chosen), -1)
    return made


def invert_in_place(matrix: Floats) -> bool:
    """Invert a symmetric matrix, its upper triangle given; False where it is not positive definite."""
    factor, info = lapack.dpotrf(matrix.T, lower=1, overwrite_a=1, clean=0)
    inverse, fault = lapack.dpotri(factor, lower=1, overwrite_c=1)
    if not np.may_share_memory(inverse, matrix):
        matrix[:] = inverse.T
    mirror(matrix)
    return not (info or fault)
