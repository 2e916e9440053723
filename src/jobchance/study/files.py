"""Opening one data file of any known type; what a library says about a bad file never reaches the user."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from jobchance.study.problems import Problem
from jobchance.study.raw import RawColumn, RawTable, raw_column
from jobchance.study.spec import TableSpec
from jobchance.study.text_file import read_text, repeated_names

TEXT_ENDINGS = (".csv", ".tsv", ".txt")
STATISTICS_ENDINGS = (".dta", ".sas7bdat", ".sav")
ENDINGS = (*TEXT_ENDINGS[:1], ".parquet", *STATISTICS_ENDINGS)
# Data files of other programs: named in the report, where silence would look like a missing table.
FOREIGN_ENDINGS = (
    *(".xlsx", ".xls", ".ods", ".xpt", ".por", ".rds", ".rdata", ".feather", ".json", ".csv.gz", ".zip"),
    *(".tsv", ".txt"),
)
READABLE = (*TEXT_ENDINGS, ".parquet", *STATISTICS_ENDINGS)


@dataclass(frozen=True)
class FileContent:
    """A file's raw columns; `decimal` is the mark to read its texts with (`None` = by column)."""

    table: RawTable
    decimal: str | None


def read_file(
    path: Path, spec: TableSpec, *, wanted: AbstractSet[str] | None = None
) -> tuple[FileContent | None, list[Problem]]:
    """Read one file as raw columns.

    Parameters
    ----------
    path : Path
        The file.
    spec : TableSpec
        Delimiter, decimal mark and character set of text files.
    wanted : set of str, optional
        Lower-case names of the columns to read from large binary files; `None` = all.

    Returns
    -------
    FileContent or None
        `None` if nothing can be read.
    list of Problem
        What is wrong with the file as a file.
    """
    ending, table = path.suffix.lower(), spec.table
    fill = {"file": path.name, "format": ending.lstrip("."), "allowed": ", ".join(READABLE)}
    if path.is_dir():
        return None, [Problem("file_is_folder", table, fill=fill)]
    if ending not in READABLE:
        return None, [Problem("file_format", table, fill=fill)]
    try:
        if path.stat().st_size == 0:
            return None, [Problem("file_empty", table, fill=fill)]
    except OSError:
        return None, [Problem("file_unreadable", table, fill=fill)]
    if ending in TEXT_ENDINGS:
        text, found = read_text(path, table=table, delimiter=spec.delimiter, encoding=spec.encoding)
        # Commas separate fields in a comma file, so a decimal comma there has to be declared.
        decimal = spec.decimal or ("." if text and text.delimiter == "," else None)
        return (FileContent(text.table, decimal) if text else None), found
    if ending in STATISTICS_ENDINGS and find_spec("pyreadstat") is None:
        return None, [Problem("extra_missing", table, fill=fill)]
    frame = (
        _read_parquet(path, wanted) if ending == ".parquet" else _read_statistics(path, spec.encoding, wanted)
    )
    if frame is None:
        return None, [Problem("file_unreadable", table, fill=fill)]
    return _from_frame(frame, table)


def raw_from_frame(frame: pd.DataFrame) -> RawTable:
    """Turn a typed frame into raw columns; columns of a type without meaning here are named as unusable."""
    columns: dict[str, RawColumn] = {}
    unusable = []
    for place, name in enumerate(frame.columns):
        raw = raw_column(frame.iloc[:, place])
        if raw is None:
            unusable.append(str(name))
        else:
            columns.setdefault(str(name), raw)
    return RawTable(columns, len(frame), tuple(unusable))


def _from_frame(frame: pd.DataFrame, table: str) -> tuple[FileContent, list[Problem]]:
    """Raw columns of a typed file, and names that occur twice."""
    found = repeated_names([str(name) for name in frame.columns], table)
    return FileContent(raw_from_frame(frame), None), found


def _read_parquet(path: Path, wanted: AbstractSet[str] | None) -> pd.DataFrame | None:
    """A Parquet file as a frame; whole numbers with gaps stay whole."""
    try:
        file = pq.ParquetFile(path)
        names = [name for name in file.schema_arrow.names if wanted is None or name.lower() in wanted]
        table = file.read(columns=names)
        frame: pd.DataFrame = table.to_pandas(
            integer_object_nulls=True, ignore_metadata=True, date_as_object=True
        )
    except (pa.ArrowException, OSError, ValueError, OverflowError):
        return None
    return frame


def _read_statistics(path: Path, encoding: str, wanted: AbstractSet[str] | None) -> pd.DataFrame | None:
    """A Stata, SAS or SPSS file as a frame: codes, not their labels."""
    import pyreadstat

    readers: dict[str, Any] = {
        ".dta": pyreadstat.read_dta,
        ".sas7bdat": pyreadstat.read_sas7bdat,
        ".sav": pyreadstat.read_sav,
    }
    read = readers[path.suffix.lower()]
    try:
        chosen = None
        if wanted is not None:
            _, meta = read(str(path), metadataonly=True, encoding=encoding or None)
            chosen = [name for name in meta.column_names if name.lower() in wanted]
        frame: pd.DataFrame = read(str(path), usecols=chosen, encoding=encoding or None)[0]
    except (pyreadstat.ReadstatError, pyreadstat.PyreadstatError, OSError, ValueError, OverflowError):
        # UnicodeDecodeError, for a file in another character set than it claims, is a ValueError.
        return None
    return frame
