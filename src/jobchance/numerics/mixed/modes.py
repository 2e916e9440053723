"""Conditional modes b = Lambda u of the random effects, and their covariances Lambda M^{-1}_ll Lambda'."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jobchance.numerics.mixed.arrow import Layout
from jobchance.numerics.mixed.block import Block
from jobchance.numerics.mixed.problem import Arrangement

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]


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
    return Finished(rows, random, block.index.levels, u1[: block.q1], block.covariances(inverse))


def remaining_covariances(places: Codes, inverse: Floats, layout: Layout) -> Floats:
    """M^{-1} (levels, m, m) within the levels of remaining columns `places` (levels, m)."""
    m = places.shape[1]
    slots = layout.slots(np.repeat(places, m, axis=1).ravel(), np.tile(places, (1, m)).ravel())
    return inverse[slots].reshape(len(places), m, m)


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
        u[kept], cov[kept] = ur[places], remaining_covariances(places, inverse, partition.layout)
    parts = [(u, cov)] + [
        (ur[p], remaining_covariances(p, inverse, partition.layout)) for p in partition.places
    ]
    return [(u @ L.T, L @ cov @ L.T) for (u, cov), L in zip(parts, joined, strict=True)]
