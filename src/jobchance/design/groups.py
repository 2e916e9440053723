"""Groupings: which level each row belongs to, by one column or by the combinations of several (`a:b`).

Texts of levels are made only when asked for, since a grouping may have millions of levels.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import overload

import numpy as np
import pandas as pd

from jobchance.design.columns import Codes, column_kind, level_text, value_codes
from jobchance.errors import DesignError

_KINDS = (
    *("integer", "floating", "mixed-integer-float", "decimal", "empty"),
    *("string", "boolean", "categorical", "datetime64", "datetime", "date", "period"),
)


class Levels(Sequence[str]):
    """Texts of the levels of a grouping, in order; made at first use (`a:b` for combinations).

    Parameters
    ----------
    values : tuple of Index
        Different values of each grouping column.
    places : tuple of integer array (n levels,)
        For each column, which of its values a level has.
    """

    def __init__(self, values: tuple[pd.Index, ...], places: tuple[Codes, ...]) -> None:
        self.values = values
        self.places = places

    @cached_property
    def texts(self) -> tuple[str, ...]:
        """All texts; identifiers of persons, so keep them in memory."""
        parts = [np.array(_texts(v), dtype=object)[p] for v, p in zip(self.values, self.places, strict=True)]
        if len(parts) == 1:
            return tuple(parts[0].tolist())
        return tuple(":".join(part) for part in zip(*parts, strict=True))

    def __len__(self) -> int:
        return len(self.places[0])

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[str, ...]: ...
    def __getitem__(self, index: int | slice) -> str | tuple[str, ...]:
        return self.texts[index]


def grouping(columns: Sequence[str], data: pd.DataFrame) -> tuple[Codes, Levels]:
    """Level number of every row, and the levels in the order of the first column, then the second.

    Only combinations that occur are levels. Categories keep their order; numbers are in numerical and texts
    in alphabetical order.

    Parameters
    ----------
    columns : sequence of str
        Grouping columns without missing values.
    data : DataFrame
        The rows.

    Returns
    -------
    codes : integer array (n,)
        From 0, without gaps.
    levels : Levels

    Raises
    ------
    DesignError
        A column mixes kinds of values, or different levels have the same text.

    Examples
    --------
    >>> data = pd.DataFrame({"office": ["b", "a", "b"], "team": [2, 1, 1]})
    >>> codes, levels = grouping(["office", "team"], data)
    >>> codes.tolist(), list(levels)
    ([2, 0, 1], ['a:1', 'b:1', 'b:2'])
    """
    for column in columns:
        _check_kind(column, data)
    codes, first = value_codes(data, columns[0])
    values: tuple[pd.Index, ...] = (first,)
    places: tuple[Codes, ...] = (np.arange(len(first)),)
    for column in columns[1:]:
        other, more = value_codes(data, column)
        # Both factors are at most the number of rows, so the product is far from the limit of 64 bits.
        pairs, found = pd.factorize(codes * len(more) + other, sort=True)
        codes = pairs.astype(np.int64, copy=False)
        values = (*values, more)
        places = (*(place[found // len(more)] for place in places), found % len(more))
    levels = Levels(values, places)
    _check_texts(columns, levels)
    return codes, levels


def group_codes(columns: Sequence[str], data: pd.DataFrame) -> tuple[Codes, tuple[str, ...]]:
    """Codes and level texts of a grouping; see `grouping`."""
    codes, levels = grouping(columns, data)
    return codes, levels.texts


def _check_kind(column: str, data: pd.DataFrame) -> None:
    """Refuse kinds of values that cannot be told apart by their text, or not compared."""
    kind = column_kind(data[column])
    if kind not in _KINDS:
        raise DesignError(
            f"Column {column} holds {kind} values; a grouping needs numbers, text, true/false or dates."
        )


def _check_texts(columns: Sequence[str], levels: Levels) -> None:
    """Refuse different levels with one text, since new rows are matched by text."""
    loose = any(str(pd.api.types.infer_dtype(v)).startswith("mixed") for v in levels.values)
    joins = len(columns) > 1 and sum(map(_holds_colon, levels.values)) > 1
    if (loose or joins) and len(set(levels.texts)) < len(levels):
        raise DesignError(f"Grouping {':'.join(columns)} has different levels with the same text.")


def _holds_colon(values: pd.Index) -> bool:
    """Whether a text holds the sign that joins the texts of combinations."""
    return not pd.api.types.is_numeric_dtype(values.dtype) and any(":" in text for text in _texts(values))


def _texts(values: pd.Index) -> list[str]:
    """Text of every value."""
    if pd.api.types.is_integer_dtype(values.dtype):
        return list(map(str, values.tolist()))
    if pd.api.types.infer_dtype(values) == "string":
        texts: list[str] = values.to_numpy(dtype=object).tolist()
        return texts
    return [level_text(value) for value in values]
