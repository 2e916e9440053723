"""Absorbed effects that reach over several clusters as columns of their own; the rest stays absorbed.

An effect whose rows lie in one cluster changes no adjustment (Pustejovsky & Tipton 2018, theorem 2). One that
spans clusters does: leaving a cluster out moves it, and with it the residuals of other clusters.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from jobchance.errors import DesignError, EstimationError
from jobchance.numerics.linalg import independent_columns

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

LARGEST = 2_000
_SWEEPS = 10_000


def with_spanning_effects(X: Floats, factors: Sequence[Codes], clusters: Codes) -> Floats:
    """X (n, k), absorbed factors removed, beside independent dummy variables of levels that span clusters.

    Parameters
    ----------
    X : array (n, k)
        Orthogonal to the dummy variables of all factors.
    factors : sequence of integer arrays (n,)
        Levels 0..L-1 of each factor.
    clusters : integer array (n,)
        Cluster of each row, 0..G-1.

    Returns
    -------
    array (n, k + L')
        The first k columns are those of X.

    Raises
    ------
    DesignError
        More than 2,000 levels span clusters.
    """
    inner, dummies = [], []
    for codes in factors:
        spans = spanning_levels(codes, clusters)
        inner.append(np.where(spans[codes], -1, codes))
        dummies.append((codes, np.flatnonzero(spans)))
    count = sum(len(levels) for _, levels in dummies)
    if count == 0:
        return X
    if count > LARGEST:
        raise DesignError(
            f"{count:,} absorbed effects reach over several clusters; up to {LARGEST:,} are taken by "
            "leverage-adjusted standard errors and by estimates without a cluster. Cluster on something that "
            "holds whole levels, or use wild_bootstrap, which has no such limit."
        )
    D = np.column_stack([(codes[:, None] == levels) for codes, levels in dummies]).astype(np.float64)
    D = _without(D, inner)
    norms = np.linalg.norm(D, axis=0)
    D = D[:, norms > 1e-7]
    return np.column_stack([X, D[:, independent_columns(D)]])


def spanning_levels(codes: Codes, clusters: Codes) -> NDArray[np.bool_]:
    """Whether the rows of each level lie in several clusters."""
    first = np.zeros(int(codes.max()) + 1, dtype=np.int64)
    first[codes] = clusters
    out = np.zeros(len(first), dtype=bool)
    out[codes[first[codes] != clusters]] = True
    return out


def _without(values: Floats, factors: Sequence[Codes]) -> Floats:
    """Columns less the effects of the levels given, -1 marking rows without a level; sweeps until still."""
    active = [codes for codes in factors if (codes >= 0).any()]
    for _ in range(_SWEEPS):
        before = values
        for codes in active:
            values = _swept(values, codes)
        if len(active) < 2 or float(np.abs(values - before).max()) < 1e-13:
            return values
    raise EstimationError(
        "The absorbed factors could not be removed to the precision needed: their levels are hardly "
        "connected by common rows. Absorb fewer factors."
    )


def _swept(values: Floats, codes: Codes) -> Floats:
    """Columns less their means by level, rows without a level untouched."""
    rows = codes >= 0
    inside, level = values[rows], codes[rows]
    counts = np.bincount(level)
    sums = np.column_stack([np.bincount(level, weights=column) for column in inside.T])
    out = values.copy()
    out[rows] = inside - (sums / np.maximum(counts, 1)[:, None])[level]
    return out
