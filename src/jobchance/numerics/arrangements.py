"""All ways, and random ways, to deal the values that units have among the units of each cell.

Letters: U units, each in one cell; `level` (U,) the code of the value a unit has. An arrangement gives every
unit a code; cells keep their codes.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from math import factorial, prod

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.int64]

_FEW_A_CELL = 50  # below so many units a cell on average, all cells are shuffled at once


def count_arrangements(level: Codes, cell: Codes) -> int:
    """Distinct arrangements: the product over cells of n! / (n_1! n_2! ...).

    Examples
    --------
    >>> count_arrangements(np.array([0, 0, 1, 0, 1]), np.array([0, 0, 0, 1, 1]))
    6
    """
    return prod(
        factorial(len(own)) // prod(factorial(int(n)) for n in np.bincount(own))
        for own in _cells(level, cell)
    )


def every_arrangement(level: Codes, cell: Codes, *, block: int) -> Iterator[Codes]:
    """Blocks (<= block, U) of all distinct arrangements, each once, in a fixed order."""
    places = [np.flatnonzero(cell == c) for c in np.unique(cell)]
    within = [list(_distinct(tuple(sorted(level[p].tolist())))) for p in places]
    rows: list[Codes] = []
    for chosen in product(*within):
        row = np.empty(len(level), dtype=np.int64)
        for p, values in zip(places, chosen, strict=True):
            row[p] = values
        rows.append(row)
        if len(rows) == block:
            yield np.array(rows)
            rows = []
    if rows:
        yield np.array(rows)


def random_arrangements(level: Codes, cell: Codes, *, draws: int, rng: np.random.Generator) -> Codes:
    """Array (draws, U): the codes of every cell in a random order, all orders equally likely."""
    out = np.broadcast_to(level, (draws, len(level))).copy()
    if len(np.unique(cell)) * _FEW_A_CELL > len(level):
        return _many_cells(out, cell, rng)
    for c in np.unique(cell):
        places = np.flatnonzero(cell == c)
        out[:, places] = rng.permuted(out[:, places], axis=1)
    return out


def _many_cells(out: Codes, cell: Codes, rng: np.random.Generator) -> Codes:
    """Sort by cell first and a random key second: that shuffles every cell at once."""
    order = np.argsort(cell, kind="stable")
    keys = rng.random(out.shape) + np.unique(cell, return_inverse=True)[1][order]
    out[:, order] = np.take_along_axis(out[:, order], np.argsort(keys, axis=1, kind="stable"), axis=1)
    return out


def _cells(level: Codes, cell: Codes) -> list[Codes]:
    return [level[cell == c] for c in np.unique(cell)]


def _distinct(values: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """Distinct orders of a sorted multiset, in lexical order."""
    current = list(values)
    while True:
        yield tuple(current)
        i = len(current) - 2
        while i >= 0 and current[i] >= current[i + 1]:
            i -= 1
        if i < 0:
            return
        j = len(current) - 1
        while current[j] <= current[i]:
            j -= 1
        current[i], current[j] = current[j], current[i]
        current[i + 1 :] = reversed(current[i + 1 :])
