"""Random multipliers of the wild cluster bootstrap, in blocks of draws that depend on the seed alone.

Letters: G clusters, v (G, b) one column per draw, mean 0 and variance 1. Rademacher: +-1; Webb (2014): +-
sqrt(1/2), +-1, +-sqrt(3/2); Mammen (1993): two points with third moment 1.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

WEIGHTS = ("rademacher", "webb", "mammen", "normal")
_WEBB = np.sqrt([0.5, 1.0, 1.5])
_WEBB_POINTS = np.concatenate([-_WEBB, _WEBB])
_GOLDEN = (1 + np.sqrt(5)) / 2


def enumerable(kind: str, clusters: int, draws: int) -> bool:
    """Whether all sign vectors are no more than the draws asked for."""
    return kind == "rademacher" and clusters < 63 and 2**clusters <= draws


def weight_blocks(
    kind: str, clusters: int, draws: int, seed: int | np.random.SeedSequence
) -> Iterator[Floats]:
    """Blocks (G, b) of multipliers: every sign vector once where `enumerable`, else random draws.

    Examples
    --------
    >>> [block.tolist() for block in weight_blocks("rademacher", 1, 2, seed=1)]
    [[[1.0, -1.0]]]
    """
    size = block_size(clusters)
    if enumerable(kind, clusters, draws):
        places = np.arange(clusters)[:, None]
        for start in range(0, 2**clusters, size):
            numbers = np.arange(start, min(start + size, 2**clusters))
            yield (1 - 2 * ((numbers >> places) & 1)).astype(np.float64)
        return
    rng = np.random.default_rng(seed)
    for start in range(0, draws, size):
        # Whole blocks are drawn, so that the first draws are the same however many are asked for.
        yield _block(kind, clusters, size, rng)[:, : draws - start]


def block_size(clusters: int) -> int:
    """Draws in a block: a multiple of 8 that keeps a block near half a megabyte, which a cache holds."""
    return 8 * max(1, min(512, 2**13 // clusters))


def _block(kind: str, clusters: int, size: int, rng: np.random.Generator) -> Floats:
    """One block of random multipliers."""
    if kind == "rademacher":
        bits = np.unpackbits(np.frombuffer(rng.bytes(clusters * size // 8), dtype=np.uint8))
        signs: Floats = bits.reshape(clusters, size).astype(np.float64) * 2 - 1
        return signs
    if kind == "webb":
        points: Floats = _WEBB_POINTS[rng.integers(0, 6, (clusters, size), dtype=np.uint8)]
        return points
    if kind == "mammen":
        below = rng.random((clusters, size)) < _GOLDEN / np.sqrt(5)
        two: Floats = np.where(below, 1 - _GOLDEN, _GOLDEN)
        return two
    return rng.standard_normal((clusters, size))
