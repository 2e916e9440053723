"""Where the axes stand in a figure: wrapped tick labels and titles, and growth until nothing collides.

The body (axes with tick labels) is arranged by matplotlib's constrained layout inside the rectangle that the
frame of words leaves; what that cannot do is done here. Lengths are pixels at the figure's own resolution.
"""

from __future__ import annotations

import warnings
from itertools import pairwise

from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backend_bases import RendererBase
from matplotlib.font_manager import FontProperties
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FixedLocator
from matplotlib.transforms import Bbox

from jobchance.figures import style
from jobchance.figures.base import CatalogueFigure
from jobchance.figures.frame import GAP, Frame, balance, remove_frame, wrap

_PASSES = 12


def lay_out(figure: CatalogueFigure) -> None:
    """Place all words of `figure.description` and fit the axes between them."""
    remove_frame(figure)
    renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]  # the Agg canvas has one
    frame = Frame(figure, renderer)
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
        texts = [balance(text, room, font, renderer) for text in self._texts]
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
            needed = (upper.height + lower.height) / 2 + GAP / 2
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
    return 0.26 * body_width if len(labelled) == 1 else 0.45 * body_width / columns


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
        text = balance(self._text, max(self._ax.get_window_extent(renderer).width, 40.0), font, renderer)
        changed, self._drawn = text != self._drawn, text
        if changed:
            self._ax.set_title(text, loc="left")
        return changed
