"""Compiled loops of the mixed-model engine over rows sorted by the level i of the eliminated factor.

M = I + Lambda'Z'WZ Lambda is never formed. Level i contributes a small block I + A_i = l_i l_i', eliminated
exactly; the rest is the Schur complement S over the remaining columns. `ptr, idx` list the distinct remaining
columns met by level i, `rpos` says which of them a row uses, `slot` where S keeps each pair of them (lower
triangle, row by row; with `order` > 0 S is one dense matrix of that order and `slot` is empty). `C` holds
l_i^{-1} times the cross-products with those columns. `zt` = Z Lambda by row (first the m1 columns of the
eliminated factor), or a single row with `step` 0 when all rows are alike (intercepts only).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from jobchance.numerics.mixed.jit import njit

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]
Ints = NDArray[np.int32]


@njit
def build_lists(start: Codes, r: Ints, q: int) -> tuple[Codes, Ints, Ints]:
    """Distinct remaining columns of each level (`ptr`, `idx`), and places of a row's in the list (`rpos`)."""
    n, mr = r.shape
    ptr = np.zeros(len(start), np.int64)
    idx = np.empty(n * mr, np.int32)
    rpos = np.empty((n, mr), np.int32)
    seen = np.full(q, -1, np.int64)
    k = 0
    for i in range(len(start) - 1):
        first = k
        for s in range(start[i], start[i + 1]):
            for j in range(mr):
                column = r[s, j]
                if seen[column] < first:
                    seen[column] = k
                    idx[k] = column
                    k += 1
                rpos[s, j] = seen[column] - first
        ptr[i + 1] = k
    return ptr, idx[:k].copy(), rpos


@njit
def build_pairs(ptr: Codes, idx: Ints) -> tuple[Ints, Ints]:
    """Larger and smaller column of every pair within the levels' lists, a column with itself included."""
    total = 0
    for i in range(len(ptr) - 1):
        k = ptr[i + 1] - ptr[i]
        total += k * (k + 1) // 2
    high, low = np.empty(total, np.int32), np.empty(total, np.int32)
    t = 0
    for i in range(len(ptr) - 1):
        for p in range(ptr[i], ptr[i + 1]):
            for q in range(ptr[i], p + 1):
                high[t] = max(idx[p], idx[q])
                low[t] = min(idx[p], idx[q])
                t += 1
    return high, low


@njit
def _longest(ptr: Codes) -> int:
    """Length of the longest list."""
    made = 0
    for i in range(len(ptr) - 1):
        made = max(made, ptr[i + 1] - ptr[i])
    return made


@njit
def _alike(rpos: Ints, s: int) -> bool:
    """Whether a row uses the same columns as the row before."""
    alike = True
    for j in range(rpos.shape[1]):
        alike = alike and rpos[s, j] == rpos[s - 1, j]
    return alike


@njit
def _address(p: int, q: int, order: int) -> int:
    """Place of the element (p, q) in a dense lower triangle kept column by column."""
    return q * order + p if p > q else p * order + q


@njit
def _add_pairs(
    pairs: Floats, first: int, k: int, at: int, idx: Ints, slot: Codes, order: int, S: Floats
) -> None:
    """Add a level's small matrix to S."""
    t = 0
    for p in range(k):
        for q in range(p + 1):
            S[_address(idx[first + p], idx[first + q], order) if order else slot[at + t]] += pairs[p, q]
            t += 1


@njit
def _get_pairs(
    pairs: Floats, first: int, k: int, at: int, idx: Ints, slot: Codes, order: int, V: Floats
) -> None:
    """Fetch a level's small matrix, both triangles, from V."""
    t = 0
    for p in range(k):
        for q in range(p + 1):
            e = V[_address(idx[first + p], idx[first + q], order) if order else slot[at + t]]
            pairs[p, q] = e
            pairs[q, p] = e
            t += 1


