"""The leave-out connected set of a two-way model: it stays connected when any one citizen is removed.

Citizens and caseworkers are the two kinds of nodes of a graph; a row joins a citizen with a caseworker.
Kline, Saggio & Soelvsten (2020), Econometrica 88, 1859-1898, Computational Appendix 2.1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from jobchance.numerics.mixed.jit import njit

Codes = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class LeaveOutSet:
    """Rows of the leave-out connected set and what was lost on the way there.

    Parameters
    ----------
    rows : bool array (n,)
        Rows kept.
    n_components : int
        Connected components of all rows.
    n_outside, n_bridges, n_singletons : int
        Rows outside the largest component (first or after a removal), of citizens whose removal disconnects
        it, and of citizens with one row.
    rounds : int
        Rounds of removing citizens and looking again.
    """

    rows: Mask
    n_components: int
    n_outside: int
    n_bridges: int
    n_singletons: int
    rounds: int


def leave_out_set(citizen: Codes, caseworker: Codes) -> LeaveOutSet:
    """Largest connected set of rows that survives the loss of any one citizen.

    The largest component (most caseworkers, then most rows) is pruned of the citizens that are articulation
    points of the graph of those with several caseworkers; its largest component is kept, and so on until
    none is left. Citizens with a single row go last: their row is explained fully by their own effect.

    Parameters
    ----------
    citizen, caseworker : integer array (n,)
        Codes from 0.

    Returns
    -------
    LeaveOutSet
        No rows are kept where nothing survives.

    Examples
    --------
    >>> found = leave_out_set(np.array([0, 0, 1, 1, 2, 2]), np.array([0, 1, 0, 1, 1, 2]))
    >>> found.rows.tolist(), found.n_bridges
    ([True, True, True, True, False, False], 2)
    """
    keep, n_components = _largest(np.ones(len(citizen), dtype=bool), citizen, caseworker)
    outside, bridges, rounds = int((~keep).sum()), 0, 0
    while keep.any():
        cut = _articulation_citizens(citizen[keep], caseworker[keep])
        if len(cut) == 0:
            break
        rounds += 1
        gone = keep & np.isin(citizen, cut)
        bridges += int(gone.sum())
        before = keep & ~gone
        keep, _ = _largest(before, citizen, caseworker)
        outside += int(before.sum() - keep.sum())
    alone = keep & (np.bincount(citizen[keep], minlength=int(citizen.max()) + 1)[citizen] == 1)
    return LeaveOutSet(keep & ~alone, n_components, outside, bridges, int(alone.sum()), rounds)


@njit
def several_caseworkers(citizen: Codes, caseworker: Codes) -> Mask:
    """Whether each citizen 0..N-1 has rows with several caseworkers."""
    seen = np.full(citizen.max() + 1, -1, dtype=np.int64)
    several = np.zeros(len(seen), dtype=np.bool_)
    for i in range(len(citizen)):
        c = citizen[i]
        if seen[c] < 0:
            seen[c] = caseworker[i]
        elif seen[c] != caseworker[i]:
            several[c] = True
    return several


def recode(codes: Codes) -> Codes:
    """Codes 0..k-1 in the order of the values that occur."""
    present = np.bincount(codes) > 0
    return (np.cumsum(present) - 1)[codes].astype(np.int64)


def _largest(rows: Mask, citizen: Codes, caseworker: Codes) -> tuple[Mask, int]:
    """Rows of the component with most caseworkers, and how many components the rows given have."""
    if not rows.any():
        return rows, 0
    who, whom = citizen[rows], caseworker[rows]
    first, size = int(citizen.max()) + 1, int(citizen.max() + caseworker.max()) + 2
    edges = coo_array((np.ones(len(who), dtype=np.int8), (who, whom + first)), shape=(size, size))
    _, label = connected_components(edges.tocsr(), directed=False)
    different = np.flatnonzero(np.bincount(whom))
    n_caseworkers = np.bincount(label[different + first])
    n_rows = np.bincount(label[who], minlength=len(n_caseworkers))
    found = int(np.lexsort((n_rows, n_caseworkers))[-1])
    kept = rows.copy()
    kept[rows] = label[who] == found
    return kept, int((n_caseworkers > 0).sum())


def _articulation_citizens(citizen: Codes, caseworker: Codes) -> Codes:
    """Citizens without whom the rows of those with several caseworkers fall apart."""
    movers = several_caseworkers(citizen, caseworker)
    if not movers.any():
        return np.empty(0, dtype=np.int64)
    moved = movers[citizen]
    keys = np.sort(citizen[moved] * (int(caseworker.max()) + 1) + caseworker[moved])
    who, whom = np.divmod(keys[np.diff(keys, prepend=-1) > 0], int(caseworker.max()) + 1)
    names = np.flatnonzero(movers)
    left = recode(who)
    right = recode(whom) + len(names)
    ends = np.concatenate([left, right])
    order = np.argsort(ends, kind="stable")
    starts = np.concatenate([[0], np.cumsum(np.bincount(ends))]).astype(np.int64)
    neighbours = np.concatenate([right, left])[order].astype(np.int64)
    cut: Codes = names[_cut_nodes(starts, neighbours)[: len(names)]]
    return cut


@njit
def _cut_nodes(starts: Codes, neighbours: Codes) -> Mask:
    """Articulation points of an undirected graph (Hopcroft and Tarjan 1973), without recursion."""
    n = len(starts) - 1
    depth = np.full(n, -1, dtype=np.int64)
    low = np.zeros(n, dtype=np.int64)
    parent = np.full(n, -1, dtype=np.int64)
    place = starts[:-1].copy()
    path = np.empty(n, dtype=np.int64)
    cut = np.zeros(n, dtype=np.bool_)
    for root in range(n):
        if depth[root] >= 0:
            continue
        depth[root], low[root], branches, top = 0, 0, 0, 0
        path[0] = root
        while top >= 0:
            node = path[top]
            if place[node] < starts[node + 1]:
                other = neighbours[place[node]]
                place[node] += 1
                if depth[other] < 0:
                    parent[other], depth[other], low[other] = node, depth[node] + 1, depth[node] + 1
                    top += 1
                    path[top] = other
                elif other != parent[node]:
                    low[node] = min(low[node], depth[other])
                continue
            top -= 1
            above = parent[node]
            if above < 0:
                continue
            low[above] = min(low[above], low[node])
            if above == root:
                branches += 1
            elif low[node] >= depth[above]:
                cut[above] = True
        cut[root] = branches > 1
    return cut
