"""Where everything stands in a figure, from measured text: headline, key, axes, notes; wrapping and growth.

Lengths are pixels at the figure's own resolution, y upwards; they are handed to matplotlib in inches, so that
a figure saved at another resolution looks the same. The body (axes with tick labels) is arranged by
matplotlib's constrained layout inside a rectangle; what that cannot do is done here: wrapping tick labels
and titles to the room they have, and making the figure taller until nothing collides.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from itertools import pairwise

from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backend_bases import RendererBase
from matplotlib.font_manager import FontProperties
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.text import Text
from matplotlib.ticker import FixedLocator
from matplotlib.transforms import Bbox

from jobchance.figures import style
from jobchance.figures.base import CatalogueFigure, KeyEntry
from jobchance.labels.load import label

_PASSES = 12
_FRAME = "frame"  # marks the artists outside the body
_GAP = 0.16 * style.CM * style.DPI  # between blocks of text
_LINE_SPACING = 1.25


def lay_out(figure: CatalogueFigure) -> None:
    """Place all words of `figure.description` and fit the axes between them."""
    for old in [*figure.texts, *figure.patches, *figure.lines]:
        if old.get_gid() == _FRAME:  # a figure can be finished again with other words
            old.remove()
    renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]  # the Agg canvas has one
    frame = _Frame(figure, renderer)
    wrapped = [_AxisText(ax, axis) for ax in figure.axes if ax.get_visible() for axis in (ax.xaxis, ax.yaxis)]
    captions = [_Caption(ax) for ax in figure.axes if ax.get_visible()]
    body = figure.body_height_cm * style.CM * figure.dpi
    for _ in range(_PASSES):
        body_box = frame.resize(body)
        lacking = _arrange_axes(figure, body_box)
        changed = [item.fit(figure, renderer, body_box.width) for item in wrapped]
        changed += [caption.fit(renderer) for caption in captions]
        if any(changed):
            lacking = max(lacking, _arrange_axes(figure, body_box))
        lacking = max([lacking, *(item.lacks(renderer) for item in wrapped)])
        lacking = max([lacking, *(adjust(renderer) for adjust in figure.adjustments)])
        lacking = max(lacking, _arrange_axes(figure, body_box))
        if lacking <= 0.5 and not any(changed):
            break
        body += max(lacking, 0.0)
    frame.draw()


def wrap(text: str, width: float, font: FontProperties, renderer: RendererBase) -> str:
    """Break `text` at ordinary spaces into lines no wider than `width`; longer words are cut."""
    lines: list[str] = []
    for paragraph in text.split("\n"):
        line = ""
        for word in paragraph.split(" "):
            candidate = f"{line} {word}" if line else word
            if _width(candidate, font, renderer) <= width:
                line = candidate
                continue
            if line:
                lines.append(line)
            *whole, line = _cut(word, width, font, renderer)
            lines.extend(whole)
        lines.append(line)
    return "\n".join(lines)


def _cut(word: str, width: float, font: FontProperties, renderer: RendererBase) -> list[str]:
    """Pieces of one word that fit, each but the last ending in a hyphen; at least three letters a piece."""
    pieces: list[str] = []
    while len(word) > 5 and _width(word, font, renderer) > width:
        keep = len(word) - 3
        while keep > 3 and _width(word[:keep] + "-", font, renderer) > width:
            keep -= 1
        pieces.append(word[:keep] + "-")
        word = word[keep:]
    return [*pieces, word]


def _width(text: str, font: FontProperties, renderer: RendererBase) -> float:
    return renderer.get_text_width_height_descent(text, font, ismath=False)[0]


@dataclass
class _Block:
    """One wrapped text of the frame and its height."""

    artist: Text
    height: float


class _Frame:
    """Headline, subtitle and key above the body; Anm. and Kilde below it."""

    def __init__(self, figure: CatalogueFigure, renderer: RendererBase) -> None:
        self._figure, self._renderer = figure, renderer
        self._margin = style.MARGIN_CM * style.CM * figure.dpi
        self._width = figure.bbox.width - 2 * self._margin
        # Other resolutions and pdf set type up to one per cent wider than it is measured here.
        self._text_width = 0.985 * self._width
        words = figure.description
        note, source = (label(f"word.{word}", words.lang) for word in ("note", "source"))
        self._above = self._blocks(
            (words.headline, style.HEADLINE_SIZE, "bold", style.INK),
            (words.subtitle, style.TEXT_SIZE, "normal", style.GREY_TEXT),
        )
        self._below = self._blocks(
            (
                f"{note}: {words.note}" if words.note else "",
                style.SMALL_SIZE,
                "normal",
                style.INK,
            ),
            (f"{source}: {words.source}" if words.source else "", style.SMALL_SIZE, "normal", style.INK),
        )
        self._key = _key_rows(figure.key_entries, self._width, renderer, figure.dpi)
        self._body = Bbox.unit()

    def resize(self, body: float) -> Bbox:
        """Give the figure the height that `body` pixels of axes need; return the body's rectangle."""
        row = _key_row_height(self._figure.dpi)
        top = sum(block.height + _GAP / 2 for block in self._above) + row * len(self._key) + _GAP
        bottom = sum(block.height + _GAP / 2 for block in self._below) + _GAP
        height = round(top + body + bottom + 2 * self._margin)
        self._figure.set_size_inches(self._figure.get_figwidth(), height / self._figure.dpi)
        low = self._margin + bottom
        self._body = Bbox.from_extents(self._margin, low, self._margin + self._width, low + body)
        return self._body

    def draw(self) -> None:
        """Put the texts and the key where the last `resize` left room for them."""
        y = self._figure.bbox.height - self._margin
        for block in self._above:
            _move(block.artist, self._margin, y)
            y -= block.height + _GAP / 2
        for row in self._key:
            _draw_key_row(self._figure, row, self._margin, y)
            y -= _key_row_height(self._figure.dpi)
        y = self._body.y0 - _GAP
        for block in self._below:
            _move(block.artist, self._margin, y)
            y -= block.height + _GAP / 2

    def _blocks(self, *texts: tuple[str, float, str, str]) -> list[_Block]:
        return [self._block(*text) for text in texts if text[0]]

    def _block(self, text: str, size: float, weight: str, colour: str) -> _Block:
        font = FontProperties(family="sans-serif", size=size, weight=weight)
        lines = wrap(text, self._text_width, font, self._renderer)
        artist = _frame_text(self._figure, lines, 0.0, 0.0, font, colour, va="top")
        return _Block(artist, artist.get_window_extent(self._renderer).height)


