"""F8: horizontal bars of the number of caseworker changes, and of any; the published share hollow."""

from __future__ import annotations

import pandas as pd

from jobchance.figures import _phrases as phrase
from jobchance.figures import marks, style
from jobchance.figures._captions import as_text, note
from jobchance.figures._overlay import draw_overlay, source_keys
from jobchance.figures.base import CatalogueFigure, Description, finish, new_figure
from jobchance.formatting import Formatter
from jobchance.labels.load import label
from jobchance.labels.published import PublishedValue, published_value

NAME = "caseworker_shift_counts"
BELOW = 0.31  # published markers stand in the lower half of a bar, clear of its interval
REQUIRED = (
    "shifts", "share", "conf_low", "conf_high", "N_citizens", "suppressed", "instrument", "estimand",
    "population", "interval", "N_citizens_total", "N_caseworkers_total", "N_jobcentres_total", "study_source",
    "data_kind",
)  # fmt: skip
ANY = "any"


def draw(frame: pd.DataFrame, *, lang: str = "da") -> CatalogueFigure:
    """Bars for none, 1, 2 and more changes, then a line and the bar for at least one."""
    frame = as_text(frame.reset_index(drop=True), "shifts")
    figure, (ax,) = new_figure(height_cm=0.9 + 0.9 * len(frame))
    text = Formatter(lang)
    whole = frame["shifts"] == ANY
    last = list(whole).index(True)
    overlay = [published_value("p_any_shift")] if phrase.constant(frame, "instrument") == "bip" else []
    marks.horizontal_bars(
        ax,
        [label(f"figure.{NAME}.row.{level}", lang) for level in frame["shifts"]],
        frame["share"],
        low=frame["conf_low"],
        high=frame["conf_high"],
        colours=[style.CASEWORKER if each else style.MIDDLE for each in whole],
        value_labels=[
            f"{text.percent_axis(row['share'])} ({text.count(row['N_citizens'])})"
            for _, row in frame.iterrows()
        ],
        markers={last: overlay[0].value} if overlay else {},
    )
    marks.reference_line(ax, last - 0.5, axis="y", dashed=True)
    marks.percent_axis(ax, axis="x", lang=lang)
    ax.set_xlabel(label(f"figure.{NAME}.axis", lang))
    ax.set_ylim(len(frame) - 0.35, -0.5)  # the marker in the last bar stays clear of the axis
    draw_overlay(ax, [(found.value, last + BELOW) for found in overlay], overlay, lang=lang)
    return finish(figure, _describe(frame, overlay, lang))


def _describe(frame: pd.DataFrame, overlay: list[PublishedValue], lang: str) -> Description:
    text = Formatter(lang)
    key = f"figure.{NAME}"
    shown = frame.dropna(subset=["share"])
    values = text.listing(
        [
            f"{label(f'{key}.row.' + row['shifts'], lang)} {text.percent(row['share'])}"
            for _, row in shown.iterrows()
        ]
    )
    return Description(
        id="F8",
        name=NAME,
        lang=lang,
        headline=_headline(frame, lang),
        subtitle=label(f"{key}.subtitle", lang),
        note=note(
            frame,
            lang,
            label(f"{key}.definition", lang),
            label("published.note", lang) if overlay else "",
            label(f"{key}.published", lang) if overlay else "",
        ),
        source=phrase.source(frame, lang),
        alt=label(f"{key}.alt", lang, values=phrase.full_stop(values)),
        published=source_keys(overlay),
        units={"share": "share", "N_citizens": "citizens"},
    )


def _headline(frame: pd.DataFrame, lang: str) -> str:
    """In tenths where the share lies within 1.5 percentage points of one, else in per cent."""
    key = f"figure.{NAME}"
    share = frame.loc[frame["shifts"] == ANY, "share"].iloc[0]
    if pd.isna(share):
        return label(f"{key}.headline.neutral", lang)
    tenths = round(share * 10)
    if 1 <= tenths <= 9 and abs(share - tenths / 10) <= 0.015:
        return label(f"{key}.headline.tenths", lang, tenths=label(f"{key}.tenths.{tenths}", lang))
    return label(f"{key}.headline.percent", lang, share=phrase.share_text(share, lang))
