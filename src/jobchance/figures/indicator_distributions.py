"""F4: 100 % stacked bars of every indicator, caseworkers left and citizens right, "don't know" apart."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from jobchance.figures import _phrases as phrase
from jobchance.figures import marks, style
from jobchance.figures._captions import as_text, capitalised, note, rows_by
from jobchance.figures.base import CatalogueFigure, Description, finish, new_figure
from jobchance.formatting import Formatter
from jobchance.labels.load import label

NAME = "indicator_distributions"
REQUIRED = (
    "construct", "construct_da", "construct_en", "construct_status", "respondent", "level", "base", "share",
    "conf_low", "conf_high", "N_citizens", "suppressed", "rounded", "estimand", "population", "interval",
    "N_citizens_total", "N_caseworkers_total", "N_jobcentres_total", "study_source", "data_kind",
)  # fmt: skip
ORDER = ("caseworker", "citizen")


def draw(frame: pd.DataFrame, *, lang: str = "da") -> CatalogueFigure:
    """One row per indicator in the instrument's order, one panel per respondent."""
    frame = as_text(frame, "level")
    sides = [side for side in ORDER if (frame["respondent"] == side).any()]
    names = construct_names(frame, lang)
    figure, axes = new_figure(height_cm=1.6 + 0.66 * len(names), cols=len(sides), sharey=True)
    steps = _steps(frame)
    for ax, side in zip(axes, sides, strict=True):
        _panel(ax, frame[frame["respondent"] == side], names, steps, lang=lang, key=ax is axes[0])
        if len(sides) > 1:
            ax.set_title(label(f"figure.{NAME}.panel.{side}", lang), loc="left")
    return finish(figure, _describe(frame, names, sides, lang))


def construct_names(frame: pd.DataFrame, lang: str) -> dict[str, str]:
    """Construct ids with their names in the reader's language, in the order of the frame."""
    column = "construct_da" if lang == "da" else "construct_en"
    first = frame.drop_duplicates("construct")
    return {row["construct"]: capitalised(str(row[column])) for _, row in first.iterrows()}


def _steps(frame: pd.DataFrame) -> list[str]:
    """The longest scale of the figure; shorter ones take its end tones and share the rest."""
    scales = (
        frame[frame["base"] == "steps"].groupby(["construct", "respondent"], sort=False)["level"].agg(list)
    )
    return max(scales, key=len)


def _panel(
    ax: Axes, frame: pd.DataFrame, names: dict[str, str], steps: list[str], *, lang: str, key: bool
) -> None:
    shares = np.zeros((len(names), len(steps)))
    rest = np.zeros((len(names), 1))  # hidden steps of a bar together
    low = []
    for row, construct in enumerate(names):
        own = frame[(frame["construct"] == construct) & (frame["base"] == "steps")]
        if own.empty:
            continue
        places = np.round(np.linspace(0, len(steps) - 1, len(own))).astype(int)
        unknown = own["share"].isna().to_numpy()
        shares[row, places] = own["share"].fillna(0.0).to_numpy()
        rest[row] = np.nan if unknown.all() else 1 - own["share"].sum() if unknown.any() else 0.0
        low += [place < len(steps) / 2 for place in places[unknown]]
    words, colours, hatches = _step_names(steps, lang), style.likert_colours(len(steps)), [""] * len(steps)
    if low:  # the hatched part stands at the end of the scale where most hidden steps are
        end = 0 if sum(low) * 2 > len(low) else len(steps)
        shares = np.insert(shares, [end], rest, axis=1)
        words.insert(end, label("suppressed.short", lang))
        colours.insert(end, style.SUPPRESSED)
        hatches.insert(end, "////")
    marks.stacked_bars(
        ax, list(names.values()), shares, names=words, colours=colours, hatches=hatches, lang=lang, key=key
    )
    marks.percent_axis(ax, axis="x", lang=lang, ticks=2)
    _beside(ax, frame, names, lang)


