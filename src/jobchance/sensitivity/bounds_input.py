"""What the bounds are computed from: outcome, group, seen, cells and clusters as arrays, checked once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from jobchance.design.columns import counted
from jobchance.errors import DesignError, SpecError
from jobchance.numerics.bounds import Codes, Floats, Mask

CLUSTER = "cluster"
_TRIES = 100


@dataclass(frozen=True, eq=False, repr=False)
class BoundsInput:
    """Arrays of one length: outcome `y`, treated `d`, seen `s`, cell codes `x` and maybe clusters.

    `counted` marks the rows of which every group of every cell must have some.
    """

    y: Floats
    d: Mask
    s: Mask
    x: Codes
    cluster: pd.Series | None
    index: pd.Index
    name: str
    counted: Mask


def read_input(
    outcome: object,
    treatment: object,
    observed: object | None,
    *,
    cells: object | None,
    cluster: object | None,
    what: str,
    limits: tuple[float, float] | None = None,
    all_missing: bool = False,
) -> BoundsInput:
    """Read and check the columns; see `jobchance.sensitivity.bounds.lee_bounds` for the errors.

    `all_missing` allows groups of which no outcome is seen.
    """
    y = pd.Series(outcome) if not isinstance(outcome, pd.Series) else outcome
    name = str(y.name) if y.name is not None else "outcome"
    try:
        values = pd.to_numeric(y).to_numpy(dtype=float, na_value=np.nan)
    except (TypeError, ValueError):
        raise SpecError(f"{what}: the outcome must be numbers, 0/1 or true/false.") from None
    n = len(values)
    if not n:
        raise DesignError(f"{what}: there are no rows.")
    d, lost_d = _flags(treatment, "treatment", n, what)
    s, lost_s = _flags(observed, "observed", n, what) if observed is not None else (~np.isnan(values), 0)
    x, lost_x = _codes(cells, n, what)
    group = None
    if cluster is not None:
        group = _column(cluster, "cluster", n, what).reset_index(drop=True)
    problems = [
        f"{argument} is missing in {counted(lost, 'row')}"
        for argument, lost in (
            ("treatment", lost_d),
            ("observed", lost_s),
            ("cells", lost_x),
            ("cluster", 0 if group is None else int(group.isna().sum())),
        )
        if lost
    ]
    if blank := int((s & ~np.isfinite(values)).sum()):
        problems.append(f"the outcome is missing or infinite in {counted(blank, 'row')} marked as observed")
    if limits is not None:
        outside = int((s & ((values < limits[0]) | (values > limits[1]))).sum())
        if outside:
            problems.append(f"{counted(outside, 'seen outcome')} outside limits={limits}")
    counted_rows = np.ones(n, dtype=bool) if all_missing else s
    if not lost_x:
        problems += _empty_cells(d, counted_rows, x, what="row" if all_missing else "seen outcome")
    if problems:
        raise DesignError(f"{what}: {'; '.join(problems)}.")
    return BoundsInput(values, d, s, x, group, y.index, name, counted_rows)


def resample(data: BoundsInput, *, draws: int, seed: int) -> Iterator[tuple[Floats, Mask, Mask, Codes]]:
    """Bootstrap samples of rows, or of whole clusters; a sample with an empty cell is drawn again."""
    n = len(data.y)
    codes = np.arange(n) if data.cluster is None else pd.factorize(data.cluster)[0]
    order = np.argsort(codes, kind="stable")
    members = np.split(order, np.flatnonzero(np.diff(codes[order])) + 1)
    for child in np.random.SeedSequence(seed).spawn(draws):
        rng = np.random.default_rng(child)
        for _ in range(_TRIES):
            take = np.concatenate([members[g] for g in rng.integers(0, len(members), len(members))])
            d, s, x = data.d[take], data.s[take], data.x[take]
            if not _empty_cells(d, data.counted[take], x, n_cells=int(data.x.max()) + 1):
                yield data.y[take], d, s, x
                break
        else:
            raise DesignError("The bootstrap keeps drawing samples with empty cells: use fewer cells.")


def _column(values: object, argument: str, n: int, what: str) -> pd.Series:
    """One column of the right length."""
    column = values if isinstance(values, pd.Series) else pd.Series(np.asarray(values))
    if len(column) != n:
        raise SpecError(f"{what}: outcome has {n} rows and {argument} {len(column)}.")
    return column


def _flags(values: object, argument: str, n: int, what: str) -> tuple[Mask, int]:
    """A 0/1 column as booleans and the number of its missing values."""
    column = _column(values, argument, n, what)
    missing = int(column.isna().sum())
    known = pd.to_numeric(column.dropna(), errors="coerce")
    if known.isna().any() or not known.isin([0, 1]).all():
        raise SpecError(f"{what}: {argument} must hold 0/1 or true/false only.")
    flags = column.map(lambda value: False if pd.isna(value) else bool(value))
    return flags.to_numpy(dtype=bool), missing


def _codes(cells: object | None, n: int, what: str) -> tuple[Codes, int]:
    """Cell number of each row, in the order of the labels, and the number of rows without one."""
    if cells is None:
        return np.zeros(n, dtype=np.int64), 0
    frame = (
        cells
        if isinstance(cells, pd.DataFrame)
        else pd.DataFrame({"cells": _column(cells, "cells", n, what)})
    )
    if len(frame) != n:
        raise SpecError(f"{what}: outcome has {n} rows and cells {len(frame)}.")
    lost = int(frame.isna().any(axis=1).sum())
    codes = frame.groupby(list(frame.columns), sort=True, observed=True, dropna=False).ngroup()
    return np.asarray(codes, dtype=np.int64), lost


def _empty_cells(
    d: Mask, s: Mask, x: Codes, *, n_cells: int | None = None, what: str = "seen outcome"
) -> list[str]:
    """A problem for cells in which a group has none of the rows `s`."""
    size = int(x.max()) + 1 if n_cells is None else n_cells
    seen = [np.bincount(x[group & s], minlength=size) for group in (d, ~d)]
    empty = int(((seen[0] == 0) | (seen[1] == 0)).sum())
    if not empty:
        return []
    if size == 1:
        return [f"a group has no {what}"]
    return [f"{empty} of {size} cells have no {what} in one of the groups; use fewer cells"]
