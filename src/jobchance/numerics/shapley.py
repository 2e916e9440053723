"""Shares of R squared by groups of regressors, averaged over all orders in which they can enter.

G: cross-products of the centred regressors with y last; B: columns of each group; R2(S): squared multiple
correlation of the groups in S. Lindeman, Merenda & Gold (1980); Groemping (2007).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import factorial

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_RANK = 1e-10  # what is left of a column, as share of its own variation, under which it is a copy of others


def dummies(codes: Ints) -> Floats:
    """Centred indicators of all levels but the first; `codes` (n,) from 0 up. Shape (n, levels - 1)."""
    levels = int(codes.max()) + 1 if codes.size else 1
    columns = (codes[:, None] == np.arange(1, levels)).astype(float)
    centred: Floats = columns - columns.mean(axis=0)
    return centred


def subset_r_squared(y: Floats, groups: Sequence[Floats]) -> Floats:
    """R2(S) for every subset S of the groups; place = sum of 2**j over the groups j in S. Shape (2**d,).

    Groups enter one after the other: what a group explains of the rest is swept out of G, so that each subset
    costs one small eigenproblem. The widest group enters first, and so only once. Copies of columns that are
    already in explain nothing.
    """
    order = sorted(range(len(groups)), key=lambda j: -groups[j].shape[1])
    columns = np.column_stack([*(groups[j] for j in order), y - y.mean()])
    gram = columns.T @ columns
    widths = [groups[j].shape[1] for j in order]
    scale = [np.sqrt(part) for part in np.split(np.diag(gram)[:-1], np.cumsum(widths)[:-1])]
    found = np.zeros(2 ** len(groups))
    total = float(gram[-1, -1])
    if total <= 0:
        raise ValueError("y does not vary, so there is nothing to explain")

    def enter(first: int, left: Floats, place: int, explained: float) -> None:
        """`left` holds the columns of the groups from `first` on, and y."""
        for j in range(first, len(order)):
            swept, gain = _sweep(left, scale[j])
            there = place + 2 ** order[j]
            found[there] = min((explained + gain) / total, 1.0)
            enter(j + 1, swept, there, explained + gain)
            left = left[widths[j] :, widths[j] :]

    enter(0, gram, 0, 0.0)
    return found


def _sweep(gram: Floats, norm: Floats) -> tuple[Floats, float]:
    """The later columns of `gram` without what its first block explains, and y's sum of squares that it does.

    `norm` (k,) holds the lengths of the block's own columns before anything was swept.
    """
    k = norm.size
    rest = gram[k:, k:]
    if k == 0:
        return rest, 0.0
    values, vectors = np.linalg.eigh(gram[:k, :k] / np.outer(norm, norm))
    kept = values > _RANK * k
    basis = (vectors[:, kept] / np.sqrt(values[kept])) / norm[:, None]
    onto = gram[k:, :k] @ basis
    return rest - onto @ onto.T, float(onto[-1] @ onto[-1])


def average_over_orders(r_squared: Floats) -> Floats:
    """What each group adds to R2, averaged over all orders; sums to R2 of all groups. Shape (d,).

    phi_j = sum over S without j of |S|! (d - |S| - 1)! / d! (R2(S with j) - R2(S)).
    """
    d = int(r_squared.size).bit_length() - 1
    places = np.arange(r_squared.size)
    size = sum((places >> j) & 1 for j in range(d)) + np.zeros_like(places)
    weight = np.array([factorial(k) * factorial(d - k - 1) / factorial(d) for k in range(d)] + [0.0])
    shares = np.zeros(d)
    for j in range(d):
        without = places[((places >> j) & 1) == 0]
        shares[j] = weight[size[without]] @ (r_squared[without + 2**j] - r_squared[without])
    return shares
