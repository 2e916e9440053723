"""Compiled loops over pairs of crossed factors, and over the inverses of their connected blocks.

Letters: an eliminated level v has the pairs `ptr[v]:ptr[v + 1]`; pair p joins it to the kept level `keep[p]`
with share `w[p]` of the rows of v. Kept level u lies in block `block[u]` at place `place[u]` (-1: the level
left out); block b is r (r x r) values of the flat array `S` from `start[b]`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from jobchance.numerics.mixed.jit import njit

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]


@njit
def subtract_products(
    S: Floats,
    start: Codes,
    size: Codes,
    block: Codes,
    place: Codes,
    ptr: Codes,
    keep: Codes,
    n: Floats,
    w: Floats,
) -> None:
    """Take B D^-1 B' from the blocks: n[p] w[q] for all pairs p, q of one eliminated level."""
    for v in range(len(ptr) - 1):
        for p in range(ptr[v], ptr[v + 1]):
            i = place[keep[p]]
            if i < 0:
                continue
            b = block[keep[p]]
            row = start[b] + i * size[b]
            for q in range(ptr[v], ptr[v + 1]):
                j = place[keep[q]]
                if j >= 0:
                    S[row + j] -= n[p] * w[q]


@njit
def block_products(
    S: Floats, start: Codes, size: Codes, block: Codes, place: Codes, rhs: Floats, out: Floats
) -> None:
    """Set `out` (A, c) to S `rhs`, where the kept levels of a block are consecutive in order of place."""
    A, c = rhs.shape
    u = 0
    while u < A:
        b = block[u]
        r = size[b]
        for i in range(r):
            row = start[b] + i * r
            for j in range(r):
                s = S[row + j]
                for k in range(c):
                    out[u + i, k] += s * rhs[u + j, k]
        u += r + 1


@njit
def pair_terms(
    S: Floats,
    start: Codes,
    size: Codes,
    block: Codes,
    place: Codes,
    ptr: Codes,
    keep: Codes,
    w: Floats,
    single: Floats,
    double: Floats,
) -> None:
    """Set `single[p]` = sum_q S[u_p, u_q] w_q over the pairs q of the level v of p, `double[v]` = w'Sw."""
    for v in range(len(ptr) - 1):
        total = 0.0
        for p in range(ptr[v], ptr[v + 1]):
            i = place[keep[p]]
            value = 0.0
            if i >= 0:
                b = block[keep[p]]
                row = start[b] + i * size[b]
                for q in range(ptr[v], ptr[v + 1]):
                    j = place[keep[q]]
                    if j >= 0:
                        value += S[row + j] * w[q]
            single[p] = value
            total += w[p] * value
        double[v] = total


@njit
def cross_products(
    S: Floats,
    start: Codes,
    size: Codes,
    block: Codes,
    place: Codes,
    ptr: Codes,
    keep: Codes,
    w: Floats,
    level: Codes,
    first: Codes,
    second: Codes,
    out: Floats,
) -> None:
    """Set `out` to the hat value of a row of pair `first` and a row of pair `second`, of other levels v.

    With x_p = e_u - sum_q w_q e_q over the pairs q of v, it is x_first' S x_second. `second` is in order of
    its levels v: S sum_q w_q e_q is made once for each.
    """
    t, n = 0, len(first)
    image = np.empty(size.max())
    while t < n:
        v = level[second[t]]
        b = block[keep[second[t]]]
        r, origin = size[b], start[b]
        image[:r] = 0.0
        for c in range(ptr[v], ptr[v + 1]):
            j = place[keep[c]]
            if j >= 0:
                row = origin + j * r
                for i in range(r):
                    image[i] += w[c] * S[row + i]
        while t < n and level[second[t]] == v:
            p = first[t]
            total = 0.0
            if block[keep[p]] == b:
                j = place[keep[second[t]]]
                column = origin + j * r
                mine = level[p]
                for a in range(ptr[mine] - 1, ptr[mine + 1]):
                    i = place[keep[p]] if a < ptr[mine] else place[keep[a]]
                    if i >= 0:
                        x = 1.0 if a < ptr[mine] else -w[a]
                        total += x * ((S[column + i] if j >= 0 else 0.0) - image[i])
            out[t] = total
            t += 1
