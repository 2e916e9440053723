"""F15: horizontal bars of the share with the outcome by answer; the published 1 and 27 per cent hollow."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from jobchance.figures import _phrases as phrase
from jobchance.figures import marks, style
from jobchance.figures._captions import as_text, note
from jobchance.figures._overlay import draw_overlay, published_belief, source_keys
from jobchance.figures.base import CatalogueFigure, Description, finish, new_figure
from jobchance.formatting import Formatter
from jobchance.labels.load import label
from jobchance.labels.published import PublishedValue

NAME = "belief_gradient"
REQUIRED = (
    "mark",
    "level",
    "label_da",
    "label_en",
    "estimate",
    "conf_low",
    "conf_high",
    "N_citizens",
    "construct",
    "wording_status",
    "rounded",
    "N_censored",
    "instrument",
    "outcome",
    "horizon_weeks",
    "respondent",
    "population",
    "interval",
    "N_citizens_total",
    "N_caseworkers_total",
    "N_jobcentres_total",
    "study_source",
    "data_kind",
)


def draw(frame: pd.DataFrame, *, lang: str = "da") -> CatalogueFigure:
    """One bar per answer from low (top) to high, "don't know" apart; values and N beside the bars."""
    frame = as_text(frame, "level", "compared_with", "label_da", "label_en")
    bars = frame[frame["mark"] == "level"].reset_index(drop=True)
    figure, (ax,) = new_figure(height_cm=1.0 + 0.95 * len(bars))
    text = Formatter(lang)
    unsure = bars["level"] == phrase.DONT_KNOW
    order = list(bars["level"])
    overlay = published_belief(frame, bars)
    names = [
        label("caption.with_n", lang, text=name, n=text.count(n)) if pd.notna(n) else name
        for name, n in zip(_names(bars, lang), bars["N_citizens"], strict=True)
    ]
    marks.horizontal_bars(
        ax,
        names,
        bars["estimate"],
        low=bars["conf_low"],
        high=bars["conf_high"],
        colours=[style.NEUTRAL if dont_know else _colour(frame) for dont_know in unsure],
        value_labels=[text.percent_axis(value, decimals=1) for value in bars["estimate"]],
        hatches=["...." if dont_know else "" for dont_know in unsure],
        markers={order.index(level): found.value for level, found in overlay.items()},
    )
    if unsure.any() and not unsure.all():
        marks.reference_line(ax, int(unsure.to_numpy().argmax()) - 0.5, axis="y", dashed=True)
    marks.percent_axis(ax, axis="x", lang=lang)
    ax.set_xlabel(phrase.outcome_share(frame, lang))
    phrase.say_association(ax, lang)
    places = [(found.value, float(order.index(level))) for level, found in overlay.items()]
    draw_overlay(ax, places, overlay.values(), lang=lang)
    return finish(figure, _describe(frame, bars, overlay, lang))


def _names(bars: pd.DataFrame, lang: str) -> list[str]:
    """Wording of the answers; the ends of a scale without words are named."""
    ends = {str(bars["level"].iloc[0]): "lowest", phrase.last_answer(bars): "highest"}
    names = []
    for _, row in bars.iterrows():
        name = phrase.answer(row, lang)
        end = ends.get(str(row["level"])) if name == row["level"] else None
        names.append(label(f"figure.belief_distribution.{end}", lang, step=name) if end else name)
    return names


def _colour(frame: pd.DataFrame) -> str:
    return style.RESPONDENTS.get(phrase.constant(frame, "respondent"), style.CASEWORKER)


def _describe(
    frame: pd.DataFrame, bars: pd.DataFrame, overlay: Mapping[str, PublishedValue], lang: str
) -> Description:
    text = Formatter(lang)
    contrasts = frame[frame["mark"].isin(["difference", "ratio"])]
    fill = {
        "share": phrase.outcome_share(frame, lang),
        "whose": phrase.genitive(frame, lang),
        "horizon": phrase.horizon(frame, lang),
    }
    shown = bars.dropna(subset=["estimate"])
    values = phrase.full_stop(
        text.listing(
            [
                f"{phrase.answer(row, lang)} {text.percent(row['estimate'], decimals=1)}"
                for _, row in shown.iterrows()
            ]
        )
    )
    return Description(
        id="F15",
        name=NAME,
        lang=lang,
        headline=_headline(frame, bars, contrasts, lang),
        subtitle=label(f"figure.{NAME}.subtitle", lang, **fill),
        note=note(
            frame,
            lang,
            phrase.left_out(frame, lang),
            phrase.answers_difference(bars, contrasts, lang),
            label("caption.rounded", lang) if bool(frame["rounded"].iloc[0]) else "",
            label("published.note", lang) if overlay else "",
            cautions=("caution.association", "caution.prediction"),
        ),
        source=phrase.source(frame, lang),
        alt=label(f"figure.{NAME}.alt", lang, values=values, **fill),
        units={"estimate": "share", "N_citizens": "citizens"},
        published=source_keys(overlay.values()),
    )


def _headline(frame: pd.DataFrame, bars: pd.DataFrame, contrasts: pd.DataFrame, lang: str) -> str:
    """The message by the interval of the difference between the outermost answers that may be shown."""
    gaps = contrasts[contrasts["mark"] == "difference"].dropna(subset=["estimate"])
    key = f"figure.{NAME}.headline"
    if gaps.empty:
        fill = {"share": phrase.outcome_share(frame, lang), "whose": phrase.genitive(frame, lang)}
        return label(f"{key}.neutral", lang, **fill)
    gap = gaps.iloc[0]
    by_level = bars.set_index("level")
    top, bottom = by_level.loc[gap["level"]], by_level.loc[gap["compared_with"]]
    fill = {
        "high": phrase.share_text(top["estimate"], lang),
        "low": phrase.share_text(bottom["estimate"], lang),
        "reached": phrase.outcome_reached(frame, lang),
        "horizon": phrase.horizon(frame, lang),
    }
    names = dict(zip(bars["level"], _names(bars, lang), strict=True))
    answers = {"top": names[gap["level"]], "bottom": names[gap["compared_with"]]}
    sign = phrase.outside_zero(gap)
    if sign < 1:
        return label(f"{key}.{'reversed' if sign else 'flat'}", lang, **fill, **answers)
    whole_scale = [gap["compared_with"], gap["level"]] == [bars["level"].iloc[0], phrase.last_answer(bars)]
    about_job = (
        phrase.constant(frame, "construct") == "caseworker_belief"
        and phrase.constant(frame, "outcome") == "job"
    )
    if whole_scale and about_job:
        return label(f"{key}.belief", lang, **fill)
    return label(f"{key}.answer", lang, **fill, **answers)
