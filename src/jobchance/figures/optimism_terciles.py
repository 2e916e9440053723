"""F17: three bars by third of the caseworker's optimism, with the absolute and relative difference."""

from __future__ import annotations

import pandas as pd

from jobchance.figures import _phrases as phrase
from jobchance.figures import marks, style
from jobchance.figures._captions import note
from jobchance.figures._overlay import draw_overlay, published, source_keys
from jobchance.figures.base import CatalogueFigure, Description, finish, new_figure
from jobchance.formatting import Formatter
from jobchance.labels.load import label
from jobchance.labels.published import PublishedValue

NAME = "optimism_terciles"
REQUIRED = (
    "mark", "level", "compared_with", "estimate", "conf_low", "conf_high", "N_rows", "N_citizens",
    "N_caseworkers", "estimand", "outcome", "horizon_weeks", "respondent", "population", "interval",
    "N_citizens_total", "N_caseworkers_total", "N_jobcentres_total", "study_source", "data_kind",
)  # fmt: skip
_KEY = f"figure.{NAME}"
_PUBLISHED = {"low": "p_job_tercile_low", "high": "p_job_tercile_high"}


def draw(frame: pd.DataFrame, *, lang: str = "da") -> CatalogueFigure:
    """Bars from the least (top) to the most optimistic third; the contrast stands in words above them."""
    bars = frame[frame["mark"] == "level"].reset_index(drop=True)
    figure, (ax,) = new_figure(height_cm=5.4)
    text = Formatter(lang)
    order = list(bars["level"])
    overlay = _overlay(frame, bars)
    marks.horizontal_bars(
        ax,
        [_name(row, lang) for _, row in bars.iterrows()],
        bars["estimate"],
        low=bars["conf_low"],
        high=bars["conf_high"],
        colours=[style.LEVELS[str(level)] for level in bars["level"]],
        value_labels=[text.percent_axis(value, decimals=1) for value in bars["estimate"]],
        markers={order.index(level): found.value for level, found in overlay.items()},
    )
    marks.percent_axis(ax, axis="x", lang=lang)
    ax.set_xlabel(phrase.outcome_share(frame, lang))
    places = [(found.value, float(order.index(level))) for level, found in overlay.items()]
    draw_overlay(ax, places, overlay.values(), lang=lang)
    phrase.say_association(ax, lang)
    return finish(figure, _describe(frame, bars, overlay, lang))


def _name(row: pd.Series, lang: str) -> str:
    """The third, and what is behind it."""
    text = Formatter(lang)
    third = label(f"{_KEY}.third.{row['level']}", lang)
    if pd.isna(row["estimate"]):
        return third
    return label(
        f"{_KEY}.counts",
        lang,
        third=third,
        rows=text.count(row["N_rows"]),
        citizens=text.count(row["N_citizens"]),
        caseworkers=text.count(row["N_caseworkers"]),
    )


def _overlay(frame: pd.DataFrame, bars: pd.DataFrame) -> dict[str, PublishedValue]:
    """Published shares of the outer thirds, where they are about the same outcome and respondent."""
    found = {level: published(frame, key) for level, key in _PUBLISHED.items()}
    shown = set(bars["level"])
    return {level: value for level, value in found.items() if value is not None and level in shown}


def _contrast_words(frame: pd.DataFrame, lang: str) -> str:
    text, found = Formatter(lang), phrase.contrast(frame)
    if found is None:
        return ""
    gap, ratio = found
    return label(
        f"{_KEY}.box",
        lang,
        pp=text.pp(gap["estimate"]),
        interval=text.range(100 * gap["conf_low"], 100 * gap["conf_high"], decimals=1),
        relative=text.percent(ratio["estimate"] - 1),
        relative_interval=text.range(100 * (ratio["conf_low"] - 1), 100 * (ratio["conf_high"] - 1)),
    )


def _describe(
    frame: pd.DataFrame, bars: pd.DataFrame, overlay: dict[str, PublishedValue], lang: str
) -> Description:
    text = Formatter(lang)
    fill = {"share": phrase.outcome_share(frame, lang), "horizon": phrase.horizon(frame, lang)}
    thirds = {level: label(f"{_KEY}.third.{level}", lang) for level in ("low", "middle", "high")}
    values = [
        f"{thirds[str(row['level'])]} {text.percent(row['estimate'], decimals=1)}"
        for _, row in bars.dropna(subset=["estimate"]).iterrows()
    ]
    contrasts = frame[frame["mark"].isin(["difference", "ratio"])]
    difference = phrase.difference_text(contrasts, lang, upper=thirds["high"], lower=thirds["low"])
    return Description(
        id="F17",
        name=NAME,
        lang=lang,
        headline=_headline(frame, bars, lang),
        subtitle="\n".join([label(f"{_KEY}.subtitle", lang, **fill), _contrast_words(frame, lang)]).strip(),
        note=note(
            frame,
            lang,
            label(f"{_KEY}.definition", lang),
            label(f"{_KEY}.published", lang) if overlay else "",
            cautions=("caution.association", "caution.dispositional"),
        ),
        source=phrase.source(frame, lang),
        alt=label(
            f"{_KEY}.alt", lang, values=phrase.full_stop(text.listing(values)), difference=difference, **fill
        ),
        units={"estimate": "share"},
        published=source_keys(overlay.values()),
    )


def _headline(frame: pd.DataFrame, bars: pd.DataFrame, lang: str) -> str:
    """By the interval of the difference between the outer thirds."""
    found = phrase.contrast(frame)
    if found is None:
        return label(f"{_KEY}.headline.neutral", lang, share=phrase.outcome_share(frame, lang))
    shares = bars.set_index("level")["estimate"].astype(float).to_dict()
    key = {1: "higher", -1: "lower", 0: "unclear"}[phrase.outside_zero(found[0])]
    return label(
        f"{_KEY}.headline.{key}",
        lang,
        state=phrase.outcome_state(frame, lang),
        reached=phrase.outcome_reached(frame, lang),
        high=Formatter(lang).percent(shares["high"], decimals=1),
        low=Formatter(lang).percent(shares["low"], decimals=1),
    )