@njit
def weigh(
    W: Floats,
    start: Codes,
    rpos: Ints,
    zt: Floats,
    step: int,
    m1: int,
    ptr: Codes,
    idx: Ints,
    slot: Codes,
    order: int,
    A: Floats,
    C: Floats,
    S: Floats,
) -> float:
    """Fill l (in `A`, lower) and C, add to S; returns sum log|I + A_i|."""
    mr = rpos.shape[1]
    longest = _longest(ptr)
    pairs = np.empty((longest, longest))
    total = 0.0
    at = 0
    for i in range(len(start) - 1):
        first, k = ptr[i], ptr[i + 1] - ptr[i]
        for a in range(m1):
            for b in range(m1):
                A[i, a, b] = 1.0 if a == b else 0.0
        for p in range(first, first + k):
            for a in range(m1):
                C[p, a] = 0.0
        for s in range(start[i], start[i + 1]):
            z = s * step
            for a in range(m1):
                wz = W[s] * zt[z, a]
                for b in range(a + 1):
                    A[i, a, b] += wz * zt[z, b]
                for j in range(mr):
                    C[first + rpos[s, j], a] += wz * zt[z, m1 + j]
        for a in range(m1):
            for b in range(a + 1):
                t = A[i, a, b]
                for c in range(b):
                    t -= A[i, a, c] * A[i, b, c]
                if a == b:
                    A[i, a, a] = math.sqrt(t)
                    total += math.log(t)
                else:
                    A[i, a, b] = t / A[i, b, b]
        for p in range(k):
            for a in range(m1):
                t = C[first + p, a]
                for b in range(a):
                    t -= A[i, a, b] * C[first + p, b]
                C[first + p, a] = t / A[i, a, a]
            for q in range(p + 1):
                t = 0.0
                for a in range(m1):
                    t -= C[first + p, a] * C[first + q, a]
                pairs[p, q] = t
        for s in range(start[i], start[i + 1]):
            z = s * step
            for j in range(mr):
                p = rpos[s, j]
                wz = W[s] * zt[z, m1 + j]
                for h in range(j + 1):
                    q = rpos[s, h]
                    pairs[max(p, q), min(p, q)] += wz * zt[z, m1 + h]
        _add_pairs(pairs, first, k, at, idx, slot, order, S)
        at += k * (k + 1) // 2
    return total


@njit
def weigh_single(
    W: Floats,
    start: Codes,
    rpos: Ints,
    zt: Floats,
    ptr: Codes,
    idx: Ints,
    slot: Codes,
    order: int,
    A: Floats,
    C: Floats,
    S: Floats,
) -> float:
    """`weigh` where every effect is an intercept: one number by level, runs of like rows taken together."""
    mr = rpos.shape[1]
    longest = _longest(ptr)
    pairs = np.empty((longest, longest))
    z = zt[0]
    total = 0.0
    at = 0
    for i in range(len(start) - 1):
        first, k = ptr[i], ptr[i + 1] - ptr[i]
        for p in range(k):
            C[first + p, 0] = 0.0
            for q in range(p + 1):
                pairs[p, q] = 0.0
        weight, s, end = 0.0, start[i], start[i + 1]
        while s < end:
            w = W[s]
            while s + 1 < end and _alike(rpos, s + 1):
                s += 1
                w += W[s]
            weight += w
            for j in range(mr):
                p = rpos[s, j]
                wz = w * z[1 + j]
                C[first + p, 0] += wz
                for h in range(j + 1):
                    q = rpos[s, h]
                    pairs[max(p, q), min(p, q)] += wz * z[1 + h]
            s += 1
        t = 1.0 + weight * z[0] * z[0]
        total += math.log(t)
        A[i, 0, 0] = math.sqrt(t)
        scale = z[0] / A[i, 0, 0]
        for p in range(k):
            C[first + p, 0] *= scale
            for q in range(p + 1):
                pairs[p, q] -= C[first + p, 0] * C[first + q, 0]
        _add_pairs(pairs, first, k, at, idx, slot, order, S)
        at += k * (k + 1) // 2
    return total


@njit
def linear_predictor(
    fixed: Floats, start: Codes, r: Ints, zt: Floats, step: int, u1: Floats, ur: Floats, eta: Floats
) -> None:
    """Fill eta = fixed + Z Lambda u by row."""
    m1 = u1.shape[1]
    for i in range(len(start) - 1):
        for s in range(start[i], start[i + 1]):
            z = s * step
            t = fixed[s]
            for a in range(m1):
                t += zt[z, a] * u1[i, a]
            for j in range(r.shape[1]):
                t += zt[z, m1 + j] * ur[r[s, j]]
            eta[s] = t


