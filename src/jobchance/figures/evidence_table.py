"""T14: the evidence ladder as a table: what each design asks, what it found, and how far it reaches."""

from __future__ import annotations

import pandas as pd

from jobchance.figures import _ladder as ladder
from jobchance.figures import _phrases as phrase
from jobchance.figures._captions import capitalised, note
from jobchance.figures._table import Cell, Column, draw_table
from jobchance.figures.base import CatalogueFigure, Description, finish, new_figure
from jobchance.formatting import DASH, MISSING, NBSP, Formatter
from jobchance.identification.cards import NOT_IDENTIFIED
from jobchance.identification.cards_text import say_points, say_rests, verdict_name
from jobchance.labels.load import label

NAME = "evidence_table"
REQUIRED = (
    "rung", "estimate", "conf_low", "conf_high", "unit", "verdict", "missing", "open_points", "rests_on",
    "base_rate", "relative", "N_citizens", "estimand", "outcome", "horizon_weeks", "respondent",
    "population", "interval", "N_citizens_total", "N_caseworkers_total", "N_jobcentres_total",
    "study_source", "data_kind",
)  # fmt: skip
_KEY = f"figure.{NAME}"


def draw(frame: pd.DataFrame, *, lang: str = "da") -> CatalogueFigure:
    """One row per design, refused ones too."""
    figure, (ax,) = new_figure(height_cm=2.0)
    columns = [
        Column(label(f"{_KEY}.head.design", lang), 2.8),
        Column(label(f"{_KEY}.head.estimate", lang), 2.55),
        Column(label(f"{_KEY}.head.relative", lang), 1.3, "right"),
        Column(label(f"{_KEY}.head.citizens", lang), 1.3, "right"),
        Column(label(f"{_KEY}.head.verdict", lang), 4.5),
    ]
    draw_table(ax, columns, [_row(row, lang) for _, row in frame.iterrows()], lang=lang)
    return finish(figure, _describe(frame, lang))


def _row(row: pd.Series, lang: str) -> list[Cell]:
    text, refused = Formatter(lang), row["verdict"] == NOT_IDENTIFIED
    if refused or pd.isna(row["estimate"]):
        numbers = [MISSING if ladder.is_hidden(row) else DASH] * 3
    else:
        relative = text.percent_axis(row["relative"]) if pd.notna(row["relative"]) else DASH
        value = ladder.value_of(row, lang).replace(" ", NBSP)
        numbers = [value, relative, text.count(row["N_citizens"])]
    return [
        Cell(_design(row, lang), muted=refused),
        *(Cell(number, muted=refused) for number in numbers),
        Cell(_verdict(row, lang), muted=refused),
    ]


def _design(row: pd.Series, lang: str) -> str:
    """Name of the design and the unit of its number."""
    name = ladder.name_of(str(row["rung"]), lang)
    if row["verdict"] == NOT_IDENTIFIED or row["unit"] not in ladder.UNITS:
        return name
    unit = label(f"{_KEY}.unit.{ladder.UNITS[str(row['unit'])]}", lang)
    return label(f"{_KEY}.design", lang, name=name, unit=unit)


def _verdict(row: pd.Series, lang: str) -> str:
    """The verdict, and the first thing that keeps it down."""
    name = capitalised(verdict_name(str(row["verdict"]), lang))
    missing, points = ladder.missing_words(row, lang), ladder.points_of(row)
    if missing:
        why = label(f"{_KEY}.lacks", lang, missing=missing)
    elif points:
        why = say_points(points[:1], lang)
    elif ladder.parts(row["rests_on"]):
        rests = say_rests(ladder.parts(row["rests_on"]), lang)
        return label(f"{_KEY}.rests", lang, verdict=name, assumptions=rests)
    else:
        return name
    return label(f"{_KEY}.verdict", lang, verdict=name, why=why)


def _describe(frame: pd.DataFrame, lang: str) -> Description:
    text = Formatter(lang)
    when = {"reached": phrase.outcome_reached(frame, lang), "horizon": phrase.horizon(frame, lang)}
    base = text.percent(float(frame["base_rate"].iloc[0]), decimals=1)
    return Description(
        id="T14",
        name=NAME,
        lang=lang,
        headline=ladder.headline(frame, lang),
        subtitle=label(f"{_KEY}.subtitle", lang, **when),
        note=note(
            frame,
            lang,
            label("figure.grade_of_evidence.base", lang, base=base, **when),
            label(f"{_KEY}.relative", lang),
            cautions=("figure.grade_of_evidence.reading",),
            lines=False,
        ),
        source=phrase.source(frame, lang),
        alt=label(
            f"{_KEY}.alt",
            lang,
            n=text.count(len(frame)),
            rows=ladder.said(ladder.with_number(frame), lang),
            refused=ladder.refused_sentence(frame, lang),
        ),
        units={"estimate": "percentage points of the unit named", "relative": "share of the base rate"},
    )
