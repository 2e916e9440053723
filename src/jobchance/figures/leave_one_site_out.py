"""F58: the estimate without each jobcentre or wave as points, without each person as a distribution."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes

from jobchance.figures import _phrases as phrase
from jobchance.figures import marks, style
from jobchance.figures._captions import note
from jobchance.figures.base import CatalogueFigure, Description, finish, height_for_rows, new_figure
from jobchance.formatting import Formatter
from jobchance.labels.load import has_label, label

NAME = "leave_one_site_out"
REQUIRED = (
    "mark", "left_out", "estimate", "conf_low", "conf_high", "group", "exact", "term", "levels", "N_citizens",
    "estimand", "outcome", "horizon_weeks", "respondent", "population", "interval", "N_citizens_total",
    "N_caseworkers_total", "N_jobcentres_total", "study_source", "data_kind",
)  # fmt: skip
_KEY = f"figure.{NAME}"
_NAMED = ("wave", "period")


def draw(frame: pd.DataFrame, *, lang: str = "da") -> CatalogueFigure:
    """Estimates without each level, with everybody's estimate and its interval as line and band."""
    points, bins = frame[frame["mark"] == "point"], frame[frame["mark"] == "bin"]
    height = 0.6 * height_for_rows(len(points)) + 1.0 if len(points) else 5.5
    figure, (ax,) = new_figure(height_cm=height)
    everybody = frame[frame["mark"] == "all"].iloc[0]
    _band(ax, everybody)
    if len(points):
        _points(ax, points, lang)
    else:
        _bars(ax, bins, lang)
    if len(points) or ax.get_xlim()[0] <= 0 <= ax.get_xlim()[1]:
        marks.reference_line(ax, 0.0)
    marks.number_axis(ax, axis="x", lang=lang)
    ax.set_xlabel(label(f"{_KEY}.axis.x", lang, term=_term(frame, lang)))
    return finish(figure, _describe(frame, everybody, lang))


def _band(ax: Axes, everybody: pd.Series) -> None:
    """Estimate and interval with everybody."""
    if pd.isna(everybody["estimate"]):
        return
    low, high = 100 * float(everybody["conf_low"]), 100 * float(everybody["conf_high"])
    ax.axvspan(low, high, color=style.CASEWORKER, alpha=0.12, linewidth=0, zorder=0)
    ax.axvline(
        100 * float(everybody["estimate"]), color=style.CASEWORKER, linewidth=1.2, linestyle=style.DASHED
    )


def _points(ax: Axes, points: pd.DataFrame, lang: str) -> None:
    """One row per level left out."""
    group = phrase.constant(points, "group")
    key = f"{_KEY}.without.{group}"
    names = [
        label(key if has_label(key) else f"{_KEY}.without.other", lang, n=str(n)) for n in points["left_out"]
    ]
    value, low, high = (100 * points[c].astype(float) for c in ("estimate", "conf_low", "conf_high"))
    marks.interval_points(
        ax, names, value, low=low.fillna(value), high=high.fillna(value), colours=style.CASEWORKER
    )
    marks.grid_lines(ax, axis="x")


def _bars(ax: Axes, bins: pd.DataFrame, lang: str) -> None:
    """How the estimates without one level are spread."""
    shown = bins.dropna(subset=["estimate", "level_share"])
    low, high = 100 * shown["estimate"].astype(float), 100 * shown["estimate_to"].astype(float)
    width = high - low
    density = shown["level_share"].astype(float) / width
    ax.bar(low, density, width=width, align="edge", color=style.MIDDLE, edgecolor="white", linewidth=0.5)
    ax.set_yticks([])
    if len(shown):
        margin = 0.15 * (float(high.max()) - float(low.min()))
        ax.set_xlim(float(low.min()) - margin, float(high.max()) + margin)
        ax.set_ylim(0, 1.1 * float(density.max()))
    ax.spines["left"].set_visible(False)
    ax.set_ylabel(label(f"{_KEY}.axis.density", lang))


def _describe(frame: pd.DataFrame, everybody: pd.Series, lang: str) -> Description:
    text = Formatter(lang)
    rest = frame[frame["mark"] != "all"]
    group = phrase.constant(frame, "group")
    key = f"{_KEY}.group.{group}"
    what = label(key if has_label(key) else f"{_KEY}.group.other", lang, group=group)
    fill = {
        "what": what,
        "n": text.count(phrase.whole(frame, "levels")),
        "value": text.pp(everybody["estimate"]),
        "range": text.interval(_least(rest), _most(rest), unit="pp", level=None),
        "term": _term(frame, lang),
        "reached": phrase.outcome_reached(frame, lang),
        "horizon": phrase.horizon(frame, lang),
    }
    kind = _kind(everybody, rest)
    return Description(
        id="F58",
        name=NAME,
        lang=lang,
        headline=label(f"{_KEY}.headline.{kind}", lang, **fill),
        subtitle=label(f"{_KEY}.subtitle", lang, **fill),
        note=note(
            frame,
            lang,
            label(f"{_KEY}.everybody", lang, **fill),
            label(f"{_KEY}.masked", lang) if _is_masked(frame) else "",
            label(f"{_KEY}.first_order", lang) if phrase.constant(frame, "exact") != "exact" else "",
            cautions=(f"{_KEY}.reading",),
        ),
        source=phrase.source(frame, lang),
        alt=label(f"{_KEY}.alt.{kind}", lang, **fill),
        units={"estimate": "difference between shares per unit of the exposure"},
    )


def _is_masked(frame: pd.DataFrame) -> bool:
    """Whether points stand for places without a name."""
    return bool((frame["mark"] == "point").any()) and phrase.constant(frame, "group") not in _NAMED


def _term(frame: pd.DataFrame, lang: str) -> str:
    """The exposure in words where it has some, else its name."""
    term = phrase.constant(frame, "term")
    key = f"{_KEY}.term.{term}"
    return label(key, lang) if has_label(key) else term


def _least(rest: pd.DataFrame) -> float:
    return float(rest["estimate"].astype(float).min())


def _most(rest: pd.DataFrame) -> float:
    column = "estimate_to" if (rest["mark"] == "bin").any() else "estimate"
    return float(rest[column].astype(float).max())


def _kind(everybody: pd.Series, rest: pd.DataFrame) -> str:
    """Whether the sign stays without each of them."""
    if pd.isna(everybody["estimate"]) or rest["estimate"].isna().any():
        return "hidden"
    sign = float(everybody["estimate"]) > 0
    same = _least(rest) > 0 if sign else _most(rest) < 0
    return "same" if same else "flips"
