"""Several tables as one system of cells: which cells are the same, and which add up to which.

A cell is named by the values of the dimensions, `None` where a dimension is summed over; a table that lacks
a dimension has summed over it. Crosses that no table prints (every combination that leaves out one grouping)
are cells as well: a reader can work with them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from jobchance.disclosure import columns as cols
from jobchance.errors import SpecError

Key = tuple[str | None, ...]
Hierarchies = Mapping[str, Mapping[str, Sequence[str]]]


@dataclass(frozen=True)
class Linking:
    """How the dimensions of several tables hang together.

    Parameters
    ----------
    dimensions : tuple of str
        Columns that name a cell, over all tables; a table has those that it is broken down by.
    total : str
        The value of a dimension that means "all"; a missing value means the same.
    apart : tuple of str
        Those of the dimensions that are never summed over: questions, populations, waves.
    hierarchies : mapping of str to mapping
        By dimension: a broader value and the values that it is made of, which stand in the same column.
    """

    dimensions: tuple[str, ...]
    total: str = "total"
    apart: tuple[str, ...] = ()
    hierarchies: Hierarchies | None = None

    def above(self) -> dict[str, dict[str, str]]:
        """By dimension, the broader value of each value.

        Raises
        ------
        SpecError
            A value has two broader ones or is above itself, or a name is no dimension.
        """
        strange = sorted({*self.apart, *(self.hierarchies or {})} - set(self.dimensions))
        wrong = [f"{name} is no dimension" for name in strange]
        result: dict[str, dict[str, str]] = {}
        for name, broader in (self.hierarchies or {}).items():
            parent: dict[str, str] = {}
            for value, parts in broader.items():
                twice = [part for part in parts if parent.setdefault(str(part), str(value)) != str(value)]
                wrong += [f"{len(twice)} values of {name} have two broader ones"] if twice else []
            wrong += [f"values of {name} are part of themselves"] if _circular(parent) else []
            result[name] = parent
        if wrong:
            raise SpecError("linked tables: " + "; ".join(wrong) + ".")
        return result

    def below(self, dimension: str, value: str) -> set[str]:
        """A value and everything that it is made of."""
        broader = {str(v): p for v, p in (self.hierarchies or {}).get(dimension, {}).items()}
        found, waiting = {value}, [value]
        while waiting:
            parts = {str(part) for part in broader.get(waiting.pop(), ())} - found
            found |= parts
            waiting += sorted(parts)
        return found


@dataclass(frozen=True)
class CellSystem:
    """The cells of all tables, what they hold and how they add up.

    Parameters
    ----------
    keys : tuple of Key
        The cells.
    sums : tuple of (int, tuple of int)
        A cell and the cells that it is the sum of.
    places : mapping of str to array of int
        By table, the cell of each row.
    amounts : mapping of str to array of float
        By quantity that adds up, what each cell holds; NaN where nobody says.
    """

    keys: tuple[Key, ...]
    sums: tuple[tuple[int, tuple[int, ...]], ...]
    places: Mapping[str, NDArray[np.int64]]
    amounts: Mapping[str, NDArray[np.float64]]

    @property
    def printed(self) -> NDArray[np.bool_]:
        """Cells that stand in a table."""
        result = np.zeros(len(self.keys), dtype=bool)
        for places in self.places.values():
            result[places] = True
        return result


def cell_system(
    tables: Mapping[str, pd.DataFrame], linking: Linking, quantities: Sequence[str], *, margins: bool
) -> CellSystem:
    """Cells and sums of several tables.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        By name; each with some of the dimensions as columns.
    linking : Linking
        The dimensions.
    quantities : sequence of str
        Columns that add up; a table may lack some.
    margins : bool
        Whether crosses that no table prints are cells too.

    Returns
    -------
    CellSystem

    Raises
    ------
    SpecError
        A table has none of the dimensions, or two rows for one cell.
    """
    above = linking.above()
    number: dict[Key, int] = {}
    places: dict[str, NDArray[np.int64]] = {}
    wrong: list[str] = []
    for name, frame in tables.items():
        keys = _row_keys(frame, linking)
        if not any(dimension in frame for dimension in linking.dimensions):
            wrong.append(f"{name} has none of the dimensions {', '.join(linking.dimensions)}")
        elif len(set(keys)) < len(keys):
            wrong.append(f"{name} has {len(keys) - len(set(keys))} rows for a cell that it has already")
        places[name] = np.array([number.setdefault(key, len(number)) for key in keys], dtype=np.int64)
    if wrong:
        raise SpecError("linked tables: " + "; ".join(wrong) + ".")
    printed = set(number)
    sums: dict[tuple[int, tuple[int, ...]], None] = {}
    for name in tables:
        rows = [key for key in printed if number[key] in set(places[name].tolist())]
        rows.sort(key=number.__getitem__)
        for whole, parts in _sums(rows, linking, above, margins=margins):
            if margins or whole in printed:
                codes = tuple(number.setdefault(key, len(number)) for key in (whole, *parts))
                sums[codes[0], tuple(sorted(codes[1:]))] = None
    amounts = {q: _amounts(tables, places, q, len(number)) for q in quantities}
    return CellSystem(tuple(number), tuple(sums), places, amounts)


def filled(system: CellSystem, *, may_fail: Sequence[str] = ()) -> CellSystem:
    """The same system with the amounts of crosses that no table prints, and a check that all adds up.

    Quantities named in `may_fail` are left out where they do not add up.

    Raises
    ------
    SpecError
        Tables disagree about a cell, or parts do not add up to their whole; with the number of such cells.
    """
    amounts = {}
    for quantity, given in system.amounts.items():
        values = given.copy()
        waiting = True
        while waiting:
            waiting = False
            for whole, parts in system.sums:
                if np.isnan(values[whole]) and not np.isnan(values[list(parts)]).any():
                    values[whole] = values[list(parts)].sum()
                    waiting = True
        off = [
            abs(values[whole] - values[list(parts)].sum()) > 1e-6 * (1 + abs(values[whole]))
            for whole, parts in system.sums
            if not np.isnan(values[[whole, *parts]]).any()
        ]
        if any(off) and quantity in may_fail:
            continue
        if any(off):
            raise SpecError(
                f"linked tables: {sum(off)} cells of {quantity} are not the sum of their parts. Add the "
                "missing category as a row of its own, or name the dimension whose values overlap in `apart`."
            )
        amounts[quantity] = values
    return CellSystem(system.keys, system.sums, system.places, amounts)


def _circular(parent: Mapping[str, str]) -> bool:
    """Whether going up from some value never ends."""
    for value in parent:
        step: str | None = value
        for _ in range(len(parent) + 1):
            step = parent.get(step) if step is not None else None
        if step is not None:
            return True
    return False


def _row_keys(frame: pd.DataFrame, linking: Linking) -> list[Key]:
    """The cell of each row."""
    values = [
        [None if pd.isna(value) or str(value) == linking.total else str(value) for value in frame[dimension]]
        if dimension in frame
        else [None] * len(frame)
        for dimension in linking.dimensions
    ]
    return list(zip(*values, strict=True))


def _sums(
    rows: Sequence[Key], linking: Linking, above: Mapping[str, Mapping[str, str]], *, margins: bool
) -> list[tuple[Key, list[Key]]]:
    """Each whole and its parts within one table: one dimension is summed over at a time."""
    cells = dict.fromkeys(rows)
    parts: dict[tuple[Key, int], list[Key]] = {}
    waiting = list(cells)
    while waiting:
        key = waiting.pop(0)
        for place, dimension in enumerate(linking.dimensions):
            value = key[place]
            if value is None or dimension in linking.apart:
                continue
            whole = (*key[:place], above.get(dimension, {}).get(value), *key[place + 1 :])
            parts.setdefault((whole, place), []).append(key)
            if margins and whole not in cells:
                cells[whole] = None
                waiting.append(whole)
    return [(whole, found) for (whole, _), found in parts.items()]


def _amounts(
    tables: Mapping[str, pd.DataFrame], places: Mapping[str, NDArray[np.int64]], quantity: str, n: int
) -> NDArray[np.float64]:
    """What each cell holds of one quantity, as far as some table says so."""
    values = np.full(n, np.nan)
    apart = 0
    for name, frame in tables.items():
        if quantity in frame:
            here = cols.numbers(frame, quantity).to_numpy()
            before = values[places[name]]
            both = ~np.isnan(here) & ~np.isnan(before)
            apart += int((np.abs(here - before)[both] > 1e-6 * (1 + np.abs(before[both]))).sum())
            values[places[name]] = np.where(np.isnan(before), here, before)
    if apart:
        raise SpecError(
            f"linked tables: {apart} cells of {quantity} differ between tables. Tables of different "
            "populations need a dimension that tells these apart (`apart`)."
        )
    return values
