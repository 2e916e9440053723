"""Which random columns are eliminated level by level, and how the remaining ones are laid out.

The factor with the most columns is eliminated. Beyond `DENSE` remaining columns, the levels of the one large
remaining factor (caseworkers) are cut into blocks by the factor that they mostly nest in (jobcentres). Small
factors, and the eliminated levels (citizens) whose rows meet several blocks, form the border.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jobchance.numerics.mixed.arrow import Layout, dense_layout

Codes = NDArray[np.int64]
Mask = NDArray[np.bool_]

DENSE = 1_500
SMALL = 400


@dataclass(frozen=True, eq=False)
class Partition:
    """Places of the remaining columns.

    Parameters
    ----------
    layout : Layout
        Blocks and border.
    places : tuple of integer arrays (levels, m_f)
        Columns of each remaining factor, factors in engine order without the eliminated one.
    moved : integer array (q1,)
        For each level of the eliminated factor: its number among those kept in the border, -1 if eliminated.
    moved_places : integer array (n moved, m1)
        Columns of the levels kept.
    """

    layout: Layout
    places: tuple[Codes, ...]
    moved: Codes
    moved_places: Codes


def elimination_order(levels: list[int], widths: list[int]) -> list[int]:
    """Factors by falling number of columns; the first is eliminated."""
    columns = [q * m for q, m in zip(levels, widths, strict=True)]
    return sorted(range(len(levels)), key=lambda f: -columns[f])


def plan_columns(
    codes: list[Codes], levels: list[int], widths: list[int], *, dense: int = DENSE
) -> Partition:
    """Lay out the columns of the factors given in engine order (the eliminated one first)."""
    total = sum(q * m for q, m in zip(levels[1:], widths[1:], strict=True))
    candidates = []
    if total > dense:
        big = [f for f in range(1, len(levels)) if levels[f] * widths[f] > SMALL]
        if len(big) == 1:
            small = [f for f in range(1, len(levels)) if f != big[0]]
            candidates = [_by_blocks(codes, levels, widths, big[0], by) for by in small]
    made = [c for c in candidates if c is not None and _work(c.layout) < total**3]
    return min(made, key=lambda c: _work(c.layout)) if made else _all_dense(levels, widths)


def _work(layout: Layout) -> float:
    """Multiplications of one factorisation, up to a constant."""
    blocks = sum(
        float(n) ** 3 + float(n) * len(t) ** 2 for n, t in zip(layout.n_of, layout.touched, strict=True)
    )
    return float(layout.nb) ** 3 + blocks


def _all_dense(levels: list[int], widths: list[int]) -> Partition:
    """Every remaining column in one border."""
    places, at = [], 0
    for q, m in zip(levels[1:], widths[1:], strict=True):
        places.append(np.arange(at, at + q * m, dtype=np.int64).reshape(q, m))
        at += q * m
    nobody = np.full(levels[0], -1, dtype=np.int64)
    return Partition(dense_layout(at), tuple(places), nobody, np.zeros((0, widths[0]), dtype=np.int64))


def majority(inner: Codes, outer: Codes, n_inner: int, n_outer: int) -> Codes:
    """The level of `outer` that each level of `inner` meets in most rows (the first of equals)."""
    pair, count = np.unique(inner * n_outer + outer, return_counts=True)
    order = np.lexsort((pair, -count))
    first = pair[order]
    level, at = np.unique(first // n_outer, return_index=True)
    made = np.zeros(n_inner, dtype=np.int64)
    made[level] = first[at] % n_outer
    return made


def movers(cit: Codes, home: Codes, q1: int) -> Mask:
    """Levels of the eliminated factor whose rows meet more than one block."""
    low, high = np.full(q1, np.iinfo(np.int64).max), np.full(q1, -1, dtype=np.int64)
    np.minimum.at(low, cit, home)
    np.maximum.at(high, cit, home)
    out: Mask = high > low
    return out


def _by_blocks(codes: list[Codes], levels: list[int], widths: list[int], big: int, by: int) -> Partition:
    """Blocks of the big factor by the level of another that each of its levels mostly meets."""
    met = majority(codes[big], codes[by], levels[big], levels[by])
    blocks, home = np.unique(met, return_inverse=True)
    keep = movers(codes[0], home[codes[big]], levels[0])
    return arrange(levels, widths, big, home, len(blocks), keep, _touching(codes, home, big, keep, levels))


def _touching(
    codes: list[Codes], home: Codes, big: int, keep: Mask, levels: list[int]
) -> list[tuple[int, Codes, Codes]]:
    """Pairs (block, level) met by rows, for every border factor: `-1` stands for the levels kept."""
    block = home[codes[big]]
    made = []
    for f in range(1, len(levels)):
        if f != big:
            pairs = np.unique(block * levels[f] + codes[f])
            made.append((f, pairs // levels[f], pairs % levels[f]))
    mine = keep[codes[0]]
    pairs = np.unique(block[mine] * levels[0] + codes[0][mine])
    made.append((0, pairs // levels[0], pairs % levels[0]))
    return made


def arrange(
    levels: list[int],
    widths: list[int],
    big: int,
    home: Codes,
    n_blocks: int,
    keep: Mask,
    touching: list[tuple[int, Codes, Codes]],
) -> Partition:
    """Number the columns: blocks first, then the small factors, then the levels kept."""
    order = np.argsort(home, kind="stable")
    m, q_big = widths[big], levels[big]
    rank = np.empty(q_big, dtype=np.int64)
    rank[order] = np.arange(q_big)
    place_big = rank[:, None] * m + np.arange(m)
    n_of = np.bincount(home, minlength=n_blocks).astype(np.int64) * m
    starts = np.concatenate([[0], np.cumsum(n_of)[:-1]])
    block = np.repeat(np.arange(n_blocks), n_of)
    local = np.arange(q_big * m) - starts[block]
    at, nb, places = q_big * m, 0, {big: place_big}
    for f in range(1, len(levels)):
        if f != big:
            size = levels[f] * widths[f]
            places[f] = np.arange(at, at + size, dtype=np.int64).reshape(levels[f], widths[f])
            at, nb = at + size, nb + size
    moved = np.full(levels[0], -1, dtype=np.int64)
    moved[keep] = np.arange(int(keep.sum()))
    moved_places = (at + np.arange(int(keep.sum()) * widths[0], dtype=np.int64)).reshape(-1, widths[0])
    nb += moved_places.size
    touched = _touched(touching, places, moved, moved_places, n_blocks, q_big * m)
    layout = Layout(
        np.concatenate([block, np.full(nb, -1)]).astype(np.int64),
        np.concatenate([local, np.arange(nb)]).astype(np.int64),
        n_of,
        touched,
        nb,
    )
    return Partition(layout, tuple(places[f] for f in range(1, len(levels))), moved, moved_places)


def _touched(
    touching: list[tuple[int, Codes, Codes]],
    places: dict[int, Codes],
    moved: Codes,
    moved_places: Codes,
    n_blocks: int,
    first: int,
) -> tuple[Codes, ...]:
    """Border columns that each block meets, in order."""
    found: list[list[Codes]] = [[] for _ in range(n_blocks)]
    for f, blocks, level in touching:
        columns = moved_places[moved[level]] if f == 0 else places[f][level]
        ends = np.searchsorted(blocks, np.arange(n_blocks + 1))
        for j in range(n_blocks):
            found[j].append(columns[ends[j] : ends[j + 1]].ravel() - first)
    return tuple(np.sort(np.concatenate(parts)).astype(np.int64) for parts in found)
