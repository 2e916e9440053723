"""Compiled loops of the mixed-model engine over rows sorted by the level i of the eliminated factor.

M = I + Lambda'Z'WZ Lambda is never formed. Level i contributes a small block I + A_i = l_i l_i', eliminated
exactly; the rest is the Schur complement S over the remaining columns. `ptr, idx` list the distinct remaining
columns met by level i and `rpos` says which of them a row uses; `C` holds l_i^{-1} times the cross-products with
those columns. `zt` = Z Lambda by row (first the m1 columns of the eliminated factor), or a single row with
`step` 0 when all rows are alike (intercepts only). Positions in S are translated by `place` (see `arrow`).
"""

from __future__ import annotations

import math

import numpy as np

from jobchance.numerics.mixed.jit import njit


@njit
def build_lists(start, r, q):
    """Distinct remaining columns of each level (`ptr`, `idx`) and, by row and slot, their place (`rpos`)."""
    n, mr = r.shape
    q1 = len(start) - 1
    ptr = np.zeros(q1 + 1, np.int64)
    idx = np.empty(n * mr, np.int32)
    rpos = np.empty((n, mr), np.int64)
    seen = np.full(q, -1, np.int64)
    k = 0
    for i in range(q1):
        first = k
        for s in range(start[i], start[i + 1]):
            for j in range(mr):
                column = r[s, j]
                if seen[column] < first:
                    seen[column] = k
                    idx[k] = column
                    k += 1
                rpos[s, j] = seen[column]
        ptr[i + 1] = k
    return ptr, idx[:k].copy(), rpos


@njit
def place(p, q, block, local, n_of, off_b, off_c, active, off_d, nb):
    """Index in the flat store of S of the element (p, q)."""
    if p < q:
        p, q = q, p
    j = block[q]
    if j < 0:
        return off_d + local[q] * nb + local[p]
    if block[p] < 0:
        return off_c[j] + active[j, local[p]] * n_of[j] + local[q]
    return off_b[j] + local[q] * n_of[j] + local[p]


@njit
def weigh(
    W, start, r, rpos, zt, step, m1, ptr, idx, A, C, S, block, local, n_of, off_b, off_c, active, off_d, nb
):
    """Fill l (in `A`, lower), C and add to S; returns sum log|I + A_i|."""
    mr = r.shape[1]
    total = 0.0
    for i in range(len(start) - 1):
        for a in range(m1):
            for b in range(m1):
                A[i, a, b] = 1.0 if a == b else 0.0
        for p in range(ptr[i], ptr[i + 1]):
            for a in range(m1):
                C[p, a] = 0.0
        for s in range(start[i], start[i + 1]):
            w = W[s]
            z = s * step
            for a in range(m1):
                wz = w * zt[z, a]
                for b in range(a + 1):
                    A[i, a, b] += wz * zt[z, b]
                for j in range(mr):
                    C[rpos[s, j], a] += wz * zt[z, m1 + j]
            for j in range(mr):
                wz = w * zt[z, m1 + j]
                for k in range(j + 1):
                    S[place(r[s, j], r[s, k], block, local, n_of, off_b, off_c, active, off_d, nb)] += (
                        wz * zt[z, m1 + k]
                    )
        if m1 == 0:
            continue
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
        for p in range(ptr[i], ptr[i + 1]):
            for a in range(m1):
                t = C[p, a]
                for b in range(a):
                    t -= A[i, a, b] * C[p, b]
                C[p, a] = t / A[i, a, a]
        for p in range(ptr[i], ptr[i + 1]):
            ip = idx[p]
            for q in range(ptr[i], p + 1):
                t = 0.0
                for a in range(m1):
                    t += C[p, a] * C[q, a]
                S[place(ip, idx[q], block, local, n_of, off_b, off_c, active, off_d, nb)] -= t
    return total


@njit
def linear_predictor(fixed, start, r, zt, step, u1, ur, eta):
    """eta = fixed + Z Lambda u by row."""
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
def transpose_sums(v, start, r, zt, step, o1, orr):
    """o1 (set) and orr (added to) = (Z Lambda)'v."""
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
def forward(A, C, ptr, idx, g1, t1, gr):
    """t1 = l^{-1} g1 by level, and gr -= C't1: the right sides (columns) that are left for S."""
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
def backward(A, C, ptr, idx, t1, xr, x1):
    """x1 = l^{-T}(t1 - C xr) by level."""
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
    W,
    start,
    r,
    rpos,
    z,
    zt,
    step,
    m1,
    first,
    last,
    ptr,
    idx,
    A,
    C,
    V,
    c,
    T,
    v1sum,
    block,
    local,
    n_of,
    off_b,
    off_c,
    active,
    off_d,
    nb,
):
    """Leverages c_s = zt_s' M^{-1} zt_s, T += sum W z_s (M^{-1} zt_s)' within factors, from the inverse V of S.

    `first, last` bound the slots of the factor of each slot. `v1sum` (q1, m1) takes the diagonal of M^{-1}.
    """
    mr = r.shape[1]
    longest = 0
    for i in range(len(ptr) - 1):
        longest = max(longest, ptr[i + 1] - ptr[i])
    K = np.empty((longest, m1))
    B = np.empty((m1, m1))
    t = np.empty(m1)
    v = np.empty(m1 + mr)
    for i in range(len(start) - 1):
        p0, p1 = ptr[i], ptr[i + 1]
        for p in range(p0, p1):
            for a in range(m1):
                K[p - p0, a] = 0.0
            for q in range(p0, p1):
                e = V[place(idx[p], idx[q], block, local, n_of, off_b, off_c, active, off_d, nb)]
                for a in range(m1):
                    K[p - p0, a] += e * C[q, a]
        for a in range(m1):
            for b in range(m1):
                e = 1.0 if a == b else 0.0
                for p in range(p0, p1):
                    e += C[p, a] * K[p - p0, b]
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
            for a in range(m1):
                e = zt[g, a]
                for b in range(a):
                    e -= A[i, a, b] * t[b]
                t[a] = e / A[i, a, a]
            for j in range(mr):
                e = 0.0
                for k in range(mr):
                    e += (
                        V[place(r[s, j], r[s, k], block, local, n_of, off_b, off_c, active, off_d, nb)]
                        * zt[g, m1 + k]
                    )
                for a in range(m1):
                    e -= K[rpos[s, j] - p0, a] * t[a]
                v[m1 + j] = e
            for a in range(m1):
                e = 0.0
                for b in range(m1):
                    e += B[a, b] * t[b]
                for k in range(mr):
                    e -= K[rpos[s, k] - p0, a] * zt[g, m1 + k]
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
                for k in range(first[j], last[j]):
                    T[j, k] += wz * v[k]
            c[s] = e


@njit
def outer_sums(v, start, r, z, step, u1, ur, first, last, T):
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
def cross_sums(D, W, start, r, z, step, o1, orr):
    """o1 (q1, m1, k) and orr (q, k) += Z'W D for the columns of D, in raw (unscaled) Z."""
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
def fitted_outer(W, start, r, z, zt, step, x1, xr, weight, first, last, T):
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
