"""Sparse transformations of level rows that take the entity's own level away.

A transformation T (rows, level rows) makes differences, deviations from later rows, or differences stacked on
levels; the covariance of its errors is proportional to T T'.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from jobchance.design.formula import INTERCEPT
from jobchance.models.dynamic_panel_rows import Levels
from jobchance.numerics.linalg import independent_columns
from jobchance.results.parts import Codes, Floats


@dataclass(frozen=True, eq=False)
class Transformed:
    """Rows after a transformation T, in blocks: `level` marks the rows of the level equation.

    `period` is that of the row's timing: a deviation from later rows counts one period later, so that the
    same lags are instruments as for the difference.
    """

    T: sparse.csr_matrix
    entity: Codes
    period: Codes
    level: NDArray[np.bool_]

    def apply(self, columns: Floats) -> Floats:
        """T times columns of the level rows."""
        return np.asarray(self.T @ columns)


def difference_rows(levels: Levels, *, first: int = 1) -> Transformed:
    """Row less the row of the period before, where both are complete, from period `first` on."""
    i = np.arange(1, levels.n)
    pair = (levels.entity[i] == levels.entity[i - 1]) & (levels.period[i] == levels.period[i - 1] + 1)
    at = i[pair & (levels.period[i] >= first)]
    rows = np.arange(len(at))
    T = sparse.csr_matrix(
        (
            np.concatenate([np.ones(len(at)), -np.ones(len(at))]),
            (np.concatenate([rows, rows]), np.concatenate([at, at - 1])),
        ),
        shape=(len(at), levels.n),
    )
    return Transformed(T, levels.entity[at], levels.period[at], np.zeros(len(at), dtype=bool))


def deviation_rows(levels: Levels, *, first: int) -> Transformed:
    """Row less the mean of the entity's later rows, times sqrt(r / (r + 1)) with r later rows.

    Arellano & Bover (1995): errors that are independent with one variance stay so.
    """
    ends = np.searchsorted(levels.entity, levels.entity, side="right")
    later = ends - np.arange(levels.n) - 1
    at = np.flatnonzero((later > 0) & (levels.period + 1 >= first))
    r = later[at]
    c = np.sqrt(r / (r + 1))
    rows = np.repeat(np.arange(len(at)), r)
    offset = np.arange(len(rows)) - np.repeat(np.cumsum(r) - r, r)
    columns = np.repeat(at, r) + 1 + offset
    T = sparse.csr_matrix(
        (
            np.concatenate([c, -np.repeat(c / r, r)]),
            (np.concatenate([np.arange(len(at)), rows]), np.concatenate([at, columns])),
        ),
        shape=(len(at), levels.n),
    )
    return Transformed(T, levels.entity[at], levels.period[at] + 1, np.zeros(len(at), dtype=bool))


def system_rows(levels: Levels, *, first: int) -> Transformed:
    """Differences stacked on levels; the levels begin one period before the differences."""
    differences = difference_rows(levels, first=first)
    at = np.flatnonzero(levels.period >= first - 1)
    one = sparse.csr_matrix((np.ones(len(at)), (np.arange(len(at)), at)), shape=(len(at), levels.n))
    return Transformed(
        sparse.vstack([differences.T, one], format="csr"),
        np.concatenate([differences.entity, levels.entity[at]]),
        np.concatenate([differences.period, levels.period[at]]),
        np.concatenate([differences.level, np.ones(len(at), dtype=bool)]),
    )


@dataclass(frozen=True, eq=False)
class Regressors:
    """Level columns that enter: intercept, covariates and effects of periods, and what was left out.

    `effects` marks the intercept and the periods, which are no covariates.
    """

    W: Floats
    names: tuple[str, ...]
    effects: NDArray[np.bool_]
    dropped: tuple[str, ...]


def regressors(levels: Levels, made: Transformed, *, time: str, time_effects: bool) -> Regressors:
    """Columns that are independent once transformed; effects of periods come before covariates.

    The earliest period that is not needed is the reference; a covariate that the transformation or the
    effects of periods take up is left out with its reason.
    """
    blocks, names = [levels.X], list(levels.names)
    if time_effects:
        touched = np.unique(levels.period[np.unique(made.T.indices)]) if made.T.nnz else np.zeros(0, int)
        blocks.append((levels.period[:, None] == touched[None, :]).astype(float))
        names += [f"{time}[{levels.calendar.labels[p]}]" for p in touched]
    k = levels.X.shape[1]
    if made.level.any() and levels.intercept:
        blocks.append(np.ones((levels.n, 1)))
        names.append(INTERCEPT)
    W = np.column_stack(blocks)
    moved = made.apply(W)
    # Latest periods first: the earliest becomes the reference. Covariates last: they give way.
    order = np.array([*range(W.shape[1] - 1, k - 1, -1), *range(k)], dtype=np.int64)
    size = np.linalg.norm(W, axis=0)
    moved[:, np.linalg.norm(moved, axis=0) <= 1e-10 * np.where(size > 0, size, 1)] = 0.0
    kept = set(order[independent_columns(moved[:, order])].tolist())
    gone = [i for i in range(k) if i not in kept]
    reason = {i: "does not vary within the entity" if not moved[:, i].any() else "collinear" for i in gone}
    use = [i for i in range(W.shape[1]) if i in kept]
    return Regressors(
        W[:, use],
        tuple(names[i] for i in use),
        np.array([i >= k for i in use]),
        tuple(f"{names[i]} ({reason[i]})" for i in gone),
    )
