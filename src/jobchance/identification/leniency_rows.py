"""The rows of the leniency design: who is compared with whom, each caseworker's optimism, what is missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from jobchance.design.columns import counted, numeric_values
from jobchance.errors import IdentificationError, SpecError
from jobchance.identification.leniency_source import require_one_optimism
from jobchance.identification.thresholds import Thresholds
from jobchance.indicator.optimism import leave_one_out_optimism
from jobchance.options import check_option
from jobchance.panel.model import AnalysisPanel

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

ROWS = ("relationships", "first", "all")
CELLS = ("jobcentre_id", "period")
CASEWORKER, CITIZEN = "caseworker_id", "citizen_id"
FORMER_EXPOSURE, FORMER_OPTIMISM = "exposure_before", "optimism_before"


@dataclass(frozen=True, eq=False)
class LeniencyRows:
    """Rows used, in the order citizen, wave; arrays (n,) unless said otherwise.

    `frame` is the panel's rows with the columns `outcome` (as asked for), `exposure` and `cell` (a number),
    and, where the citizen had a caseworker before this one, `exposure_before` and `optimism_before`: that
    caseworker's first rating of the citizen, and optimism;
    `optimism` is measured leave-out optimism; `ratings` are all rows of the panel with a caseworker and an
    exposure, `candidates` those that `rows` asks for, the same columns. `before_cells` rows were left before
    cells without comparison were dropped.
    """

    frame: pd.DataFrame
    ratings: pd.DataFrame
    y: Floats
    optimism: Floats
    cell: Codes
    outcome: str
    exposure: str
    binary: bool
    dropped: dict[str, int]
    before_cells: int
    candidates: pd.DataFrame

    @property
    def crossed(self) -> bool:
        """Whether citizens appear with several caseworkers, or several times."""
        return bool(self.frame[CITIZEN].duplicated().any())

    @property
    def share_kept(self) -> float:
        """Share of the rows that lie in cells with a comparison."""
        return len(self.y) / self.before_cells

    @property
    def events(self) -> int:
        """Rows with the rarer of the two outcomes."""
        return int(min(self.y.sum(), len(self.y) - self.y.sum()))

    def n(self, column: str) -> int:
        """Distinct values of a column."""
        return int(self.frame[column].nunique())


def leniency_rows(
    panel: AnalysisPanel,
    *,
    outcome: str,
    exposure: str,
    cells: Sequence[str],
    rows: str,
    need_exposure: bool,
    thresholds: Thresholds,
) -> LeniencyRows:
    """Choose the rows and refuse, all at once, what the design cannot do without.

    Raises
    ------
    SpecError
        Unknown `rows`; columns that the panel does not have, or that are not numbers.
    IdentificationError
        See `fit_leniency`.
    """
    check_option("rows", rows, ROWS)
    table = _table(panel, outcome=outcome, exposure=exposure, cells=cells)
    known = table[CASEWORKER].notna()
    if not known.any():
        _refuse({"caseworkers": "no row names its caseworker"})
    dropped = {"no caseworker": int((~known).sum())}
    table = _with_former(table[known])
    candidates = _chosen(table, rows)
    dropped["further measurements (rows=" + repr(rows) + ")"] = len(table) - len(candidates)
    used = candidates
    wanted = ("outcome", "optimism", *(["exposure"] if need_exposure else []))
    for column, reason in zip(
        wanted, (f"{outcome} unknown", "no optimism", f"{exposure} unknown"), strict=False
    ):
        missing = used[column].isna()
        dropped[reason] = int(missing.sum())
        used = used[~missing]
    before = len(used)
    used, lost = _with_comparison(used)
    made = LeniencyRows(
        frame=used.assign(cell=_dense(used["cell"])),
        ratings=table[table["exposure"].notna()],
        y=used["outcome"].to_numpy(dtype=float),
        optimism=used["optimism"].to_numpy(dtype=float),
        cell=_dense(used["cell"]),
        outcome=outcome,
        exposure=exposure,
        binary=bool(set(used["outcome"].unique()) <= {0.0, 1.0}),
        dropped={reason: n for reason, n in (dropped | lost).items() if n},
        before_cells=before,
        candidates=candidates,
    )
    _refuse(_lacking(made, thresholds))
    return made


def _table(panel: AnalysisPanel, *, outcome: str, exposure: str, cells: Sequence[str]) -> pd.DataFrame:
    """All rows of the panel in order, with the columns that the design reads."""
    frame = panel.frame
    names = (cells,) if isinstance(cells, str) else tuple(cells)
    source = "outcome" if outcome == panel.meta.get("outcome") else outcome
    absent = [c for c in (CITIZEN, source, exposure, *names) if c not in frame.columns]
    if absent or not names:
        raise SpecError(
            f"The panel has no column {', '.join(dict.fromkeys(absent))}; its outcome is "
            f"{panel.meta.get('outcome')!r}."
            if absent
            else "cells=() is empty: name the columns within which caseworkers are compared."
        )
    if CASEWORKER not in frame.columns:
        _refuse({"caseworkers": "the panel has no column caseworker_id"})
    order = [c for c in (CITIZEN, "wave", "date", "measurement_id") if c in frame.columns]
    table = frame.sort_values(order, kind="stable")
    cell = table.groupby(list(names), dropna=False, sort=True).ngroup().to_numpy()
    table = table.assign(
        outcome=numeric_values(table, source), exposure=numeric_values(table, exposure), cell=cell
    )
    standard = exposure == "belief" and names == CELLS and "optimism" in frame.columns
    if not standard:
        return table.assign(optimism=_optimism(table))
    require_one_optimism(table)
    return table


def _with_former(table: pd.DataFrame) -> pd.DataFrame:
    """Rows with the first rating by, and the optimism of, the citizen's caseworker before this one."""
    relations = table.drop_duplicates([CITIZEN, CASEWORKER])
    before = relations.groupby(CITIZEN, sort=False)[["exposure", "optimism"]].shift(1)
    before.columns = pd.Index([FORMER_EXPOSURE, FORMER_OPTIMISM])
    pair = table.groupby([CITIZEN, CASEWORKER], sort=False).ngroup()
    first = pair[relations.index].to_numpy()
    return table.assign(
        **{name: pair.map(dict(zip(first, before[name], strict=True))) for name in before.columns}
    )


