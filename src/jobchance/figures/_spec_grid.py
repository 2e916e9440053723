"""The choice grid under a specification curve: which rows it has, and in which columns each has a mark."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from numpy.typing import NDArray

from jobchance.figures import _spec_words as words
from jobchance.figures import style
from jobchance.labels.load import label

CHOICE, SHARE = "choice_", "explained_"
FEW, MANY = 60, 300  # specifications up to which each has a square, and a stroke; strips beyond
_SETS = 6  # sets of covariates up to which each is a row; beyond, each covariate is
_ROWS = 9  # rows of one dimension
_BINS = 200


@dataclass(frozen=True, eq=False)
class GridRow:
    """One option: its words and, for each specification in the order of the curve, whether it was chosen."""

    text: str
    used: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Dimension:
    """One dimension that varies: its words, the share of the variance that it explains, and its rows."""

    text: str
    share: float
    rows: tuple[GridRow, ...]


def dimensions(frame: pd.DataFrame, lang: str) -> list[Dimension]:
    """Dimensions on which the drawn specifications differ, the one that explains most first."""
    names = [column.removeprefix(CHOICE) for column in frame.columns if column.startswith(CHOICE)]
    found = [
        Dimension(
            words.dimension_name(name, lang), float(frame[f"{SHARE}{name}"].iloc[0]), _rows(frame, name, lang)
        )
        for name in names
        if differs(frame[f"{CHOICE}{name}"])
    ]
    return sorted(found, key=lambda one: -np.nan_to_num(one.share))


def differs(column: pd.Series) -> bool:
    """Whether not all values are the same; a gap is a value of its own."""
    texts = column.map(_text)
    return bool(texts.ne(texts.iloc[0]).any())


def _rows(frame: pd.DataFrame, name: str, lang: str) -> tuple[GridRow, ...]:
    """Rows of a dimension: the options by frequency, the rarest ones together."""
    chosen = frame[f"{CHOICE}{name}"].map(_text)
    if name == "covariates" and chosen.nunique() > _SETS:
        sets = chosen.map(lambda text: frozenset(text.split(words.SEPARATOR)) if text else frozenset())
        terms = sorted({term for one in sets for term in one})
        masks = {words.term_name(t, lang): np.array([t in one for one in sets]) for t in terms}
        masks = {text: mask for text, mask in masks.items() if not mask.all()}
        masks = {label("multiverse.word.none", lang): np.array([not one for one in sets])} | masks
    else:
        options = sorted(chosen.unique(), key=_order)
        masks = {words.option_name(name, o, lang): (chosen == o).to_numpy(bool) for o in options}
    masks = {text: mask for text, mask in masks.items() if mask.any()}
    return _at_most(masks, lang)


def _at_most(masks: dict[str, NDArray[np.bool_]], lang: str) -> tuple[GridRow, ...]:
    """The most frequent options in their order, the rest as one row."""
    if len(masks) <= _ROWS:
        return tuple(GridRow(text, mask) for text, mask in masks.items())
    frequent = sorted(masks, key=lambda text: (-int(masks[text].sum()), text))[: _ROWS - 1]
    rest = [text for text in masks if text not in frequent]
    kept = [GridRow(text, mask) for text, mask in masks.items() if text in frequent]
    others = np.logical_or.reduce([masks[text] for text in rest])
    return (*kept, GridRow(label("multiverse.word.others", lang, n=str(len(rest))), others))


def _text(value: object) -> str:
    """An option as text, also where a csv reader made a number or a gap of it."""
    if value is None or value != value:
        return ""
    return f"{value:g}" if isinstance(value, int | float) else str(value)


def _order(option: str) -> tuple[int, float, str]:
    """Nothing first, numbers by size, the rest by letter."""
    if option in ("", "all"):
        return 0, 0.0, option
    try:
        return 1, float(option), ""
    except ValueError:
        return 2, 0.0, option


def draw_grid(ax: Axes, found: list[Dimension], colours: NDArray[np.object_], headings: list[str]) -> None:
    """Rows top down under the heading of their dimension; one mark, stroke or strip of tones per option."""
    n = len(colours)
    ticks: list[float] = []
    texts: list[str] = []
    y = 0.0
    for one, heading in zip(found, headings, strict=True):
        ax.axhline(y - 0.05, color=style.GRID, linewidth=0.8, zorder=0)
        ax.text(
            0.0, y + 0.5, heading, transform=ax.get_yaxis_transform(), va="center", fontweight="bold",
            fontsize=style.SMALL_SIZE, clip_on=False,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6},
        )  # fmt: skip
        y += 1.0
        for row in one.rows:
            _draw_row(ax, row.used, y + 0.5, colours)
            ticks.append(y + 0.5)
            texts.append(row.text)
            y += 1.0
        y += 0.25
    ax.set_ylim(y, -0.1)
    ax.set_xlim(-0.5 - 0.01 * n, n - 0.5 + 0.01 * n)
    ax.set_yticks(ticks, labels=texts)
    ax.tick_params(axis="y", length=0)
    ax.set_xticks([])
    ax.spines[["left", "bottom"]].set_visible(False)


def _draw_row(ax: Axes, used: NDArray[np.bool_], y: float, colours: NDArray[np.object_]) -> None:
    n = len(used)
    if n > MANY:
        edges = np.linspace(0, n, min(_BINS, n) + 1).astype(int)
        shares = np.add.reduceat(used.astype(float), edges[:-1]) / np.diff(edges)
        ax.pcolormesh(
            edges - 0.5,
            [y - 0.4, y + 0.4],
            shares[None, :],
            cmap=style.SEQUENTIAL,
            vmin=0.0,
            vmax=1.0,
            zorder=1,
        )
        ax.plot([-0.5, n - 0.5, n - 0.5, -0.5, -0.5], [y - 0.4, y - 0.4, y + 0.4, y + 0.4, y - 0.4],
                color=style.GRID, linewidth=0.5, zorder=2)  # fmt: skip
        return
    places = np.flatnonzero(used)
    if n <= FEW:
        ax.axhline(y, color=style.GRID, linewidth=0.4, zorder=0)
        ax.scatter(
            places, np.full(len(places), y), c=list(colours[places]), marker="s", s=16, linewidths=0, zorder=2
        )
        return
    strokes = [np.array([(x, y - 0.36), (x, y + 0.36)]) for x in places]
    ax.add_collection(
        LineCollection(strokes, colors=list(colours[places]), linewidths=max(0.5, 260 / n), zorder=2)
    )
