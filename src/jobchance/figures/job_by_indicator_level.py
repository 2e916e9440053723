"""F10: a small panel per indicator with the share by answer, caseworker and citizen in their own colours."""

from __future__ import annotations

from math import ceil

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from jobchance.figures import _phrases as phrase
from jobchance.figures import marks, style
from jobchance.figures._captions import as_text, note
from jobchance.figures._overlay import draw_overlay, published_belief, source_keys
from jobchance.figures.base import CatalogueFigure, Description, KeyEntry, finish, new_figure
from jobchance.figures.indicator_distributions import construct_names
from jobchance.formatting import Formatter
from jobchance.labels.load import label
from jobchance.labels.published import PublishedValue

NAME = "job_by_indicator_level"
REQUIRED = (
    "quantity", "construct", "construct_da", "construct_en", "construct_status", "respondent", "level",
    "estimate", "conf_low", "conf_high", "rounded", "instrument", "estimand", "outcome", "horizon_weeks",
    "population", "interval", "N_citizens_total", "N_caseworkers_total", "N_jobcentres_total", "study_source",
    "data_kind",
)  # fmt: skip
COLUMNS = 3
BELIEF = "caseworker_belief"
SIDES = {"caseworker": ("o", -0.12), "citizen": ("s", 0.12)}


def draw(frame: pd.DataFrame, *, lang: str = "da") -> CatalogueFigure:
    """Panels in the instrument's order on one common scale, each with the leading respondent's slope."""
    frame = as_text(frame, "level")
    names = construct_names(frame, lang)
    sides = [side for side in SIDES if (frame["respondent"] == side).any()]
    columns = min(COLUMNS, len(names))
    rows = ceil(len(names) / columns)
    figure, axes = new_figure(
        height_cm=6.5 if len(names) == 1 else 0.8 + 3.3 * rows,
        rows=rows,
        cols=columns,
        sharex=True,
        sharey=True,
    )
    cells = frame[frame["quantity"] == "level"]
    levels = sorted(cells["level"].unique(), key=int)
    for ax, construct in zip(axes, names, strict=False):
        own = frame[frame["construct"] == construct]
        for side in sides:
            _series(
                ax, own[(own["respondent"] == side) & (own["quantity"] == "level")], levels, side, len(sides)
            )
        if len(names) > 1:
            ax.set_title(names[construct], loc="left")
            _slope(ax, own[(own["respondent"] == sides[0]) & (own["quantity"] == "trend")], lang)
    _axes(axes, names, levels, columns, cells, frame, lang)
    if len(sides) > 1:
        entries = [
            KeyEntry(
                label(f"figure.{NAME}.series.{side}", lang),
                style.RESPONDENTS[side],
                marker=SIDES[side][0],
                filled=True,
            )
            for side in sides
        ]
        marks.add_key(figure, entries)
    overlay = _published(frame)
    if overlay:
        places = [(levels.index(level) + 0.28, found.value) for level, found in overlay.items()]
        draw_overlay(axes[list(names).index(BELIEF)], places, list(overlay.values()), lang=lang)
    return finish(figure, _describe(frame, names, sides, list(overlay.values()), lang))


def _series(ax: Axes, cells: pd.DataFrame, levels: list[str], side: str, n_sides: int) -> None:
    marker, offset = SIDES[side]
    shift = offset if n_sides > 1 else 0.0
    for _, row in cells.iterrows():
        x = levels.index(row["level"]) + shift
        if pd.isna(row["estimate"]):
            stub = marks.hidden_cell((x - 0.12, 0.0), (0.24, 0.06), transform=ax.get_xaxis_transform())
            ax.add_patch(stub)
            continue
        colour = style.RESPONDENTS[side]
        ax.plot([x, x], [row["conf_low"], row["conf_high"]], color=colour, linewidth=1.2, zorder=3)
        ax.plot(
            [x], [row["estimate"]], marker=marker, markersize=4.5, color=colour, linestyle="none", zorder=4
        )


def _published(frame: pd.DataFrame) -> dict[str, PublishedValue]:
    """Published shares at the two ends of the belief question, by answer."""
    own = frame[(frame["construct"] == BELIEF) & (frame["quantity"] == "level")]
    same_question = len(own) > 0 and phrase.constant(frame, "instrument") == "bip"
    return published_belief(own, own) if same_question else {}


def _slope(ax: Axes, trend: pd.DataFrame, lang: str) -> None:
    """Slope per step in the upper left corner, with its sign."""
    if trend.empty or pd.isna(trend["estimate"].iloc[0]):
        return
    slope = float(trend["estimate"].iloc[0])
    number = Formatter(lang).number(slope * 100, decimals=1)
    ax.text(
        0.04, 0.97, label(f"figure.{NAME}.per_step", lang, number=f"+{number}" if slope > 0 else number),
        transform=ax.transAxes, ha="left", va="top", fontsize=style.SMALL_SIZE, color=style.GREY_TEXT,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.0},  # no grid line through the words
    )  # fmt: skip


