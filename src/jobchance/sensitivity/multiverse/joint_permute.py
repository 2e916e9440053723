"""Curves under the null: exposures change places within cells, every specification is estimated anew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from jobchance.compute.base import Compute
from jobchance.compute.in_process import choose_compute
from jobchance.compute.tasks import check_seed
from jobchance.design.columns import counted
from jobchance.errors import IdentificationError, SpecError
from jobchance.numerics.joint_signs import STATISTICS, curve_statistics, extreme_share
from jobchance.sensitivity.multiverse.joint_result import JointTest, statistics_frame
from jobchance.sensitivity.multiverse.samples import columns_of
from jobchance.sensitivity.multiverse.specification import LINEAR, Specification
from jobchance.sensitivity.multiverse.workbench import Workbench

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

UNITS = ("caseworker_id", "citizen_id")
MOST_BETWEEN = 0.5
"""Share of an exposure's variation that may lie between caseworkers of a cell where single rows move."""


@dataclass(frozen=True, eq=False, repr=False)
class Moves:
    """What may change places: unit of each row (-1: stays), one row and the cell of each unit (in memory)."""

    unit: Ints
    first: Ints
    cell: Ints
    kind: str
    cells: tuple[str, ...]

    @property
    def n_cells(self) -> int:
        """Cells with at least two units."""
        return int((np.bincount(self.cell) > 1).sum()) if self.cell.size else 0


def permuted_curves(
    workbench: Workbench,
    specs: Sequence[Specification],
    *,
    n_all: int,
    draws: int,
    within: tuple[str, ...],
    level: float,
    seed: int | np.random.SeedSequence,
    compute: Compute | None,
    unit: str,
) -> JointTest:
    """The joint test by moving exposures; see `joint_test` for statistics and p-values.

    A unit is a caseworker if every exposure is the same on all of a caseworker's rows, else a citizen if it
    is the same on all of a citizen's rows, else a row. All exposures of a unit move together. Units change
    places within the cells of `within`; where a caseworker or citizen is in several of these cells, the
    columns that change within a unit are left out of the cells. Rows without an exposure keep their place.

    Raises
    ------
    SpecError
        No linear specification; a column of `within` is absent.
    IdentificationError
        Exposures cannot change places: panels with different measurements, a sample rule or an adjustment
        that reads the exposure, single rows of an exposure that mostly differs between caseworkers, or no
        cell with two different exposures.
    """
    linear = [spec for spec in specs if spec.estimator in LINEAR]
    if not linear:
        raise SpecError("joint_test: method='permute' needs linear specifications, and there are none.")
    moves = plan_moves(workbench, linear, within)
    alpha = 1 - level
    observed = _statistics(workbench, linear, alpha)
    task = partial(_one_curve, workbench, tuple(linear), moves, alpha)
    curves = choose_compute(compute).map(task, list(range(draws)), seed=check_seed(seed))
    null = np.array(curves)
    p = extreme_share(observed, null, is_complete=False)
    left_out = n_all - len(linear)
    notes = [f"Left out: {counted(left_out, 'specification')} that are not linear."] if left_out else []
    dropped = [column for column in within if column not in moves.cells]
    if dropped:
        notes.append(f"Cells without {', '.join(dropped)}, which change within a {_name(moves.kind)}.")
    if moves.kind == "row":
        notes.append(
            "Single rows change places: rows of one caseworker or citizen are taken to be as exchangeable as "
            "any other rows of the cell. Where exposure and outcome both cluster, p is too small."
        )
    return JointTest(
        frame=statistics_frame(observed, null, p),
        null=pd.DataFrame(null, columns=list(STATISTICS)),
        method="permute",
        cluster=" + ".join(moves.cells) or "the whole panel",
        n_clusters=moves.n_cells,
        n_specifications=len(linear),
        n_left_out=left_out,
        is_complete=False,
        unit=unit,
        notes=tuple(notes),
    )


def plan_moves(workbench: Workbench, specs: Sequence[Specification], within: tuple[str, ...]) -> Moves:
    """Units, their cells, and whether they can change places at all; errors as in `permuted_curves`."""
    exposures = sorted({spec.exposure for spec in specs})
    frames = [panel.frame for panel in workbench.panels.values()]
    frame = frames[0]
    _require_same_rows(frames)
    absent = [column for column in within if column not in frame]
    if absent:
        raise SpecError(f"joint_test: the panel has no column {', '.join(absent)} (within).")
    _require_untouched(specs, exposures)
    movable = frame[exposures].notna().all(axis=1).to_numpy(dtype=bool)
    rows = frame.loc[movable]
    kind = next((u for u in UNITS if u in frame and _constant(rows, u, exposures)), "row")
    if kind == "row":
        _require_within_variation(rows, exposures, within)
        labels, cells = pd.Series(np.arange(len(rows)), index=rows.index), within
    else:
        labels, cells = rows[kind], tuple(c for c in within if _constant(rows, kind, [c]))
    codes, _ = pd.factorize(labels)
    unit = np.full(len(frame), -1, dtype=np.int64)
    unit[movable] = codes
    first = np.flatnonzero(movable)[np.unique(codes, return_index=True)[1]].astype(np.int64)
    cell = _cells(frame.iloc[first], cells)
    moves = Moves(unit, first, cell, kind, cells)
    values = frame[exposures].iloc[first].assign(cell=cell)
    if not any(values.groupby("cell")[name].nunique().gt(1).any() for name in exposures):
        raise IdentificationError(
            f"joint_test: no cell of {' and '.join(cells) or 'the panel'} holds two {_name(kind)}s with "
            "different exposures, so nothing can change places. Use coarser cells, or method='sign_flip'.",
            missing=("exchangeable_units",),
        )
    return moves


