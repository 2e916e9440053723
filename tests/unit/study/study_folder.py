"""A good study folder in memory, to be broken in one place at a time; every id in it is marked secret."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pandas as pd

from jobchance.simulate.dummy import dummy_tables

SECRET = "HEMMELIG"
TOML = """
[study]
name = "Prøve"
source = "egne tal"
language = "en"
data_kind = "real"
data_through = 2016-12-31

[analysis]
belief_item = "caseworker_1"
"""
# All identifiers but those of items and tables, which are names and no secrets.
_IDS = (
    *("citizen_id", "caseworker_id", "jobcentre_id", "assignment_id", "measurement_id", "team_id"),
    *("activity_id", "decided_by"),
)


@dataclass
class Folder:
    """Tables as texts, exactly as a csv file would hold them, and the text of study.toml."""

    tables: dict[str, pd.DataFrame]
    toml: str = TOML
    files: dict[str, bytes] = field(default_factory=dict)
    endings: dict[str, str] = field(default_factory=dict)
    without_toml: bool = False

    def set(self, table: str, column: str, value: str, rows: slice | list[int] | int = 0) -> None:
        """Put a value into some rows."""
        frame = self.tables[table].copy()
        places = (
            [rows] if isinstance(rows, int) else range(len(frame))[rows] if isinstance(rows, slice) else rows
        )
        texts = frame[column].astype(object).tolist() if column in frame else [""] * len(frame)
        for place in places:
            texts[place] = value
        frame[column] = texts
        self.tables[table] = frame

    def rename(self, table: str, names: dict[str, str]) -> None:
        """Rename columns of a table."""
        self.tables[table] = self.tables[table].rename(columns=names)

    def csv(self, table: str, **options: object) -> str:
        """Text of a table's file."""
        return self.tables[table].to_csv(index=False, lineterminator="\n", **options)  # type: ignore[call-overload]

    def write(self, path: Path) -> Path:
        """Write everything; a table whose file is given as bytes is not written from its frame."""
        path.mkdir(parents=True)
        for name in self.tables:
            if not any(Path(file).stem == name for file in self.files):
                (path / f"{name}.csv").write_text(self.csv(name), encoding="utf-8")
        for file, content in self.files.items():
            (path / file).write_bytes(content)
        if not self.without_toml:
            (path / "study.toml").write_text(self.toml, encoding="utf-8")
        return path


@cache
def _good_tables() -> dict[str, pd.DataFrame]:
    tables = {}
    for name, frame in dummy_tables(n_citizens=45, seed=20130107).items():
        texts = frame.copy()
        for column in texts.columns:
            if pd.api.types.is_bool_dtype(texts[column].dtype):
                texts[column] = texts[column].astype("int8")
            elif pd.api.types.is_datetime64_any_dtype(texts[column].dtype):
                texts[column] = texts[column].dt.strftime("%Y-%m-%d")
            if column in _IDS:
                texts[column] = SECRET + "-" + texts[column].astype(object).fillna("")
                texts[column] = texts[column].where(texts[column] != f"{SECRET}-", "")
        tables[name] = texts.astype(object).where(texts.notna(), "").astype(str)
    return tables


def good_folder(*, minimum: bool = False) -> Folder:
    """A fresh copy; `minimum` keeps citizen, measurement, rating and item only."""
    tables = {name: frame.copy() for name, frame in _good_tables().items()}
    if minimum:
        tables = {name: tables[name] for name in ("citizen", "measurement", "rating", "item")}
    return Folder(tables)