@njit
def transpose_sums(v: Floats, start: Codes, r: Ints, zt: Floats, step: int, o1: Floats, orr: Floats) -> None:
    """Set o1 and add to orr: (Z Lambda)'v."""
    m1 = o1.shape[1]
    for i in range(len(start) - 1):
        for a in range(m1):
            o1[i, a] = 0.0
        for s in range(start[i], start[i + 1]):
            z = s * step
            for a in range(m1):
                o1[i, a] += zt[z, a] * v[s]
            for j in range(r.shape[1]):
                orr[r[s, j]] += zt[z, m1 + j] * v[s]


@njit
def forward(A: Floats, C: Floats, ptr: Codes, idx: Ints, g1: Floats, t1: Floats, gr: Floats) -> None:
    """Set t1 = l^{-1} g1 by level, and gr -= C't1: the right sides (columns) that are left for S."""
    m1, k = g1.shape[1], g1.shape[2]
    for i in range(len(ptr) - 1):
        for a in range(m1):
            for c in range(k):
                t = g1[i, a, c]
                for b in range(a):
                    t -= A[i, a, b] * t1[i, b, c]
                t1[i, a, c] = t / A[i, a, a]
        for p in range(ptr[i], ptr[i + 1]):
            column = idx[p]
            for a in range(m1):
                for c in range(k):
                    gr[column, c] -= C[p, a] * t1[i, a, c]


@njit
def backward(A: Floats, C: Floats, ptr: Codes, idx: Ints, t1: Floats, xr: Floats, x1: Floats) -> None:
    """Set x1 = l^{-T}(t1 - C xr) by level."""
    m1, k = t1.shape[1], t1.shape[2]
    for i in range(len(ptr) - 1):
        for a in range(m1):
            for c in range(k):
                x1[i, a, c] = t1[i, a, c]
        for p in range(ptr[i], ptr[i + 1]):
            column = idx[p]
            for a in range(m1):
                for c in range(k):
                    x1[i, a, c] -= C[p, a] * xr[column, c]
        for a in range(m1 - 1, -1, -1):
            for c in range(k):
                t = x1[i, a, c]
                for b in range(a + 1, m1):
                    t -= A[i, b, a] * x1[i, b, c]
                x1[i, a, c] = t / A[i, a, a]


