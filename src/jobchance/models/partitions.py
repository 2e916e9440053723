"""Data in partitions: Parquet files, or row groups of one, each with whole levels of a column (citizens)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from jobchance.design.columns import counted, require_columns
from jobchance.errors import DesignError, SpecError


@dataclass(frozen=True)
class Part:
    """One partition: a file, or one of its row groups.

    Parameters
    ----------
    path : str
        File.
    group : int or None
        Row group; `None` is the whole file.
    number : int
        From 1, in the order of the partitions.
    """

    path: str
    group: int | None
    number: int


class RowPartitions:
    """Rows in Parquet files that need not fit in memory together, for `fit_mixed`.

    A partition is a file, or a row group where there is but one file. All rows of one level of `by` must be
    in one partition; the fit checks this. Columns that only stand in names of folders are not read.

    Parameters
    ----------
    source : str, Path or sequence of these
        A folder (all `.parquet` files in it and below), a pattern such as `"rows/*.parquet"`, a file, or
        files. Workers elsewhere must see them under the same names.
    by : str
        Column whose levels are not spread over partitions: that of the largest grouping, usually citizens.
    effects : bool
        Whether conditional modes of groupings of `by` are brought back (one per citizen). `False` saves
        memory; `random_effects` and `predict(random=True)` then do without them.

    Raises
    ------
    SpecError
        No Parquet file is found, a file cannot be read, or an argument is of another kind.

    Examples
    --------
    >>> rows = RowPartitions("rows/*.parquet", by="citizen_id")  # doctest: +SKIP
    >>> fit_mixed("job ~ age + (1 | citizen_id)", rows, family="binomial")  # doctest: +SKIP
    """

    def __init__(self, source: str | Path | Sequence[str | Path], *, by: str, effects: bool = True) -> None:
        if not isinstance(by, str):
            raise SpecError(f"by= is the name of a column, not a {type(by).__name__}.")
        self.by, self.effects = by, bool(effects)
        self.parts = _find_parts(source)

    def __len__(self) -> int:
        return len(self.parts)

    def __repr__(self) -> str:
        return f"RowPartitions({counted(len(self), 'partition')}, by={self.by!r})"


def write_partitions(frame: pd.DataFrame, folder: str | Path, *, by: str, n: int) -> RowPartitions:
    """Write rows to `n` Parquet files with whole levels of `by` and about equally many rows each.

    Parameters
    ----------
    frame : DataFrame
        The rows; those without a level go to the first file.
    folder : str or Path
        New or empty folder.
    by : str
        Column whose levels stay together.
    n : int
        Number of files.

    Returns
    -------
    RowPartitions

    Raises
    ------
    SpecError
        `n` is not a number from 1 to that of the levels, or the folder is not empty.
    FormulaError
        The column is absent.

    Examples
    --------
    >>> import tempfile
    >>> frame = pd.DataFrame({"citizen_id": [1, 1, 2, 3], "hours": [4.0, 5.0, 3.0, 6.0]})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_partitions(frame, folder, by="citizen_id", n=2)
    RowPartitions(2 partitions, by='citizen_id')
    """
    require_columns([by], frame)
    codes, levels = pd.factorize(frame[by])
    if isinstance(n, bool) or not isinstance(n, int) or not 1 <= n <= max(len(levels), 1):
        raise SpecError(f"n={n!r} must be a whole number from 1 to the {len(levels)} levels of {by}.")
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    if any(target.iterdir()):
        raise SpecError("The folder for the partitions is not empty: give a new one.")
    before = np.cumsum(np.bincount(codes[codes >= 0], minlength=len(levels)))
    share = (
        np.minimum((before * n - 1) // max(int(before[-1]), 1), n - 1) if len(levels) else np.zeros(0, int)
    )
    mine = np.where(codes >= 0, share[codes] if len(levels) else 0, 0)
    width = len(str(n))
    for k in range(n):
        name = f"part-{k + 1:0{width}}.parquet"
        frame[mine == k].reset_index(drop=True).to_parquet(target / name, index=False)
    return RowPartitions(target, by=by)


def read_part(part: Part, columns: Sequence[str]) -> pd.DataFrame:
    """Columns of one partition.

    Raises
    ------
    FormulaError
        Columns are absent.
    DesignError
        The file cannot be read here.
    """
    try:
        with pq.ParquetFile(part.path) as file:
            require_columns(columns, pd.DataFrame(columns=file.schema_arrow.names))
            wanted = list(columns)
            table = file.read(wanted) if part.group is None else file.read_row_group(part.group, wanted)
    except OSError as error:
        raise DesignError(f"Partition {part.number} cannot be read here ({type(error).__name__}).") from None
    frame: pd.DataFrame = table.to_pandas()
    return frame.reset_index(drop=True)[wanted]


def _find_parts(source: str | Path | Sequence[str | Path]) -> tuple[Part, ...]:
    """Partitions in the order of their names."""
    files = _files(source) if isinstance(source, str | Path) else [Path(file) for file in source]
    if not files:
        raise SpecError("No Parquet file is found under the name given for the partitions.")
    if len(files) > 1:
        return tuple(Part(str(file), None, k + 1) for k, file in enumerate(files))
    try:
        with pq.ParquetFile(files[0]) as opened:
            groups = opened.num_row_groups
    except (OSError, ValueError) as error:
        raise SpecError(f"The Parquet file cannot be read ({type(error).__name__}).") from None
    if groups < 2:
        return (Part(str(files[0]), None, 1),)
    return tuple(Part(str(files[0]), k, k + 1) for k in range(groups))


def _files(name: str | Path) -> list[Path]:
    """Files that one name means."""
    path = Path(name)
    if path.is_dir():
        return sorted(path.rglob("*.parquet"))
    if path.exists():
        return [path]
    anchor = Path(path.anchor or ".")
    return sorted(anchor.glob(str(path.relative_to(path.anchor) if path.anchor else path)))
