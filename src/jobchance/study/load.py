"""From a folder to a study and all that is wrong with it; nothing is raised, so that nothing is missed."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pandas as pd

from jobchance.errors import SchemaError, SpecError
from jobchance.study.columns import CONVERSION_RULES
from jobchance.study.conform import conform_table, conform_tables
from jobchance.study.files import ENDINGS, FOREIGN_ENDINGS, read_file
from jobchance.study.instrument import Instrument, read_instrument
from jobchance.study.mapping import map_columns
from jobchance.study.model import Analysis, Study
from jobchance.study.problems import STUDY_FILE, Problem, ValidationReport, make_report, nearest
from jobchance.study.rule_context import Coverage
from jobchance.study.rules import check_rules
from jobchance.study.schema import MINIMUM_TABLES, TABLES, load_schemas
from jobchance.study.spec import StudySpec, TableSpec, read_spec


@dataclass(frozen=True)
class Loaded:
    """A study (`None` if there are errors), the report on it, and the language of its file."""

    study: Study | None
    report: ValidationReport
    language: str


def load_folder(path: Path, data: Path | None) -> Loaded:
    """Read and check a study folder.

    Parameters
    ----------
    path : Path
        The folder with `study.toml`, or that file itself.
    data : Path or None
        Folder of the data files in place of the one that `study.toml` names.
    """
    folder = path.parent if path.name == STUDY_FILE and path.is_file() else path
    spec, found = read_spec(folder)
    if spec is None:
        return Loaded(None, make_report(found), "da")
    data_folder = data if data is not None else folder / spec.data
    try:
        files = sorted(data_folder.iterdir())
    except OSError:
        found.append(Problem("folder_missing", STUDY_FILE, "data"))
        return Loaded(None, make_report(found), spec.language)
    instrument, problems = _instrument(spec, folder)
    found += problems
    tables, present, problems = _read_tables(spec, data_folder, files)
    found += problems
    found += [
        Problem("table_missing", name, fill={"expected": f"{name}.csv"})
        for name in MINIMUM_TABLES
        if name not in present
    ]
    through, problems = _data_through(spec.data_through, tables)
    found += problems
    found += check_tables(
        tables,
        instrument=instrument,
        analysis=spec.analysis,
        through=through,
        unread=_unread_columns(found),
    )
    report = make_report(found)
    if not report.ok or instrument is None or through is None:
        return Loaded(None, report, spec.language)
    study = Study(
        tables=with_items(tables, instrument),
        instrument=instrument,
        name=spec.name,
        source=spec.source,
        data_kind=spec.data_kind,
        language=spec.language,
        data_through=through,
        dates_known=spec.dates_known,
        analysis=spec.analysis,
    )
    return Loaded(study, report, spec.language)


def check_study(study: Study) -> ValidationReport:
    """Check the tables of a study made in memory by the same rules as a folder."""
    tables, found = conform_tables(study.tables)
    found += [
        Problem("table_missing", name, fill={"expected": f"{name}.csv"})
        for name in MINIMUM_TABLES
        if name not in study.tables
    ]
    found += check_tables(
        tables,
        instrument=study.instrument,
        analysis=study.analysis,
        through=study.data_through,
        unread=_unread_columns(found),
    )
    return make_report(found)


def check_tables(
    tables: Mapping[str, pd.DataFrame],
    *,
    instrument: Instrument | None,
    analysis: Analysis,
    through: date | None,
    unread: AbstractSet[tuple[str, str]] = frozenset(),
) -> list[Problem]:
    """Check conformed tables against each other and against what `[analysis]` asks for.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        Conformed tables.
    instrument : Instrument or None
        Gives the items where there is no item table; `None` leaves the rules on items out.
    analysis : Analysis
        Belief item and covariates must exist.
    through : date or None
        Last day of the data; `None` (not known, reported elsewhere) leaves the upper date limit open.
    unread : set of (table, column)
        Columns with cells that did not convert.
    """
    if instrument is not None:
        tables = with_items(tables, instrument)
    coverage = Coverage(through or date(2200, 12, 30), _extract_days(tables))
    return check_rules(tables, coverage, unread=unread) + _check_analysis(tables, analysis)


def with_items(tables: Mapping[str, pd.DataFrame], instrument: Instrument) -> dict[str, pd.DataFrame]:
    """Tables in the usual order, with `item` from the instrument where the study has none of its own."""
    complete = dict(tables)
    if "item" not in complete:
        complete |= conform_tables({"item": instrument.item_table()})[0]
    return {name: complete[name] for name in TABLES if name in complete}


def _instrument(spec: StudySpec, folder: Path) -> tuple[Instrument | None, list[Problem]]:
    """The instrument by name, by a file in the study folder, or from `study.toml` itself."""
    source = spec.instrument
    if isinstance(source, str) and source.endswith(".toml"):
        source = str(folder / source)
    try:
        return read_instrument(source), []
    except (SchemaError, SpecError) as error:
        why = " ".join(str(error).split())
        return None, [Problem("instrument_invalid", STUDY_FILE, "instrument", fill={"why": why})]


def _read_tables(
    spec: StudySpec, folder: Path, files: list[Path]
) -> tuple[dict[str, pd.DataFrame], set[str], list[Problem]]:
    """Every table that has a file: the frames, the names of tables with a file, and what is wrong."""
    tables, present, found = {}, set(), []
    for name in TABLES:
        table = spec.tables.get(name, TableSpec(name))
        path, problems = _locate(table, folder, files, stated=name in spec.tables)
        found += problems
        if path is None:
            present |= {name} if problems else set()
            continue
        present.add(name)
        frame, problems = _read_table(path, table)
        found += problems
        # Rows that could not be split are gone; to compare with the rest would blame the other tables.
        if frame is not None and not any(problem.rule == "ragged_rows" for problem in problems):
            tables[name] = frame
    return tables, present, found


def _locate(
    table: TableSpec, folder: Path, files: list[Path], *, stated: bool
) -> tuple[Path | None, list[Problem]]:
    """The file of a table: the one that is named, else `<table>.<ending>` in the data folder."""
    name = table.table
    if table.file:
        return _named_file(table, folder)
    candidates = [path for path in files if path.name.lower() in {f"{name}{ending}" for ending in ENDINGS}]
    if len(candidates) > 1:
        return None, [Problem("file_ambiguous", name, n=len(candidates))]
    other = [path for path in files if path.name.lower() in {f"{name}{ending}" for ending in FOREIGN_ENDINGS}]
    if candidates or other:
        return (candidates or other)[0], []
    if stated and name not in MINIMUM_TABLES:
        return None, [Problem("file_missing", name, fill={"file": f"{name}.csv"})]
    return None, []


def _named_file(table: TableSpec, folder: Path) -> tuple[Path | None, list[Problem]]:
    """The file that `study.toml` names, if it is there and inside the folder, links followed."""
    path = folder / table.file.replace("\\", "/")
    try:
        inside = path.resolve().is_relative_to(folder.resolve())
        there = path.exists()
    except (OSError, RuntimeError):
        # A name too long for the system, or links that lead in a circle.
        inside, there = True, False
    if not inside:
        return None, [Problem("path_outside", table.table, "file")]
    if not there:
        return None, [Problem("file_missing", table.table, fill={"file": table.file})]
    return path, []


def _read_table(path: Path, table: TableSpec) -> tuple[pd.DataFrame | None, list[Problem]]:
    """One file to one conformed table; `None` if it cannot be read as a file."""
    content, found = read_file(path, table, wanted=_wanted(table))
    if content is None:
        return None, found
    mapped, problems = map_columns(content.table, table, file=path.name)
    found += problems
    frame, problems = conform_table(mapped, table, decimal=content.decimal)
    return frame, found + problems


def _wanted(table: TableSpec) -> set[str] | None:
    """Columns to read from a large file: all, unless `keep` names the extra ones."""
    if table.keep is None:
        return None
    names = {*load_schemas()[table.table].names, *table.columns.values(), *table.items.values(), *table.keep}
    return {name.lower() for name in names}


def _unread_columns(found: list[Problem]) -> set[tuple[str, str]]:
    """Columns with cells that did not convert to their type."""
    return {(problem.table, problem.column) for problem in found if problem.rule in CONVERSION_RULES}


def _data_through(
    stated: date | None, tables: Mapping[str, pd.DataFrame]
) -> tuple[date | None, list[Problem]]:
    """Last day of the data: as stated, else the earliest of `extract`, else the end of follow-up."""
    if stated is not None:
        return stated, []
    days = _extract_days(tables)
    if days:
        return min(days.values()), []
    follow_up = tables.get("follow_up", pd.DataFrame())
    if "observed_to" in follow_up and follow_up["observed_to"].notna().any():
        last = (follow_up["observed_to"].max() - pd.Timedelta(days=1)).date()
        return last, [Problem("data_through_derived", STUDY_FILE, "data_through")]
    return None, [Problem("data_through_unknown", STUDY_FILE, "data_through")]


def _extract_days(tables: Mapping[str, pd.DataFrame]) -> dict[str, date]:
    """Last day of single tables, where the extract table says so."""
    extract = tables.get("extract", pd.DataFrame())
    if not {"table_name", "data_through"} <= set(extract.columns):
        return {}
    rows = extract[["table_name", "data_through"]].dropna()
    return {name: day.date() for name, day in zip(rows["table_name"], rows["data_through"], strict=True)}


def _check_analysis(tables: Mapping[str, pd.DataFrame], analysis: Analysis) -> list[Problem]:
    """The belief item and the covariates that `[analysis]` names exist."""
    found = []
    items = tables.get("item")
    if items is not None and "item_id" in items and analysis.belief_item not in set(items["item_id"]):
        near = nearest(analysis.belief_item, items["item_id"].dropna())
        stated = analysis.belief_item != Analysis().belief_item
        rule = "analysis_item" if stated else "analysis_item_absent"
        found.append(Problem(rule, STUDY_FILE, "belief_item", fill={"near": near}))
    citizen = tables.get("citizen")
    absent = [] if citizen is None else [c for c in analysis.covariates if c not in citizen]
    if absent:
        near = nearest(absent[0], load_schemas()["citizen"].names)
        found.append(
            Problem("analysis_covariate", STUDY_FILE, "covariates", len(absent), fill={"near": near})
        )
    return found