@njit
def leverage(
    W: Floats,
    start: Codes,
    rpos: Ints,
    z: Floats,
    zt: Floats,
    step: int,
    m1: int,
    first: Codes,
    last: Codes,
    ptr: Codes,
    idx: Ints,
    slot: Codes,
    order: int,
    A: Floats,
    C: Floats,
    V: Floats,
    c: Floats,
    T: Floats,
    v1sum: Floats,
) -> None:
    """Leverages c_s = zt_s' M^{-1} zt_s, and T += sum W z_s (M^{-1} zt_s)' within factors, from V = S^{-1}.

    `first, last` bound the slots of the factor of each slot. `v1sum` (q1, m1) takes the diagonal of M^{-1}.
    """
    mr = rpos.shape[1]
    longest = _longest(ptr)
    pairs, K = np.empty((longest, longest)), np.empty((longest, m1))
    B, t, v = np.empty((m1, m1)), np.empty(m1), np.empty(m1 + mr)
    at = 0
    for i in range(len(start) - 1):
        p0, k = ptr[i], ptr[i + 1] - ptr[i]
        _get_pairs(pairs, p0, k, at, idx, slot, order, V)
        at += k * (k + 1) // 2
        for p in range(k):
            for a in range(m1):
                e = 0.0
                for q in range(k):
                    e += pairs[p, q] * C[p0 + q, a]
                K[p, a] = e
        for a in range(m1):
            for b in range(m1):
                e = 1.0 if a == b else 0.0
                for p in range(k):
                    e += C[p0 + p, a] * K[p, b]
                B[a, b] = e
        for a in range(m1):  # diagonal of M^{-1}: column a of l^{-1}, then the quadratic form in B
            for b in range(m1):
                e = 1.0 if a == b else 0.0
                for d in range(b):
                    e -= A[i, b, d] * t[d]
                t[b] = e / A[i, b, b]
            e = 0.0
            for b in range(m1):
                for d in range(m1):
                    e += t[b] * B[b, d] * t[d]
            v1sum[i, a] = e
        for s in range(start[i], start[i + 1]):
            g = s * step
            if step or s == start[i] or not _alike(rpos, s):
                for a in range(m1):
                    e = zt[g, a]
                    for b in range(a):
                        e -= A[i, a, b] * t[b]
                    t[a] = e / A[i, a, a]
                for j in range(mr):
                    e = 0.0
                    for h in range(mr):
                        e += pairs[rpos[s, j], rpos[s, h]] * zt[g, m1 + h]
                    for a in range(m1):
                        e -= K[rpos[s, j], a] * t[a]
                    v[m1 + j] = e
                for a in range(m1):
                    e = 0.0
                    for b in range(m1):
                        e += B[a, b] * t[b]
                    for h in range(mr):
                        e -= K[rpos[s, h], a] * zt[g, m1 + h]
                    v[a] = e
                for a in range(m1 - 1, -1, -1):
                    e = v[a]
                    for b in range(a + 1, m1):
                        e -= A[i, b, a] * v[b]
                    v[a] = e / A[i, a, a]
            e = 0.0
            for j in range(m1 + mr):
                e += zt[g, j] * v[j]
                wz = W[s] * z[g, j]
                for h in range(first[j], last[j]):
                    T[j, h] += wz * v[h]
            c[s] = e


@njit
def leverage_single(
    W: Floats,
    start: Codes,
    rpos: Ints,
    zt: Floats,
    ptr: Codes,
    idx: Ints,
    slot: Codes,
    order: int,
    A: Floats,
    C: Floats,
    V: Floats,
    c: Floats,
    T: Floats,
    v1sum: Floats,
) -> None:
    """`leverage` where every effect is an intercept, with unit columns before scaling."""
    mr = rpos.shape[1]
    longest = _longest(ptr)
    pairs, K, v = np.empty((longest, longest)), np.empty(longest), np.empty(1 + mr)
    z = zt[0]
    at = 0
    for i in range(len(start) - 1):
        p0, k = ptr[i], ptr[i + 1] - ptr[i]
        _get_pairs(pairs, p0, k, at, idx, slot, order, V)
        at += k * (k + 1) // 2
        B = 1.0
        for p in range(k):
            e = 0.0
            for q in range(k):
                e += pairs[p, q] * C[p0 + q, 0]
            K[p] = e
            B += C[p0 + p, 0] * e
        scale = 1.0 / A[i, 0, 0]
        t = z[0] * scale
        v1sum[i, 0] = B * scale * scale
        s, end = start[i], start[i + 1]
        while s < end:
            begin, w = s, W[s]
            while s + 1 < end and _alike(rpos, s + 1):
                s += 1
                w += W[s]
            v[0] = B * t
            lever = 0.0
            for j in range(mr):
                p = rpos[s, j]
                e = -K[p] * t
                for h in range(mr):
                    e += pairs[p, rpos[s, h]] * z[1 + h]
                v[0] -= K[p] * z[1 + j]
                lever += z[1 + j] * e
                T[1 + j, 1 + j] += w * e
            v[0] *= scale
            lever += z[0] * v[0]
            T[0, 0] += w * v[0]
            s += 1
            for row in range(begin, s):
                c[row] = lever


