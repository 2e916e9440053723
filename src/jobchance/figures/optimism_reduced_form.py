"""F18: the examiner plot: local linear fit with band above a histogram of the caseworker's optimism."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes

from jobchance.figures import _phrases as phrase
from jobchance.figures import marks, style
from jobchance.figures._captions import hidden
from jobchance.figures.base import CatalogueFigure, Description, finish, new_figure
from jobchance.formatting import Formatter
from jobchance.labels.load import label

NAME = "optimism_reduced_form"
REQUIRED = (
    "mark", "x", "x_low", "x_high", "estimate", "conf_low", "conf_high", "N_rows", "mean_outcome",
    "bandwidth", "cells", "estimand", "outcome", "horizon_weeks", "respondent", "population", "interval",
    "N_citizens_total", "N_caseworkers_total", "N_jobcentres_total", "study_source", "data_kind",
)  # fmt: skip
_KEY = f"figure.{NAME}"


def draw(frame: pd.DataFrame, *, lang: str = "da") -> CatalogueFigure:
    """Curve, band and straight line on top; the number of measurements by optimism below."""
    figure, (top, bottom) = new_figure(height_cm=8.6, rows=2, height_ratios=[2.4, 1.0], sharex=True)
    _draw_curve(top, frame, lang)
    _draw_bins(bottom, frame[frame["mark"] == "bin"], lang)
    phrase.say_association(top, lang)
    marks.add_key(
        figure,
        [
            marks.KeyEntry(label(f"{_KEY}.key.curve", lang), style.CASEWORKER, marker="-"),
            marks.KeyEntry(label(f"{_KEY}.key.line", lang), style.INK, marker="-", line_style=(0, (4, 2))),
        ],
    )
    return finish(figure, _describe(frame, lang))


def _draw_curve(ax: Axes, frame: pd.DataFrame, lang: str) -> None:
    curve = frame[frame["mark"] == "curve"]
    marks.line(
        ax,
        curve["x"],
        curve["estimate"],
        low=curve["conf_low"],
        high=curve["conf_high"],
        colour=style.CASEWORKER,
    )
    slope = _slope(frame)
    if slope is not None and len(curve):
        ends = [float(curve["x"].min()), float(curve["x"].max())]
        mean = float(frame["mean_outcome"].iloc[0])
        line = [mean + end * float(slope["estimate"]) for end in ends]
        ax.plot(ends, line, color=style.INK, linestyle=(0, (4, 2)), linewidth=1.2, zorder=4)
    ax.set_ylim(0.0, max(0.02, 1.25 * float(curve["conf_high"].max())) if len(curve) else 1.0)
    marks.percent_axis(ax, axis="y", lang=lang, ticks=5)
    marks.grid_lines(ax, axis="y")
    ax.set_ylabel(phrase.outcome_share(frame, lang))
    ax.tick_params(axis="x", labelbottom=False)


def _draw_bins(ax: Axes, bins: pd.DataFrame, lang: str) -> None:
    """Bars as wide as their bins; a hidden bin is hatched."""
    for low, high, n in zip(bins["x_low"], bins["x_high"], bins["N_rows"], strict=True):
        if pd.notna(n):
            ax.bar(
                low, n, width=high - low, align="edge", color=style.MIDDLE, edgecolor="white", linewidth=0.7
            )
    ax.set_xlim(float(bins["x_low"].min()), float(bins["x_high"].max()))
    marks.number_axis(ax, axis="x", lang=lang)
    marks.number_axis(ax, axis="y", lang=lang, ticks=3)
    ax.set_xlabel(label(f"{_KEY}.axis.x", lang))
    ax.set_ylabel(label(f"{_KEY}.axis.bins", lang))


def _slope(frame: pd.DataFrame) -> pd.Series | None:
    found = frame[(frame["mark"] == "slope") & frame["estimate"].notna()]
    return None if found.empty else found.iloc[0]


def _describe(frame: pd.DataFrame, lang: str) -> Description:
    text = Formatter(lang)
    fill = {"share": phrase.outcome_share(frame, lang), "horizon": phrase.horizon(frame, lang)}
    slope = _slope_words(frame, lang)
    return Description(
        id="F18",
        name=NAME,
        lang=lang,
        headline=_headline(frame, lang),
        subtitle=label(f"{_KEY}.subtitle", lang, **fill),
        note=phrase.sentences(
            label("caution.association", lang),
            label("caution.dispositional", lang),
            slope,
            f"{phrase.totals(frame, lang)}.",
            phrase.population(frame, lang),
            phrase.say_outcome(frame, lang),
            label(
                f"{_KEY}.definition",
                lang,
                bandwidth=text.number(float(frame["bandwidth"].iloc[0]), decimals=1),
            ),
            label("suppressed.note", lang) if hidden(frame) else "",
        ),
        source=phrase.source(frame, lang),
        alt=label(f"{_KEY}.alt", lang, slope=slope, **fill),
        units={"x": "standard deviations of optimism", "estimate": "share", "N_rows": "measurements"},
    )


def _slope_words(frame: pd.DataFrame, lang: str) -> str:
    text, slope = Formatter(lang), _slope(frame)
    if slope is None:
        return ""
    mean = float(frame["mean_outcome"].iloc[0])
    return label(
        f"{_KEY}.slope",
        lang,
        cells=text.count(phrase.whole(frame, "cells")),
        pp=text.pp(slope["estimate"], decimals=2),
        interval=text.interval(slope["conf_low"], slope["conf_high"], decimals=2, unit="pp"),
        relative=text.percent(slope["estimate"] / mean),
        mean=text.percent(mean, decimals=1),
    )


def _headline(frame: pd.DataFrame, lang: str) -> str:
    slope = _slope(frame)
    if slope is None:
        return label(f"{_KEY}.headline.neutral", lang, share=phrase.outcome_share(frame, lang))
    key = {1: "higher", -1: "lower", 0: "unclear"}[phrase.outside_zero(slope)]
    return label(
        f"{_KEY}.headline.{key}",
        lang,
        state=phrase.outcome_state(frame, lang),
        pp=Formatter(lang).pp(slope["estimate"]),
    )
