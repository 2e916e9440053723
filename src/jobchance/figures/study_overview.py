"""T1: the study in numbers as a table, with the published BIP numbers beside a BIP-style study's own."""

from __future__ import annotations

import pandas as pd

from jobchance.figures import _phrases as phrase
from jobchance.figures._table import Cell, Column, draw_table
from jobchance.figures.base import CatalogueFigure, Description, finish, new_figure
from jobchance.formatting import Formatter
from jobchance.labels.load import label
from jobchance.labels.published import PublishedValue, published_value

NAME = "study_overview"
REQUIRED = (
    "quantity", "unit", "value", "value_to", "instrument", "estimand", "population", "interval",
    "N_citizens_total", "N_caseworkers_total", "N_jobcentres_total", "study_source", "data_kind",
)  # fmt: skip
# One key, or the two ends of what the sources say.
PUBLISHED = {
    "jobcentres": ("n_jobcentres",),
    "caseworkers": ("n_caseworkers", "n_caseworkers_alt"),
    "citizens": ("n_citizens_caseworker_report", "n_citizens_eriq"),
    "relationships": ("n_relationships",),
    "measured": ("first_measurement_year", "last_measurement_year"),
    "forms_all": ("n_forms",),
    "waves": ("mean_waves_per_client",),
}


def draw(frame: pd.DataFrame, *, lang: str = "da") -> CatalogueFigure:
    """One row per quantity; the two columns of published numbers only beside the BIP instrument."""
    figure, (ax,) = new_figure(height_cm=2.0)
    published = phrase.constant(frame, "instrument") == "bip"
    key = f"figure.{NAME}.head"
    columns = [
        Column(label(f"{key}.quantity", lang), 2.3),
        Column(label(f"{key}.value", lang), 1.3, "right"),
    ]
    if published:
        columns += [
            Column(label(f"{key}.published", lang), 1.25, "right"),
            Column(label(f"{key}.source", lang), 1.75),
        ]
    rows = [_row(row, lang, published=published) for _, row in frame.iterrows()]
    draw_table(ax, columns, rows, lang=lang)
    return finish(figure, _describe(frame, lang, published=published))


def _row(row: pd.Series, lang: str, *, published: bool) -> list[Cell]:
    cells = [Cell(label(f"figure.{NAME}.row.{row['quantity']}", lang)), Cell(_value(row, lang))]
    if not published:
        return cells
    found = [published_value(key) for key in PUBLISHED.get(str(row["quantity"]), ())]
    return [*cells, Cell(_numbers(found, lang), muted=True), Cell(_source(found, lang), muted=True)]


def _value(row: pd.Series, lang: str) -> str:
    """A count, years, or a mean with one decimal."""
    text = Formatter(lang)
    if row["unit"] == "count":
        return text.count(row["value"])
    if row["unit"] == "years":
        ends = dict.fromkeys(str(int(year)) for year in (row["value"], row["value_to"]))
        return "–".join(ends)
    return text.number(row["value"], decimals=1)


def _numbers(found: list[PublishedValue], lang: str) -> str:
    text = Formatter(lang)
    words = [
        str(int(each.value))
        if each.unit == "year"
        else text.number(each.value, decimals=0 if each.value % 1 == 0 else 1)
        for each in found
    ]
    return "–".join(words)


def _source(found: list[PublishedValue], lang: str) -> str:
    """Source keys and status: a number calculated from published ones is never called published."""
    keys = ", ".join(dict.fromkeys(each.source_key for each in found))
    statuses = dict.fromkeys(label(f"figure.{NAME}.status.{each.status}", lang) for each in found)
    return f"{keys}: {', '.join(statuses)}" if found else ""


def _describe(frame: pd.DataFrame, lang: str, *, published: bool) -> Description:
    text = Formatter(lang)
    key = f"figure.{NAME}"
    values = text.listing(
        [f"{label(f'{key}.row.' + row['quantity'], lang)} {_value(row, lang)}" for _, row in frame.iterrows()]
    )
    keys = sorted({published_value(k).source_key for keys in PUBLISHED.values() for k in keys})
    return Description(
        id="T1",
        name=NAME,
        lang=lang,
        headline=label(f"{key}.headline", lang, counts=phrase.totals(frame, lang)),
        subtitle=label(f"{key}.{'subtitle_published' if published else 'subtitle'}", lang),
        note=phrase.sentences(
            label(f"{key}.relationships", lang) if (frame["quantity"] == "relationships").any() else "",
            label(f"{key}.published", lang) if published else "",
        ),
        source=phrase.source(frame, lang),
        alt=label(f"{key}.alt", lang, values=phrase.full_stop(values)),
        units={"value": "count, year or mean, as `unit` says"},
        published=tuple(keys) if published else (),
    )
