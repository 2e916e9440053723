"""The canvas of every catalogue figure and the words that stand around it.

A figure module does three things: `figure, axes = new_figure(...)`, marks on the axes (`figures.marks`), and
`return finish(figure, Description(...))`, which lays everything out by measured extents. No pyplot, so
nothing global is created and figures can be drawn in threads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from matplotlib.axes import Axes
from matplotlib.backend_bases import RendererBase
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from jobchance.figures import style

# Called after a layout pass with the renderer; moves its own labels and returns the extra body height in
# pixels that it lacks (0.0 when all is well).
Adjustment = Callable[[RendererBase], float]


@dataclass(frozen=True)
class Description:
    """What a figure says, in words; saved as json beside the picture.

    Parameters
    ----------
    id, name : str
        Catalogue id (`"F15"`) and name (`"belief_gradient"`).
    lang : str
        Language of the texts.
    headline : str
        The message, in plain words.
    subtitle : str
        What is shown: measure, population, period.
    note : str
        Text after "Anm."/"Note": N, outcome rule, horizon, interval, cautions.
    source : str
        Text after "Kilde"/"Source".
    alt : str
        Alternative text: message, axes, groups and key numbers.
    units : mapping of str to str
        Unit of each axis or column drawn.
    published : tuple of str
        Source keys of published numbers that are overlaid.
    """

    id: str
    name: str
    lang: str
    headline: str
    subtitle: str
    note: str
    source: str
    alt: str
    units: Mapping[str, str] = field(default_factory=dict)
    published: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "units", MappingProxyType(dict(self.units)))
        object.__setattr__(self, "published", tuple(self.published))


@dataclass(frozen=True)
class KeyEntry:
    """One swatch with its word, in the row of keys between subtitle and axes."""

    text: str
    colour: str
    hatch: str = ""
    marker: str = "s"  # "s" a filled box, "-" a line, else matplotlib's name of a marker
    filled: bool = False  # whether a marker is filled; published numbers are hollow
    line_style: style.LineStyle = "solid"


class CatalogueFigure(Figure):
    """A matplotlib figure that carries its own description; 16 cm wide, drawn by Agg, without pyplot.

    Parameters
    ----------
    height_cm : float
        Height of the axes with their tick labels; `finish` adds what headline and notes need.
    """

    def __init__(self, *, height_cm: float = 8.0) -> None:
        super().__init__(figsize=(style.WIDTH_CM * style.CM, height_cm * style.CM), dpi=style.DPI)
        FigureCanvasAgg(self)
        self.body_height_cm = height_cm
        self.key_entries: list[KeyEntry] = []
        self.adjustments: list[Adjustment] = []
        self.frame_hash: str | None = None  # of the frame drawn; set where the drawing function is called
        self._description: Description | None = None

    @property
    def description(self) -> Description:
        """The words of a finished figure; `RuntimeError` before `finish`."""
        if self._description is None:
            raise RuntimeError("the figure is not finished: call finish(figure, description)")
        return self._description

    @description.setter
    def description(self, description: Description) -> None:
        self._description = description


def new_figure(
    *,
    height_cm: float = 8.0,
    rows: int = 1,
    cols: int = 1,
    sharex: bool = False,
    sharey: bool = False,
    width_ratios: Sequence[float] | None = None,
    height_ratios: Sequence[float] | None = None,
) -> tuple[CatalogueFigure, list[Axes]]:
    """An empty figure and its axes, row by row.

    Parameters
    ----------
    height_cm : float
        Height of the part with axes, cm; headline, notes and long tick labels come on top of it.
    rows, cols : int
        Grid of axes.
    sharex, sharey : bool
        Whether all axes share a scale; inner tick labels are then left out.
    width_ratios, height_ratios : sequence of float, optional
        Relative sizes of columns and rows.

    Returns
    -------
    (CatalogueFigure, list of Axes)

    Examples
    --------
    >>> figure, (ax,) = new_figure(height_cm=6)
    >>> round(figure.get_figwidth() * 2.54, 1)
    16.0
    """
    with style.context():
        figure = CatalogueFigure(height_cm=height_cm)
        grid = figure.subplots(
            rows,
            cols,
            sharex=sharex,
            sharey=sharey,
            squeeze=False,
            width_ratios=width_ratios,
            height_ratios=height_ratios,
        )
    return figure, list(grid.ravel())


def height_for_rows(rows: int, *, lines: int = 1) -> float:
    """Body height in cm that suits `rows` horizontal bars or points with `lines` marks each."""
    return 1.6 + rows * (0.35 + 0.45 * lines)


def add_key(figure: CatalogueFigure, entries: Sequence[KeyEntry]) -> None:
    """Put swatches with words above the axes, in the order given; wrapped to the width by `finish`.

    Direct labels are better where there is room for them; the key is for stacked bars and small multiples.
    """
    figure.key_entries.extend(entries)


def finish(figure: CatalogueFigure, description: Description) -> CatalogueFigure:
    """Write headline, subtitle, key, "Anm." and "Kilde" and lay everything out by measure.

    The figure keeps its width of 16 cm and grows in height: texts are wrapped to their measured width, long
    tick labels are wrapped, and the axes get taller where their labels would collide.

    Parameters
    ----------
    figure : CatalogueFigure
        With all marks drawn.
    description : Description
        Its words; those of the picture are taken from here and from nowhere else.

    Returns
    -------
    CatalogueFigure
        The same figure, ready for `save_figure`.
    """
    from jobchance.figures.layout import lay_out  # layout needs the classes above

    figure.description = description
    with style.context():
        lay_out(figure)
    return figure
