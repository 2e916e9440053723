"""`study.toml`: which file is which table and how to read it, checked whole before any file is opened."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from jobchance.study.columns import ISO_DATE
from jobchance.study.model import Analysis
from jobchance.study.problems import STUDY_FILE, Problem, nearest
from jobchance.study.schema import TABLES, load_codelist, load_schemas
from jobchance.study.spec_checks import (
    expected_words,
    is_date_format,
    is_encoding,
    is_slip,
    not_allowed,
    texts_of,
    typed,
    unknown_keys,
    wrong_type,
)

_SECTIONS = ("study", "analysis", "tables", "instrument")
_STUDY_KEYS = {
    "name": str,
    "source": str,
    "language": str,
    "data_kind": str,
    "instrument": str,
    "data": str,
    "data_through": date,
    "dates_known": bool,
}
_ANALYSIS_KEYS = {
    "belief_item": str,
    "belief_respondent": str,
    "outcome": str,
    "horizon_weeks": int,
    "at_risk": str,
    "covariates": list,
}
_TABLE_KEYS: dict[str, type | tuple[type, ...]] = {
    "file": str,
    "delimiter": str,
    "decimal": str,
    "encoding": str,
    "date_format": (str, dict),
    "columns": dict,
    "values": dict,
    "constants": dict,
    "missing": (list, dict),
    "row_id": (str, list),
    "items": dict,
    "keep": list,
}


@dataclass(frozen=True)
class TableSpec:
    """How one table is read; everything that `study.toml` may say about it."""

    table: str
    file: str = ""
    delimiter: str = ""
    decimal: str = ""
    encoding: str = ""
    date_format: str | Mapping[str, str] = ISO_DATE
    columns: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    constants: Mapping[str, object] = field(default_factory=dict)
    missing: Mapping[str, str] = field(default_factory=dict)
    row_id: tuple[str, ...] = ()
    items: Mapping[str, str] = field(default_factory=dict)
    keep: tuple[str, ...] | None = None

    def date_format_of(self, column: str) -> str:
        """`strptime` form of one date column."""
        if isinstance(self.date_format, str):
            return self.date_format
        return self.date_format.get(column, ISO_DATE)


@dataclass(frozen=True)
class StudySpec:
    """The content of `study.toml`, with defaults filled in."""

    name: str
    source: str
    language: str
    data_kind: str
    instrument: str | Mapping[str, Any]
    data: str
    data_through: date | None
    dates_known: bool
    analysis: Analysis
    tables: Mapping[str, TableSpec]


def read_spec(folder: Path) -> tuple[StudySpec | None, list[Problem]]:
    """Read `study.toml` in a folder; `None` if there is nothing to go on with.

    Returns
    -------
    StudySpec or None
        With what could be understood; `None` if the file is absent or not TOML.
    list of Problem
        Everything that is wrong with it.
    """
    path = folder / STUDY_FILE
    if not folder.is_dir():
        return None, [Problem("folder_missing", STUDY_FILE)]
    if not path.is_file():
        return None, [Problem("study_file_missing", STUDY_FILE)]
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError):
        return None, [Problem("toml_invalid", STUDY_FILE, fill={"place": ""})]
    except RecursionError:
        return None, [Problem("toml_invalid", STUDY_FILE, fill={"place": ""})]
    except tomllib.TOMLDecodeError as error:
        # The parser's text may quote the line; only where it stopped is passed on.
        where = re.search(r"line \d+, column \d+", str(error))
        return None, [
            Problem("toml_invalid", STUDY_FILE, fill={"place": f" ({where.group()})" if where else ""})
        ]
    return _parse(content, folder)


def leaves_folder(path: str) -> bool:
    """True if a relative path could lead out of its folder, on any operating system."""
    windows = PureWindowsPath(path)
    return (
        "\x00" in path
        or windows.is_absolute()
        or bool(windows.drive)
        or PurePosixPath(path).is_absolute()
        or path.startswith(("\\", "~"))
        or ".." in windows.parts
    )


def _parse(content: Mapping[str, Any], folder: Path) -> tuple[StudySpec, list[Problem]]:
    """Check the sections one by one."""
    found = unknown_keys(content, _SECTIONS, "study.toml")
    sections = {}
    for name in _SECTIONS:
        section = content.get(name, {})
        if not isinstance(section, dict):
            found.append(wrong_type(name, "study.toml", dict))
            section = {}
        sections[name] = section
    study, problems = typed(sections["study"], _STUDY_KEYS, "[study]")
    found += problems
    found += [
        Problem("study_key_missing", STUDY_FILE, key) for key in ("name", "source") if not study.get(key)
    ]
    for key in ("data", "instrument"):
        if leaves_folder(study.get(key, "")):
            found.append(Problem("path_outside", STUDY_FILE, key))
            del study[key]
    if sections["instrument"] and "instrument" in study:
        found.append(Problem("instrument_twice", STUDY_FILE, "instrument"))
    analysis, problems = _parse_analysis(sections["analysis"])
    found += problems
    tables, problems = _parse_tables(sections["tables"])
    found += problems
    spec = StudySpec(
        name=study.get("name") or folder.resolve().name,
        source=study.get("source", ""),
        language=study.get("language", "da"),
        data_kind=study.get("data_kind", "real"),
        instrument=sections["instrument"] or study.get("instrument", "bip"),
        data=study.get("data", "."),
        data_through=study.get("data_through"),
        dates_known=study.get("dates_known", True),
        analysis=analysis,
        tables=tables,
    )
    return spec, found


def _parse_analysis(section: Mapping[str, Any]) -> tuple[Analysis, list[Problem]]:
    """`[analysis]`: what a note asks of the study by default."""
    keys, found = typed(section, _ANALYSIS_KEYS, "[analysis]")
    for key, codes in (("belief_respondent", "respondent"), ("outcome", "outcome")):
        allowed = [code.code for code in load_codelist(codes)]
        if key in keys and keys[key] not in allowed:
            found.append(not_allowed(key, keys.pop(key), allowed, "[analysis]"))
    if keys.get("horizon_weeks", 1) < 1:
        found.append(
            Problem(
                "key_type", STUDY_FILE, "horizon_weeks", fill=expected_words("[analysis]", "1, 2, 3, ...")
            )
        )
        del keys["horizon_weeks"]
    if "covariates" in keys:
        keys["covariates"] = tuple(keys["covariates"])
    return Analysis(**keys), found


def _parse_tables(section: Mapping[str, Any]) -> tuple[dict[str, TableSpec], list[Problem]]:
    """`[tables.<name>]`: one reading rule per table."""
    tables, found = {}, []
    for name, entry in section.items():
        if name not in TABLES:
            fill = {"near": nearest(name, TABLES), "allowed": ", ".join(TABLES)}
            found.append(Problem("unknown_table", STUDY_FILE, f"tables.{name}", fill=fill))
        elif not isinstance(entry, dict):
            found.append(wrong_type(f"tables.{name}", "study.toml", dict))
        else:
            tables[name], problems = _parse_table(name, entry)
            found += problems
    return tables, found


def _parse_table(table: str, entry: Mapping[str, Any]) -> tuple[TableSpec, list[Problem]]:
    """One table: types, closed lists, column names, paths, codecs and date forms."""
    section = f"[tables.{table}]"
    keys, found = typed(entry, _TABLE_KEYS, section)
    if leaves_folder(keys.get("file", "")):
        found.append(Problem("path_outside", table, "file"))
        del keys["file"]
    if "encoding" in keys and not is_encoding(keys["encoding"]):
        allowed = ["utf-8", "cp1252", "latin-1", "utf-16"]
        found.append(not_allowed("encoding", keys.pop("encoding"), allowed, section))
    if "date_format" in keys and not is_date_format(keys["date_format"]):
        found.append(
            Problem("key_type", STUDY_FILE, "date_format", fill=expected_words(section, '"%d-%m-%Y"'))
        )
        del keys["date_format"]
    found += _check_columns(table, keys, section)
    if "missing" in keys:
        keys["missing"], problems = _missing(table, keys["missing"], section)
        found += problems
    if "row_id" in keys:
        keys["row_id"] = (keys["row_id"],) if isinstance(keys["row_id"], str) else tuple(keys["row_id"])
    if "keep" in keys:
        keys["keep"] = tuple(keys["keep"])
    return TableSpec(table, **keys), found


def _check_columns(table: str, keys: dict[str, Any], section: str) -> list[Problem]:
    """Names on our side of a mapping must be columns of the table; mapped names are texts."""
    own, found = load_schemas()[table].names, []
    for key in ("columns", "values", "constants"):
        # Columns of the user's own are welcome; a name close to one of ours is a slip of the pen.
        slips = [name for name in keys.get(key, {}) if name not in own and is_slip(name, own)]
        found += unknown_keys(slips, own, f"{section} {key}")
        if slips:
            keys[key] = {name: value for name, value in keys[key].items() if name not in slips}
    simple = (str, int, float, bool, date)
    inner: dict[str, type | tuple[type, ...]] = {
        "columns": str,
        "values": dict,
        "items": str,
        "constants": simple,
    }
    for key, kind in inner.items():
        wrong = [name for name, value in keys.get(key, {}).items() if not isinstance(value, kind)]
        found += [wrong_type(name, f"{section} {key}", kind) for name in wrong]
        if wrong:
            keys[key] = {name: value for name, value in keys[key].items() if name not in wrong}
    for name, translations in keys.get("values", {}).items():
        if not all(isinstance(value, simple) for value in translations.values()):
            found.append(wrong_type(name, f"{section} values", simple))
            keys["values"] = {}
    if isinstance(keys.get("date_format"), dict):
        found += unknown_keys(keys["date_format"], own, f"{section} date_format")
    found += unknown_keys(dict.fromkeys(texts_of(keys.get("row_id", []))), own, f"{section} row_id")
    if keys.get("items") and table != "rating":
        found.append(not_allowed("items", "items", [key for key in _TABLE_KEYS if key != "items"], section))
        del keys["items"]
    return found


def _missing(table: str, given: object, section: str) -> tuple[dict[str, str], list[Problem]]:
    """Texts that mean missing; in `rating` each may carry the reason."""
    if isinstance(given, list):
        return dict.fromkeys(texts_of(given), ""), []
    assert isinstance(given, dict)  # the key's type was checked
    reasons = [code.code for code in load_codelist("missing_reason")]
    found = []
    for label in given.values():
        if not isinstance(label, str):
            found.append(wrong_type("missing", section, str))
        elif table == "rating" and label not in reasons:
            found.append(not_allowed("missing", label, reasons, section))
    return {text: label for text, label in given.items() if isinstance(label, str)}, found
