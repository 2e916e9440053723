"""Conditional modes b = Lambda u of the random effects and their conditional covariances Lambda M^{-1}_ll Lambda'."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jobchance.numerics.mixed.arrow import Layout
from jobchance.numerics.mixed.block import Block
from jobchance.numerics.mixed.jit import njit
from jobchance.numerics.mixed.kernels import place
from jobchance.numerics.mixed.partition import Partition
from jobchance.numerics.mixed.problem import Arrangement

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]
Small = NDArray[np.int32]


@njit
def eliminated_covariances(
    ptr: Codes,
    idx: Small,
    A: Floats,
    C: Floats,
    V: Floats,
    out: Floats,
    block: Codes,
    local: Codes,
    n_of: Codes,
    off_b: Codes,
    off_c: Codes,
    active: Codes,
    off_d: int,
    nb: int,
) -> None:
    """M^{-1}_ii (q1, m1, m1) of the eliminated levels, from the inverse V of S."""
    m1 = A.shape[1]
    B = np.empty((m1, m1))
    for i in range(len(ptr) - 1):
        for a in range(m1):
            for b in range(m1):
                B[a, b] = 1.0 if a == b else 0.0
        for p in range(ptr[i], ptr[i + 1]):
            for q in range(ptr[i], ptr[i + 1]):
                e = V[place(idx[p], idx[q], block, local, n_of, off_b, off_c, active, off_d, nb)]
                for a in range(m1):
                    for b in range(m1):
                        B[a, b] += C[p, a] * e * C[q, b]
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
def remaining_covariances(
    places: Codes,
    V: Floats,
    out: Floats,
    block: Codes,
    local: Codes,
    n_of: Codes,
    off_b: Codes,
    off_c: Codes,
    active: Codes,
    off_d: int,
    nb: int,
) -> None:
    """M^{-1} (levels, m, m) of the remaining columns of one factor."""
    for i in range(places.shape[0]):
        for a in range(places.shape[1]):
            for b in range(places.shape[1]):
                out[i, a, b] = V[
                    place(places[i, a], places[i, b], block, local, n_of, off_b, off_c, active, off_d, nb)
                ]


@dataclass(frozen=True, eq=False)
class Finished:
    """What a block knows when all is estimated.

    Parameters
    ----------
    rows : integer array (n,)
        Its rows in the data given.
    random : array (n,)
        Z Lambda u by row.
    levels : integer array (q1,)
        Its eliminated levels.
    u : array (q1, m1)
        Their spherical effects.
    covariances : array (q1, m1, m1)
        Their part of M^{-1}.
    """

    rows: Codes
    random: Floats
    levels: Codes
    u: Floats
    covariances: Floats


def finish_block(block: Block, rows: Codes, u1: Floats, ur: Floats, inverse: Floats) -> Finished:
    """Random part by row, effects and conditional covariances of a block's eliminated levels."""
    random = block.linear_predictor(np.zeros(block.n), u1, ur)
    covariances = np.zeros((block.q1, block.m1, block.m1))
    if block.q1:
        eliminated_covariances(
            block.ptr, block.idx, block.A, block.C, inverse, covariances, *block.layout.address
        )
    return Finished(rows, random, block.index.levels, u1[: block.q1], covariances)


def store_diagonal(places: Codes, inverse: Floats, layout: Layout) -> Floats:
    """Diagonal of M^{-1} (levels, m) at remaining columns."""
    out = np.zeros((*places.shape, places.shape[1]))
    remaining_covariances(places, inverse, out, *layout.address)
    return np.asarray(np.diagonal(out, axis1=1, axis2=2))


def effects_by_factor(
    arrangement: Arrangement,
    n_levels: Sequence[int],
    joined: Sequence[Floats],
    *,
    finished: Sequence[Finished],
    ur: Floats,
    inverse: Floats,
) -> list[tuple[Floats, Floats]]:
    """Modes b (levels, m) and covariances (levels, m, m) of each factor in engine order, in the user's units.

    `joined` are T Lambda' of each factor.
    """
    partition = arrangement.partition
    m1 = arrangement.slots.widths[0]
    u, cov = np.zeros((n_levels[0], m1)), np.zeros((n_levels[0], m1, m1))
    for part in finished:
        if len(part.levels):
            u[part.levels], cov[part.levels] = part.u, part.covariances
    kept = partition.moved >= 0
    if kept.any():
        places = partition.moved_places[partition.moved[kept]]
        u[kept], cov[kept] = ur[places], _remaining(places, partition, inverse)
    parts = [(u, cov)] + [(ur[p], _remaining(p, partition, inverse)) for p in partition.places]
    return [(u @ L.T, L @ cov @ L.T) for (u, cov), L in zip(parts, joined, strict=True)]


def _remaining(places: Codes, partition: Partition, inverse: Floats) -> Floats:
    """Diagonal parts of M^{-1} of remaining columns."""
    out = np.zeros((*places.shape, places.shape[1]))
    remaining_covariances(places, inverse, out, *partition.layout.address)
    return out
