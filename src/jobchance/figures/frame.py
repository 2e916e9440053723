"""The words round the axes: headline, subtitle and key above, Anm. and Kilde below; wrapping by measure.

Lengths are pixels at the figure's own resolution, y upwards; they are handed to matplotlib in inches, so that
a figure saved at another resolution looks the same.
"""

from __future__ import annotations

from dataclasses import dataclass

from matplotlib.backend_bases import RendererBase
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from jobchance.figures import style
from jobchance.figures.base import CatalogueFigure, KeyEntry
from jobchance.labels.load import label

GAP = 0.16 * style.CM * style.DPI  # between blocks of text
_LINE_SPACING = 1.25
_SHORT = 0.45  # share of the longest line under which a last line is too short for a title
_LONG = 8  # letters after a hyphen from which a compound may be broken there
_ASCENT = 0.78  # share of the distance of baselines that lies above the first baseline
_FRAME = "frame"  # marks the artists outside the body


def remove_frame(figure: CatalogueFigure) -> None:
    """Take away the words of an earlier `finish`: a figure can be finished again with other words."""
    for old in [*figure.texts, *figure.patches, *figure.lines]:
        if old.get_gid() == _FRAME:
            old.remove()


def wrap(text: str, width: float, font: FontProperties, renderer: RendererBase) -> str:
    """Break `text` at ordinary spaces, and after the hyphen of a long compound, into lines of `width`.

    Words that are longer still are cut.
    """
    lines: list[str] = []
    for paragraph in text.split("\n"):
        line = ""
        for word in paragraph.split(" "):
            candidate = f"{line} {word}" if line else word
            if _width(candidate, font, renderer) <= width:
                line = candidate
                continue
            first, hyphen, rest = word.partition("-")
            first = f"{line} {first}-" if line else f"{first}-"
            if hyphen and len(rest) >= _LONG and _width(first, font, renderer) <= width:
                lines.append(first)
                word = rest
            elif line:
                lines.append(line)
            *whole, line = _cut(word, width, font, renderer)
            lines.extend(whole)
        lines.append(line)
    return "\n".join(lines)


def balance(text: str, width: float, font: FontProperties, renderer: RendererBase) -> str:
    """`wrap`, with about equally long lines where the last one would be left with a word or two."""
    return "\n".join(_balanced(part, width, font, renderer) for part in text.split("\n"))


def _balanced(text: str, width: float, font: FontProperties, renderer: RendererBase) -> str:
    """The narrowest wrapping with no more lines than the widest has, where its last line is short."""
    best = wrap(text, width, font, renderer)
    widths = [_width(line, font, renderer) for line in best.split("\n")]
    if widths[-1] >= _SHORT * max(widths):
        return best
    longest = max(_width(word, font, renderer) for word in text.split(" "))
    for percent in range(95, 45, -5):
        narrower = wrap(text, percent / 100 * width, font, renderer)
        if narrower.count("\n") >= len(widths) or longest > percent / 100 * width:
            break
        best = narrower
    return best


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
    """One wrapped text of the frame: its lines, top down, and the distance of their baselines."""

    lines: list[Text]
    pitch: float

    @property
    def height(self) -> float:
        """From the top of the first line's letters to the foot of the last one's."""
        return self.pitch * len(self.lines)

    def move(self, x: float, y: float) -> None:
        """Put the upper left corner at (x, y)."""
        for place, line in enumerate(self.lines):
            _move(line, x, y - self.pitch * (place + _ASCENT))


class Frame:
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
            even=True,
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
        top = sum(block.height + GAP / 2 for block in self._above) + row * len(self._key) + GAP
        bottom = sum(block.height + GAP / 2 for block in self._below) + GAP
        height = round(top + body + bottom + 2 * self._margin)
        self._figure.set_size_inches(self._figure.get_figwidth(), height / self._figure.dpi)
        low = self._margin + bottom
        self._body = Bbox.from_extents(self._margin, low, self._margin + self._width, low + body)
        return self._body

    def draw(self) -> None:
        """Put the texts and the key where the last `resize` left room for them."""
        y = self._figure.bbox.height - self._margin
        for block in self._above:
            block.move(self._margin, y)
            y -= block.height + GAP / 2
        for row in self._key:
            _draw_key_row(self._figure, row, self._margin, y)
            y -= _key_row_height(self._figure.dpi)
        y = self._body.y0 - GAP
        for block in self._below:
            block.move(self._margin, y)
            y -= block.height + GAP / 2

    def _blocks(self, *texts: tuple[str, float, str, str], even: bool = False) -> list[_Block]:
        return [self._block(*text, even=even) for text in texts if text[0]]

    def _block(self, text: str, size: float, weight: str, colour: str, *, even: bool) -> _Block:
        """The lines of one text at equal distances, whatever letters they hold; even lines for titles."""
        font = FontProperties(family="sans-serif", size=size, weight=weight)
        break_lines = balance if even else wrap
        lines = break_lines(text, self._text_width, font, self._renderer).split("\n")
        pitch = _LINE_SPACING * size * self._figure.dpi / 72
        drawn = [_frame_text(self._figure, line, 0.0, 0.0, font, colour, va="baseline") for line in lines]
        return _Block(drawn, pitch)


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
    if entry.marker == "s" and not entry.filled:
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
        markerfacecolor=entry.colour if entry.filled else "white",
        markersize=6,
        linewidth=1.6,
        transform=inches,
        gid=_FRAME,
    )
    line.set_in_layout(False)
    figure.add_artist(line)
