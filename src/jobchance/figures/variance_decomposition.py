"""T7: a table of the variation between citizens, caseworkers and jobcentres, one model per row."""

from __future__ import annotations

import pandas as pd

from jobchance.figures import _phrases as phrase
from jobchance.figures._captions import note
from jobchance.figures._table import Cell, Column, draw_table
from jobchance.figures.base import CatalogueFigure, Description, finish, new_figure
from jobchance.formatting import MISSING, Formatter
from jobchance.labels.load import label

NAME = "variance_decomposition"
REQUIRED = (
    "mark", "level", "estimate", "conf_low", "conf_high", "reason", "N_rows", "N_groups", "estimand",
    "outcome", "horizon_weeks", "respondent", "population", "interval", "N_citizens_total",
    "N_caseworkers_total", "N_jobcentres_total", "study_source", "data_kind",
)  # fmt: skip
_KEY = f"figure.{NAME}"


def draw(frame: pd.DataFrame, *, lang: str = "da") -> CatalogueFigure:
    """One row per level; a level without a number says why."""
    figure, (ax,) = new_figure(height_cm=2.0)
    columns = [
        Column(label(f"{_KEY}.head.level", lang), 1.35),
        Column(label(f"{_KEY}.head.sd", lang), 1.95, "right"),
        Column(label(f"{_KEY}.head.icc", lang), 1.9, "right"),
        Column(label(f"{_KEY}.head.groups", lang), 0.85, "right"),
        Column(label(f"{_KEY}.head.rows", lang), 1.45, "right"),
    ]
    draw_table(ax, columns, [_row(frame, level, lang) for level in _levels(frame)], lang=lang)
    return finish(figure, _describe(frame, lang))


def _levels(frame: pd.DataFrame) -> list[str]:
    return [str(level) for level in frame["level"].drop_duplicates()]


def _cell_of(frame: pd.DataFrame, level: str, mark: str) -> pd.Series | None:
    """The row of one level and mark; None where there is none."""
    found = frame[(frame["level"] == level) & (frame["mark"] == mark)]
    return None if found.empty else found.iloc[0]


def _row(frame: pd.DataFrame, level: str, lang: str) -> list[Cell]:
    text = Formatter(lang)
    name = Cell(label(f"{_KEY}.level.{level}", lang))
    sd, icc = _cell_of(frame, level, "sd"), _cell_of(frame, level, "icc")
    if sd is None or icc is None:
        refused = _cell_of(frame, level, "refused")
        reason = "unknown" if refused is None else str(refused["reason"])
        return [name, Cell(""), Cell(label(f"{_KEY}.reason.{reason}", lang), muted=True), Cell(""), Cell("")]
    return [
        name,
        Cell(_number(sd, lang, percent=False)),
        Cell(_number(icc, lang, percent=True)),
        Cell(text.count(sd["N_groups"])),
        Cell(text.count(sd["N_rows"])),
    ]


def _number(row: pd.Series, lang: str, *, percent: bool) -> str:
    """Estimate and interval, in percentage points or per cent."""
    if pd.isna(row["estimate"]):
        return MISSING
    text = Formatter(lang)
    estimate = (
        text.percent_axis(row["estimate"], decimals=1)
        if percent
        else text.number(100 * row["estimate"], decimals=1)
    )
    interval = text.range(100 * row["conf_low"], 100 * row["conf_high"], decimals=1)
    return label(f"{_KEY}.cell", lang, estimate=estimate, interval=interval)


def _describe(frame: pd.DataFrame, lang: str) -> Description:
    rows = [" ".join(cell.text for cell in _row(frame, level, lang) if cell.text) for level in _levels(frame)]
    horizon = phrase.horizon(frame, lang)
    return Description(
        id="T7",
        name=NAME,
        lang=lang,
        headline=_headline(frame, lang),
        subtitle=label(f"{_KEY}.subtitle", lang, share=phrase.outcome_share(frame, lang), horizon=horizon),
        note=note(
            frame,
            lang,
            phrase.say_outcome(frame, lang),
            label(f"{_KEY}.own_models", lang),
            label(f"{_KEY}.rows_used", lang),
        ),
        source=phrase.source(frame, lang),
        alt=label(f"{_KEY}.alt", lang, rows=Formatter(lang).listing(rows)),
        units={"sd": "share", "icc": "share of the variance"},
    )


def _headline(frame: pd.DataFrame, lang: str) -> str:
    """The caseworkers' share of the variation, or that none can be detected."""
    icc = _cell_of(frame, "caseworker", "icc")
    if icc is None or pd.isna(icc["estimate"]):
        return label(f"{_KEY}.headline.neutral", lang)
    text = Formatter(lang)
    share = text.percent(icc["estimate"], decimals=1)
    if not icc["conf_low"] > 0:
        high = text.percent(icc["conf_high"], decimals=1)
        return label(f"{_KEY}.headline.unclear", lang, icc=share, high=high)
    interval = text.interval(icc["conf_low"], icc["conf_high"], unit="percent", level=None)
    return label(f"{_KEY}.headline.found", lang, icc=share, interval=interval)
