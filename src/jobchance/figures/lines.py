"""Lines with bands, reference lines, and axes whose numbers are in the reader's language."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import Formatter as TickFormatter
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from jobchance.figures import style
from jobchance.formatting import Formatter
from jobchance.options import check_option


def step_line(
    ax: Axes,
    x: ArrayLike,
    y: ArrayLike,
    *,
    low: ArrayLike | None = None,
    high: ArrayLike | None = None,
    colour: str = style.CASEWORKER,
    line_style: style.LineStyle = "solid",
) -> None:
    """A step curve: each value holds from its x to the next; with a thin band if ends are given."""
    ax.step(
        np.asarray(x),
        np.asarray(y),
        where="post",
        color=colour,
        linestyle=line_style,
        linewidth=1.7,
        zorder=3,
    )
    if low is not None and high is not None:
        ax.fill_between(
            np.asarray(x),
            np.asarray(low),
            np.asarray(high),
            step="post",
            color=colour,
            alpha=0.16,
            linewidth=0,
            zorder=1,
        )


def line(
    ax: Axes,
    x: ArrayLike,
    y: ArrayLike,
    *,
    low: ArrayLike | None = None,
    high: ArrayLike | None = None,
    colour: str = style.CASEWORKER,
    line_style: style.LineStyle = "solid",
    marker: str = "",
) -> None:
    """A joined line, with a band if ends are given; `marker` for lines with few points."""
    ax.plot(
        np.asarray(x),
        np.asarray(y),
        color=colour,
        linestyle=line_style,
        marker=marker,
        markersize=5,
        linewidth=1.7,
        zorder=3,
    )
    if low is not None and high is not None:
        ax.fill_between(
            np.asarray(x), np.asarray(low), np.asarray(high), color=colour, alpha=0.16, linewidth=0, zorder=1
        )


def reference_line(ax: Axes, value: float = 0.0, *, axis: str = "x", dashed: bool = False) -> None:
    """A thin line at one value of `axis`: zero of a coefficient plot, a mean, an event."""
    draw = ax.axvline if check_option("axis", axis, ("x", "y")) == "x" else ax.axhline
    draw(value, color=style.GREY_TEXT, linewidth=0.9, linestyle=style.DASHED if dashed else "solid", zorder=1)


def grid_lines(ax: Axes, *, axis: str = "x") -> None:
    """Pale lines across the axes at the ticks of `axis`, behind all marks."""
    check_option("axis", axis, ("x", "y"))
    ax.grid(True, axis="x" if axis == "x" else "y", color=style.GRID, linewidth=0.6, zorder=0)


def number_axis(ax: Axes, *, axis: str, lang: str, unit: str = "number", ticks: int = 6) -> None:
    """Write the numbers of one axis in the reader's language, with no more decimals than the ticks need.

    Parameters
    ----------
    ax : Axes
    axis : str
        `"x"` or `"y"`.
    lang : str
        Language of the marks.
    unit : str
        `"number"`; `"percent"` for shares shown as "27 %"; `"pp"` for differences of shares shown as 1.7.
    ticks : int
        At most so many intervals.
    """
    check_option("unit", unit, ("number", "percent", "pp"))
    which = ax.xaxis if check_option("axis", axis, ("x", "y")) == "x" else ax.yaxis
    which.set_major_locator(MaxNLocator(nbins=ticks, steps=[1, 2, 2.5, 5, 10]))
    which.set_major_formatter(_Numbers(lang, unit))


def percent_axis(ax: Axes, *, axis: str, lang: str, ticks: int = 6) -> None:
    """Shares 0-1 as "27 %" (da) or "27%" (en): `number_axis` with `unit="percent"`."""
    number_axis(ax, axis=axis, lang=lang, unit="percent", ticks=ticks)


class _Numbers(TickFormatter):
    """Tick labels through the package's formatter, all with the same number of decimals."""

    def __init__(self, lang: str, unit: str) -> None:
        self._formatter, self._unit = Formatter(lang), unit

    def __call__(self, x: float, pos: int | None = None) -> str:
        return self.format_ticks([float(x)])[0]

    def format_ticks(self, values: ArrayLike) -> list[str]:
        """Texts of all ticks of the axis at once, with the decimals that the finest of them needs."""
        ticks = np.asarray(values, dtype=float)
        shown = ticks * (1 if self._unit == "number" else 100)
        decimals = next((d for d in range(6) if np.allclose(shown, np.round(shown, d), rtol=0, atol=1e-9)), 6)
        if self._unit == "percent":
            return [self._formatter.percent_axis(x, decimals=decimals) for x in np.round(ticks, 12).tolist()]
        return [self._formatter.number(x, decimals=decimals) for x in np.round(shown, 10).tolist()]
