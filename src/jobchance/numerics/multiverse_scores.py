"""Influence of clusters on one coefficient of a least-squares fit, and the sums that standard errors need.

Letters: Z (P, n) columns, y among them; a and c (P,) weights of columns: x_i = a'z_i is the exposure less
what the other covariates explain, over its sum of squares (a row of (X'X)^{-1}X'), e_i = c'z_i the residual.
The influence of cluster g is psi_g = sum_{i in g} x_i e_i = a' M_g c with M_g = sum_{i in g} z_i z_i', at k^2
per cluster in place of 2k per row. Sums are taken in one fixed order and depend on nothing else.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from jobchance.numerics.mixed.jit import njit

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]


@njit
def cluster_products(Z: Floats, codes: Codes, n_clusters: int) -> Floats:
    """Arrays M (G, P, P): cross-products of all columns by cluster."""
    P, n = Z.shape
    M = np.zeros((n_clusters, P, P))
    row = np.empty(P)
    for i in range(n):
        for j in range(P):
            row[j] = Z[j, i]
        mine = M[codes[i]]
        for j in range(P):
            for other in range(j + 1):
                mine[j, other] += row[j] * row[other]
    for g in range(n_clusters):
        for j in range(P):
            for other in range(j):
                M[g, other, j] = M[g, j, other]
    return M


@njit
def influence_by_products(M: Floats, used: Codes, a: Floats, c: Floats) -> Floats:
    """Influences (G,) from cross-products; `used` are the columns that a and c weigh."""
    G, k = M.shape[0], len(used)
    psi = np.zeros(G)
    for g in range(G):
        total = 0.0
        for i in range(k):
            inner = 0.0
            for j in range(k):
                inner += M[g, used[i], used[j]] * c[j]
            total += a[i] * inner
        psi[g] = total
    return psi


@njit
def weighted_columns(Z: Floats, used: Codes, weights: Floats) -> Floats:
    """Weighted sum (n,) of columns."""
    n = Z.shape[1]
    out = np.zeros(n)
    for j in range(len(used)):
        w = weights[j]
        if w != 0.0:
            column = Z[used[j]]
            for i in range(n):
                out[i] += w * column[i]
    return out


@njit
def product_sums(x: Floats, e: Floats, codes: Codes, n_clusters: int) -> Floats:
    """Sums (G,) of x_i e_i by cluster, in the order of the rows."""
    out = np.zeros(n_clusters)
    for i in range(len(x)):
        out[codes[i]] += x[i] * e[i]
    return out


@njit
def score_sums(Z: Floats, used: Codes, e: Floats, codes: Codes, n_clusters: int) -> Floats:
    """Sums (G, k + 1) of the scores z_ij e_i of the columns used, and of e_i in the last column."""
    k, n = len(used), Z.shape[1]
    out = np.zeros((n_clusters, k + 1))
    for j in range(k):
        column = Z[used[j]]
        for i in range(n):
            out[codes[i], j] += column[i] * e[i]
    for i in range(n):
        out[codes[i], k] += e[i]
    return out


@njit
def inner(x: Floats, e: Floats) -> float:
    """Sum of x_i e_i, in the order of the rows."""
    total = 0.0
    for i in range(len(x)):
        total += x[i] * e[i]
    return total