def _frame_text(
    figure: CatalogueFigure, text: str, x: float, y: float, font: FontProperties, colour: str, *, va: str
) -> Text:
    artist = figure.text(
        x / figure.dpi,
        y / figure.dpi,
        text,
        fontproperties=font,
        color=colour,
        va=va,
        ha="left",
        linespacing=_LINE_SPACING,
        transform=figure.dpi_scale_trans,
        gid=_FRAME,
    )
    artist.set_in_layout(False)
    return artist


def _move(artist: Text, x: float, y: float) -> None:
    dpi = artist.figure.dpi
    artist.set_position((x / dpi, y / dpi))


def _key_row_height(dpi: float) -> float:
    return 1.75 * style.SMALL_SIZE * dpi / 72


@dataclass(frozen=True)
class _PlacedKey:
    entry: KeyEntry
    text: str
    x: float  # from the left margin


def _key_rows(
    entries: list[KeyEntry], width: float, renderer: RendererBase, dpi: float
) -> list[list[_PlacedKey]]:
    """Entries in reading order, as many to a row as fit; a wider entry takes several rows."""
    font, em = FontProperties(family="sans-serif", size=style.SMALL_SIZE), style.SMALL_SIZE * dpi / 72
    rows: list[list[_PlacedKey]] = []
    x = width + 1.0
    for entry in entries:
        first, *rest = wrap(entry.text, width - 2 * em, font, renderer).split("\n")
        needed = 2 * em + _width(first, font, renderer)
        if x + needed > width or rest:
            rows.append([])
            x = 0.0
        rows[-1].append(_PlacedKey(entry, first, x))
        x += needed + 1.6 * em
        for line in rest:
            rows.append([_PlacedKey(entry, line, -1.0)])
            x = width + 1.0
    return rows


def _draw_key_row(figure: CatalogueFigure, row: list[_PlacedKey], left: float, top: float) -> None:
    em = style.SMALL_SIZE * figure.dpi / 72
    font = FontProperties(family="sans-serif", size=style.SMALL_SIZE)
    middle = top - _key_row_height(figure.dpi) / 2
    for placed in row:
        x = left + max(placed.x, 0.0)
        if placed.x >= 0:
            _draw_swatch(figure, placed.entry, x, middle, em)
        _frame_text(figure, placed.text, x + 2 * em, middle, font, style.INK, va="center_baseline")


def _draw_swatch(figure: CatalogueFigure, entry: KeyEntry, x: float, y: float, em: float) -> None:
    inches = figure.dpi_scale_trans
    x, y, em = x / figure.dpi, y / figure.dpi, em / figure.dpi
    if entry.marker == "s":
        box = Rectangle(
            (x, y - 0.45 * em),
            1.5 * em,
            0.9 * em,
            facecolor=entry.colour,
            edgecolor=style.GREY_TEXT,
            linewidth=0.5,
            hatch=entry.hatch or None,
            transform=inches,
            gid=_FRAME,
        )
        box.set_in_layout(False)
        figure.add_artist(box)
        return
    line = Line2D(
        [x, x + 1.5 * em] if entry.marker == "-" else [x + 0.75 * em],
        [y, y] if entry.marker == "-" else [y],
        color=entry.colour,
        linestyle=entry.line_style if entry.marker == "-" else "none",
        marker="" if entry.marker == "-" else entry.marker,
        markerfacecolor="white",
        markersize=6,
        linewidth=1.6,
        transform=inches,
        gid=_FRAME,
    )
    line.set_in_layout(False)
    figure.add_artist(line)


