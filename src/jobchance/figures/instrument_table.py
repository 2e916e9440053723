"""T2: the instrument as a table; what is not confirmed is slanted and says so."""

from __future__ import annotations

import pandas as pd

from jobchance.figures import _phrases as phrase
from jobchance.figures._captions import capitalised
from jobchance.figures._table import Cell, Column, draw_table
from jobchance.figures.base import CatalogueFigure, Description, finish, new_figure
from jobchance.formatting import DASH, Formatter
from jobchance.labels.load import label

NAME = "instrument_table"
REQUIRED = (
    "construct", "number", "construct_da", "construct_en", "core7", "construct_status", "items_citizen",
    "items_caseworker", "items_partner", "wording_citizen", "wording_caseworker", "wording_partner", "steps",
    "scale_status", "instrument", "estimand", "population", "interval", "N_citizens_total",
    "N_caseworkers_total", "N_jobcentres_total", "study_source", "data_kind",
)  # fmt: skip
SIDES = ("citizen", "caseworker", "partner")
WIDTHS = {"citizen": 1.25, "caseworker": 2.75, "partner": 1.4}
LEAST_CERTAIN = ("placeholder", "inferred", "verified")


def draw(frame: pd.DataFrame, *, lang: str = "da") -> CatalogueFigure:
    """One row per construct; a column per respondent that is asked anything."""
    figure, (ax,) = new_figure(height_cm=2.0)
    sides = [side for side in SIDES if (frame[f"items_{side}"].astype(int) > 0).any()]
    core = (frame["core7"] == "yes").any()
    key = f"figure.{NAME}.head"
    columns = [
        Column(label(f"{key}.number", lang), 0.5, "right"),
        Column(label(f"{key}.construct", lang), 3.75),
        *(Column(label(f"{key}.{side}", lang), WIDTHS[side], "centre") for side in sides),
        *([Column(label(f"{key}.core7", lang), 1.45, "centre")] if core else []),
        *([] if _one_scale(frame) else [Column(label(f"{key}.steps", lang), 1.2, "centre")]),
        Column(label(f"{key}.status", lang), 1.85),
        Column(label(f"{key}.wording", lang), 1.85),
    ]
    rows = [
        _row(row, sides, lang, core=bool(core), scale=not _one_scale(frame)) for _, row in frame.iterrows()
    ]
    draw_table(ax, columns, rows, lang=lang)
    return finish(figure, _describe(frame, lang, core=bool(core)))


def _row(row: pd.Series, sides: list[str], lang: str, *, core: bool, scale: bool) -> list[Cell]:
    name = capitalised(str(row["construct_da" if lang == "da" else "construct_en"]))
    asked = [int(row[f"items_{side}"]) for side in sides]
    return [
        Cell(str(row["number"])),
        Cell(name, muted=row["construct_status"] == "placeholder"),
        *(Cell(Formatter(lang).count(n) if n else DASH) for n in asked),
        *([Cell(label("word.yes", lang) if row["core7"] == "yes" else DASH)] if core else []),
        *([Cell(str(row["steps"]))] if scale else []),
        _status(str(row["construct_status"]), lang),
        _status(_wording(row), lang),
    ]


def _wording(row: pd.Series) -> str:
    """The least certain of the construct's questions."""
    found = [row[f"wording_{side}"] for side in SIDES]
    return next((status for status in LEAST_CERTAIN if status in found), "")


def _status(status: str, lang: str) -> Cell:
    text = label(f"figure.{NAME}.status.{status}", lang) if status else DASH
    return Cell(text, muted=status != "verified")


def _describe(frame: pd.DataFrame, lang: str, *, core: bool) -> Description:
    text = Formatter(lang)
    key = f"figure.{NAME}"
    answered = {side: text.count(int((frame[f"items_{side}"].astype(int) > 0).sum())) for side in SIDES}
    placeholders = int((frame["construct_status"] == "placeholder").sum())
    return Description(
        id="T2",
        name=NAME,
        lang=lang,
        headline=_headline(frame, lang),
        subtitle=label(f"{key}.subtitle", lang),
        note=phrase.sentences(
            label(f"{key}.legend", lang),
            label(f"{key}.core7", lang) if core else "",
            _scale_sentence(frame, lang),
        ),
        source=phrase.source(frame, lang),
        alt=label(
            f"{key}.alt",
            lang,
            n=text.count(len(frame)),
            citizen=answered["citizen"],
            caseworker=answered["caseworker"],
            placeholders=text.count(placeholders),
        ),
        units={"items_citizen": "questions", "items_caseworker": "questions"},
    )


def _one_scale(frame: pd.DataFrame) -> bool:
    return bool((frame["steps"] == frame["steps"].iloc[0]).all())


def _scale_sentence(frame: pd.DataFrame, lang: str) -> str:
    """The scale where all questions share one, whether it is confirmed, and what an asterisk means."""
    key = f"figure.{NAME}"
    steps = phrase.constant(frame, "steps")
    continuous = frame["steps"].astype(str).str.contains("*", regex=False).any()
    unsure = frame["scale_status"].isin(["inferred", "placeholder"]).any()
    return phrase.sentences(
        label(f"{key}.one_scale", lang, steps=steps) if _one_scale(frame) else "",
        label(f"{key}.scale_inferred", lang) if unsure else "",
        label(f"{key}.continuous", lang) if continuous else "",
    )


def _headline(frame: pd.DataFrame, lang: str) -> str:
    key = f"figure.{NAME}.headline"
    if len(frame) == 1:
        return label(
            f"{key}.one",
            lang,
            construct=phrase.constant(frame, "construct_da" if lang == "da" else "construct_en"),
        )
    if len(frame) == 11:
        return label(f"{key}.bip", lang)
    return label(f"{key}.many", lang, n=Formatter(lang).count(len(frame)))
