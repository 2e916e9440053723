"""F72: forest plot of the teacher-expectancy experiments, their mean, and what a new one may show."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from jobchance.figures import marks, style
from jobchance.figures._phrases import constant, outside_zero, source, whole
from jobchance.figures.base import CatalogueFigure, Description, finish, new_figure
from jobchance.formatting import Formatter
from jobchance.labels.load import label

NAME = "expectancy_forest"
REQUIRED = (
    "mark",
    "study",
    "weeks",
    "estimate",
    "conf_low",
    "conf_high",
    "weight",
    "p_value",
    "tau2",
    "tau2_low",
    "tau2_high",
    "I2_pct",
    "Q_p",
    "N_reports",
    "method",
    "published_source",
    "study_source",
    "data_kind",
)
NEAR_ZERO = 0.1  # standard deviations: half of what is conventionally called a small effect


def draw(frame: pd.DataFrame, *, lang: str = "da") -> CatalogueFigure:
    """One line per experiment with its weight as a square; the mean as a diamond; values to the right."""
    rows = frame.reset_index(drop=True)
    figure, (ax,) = new_figure(height_cm=1.6 + 0.47 * len(rows))
    for place, row in rows.iterrows():
        _MARKS[str(row["mark"])](ax, float(str(place)), row)
        ax.text(
            1.02,
            float(str(place)),
            _value(row, lang),
            transform=ax.get_yaxis_transform(),
            va="center",
            clip_on=False,
        )
    ax.set_yticks(range(len(rows)), labels=[_name(row, lang) for _, row in rows.iterrows()])
    ax.tick_params(axis="y", length=0)
    ax.set_ylim(len(rows) - 0.4, -0.6)
    marks.reference_line(ax, 0.0)
    marks.reference_line(ax, int((rows["mark"] == "experiment").sum()) - 0.5, axis="y", dashed=True)
    marks.grid_lines(ax)
    marks.number_axis(ax, axis="x", lang=lang)
    ax.set_xlabel(label(f"figure.{NAME}.axis", lang))
    return finish(figure, _describe(frame, lang))


def _experiment(ax: Axes, place: float, row: pd.Series) -> None:
    """Interval as a line and estimate as a square whose area is the weight."""
    ax.plot(
        [row["conf_low"], row["conf_high"]], [place, place], color=style.CASEWORKER, linewidth=1.2, zorder=3
    )
    ax.scatter(
        [row["estimate"]],
        [place],
        s=10 + 900 * row["weight"],
        marker="s",
        color=style.CASEWORKER,
        linewidths=0,
        zorder=4,
    )


def _diamond(ax: Axes, place: float, row: pd.Series) -> None:
    """The mean: as wide as its interval."""
    xs = [row["conf_low"], row["estimate"], row["conf_high"], row["estimate"]]
    ax.fill(xs, np.array([0.0, -0.32, 0.0, 0.32]) + place, color=style.CITIZEN, linewidth=0, zorder=4)


def _published(ax: Axes, place: float, row: pd.Series) -> None:
    """A hollow mark, as for every published number."""
    hollow_mark(ax, float(row["estimate"]), place)


def _new_experiment(ax: Axes, place: float, row: pd.Series) -> None:
    """A thick line: where the true effect of a new experiment is expected."""
    ax.plot(
        [row["conf_low"], row["conf_high"]],
        [place, place],
        color=style.CITIZEN,
        linewidth=3,
        solid_capstyle="butt",
    )


_MARKS = {
    "experiment": _experiment,
    "pooled": _diamond,
    "published": _published,
    "prediction": _new_experiment,
}


def _name(row: pd.Series, lang: str) -> str:
    if row["mark"] != "experiment":
        return label(f"figure.{NAME}.{row['mark']}", lang, source=str(row["published_source"]))
    n = int(row["weeks"])
    weeks = label(f"figure.{NAME}.{'week' if n == 1 else 'weeks'}", lang, n=Formatter(lang).count(n))
    return label(f"figure.{NAME}.study", lang, study=str(row["study"]), weeks=weeks)


def _value(row: pd.Series, lang: str) -> str:
    text = Formatter(lang)
    if row["mark"] == "published":
        return text.number(row["estimate"], decimals=2)
    interval = text.range(row["conf_low"], row["conf_high"], decimals=2)
    if row["mark"] == "prediction":
        return interval
    estimate = text.number(row["estimate"], decimals=2)
    return label(f"figure.{NAME}.value", lang, estimate=estimate, interval=interval)


def _describe(frame: pd.DataFrame, lang: str) -> Description:
    text = Formatter(lang)
    key = f"figure.{NAME}"
    by_mark = {mark: frame[frame["mark"] == mark] for mark in _MARKS}
    pooled, prediction = by_mark["pooled"].iloc[0], by_mark["prediction"].iloc[0]
    n = text.count(len(by_mark["experiment"]))
    mean = text.number(pooled["estimate"], decimals=2)
    interval = text.interval(pooled["conf_low"], pooled["conf_high"], decimals=2)
    near = is_near_zero(pooled)
    return Description(
        id="F72",
        name=NAME,
        lang=lang,
        headline=label(f"{key}.headline.{_message(pooled)}", lang, n=n, mean=mean),
        subtitle=label(f"{key}.subtitle", lang),
        note=label(
            f"{key}.note",
            lang,
            mean=mean,
            interval=interval,
            p=text.p_value(pooled["p_value"]),
            near_zero=label(f"{key}.average_near_zero", lang) if near else "",
            prediction=text.listing(
                [text.number(prediction[end], decimals=2) for end in ("conf_low", "conf_high")]
            ),
            tau2=text.number(pooled["tau2"], decimals=3),
            tau2_interval=text.range(pooled["tau2_low"], pooled["tau2_high"], decimals=3),
            i2=text.percent(pooled["I2_pct"] / 100),
            n=n,
            reports=text.count(whole(frame, "N_reports")),
            method=constant(frame, "method"),
        ),
        source=source(frame, lang),
        alt=label(
            f"{key}.alt",
            lang,
            n=n,
            mean=mean,
            interval=interval,
            position=label(f"{key}.position.{'near' if near else 'apart'}", lang),
        ),
        units={"estimate": "standard deviations", "weeks": "weeks", "weight": "share"},
        published=tuple(by_mark["published"]["published_source"]),
    )


def hollow_mark(ax: Axes, x: float, y: float) -> None:
    """The hollow diamond of a published number, without its word."""
    ax.plot(
        [x],
        [y],
        marker="D",
        markersize=6.5,
        markerfacecolor="white",
        markeredgecolor=style.PUBLISHED,
        markeredgewidth=1.3,
        linestyle="none",
        zorder=6,
    )


def is_near_zero(pooled: pd.Series) -> bool:
    """Whether the mean may be called close to zero: its interval holds zero, and it is small."""
    return outside_zero(pooled) == 0 and abs(float(pooled["estimate"])) < NEAR_ZERO


def _message(pooled: pd.Series) -> str:
    """Key of the headline, by the interval of the mean and the test that the experiments agree."""
    sign = outside_zero(pooled)
    if sign:
        return "positive" if sign > 0 else "negative"
    if not is_near_zero(pooled):
        return "unclear"
    return "near_zero" if float(pooled["Q_p"]) < 0.05 else "near_zero_alike"
