"""F83: the specification curve: every estimate by size with its interval, and the choices behind it below."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import NDArray

from jobchance.errors import SpecError
from jobchance.figures import _phrases as phrase
from jobchance.figures import _spec_curve_words as say
from jobchance.figures import _spec_grid as grid
from jobchance.figures import marks, style
from jobchance.figures.base import CatalogueFigure, Description, KeyEntry, add_key, finish, new_figure
from jobchance.labels.load import label

NAME = "specification_curve"
REQUIRED = (
    "rank", "is_main", "estimate", "conf_low", "conf_high", "p_value", "verdict", "unit", "conf_level",
    "specifications", "failed", "in_other_unit", "typical_estimate", "reference", "same_sign", "same_both",
    "p_typical", "p_significant", "p_average", "joint_clusters", "choice_estimator", "explained_estimator",
    "outcome", "horizon_weeks", "population", "N_citizens_total", "N_caseworkers_total", "N_jobcentres_total",
    "study_source", "data_kind",
)  # fmt: skip
_KEY = f"figure.{NAME}"
_CURVE_CM, _ROW_CM = 5.6, 0.43
_COLOURS = {-1: style.CITIZEN, 0: style.NEUTRAL, 1: style.CASEWORKER}
_CLASSES = {1: "above", 0: "none", -1: "below"}
_BEYOND = 3.0  # times the inner 96 per cent of the ends: a wider axis would flatten the curve
_BINS = 240


def draw(frame: pd.DataFrame, *, lang: str = "da") -> CatalogueFigure:
    """Estimates above, choice grid below; squares up to 60 specifications, strokes up to 300, then tones."""
    rows = frame[frame["estimate"].notna()].sort_values("rank", kind="stable").reset_index(drop=True)
    if rows.empty:
        raise SpecError(f"figure {NAME}: no specification has an estimate that may be shown.")
    found = grid.dimensions(rows, lang)
    headings = [say.heading(one, lang) for one in found]
    lines = sum(1.25 + len(one.rows) for one in found)
    figure, axes = new_figure(
        height_cm=_CURVE_CM + _ROW_CM * lines,
        rows=2 if found else 1,
        height_ratios=[_CURVE_CM, max(_ROW_CM * lines, 0.1)] if found else None,
    )
    classes = _classes(rows)
    colours = np.array([_COLOURS[one] for one in classes], dtype=object)
    cut = _curve(axes[0], rows, classes, colours, lang)
    if found:
        grid.draw_grid(axes[1], found, colours, headings)
        axes[1].set_xlabel(label(f"{_KEY}.axis", lang))
    for ax in axes:
        for place in np.flatnonzero(rows["is_main"].astype(bool)):
            ax.axvline(float(place), color=style.INK, linewidth=0.7, linestyle=style.DASHED, zorder=0.5)
    add_key(figure, _key(rows, classes, lang))
    return finish(figure, _describe(frame, rows, found, cut, lang))


def _classes(rows: pd.DataFrame) -> NDArray[np.int64]:
    """1 and -1 where the interval lies wholly above or below zero, else 0."""
    return np.array([phrase.outside_zero(row) for _, row in rows[["conf_low", "conf_high"]].iterrows()])


def _curve(
    ax: Axes, rows: pd.DataFrame, classes: NDArray[np.int64], colours: NDArray[np.object_], lang: str
) -> int:
    """Draw points with intervals; returns how many intervals reach beyond the axis."""
    n = len(rows)
    x = np.arange(n)
    y, low, high = (rows[name].to_numpy(dtype=float) for name in ("estimate", "conf_low", "conf_high"))
    marks.reference_line(ax, 0.0, axis="y")
    if n > grid.MANY:
        _band(ax, low, high)
        ax.scatter(x, y, c=list(colours), s=5, linewidths=0, zorder=3)
    else:
        ax.vlines(
            x, low, high, colors=list(colours), linewidth=min(1.6, max(0.5, 160 / n)), alpha=0.55, zorder=2
        )
        size = 22 if n <= grid.FEW else 7
        filled = classes != 0
        ax.scatter(x[filled], y[filled], c=list(colours[filled]), s=size, linewidths=0, zorder=3)
        ax.scatter(x[~filled], y[~filled], facecolors="white", edgecolors=list(colours[~filled]), s=size,
                   linewidths=1.0 if n <= grid.FEW else 0.6, zorder=3)  # fmt: skip
    main = rows["is_main"].to_numpy(dtype=bool)
    ax.vlines(x[main], low[main], high[main], colors=style.INK, linewidth=1.8, zorder=4)
    ax.scatter(
        x[main], y[main], marker="D", s=42, facecolors=style.INK, edgecolors="white", linewidths=0.8, zorder=5
    )
    ends = _limits(rows)
    ax.set_ylim(*ends)
    ax.set_xlim(-0.5 - 0.01 * n, n - 0.5 + 0.01 * n)
    ax.set_xticks([])
    ax.spines["bottom"].set_visible(False)
    marks.number_axis(ax, axis="y", lang=lang)
    marks.grid_lines(ax, axis="y")
    ax.set_ylabel(say.unit_axis(rows, lang))
    return int(((low < ends[0]) | (high > ends[1])).sum())


def _band(ax: Axes, low: NDArray[np.float64], high: NDArray[np.float64]) -> None:
    """Typical ends of the intervals along the curve: medians of neighbouring specifications."""
    edges = np.linspace(0, len(low), _BINS + 1).astype(int)
    parts = [slice(a, b) for a, b in pairwise(edges.tolist()) if b > a]
    middle = [(part.start + part.stop - 1) / 2 for part in parts]
    ends = [np.array([np.median(side[part]) for part in parts]) for side in (low, high)]
    ax.fill_between(middle, ends[0], ends[1], color=style.NEUTRAL, alpha=0.28, linewidth=0, zorder=1)


def _limits(rows: pd.DataFrame) -> tuple[float, float]:
    """Ends of the axis: all of it, unless a few intervals are so wide that the curve would be flat."""
    ends = rows[["conf_low", "conf_high"]].to_numpy(dtype=float)
    main = rows["is_main"].to_numpy(dtype=bool)
    kept = [0.0, *ends[main].ravel()]
    inner = [float(np.quantile(ends[:, 0], 0.02)), float(np.quantile(ends[:, 1], 0.98)), *kept]
    whole = [*ends.ravel(), *kept]
    used = whole if np.ptp(whole) <= _BEYOND * np.ptp(inner) else inner
    margin = 0.05 * (float(np.ptp(used)) or 1.0)
    return min(used) - margin, max(used) + margin


def _key(rows: pd.DataFrame, classes: NDArray[np.int64], lang: str) -> list[KeyEntry]:
    """Classes that occur, and the main specification."""
    level = say.level(rows, lang)
    entries = [
        KeyEntry(label(f"{_KEY}.class.{word}", lang, level=level), _COLOURS[one], marker="o", filled=one != 0)
        for one, word in _CLASSES.items()
        if (classes == one).any()
    ]
    if rows["is_main"].astype(bool).any():
        entries.append(KeyEntry(label(f"{_KEY}.main", lang), style.INK, marker="D", filled=True))
    if len(rows) > grid.MANY:
        entries.append(KeyEntry(label(f"{_KEY}.band", lang, level=level), "#DEDEDE"))
    return entries


def _describe(
    frame: pd.DataFrame, rows: pd.DataFrame, found: list[grid.Dimension], cut: int, lang: str
) -> Description:
    dense = label(f"{_KEY}.tones", lang) if len(rows) > grid.MANY and found else ""
    return Description(
        id="F83",
        name=NAME,
        lang=lang,
        headline=say.headline(rows, lang),
        subtitle=say.subtitle(rows, lang),
        note=phrase.sentences(
            say.caution(rows, lang),
            say.about(frame, rows, lang),
            say.run(frame, lang),
            say.agreeing(rows, lang),
            say.joint(frame, lang),
            say.matters(found, lang),
            dense,
            say.beyond(cut, lang),
        ),
        source=phrase.source(frame, lang),
        alt=say.alt(rows, found, lang),
        units={"estimate": str(frame["unit"].iloc[0])},
    )