def _step_names(steps: list[str], lang: str) -> list[str]:
    key = f"figure.{NAME}"
    ends = {0: "lowest", len(steps) - 1: "highest"}
    return [label(f"{key}.{ends[i]}", lang, step=step) if i in ends else step for i, step in enumerate(steps)]


def _beside(ax: Axes, frame: pd.DataFrame, names: dict[str, str], lang: str) -> None:
    """Beside every bar "don't know", with a head above; words where the question was not asked."""
    text = Formatter(lang)
    unsure = rows_by(frame[frame["base"] == "answers"], "construct")
    if unsure:
        ax.annotate(
            label("word.dont_know", lang).replace(" ", "\n"), (1.0, -0.5), xytext=(4, 2),
            textcoords="offset points", ha="left", va="bottom", fontsize=style.SMALL_SIZE,
            color=style.GREY_TEXT, style="italic", linespacing=1.0, annotation_clip=False,
        )  # fmt: skip
    for row, construct in enumerate(names):
        if not (frame["construct"] == construct).any():
            ax.text(
                0.5, row, label(f"figure.{NAME}.not_asked", lang), ha="center", va="center",
                fontsize=style.SMALL_SIZE, color=style.GREY_TEXT, style="italic",
            )  # fmt: skip
        elif (construct,) in unsure:
            share = float(unsure[construct,]["share"])
            ax.annotate(
                text.percent_axis(share), (1.0, row), xytext=(4, 0), textcoords="offset points", ha="left",
                va="center", fontsize=style.SMALL_SIZE, color=style.GREY_TEXT, annotation_clip=False,
            )  # fmt: skip


def _describe(frame: pd.DataFrame, names: dict[str, str], sides: list[str], lang: str) -> Description:
    text = Formatter(lang)
    key = f"figure.{NAME}"
    high = frame[(frame["base"] == "high") & (frame["respondent"] == sides[0])].dropna(subset=["share"])
    ranked = high[high["construct_status"] != "placeholder"]
    values = text.listing(
        [f"{names[row['construct']]} {text.percent(row['share'])}" for _, row in high.iterrows()]
    )
    whose = label(f"respondent.{sides[0]}.genitive", lang)
    unsure = (frame["construct_status"] == "placeholder").any()
    return Description(
        id="F4",
        name=NAME,
        lang=lang,
        headline=_headline(ranked, names, lang),
        subtitle=label(
            f"{key}.{'subtitle' if (frame['base'] == 'answers').any() else 'subtitle_plain'}", lang
        ),
        note=note(
            frame,
            lang,
            label(f"{key}.ranking", lang, whose=whose) if len(names) > 1 else "",
            label(f"{key}.{'wording' if unsure else 'steps'}", lang) if len(names) > 1 else "",
            label("caption.rounded", lang) if frame["rounded"].astype(bool).any() else "",
            lines=False,
        ),
        source=phrase.source(frame, lang),
        alt=label(f"{key}.alt", lang, n=text.count(len(names)), values=phrase.full_stop(values)),
        units={"share": "share", "N_citizens": "citizens"},
    )


def _headline(high: pd.DataFrame, names: dict[str, str], lang: str) -> str:
    """The two indicators furthest apart if their intervals do not meet; one indicator alone; else neutral."""
    key = f"figure.{NAME}.headline"
    if len(names) == 1 and len(high) == 1:
        share = phrase.share_text(float(high["share"].iloc[0]), lang)
        return label(f"{key}.one", lang, share=share, construct=_quoted(high["construct"].iloc[0], names))
    if len(high) > 1:
        ordered = high.sort_values("share", kind="stable")
        bottom, top = ordered.iloc[0], ordered.iloc[-1]
        if top["conf_low"] > bottom["conf_high"]:
            top_name, bottom_name = (_quoted(row["construct"], names) for row in (top, bottom))
            return label(f"{key}.contrast", lang, top=top_name, bottom=bottom_name)
    return label(f"{key}.neutral", lang, n=Formatter(lang).count(len(names)))


def _quoted(construct: str, names: dict[str, str]) -> str:
    """The name as it stands inside a sentence."""
    return names[construct][:1].lower() + names[construct][1:]
