"""F73: the teacher-expectancy effect by weeks of contact before the experiment, with its meta-regression."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from jobchance.figures import marks, style
from jobchance.figures._phrases import constant, outside_zero, source
from jobchance.figures.base import CatalogueFigure, Description, finish, new_figure
from jobchance.figures.expectancy_forest import hollow_mark, is_near_zero
from jobchance.formatting import Formatter
from jobchance.labels.load import label

NAME = "expectancy_by_contact"
REQUIRED = (
    "mark",
    "study",
    "weeks",
    "estimate",
    "conf_low",
    "conf_high",
    "weight",
    "published",
    "tau2",
    "method",
    "published_source",
    "study_source",
    "data_kind",
)
_STEP = 0.07  # weeks between circles that would lie on one another


def draw(frame: pd.DataFrame, *, lang: str = "da") -> CatalogueFigure:
    """Circles sized by weight, the fitted line with its band, published values as hollow marks."""
    bubbles = frame[frame["mark"] == "experiment"]
    fitted = frame[frame["mark"] == "line"].sort_values("weeks")
    figure, (ax,) = new_figure(height_cm=9.5)
    marks.grid_lines(ax, axis="y")
    marks.reference_line(ax, 0.0, axis="y")
    marks.line(
        ax,
        fitted["weeks"],
        fitted["estimate"],
        low=fitted["conf_low"],
        high=fitted["conf_high"],
        colour=style.CITIZEN,
    )
    for (_, row), shift in zip(bubbles.iterrows(), _apart(bubbles), strict=True):
        _bubble(ax, float(row["weeks"]) + shift, row)
    cap = int(fitted["weeks"].max())
    text = Formatter(lang)
    names = [text.count(week) for week in range(cap)]
    ax.set_xticks(range(cap + 1), labels=[*names, label(f"figure.{NAME}.or_more", lang, n=text.count(cap))])
    ax.set_xlim(-0.35, cap + 0.35)
    marks.number_axis(ax, axis="y", lang=lang)
    ax.set_xlabel(label(f"figure.{NAME}.axis_x", lang))
    ax.set_ylabel(label(f"figure.{NAME}.axis_y", lang))
    _draw_published(figure, ax, fitted, frame, lang)
    return finish(figure, _describe(frame, bubbles, fitted, lang))


def _bubble(ax: Axes, x: float, row: pd.Series) -> None:
    """One experiment; a line's marker, so that words keep clear of it."""
    ax.plot(
        [x],
        [row["estimate"]],
        marker="o",
        markersize=(20 + 2600 * float(row["weight"])) ** 0.5,
        color=style.CASEWORKER,
        markeredgecolor="white",
        markeredgewidth=0.8,
        alpha=0.55,
        linestyle="none",
        zorder=4,
    )


def _apart(bubbles: pd.DataFrame) -> pd.Series:
    """Sideways shift of circles with the same number of weeks, left and right in turn by their height."""
    shift = pd.Series(0.0, index=bubbles.index)
    for _, group in bubbles.groupby("weeks"):
        order = group["estimate"].sort_values().index
        turns = [(i + 1) // 2 * (1 if i % 2 else -1) for i in range(len(order))]
        shift.loc[order] = np.array(turns) * _STEP
    return shift


def _draw_published(
    figure: CatalogueFigure, ax: Axes, fitted: pd.DataFrame, frame: pd.DataFrame, lang: str
) -> None:
    """Published values of the line as hollow marks, named in the key."""
    published = fitted.dropna(subset=["published"])
    for _, row in published.iterrows():
        hollow_mark(ax, float(row["weeks"]), float(row["published"]))
    if len(published):
        words = label("published.marker", lang, key=constant(frame, "published_source"))
        marks.add_key(figure, [marks.KeyEntry(words, style.PUBLISHED, marker="D")])


def _describe(frame: pd.DataFrame, bubbles: pd.DataFrame, fitted: pd.DataFrame, lang: str) -> Description:
    text = Formatter(lang)
    key = f"figure.{NAME}"
    slope = frame[frame["mark"] == "slope"].iloc[0]
    pooled = frame[frame["mark"] == "pooled"].iloc[0]
    first, last = fitted.iloc[0], fitted.iloc[-1]
    sign = outside_zero(slope)
    message = {-1: "falls", 0: "flat", 1: "rises"}[sign]
    n, cap = text.count(len(bubbles)), text.count(int(last["weeks"]))

    def number(row: pd.Series) -> str:
        return text.number(row["estimate"], decimals=2)

    def interval(row: pd.Series) -> str:
        return text.range(row["conf_low"], row["conf_high"], decimals=2)

    ends = {"at_zero": number(first), "at_cap": number(last), "cap": cap}
    return Description(
        id="F73",
        name=NAME,
        lang=lang,
        headline=label(f"{key}.headline.{message}", lang),
        subtitle=label(f"{key}.subtitle", lang, n=n),
        note=label(
            f"{key}.note",
            lang,
            **ends,
            at_zero_interval=interval(first),
            at_cap_interval=interval(last),
            slope=number(slope),
            slope_interval=interval(slope),
            near_zero=label(f"{key}.average.{'near_zero' if is_near_zero(pooled) else 'apart'}", lang),
            mean=number(pooled),
            mean_interval=interval(pooled),
            tau2=text.number(first["tau2"], decimals=3),
            method=constant(frame, "method"),
        ),
        source=source(frame, lang),
        alt=label(f"{key}.alt", lang, n=n, **ends),
        units={"estimate": "standard deviations", "weeks": "weeks", "weight": "share"},
        published=(constant(frame, "published_source"),) if fitted["published"].notna().any() else (),
    )
