"""Columns of the data as a design needs them: are they there, what kind are they, what is missing."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from jobchance.errors import DesignError, FormulaError

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]
Mask = NDArray[np.bool_]

_NUMBERS = ("integer", "floating", "mixed-integer-float", "decimal", "empty")
_TEXTS = ("string", "boolean", "categorical")


def require_columns(names: Iterable[str], data: pd.DataFrame) -> None:
    """Raise one error that lists every column the formula names but the data do not have, or have twice.

    Raises
    ------
    FormulaError
        Columns are absent; the nearest name stands beside each.
    DesignError
        `data` is not a DataFrame, or a named column occurs more than once.
    """
    if not isinstance(data, pd.DataFrame):
        raise DesignError(f"The data must be a pandas DataFrame, not a {type(data).__name__}.")
    present = [column for column in data.columns if isinstance(column, str)]
    wanted = list(dict.fromkeys(names))
    absent = [name for name in wanted if name not in present]
    if absent:
        lines = "\n".join(f"  {name}{_nearest(name, present)}" for name in absent)
        verb = "is" if len(absent) == 1 else "are"
        raise FormulaError(f"{counted(len(absent), 'column')} {verb} not in the data:\n{lines}")
    twice = [name for name in wanted if present.count(name) > 1]
    if twice:
        raise DesignError(f"The data have more than one column of the name: {', '.join(twice)}.")


def is_categorical(data: pd.DataFrame, name: str) -> bool:
    """Whether a column is text, true/false or categorical (and not a number).

    Raises
    ------
    DesignError
        The column holds dates, lists or a mixture of kinds.
    """
    kind = column_kind(data[name])
    if kind in _TEXTS:
        return True
    if kind in _NUMBERS:
        return False
    raise DesignError(f"Column {name} holds {kind} values; a model needs numbers, text or true/false.")


def column_kind(series: pd.Series) -> str:
    """What a column holds, in the words of `pandas.api.types.infer_dtype`."""
    if isinstance(series.dtype, pd.CategoricalDtype):
        return "categorical"
    return str(pd.api.types.infer_dtype(series, skipna=True))


def numeric_values(data: pd.DataFrame, name: str) -> Floats:
    """A numeric or true/false column as floats, NaN where missing.

    Raises
    ------
    DesignError
        The column is text or categorical, or holds whole numbers beyond floating point.
    """
    series = data[name]
    if isinstance(series.dtype, np.dtype) and series.dtype.kind in "fiub":
        return series.to_numpy(dtype=np.float64)
    if is_categorical(data, name) and column_kind(series) != "boolean":
        raise DesignError(f"Column {name} is categorical, but stands where a number is needed.")
    missing = series.isna().to_numpy()
    values = np.full(len(series), np.nan)
    try:
        values[~missing] = series[~missing].to_numpy(dtype=float)
    except OverflowError as error:
        raise DesignError(f"Column {name} holds whole numbers too large to compute with.") from error
    return values


def value_codes(data: pd.DataFrame, name: str) -> tuple[Codes, pd.Index]:
    """Number of each row's value (-1 = missing) and the values that occur, in their order.

    Categorical columns keep the order of their categories; numbers are in numerical, texts in alphabetical
    order, and false comes before true.

    Raises
    ------
    DesignError
        The values cannot be compared with each other.
    """
    series = data[name]
    if isinstance(series.dtype, pd.CategoricalDtype):
        codes, categories = series.cat.codes.to_numpy(dtype=np.int64), series.cat.categories
        counts = np.bincount(codes + 1, minlength=len(categories) + 1)[1:]
        present = np.flatnonzero(counts)
        renumber = np.full(len(categories) + 1, -1, dtype=np.int64)
        renumber[present] = np.arange(len(present))
        return renumber[codes], categories[present]
    try:
        raw, values = pd.factorize(series, sort=True)
    except TypeError as error:
        raise DesignError(f"Column {name} holds values that have no order.") from error
    return raw.astype(np.int64, copy=False), pd.Index(values)


def level_codes(data: pd.DataFrame, name: str) -> tuple[Codes, tuple[str, ...]]:
    """Level number by row (-1 = missing) and the text of the levels that occur; see `value_codes`."""
    codes, values = value_codes(data, name)
    return codes, tuple(level_text(value) for value in values)


def level_text(value: object) -> str:
    """Text of a level; whole numbers have no decimals, so that 1 and 1.0 are the same level."""
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return str(value)


def missing_masks(names: Iterable[str], data: pd.DataFrame) -> dict[str, Mask]:
    """Which rows are missing, by column."""
    return {name: data[name].isna().to_numpy(dtype=bool) for name in dict.fromkeys(names)}


def infinite_masks(names: Iterable[str], data: pd.DataFrame) -> dict[str, Mask]:
    """Which rows are infinite, by numeric column that has any."""
    masks = {}
    for name in dict.fromkeys(names):
        series = data[name]
        loose = series.dtype == object and column_kind(series) in ("floating", "mixed-integer-float")
        if loose or pd.api.types.is_float_dtype(series.dtype):
            masks[name] = np.isinf(numeric_values(data, name))
    return {name: mask for name, mask in masks.items() if mask.any()}


def infinite_counts(names: Iterable[str], data: pd.DataFrame) -> dict[str, int]:
    """Number of infinite values in each numeric column that has any."""
    return {name: int(mask.sum()) for name, mask in infinite_masks(names, data).items()}


def as_floats(values: object, name: str) -> Floats:
    """Array of floats from anything that holds numbers.

    Raises
    ------
    DesignError
        Something else is among them; the message of the failed conversion, which quotes it, is not passed on.
    """
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise DesignError(f"{name} must hold numbers only.") from None


def counted(n: int, noun: str) -> str:
    """A count with its noun, `1 row` or `2 rows`."""
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def _nearest(name: str, present: list[str]) -> str:
    """What to add to an absent name: the nearest column, also across upper and lower case."""
    lower = {column.lower(): column for column in present}
    near = get_close_matches(name.lower()[:100], list(lower), n=1)
    return f" (did you mean {lower[near[0]]}?)" if near else ""
