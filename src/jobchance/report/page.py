"""The status note as one self-contained HTML page: pictures inside, no network, prints on A4."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from jobchance.formatting import Formatter
from jobchance.labels.load import label
from jobchance.report.output import Output


@dataclass(frozen=True)
class Cell:
    """Text of one table cell and whether it is set as a number."""

    text: str
    numeric: bool


@dataclass(frozen=True)
class Table:
    """A table ready to print."""

    header: Sequence[Cell]
    rows: Sequence[Sequence[Cell]]


@dataclass(frozen=True)
class PageFigure:
    """One picture on the page, with its alternative text and the numbers behind it."""

    id: str
    kind: str
    headline: str
    png: str
    alt: str
    table: Table


@dataclass(frozen=True)
class Section:
    """A heading, a sentence on how to read it, and its figures."""

    title: str
    intro: str
    figures: Sequence[PageFigure]


@dataclass(frozen=True)
class Line:
    """A term and its explanation, or a headline and the figure it stands on."""

    text: str
    term: str = ""
    id: str = ""


@dataclass(frozen=True)
class Block:
    """A titled list of sentences in the method section."""

    title: str
    lines: Sequence[str]


@dataclass(frozen=True)
class Page:
    """Everything that the template prints, already in the reader's language."""

    lang: str
    title: str
    lead: str
    banner: str
    reading_title: str
    reading: Sequence[Line]
    key_title: str
    key_points: Sequence[Line]
    contents_title: str
    sections: Sequence[Section]
    numbers_title: str
    method_title: str
    not_drawn_title: str
    not_drawn: Sequence[str]
    withheld_title: str
    withheld: Sequence[str]
    flow_title: str
    flow: Table
    method: Sequence[Block]
    footer: str


def render_page(page: Page) -> str:
    """HTML text of the page; every text is escaped."""
    environment = Environment(
        loader=PackageLoader("jobchance.report"),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("note.html.j2").render(page=page)


def page_figure(output: Output, lang: str) -> PageFigure:
    """The picture, embedded, with the frame behind it as a table."""
    return PageFigure(
        id=output.id,
        kind=label(f"estimand.{output.estimand}", lang),
        headline=output.headline,
        png=base64.b64encode(output.png).decode(),
        alt=output.alt,
        table=frame_table(output.frame, Formatter(lang)),
    )


def frame_table(frame: pd.DataFrame, formatter: Formatter) -> Table:
    """A frame as text, columns that are the same in every row left out when there are several rows."""
    shown = [c for c in frame.columns if len(frame) == 1 or len(frame[c].drop_duplicates()) > 1]
    numeric = {c: pd.api.types.is_numeric_dtype(frame[c]) for c in shown}
    header = [Cell(str(c), numeric[c]) for c in shown]
    rows = [
        [Cell(_cell_text(value, formatter), numeric[c]) for c, value in zip(shown, row, strict=True)]
        for row in frame[shown].itertuples(index=False, name=None)
    ]
    return Table(header, rows)


def _cell_text(value: object, formatter: Formatter) -> str:
    """One value in the reader's number format."""
    if isinstance(value, bool | np.bool_):
        return "1" if value else "0"
    if isinstance(value, int | np.integer):
        return formatter.count(int(value))
    if isinstance(value, float | np.floating):
        number = float(value)
        if np.isfinite(number) and number == round(number) and abs(number) >= 1:
            return formatter.count(int(number))
        return formatter.significant(number, 4)
    return ".." if value is None or value is pd.NA else str(value)
