"""Delimited text: character set, delimiter, header and field counts; the meaning comes later."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv

from jobchance.study.problems import Problem, safe_name
from jobchance.study.raw import RawColumn, RawTable
from jobchance.study.suspicious import NUMBER

DELIMITERS = (",", ";", "\t", "|")
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class TextTable:
    """A text file's columns and the delimiter that was found."""

    table: RawTable
    delimiter: str


def read_text(
    path: Path, *, table: str, delimiter: str = "", encoding: str = ""
) -> tuple[TextTable | None, list[Problem]]:
    """Read a delimited text file as texts only.

    Parameters
    ----------
    path : Path
        An existing file.
    table : str
        Name of the table, for the problems.
    delimiter : str
        One character; empty = comma, semicolon or tab, whichever splits the first line most.
    encoding : str
        Character set; empty = UTF-8, with or without a byte-order mark.

    Returns
    -------
    TextTable or None
        `None` if the file has no usable columns.
    list of Problem
        Wrong character set, rows of the wrong length, repeated or absent names, ...
    """
    fill = {"file": path.name}
    try:
        content = path.read_bytes()
    except OSError:
        return None, [Problem("file_unreadable", table, fill=fill | {"format": "text"})]
    text, problem = _decode(content, encoding, path.name, table)
    if problem:
        return None, [problem]
    text = text.lstrip("\r\n")
    if not text.strip():
        return None, [Problem("file_empty", table, fill=fill)]
    if "\x00" in text:
        return None, [Problem("control_characters", table, n=text.count("\x00"))]
    text, stated = _without_separator_line(text)
    first = re.split(r"\r\n|\r|\n", text, maxsplit=1)[0]
    likely = max(DELIMITERS, key=first.count)
    mark = delimiter or stated or likely
    header = next(csv.reader([first], delimiter=mark), [])
    if len(header) == 1 and first.count(likely):
        marks = {"expected": _in_words(mark), "seen": _in_words(likely)}
        return None, [Problem("delimiter", table, fill=fill | marks)]
    columns, n_ragged = _parse(text, mark, len(header))
    if columns is None:
        return None, [Problem("file_unreadable", table, fill=fill | {"format": f"csv ({_in_words(mark)})"})]
    found = []
    if n_ragged:
        found.append(Problem("ragged_rows", table, n=n_ragged, fill=fill | {"expected": str(len(header))}))
    named, problems = _named(header, columns, table, path.name)
    found += problems
    if named is None:
        return None, found
    kept, n_blank = _without_blank_rows(named)
    if n_blank:
        found.append(Problem("blank_rows", table, n=n_blank, fill=fill))
    return TextTable(kept, mark), found


def _decode(content: bytes, encoding: str, file: str, table: str) -> tuple[str, Problem | None]:
    """Bytes to text, strictly; a declared character set that cannot be right is said so."""
    name = encoding or "utf-8"
    single_byte = name.lower().replace("_", "-") not in ("utf-8", "utf8", "utf-8-sig", "utf-16", "ascii")
    seen = _seen(content, single_byte)
    problem = Problem("encoding", table, fill={"file": file, "expected": name, "seen": seen})
    if seen and not (seen.endswith("UTF-16)") and "16" in name):
        return "", problem
    try:
        return content.decode("utf-8-sig" if name.lower() in ("utf-8", "utf8") else name), None
    except (UnicodeDecodeError, UnicodeError):
        return "", problem


def _seen(content: bytes, single_byte: bool) -> str:
    """What the bytes show that the file is, where that contradicts the declaration."""
    if content.startswith(_UTF16):
        return " (UTF-16)"
    if not single_byte or content.isascii():
        return ""
    if content.startswith(_BOM):
        return " (UTF-8)"
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return ""
    # Danish letters in a one-byte set are almost never valid UTF-8 by chance.
    return " (UTF-8)"


def _without_separator_line(text: str) -> tuple[str, str]:
    """Take off the line `sep=;` that spreadsheets put first, and return what it states."""
    match = re.match(r"sep=([,;\t|])\r?\n", text)
    return (text[match.end() :], match.group(1)) if match else (text, "")


def _parse(text: str, mark: str, width: int) -> tuple[pa.Table | None, int]:
    """All rows as texts, header included, and the number of rows of another width."""
    ragged = 0

    def skip(row: pa_csv.InvalidRow) -> str:
        nonlocal ragged
        ragged += 1
        return "skip"

    names = [f"f{place}" for place in range(width)]
    content = text.encode("utf-8", errors="surrogatepass")
    try:
        table = pa_csv.read_csv(
            io.BytesIO(content),
            # One block, so that a row may be of any length.
            read_options=pa_csv.ReadOptions(
                column_names=names, use_threads=False, block_size=min(len(content) + 1, 2**30)
            ),
            parse_options=pa_csv.ParseOptions(
                delimiter=mark, newlines_in_values=True, invalid_row_handler=skip
            ),
            convert_options=pa_csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False
            ),
        )
    except pa.ArrowException:
        return None, 0
    return table, ragged


def _named(
    header: list[str], columns: pa.Table, table: str, file: str
) -> tuple[RawTable | None, list[Problem]]:
    """Columns by name; the first line must be names, each once."""
    found: list[Problem] = []
    names = [name.strip() for name in header]
    if sum(bool(NUMBER.fullmatch(name)) for name in names) * 2 > len(names):
        return None, [Problem("header_is_data", table, fill={"file": file})]
    raws = [_raw(columns.column(place)) for place in range(len(names))]
    filled = [any(text.strip() for text in raw.texts) for raw in raws]
    n_unnamed = sum(not name and has for name, has in zip(names, filled, strict=True))
    if n_unnamed:
        found.append(Problem("column_unnamed", table, n=n_unnamed, fill={"file": file}))
    found += repeated_names([name for name in names if name], table)
    table_columns: dict[str, RawColumn] = {}
    for name, raw in zip(names, raws, strict=True):
        if name:
            table_columns.setdefault(name, raw)
    return RawTable(table_columns, columns.num_rows - 1), found


def repeated_names(names: list[str], table: str) -> list[Problem]:
    """One problem per name that occurs more than once, case ignored."""
    folded = [name.casefold() for name in names]
    return [
        Problem("duplicate_columns", table, safe_name(name), folded.count(name))
        for name in dict.fromkeys(folded)
        if folded.count(name) > 1
    ]


def _raw(column: pa.ChunkedArray) -> RawColumn:
    """One column below the header, as distinct texts."""
    encoded = column.slice(1).combine_chunks().dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.unify_dictionaries().combine_chunks()
    codes = encoded.indices.to_numpy(zero_copy_only=False).astype(np.intp)
    return RawColumn(codes, tuple(encoded.dictionary.to_pylist()))


def _without_blank_rows(table: RawTable) -> tuple[RawTable, int]:
    """Rows with at least one text, and the number of rows without."""
    blank = np.ones(table.n_rows, dtype=bool)
    for column in table.columns.values():
        empty = np.array([not text.strip() for text in column.texts], dtype=bool)
        blank &= empty[column.codes] if len(empty) else False
    n_blank = int(blank.sum())
    if not n_blank:
        return table, 0
    rows = np.flatnonzero(~blank)
    return RawTable({name: column.take(rows) for name, column in table.columns.items()}, len(rows)), n_blank


def _in_words(mark: str) -> str:
    """A delimiter as people call it."""
    return {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}.get(mark, mark)
