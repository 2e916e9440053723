"""Compiled loops over pairs of crossed factors, and over the inverses of their connected blocks.

Letters: an eliminated level v has the pairs `ptr[v]:ptr[v + 1]`; pair p joins it to the kept level `keep[p]`
with share `w[p]` of the rows of v, in order of the kept levels. Kept level u lies in block `block[u]` at
place `place[u]` (-1: the level left out, the last); block b is r (r x r) values of the flat array `S` from
`start[b]`. Loops take the range `low:high` of their rows, see `two_way_threads`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from jobchance.numerics.mixed.jit import njit

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]


@njit
def counted_order(codes: Codes, n_levels: int) -> tuple[Codes, Codes]:
    """Rows in order of their codes 0..n_levels-1 (ties as they stand), and where each code starts."""
    starts = np.zeros(n_levels + 1, dtype=np.int64)
    for code in codes:
        starts[code + 1] += 1
    for v in range(n_levels):
        starts[v + 1] += starts[v]
    place = starts[:-1].copy()
    order = np.empty(len(codes), dtype=np.int64)
    for i in range(len(codes)):
        order[place[codes[i]]] = i
        place[codes[i]] += 1
    return order, starts


@njit
def number_pairs(first: Codes, second: Codes, order: Codes, pair: Codes) -> Codes:
    """Set `pair` to the number of each row's combination of codes, rows being in `order` of both.

    The result is the first row of each pair.
    """
    rows = np.empty(len(order), dtype=np.int64)
    count, before = 0, 0
    for t in range(len(order)):
        i = order[t]
        if t == 0 or first[i] != first[before] or second[i] != second[before]:
            rows[count] = i
            count += 1
        pair[i] = count - 1
        before = i
    return rows[:count].copy()


@njit
def own_products(pair: Codes, n_pair: Floats, i: Codes, j: Codes, out: Floats, low: int, high: int) -> None:
    """Set `out` to 1 / (rows of the pair) where rows i and j share one, else 0."""
    for t in range(low, high):
        p = pair[i[t]]
        out[t] = 1 / n_pair[p] if p == pair[j[t]] else 0.0


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
    low: int,
    high: int,
) -> None:
    """Take B D^-1 B' from the upper triangles in the rows of kept levels `low:high`: n[p] w[q] for p <= q."""
    for v in range(len(ptr) - 1):
        for p in range(ptr[v], ptr[v + 1]):
            u = keep[p]
            i = place[u]
            if u < low or u >= high or i < 0:
                continue
            row = start[block[u]] + i * size[block[u]]
            for q in range(p, ptr[v + 1]):
                j = place[keep[q]]
                if j >= 0:
                    S[row + j] -= n[p] * w[q]


@njit
def mirror(matrix: Floats) -> None:
    """Copy the upper triangle to the lower, in tiles that stay in the cache."""
    n, tile = len(matrix), 64
    for a in range(0, n, tile):
        for b in range(a, n, tile):
            for i in range(a, min(a + tile, n)):
                for j in range(max(b, i + 1), min(b + tile, n)):
                    matrix[j, i] = matrix[i, j]


@njit
def block_products(
    S: Floats,
    start: Codes,
    size: Codes,
    block: Codes,
    place: Codes,
    rhs: Floats,
    out: Floats,
    largest: int,
) -> None:
    """Set `out` (A, c) to S `rhs` in blocks of at most `largest` rows.

    The kept levels of a block are consecutive in order of place.
    """
    A, c = rhs.shape
    u = 0
    while u < A:
        b = block[u]
        r = size[b]
        for i in range(r if r <= largest else 0):
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
    low: int,
    high: int,
) -> None:
    """Set `single[p]` = sum_q S[u_p, u_q] w_q over the pairs q of the level v of p, `double[v]` = w'Sw."""
    for v in range(low, high):
        for p in range(ptr[v], ptr[v + 1]):
            single[p] = 0.0
        total = 0.0
        for p in range(ptr[v], ptr[v + 1]):
            i = place[keep[p]]
            if i < 0:
                continue
            b = block[keep[p]]
            row = start[b] + i * size[b]
            single[p] += S[row + i] * w[p]
            for q in range(p + 1, ptr[v + 1]):
                j = place[keep[q]]
                if j >= 0:
                    single[p] += S[row + j] * w[q]
                    single[q] += S[row + j] * w[p]
            total += w[p] * single[p]
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
    low: int,
    high: int,
) -> None:
    """Set `out` to the hat value of a row of pair `first` and a row of pair `second`, of other levels v.

    With x_p = e_u - sum_q w_q e_q over the pairs q of v, it is x_first' S x_second. `second` is in order of
    its levels v: S sum_q w_q e_q is made once for each.
    """
    t = low
    image = np.empty(size.max())
    while t < high:
        v = level[second[t]]
        b = block[keep[second[t]]]
        r, origin = size[b], start[b]
        _image(S, origin, r, place, ptr[v], ptr[v + 1], keep, w, image)
        while t < high and level[second[t]] == v:
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


@njit
def _image(
    S: Floats, origin: int, r: int, place: Codes, low: int, high: int, keep: Codes, w: Floats, out: Floats
) -> None:
    """Set `out[:r]` to the rows of S at the pairs `low:high`, by their shares; four rows at a time."""
    out[:r] = 0.0
    last = high - 1 if place[keep[high - 1]] < 0 else high
    c = low
    while c + 4 <= last:
        w0, w1, w2, w3 = w[c], w[c + 1], w[c + 2], w[c + 3]
        s0 = S[origin + place[keep[c]] * r : origin + place[keep[c]] * r + r]
        s1 = S[origin + place[keep[c + 1]] * r : origin + place[keep[c + 1]] * r + r]
        s2 = S[origin + place[keep[c + 2]] * r : origin + place[keep[c + 2]] * r + r]
        s3 = S[origin + place[keep[c + 3]] * r : origin + place[keep[c + 3]] * r + r]
        for i in range(r):
            out[i] += w0 * s0[i] + w1 * s1[i] + (w2 * s2[i] + w3 * s3[i])
        c += 4
    while c < last:
        w0 = w[c]
        s0 = S[origin + place[keep[c]] * r : origin + place[keep[c]] * r + r]
        for i in range(r):
            out[i] += w0 * s0[i]
        c += 1
