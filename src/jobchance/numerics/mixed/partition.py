"""Which random columns are eliminated level by level, and how the remaining ones are laid out.

The factor with the most columns is eliminated. Up to `DENSE` remaining columns form one dense matrix. Beyond,
the levels of the large remaining factors (caseworkers, teams) are cut into blocks: by the factor that they
mostly nest in (jobcentres), or into components that share no citizen. Small factors, levels that belong to
no one block, and eliminated levels (citizens) whose rows meet several blocks, form the border. Where even
that is too large, S is kept sparse and worked on iteratively.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from jobchance.errors import SpecError
from jobchance.numerics.mixed.arrow import ArrowLayout, Layout, dense_layout
from jobchance.numerics.mixed.sparse import plan_sparse

Codes = NDArray[np.int64]
Mask = NDArray[np.bool_]

DENSE = 1_500
SMALL = 400
PACKED = 128
EXACT = 5_000
PER_ELEMENT = 1e5  # work of the iterative mode by element of S, in multiplications of a factorisation


@dataclass(frozen=True, eq=False)
class Partition:
    """Places of the remaining columns.

    Parameters
    ----------
    layout : Layout
        Storage of S.
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


@dataclass(frozen=True, eq=False)
class Grouping:
    """Factors in engine order, the eliminated one first: levels of rows, numbers of levels and effects."""

    codes: list[Codes]
    levels: list[int]
    widths: list[int]

    @property
    def columns(self) -> list[int]:
        """Number of columns of each factor."""
        return [q * m for q, m in zip(self.levels, self.widths, strict=True)]

    @property
    def large(self) -> list[int]:
        """Remaining factors with more than `SMALL` columns (all if there is none), coarser ones first."""
        rest = range(1, len(self.levels))
        big = [f for f in rest if self.columns[f] > SMALL] or list(rest)
        return sorted(big, key=lambda f: self.levels[f])


def elimination_order(levels: list[int], widths: list[int]) -> list[int]:
    """Factors by falling number of columns; the first is eliminated."""
    columns = [q * m for q, m in zip(levels, widths, strict=True)]
    return sorted(range(len(levels)), key=lambda f: -columns[f])


def plan_columns(
    codes: list[Codes], levels: list[int], widths: list[int], *, dense: int = DENSE, exact: int = EXACT
) -> Partition:
    """Lay out the columns of the factors given in engine order (the eliminated one first).

    The exact layout with the least work is taken while that is not above that of `exact` dense columns; up
    to twice as many are dense where the iterative mode would be slower.

    Raises
    ------
    SpecError
        More couplings than can be held.
    """
    data = Grouping(codes, levels, widths)
    total = sum(data.columns[1:])
    if total <= dense:
        return _all_dense(data, dense_layout(total))
    homes = [_homes_by(data, by) for by in range(1, len(levels)) if levels[by] <= SMALL]
    homes.append(_homes_by_component(data))
    best: Partition | None = None
    least = min(float(total), float(exact)) ** 3
    for home in homes:
        planned = _plan_blocks(data, home)
        if planned is not None and _work(planned.layout) < least:
            best, least = planned, _work(planned.layout)
    if best is not None:
        return best
    if total <= exact:
        return _all_dense(data, dense_layout(total))
    try:
        planned_sparse = plan_sparse(codes, levels, widths, data.large)
    except SpecError:
        if total > 2 * exact:
            raise
        return _all_dense(data, dense_layout(total))
    if total <= 2 * exact and float(total) ** 3 < PER_ELEMENT * len(planned_sparse.idx):
        return _all_dense(data, dense_layout(total))
    return _all_dense(data, planned_sparse, data.large)


def _work(layout: Layout) -> float:
    """Multiplications of one factorisation, up to a constant."""
    assert isinstance(layout, ArrowLayout)
    blocks = sum(
        float(n) ** 3 + float(n) * len(t) ** 2 for n, t in zip(layout.n_of, layout.touched, strict=True)
    )
    return float(layout.nb) ** 3 + blocks


def _all_dense(data: Grouping, layout: Layout, first: list[int] | None = None) -> Partition:
    """No levels kept; columns factor by factor, those of the factors in `first` before the others."""
    lead = first or []
    places, at = {}, 0
    for f in [*lead, *(f for f in range(1, len(data.levels)) if f not in lead)]:
        q, m = data.levels[f], data.widths[f]
        places[f] = np.arange(at, at + q * m, dtype=np.int64).reshape(q, m)
        at += q * m
    nobody = np.full(data.levels[0], -1, dtype=np.int64)
    ordered = tuple(places[f] for f in range(1, len(data.levels)))
    return Partition(layout, ordered, nobody, np.zeros((0, data.widths[0]), dtype=np.int64))


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
    """Levels of the eliminated factor whose rows meet more than one block; -1 is no block."""
    inside = home >= 0
    low, high = np.full(q1, np.iinfo(np.int64).max), np.full(q1, -1, dtype=np.int64)
    np.minimum.at(low, cit[inside], home[inside])
    np.maximum.at(high, cit[inside], home[inside])
    out: Mask = high > low
    return out


def _homes_by(data: Grouping, by: int) -> dict[int, Codes]:
    """Block of each level of the large factors: the level of `by` that it mostly meets."""
    return {f: majority(data.codes[f], data.codes[by], data.levels[f], data.levels[by]) for f in data.large}


