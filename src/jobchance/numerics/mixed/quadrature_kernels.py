"""Compiled loops of adaptive quadrature over the effects of one factor, level by level, at their modes.

Letters: `a` = zt, the scaled random columns (m) of a row; `l l' = P = I + sum W a a'` over the rows of a
level and `R = inv(l)'`; nodes `u + R t_k`; `h` log of density times prior of a level at a node relative to
the mode, then the share `pi` of the node in the integral; c = log(quadrature / Laplace) of a level;
G = dc/dR.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from jobchance.numerics.mixed import families
from jobchance.numerics.mixed.jit import njit

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]


@njit
def spread(W: Floats, a: Floats, R: Floats, low: Floats) -> None:
    """Fill R, upper triangular, from the weights and columns (n, m) of a level; `low` is room for l."""
    m = len(R)
    for i in range(m):
        for j in range(i + 1):
            t = 1.0 if i == j else 0.0
            for s in range(len(W)):
                t += W[s] * a[s, i] * a[s, j]
            for k in range(j):
                t -= low[i, k] * low[j, k]
            low[i, j] = math.sqrt(t) if i == j else t / low[j, j]
    for j in range(m):
        for i in range(m):
            t = 1.0 if i == j else 0.0
            for k in range(j, i):
                t -= low[i, k] * R[j, k]
            R[j, i] = t / low[i, i] if i >= j else 0.0


@njit
def by_precision(G: Floats, R: Floats, psi: Floats, room: Floats) -> None:
    """Fill psi = dc/dP (m, m), symmetric, from G = dc/dR."""
    m = len(R)
    for i in range(m):
        for j in range(i + 1):
            t = 0.0
            for k in range(m):
                t += G[k, i] * R[k, j]
            room[i, j] = room[j, i] = 0.5 * t
    for i in range(m):
        for j in range(m):
            t = 0.0
            for k in range(m):
                for q in range(m):
                    t -= R[i, k] * room[k, q] * R[j, q]
            psi[i, j] = t


@njit
def posterior(h: Floats) -> float:
    """Turn the logarithms `h` into weights that add to one, in place; returns log sum exp."""
    top = float(h.max())
    total = 0.0
    for k in range(len(h)):
        h[k] = math.exp(h[k] - top)
        total += h[k]
    for k in range(len(h)):
        h[k] /= total
    return top + math.log(total)


@njit
def correct(
    family: int,
    eta: Floats,
    y: Floats,
    w: Floats,
    alpha: Floats,
    W: Floats,
    start: Codes,
    z: Floats,
    zt: Floats,
    step: int,
    u: Floats,
    nodes: Floats,
    log_weights: Floats,
    mean_r: Floats,
    bend: Floats,
    by_u: Floats,
    T: Floats,
    mean_la: Floats,
    mean_lb: Floats,
) -> float:
    """Sum of c over levels, with what its derivatives need.

    Fills by row the means over the nodes of dl/d eta (`mean_r`) and of dl by both thresholds (`mean_la`,
    `mean_lb`; empty without thresholds) and dc/dW (`bend`); by level dc/du at fixed eta (`by_u`); adds to
    T (m, m) the sum of z (dc/da)'.
    """
    n_nodes, m = nodes.shape
    longest = 0
    for i in range(len(start) - 1):
        longest = max(longest, start[i + 1] - start[i])
    R, low, G, psi = np.zeros((m, m)), np.zeros((m, m)), np.empty((m, m)), np.empty((m, m))
    at, r, curve = np.empty((n_nodes, longest)), np.empty((n_nodes, longest)), np.empty(longest)
    rows, h, shift, pull = np.empty((longest, m)), np.empty(n_nodes), np.empty((n_nodes, m)), np.empty(m)
    total = 0.0
    for i in range(len(start) - 1):
        s0, n = start[i], start[i + 1] - start[i]
        s1 = s0 + n
        for s in range(n):
            for a in range(m):
                rows[s, a] = zt[(s0 + s) * step, a]
        spread(W[s0:s1], rows[:n], R, low)
        base = families.fused(family, eta[s0:s1], y[s0:s1], w[s0:s1], alpha, r[0, :n], curve[:n])
        for k in range(n_nodes):
            h[k] = log_weights[k] - base
            for a in range(m):
                v = 0.0
                for b in range(a, m):
                    v += R[a, b] * nodes[k, b]
                shift[k, a] = v
                h[k] -= u[i, a] * v + 0.5 * v * v
            for s in range(n):
                e = eta[s0 + s]
                for a in range(m):
                    e += rows[s, a] * shift[k, a]
                at[k, s] = e
            h[k] += families.fused(family, at[k, :n], y[s0:s1], w[s0:s1], alpha, r[k, :n], curve[:n])
            if math.isnan(h[k]):
                h[k] = -math.inf
        total += posterior(h)
        mean_r[s0:s1] = 0.0
        G[:] = 0.0
        by_u[i] = 0.0
        for k in range(n_nodes):
            if h[k] == 0.0:
                continue
            for a in range(m):
                pull[a] = -u[i, a] - shift[k, a]
                by_u[i, a] -= h[k] * shift[k, a]
            for s in range(n):
                mean = h[k] * r[k, s]
                mean_r[s0 + s] += mean
                for a in range(m):
                    pull[a] += r[k, s] * rows[s, a]
                    for b in range(m):
                        T[b, a] += z[(s0 + s) * step, b] * mean * shift[k, a]
            for a in range(m):
                for b in range(m):
                    G[a, b] += h[k] * pull[a] * nodes[k, b]
        by_precision(G, R, psi, low)
        for s in range(n):
            bend[s0 + s] = 0.0
            for a in range(m):
                v = 0.0
                for b in range(m):
                    v += psi[a, b] * rows[s, b]
                bend[s0 + s] += rows[s, a] * v
                for b in range(m):
                    T[b, a] += 2.0 * W[s0 + s] * z[(s0 + s) * step, b] * v
        if len(alpha):
            threshold_means(family, at, y[s0:s1], alpha, w[s0:s1], h, mean_la[s0:s1], mean_lb[s0:s1])
    return total


@njit
def threshold_means(
    family: int, at: Floats, y: Floats, alpha: Floats, w: Floats, pi: Floats, mean_la: Floats, mean_lb: Floats
) -> None:
    """Fill the means over the nodes of the derivatives of one level's `l` by its two thresholds."""
    n = len(y)
    la, lb, nothing = np.empty(n), np.empty(n), np.empty((4, n))
    mean_la[:] = 0.0
    mean_lb[:] = 0.0
    for k in range(len(pi)):
        if pi[k] == 0.0:
            continue
        families.threshold_derivatives(
            family, at[k, :n], y, alpha, w, la, lb, nothing[0], nothing[1], nothing[2], nothing[3]
        )
        for s in range(n):
            mean_la[s] += pi[k] * la[s]
            mean_lb[s] += pi[k] * lb[s]
