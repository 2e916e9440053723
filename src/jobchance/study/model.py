"""`Study`: valid tables, the instrument they were collected with, and what a note should ask of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from types import MappingProxyType

import pandas as pd

from jobchance.study.fingerprint import fingerprint_tables
from jobchance.study.instrument import Instrument


@dataclass(frozen=True)
class Analysis:
    """What the study's own `study.toml` asks of a panel and a note by default (`[analysis]`)."""

    belief_item: str = "belief_job"
    belief_respondent: str = "caseworker"
    outcome: str = "job"
    horizon_weeks: int = 52
    at_risk: str = "not_in_job"
    covariates: tuple[str, ...] = ()


@dataclass(frozen=True)
class Study:
    """Tables of one study, proved valid once.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        By table name; ids are strings, dates `datetime64`, values coded as in the schemas.
    instrument : Instrument
        The questions and scales behind `rating`.
    name : str
        The study's title, for readers.
    source : str
        What stands after "Kilde:" / "Source:".
    data_kind : str
        `"real"` or `"simulated"`; printed on every output.
    language : str
        Language of the study's own texts.
    data_through : date
        Last day that the tables cover.
    dates_known : bool
        False if the dates only put events in order (a published file without dates); no output then shows
        a calendar date.
    analysis : Analysis
        Defaults for panels and notes.
    truth : mapping or None
        Simulated studies only: parameters and true effects; never written into the tables.
    """

    tables: Mapping[str, pd.DataFrame]
    instrument: Instrument
    name: str
    source: str
    data_kind: str
    language: str
    data_through: date
    dates_known: bool = True
    analysis: Analysis = field(default_factory=Analysis)
    truth: Mapping[str, object] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "tables", MappingProxyType(dict(self.tables)))

    def __repr__(self) -> str:
        sizes = ", ".join(f"{name} {len(table)}" for name, table in sorted(self.tables.items()))
        return f"Study({self.name!r}, {self.data_kind}: {sizes})"

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over the tables in canonical order; equal for equal content, whatever the file format."""
        return fingerprint_tables(self.tables)
