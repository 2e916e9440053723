"""F1: citizens per wave in per cent of the first, with the numbers of citizens and forms as rows below."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes

from jobchance.figures import _phrases as phrase
from jobchance.figures import marks, style
from jobchance.figures._captions import as_text, note
from jobchance.figures.base import CatalogueFigure, Description, finish, new_figure
from jobchance.formatting import MISSING, Formatter
from jobchance.labels.load import label

NAME = "wave_flow"
REQUIRED = (
    "quantity", "series", "level", "share", "value", "N_citizens", "suppressed", "estimand", "population",
    "interval", "N_citizens_total", "N_caseworkers_total", "N_jobcentres_total", "study_source", "data_kind",
)  # fmt: skip
ORDER = ("any", "caseworker", "citizen", "partner")
HEADLINE_WAVES = ("3", "2")


def draw(frame: pd.DataFrame, *, lang: str = "da") -> CatalogueFigure:
    """Bars for the waves; below them one row of numbers per respondent."""
    frame = as_text(frame, "level")
    waves = frame[frame["quantity"] == "wave"]
    bars = waves[waves["series"] == "any"].reset_index(drop=True)
    series = [name for name in ORDER if (waves["series"] == name).any()]
    figure, (ax, numbers) = new_figure(
        height_cm=6.2 + 0.6 * len(series), rows=2, height_ratios=(4.6, 0.75 * len(series)), sharex=True
    )
    text = Formatter(lang)
    marks.vertical_bars(
        ax,
        [str(level) for level in bars["level"]],
        bars["share"],
        value_labels=[text.percent_axis(share) for share in bars["share"]],
    )
    marks.percent_axis(ax, axis="y", lang=lang, ticks=5)
    ax.set_ylabel(label(f"figure.{NAME}.axis.share", lang))
    ax.tick_params(axis="x", labelbottom=True)
    ax.set_xlabel(label(f"figure.{NAME}.axis.wave", lang))
    _numbers(numbers, waves, series, list(bars["level"]), lang)
    return finish(figure, _describe(frame, bars, lang))


def _numbers(ax: Axes, waves: pd.DataFrame, series: list[str], levels: list[str], lang: str) -> None:
    """Counts as words under the bars; a hidden one is ".."."""
    text = Formatter(lang)
    for row, name in enumerate(series):
        own = waves[waves["series"] == name].set_index("level")["N_citizens"]
        for place, level in enumerate(levels):
            n = own.get(level)
            ax.text(
                place, row, MISSING if n is None else text.count(n), ha="center", va="center",
                fontsize=style.SMALL_SIZE, color=style.INK,
            )  # fmt: skip
    ax.set_ylim(len(series) - 0.5, -0.5)
    ax.set_yticks(range(len(series)), labels=[label(f"figure.{NAME}.row.{name}", lang) for name in series])
    ax.tick_params(length=0, labelbottom=False)
    ax.spines[:].set_visible(False)


def _describe(frame: pd.DataFrame, bars: pd.DataFrame, lang: str) -> Description:
    text = Formatter(lang)
    key = f"figure.{NAME}"
    shown = bars.dropna(subset=["share"])
    values = text.listing(
        [
            label(f"{key}.value", lang, level=str(row["level"]), share=text.percent(row["share"]))
            for _, row in shown.iterrows()
        ]
    )
    mean = frame.loc[frame["quantity"] == "mean_waves", "value"].iloc[0]
    last = str(bars["level"].iloc[-1])
    return Description(
        id="F1",
        name=NAME,
        lang=lang,
        headline=_headline(frame, lang),
        subtitle=label(f"{key}.subtitle", lang),
        note=note(
            frame,
            lang,
            label(f"{key}.mean", lang, mean=text.number(mean, decimals=1)) if pd.notna(mean) else "",
            label(f"{key}.pooled", lang, level=last, first=last[:-1]) if last.endswith("+") else "",
            label(f"{key}.exit", lang),
        ),
        source=phrase.source(frame, lang),
        alt=label(f"{key}.alt", lang, values=phrase.full_stop(values)),
        units={"share": "share of the first wave", "N_citizens": "citizens"},
    )


def _headline(frame: pd.DataFrame, lang: str) -> str:
    """The share with at least three waves, or two where three are not shown."""
    key = f"figure.{NAME}.headline"
    found = frame[frame["quantity"] == "at_least"].dropna(subset=["share"]).set_index("level")["share"]
    for waves in HEADLINE_WAVES:
        if waves in found.index:
            share = phrase.share_text(float(found[waves]), lang)
            return label(f"{key}.at_least", lang, share=share, k=label(f"figure.{NAME}.count.{waves}", lang))
    return label(f"{key}.neutral", lang)
