"""F89: the evidence ladder: every design's number on the scale of its own question, and its verdict."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from jobchance.figures import _phrases as phrase
from jobchance.figures import marks, style
from jobchance.figures._captions import note
from jobchance.figures._ladder import (
    SLUGS,
    best_verdict,
    name_of,
    refused_sentence,
    slug,
    with_number,
)
from jobchance.figures.base import CatalogueFigure, Description, KeyEntry, add_key, finish, new_figure
from jobchance.formatting import Formatter
from jobchance.labels.load import label

NAME = "grade_of_evidence"
REQUIRED = (
    "rung", "estimate", "conf_low", "conf_high", "unit", "verdict", "missing", "open_points", "base_rate",
    "relative", "estimand", "outcome", "horizon_weeks", "respondent", "population", "interval",
    "N_citizens_total", "N_caseworkers_total", "N_jobcentres_total", "study_source", "data_kind",
)  # fmt: skip
_KEY = f"figure.{NAME}"
_COLOURS = {"credible": style.HIGH, "suggestive": style.CASEWORKER, "predicts_only": style.NEUTRAL}
_MARKERS = {"credible": "D", "suggestive": "o", "predicts_only": "s"}


def draw(frame: pd.DataFrame, *, lang: str = "da") -> CatalogueFigure:
    """One panel per unit, since different units share no axis; one row per design, verdict at its right."""
    rows = with_number(frame)
    units = list(dict.fromkeys(rows["unit"]))
    groups = [rows[rows["unit"] == unit].reset_index(drop=True) for unit in units]
    figure, axes = new_figure(
        height_cm=sum(1.9 + 0.62 * len(group) for group in groups),
        rows=len(groups),
        height_ratios=[1.9 + 0.62 * len(group) for group in groups],
    )
    for ax, unit, group in zip(axes, units, groups, strict=True):
        _panel(ax, str(unit), group, lang)
    found = [s for s in _COLOURS if (rows["verdict"].map(slug) == s).any()]
    add_key(
        figure,
        [
            KeyEntry(label(f"verdict.{s}.name", lang), _COLOURS[s], marker=_MARKERS[s], filled=True)
            for s in found
        ],
    )
    return finish(figure, _describe(frame, rows, lang))


def _panel(ax: Axes, unit: str, rows: pd.DataFrame, lang: str) -> None:
    """Estimates of one unit, with numbers to the right."""
    slugs = [slug(verdict) for verdict in rows["verdict"]]
    marks.reference_line(ax, 0.0)
    marks.interval_points(
        ax,
        [name_of(rung, lang) for rung in rows["rung"]],
        rows["estimate"],
        low=rows["conf_low"],
        high=rows["conf_high"],
        colours=[_COLOURS[s] for s in slugs],
        markers=[_MARKERS[s] for s in slugs],
    )
    ends = np.array([0.0, *rows["conf_low"], *rows["conf_high"]], dtype=float)
    margin = 0.08 * float(np.nanmax(ends) - np.nanmin(ends))
    ax.set_xlim(float(np.nanmin(ends)) - margin, float(np.nanmax(ends)) + margin)
    text = Formatter(lang)
    for place, (_, row) in enumerate(rows.iterrows()):
        number = text.number(row["estimate"], decimals=1)
        interval = text.range(row["conf_low"], row["conf_high"], decimals=1)
        ax.text(
            1.02,
            place,
            label(f"{_KEY}.value", lang, estimate=number, interval=interval),
            transform=ax.get_yaxis_transform(),
            va="center",
            clip_on=False,
        )
    marks.number_axis(ax, axis="x", lang=lang)
    marks.grid_lines(ax, axis="x")
    ax.set_title(label(f"{_KEY}.unit.{_UNITS[unit]}", lang))


_UNITS = {
    "pp, highest against lowest answer": "extremes",
    "pp per step of the answer": "step",
    "pp per sd of optimism": "optimism",
    "pp, sd between caseworkers": "spread",
    "pp of activity per step of the answer": "activity",
}


def _describe(frame: pd.DataFrame, rows: pd.DataFrame, lang: str) -> Description:
    text = Formatter(lang)
    said = [
        label(
            f"{_KEY}.said",
            lang,
            name=name_of(str(row["rung"]), lang),
            estimate=text.number(row["estimate"], decimals=1),
            interval=text.range(row["conf_low"], row["conf_high"], decimals=1),
            verdict=label(f"verdict.{slug(str(row['verdict']))}.name", lang),
        )
        for _, row in rows.iterrows()
    ]
    return Description(
        id="F89",
        name=NAME,
        lang=lang,
        headline=label(f"{_KEY}.headline.{best_verdict(frame)}", lang),
        subtitle=label(f"{_KEY}.subtitle", lang, horizon=phrase.horizon(frame, lang)),
        note=note(
            frame,
            lang,
            label(f"{_KEY}.base", lang, base=text.percent(float(frame["base_rate"].iloc[0]), decimals=1)),
            refused_sentence(frame, lang),
            cautions=(f"{_KEY}.scales", f"{_KEY}.reading"),
        ),
        source=phrase.source(frame, lang),
        alt=label(f"{_KEY}.alt", lang, rows=" ".join(said)),
        units={"estimate": "percentage points of the unit named", "relative": "share of the base rate"},
    )


assert set(_COLOURS) <= set(SLUGS.values()), "every colour belongs to a verdict"
