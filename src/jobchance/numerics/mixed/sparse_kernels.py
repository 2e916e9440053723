"""Compiled loops over a symmetric sparse matrix K without diagonal: both triangles by row (`ptr`, `idx`).

`first, last` bound the rows that one thread works on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

from jobchance.numerics.mixed.jit import njit

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]
Ints = NDArray[np.int32]
Kernel = TypeVar("Kernel", bound=Callable[..., object])


def njit_sums(kernel: Kernel) -> Kernel:
    """`njit` that may add in another order, so that long sums use all lanes of the processor."""
    made = numba.njit(cache=True, nogil=True, error_model="numpy", fastmath={"reassoc", "contract"})(kernel)
    return cast(Kernel, made)


@njit
def multiply(ptr: Codes, idx: Ints, K: Floats, V: Floats, out: Floats, first: int, last: int) -> None:
    """Set rows of `out` (n, 8) to those of K V."""
    for i in range(first, last):
        t0 = t1 = t2 = t3 = t4 = t5 = t6 = t7 = 0.0
        for a in range(ptr[i], ptr[i + 1]):
            j, x = idx[a], K[a]
            t0 += x * V[j, 0]
            t1 += x * V[j, 1]
            t2 += x * V[j, 2]
            t3 += x * V[j, 3]
            t4 += x * V[j, 4]
            t5 += x * V[j, 5]
            t6 += x * V[j, 6]
            t7 += x * V[j, 7]
        out[i, 0], out[i, 1], out[i, 2], out[i, 3] = t0, t1, t2, t3
        out[i, 4], out[i, 5], out[i, 6], out[i, 7] = t4, t5, t6, t7


@njit
def multiply_one(ptr: Codes, idx: Ints, K: Floats, v: Floats, out: Floats) -> None:
    """Set `out` to K v."""
    for i in range(len(ptr) - 1):
        t = 0.0
        for a in range(ptr[i], ptr[i + 1]):
            t += K[a] * v[idx[a]]
        out[i] = t


@njit
def powers(
    ptr: Codes, idx: Ints, K: Floats, lower: Codes, second: Floats, third: Floats, first: int, last: int
) -> float:
    """Set K^2 and K^3 on the lower triangle of the pattern, by row; returns the sum of squares of K^2.

    `lower` counts the elements below the diagonal before each row; they come first within the row.
    """
    n = len(ptr) - 1
    row = np.zeros(n)
    met = np.empty(n, np.int32)
    seen = np.full(n, -1, np.int64)
    total = 0.0
    for i in range(first, last):
        k = 0
        for a in range(ptr[i], ptr[i + 1]):
            h, x = idx[a], K[a]
            for b in range(ptr[h], ptr[h + 1]):
                j = idx[b]
                if seen[j] != i:
                    seen[j] = i
                    met[k] = j
                    k += 1
                row[j] += x * K[b]
        for a in range(lower[i + 1] - lower[i]):
            j = idx[ptr[i] + a]
            second[lower[i] + a] = row[j]
            t = 0.0
            for b in range(ptr[j], ptr[j + 1]):
                t += row[idx[b]] * K[b]
            third[lower[i] + a] = t
        for a in range(k):
            total += row[met[a]] ** 2
            row[met[a]] = 0.0
    return total


@njit_sums
def dots(ptr: Codes, idx: Ints, lower: Codes, A: Floats, B: Floats, G: Floats, first: int, last: int) -> None:
    """Add A B' to G on the lower triangle of the pattern."""
    for i in range(first, last):
        x = A[i]
        for a in range(lower[i + 1] - lower[i]):
            y = B[idx[ptr[i] + a]]
            t = 0.0
            for c in range(A.shape[1]):
                t += x[c] * y[c]
            G[lower[i] + a] += t


@njit_sums
def add_products(ptr: Codes, idx: Codes, A: Floats, B: Floats, values: Floats) -> None:
    """Add A B' on a lower triangle that includes its diagonal."""
    for i in range(len(ptr) - 1):
        x = A[i]
        for a in range(ptr[i], ptr[i + 1]):
            y = B[idx[a]]
            t = 0.0
            for c in range(A.shape[1]):
                t += x[c] * y[c]
            values[a] += t
