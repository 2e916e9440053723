"""Sparse storage of the Schur complement S where it is too large to be factored.

The first columns are those of the large factors (caseworkers): S couples two of them only if they share an
eliminated level (a citizen), so their lower triangle is kept row by row. The few columns of small factors
(jobcentres) come last and are dense.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jobchance.errors import SpecError
from jobchance.numerics.mixed import kernels

Codes = NDArray[np.int64]

MAX_PAIRS = 40_000_000
MAX_DENSE = 2_000


@dataclass(frozen=True, eq=False)
class SparseLayout:
    """Where every remaining column lives.

    Parameters
    ----------
    ptr : integer array (n_sparse + 1,)
        First element of each row of the lower triangle, diagonal included.
    idx : integer array
        Columns, rising within a row.
    n_dense : int
        Number of dense columns, which follow the sparse ones.
    """

    ptr: Codes
    idx: Codes
    n_dense: int

    order = 0

    @property
    def n_sparse(self) -> int:
        """Number of sparse columns."""
        return len(self.ptr) - 1

    @property
    def q(self) -> int:
        """Number of remaining columns."""
        return self.n_sparse + self.n_dense

    @property
    def size(self) -> int:
        """Stored elements: sparse triangle, couplings with the dense columns, dense corner."""
        return len(self.idx) + self.n_dense * self.q

    @cached_property
    def keys(self) -> Codes:
        """Row times order plus column of every sparse element, rising."""
        rows = np.repeat(np.arange(self.n_sparse), np.diff(self.ptr))
        made: Codes = rows * self.n_sparse + self.idx
        return made

    def slots(self, p: NDArray[Any], q: NDArray[Any]) -> Codes:
        """Index in the flat store of the elements (p, q), in either order."""
        high, low = np.maximum(p, q).astype(np.int64), np.minimum(p, q).astype(np.int64)
        n, k = self.n_sparse, self.n_dense
        made: Codes = np.searchsorted(self.keys, high * n + low)
        across = high >= n
        made[across] = len(self.idx) + (high[across] - n) * n + low[across]
        corner = low >= n
        made[corner] = len(self.idx) + n * k + (low[corner] - n) * k + high[corner] - n
        return made

    def parts(self, store: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
        """Sparse elements, couplings (n_sparse, n_dense) and corner as views of a flat store."""
        n, k, nnz = self.n_sparse, self.n_dense, len(self.idx)
        couplings = store[nnz : nnz + n * k].reshape((n, k), order="F")
        return store[:nnz], couplings, store[nnz + n * k :].reshape((k, k), order="F")


def plan_sparse(codes: list[Codes], levels: list[int], widths: list[int], large: list[int]) -> SparseLayout:
    """Pattern of S with the columns of the factors in `large` sparse and those of the others dense.

    Raises
    ------
    SpecError
        Too many elements to be held.
    """
    columns = [q * m for q, m in zip(levels, widths, strict=True)]
    n, n_dense = sum(columns[f] for f in large), sum(columns[1:]) - sum(columns[f] for f in large)
    order = np.argsort(codes[0], kind="stable")
    first = np.flatnonzero(np.diff(codes[0][order], prepend=-1))
    parts, at = [], 0
    for f in large:
        parts.append(at + codes[f][order][:, None] * widths[f] + np.arange(widths[f]))
        at += columns[f]
    r = np.ascontiguousarray(np.hstack(parts), dtype=np.int32)
    ptr, idx, _ = kernels.build_lists(np.append(first, len(order)).astype(np.int64), r, n)
    each = np.diff(ptr)
    pairs = int((each * (each + 1) // 2).sum())
    if pairs > MAX_PAIRS or n_dense > MAX_DENSE:
        raise SpecError(
            f"The crossed groups need {n + n_dense:,} random columns beside the eliminated group, "
            f"with up to {pairs + n_dense * (n + n_dense):,} couplings (about "
            f"{8e-9 * 4 * (pairs + n_dense * (n + n_dense)):,.0f} GB of memory); "
            f"the limits are {MAX_PAIRS:,} couplings and {MAX_DENSE:,} columns of small groups. "
            "Leave out one of the crossed groups, or its random slopes, or take fewer rows."
        )
    high, low = kernels.build_pairs(ptr, idx)
    key = np.unique(np.concatenate([high.astype(np.int64) * n + low, np.arange(n) * (n + 1)]))
    rows = np.searchsorted(key, np.arange(n + 1, dtype=np.int64) * n)
    return SparseLayout(rows.astype(np.int64), key % n, n_dense)