def _optimism(table: pd.DataFrame) -> pd.Series:
    """Leave-one-out mean of another exposure, or within other cells."""
    return leave_one_out_optimism(
        table[[CITIZEN, CASEWORKER]].assign(jobcentre_id=table["cell"], period=0, belief=table["exposure"])
    )


def _chosen(table: pd.DataFrame, rows: str) -> pd.DataFrame:
    """First row per relationship, first row per citizen, or all."""
    if rows == "all":
        return table
    return table.drop_duplicates([CITIZEN, CASEWORKER] if rows == "relationships" else [CITIZEN])


def _with_comparison(used: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, int]]:
    """Rows of cells with at least two caseworkers, and what was dropped."""
    if used.empty:
        return used, {}
    cell = used.groupby("cell")
    alone = cell["cell"].transform("size") == 1
    single = (cell[CASEWORKER].transform("nunique") == 1) & ~alone
    lost = {"alone in a cell": int(alone.sum()), "cell with one caseworker": int(single.sum())}
    return used[~(alone | single)], lost


def _lacking(rows: LeniencyRows, thresholds: Thresholds) -> dict[str, str]:
    """What the rows cannot carry, key and words."""
    lacking: dict[str, str] = {}
    if rows.before_cells == 0:
        return {"rows": "no row has a caseworker, an outcome and optimism"}
    if len(rows.y) == 0:
        return {"assignment_within_cells": "every cell has one caseworker, so nobody can be compared"}
    n_caseworkers, n_citizens = rows.n(CASEWORKER), rows.n(CITIZEN)
    if n_caseworkers < thresholds.min_clusters:
        lacking["clusters"] = f"{counted(n_caseworkers, 'caseworker')}, at least {thresholds.min_clusters:g}"
    if n_citizens < thresholds.min_citizens:
        lacking["citizens"] = f"{counted(n_citizens, 'citizen')}, at least {thresholds.min_citizens:g}"
    if _constant_within(rows.optimism, rows.cell):
        lacking["optimism_variation"] = "caseworkers of one cell do not differ in optimism"
    if _constant_within(rows.y, rows.cell):
        lacking["outcome_variation"] = "the outcome does not vary within cells"
    elif rows.binary and rows.events < thresholds.min_events:
        lacking["events"] = f"{counted(rows.events, 'event')}, at least {thresholds.min_events:g}"
    return lacking


def _refuse(lacking: dict[str, str]) -> None:
    """One error with everything that is missing."""
    if lacking:
        raise IdentificationError(
            "Caseworkers' optimism cannot be used here: " + "; ".join(lacking.values()) + ".",
            missing=tuple(lacking),
        )


def _constant_within(values: Floats, cell: Codes) -> bool:
    """Whether values do not vary within cells, up to rounding."""
    means = np.bincount(cell, weights=values) / np.bincount(cell)
    spread = float(np.max(np.abs(values - means[cell])))
    return not spread > 1e-9 * max(1.0, float(np.max(np.abs(values))))


def _dense(values: pd.Series) -> Codes:
    """Whole numbers from 0 without gaps."""
    codes: Codes = np.unique(values.to_numpy(), return_inverse=True)[1].astype(np.int64)
    return codes
