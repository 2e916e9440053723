"""Rows of a panel by entity and period, so that lags and differences go by the calendar."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from jobchance.design.columns import counted, level_text, require_columns
from jobchance.errors import DesignError
from jobchance.results.parts import Codes, Floats

MAX_CELLS = 50_000_000
MIN_PERIODS = 3


@dataclass(frozen=True, eq=False)
class Calendar:
    """Entity code and period (0 = the first of the data) of every row; `place` (N, P) finds rows, -1 none."""

    entity: Codes
    period: Codes
    place: NDArray[np.int64]
    labels: tuple[str, ...]
    gaps_known: bool

    @property
    def n_periods(self) -> int:
        """From the first period of the data to the last, with gaps."""
        return len(self.labels)

    def rows_before(self, lag: int) -> NDArray[np.int64]:
        """Row of the same entity `lag` periods before each row; -1 where there is none."""
        before = self.period - lag
        return np.where(before >= 0, self.place[self.entity, np.maximum(before, 0)], -1)

    def grid(self, values: Floats) -> Floats:
        """Values (rows,) by entity and period (N, P); NaN where there is no row."""
        return np.where(self.place >= 0, values[self.place], np.nan)


def read_calendar(
    data: pd.DataFrame, *, entity: str, time: str
) -> tuple[pd.DataFrame, Calendar, dict[str, int]]:
    """Rows with an entity and a period, their calendar, and the rows left out by reason.

    Raises
    ------
    FormulaError
        The columns are absent.
    DesignError
        Several rows for one entity and period, fewer than three periods, or periods too far apart to count.
    """
    require_columns((entity, time), data)
    known, dropped = np.ones(len(data), dtype=bool), {}
    for name in (entity, time):
        missing = data[name].isna().to_numpy() & known
        if missing.any():
            dropped[f"{name} is missing"] = int(missing.sum())
        known &= ~missing
    rows = data if known.all() else data.loc[known]
    codes, levels = pd.factorize(rows[entity])
    period, labels, gaps_known = _periods(rows[time], time)
    problems = []
    if len(labels) < MIN_PERIODS:
        problems.append(
            f"Column {time} has {counted(len(labels), 'period')}; a dynamic panel needs at least "
            f"{MIN_PERIODS}: the outcome, its lag, and one period before as instrument."
        )
    if len(levels) < 2:
        problems.append(f"Column {entity} has {counted(len(levels), 'level')}; a panel needs several.")
    if len(levels) * len(labels) > MAX_CELLS:
        problems.append(
            f"Column {time} runs over {len(labels)} periods for {len(levels)} levels of {entity}. "
            "It must count periods (1, 2, 3, ...), not days or dates written as numbers."
        )
    if problems:
        raise DesignError("\n".join(problems))
    shared = int(pd.DataFrame({"e": codes, "t": period}).duplicated(keep=False).sum())
    if shared:
        raise DesignError(
            f"{shared} of {len(rows)} rows share {entity} and {time} with another row; "
            "a panel has one row for each. Aggregate them or choose another time column."
        )
    place = np.full((len(levels), len(labels)), -1, dtype=np.int64)
    place[codes, period] = np.arange(len(rows))
    return rows, Calendar(codes.astype(np.int64), period, place, labels, gaps_known), dropped


def _periods(values: pd.Series, time: str) -> tuple[Codes, tuple[str, ...], bool]:
    """Periods from 0, their texts, and whether gaps are known: only whole numbers can be missing between."""
    if not len(values):
        return np.zeros(0, dtype=np.int64), (), True
    if values.dtype == object and pd.api.types.infer_dtype(values) in ("integer", "floating"):
        values = values.astype(float)
    if pd.api.types.is_numeric_dtype(values.dtype):
        numbers = values.to_numpy(dtype=float)
        if not np.isfinite(numbers).all() or (numbers != np.round(numbers)).any():
            raise DesignError(f"Column {time} must hold whole numbers that count periods.")
        first, last = int(numbers.min()), int(numbers.max())
        if last - first > MAX_CELLS:
            raise DesignError(f"Column {time} must count periods (1, 2, 3, ...), not days or seconds.")
        return (
            (numbers - first).astype(np.int64),
            tuple(str(first + i) for i in range(last - first + 1)),
            True,
        )
    codes, levels = pd.factorize(values, sort=True)
    return codes.astype(np.int64), tuple(level_text(level) for level in levels), False
