"""Compiled loops over a symmetric sparse matrix K without diagonal: both triangles by row (`ptr`, `idx`).

`first, last` bound the rows that one thread works on.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from jobchance.numerics.mixed.jit import njit

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]
Ints = NDArray[np.int32]


@njit
def multiply(ptr: Codes, idx: Ints, K: Floats, V: Floats, out: Floats, first: int, last: int) -> None:
    """Set rows of `out` to those of K V."""
    for i in range(first, last):
        for c in range(V.shape[1]):
            out[i, c] = 0.0
        for a in range(ptr[i], ptr[i + 1]):
            j, x = idx[a], K[a]
            for c in range(V.shape[1]):
                out[i, c] += x * V[j, c]


@njit
def powers(ptr: Codes, idx: Ints, K: Floats, second: Floats, third: Floats, first: int, last: int) -> float:
    """Set K^2 and K^3 on the pattern of K, by row; returns the sum of squares of K^2 over these rows."""
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
        for a in range(ptr[i], ptr[i + 1]):
            j = idx[a]
            second[a] = row[j]
            t = 0.0
            for b in range(ptr[j], ptr[j + 1]):
                t += row[idx[b]] * K[b]
            third[a] = t
        for a in range(k):
            total += row[met[a]] ** 2
            row[met[a]] = 0.0
    return total


@njit
def dots(ptr: Codes, idx: Ints, A: Floats, B: Floats, G: Floats, first: int, last: int) -> None:
    """G += A B' on the pattern."""
    for i in range(first, last):
        for a in range(ptr[i], ptr[i + 1]):
            j = idx[a]
            t = 0.0
            for c in range(A.shape[1]):
                t += A[i, c] * B[j, c]
            G[a] += t


@njit
def add_products(ptr: Codes, idx: Codes, A: Floats, B: Floats, values: Floats) -> None:
    """Add A B' on a lower triangle that includes its diagonal."""
    for i in range(len(ptr) - 1):
        for a in range(ptr[i], ptr[i + 1]):
            j = idx[a]
            t = 0.0
            for c in range(A.shape[1]):
                t += A[i, c] * B[j, c]
            values[a] += t
