"""Words beside what they name: line-end labels and hollow markers of published numbers, without collisions.

The places are chosen after layout, from measured extents, by an adjustment that `finish` runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backend_bases import RendererBase
from matplotlib.collections import LineCollection
from matplotlib.patches import Rectangle
from matplotlib.text import Annotation
from matplotlib.transforms import Bbox

from jobchance.figures import style
from jobchance.figures.base import CatalogueFigure
from jobchance.labels.load import label

# (dx, dy) in points from the marker and the text's alignment, in order of preference.
_PLACES = tuple(
    (dx * step, dy * step, ha, va)
    for step in (1.0, 1.8, 2.8, 4.2)
    for dx, dy, ha, va in (
        (7, 0, "left", "center"),
        (-7, 0, "right", "center"),
        (0, 8, "center", "bottom"),
        (0, -8, "center", "top"),
        (6, 7, "left", "bottom"),
        (6, -7, "left", "top"),
        (-6, 7, "right", "bottom"),
        (-6, -7, "right", "top"),
    )
)


@dataclass(frozen=True)
class EndLabel:
    """A word at the right end of a line: its place in data units, text and colour."""

    x: float
    y: float
    text: str
    colour: str = style.INK


def figure_of(ax: Axes) -> CatalogueFigure:
    """The catalogue figure that the axes belong to."""
    figure = ax.figure
    if not isinstance(figure, CatalogueFigure):
        raise TypeError("marks are drawn on axes made by new_figure")
    return figure


def end_labels(ax: Axes, labels: Sequence[EndLabel]) -> list[Annotation]:
    """Name lines at their right ends; labels that would collide are spread vertically, in order of height.

    The figure grows if the labels do not fit beside the axes.
    """
    drawn = [
        ax.annotate(
            item.text,
            (item.x, item.y),
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
            ha="left",
            color=_readable(item.colour),
            fontsize=style.SMALL_SIZE,
            annotation_clip=False,
        )
        for item in labels
    ]

    def spread(renderer: RendererBase) -> float:
        for text in drawn:
            text.set_position((5, 0))
        boxes = [text.get_window_extent(renderer) for text in drawn]
        if not boxes:
            return 0.0
        axes_box = ax.get_window_extent(renderer)
        height = max(box.height for box in boxes) * 1.05
        centres = np.array([(box.y0 + box.y1) / 2 for box in boxes])
        order = np.argsort(centres, kind="stable")
        placed = _spread(centres[order], height, axes_box.y0, axes_box.y1)
        for index, centre in zip(order, placed, strict=True):
            drawn[index].set_position((5, (centre - centres[index]) * 72 / ax.figure.dpi))
        return max(height * len(boxes) - axes_box.height, 0.0)

    figure_of(ax).adjustments.append(spread)
    return drawn


def hollow_marker(ax: Axes, x: float, y: float, *, marker: str = "D") -> None:
    """The hollow marker of a published number, without a word; axes that end before it are extended."""
    for value, limits, set_limits in ((x, ax.get_xlim(), ax.set_xlim), (y, ax.get_ylim(), ax.set_ylim)):
        low, high = sorted(limits)
        room = 0.03 * (high - low)
        if not low <= value <= high:
            wider = (min(low, value - room), max(high, value + room))
            set_limits(*(wider if limits[0] < limits[1] else wider[::-1]))
    ax.plot(
        [x],
        [y],
        marker=marker,
        markersize=6.0,
        markerfacecolor="white",
        markeredgecolor=style.PUBLISHED,
        markeredgewidth=1.3,
        linestyle="none",
        zorder=6,
        clip_on=False,
        scalex=False,
        scaley=False,
    )


def published_marker(ax: Axes, x: float, y: float, *, key: str, lang: str, marker: str = "D") -> Annotation:
    """A hollow marker for a published number, named "offentliggjort (KEY)" at the nearest free place.

    Parameters
    ----------
    ax : Axes
        Axes made by `new_figure`.
    x, y : float
        Place in data units; categorical axes count 0, 1, 2, ...
    key : str
        Source key of the number.
    lang : str
        Language of the word.
    marker : str
        Matplotlib's name of the marker's shape.
    """
    hollow_marker(ax, x, y, marker=marker)
    return free_label(ax, x, y, label("published.marker", lang, key=key))


def free_label(ax: Axes, x: float, y: float, text: str, *, colour: str = style.INK) -> Annotation:
    """A word beside the point (x, y), at the place where it covers least of the other marks."""
    drawn = ax.annotate(
        text,
        (x, y),
        xytext=(7, 0),
        textcoords="offset points",
        ha="left",
        va="center",
        zorder=7,
        color=colour,
        fontsize=style.SMALL_SIZE,
        annotation_clip=False,
    )

    def settle(renderer: RendererBase) -> float:
        canvas = Bbox.from_extents(0, 0, ax.figure.bbox.width, ax.figure.bbox.height)
        taken = list(_obstacles(ax, drawn, renderer))
        best = min(_PLACES, key=lambda place: _cost(drawn, place, taken, canvas, renderer))
        cost = _cost(drawn, best, taken, canvas, renderer)
        # Words on words even at the best place: a taller figure pulls the marks apart.
        return 0.1 * ax.get_window_extent(renderer).height if cost >= _WORD else 0.0

    figure_of(ax).adjustments.append(settle)
    return drawn


_WORD, _LINE, _PATCH = 1000.0, 100.0, 10.0  # cost of covering a word, a line, a bar


def _cost(
    drawn: Annotation,
    place: tuple[float, float, str, str],
    taken: list[tuple[Bbox, float]],
    canvas: Bbox,
    renderer: RendererBase,
) -> float:
    """What the label covers at `place` (which it is left at), plus what sticks out of the canvas."""
    dx, dy, ha, va = place
    drawn.set_position((dx, dy))
    drawn.set_horizontalalignment(ha)  # type: ignore[arg-type]  # from the table above
    drawn.set_verticalalignment(va)  # type: ignore[arg-type]  # from the table above
    box = drawn.get_window_extent(renderer).padded(2.0)
    outside = not (
        canvas.x0 <= box.x0 and box.x1 <= canvas.x1 and canvas.y0 <= box.y0 and box.y1 <= canvas.y1
    )
    return sum(cost for other, cost in taken if box.overlaps(other)) + (2 * _WORD if outside else 0.0)


def _obstacles(ax: Axes, own: Annotation, renderer: RendererBase) -> Iterator[tuple[Bbox, float]]:
    """What a label should not cover: other words, markers and lines, bars."""
    for text in ax.texts:
        if text is not own and text.get_visible() and text.get_text():
            yield text.get_window_extent(renderer), _WORD
    for axis in (ax.xaxis, ax.yaxis):
        for text in (*axis.get_majorticklabels(), axis.label):
            if text.get_visible() and text.get_text():
                yield text.get_window_extent(renderer), _WORD
    for patch in ax.patches:
        if isinstance(patch, Rectangle) and patch.get_visible():
            yield patch.get_window_extent(renderer), _PATCH
    for line in ax.lines:
        points = line.get_transform().transform(np.column_stack(line.get_data(orig=False)))
        for box in _along(points, line.get_linestyle() not in ("None", "none", "")):
            yield box, _LINE
    for collection in ax.collections:
        if isinstance(collection, LineCollection):
            for path in collection.get_paths():
                for box in _along(collection.get_transform().transform(path.vertices), True):
                    yield box, _LINE


def _along(points: np.ndarray, joined: bool) -> Iterator[Bbox]:
    """Small boxes along a polyline (or round its points only, where it is not joined)."""
    points = points[np.isfinite(points).all(axis=1)]
    if joined and len(points) > 1:
        steps = [np.linspace(a, b, 12) for a, b in pairwise(points)]
        points = np.concatenate(steps)
    for x, y in points:
        yield Bbox.from_extents(x - 6, y - 6, x + 6, y + 6)


def _spread(centres: np.ndarray, height: float, low: float, high: float) -> np.ndarray:
    """Sorted centres moved apart to at least `height`, as near to where they were as a sweep gives."""
    placed = centres.astype(float).copy()
    for i in range(1, len(placed)):
        placed[i] = max(placed[i], placed[i - 1] + height)
    overshoot = max(placed[-1] - (high - height / 2), 0.0)
    placed[-1] -= overshoot
    for i in range(len(placed) - 2, -1, -1):
        placed[i] = min(placed[i], placed[i + 1] - height)
    return np.asarray(placed + max(low + height / 2 - placed[0], 0.0))


def _readable(colour: str) -> str:
    """The colour itself if words in it can be read on white (4.5:1), otherwise ink."""
    return colour if style.contrast(colour, "#FFFFFF") >= 4.5 else style.INK