def _homes_by_component(data: Grouping) -> dict[int, Codes]:
    """Block of each level of the large factors: its connected component, small ones packed together."""
    starts = np.cumsum([data.levels[0], *(data.levels[f] for f in data.large)])
    ends = [data.codes[f] + at for f, at in zip(data.large, starts[:-1], strict=True)]
    row, column = np.tile(data.codes[0], len(ends)), np.concatenate(ends)
    graph = sparse.coo_matrix((np.ones(len(row), dtype=bool), (row, column)), shape=(starts[-1],) * 2)
    _, label = connected_components(graph, directed=False)
    size = np.zeros(label.max() + 1, dtype=np.int64)
    for f, at in zip(data.large, starts[:-1], strict=True):
        np.add.at(size, label[at : at + data.levels[f]], data.widths[f])
    block = (np.cumsum(size) - size) // PACKED
    return {f: block[label[at : at + data.levels[f]]] for f, at in zip(data.large, starts[:-1], strict=True)}


def _plan_blocks(data: Grouping, home: dict[int, Codes]) -> Partition | None:
    """Layout with the levels of the large factors in the blocks given; None where there is but one block.

    A row may not join two blocks: the level of the finer factor then goes to the border.
    """
    block = np.full(len(data.codes[0]), -1, dtype=np.int64)
    for f in data.large:
        mine = home[f][data.codes[f]]
        home[f][data.codes[f][(block >= 0) & (mine != block)]] = -1
        block = np.where(block < 0, home[f][data.codes[f]], block)
    found = np.unique(np.concatenate([h[h >= 0] for h in home.values()]))
    if len(found) < 2:
        return None
    number = np.full(int(found.max()) + 2, -1, dtype=np.int64)  # the last place answers for -1
    number[found] = np.arange(len(found))
    home = {f: number[h] for f, h in home.items()}
    block = number[block]
    keep = movers(data.codes[0], block, data.levels[0])
    return _arrange(data, home, len(found), keep, _touching(data, home, block, keep))


def _touching(
    data: Grouping, home: dict[int, Codes], block: Codes, keep: Mask
) -> list[tuple[int, Codes, Codes]]:
    """Pairs (block, level) met through rows or eliminated levels, for the border levels of every factor."""
    own = np.full(data.levels[0], -1, dtype=np.int64)  # block of each eliminated level
    inside = block >= 0
    own[data.codes[0][inside]] = block[inside]
    reach = np.where(keep[data.codes[0]], block, own[data.codes[0]])
    made = []
    for f in range(len(data.levels)):
        border = keep if f == 0 else (home[f] < 0 if f in home else np.ones(data.levels[f], dtype=bool))
        mine = border[data.codes[f]] & (reach >= 0)
        pairs = np.unique(reach[mine] * data.levels[f] + data.codes[f][mine])
        made.append((f, pairs // data.levels[f], pairs % data.levels[f]))
    return made


def _arrange(
    data: Grouping,
    home: dict[int, Codes],
    n_blocks: int,
    keep: Mask,
    touching: list[tuple[int, Codes, Codes]],
) -> Partition:
    """Number the columns: blocks first, then the other remaining levels, then the levels kept."""
    factor = np.concatenate([np.full(data.levels[f], f) for f in home])
    level = np.concatenate([np.arange(data.levels[f]) for f in home])
    where = np.concatenate(list(home.values()))
    order = np.flatnonzero(where >= 0)
    order = order[np.argsort(where[order], kind="stable")]
    width = np.array(data.widths)[factor[order]]
    first = np.cumsum(width) - width
    n_of = np.bincount(where[order], weights=width, minlength=n_blocks).astype(np.int64)
    at = int(n_of.sum())
    n_inside = at
    places = []
    for f in range(1, len(data.levels)):
        start = np.full(data.levels[f], -1, dtype=np.int64)
        mine = factor[order] == f
        start[level[order][mine]] = first[mine]
        rest = np.flatnonzero(start < 0)
        start[rest] = at + data.widths[f] * np.arange(len(rest))
        at += data.widths[f] * len(rest)
        places.append(start[:, None] + np.arange(data.widths[f]))
    moved = np.full(data.levels[0], -1, dtype=np.int64)
    moved[keep] = np.arange(int(keep.sum()))
    kept = int(keep.sum()) * data.widths[0]
    moved_places = at + np.arange(kept, dtype=np.int64).reshape(-1, data.widths[0])
    eliminated = np.full((data.levels[0], data.widths[0]), -1, dtype=np.int64)
    eliminated[keep] = moved_places
    nb = at + moved_places.size - n_inside
    block = np.repeat(np.arange(n_blocks), n_of)
    starts = np.cumsum(n_of) - n_of
    layout = ArrowLayout(
        np.concatenate([block, np.full(nb, -1)]).astype(np.int64),
        np.concatenate([np.arange(n_inside) - starts[block], np.arange(nb)]).astype(np.int64),
        n_of,
        _touched(touching, [eliminated, *places], n_blocks, n_inside),
        nb,
    )
    return Partition(layout, tuple(places), moved, moved_places)


def _touched(
    touching: list[tuple[int, Codes, Codes]], places: list[Codes], n_blocks: int, first: int
) -> tuple[Codes, ...]:
    """Border columns that each block meets, in order."""
    found: list[list[Codes]] = [[] for _ in range(n_blocks)]
    for f, blocks, level in touching:
        columns = places[f][level]
        ends = np.searchsorted(blocks, np.arange(n_blocks + 1))
        for j in range(n_blocks):
            found[j].append(columns[ends[j] : ends[j + 1]].ravel() - first)
    return tuple(np.sort(np.concatenate(parts)).astype(np.int64) for parts in found)
