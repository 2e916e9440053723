"""What the rules share: the tables, how far they reach, spells that overlap."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import pandas as pd

Tables = Mapping[str, pd.DataFrame]


@dataclass(frozen=True)
class Coverage:
    """Last day of the study, and of single tables where `extract` says so."""

    through: date
    by_table: Mapping[str, date]

    def last_day(self, table: str) -> pd.Timestamp:
        """Last day that a table covers."""
        return pd.Timestamp(self.by_table.get(table, self.through))


def has(tables: Tables, table: str, columns: tuple[str, ...]) -> bool:
    """True if a table has rows and these columns."""
    return table in tables and len(tables[table]) > 0 and set(columns) <= set(tables[table].columns)


def overlaps(spells: pd.DataFrame, by: list[str], start: str, end: str) -> int:
    """Spells that begin before an earlier one of the same group has ended; a null end is open."""
    ordered = spells.sort_values([*by, start], kind="stable")
    ends = ordered[end].fillna(pd.Timestamp("2200-12-31"))
    groups = [ordered[name] for name in by]
    latest = ends.groupby(groups, sort=False).cummax()
    earlier = latest.groupby(groups, sort=False).shift()
    return int((ordered[start] < earlier).sum())


def follow_up_windows(tables: Tables) -> pd.DataFrame:
    """Follow-up, one row per citizen."""
    names = ["citizen_id", "observed_from", "observed_to"]
    return tables["follow_up"][names].drop_duplicates("citizen_id")
