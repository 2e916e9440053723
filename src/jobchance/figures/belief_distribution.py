"""F3: horizontal bars of the answers to the belief question, "don't know" apart; published shares hollow."""

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

NAME = "belief_distribution"
BELOW = 0.31  # published markers stand in the lower half of a bar, clear of its interval
REQUIRED = (
    "level", "label_da", "label_en", "share", "conf_low", "conf_high", "N_citizens", "suppressed", "item",
    "construct_da", "construct_en",
    "instrument", "rounded", "estimand", "respondent", "population", "interval", "N_citizens_total",
    "N_caseworkers_total", "N_jobcentres_total", "study_source", "data_kind",
)  # fmt: skip


def draw(frame: pd.DataFrame, *, lang: str = "da") -> CatalogueFigure:
    """One bar per answer from low (top) to high; per cent and number of citizens at the end of each."""
    frame = as_text(frame.reset_index(drop=True), "level", "label_da", "label_en")
    figure, (ax,) = new_figure(height_cm=0.9 + 0.85 * len(frame))
    text = Formatter(lang)
    unsure = frame["level"] == phrase.DONT_KNOW
    overlay = _published(frame)
    colour = style.RESPONDENTS.get(phrase.constant(frame, "respondent"), style.CASEWORKER)
    marks.horizontal_bars(
        ax,
        _names(frame, lang),
        frame["share"],
        low=frame["conf_low"],
        high=frame["conf_high"],
        colours=[style.NEUTRAL if each else colour for each in unsure],
        value_labels=[_value(row, text) for _, row in frame.iterrows()],
        hatches=["...." if each else "" for each in unsure],
        markers={list(frame["level"]).index(level): found.value for level, found in overlay.items()},
    )
    if unsure.any() and not unsure.all():
        marks.reference_line(ax, list(unsure).index(True) - 0.5, axis="y", dashed=True)
    marks.percent_axis(ax, axis="x", lang=lang)
    ax.set_xlabel(label(f"figure.{NAME}.axis", lang))
    places = [(found.value, list(frame["level"]).index(level) + BELOW) for level, found in overlay.items()]
    draw_overlay(ax, places, list(overlay.values()), lang=lang)
    return finish(figure, _describe(frame, overlay, lang))


def _published(frame: pd.DataFrame) -> dict[str, PublishedValue]:
    """Published shares of the two highest answers, for the same question of the same instrument only.

    The two lowest are published together, so that neither has a marker; the middle one is not published.
    """
    if not _is_published_question(frame):
        return {}
    steps = [level for level in frame["level"] if level != phrase.DONT_KNOW]
    return {
        steps[-1]: published_value("belief_share_top"),
        steps[-2]: published_value("belief_share_second"),
    }


def _is_published_question(frame: pd.DataFrame) -> bool:
    asked = phrase.constant(frame, "item") == "belief_job" and phrase.constant(frame, "instrument") == "bip"
    return asked and phrase.constant(frame, "respondent") == "caseworker"


def _names(frame: pd.DataFrame, lang: str) -> list[str]:
    """Wordings of the answers; on a scale without words the ends say which is which."""
    names = [phrase.answer(row, lang) for _, row in frame.iterrows()]
    last = max(place for place, level in enumerate(frame["level"]) if level != phrase.DONT_KNOW)
    for place, end in ((0, "lowest"), (last, "highest")):
        if names[place] == frame["level"].iloc[place]:
            names[place] = label(f"figure.{NAME}.{end}", lang, step=names[place])
    return names


def _value(row: pd.Series, text: Formatter) -> str:
    return f"{text.percent_axis(row['share'])} ({text.count(row['N_citizens'])})"


def _describe(frame: pd.DataFrame, overlay: dict[str, PublishedValue], lang: str) -> Description:
    text = Formatter(lang)
    key = f"figure.{NAME}"
    whose = label(f"respondent.{phrase.constant(frame, 'respondent')}.genitive", lang)
    shown = frame.dropna(subset=["share"])
    values = text.listing(
        [f"{phrase.answer(row, lang)} {text.percent(row['share'])}" for _, row in shown.iterrows()]
    )
    base = "base" if (frame["level"] == phrase.DONT_KNOW).any() else "base_no_dont_know"
    return Description(
        id="F3",
        name=NAME,
        lang=lang,
        headline=_headline(frame, whose, lang),
        subtitle=_subtitle(frame, whose, lang),
        note=note(
            frame,
            lang,
            label(f"{key}.{base}", lang),
            label("caption.rounded", lang) if bool(frame["rounded"].iloc[0]) else "",
            _published_words(overlay, lang),
        ),
        source=phrase.source(frame, lang),
        alt=label(f"{key}.alt", lang, whose=whose, values=phrase.full_stop(values)),
        published=source_keys(list(overlay.values())),
        units={"share": "share", "N_citizens": "citizens"},
    )


def _published_words(overlay: dict[str, PublishedValue], lang: str) -> str:
    if not overlay:
        return ""
    both = published_value("belief_share_lowest_two")
    share = Formatter(lang).percent(both.value)
    words = label(f"figure.{NAME}.lowest_two", lang, key=both.source_key, share=share)
    return phrase.sentences(label("published.note", lang), words)


def _subtitle(frame: pd.DataFrame, whose: str, lang: str) -> str:
    if _is_published_question(frame):
        return label(f"figure.{NAME}.subtitle", lang, whose=whose)
    return label(f"figure.{NAME}.subtitle_other", lang, construct=_construct(frame, lang))


def _headline(frame: pd.DataFrame, whose: str, lang: str) -> str:
    """The larger of the two lowest and the two highest answers together; neutral where one is hidden."""
    key = f"figure.{NAME}.headline"
    steps = frame.loc[frame["level"] != phrase.DONT_KNOW, "share"]
    low, high = steps.iloc[:2].sum(skipna=False), steps.iloc[-2:].sum(skipna=False)
    known = {word: share for word, share in (("low", low), ("high", high)) if pd.notna(share)}
    word = max(known, key=known.__getitem__) if known else ""
    # With one end hidden, the other is the larger for certain only from one half up.
    if len(steps) < 4 or not known or (len(known) == 1 and known[word] < 0.5):
        return label(f"{key}.neutral", lang, whose=whose)
    if _is_published_question(frame):
        word = {"low": "doubt", "high": "belief"}[word]
    share = phrase.share_text(max(known.values()), lang)
    return label(f"{key}.{word}", lang, share=share, construct=_construct(frame, lang))


def _construct(frame: pd.DataFrame, lang: str) -> str:
    return phrase.constant(frame, "construct_da" if lang == "da" else "construct_en")
