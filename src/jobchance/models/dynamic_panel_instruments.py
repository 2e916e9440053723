"""Instruments of a dynamic panel: lags of levels for differences, differences for levels, own columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from jobchance.errors import SpecError
from jobchance.models.dynamic_panel_rows import Levels
from jobchance.models.dynamic_panel_transform import Regressors, Transformed
from jobchance.numerics.linalg import independent_columns
from jobchance.results.parts import Codes, Floats

FIRST = {"outcome": 2, "endogenous": 2, "predetermined": 1}
"""First lag of a level that is not correlated with the difference of a serially uncorrelated error."""

NEAR_SINGULAR = 1e-10

LagRange = tuple[int, int | None]


@dataclass(frozen=True, eq=False)
class Instruments:
    """Z (rows, L) sparse, the group of every column (`"lags of belief"`), and how many were left out."""

    Z: sparse.csr_matrix
    groups: NDArray[np.str_]
    n_dependent: int

    @property
    def counts(self) -> dict[str, int]:
        """Columns by group, in their order."""
        names, first, counts = np.unique(self.groups, return_index=True, return_counts=True)
        order = np.argsort(first)
        return {str(names[i]): int(counts[i]) for i in order}


def lag_ranges(
    asked: LagRange | Mapping[str, LagRange] | None, kinds: Mapping[str, str]
) -> dict[str, tuple[int, int | None]]:
    """First and last lag by variable; `None` is every lag that the assumption allows.

    Raises
    ------
    SpecError
        Not two whole numbers, the first below 1 or above the last, or a variable that is not instrumented.
    """
    given = dict(asked) if isinstance(asked, Mapping) else {}
    unknown = [name for name in given if name not in kinds]
    if unknown:
        raise SpecError(
            f"instrument_lags names {', '.join(map(str, unknown))}; instrumented by lags are "
            f"{', '.join(kinds)}."
        )
    ranges: dict[str, tuple[int, int | None]] = {}
    for name, kind in kinds.items():
        chosen = given.get(name) if isinstance(asked, Mapping) else asked
        if chosen is None:
            ranges[name] = (FIRST[kind], None)
            continue
        ranges[name] = _checked_range(chosen)
    return ranges


def _checked_range(chosen: LagRange) -> tuple[int, int | None]:
    """First and last lag, once they are two whole numbers in order."""
    message = "instrument_lags is (first, last) with whole numbers; last=None is all: (2, None)."
    if not isinstance(chosen, tuple | list) or len(chosen) != 2:
        raise SpecError(message)
    first, last = chosen
    if not _whole(first) or not (last is None or _whole(last)):
        raise SpecError(message)
    if first < 1 or (last is not None and last < first):
        raise SpecError(
            f"instrument_lags={(first, last)!r}: the first lag is at least 1, the last not below."
        )
    return int(first), None if last is None else int(last)


def _whole(value: object) -> bool:
    """Whether this is a whole number and not a truth value."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def build_instruments(
    levels: Levels,
    made: Transformed,
    columns: Regressors,
    *,
    ranges: Mapping[str, LagRange],
    collapse: bool,
) -> Instruments:
    """All instruments on the transformed rows, without columns that are zero or that others determine."""
    own, labels = _own_columns(levels, made, columns, set(ranges))
    Z, groups = [sparse.csr_matrix(own)], labels
    for name, (first, last) in ranges.items():
        grid = levels.grids[name]
        for group, block in (
            (f"lags of {name}", _level_lags(grid, made, first, last, collapse)),
            (f"differences of {name} (level)", _lagged_differences(grid, made, first, collapse)),
        ):
            Z.append(block)
            groups += [group] * block.shape[1]
    whole = sparse.hstack(Z, format="csr")
    used = np.flatnonzero(np.asarray((whole != 0).sum(axis=0)).ravel() > 0)
    kept = used[_independent(whole[:, used])]
    return Instruments(whole[:, kept], np.array(groups, dtype=np.str_)[kept], len(used) - len(kept))


def _independent(Z: sparse.csr_matrix) -> Codes:
    """Columns that do not depend on columns before them; looked for where the cross-product is singular."""
    cross = (Z.T @ Z).toarray()
    size = np.sqrt(np.diag(cross))
    values = np.linalg.eigvalsh(cross / np.outer(size, size))
    if values[0] > NEAR_SINGULAR * values[-1]:
        return np.arange(Z.shape[1])
    return independent_columns(Z.toarray())


def _level_lags(
    grid: Floats, made: Transformed, first: int, last: int | None, collapse: bool
) -> sparse.csr_matrix:
    """Levels `first` to `last` periods before, a column per period and lag, or one per lag."""
    span = grid.shape[1]
    rows = np.flatnonzero(~made.level)
    period = made.period[rows]
    entries = []
    for lag in range(first, min(last or span, span - 1) + 1):
        reach = period >= lag
        values = grid[made.entity[rows[reach]], period[reach] - lag]
        entries.append((rows[reach], (0 if collapse else period[reach] * span) + lag, values))
    return _sparse(entries, len(made.period))


def _lagged_differences(grid: Floats, made: Transformed, first: int, collapse: bool) -> sparse.csr_matrix:
    """The difference max(1, first - 1) periods before, for the level rows: a column per period, or one."""
    rows = np.flatnonzero(made.level)
    lag = max(1, first - 1)
    rows = rows[made.period[rows] > lag]
    entity, period = made.entity[rows], made.period[rows]
    values = grid[entity, period - lag] - grid[entity, period - lag - 1]
    return _sparse([(rows, period * (not collapse), values)], len(made.period))


def _sparse(entries: list[tuple[Codes, Codes | int, Floats]], n: int) -> sparse.csr_matrix:
    """Sparse columns, one for each different key; missing values are 0."""
    if not entries:
        return sparse.csr_matrix((n, 0))
    rows = np.concatenate([r for r, _, _ in entries])
    keys = np.concatenate([np.broadcast_to(k, r.shape) for r, k, _ in entries])
    values = np.concatenate([v for _, _, v in entries])
    known = np.isfinite(values)
    unique, column = np.unique(keys[known], return_inverse=True)
    return sparse.csr_matrix((values[known], (rows[known], column)), shape=(n, len(unique)))


def _own_columns(
    levels: Levels, made: Transformed, columns: Regressors, lagged: set[str]
) -> tuple[Floats, list[str]]:
    """Exogenous columns as their own instruments; in a system apart for differences and levels.

    Effects of periods are instruments of the level rows alone where there are any.
    """
    base = dict(zip(levels.names, levels.bases, strict=True))
    moved = made.apply(columns.W)
    blocks, groups = [], list[str]()
    for j, name in enumerate(columns.names):
        if not columns.effects[j] and base[name] in lagged:
            continue
        for level in (False, True):
            if not (made.level == level).any() or (columns.effects[j] and made.level.any() and not level):
                continue
            blocks.append(np.where(made.level == level, moved[:, j], 0.0))
            kind = "period effects" if columns.effects[j] else "exogenous"
            groups.append(f"{kind} (level)" if level else kind)
    return (np.column_stack(blocks) if blocks else np.zeros((len(made.period), 0))), groups