def moved(workbench: Workbench, exposures: Sequence[str], moves: Moves, donor: Ints) -> Workbench:
    """The workbench with every unit's exposures replaced by those of its donor."""
    at = moves.unit >= 0
    source = moves.first[donor[moves.unit[at]]]
    state = workbench.__getstate__()  # as it travels: with its panels, without what it has computed
    for key, (frame, *rest) in state["panels"].items():
        changed = frame.copy()
        for name in exposures:
            values = frame[name].to_numpy(copy=True)
            values[at] = values[source]
            changed[name] = values
        state["panels"][key] = (changed, *rest)
    other = Workbench.__new__(Workbench)
    other.__setstate__(state)
    return other


def draw_donors(moves: Moves, rng: np.random.Generator) -> Ints:
    """For every unit a unit of its cell, each once."""
    order = np.lexsort((rng.random(moves.cell.size), moves.cell))
    donor = np.empty(moves.cell.size, dtype=np.int64)
    donor[np.argsort(moves.cell, kind="stable")] = order
    return donor


def _one_curve(
    workbench: Workbench,
    specs: tuple[Specification, ...],
    moves: Moves,
    alpha: float,
    _: int,
    rng: np.random.Generator,
) -> Floats:
    """The statistics of one curve under the null."""
    exposures = sorted({spec.exposure for spec in specs})
    return _statistics(moved(workbench, exposures, moves, draw_donors(moves, rng)), specs, alpha)


def _statistics(workbench: Workbench, specs: Sequence[Specification], alpha: float) -> Floats:
    """The statistics of the curve of these panels; specifications without a number are left out."""
    rows = workbench.evaluate(specs)
    numbers = np.array([[row["estimate"], row["statistic"], row["df"]] for row in rows], dtype=float)
    kept = numbers[np.isfinite(numbers[:, :2]).all(axis=1)]
    if not len(kept):
        return np.zeros(len(STATISTICS))
    curve: Floats = curve_statistics(kept[:, :1], kept[:, 1:2], kept[:, 2], alpha=alpha)[0]
    return curve


def _require_same_rows(frames: Sequence[pd.DataFrame]) -> None:
    columns = [c for c in ("measurement_id", "citizen_id", "wave") if c in frames[0]]
    same = all(
        len(frame) == len(frames[0])
        and all(frame[c].to_numpy().tolist() == frames[0][c].to_numpy().tolist() for c in columns)
        for frame in frames[1:]
    )
    if not same:
        raise IdentificationError(
            f"joint_test: the {len(frames)} panels hold different measurements, so an exposure that "
            "moves in one has no place in another. Use one outcome and at-risk rule, or 'sign_flip'.",
            missing=("same_measurements",),
        )


def _require_untouched(specs: Sequence[Specification], exposures: Sequence[str]) -> None:
    read = {c for spec in specs for c in (*columns_of(spec.covariates), *(one[0] for one in spec.conditions))}
    both = sorted(read & set(exposures))
    if both:
        raise IdentificationError(
            f"joint_test: {', '.join(both)} is an exposure, and sample rules or adjustments read it as "
            "well; it cannot move in one place and stay in the other. Use method='sign_flip'.",
            missing=("exchangeable_units",),
        )


def _require_within_variation(rows: pd.DataFrame, exposures: Sequence[str], within: tuple[str, ...]) -> None:
    """Refuse to move single rows of what is in truth an exposure of caseworkers."""
    if "caseworker_id" not in rows:
        return
    cells = _cells(rows, within)
    for name in exposures:
        own = rows[name].astype(float)
        own = own - own.groupby(cells).transform("mean")
        means = own.groupby([cells, rows["caseworker_id"].to_numpy()]).transform("mean")
        between = float(means.pow(2).sum() / own.pow(2).sum()) if own.abs().sum() > 0 else 0.0
        if between > MOST_BETWEEN:
            raise IdentificationError(
                f"joint_test: {100 * between:.0f}% of the variation of {name} within cells lies between "
                "caseworkers, but it is not constant for a caseworker: neither rows nor caseworkers can "
                "change places. Use method='sign_flip'.",
                missing=("exchangeable_units",),
            )


def _constant(rows: pd.DataFrame, unit: str, columns: Sequence[str]) -> bool:
    """Whether columns do not change within units."""
    known = rows[unit].notna()
    counts = rows.loc[known].groupby(unit, observed=True)[list(columns)].nunique(dropna=False)
    return bool(known.all() and len(counts) < len(rows) and counts.le(1).all(axis=None))


def _cells(units: pd.DataFrame, cells: tuple[str, ...]) -> Ints:
    """Cell of each unit; units without a cell stand alone."""
    if not cells:
        return np.zeros(len(units), dtype=np.int64)
    numbers = units.groupby(list(cells), observed=True, sort=True).ngroup()
    codes = np.array(numbers, dtype=np.int64)
    alone = codes < 0
    codes[alone] = codes.max(initial=-1) + 1 + np.arange(alone.sum())
    return codes


def _name(kind: str) -> str:
    return kind.removesuffix("_id")
