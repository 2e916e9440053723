"""`Assignment`: who got what, and how it could have been dealt otherwise.

Letters: n rows, U units (rows, caseworkers, sites), each in one cell; an arrangement deals the units' values
among the units of each cell.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from jobchance.design.columns import counted, require_columns
from jobchance.errors import DesignError, SpecError
from jobchance.numerics.arrangements import count_arrangements

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]


@dataclass(frozen=True, eq=False, repr=False)
class Assignment:
    """An assignment and the arrangements that were as likely; from `shuffled` or `rolled_out`.

    It holds one number per row, so it lives in memory only.

    Parameters
    ----------
    numbers : array (L,)
        The value of each code (for a roll-out: the period in which treatment starts, `inf` for never).
    level : integer array (U,)
        Code of each unit.
    cell : integer array (U,)
        Cell of each unit.
    unit : integer array (n,)
        Unit of each row.
    time : array (n,) or None
        Period of each row: the value of a row is then 1 from its unit's start on. `None`: the number itself.
    words : str
        What is dealt among whom, for summaries.

    Notes
    -----
    `n_arrangements` counts the arrangements; rows of the same number in `classes` (n,) have the same value in
    all of them: those of a unit, or of a unit and period.
    """

    numbers: Floats
    level: Codes
    cell: Codes
    unit: Codes
    time: Floats | None = None
    words: str = ""
    n_arrangements: int = field(init=False)
    classes: Codes = field(init=False)
    _first: Codes = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "n_arrangements", count_arrangements(self.level, self.cell))
        periods = np.zeros(len(self.unit)) if self.time is None else self.time
        pairs = pd.DataFrame({"unit": self.unit, "time": periods})
        classes = pairs.groupby(["unit", "time"], sort=False).ngroup().to_numpy(dtype=np.int64)
        object.__setattr__(self, "classes", classes)
        object.__setattr__(self, "_first", np.unique(classes, return_index=True)[1])

    def __repr__(self) -> str:
        return f"Assignment({self.words}, {len(self.unit)} rows, {len(self.level)} units)"

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("an Assignment holds rows of persons and is not pickled; make it again from the data")

    @property
    def observed(self) -> Floats:
        """Values (n,) as they were."""
        values: Floats = self.rows_of(self.level[None, :])[0]
        return values

    def rows_of(self, codes: Codes) -> Floats:
        """Values (B, n) of arrangements (B, U)."""
        return self.values_of(codes)[:, self.classes]

    def values_of(self, codes: Codes) -> Floats:
        """Values (B, C) of arrangements (B, U), one for each of the `classes`."""
        values: Floats = self.numbers[codes][:, self.unit[self._first]]
        made = values if self.time is None else self.time[self._first][None, :] >= values
        return np.asarray(made, dtype=np.float64)

    @classmethod
    def shuffled(
        cls,
        data: pd.DataFrame,
        column: str,
        *,
        within: Sequence[str] = (),
        unit: str | Sequence[str] | None = None,
        level: object = None,
    ) -> Assignment:
        """Values that could have been dealt otherwise among the units of each cell.

        Parameters
        ----------
        data : DataFrame
            One row per row of the analysis.
        column : str
            What was assigned: a number, or with `level` any column.
        within : sequence of str
            Columns whose combinations are the cells; `()`: one cell.
        unit : str, sequence of str or None
            What was assigned as a whole, such as `"caseworker_id"`; `None`: every row by itself.
        level : object
            The value that counts as 1, all others as 0.

        Returns
        -------
        Assignment

        Raises
        ------
        FormulaError
            Columns are absent.
        SpecError
            `within` is one text.
        DesignError
            Missing or infinite values; a column that is no number, without `level`; units with several values
            or in several cells; nothing that could have been otherwise.

        Examples
        --------
        >>> data = pd.DataFrame({"office": list("aaabb"), "told": [1, 0, 0, 1, 0]})
        >>> Assignment.shuffled(data, "told", within=["office"]).n_arrangements
        6
        """
        cells, units = _texts("within", within), _texts("unit", unit)
        _require_complete(data, [column, *cells, *units])
        values = _numbers(data, column, level)
        codes = _unit_codes(data, units)
        _require_constant(values, data, codes, column, units, cells)
        first = np.unique(codes, return_index=True)[1]
        numbers, dealt = np.unique(values[first], return_inverse=True)
        place = (
            data.groupby(cells, sort=False, observed=True).ngroup().to_numpy()
            if cells
            else np.zeros(len(data), int)
        )
        words = f"{column} dealt among {' x '.join(units) or 'rows'}"
        made = cls(
            numbers,
            dealt.astype(np.int64),
            place[first].astype(np.int64),
            codes,
            words=words + (f" within {' x '.join(cells)}" if cells else ""),
        )
        return _require_choice(made)

    @classmethod
    def rolled_out(
        cls, data: pd.DataFrame, *, site: str, start: str, time: str, within: Sequence[str] = ()
    ) -> Assignment:
        """Sites that could have started in another order.

        Parameters
        ----------
        data : DataFrame
            One row per site and period, or person, site and period.
        site : str
            Column of the site.
        start : str
            Number or date of the site's start; missing: never.
        time : str
            Number or date of the row; the row counts as 1 from the start of its site on.
        within : sequence of str
            Columns, constant by site, within which starts could have been exchanged.

        Returns
        -------
        Assignment

        Raises
        ------
        FormulaError
            Columns are absent.
        DesignError
            Missing sites or times; starts and times of different kinds; a site with several starts; all
            sites start together.

        Examples
        --------
        >>> data = pd.DataFrame({"site": list("aabb"), "quarter": [1, 2, 1, 2], "from": [1, 1, 2, 2]})
        >>> Assignment.rolled_out(data, site="site", start="from", time="quarter").observed.tolist()
        [1.0, 1.0, 0.0, 1.0]
        """
        cells = _texts("within", within)
        require_columns([start], data)
        _require_complete(data, [site, time, *cells])
        starts, times = _periods(data, start, time)
        codes = _unit_codes(data, [site])
        _require_constant(starts, data, codes, start, [site], cells)
        first = np.unique(codes, return_index=True)[1]
        numbers, dealt = np.unique(starts[first], return_inverse=True)
        place = (
            data.groupby(cells, sort=False, observed=True).ngroup().to_numpy()
            if cells
            else np.zeros(len(data), int)
        )
        words = f"start of {site} in another order" + (f" within {' x '.join(cells)}" if cells else "")
        made = cls(
            numbers, dealt.astype(np.int64), place[first].astype(np.int64), codes, time=times, words=words
        )
        return _require_choice(made)


def _texts(name: str, value: str | Iterable[str] | None) -> list[str]:
    """Column names; `within` as one text would be read letter by letter."""
    if value is None:
        return []
    if isinstance(value, str):
        if name == "unit":
            return [value]
        raise SpecError(f"{name} takes several columns: {name}=[{value!r}].")
    return list(dict.fromkeys(value))


def _require_complete(data: pd.DataFrame, columns: list[str]) -> None:
    """Every row needs all of these."""
    require_columns(columns, data)
    missing = {c: int(data[c].isna().sum()) for c in dict.fromkeys(columns)}
    lacks = [f"{c} in {counted(n, 'row')}" for c, n in missing.items() if n]
    if lacks:
        raise DesignError(f"An assignment needs complete rows; missing: {', '.join(lacks)}. Drop them first.")


def _numbers(data: pd.DataFrame, column: str, level: object) -> Floats:
    """The column as numbers, or 1 where it has the level."""
    if level is not None:
        found = np.asarray([value == level for value in data[column]], dtype=np.float64)
        if not found.any():
            raise DesignError(f"No row of {column} has the value that level= names.")
        return found
    if not pd.api.types.is_numeric_dtype(data[column]):
        raise DesignError(f"{column} holds {data[column].dtype}; name the value that counts as 1 by level=.")
    found = data[column].to_numpy(dtype=np.float64)
    if not np.isfinite(found).all():
        raise DesignError(f"{column} is infinite in {counted(int((~np.isfinite(found)).sum()), 'row')}.")
    return found


def _unit_codes(data: pd.DataFrame, units: list[str]) -> Codes:
    """Unit of each row."""
    if not units:
        return np.arange(len(data), dtype=np.int64)
    return np.asarray(data.groupby(units, sort=False, observed=True).ngroup(), dtype=np.int64)


def _require_constant(
    values: Floats, data: pd.DataFrame, codes: Codes, column: str, units: list[str], cells: list[str]
) -> None:
    """A unit has one value and lies in one cell."""
    if not units:
        return
    name = " x ".join(units)
    several = _varying(pd.Series(values), codes)
    problems = [f"{counted(several, 'unit')} of {name} with several values of {column}"] if several else []
    for cell in cells:
        split = _varying(data[cell], codes)
        if split:
            problems.append(f"{counted(split, 'unit')} of {name} in several {cell}")
    if problems:
        raise DesignError(
            f"What is dealt must be the same in all rows of a unit: {'; '.join(problems)}. Name finer units, "
            "such as caseworker and period together."
        )


def _varying(column: pd.Series, codes: Codes) -> int:
    """Units in which a column has several values."""
    pairs = pd.DataFrame({"unit": codes, "value": column.to_numpy()}).drop_duplicates()
    return int(pairs["unit"].duplicated().groupby(pairs["unit"]).any().sum())


def _periods(data: pd.DataFrame, start: str, time: str) -> tuple[Floats, Floats]:
    """Start and time of every row on one scale; `inf` where a site never starts."""
    dates = [pd.api.types.is_datetime64_any_dtype(data[c]) for c in (start, time)]
    numeric = [pd.api.types.is_numeric_dtype(data[c]) for c in (start, time)]
    if not (all(dates) or all(numeric)):
        raise DesignError(f"{start} and {time} must both be numbers or both be dates.")
    if all(dates):
        # the date on the calendar of the column's own time zone, not that of UTC
        days = [data[c].dt.tz_localize(None).to_numpy(dtype="datetime64[D]") for c in (start, time)]
        first, when = (np.where(np.isnat(d), np.inf, d.astype(np.float64)) for d in days)
        return first, when
    found = data[start].to_numpy(dtype=np.float64, na_value=np.nan)
    return np.where(np.isnan(found), np.inf, found), data[time].to_numpy(dtype=np.float64)


def _require_choice(made: Assignment) -> Assignment:
    """Refuse an assignment that could not have been otherwise."""
    if made.n_arrangements < 2:
        raise DesignError(
            f"{made.words}: there is one arrangement only, so nothing can be compared. In no cell do two "
            "units have different values."
        )
    return made