def _axes(
    axes: list[Axes],
    names: dict[str, str],
    levels: list[str],
    columns: int,
    cells: pd.DataFrame,
    frame: pd.DataFrame,
    lang: str,
) -> None:
    top = float(np.nanmax([*cells["conf_high"], *cells["estimate"], 0.01]))
    for place, ax in enumerate(axes):
        ax.set_visible(place < len(names))
        ax.set_xlim(-0.5, len(levels) - 0.5)
        ax.set_ylim(0.0, 1.12 * top)
        ax.set_xticks(range(len(levels)), labels=levels)
        marks.percent_axis(ax, axis="y", lang=lang, ticks=4)
        marks.grid_lines(ax, axis="y")
        ax.tick_params(axis="x", labelbottom=place + columns >= len(names))
    if len(names) == 1:
        axes[0].set_ylabel(phrase.outcome_share(frame, lang))


def _describe(
    frame: pd.DataFrame, names: dict[str, str], sides: list[str], overlay: list[PublishedValue], lang: str
) -> Description:
    text = Formatter(lang)
    key = f"figure.{NAME}"
    trends = frame[frame["quantity"] == "trend"]
    leading = trends[trends["respondent"] == sides[0]].dropna(subset=["estimate"])
    fill = {"share": phrase.outcome_share(frame, lang), "horizon": phrase.horizon(frame, lang)}
    values = text.listing(
        [
            f"{names[r['construct']]} {text.number(r['estimate'] * 100, decimals=1)}"
            for _, r in leading.iterrows()
        ]
    )
    placeholders = (frame["construct_status"] == "placeholder").any()
    return Description(
        id="F10",
        name=NAME,
        lang=lang,
        headline=_headline(frame, leading, names, lang),
        subtitle=_subtitle(names, fill, lang),
        note=note(
            frame,
            lang,
            _trend_sentence(leading, trends, names, sides[0], lang),
            label(f"{key}.placeholder", lang) if placeholders else "",
            label("caption.rounded", lang) if frame["rounded"].astype(bool).any() else "",
            label("published.note", lang) if overlay else "",
            cautions=("caution.association", "caution.prediction"),
        ),
        source=phrase.source(frame, lang),
        alt=label(f"{key}.alt", lang, values=phrase.full_stop(values), **fill),
        published=source_keys(overlay),
        units={"estimate": "share; for trend change in share per step", "N_citizens": "citizens"},
    )


def _subtitle(names: dict[str, str], fill: dict[str, str], lang: str) -> str:
    if len(names) == 1:
        return label(f"figure.{NAME}.subtitle_one", lang, construct=_inside(names), **fill)
    return label(f"figure.{NAME}.subtitle", lang, **fill)


def _inside(names: dict[str, str]) -> str:
    """Name of the one indicator as it stands inside a sentence."""
    (name,) = names.values()
    return name[:1].lower() + name[1:]


def _trend_sentence(
    leading: pd.DataFrame, trends: pd.DataFrame, names: dict[str, str], side: str, lang: str
) -> str:
    text = Formatter(lang)
    key = f"figure.{NAME}"
    if leading.empty:
        return ""
    if len(names) > 1:
        whose = label(f"respondent.{side}.genitive", lang)
        return label(f"{key}.trend", lang, whose=whose, m=text.count(len(trends)))
    row = leading.iloc[0]
    interval = text.interval(row["conf_low"], row["conf_high"], unit="pp", level=float(row["conf_level"]))
    return label(f"{key}.trend_one", lang, pp=text.pp(row["estimate"]), interval=interval)


def _headline(frame: pd.DataFrame, leading: pd.DataFrame, names: dict[str, str], lang: str) -> str:
    """How many slopes have an interval above zero; the sign of the one slope where there is one indicator."""
    key = f"figure.{NAME}.headline"
    if leading.empty or phrase.constant(frame, "outcome") != "job":
        share = phrase.outcome_share(frame, lang)
        if len(names) == 1:
            return label(f"{key}.neutral_one", lang, share=share, construct=_inside(names))
        return label(f"{key}.neutral", lang, share=share)
    signs = [phrase.outside_zero(row) for _, row in leading.iterrows()]
    text = Formatter(lang)
    if len(names) == 1:
        word = {1: "one", 0: "one_flat", -1: "one_down"}[signs[0]]
        return label(f"{key}.{word}", lang, construct=_inside(names))
    rising = signs.count(1)
    fill = {"n": text.count(len(signs))}
    word = "none" if not rising else "some" if rising < len(signs) else "all"
    return label(f"{key}.{word}", lang, k=text.count(rising), **fill)
