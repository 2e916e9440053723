"""Tables drawn as pictures: 100 % stacked bars and heat maps, with readable numbers in their cells."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backend_bases import RendererBase
from matplotlib.colors import Colormap, Normalize
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from jobchance.figures import style
from jobchance.figures.bars import hidden_cell
from jobchance.figures.base import KeyEntry, add_key
from jobchance.figures.direct import figure_of
from jobchance.figures.lines import percent_axis
from jobchance.formatting import MISSING, Formatter


def stacked_bars(
    ax: Axes,
    labels: Sequence[str],
    shares: np.ndarray,
    *,
    names: Sequence[str],
    colours: Sequence[str],
    lang: str,
    hatches: Sequence[str] | None = None,
    smallest_label: float = 0.05,
    key: bool = True,
) -> None:
    """Horizontal 100 % bars from the top down; whole per cent written inside segments that have room.

    Parameters
    ----------
    ax : Axes
    labels : sequence of str
        Names of the rows.
    shares : array (rows, categories)
        Shares 0-1 that sum to 1 in each row; a row with a NaN is hidden as a whole and drawn hatched,
        since one hidden segment could be read off from the others.
    names, colours : sequence of str
        Of the categories, in the order of the columns.
    lang : str
        Language of the numbers.
    hatches : sequence of str, optional
        Of the categories; hatch "don't know" to set it apart.
    smallest_label : float
        Segments below this share carry no number.
    key : bool
        Whether to put the categories' names above the axes (once per figure is enough).
    """
    shares = np.asarray(shares, dtype=float)
    hatches = hatches or [""] * len(names)
    formatter = Formatter(lang)
    inside: list[tuple[Text, Rectangle]] = []
    for row, parts in enumerate(shares):
        if np.isnan(parts).any():
            ax.add_patch(hidden_cell((0.0, row - 0.36), (1.0, 0.72), transform=ax.transData))
            _word(ax, MISSING, 0.5, row, style.SUPPRESSED)
            continue
        left = 0.0
        for share, colour, hatch in zip(parts, colours, hatches, strict=True):
            box = Rectangle(
                (left, row - 0.36),
                share,
                0.72,
                facecolor=colour,
                edgecolor="white",
                linewidth=0.7,
                hatch=hatch or None,
                zorder=2,
            )
            ax.add_patch(box)
            if share >= smallest_label:
                text = formatter.number(share * 100)
                inside.append((_word(ax, text, left + share / 2, row, colour, hatched=bool(hatch)), box))
            left += share
    ax.set_xlim(0.0, 1.0)
    ax.set_ylim(len(labels) - 0.5, -0.5)
    ax.set_yticks(range(len(labels)), labels=list(labels))
    ax.tick_params(axis="y", length=0)
    percent_axis(ax, axis="x", lang=lang, ticks=5)
    figure = figure_of(ax)
    figure.adjustments.append(lambda renderer: _drop_tight(inside, renderer))
    if key:
        parts_of_key = zip(names, colours, hatches, strict=True)
        add_key(figure, [KeyEntry(name, colour, hatch) for name, colour, hatch in parts_of_key])


def heat_map(
    ax: Axes,
    values: np.ndarray,
    *,
    row_labels: Sequence[str],
    col_labels: Sequence[str],
    texts: Sequence[Sequence[str]],
    low: float,
    high: float,
    colours: Colormap = style.SEQUENTIAL,
) -> None:
    """A matrix as coloured cells with their numbers; NaN is a hidden cell, hatched, with "..".

    Parameters
    ----------
    ax : Axes
    values : array (rows, columns)
        What the colours mean.
    row_labels, col_labels : sequence of str
        First row on top; column names stand below.
    texts : sequence of sequence of str
        What is written in the cells; black or white, whichever can be read.
    low, high : float
        Values of the palest and the darkest colour.
    colours : Colormap
        `style.SEQUENTIAL`, or `style.DIVERGING` for signed values with `low = -high`.
    """
    values = np.asarray(values, dtype=float)
    scale = Normalize(low, high, clip=True)
    for (row, col), value in np.ndenumerate(values):
        corner = (col - 0.5, row - 0.5)
        if np.isnan(value):
            ax.add_patch(hidden_cell(corner, (1.0, 1.0), transform=ax.transData))
            _word(ax, MISSING, col, row, style.SUPPRESSED)
            continue
        colour = colours(scale(value))
        ax.add_patch(Rectangle(corner, 1.0, 1.0, facecolor=colour, edgecolor="white", linewidth=1.0))
        _word(ax, texts[row][col], col, row, colour)
    ax.set_xlim(-0.5, values.shape[1] - 0.5)
    ax.set_ylim(values.shape[0] - 0.5, -0.5)
    ax.set_xticks(range(values.shape[1]), labels=list(col_labels))
    ax.set_yticks(range(values.shape[0]), labels=list(row_labels))
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)


def _word(
    ax: Axes,
    text: str,
    x: float,
    y: float,
    background: str | tuple[float, ...],
    *,
    hatched: bool = False,
) -> Text:
    drawn = ax.text(
        x,
        y,
        text,
        ha="center",
        va="center_baseline",
        fontsize=style.SMALL_SIZE,
        zorder=4,
        color=style.text_colour_on(background),
    )
    if hatched:  # strokes behind digits make them unreadable
        drawn.set_bbox({"facecolor": background, "edgecolor": "none", "pad": 0.8})
    return drawn


def _drop_tight(inside: list[tuple[Text, Rectangle]], renderer: RendererBase) -> float:
    """Hide numbers that are wider than their segment in the final layout."""
    for text, box in inside:
        text.set_visible(True)
        text.set_visible(text.get_window_extent(renderer).width <= box.get_window_extent(renderer).width)
    return 0.0
