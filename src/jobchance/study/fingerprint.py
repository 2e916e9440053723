"""One SHA-256 for the content of a study's tables, whatever their file format, row order or column order."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import numpy as np
import pandas as pd

from jobchance.study.raw import raw_column
from jobchance.study.schema import load_schemas


def fingerprint_tables(tables: Mapping[str, pd.DataFrame]) -> str:
    """Hash tables in canonical form.

    Tables and columns are taken by name, rows in the order of the primary key, then of all other columns. A
    value enters as its shortest text (12 and 12.0 alike, dates as ISO), so csv and Parquet of one study
    give one hash. Columns without any value do not count, since an absent optional column means the same.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        By table name.

    Returns
    -------
    str
        64 hexadecimal digits.

    Examples
    --------
    >>> import pandas as pd
    >>> one = fingerprint_tables({"citizen": pd.DataFrame({"citizen_id": ["1", "2"]})})
    >>> one == fingerprint_tables({"citizen": pd.DataFrame({"citizen_id": ["2", "1"]})})
    True
    """
    digest = hashlib.sha256()
    for name in sorted(tables):
        digest.update(f"table {name} {len(tables[name])}\n".encode())
        columns = _canonical_columns(tables[name])
        order = _row_order(columns, name)
        for column, (texts, codes) in columns.items():
            digest.update(f"column {column} {len(texts)}\n".encode())
            digest.update("\x1f".join(texts).encode("utf-8", errors="surrogatepass"))
            digest.update(codes[order].astype("<i4").tobytes())
    return digest.hexdigest()


def _canonical_columns(table: pd.DataFrame) -> dict[str, tuple[list[str], np.ndarray]]:
    """By column name: the sorted distinct texts, and each row's place among them (-1 = null)."""
    columns = {}
    for name in sorted(str(column) for column in table.columns):
        raw = raw_column(table[name])
        if raw is None:
            raise TypeError(f"column {name!r} holds values of a type without a text form")
        raw = raw.map(lambda text: text or None)
        if (raw.codes < 0).all():
            continue
        texts = sorted(raw.texts)
        places = {text: place for place, text in enumerate(texts)}
        rank = np.array([*(places[text] for text in raw.texts), -1], dtype=np.int64)
        columns[name] = (texts, rank[raw.codes])
    return columns


def _row_order(columns: Mapping[str, tuple[list[str], np.ndarray]], table: str) -> np.ndarray:
    """Row order: primary key first, then every other column, so that equal content gives equal order."""
    schema = load_schemas().get(table)
    key = [name for name in (schema.primary_key if schema else ()) if name in columns]
    names = [*key, *(name for name in columns if name not in key)]
    if not names:
        return np.zeros(0, dtype=np.intp)
    return np.lexsort([columns[name][1] for name in reversed(names)])
