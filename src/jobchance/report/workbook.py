"""One xlsx with a sheet per figure and `variable_explanation`; the same bytes for the same numbers.

Cells that start like a spreadsheet formula are written as text, never as formulas.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd
from openpyxl import Workbook
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.worksheet import Worksheet

from jobchance.report.output import Output

_EPOCH = (1980, 1, 1, 0, 0, 0)
_CORE_TIME = re.compile(rb"<dcterms:(created|modified)[^>]*>[^<]*</dcterms:\1>")
_MAX_WIDTH = 60


def workbook_bytes(
    outputs: Iterable[Output], explanations: Mapping[str, str], *, contents_title: str, column_title: str
) -> bytes:
    """Workbook with `contents`, one sheet per output (its exact frame) and `variable_explanation`.

    Parameters
    ----------
    outputs : iterable of Output
        In catalogue order; the sheet is named by the output's stem.
    explanations : mapping of str to str
        Column name -> what it means; every column of every frame must be there.
    contents_title, column_title : str
        Headings of the headline column and of the explanation column, in the report's language.

    Returns
    -------
    bytes
        An xlsx file without time stamps.
    """
    book = Workbook()
    contents = book.active
    assert contents is not None  # openpyxl's new workbook always has one sheet
    contents.title = "contents"
    outputs = list(outputs)
    _write_rows(contents, ["sheet", contents_title], [[o.stem[:31], o.headline] for o in outputs])
    used: set[str] = set()
    for output in outputs:
        sheet = book.create_sheet(output.stem[:31])
        columns = [str(c) for c in output.frame.columns]
        used.update(columns)
        _write_rows(sheet, columns, output.frame.itertuples(index=False, name=None))
    explanation = book.create_sheet("variable_explanation")
    _write_rows(explanation, ["variable", column_title], [[c, explanations[c]] for c in sorted(used)])
    buffer = io.BytesIO()
    book.save(buffer)
    return _without_times(buffer.getvalue())


def _write_rows(sheet: Worksheet, header: list[str], rows: Iterable[Iterable[object]]) -> None:
    """Header in bold, frozen; values as numbers or plain text."""
    widths = [len(h) for h in header]
    for column, title in enumerate(header, start=1):
        head = sheet.cell(row=1, column=column, value=title)
        head.font, head.data_type = Font(bold=True), "s"
    for r, row in enumerate(rows, start=2):
        for c, value in enumerate(row, start=1):
            plain = _plain(value)
            if plain is None:
                continue
            cell = sheet.cell(row=r, column=c)
            cell.value = plain
            if isinstance(plain, str):
                cell.data_type = "s"
            widths[c - 1] = max(widths[c - 1], len(str(plain)))
    for c, width in enumerate(widths, start=1):
        sheet.column_dimensions[get_column_letter(c)].width = min(width + 2, _MAX_WIDTH)
    sheet.freeze_panes = "A2"


def _plain(value: object) -> str | int | float | bool | None:
    """Python scalar for a cell; missing becomes an empty cell."""
    if value is None or value is pd.NA or value is pd.NaT:
        return None
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, int | np.integer):
        return int(value)
    if isinstance(value, float | np.floating):
        return float(value) if np.isfinite(value) else None
    return str(value)


def _without_times(content: bytes) -> bytes:
    """The same archive with a fixed clock, so that equal numbers give equal files."""
    target = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(content)) as old,
        zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for name in sorted(old.namelist()):
            body = old.read(name)
            if name == "docProps/core.xml":
                body = _CORE_TIME.sub(b"", body)
            entry = zipfile.ZipInfo(name, date_time=_EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            new.writestr(entry, body)
    return target.getvalue()
