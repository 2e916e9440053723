"""T14: the evidence ladder as a table: what each design asks, what it found, and how far it reaches."""

from __future__ import annotations

import pandas as pd

from jobchance.figures import _phrases as phrase
from jobchance.figures._captions import note
from jobchance.figures._ladder import best_verdict, name_of, refused_sentence, slug
from jobchance.figures._table import Cell, Column, draw_table
from jobchance.figures.base import CatalogueFigure, Description, finish, new_figure
from jobchance.formatting import DASH, Formatter
from jobchance.labels.load import label

NAME = "evidence_table"
REQUIRED = (
    "rung", "estimate", "conf_low", "conf_high", "unit", "verdict", "missing", "open_points", "base_rate",
    "relative", "N_citizens", "estimand", "outcome", "horizon_weeks", "respondent", "population", "interval",
    "N_citizens_total", "N_caseworkers_total", "N_jobcentres_total", "study_source", "data_kind",
)  # fmt: skip
_KEY = f"figure.{NAME}"


def draw(frame: pd.DataFrame, *, lang: str = "da") -> CatalogueFigure:
    """One row per design, refused ones too."""
    figure, (ax,) = new_figure(height_cm=2.0)
    columns = [
        Column(label(f"{_KEY}.head.design", lang), 2.5),
        Column(label(f"{_KEY}.head.estimate", lang), 1.7),
        Column(label(f"{_KEY}.head.relative", lang), 1.1, "right"),
        Column(label(f"{_KEY}.head.citizens", lang), 1.0, "right"),
        Column(label(f"{_KEY}.head.verdict", lang), 3.9),
    ]
    draw_table(ax, columns, [_row(row, lang) for _, row in frame.iterrows()], lang=lang)
    return finish(figure, _describe(frame, lang))


def _row(row: pd.Series, lang: str) -> list[Cell]:
    text = Formatter(lang)
    refused = slug(str(row["verdict"])) == "not_identified"
    hidden = refused or pd.isna(row["estimate"])
    estimate = label(
        "figure.grade_of_evidence.value",
        lang,
        estimate=text.number(row["estimate"], decimals=1),
        interval=text.range(row["conf_low"], row["conf_high"], decimals=1),
    )
    relative = text.percent_axis(row["relative"]) if pd.notna(row["relative"]) else DASH
    return [
        Cell(name_of(str(row["rung"]), lang)),
        Cell(DASH if hidden else estimate),
        Cell(DASH if hidden else relative),
        Cell(DASH if hidden else text.count(row["N_citizens"])),
        Cell(_verdict(row, lang), muted=refused),
    ]


def _verdict(row: pd.Series, lang: str) -> str:
    """The verdict, and the first thing that keeps it down."""
    name = label(f"verdict.{slug(str(row['verdict']))}.name", lang)
    points = [point for point in str(row["open_points"]).split("|") if ":" in point]
    missing = [key for key in str(row["missing"]).split("|") if key and key != "nan"]
    if missing:
        why = Formatter(lang).listing([label(f"missing.{key}", lang) for key in missing])
    elif points:
        status, _, key = points[0].partition(":")
        why = (
            label(f"ladder.lowered.{key}", lang)
            if status == "lowered"
            else label(f"ladder.reason.{status}", lang, assumption=label(f"assumption.{key}", lang))
        )
    else:
        return name
    return label(f"{_KEY}.verdict", lang, verdict=name, why=why)


def _describe(frame: pd.DataFrame, lang: str) -> Description:
    text = Formatter(lang)
    return Description(
        id="T14",
        name=NAME,
        lang=lang,
        headline=label(f"figure.grade_of_evidence.headline.{best_verdict(frame)}", lang),
        subtitle=label(f"{_KEY}.subtitle", lang, horizon=phrase.horizon(frame, lang)),
        note=note(
            frame,
            lang,
            label(f"{_KEY}.units", lang),
            label(
                "figure.grade_of_evidence.base",
                lang,
                base=text.percent(frame["base_rate"].iloc[0], decimals=1),
            ),
            cautions=("figure.grade_of_evidence.reading",),
        ),
        source=phrase.source(frame, lang),
        alt=label(f"{_KEY}.alt", lang, n=text.count(len(frame)), refused=refused_sentence(frame, lang)),
        units={"estimate": "percentage points of the unit named", "relative": "share of the base rate"},
    )