def _arrange_axes(figure: CatalogueFigure, body: Bbox) -> float:
    """Constrained layout inside `body`; returns the height lacking where the axes have collapsed."""
    width, height = figure.bbox.width, figure.bbox.height
    engine = ConstrainedLayoutEngine(
        rect=(body.x0 / width, body.y0 / height, body.width / width, body.height / height),
        w_pad=0.03,
        h_pad=0.03,
        wspace=0.06,
        hspace=0.06,
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        engine.execute(figure)
    return body.height * 0.3 if any("collapsed" in str(item.message) for item in caught) else 0.0


class _AxisText:
    """Fixed tick labels and the name of one axis, wrapped to the room that the last pass gave them."""

    def __init__(self, ax: Axes, axis: Axis) -> None:
        self._ax, self._axis = ax, axis
        self._horizontal = axis is ax.xaxis
        self._name = axis.get_label_text()
        shown = axis.get_tick_params().get("labelbottom" if self._horizontal else "labelleft", True)
        self._fixed = isinstance(axis.get_major_locator(), FixedLocator) and shown
        self._places = list(axis.get_majorticklocs()) if self._fixed else []
        self._texts = [text.get_text() for text in axis.get_majorticklabels()] if self._fixed else []
        self._drawn: tuple[str, ...] = (self._name, *self._texts)

    def fit(self, figure: CatalogueFigure, renderer: RendererBase, body_width: float) -> bool:
        """Wrap; True if anything changed since the last pass."""
        box = self._ax.get_window_extent(renderer)
        font = FontProperties(family="sans-serif", size=style.SMALL_SIZE)
        along = box.width if self._horizontal else box.height
        name = wrap(self._name, max(along, 40.0), font, renderer) if self._name else ""
        room = self._slot(renderer) if self._horizontal else _tick_room(figure, self._ax, body_width)
        texts = [wrap(text, room, font, renderer) for text in self._texts]
        if (name, *texts) == self._drawn:
            return False
        self._drawn = (name, *texts)
        if self._fixed:
            self._axis.set_ticks(self._places, labels=texts)
        self._axis.set_label_text(name)
        return True

    def lacks(self, renderer: RendererBase) -> float:
        """Extra body height, so that the labels of a vertical axis do not run into one another."""
        if self._horizontal or not self._fixed:
            return 0.0
        boxes = [t.get_window_extent(renderer) for t in self._axis.get_majorticklabels() if t.get_text()]
        boxes.sort(key=lambda box: box.y0 + box.y1)
        lacking = 0.0
        height = self._ax.get_window_extent(renderer).height
        for lower, upper in pairwise(boxes):
            apart = (upper.y0 + upper.y1 - lower.y0 - lower.y1) / 2
            needed = (upper.height + lower.height) / 2 + _GAP / 2
            if 0 < apart < needed:
                lacking = max(lacking, height * (needed / apart - 1))
        spec = self._ax.get_subplotspec()
        return lacking * (spec.get_gridspec().nrows if spec else 1) + (0.6 if lacking else 0.0)

    def _slot(self, renderer: RendererBase) -> float:
        """Room between neighbouring ticks of a horizontal axis."""
        xs = (
            sorted(self._ax.transData.transform([(place, 0.0) for place in self._places])[:, 0])
            if self._places
            else []
        )
        gaps = [b - a for a, b in pairwise(xs) if b - a > 0]
        whole = self._ax.get_window_extent(renderer).width
        return max(0.92 * float(min([*gaps, whole])), 20.0)


def _tick_room(figure: CatalogueFigure, ax: Axes, body_width: float) -> float:
    """Widest tick label of a vertical axis: a stated share of the width, less in small multiples."""
    spec = ax.get_subplotspec()
    columns = spec.get_gridspec().ncols if spec else 1
    labelled = {
        other.get_subplotspec().colspan.start  # type: ignore[union-attr]  # filtered on the next line
        for other in figure.axes
        if other.get_visible()
        and other.get_subplotspec()
        and other.yaxis.get_tick_params().get("labelleft", True)
    }
    if columns == 1:
        return 0.42 * body_width
    return 0.30 * body_width if len(labelled) == 1 else 0.45 * body_width / columns


class _Caption:
    """The title of one panel, wrapped to the panel's width."""

    def __init__(self, ax: Axes) -> None:
        self._ax = ax
        self._text = ax.get_title(loc="left")
        self._drawn = self._text

    def fit(self, renderer: RendererBase) -> bool:
        """Wrap; True if anything changed since the last pass."""
        if not self._text:
            return False
        font = FontProperties(family="sans-serif", size=style.SMALL_SIZE, weight="bold")
        text = wrap(self._text, max(self._ax.get_window_extent(renderer).width, 40.0), font, renderer)
        changed, self._drawn = text != self._drawn, text
        if changed:
            self._ax.set_title(text, loc="left")
        return changed
