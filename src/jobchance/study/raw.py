"""A column as it stands in a file, before anyone has decided what it means: distinct texts and who has which.

All file types end here. A number becomes its shortest plain text (12.0 becomes "12"), a date its ISO text,
so that one set of rules reads every format alike. Working on distinct texts keeps the checks fast on long
tables.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

Codes = npt.NDArray[np.intp]
TEXT_DTYPE = pd.Series(["text"]).dtype
EXACT_FLOAT = 2**53


@dataclass(frozen=True)
class RawColumn:
    """Distinct texts of a column, and for each row the position of its text (-1 = missing).

    `kind` says what the file stored: text, number, date or boolean.
    """

    codes: Codes
    texts: tuple[str, ...]
    kind: str = "text"
    lost_digits: int = 0

    def __len__(self) -> int:
        return len(self.codes)

    def counts(self) -> npt.NDArray[np.intp]:
        """Rows per distinct text."""
        return np.bincount(self.codes[self.codes >= 0], minlength=len(self.texts))

    def count(self, test: Callable[[str], object]) -> int:
        """Rows whose text passes a test."""
        hits = np.fromiter((bool(test(text)) for text in self.texts), bool, len(self.texts))
        return int(self.counts()[hits].sum())

    def map(self, change: Callable[[str], str | None]) -> RawColumn:
        """Return the column with every text changed; `None` makes it missing."""
        changed = [change(text) for text in self.texts]
        distinct: dict[str, int] = {}
        positions = [-1 if t is None else distinct.setdefault(t, len(distinct)) for t in changed]
        table = np.array([*positions, -1], dtype=np.intp)
        return RawColumn(table[self.codes], tuple(distinct), self.kind, self.lost_digits)

    def take(self, rows: Codes) -> RawColumn:
        """Return the column of the given rows only."""
        return RawColumn(self.codes[rows], self.texts, self.kind, self.lost_digits)

    def to_text(self) -> pd.Series:
        """Return the column as a Series of text, null where missing."""
        values = np.array([*self.texts, None], dtype=object)[self.codes]
        return pd.Series(values, dtype=TEXT_DTYPE)


@dataclass(frozen=True)
class RawTable:
    """Columns of one file by their name there; `unusable` names columns of a type without meaning here."""

    columns: dict[str, RawColumn]
    n_rows: int
    unusable: tuple[str, ...] = ()


def raw_column(values: pd.Series) -> RawColumn | None:
    """Turn a typed column into a raw one; `None` if its type has no meaning here (lists, bytes, durations).

    Parameters
    ----------
    values : Series
        Of any dtype: text, numbers, booleans, dates, categories, Python objects of these kinds.
    """
    if isinstance(values.dtype, pd.CategoricalDtype):
        values = values.astype(values.cat.categories.dtype)
    try:
        codes, uniques = pd.factorize(values)
        texts = [_text_of(value) for value in _objects(uniques)]
    except TypeError:
        return None
    column = RawColumn(np.asarray(codes, dtype=np.intp), tuple(texts), _kind(values, uniques))
    lost = [isinstance(v, float) and abs(v) >= EXACT_FLOAT and math.isfinite(v) for v in _objects(uniques)]
    n_lost = int(column.counts()[np.array(lost, dtype=bool)].sum()) if texts else 0
    # Two stored values may share a text (1 and 1.0, True and 1): the identity map merges them.
    merged = column.map(lambda text: text)
    return RawColumn(merged.codes, merged.texts, merged.kind, n_lost)


def constant_column(value: object, n_rows: int) -> RawColumn:
    """Return a column with the same value in every row."""
    return RawColumn(
        np.zeros(n_rows, dtype=np.intp), (_text_of(value),), "text" if isinstance(value, str) else "number"
    )


def numbered_column(n_rows: int) -> RawColumn:
    """Return row numbers as zero-padded text of twelve digits, like the pseudonyms of a register server."""
    return RawColumn(np.arange(n_rows), tuple(f"{row:012d}" for row in range(1, n_rows + 1)))


def concat_text(series: list[pd.Series]) -> RawColumn:
    """Build a raw column from Series of text under each other."""
    codes, uniques = pd.factorize(pd.concat(series, ignore_index=True))
    return RawColumn(np.asarray(codes, dtype=np.intp), tuple(str(text) for text in uniques))


def _objects(uniques: Any) -> list[object]:
    """Distinct values as Python objects (numpy scalars unpacked)."""
    return pd.Series(uniques).astype(object).tolist() if len(uniques) else []


def _text_of(value: object) -> str:
    """Plain text of one stored value; `TypeError` for a type without meaning here."""
    if isinstance(value, str):
        return value
    if isinstance(value, (bool, np.bool_)):
        return "1" if value else "0"
    if isinstance(value, (float, np.floating)):
        return _number_text(float(value))
    if isinstance(value, (int, np.integer)):
        return str(int(value))
    if isinstance(value, Decimal):
        return str(int(value)) if value == value.to_integral_value() else str(value.normalize())
    if isinstance(value, (datetime, date)):
        return _date_text(value)
    raise TypeError


def _number_text(value: float) -> str:
    """Shortest text that gives the number back; whole numbers without a decimal point."""
    return (
        str(int(value)) if math.isfinite(value) and value == int(value) and abs(value) < 1e18 else repr(value)
    )


def _date_text(value: date) -> str:
    """ISO date; with the time of day only where there is one."""
    if not isinstance(value, datetime) or (value.hour, value.minute, value.second, value.microsecond) == (
        0,
        0,
        0,
        0,
    ):
        return f"{value.year:04d}-{value.month:02d}-{value.day:02d}"
    return value.isoformat()


def _kind(values: pd.Series, uniques: Any) -> str:
    """What the file stored."""
    if pd.api.types.is_bool_dtype(values.dtype):
        return "boolean"
    if pd.api.types.is_numeric_dtype(values.dtype):
        return "number"
    if pd.api.types.is_datetime64_any_dtype(values.dtype):
        return "date"
    kinds = {_object_kind(value) for value in _objects(uniques)}
    return kinds.pop() if len(kinds) == 1 else "text"


def _object_kind(value: object) -> str:
    """What one Python object is."""
    if isinstance(value, (bool, np.bool_)):
        return "boolean"
    if isinstance(value, (int, float, Decimal, np.number)):
        return "number"
    return "date" if isinstance(value, date) else "text"
