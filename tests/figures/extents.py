"""Reusable checks of a drawn figure by renderer extents: nothing leaves the canvas, no words overlap.

Use: `from extents import assert_nothing_clipped, assert_no_text_overlap` (tests/ folders are on the path
through `conftest.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

_SLACK = 1.5  # pixels at 300 dpi: antialiasing


def drawn_texts(fig: Figure) -> list[tuple[str, Bbox]]:
    """Every visible, non-empty text of the figure with its box in pixels."""
    fig.draw_without_rendering()
    renderer = fig.canvas.get_renderer()
    found = []
    for text in _texts(fig):
        if text.get_visible() and text.get_text().strip():
            found.append((text.get_text(), text.get_window_extent(renderer)))
    return found


def assert_nothing_clipped(fig: Figure) -> None:
    """Every text, and every axes with all its decorations, lies on the canvas."""
    width, height = fig.bbox.width, fig.bbox.height
    boxes = drawn_texts(fig)
    renderer = fig.canvas.get_renderer()
    boxes += [(f"axes {i}", ax.get_tightbbox(renderer)) for i, ax in enumerate(fig.axes) if ax.get_visible()]
    outside = [
        (name, [round(v) for v in box.extents])
        for name, box in boxes
        if box is not None
        and (box.x0 < -_SLACK or box.y0 < -_SLACK or box.x1 > width + _SLACK or box.y1 > height + _SLACK)
    ]
    assert outside == [], f"off the canvas of {width:.0f} x {height:.0f} pixels: {outside}"


def assert_no_text_overlap(fig: Figure) -> None:
    """No two visible texts cover one another, and no frame text reaches into an axes."""
    texts = drawn_texts(fig)
    overlapping = [(a, b) for (a, one), (b, other) in combinations(texts, 2) if _overlap(one, other)]
    assert overlapping == [], f"words on words: {overlapping}"
    frame = {text.get_text() for text in fig.texts}
    panels = [ax.get_window_extent() for ax in fig.axes if ax.get_visible()]
    inside = [name for name, box in texts if name in frame and any(_overlap(box, panel) for panel in panels)]
    assert inside == [], f"headline or notes inside the axes: {inside}"


def _overlap(one: Bbox, other: Bbox) -> bool:
    width = min(one.x1, other.x1) - max(one.x0, other.x0)
    height = min(one.y1, other.y1) - max(one.y0, other.y0)
    return width > _SLACK and height > _SLACK


def _texts(fig: Figure) -> Iterator[Text]:
    yield from fig.texts
    for extra in (fig._suptitle, fig._supxlabel, fig._supylabel):
        if extra is not None and extra not in fig.texts:
            yield extra
    for ax in fig.axes:
        if not ax.get_visible():
            continue
        yield from ax.texts
        yield from (ax.title, ax._left_title, ax._right_title)
        for axis in (ax.xaxis, ax.yaxis):
            yield axis.label
            low, high = sorted(axis.get_view_interval())
            for tick in axis.get_major_ticks():
                if low - 1e-9 <= tick.get_loc() <= high + 1e-9:
                    if tick.label1.get_visible():
                        yield tick.label1
                    if tick.label2.get_visible():
                        yield tick.label2
        if ax.get_legend() is not None:
            yield from ax.get_legend().get_texts()
