"""Rows of the value-added design: one per citizen or per citizen and caseworker, net of covariates."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from jobchance.design.columns import counted, numeric_values
from jobchance.errors import IdentificationError, SpecError
from jobchance.identification.leniency_tables import covariate_names, dense, numbers
from jobchance.identification.thresholds import Thresholds
from jobchance.numerics.demean import demean
from jobchance.numerics.empirical_bayes import Codes, Floats
from jobchance.numerics.linalg import independent_columns
from jobchance.options import check_option
from jobchance.panel.model import AnalysisPanel

ROWS = ("first", "relationships")
CITIZEN, CASEWORKER = "citizen_id", "caseworker_id"


@dataclass(frozen=True, eq=False)
class ValueAddedRows:
    """Rows used, in the order citizen, wave.

    `y` outcome, `net` outcome less the part of covariates, `index` that part; `frame` the panel's rows,
    `later` the first row of citizens with a caseworker they did not begin with, `names` the covariates and
    `covariates` (n, k) their values.
    """

    frame: pd.DataFrame
    later: pd.DataFrame
    y: Floats
    net: Floats
    index: Floats
    citizen: Codes
    caseworker: Codes
    cell: Codes
    levels: tuple[str, ...]
    names: tuple[str, ...]
    slopes: Floats
    covariates: Floats
    outcome: str
    dropped: dict[str, int]

    @property
    def binary(self) -> bool:
        """Whether the outcome is 0/1."""
        return bool(np.isin(self.y, (0.0, 1.0)).all())

    @property
    def cases(self) -> Codes:
        """Rows of each caseworker."""
        n: Codes = np.bincount(self.caseworker).astype(np.int64)
        return n

    @property
    def spread_in_cells(self) -> float:
        """Variance of a row within caseworker and cell, pooled: what is left when both are known."""
        groups = dense(self.caseworker * (int(self.cell.max()) + 1) + self.cell)
        left = demean(self.net[:, None], [groups])[:, 0]
        df = len(left) - int(groups.max()) - 1
        return float(left @ left) / df if df > 0 else float("nan")


def value_added_rows(
    panel: AnalysisPanel,
    *,
    outcome: str | None,
    cells: Sequence[str],
    covariates: Iterable[str] | None,
    rows: str,
    thresholds: Thresholds,
) -> ValueAddedRows:
    """Choose the rows, take the covariates out, and refuse what the design cannot do without.

    The coefficients of the covariates come from a regression with the effects of caseworkers and of cells,
    so that differences between caseworkers do not enter them.
    """
    check_option("rows", rows, ROWS)
    table, name = _table(panel, outcome=outcome, cells=cells)
    named = table[table[CASEWORKER].notna()]
    relations = named.drop_duplicates([CITIZEN, CASEWORKER])
    chosen = relations if rows == "relationships" else relations.drop_duplicates([CITIZEN])
    known = chosen[chosen["outcome"].notna()]
    per_cell = known.groupby("cell")[CASEWORKER].transform("nunique")
    used = known[per_cell > 1]
    dropped = {
        "no caseworker": len(table) - len(named),
        "further measurements (rows='" + rows + "')": len(named) - len(chosen),
        f"{name} unknown": len(chosen) - len(known),
        "cell with one caseworker": len(known) - len(used),
    }
    _refuse(_lacking(used, known, thresholds))
    wanted = covariate_names(panel, covariates)
    columns = numbers(used, wanted)
    codes, levels = pd.factorize(used[CASEWORKER], sort=True)
    caseworker, cell = codes.astype(np.int64), dense(used["cell"].to_numpy())
    y = used["outcome"].to_numpy(dtype=float)
    names, slopes, values = _adjustment(y, columns, caseworker=caseworker, cell=cell)
    return ValueAddedRows(
        frame=used,
        later=relations[relations.duplicated([CITIZEN]) & relations["outcome"].notna()],
        y=y,
        net=y - values @ slopes,
        index=values @ slopes,
        citizen=pd.factorize(used[CITIZEN])[0].astype(np.int64),
        caseworker=caseworker,
        cell=cell,
        levels=tuple(str(level) for level in levels),
        names=names,
        slopes=slopes,
        covariates=values,
        outcome=name,
        dropped={reason: n for reason, n in dropped.items() if n},
    )


def _table(panel: AnalysisPanel, *, outcome: str | None, cells: Sequence[str]) -> tuple[pd.DataFrame, str]:
    """All rows in order with `outcome` and `cell`, and the name of the outcome."""
    own = str(panel.meta.get("outcome"))
    name = own if outcome is None else outcome
    source = "outcome" if name == own else name
    by = (cells,) if isinstance(cells, str) else tuple(cells)
    absent = [c for c in (CITIZEN, source, *by) if c not in panel.frame.columns]
    if absent or not by:
        raise SpecError(
            f"The panel has no column {', '.join(dict.fromkeys(absent))}; its outcome is {own!r}."
            if absent
            else "cells=() is empty: name the columns within which caseworkers are compared."
        )
    if CASEWORKER not in panel.frame.columns or panel.frame[CASEWORKER].isna().all():
        _refuse({"caseworkers": "no row names its caseworker"})
    order = [c for c in (CITIZEN, "wave", "date", "measurement_id") if c in panel.frame.columns]
    table = panel.frame.sort_values(order, kind="stable")
    cell = table.groupby(list(by), dropna=False, sort=True).ngroup().to_numpy()
    return table.assign(outcome=numeric_values(table, source), cell=cell), name


def _lacking(used: pd.DataFrame, known: pd.DataFrame, thresholds: Thresholds) -> dict[str, str]:
    """What the rows cannot carry, key and words."""
    if known.empty:
        return {"rows": "no row has a caseworker and an outcome"}
    if used.empty:
        return {"assignment_within_cells": "every cell has one caseworker, so nobody can be compared"}
    lacking: dict[str, str] = {}
    n_caseworkers, n_citizens = used[CASEWORKER].nunique(), used[CITIZEN].nunique()
    if n_caseworkers < thresholds.min_clusters:
        lacking["clusters"] = f"{counted(n_caseworkers, 'caseworker')}, at least {thresholds.min_clusters:g}"
    if n_citizens < thresholds.min_citizens:
        lacking["citizens"] = f"{counted(n_citizens, 'citizen')}, at least {thresholds.min_citizens:g}"
    if not used.duplicated([CASEWORKER, "cell"]).any():
        lacking["citizens_per_caseworker"] = "no caseworker has two citizens in a cell"
    spread = used["outcome"] - used.groupby("cell")["outcome"].transform("mean")
    if not spread.abs().max() > 1e-9:
        lacking["outcome_variation"] = "the outcome does not vary within cells"
    elif used["outcome"].isin([0, 1]).all():
        events = int(min(used["outcome"].sum(), len(used) - used["outcome"].sum()))
        if events < thresholds.min_events:
            lacking["events"] = f"{counted(events, 'event')}, at least {thresholds.min_events:g}"
    return lacking


def _refuse(lacking: dict[str, str]) -> None:
    """One error with everything that is missing."""
    if lacking:
        raise IdentificationError(
            "The spread between caseworkers cannot be told from noise here: "
            + "; ".join(lacking.values())
            + ".",
            missing=tuple(lacking),
        )


def _adjustment(
    y: Floats, columns: dict[str, Floats], *, caseworker: Codes, cell: Codes
) -> tuple[tuple[str, ...], Floats, Floats]:
    """Covariates kept, their coefficients, and their values (centred).

    A missing value stands at its column's mean, with a column that marks it.
    """
    made: dict[str, Floats] = {}
    for name, values in columns.items():
        missing = np.isnan(values)
        if missing.all():
            continue
        made[name] = np.where(missing, np.nanmean(values), values)
        if missing.any():
            made[f"{name} (missing)"] = missing.astype(float)
    if not made:
        return (), np.empty(0), np.empty((len(y), 0))
    X = np.column_stack(list(made.values()))
    X = X - X.mean(axis=0)
    both = demean(np.column_stack([y, X]), [caseworker, cell])
    length = np.linalg.norm(X, axis=0)
    varies = np.flatnonzero(np.linalg.norm(both[:, 1:], axis=0) > 1e-7 * np.where(length > 0, length, 1.0))
    kept = varies[independent_columns(both[:, 1 + varies])] if len(varies) else varies
    slopes: Floats = np.linalg.lstsq(both[:, 1 + kept], both[:, 0], rcond=None)[0].astype(np.float64)
    return tuple(list(made)[i] for i in kept), slopes, X[:, kept]