@njit
def eliminated(
    ptr: Codes, idx: Ints, slot: Codes, order: int, A: Floats, C: Floats, V: Floats, out: Floats
) -> None:
    """Fill `out` (q1, m1, m1) with M^{-1}_ii of the eliminated levels."""
    m1 = A.shape[1]
    longest = _longest(ptr)
    pairs, B = np.empty((longest, longest)), np.empty((m1, m1))
    at = 0
    for i in range(len(ptr) - 1):
        p0, k = ptr[i], ptr[i + 1] - ptr[i]
        _get_pairs(pairs, p0, k, at, idx, slot, order, V)
        at += k * (k + 1) // 2
        for a in range(m1):
            for b in range(m1):
                e = 1.0 if a == b else 0.0
                for p in range(k):
                    for q in range(k):
                        e += C[p0 + p, a] * pairs[p, q] * C[p0 + q, b]
                B[a, b] = e
        for _ in range(2):  # B <- (l^{-T} B)', twice: l^{-T} B l^{-1}
            for c in range(m1):
                for a in range(m1 - 1, -1, -1):
                    t = B[a, c]
                    for b in range(a + 1, m1):
                        t -= A[i, b, a] * B[b, c]
                    B[a, c] = t / A[i, a, a]
            for a in range(m1):
                for b in range(a):
                    B[a, b], B[b, a] = B[b, a], B[a, b]
        for a in range(m1):
            for b in range(m1):
                out[i, a, b] = B[a, b]


@njit
def outer_sums(
    v: Floats,
    start: Codes,
    r: Ints,
    z: Floats,
    step: int,
    u1: Floats,
    ur: Floats,
    first: Codes,
    last: Codes,
    T: Floats,
) -> None:
    """T += sum_s v_s z_s u_s' within factors, u_s the effects of the levels of row s."""
    m1 = u1.shape[1]
    mt = m1 + r.shape[1]
    for i in range(len(start) - 1):
        for s in range(start[i], start[i + 1]):
            g = s * step
            for j in range(mt):
                t = v[s] * z[g, j]
                for k in range(first[j], last[j]):
                    T[j, k] += t * (u1[i, k] if k < m1 else ur[r[s, k - m1]])


@njit
def cross_sums(
    D: Floats, W: Floats, start: Codes, r: Ints, z: Floats, step: int, o1: Floats, orr: Floats
) -> None:
    """Add to o1 (q1, m1, k) and orr (q, k): Z'W D for the columns of D, in raw (unscaled) Z."""
    m1, k = o1.shape[1], D.shape[1]
    for i in range(len(start) - 1):
        for s in range(start[i], start[i + 1]):
            g = s * step
            for c in range(k):
                d = W[s] * D[s, c]
                for a in range(m1):
                    o1[i, a, c] += z[g, a] * d
                for j in range(r.shape[1]):
                    orr[r[s, j], c] += z[g, m1 + j] * d


@njit
def fitted_outer(
    W: Floats,
    start: Codes,
    r: Ints,
    z: Floats,
    zt: Floats,
    step: int,
    x1: Floats,
    xr: Floats,
    weight: Floats,
    first: Codes,
    last: Codes,
    T: Floats,
) -> None:
    """T += sum_s W_s z_s (sum_c weight_c e_sc x_sc)' within factors, with e = Z Lambda x."""
    m1, k = x1.shape[1], x1.shape[2]
    mt = m1 + r.shape[1]
    e = np.empty(k)
    for i in range(len(start) - 1):
        for s in range(start[i], start[i + 1]):
            g = s * step
            for c in range(k):
                t = 0.0
                for a in range(m1):
                    t += zt[g, a] * x1[i, a, c]
                for j in range(m1, mt):
                    t += zt[g, j] * xr[r[s, j - m1], c]
                e[c] = t * weight[c] * W[s]
            for j in range(mt):
                for h in range(first[j], last[j]):
                    t = 0.0
                    for c in range(k):
                        t += e[c] * (x1[i, h, c] if h < m1 else xr[r[s, h - m1], c])
                    T[j, h] += z[g, j] * t


@njit
def place(
    p: int,
    q: int,
    block: Codes,
    local: Codes,
    n_of: Codes,
    off_b: Codes,
    off_c: Codes,
    active: Codes,
    off_d: int,
    nb: int,
) -> int:
    """Index in the flat store of S of the element (p, q)."""
    if p < q:
        p, q = q, p
    j = block[q]
    if j < 0:
        return int(off_d + local[q] * nb + local[p])
    if block[p] < 0:
        return int(off_c[j] + active[j, local[p]] * n_of[j] + local[q])
    return int(off_b[j] + local[q] * n_of[j] + local[p])
