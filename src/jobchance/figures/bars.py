"""Bars and points with intervals, value labels outside the interval's end, hidden cells hatched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from numpy.typing import ArrayLike

from jobchance.figures import style
from jobchance.formatting import MISSING

_THICKNESS = 0.66
_WORD_SHARE = 0.2  # share of the axis that the words beside a bar may take


def horizontal_bars(
    ax: Axes,
    labels: Sequence[str],
    values: ArrayLike,
    *,
    low: ArrayLike | None = None,
    high: ArrayLike | None = None,
    colours: str | Sequence[str] = style.CASEWORKER,
    value_labels: Sequence[str] | None = None,
    hatches: Sequence[str] | None = None,
    markers: Mapping[int, float] | None = None,
) -> None:
    """Horizontal bars from the top down, in the order given.

    Parameters
    ----------
    ax : Axes
        Axes made by `new_figure`.
    labels : sequence of str
        Names of the bars; any length, wrapped by `finish`.
    values : sequence of float
        Lengths; NaN is a hidden cell, drawn as a hatched stub with "..".
    low, high : sequence of float, optional
        Ends of the intervals; NaN where there is none.
    colours : str or sequence of str
        One for all or one for each.
    value_labels : sequence of str, optional
        Words outside the bar or interval, whichever reaches further.
    hatches : sequence of str, optional
        Matplotlib hatches, for grey print.
    markers : mapping of int to float, optional
        Values of the published markers by bar, which the words stand clear of.
    """
    _bars(ax, labels, values, low, high, colours, value_labels, hatches, markers or {}, horizontal=True)
    ax.set_yticks(range(len(labels)), labels=list(labels))
    ax.tick_params(axis="y", length=0)
    ax.set_ylim(len(labels) - 0.5, -0.5)


def vertical_bars(
    ax: Axes,
    labels: Sequence[str],
    values: ArrayLike,
    *,
    low: ArrayLike | None = None,
    high: ArrayLike | None = None,
    colours: str | Sequence[str] = style.CASEWORKER,
    value_labels: Sequence[str] | None = None,
    hatches: Sequence[str] | None = None,
) -> None:
    """Vertical bars from left to right; parameters as in `horizontal_bars`. Prefer those for long labels."""
    _bars(ax, labels, values, low, high, colours, value_labels, hatches, {}, horizontal=False)
    ax.set_xticks(range(len(labels)), labels=list(labels))
    ax.tick_params(axis="x", length=0)
    ax.set_xlim(-0.5, len(labels) - 0.5)


def interval_points(
    ax: Axes,
    labels: Sequence[str],
    values: ArrayLike,
    *,
    low: ArrayLike,
    high: ArrayLike,
    colours: str | Sequence[str] = style.CASEWORKER,
    markers: str | Sequence[str] = "o",
    value_labels: Sequence[str] | None = None,
    offset: float = 0.0,
) -> None:
    """Estimates with intervals on rows from the top down (coefficients, forest); NaN is a hidden row.

    `offset` shifts the series within its rows, so that two series can stand beside one another. The last
    call decides the rows' names.
    """
    places = np.arange(len(labels), dtype=float) + offset
    centre, left, right = (np.asarray(part, dtype=float) for part in (values, low, high))
    for i, y in enumerate(places):
        colour, marker = _each(colours, i), _each(markers, i)
        if np.isnan(centre[i]):
            _hidden_stub(ax, y, horizontal=True, thickness=0.4)
            continue
        ax.plot([left[i], right[i]], [y, y], color=colour, linewidth=1.4, solid_capstyle="butt", zorder=3)
        ax.plot([centre[i]], [y], marker=marker, color=colour, markersize=5.5, linestyle="none", zorder=4)
        if value_labels is not None:
            end = np.nanmax([centre[i], right[i]])
            _annotate(ax, value_labels[i], (end, y), (5, 0), ha="left", va="center")
    ax.set_yticks(range(len(labels)), labels=list(labels))
    ax.tick_params(axis="y", length=0)
    ax.set_ylim(len(labels) - 0.5, -0.5)


def _bars(
    ax: Axes,
    labels: Sequence[str],
    values: ArrayLike,
    low: ArrayLike | None,
    high: ArrayLike | None,
    colours: str | Sequence[str],
    value_labels: Sequence[str] | None,
    hatches: Sequence[str] | None,
    markers: Mapping[int, float],
    *,
    horizontal: bool,
) -> None:
    nothing = np.full(len(labels), np.nan)
    size = np.asarray(values, dtype=float)
    bottom = nothing if low is None else np.asarray(low, dtype=float)
    top = nothing if high is None else np.asarray(high, dtype=float)
    for i in range(len(labels)):
        if np.isnan(size[i]):
            _hidden_stub(ax, i, horizontal=horizontal, thickness=_THICKNESS)
            continue
        look: dict[str, Any] = {
            "color": _each(colours, i),
            "edgecolor": style.GREY_TEXT,
            "linewidth": 0.5,
            "hatch": hatches[i] if hatches else None,
            "zorder": 2,
        }
        if horizontal:
            ax.barh(i, size[i], height=_THICKNESS, **look)
        else:
            ax.bar(i, size[i], width=_THICKNESS, **look)
        ends = (bottom[i], top[i])
        if np.isfinite(ends).all():
            _whisker(ax, i, ends, horizontal=horizontal)
        if value_labels is not None:
            reach = [size[i], *ends]
            end = float(np.nanmin(reach) if size[i] < 0 else np.nanmax(reach))
            clear = _hit(end, markers.get(i, np.nan), np.concatenate([size, bottom, top]))
            _value_label(ax, value_labels[i], i, end, clear=clear, horizontal=horizontal)
    _set_limits(ax, np.concatenate([size, bottom, top, [0.0, *markers.values()]]), horizontal=horizontal)


def _whisker(ax: Axes, place: float, ends: tuple[float, float], *, horizontal: bool) -> None:
    along, across = list(ends), [place, place]
    ax.plot(
        *((along, across) if horizontal else (across, along)),
        color=style.INK,
        linewidth=1.0,
        marker="|" if horizontal else "_",
        markersize=5,
        markeredgewidth=1.0,
        zorder=3,
        clip_on=False,
    )


def _hit(end: float, marker: float, ends: np.ndarray) -> float | None:
    """The marker, if words that begin at `end` would run into it; None if it stands elsewhere."""
    return marker if -0.02 <= (marker - end) / float(np.nanmax(ends)) <= _WORD_SHARE else None


def _value_label(
    ax: Axes, text: str, place: float, end: float, *, clear: float | None, horizontal: bool
) -> None:
    """Beyond the end that lies furthest from zero, and beyond a marker that stands there."""
    away = -4 if end < 0 else 4
    if clear is not None:
        end, away = max(end, clear), 8
    if horizontal:
        _annotate(ax, text, (end, place), (away, 0), ha="right" if end < 0 else "left", va="center")
    else:
        _annotate(ax, text, (place, end), (0, away), ha="center", va="top" if end < 0 else "bottom")


def _annotate(
    ax: Axes, text: str, place: tuple[float, float], offset: tuple[float, float], *, ha: str, va: str
) -> None:
    ax.annotate(
        text,
        place,
        xytext=offset,
        textcoords="offset points",
        ha=ha,
        va=va,
        fontsize=style.SMALL_SIZE,
        color=style.INK,
        annotation_clip=False,
        zorder=5,
    )


def _hidden_stub(ax: Axes, place: float, *, horizontal: bool, thickness: float) -> None:
    """A hatched stub of fixed length: its size must say nothing about the hidden number."""
    length = 0.05
    if horizontal:
        corner, size, transform = (0.0, place - thickness / 2), (length, thickness), ax.get_yaxis_transform()
        end, offset, ha, va = (length, place), (4, 0), "left", "center"
    else:
        corner, size, transform = (place - thickness / 2, 0.0), (thickness, length), ax.get_xaxis_transform()
        end, offset, ha, va = (place, length), (0, 3), "center", "bottom"
    ax.add_patch(hidden_cell(corner, size, transform=transform))
    ax.annotate(
        MISSING,
        end,
        xycoords=transform,
        xytext=offset,
        textcoords="offset points",
        ha=ha,
        va=va,
        fontsize=style.SMALL_SIZE,
        color=style.INK,
        annotation_clip=False,
    )


def hidden_cell(corner: tuple[float, float], size: tuple[float, float], *, transform: object) -> Rectangle:
    """The hatched rectangle that stands for a cell not shown for confidentiality."""
    return Rectangle(
        corner,
        *size,
        facecolor=style.SUPPRESSED,
        edgecolor=style.NEUTRAL,
        hatch="////",
        linewidth=0.5,
        transform=transform,
        zorder=2,
    )


def _set_limits(ax: Axes, ends: np.ndarray, *, horizontal: bool) -> None:
    finite = ends[np.isfinite(ends)]
    low, high = float(finite.min()), float(finite.max())
    room = 0.03 * ((high - low) or 1.0)
    limits = (low - room if low < 0 else 0.0, high + room if high > 0 or low == 0 else 0.0)
    if horizontal:
        ax.set_xlim(*limits)
    else:
        ax.set_ylim(*limits)


def _each(given: str | Sequence[str], i: int) -> str:
    return given if isinstance(given, str) else given[i]
