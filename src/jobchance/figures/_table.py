"""A typographic table on axes: wrapped cells, rules above, below the head and at the end, none vertical.

Cells are placed after layout from measured text, by an adjustment that `finish` runs; the figure grows to
the height that the rows need. Numbers in a column with `align="decimal"` stand with their decimal marks
under one another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.backend_bases import RendererBase
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.text import Text
from matplotlib.transforms import BboxBase

from jobchance.figures import style
from jobchance.figures.direct import figure_of
from jobchance.figures.frame import balance

_PAD = 0.45  # of a line, above and below the words of a row
_GUTTER_CM = 0.25
_LINE = 1.3


@dataclass(frozen=True)
class Column:
    """Head, share of the table's width, and `"left"`, `"right"`, `"centre"` or `"decimal"` alignment."""

    head: str
    width: float
    align: str = "left"


@dataclass(frozen=True)
class Cell:
    """One cell: its words; `muted` is grey and slanted (placeholders, published numbers)."""

    text: str
    muted: bool = False
    bold: bool = False


def draw_table(ax: Axes, columns: Sequence[Column], rows: Sequence[Sequence[Cell]], *, lang: str) -> None:
    """Write a table over the whole of `ax`, which shows nothing else.

    Parameters
    ----------
    ax : Axes
        Axes made by `new_figure`; a small `height_cm` is right, since the figure grows.
    columns : sequence of Column
        Heads, relative widths and alignments.
    rows : sequence of sequence of Cell
        One cell per column.
    lang : str
        Decides the decimal mark that `"decimal"` columns align on.
    """
    ax.set_axis_off()
    table = _Table(ax, columns, rows, mark="." if lang == "en" else ",")
    figure_of(ax).adjustments.append(table.arrange)


class _Table:
    """The words and rules of one table, and where they stand."""

    def __init__(
        self, ax: Axes, columns: Sequence[Column], rows: Sequence[Sequence[Cell]], *, mark: str
    ) -> None:
        self._ax, self._columns, self._mark = ax, columns, mark
        # Places are stored in inches, so that the picture is the same at any resolution.
        figure = figure_of(ax)
        self._dpi, self._inches = figure.dpi, figure.dpi_scale_trans
        self._cells = [[Cell(column.head, bold=True) for column in columns], *(list(row) for row in rows)]
        self._texts = [
            [self._text(cell, column) for cell, column in zip(row, columns, strict=True)]
            for row in self._cells
        ]
        self._rules = [self._rule(place) for place in range(len(self._cells) + 1)]

    def arrange(self, renderer: RendererBase) -> float:
        """Wrap and place every cell; the height in pixels that the axes lack."""
        box = self._ax.get_window_extent(renderer)
        edges = self._edges(box.x0, box.width)
        for row, cells in zip(self._texts, self._cells, strict=True):
            for text, cell, (left, right) in zip(row, cells, edges, strict=True):
                text.set_text(balance(cell.text, right - left, text.get_fontproperties(), renderer))
        em = style.SMALL_SIZE * self._dpi / 72
        heights = [
            em * (_LINE * max(text.get_text().count("\n") + 1 for text in row) + 2 * _PAD)
            for row in self._texts
        ]
        y = box.y1
        for place, (row, height) in enumerate(zip(self._texts, heights, strict=True)):
            self._draw_rule(place, box, y)
            for column, text in enumerate(row):
                x = self._x(column, text, edges, renderer)
                text.set_position((x / self._dpi, (y - self._drop(text, em, renderer)) / self._dpi))
            y -= height
        self._draw_rule(-1, box, y)
        return float(max(box.y0 - y, 0.0))

    def _drop(self, text: Text, em: float, renderer: RendererBase) -> float:
        """From the top of the row to the top of the text; first lines share one baseline.

        How lines are set depends on their glyphs and on matplotlib's version, so the first line is measured.
        """
        words = text.get_text()
        text.set(text=words.partition("\n")[0] or " ", va="baseline")
        _, baseline = text.get_transform().transform(text.get_position())
        ascent = float(text.get_window_extent(renderer).y1 - baseline)
        text.set(text=words, va="top")
        return (_PAD + 0.95) * em - ascent

    def _draw_rule(self, place: int, box: BboxBase, y: float) -> None:
        self._rules[place].set_data([box.x0 / self._dpi, box.x1 / self._dpi], [y / self._dpi] * 2)

    def _edges(self, left: float, width: float) -> list[tuple[float, float]]:
        """Left and right end of every column, a gutter apart."""
        gutter = _GUTTER_CM * style.CM * self._dpi
        room = width - gutter * (len(self._columns) - 1)
        whole = sum(column.width for column in self._columns)
        edges = []
        for column in self._columns:
            right = left + room * column.width / whole
            edges.append((left, right))
            left = right + gutter
        return edges

    def _x(self, column: int, text: Text, edges: list[tuple[float, float]], renderer: RendererBase) -> float:
        left, right = edges[column]
        align = self._columns[column].align
        if align == "left":
            return left
        if align == "centre":
            return (left + right) / 2
        if align == "right" or text is self._texts[0][column]:
            return right
        fractions = [self._fraction(row[column], renderer) for row in self._texts[1:]]
        return right - max(fractions) + self._fraction(text, renderer)

    def _fraction(self, text: Text, renderer: RendererBase) -> float:
        """Width of the decimal mark and what follows it; 0 for a whole number or words."""
        before, found, after = text.get_text().partition(self._mark)
        if not found or not before[-1:].isdigit() or not after[:1].isdigit():
            return 0.0
        font = text.get_fontproperties()
        width, _, _ = renderer.get_text_width_height_descent(found + after, font, ismath=False)
        return float(width)

    def _text(self, cell: Cell, column: Column) -> Text:
        font = FontProperties(
            family="sans-serif",
            size=style.SMALL_SIZE,
            weight="bold" if cell.bold else "normal",
            style="oblique" if cell.muted else "normal",
        )
        drawn = self._ax.text(
            0.0,
            0.0,
            cell.text,
            fontproperties=font,
            color=style.GREY_TEXT if cell.muted else style.INK,
            va="top",
            ha={"left": "left", "centre": "center"}.get(column.align, "right"),
            linespacing=_LINE,
            transform=self._inches,
        )
        drawn.set_in_layout(False)
        return drawn

    def _rule(self, place: int) -> Line2D:
        outer = place in (0, len(self._cells))
        line = Line2D(
            [],
            [],
            color=style.INK if outer or place == 1 else style.GRID,
            linewidth=1.2 if outer else 0.7 if place == 1 else 0.5,
            transform=self._inches,
        )
        line.set_in_layout(False)
        self._ax.add_artist(line)
        return line
