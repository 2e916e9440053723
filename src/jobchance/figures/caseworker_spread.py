"""F23: outer quarters as bars and ranked groups as marks: raw, pure chance, and after shrinkage."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from jobchance.figures import _phrases as phrase
from jobchance.figures import marks, style
from jobchance.figures._captions import note
from jobchance.figures._overlay import draw_overlay, published, source_keys
from jobchance.figures.base import CatalogueFigure, Description, finish, new_figure
from jobchance.formatting import Formatter
from jobchance.labels.load import label
from jobchance.labels.published import PublishedValue

NAME = "caseworker_spread"
REQUIRED = (
    "mark", "kind", "level", "rank", "estimate", "conf_low", "conf_high", "p_value", "mean_rate", "draws",
    "N_omitted_caseworkers", "seed", "groups", "least_cases", "estimand", "outcome", "horizon_weeks",
    "respondent", "population", "interval", "N_citizens_total", "N_caseworkers_total",
    "N_jobcentres_total", "study_source", "data_kind",
)  # fmt: skip
_KEY = f"figure.{NAME}"
_COLOURS = {"raw": style.CASEWORKER, "noise": style.NOISE, "shrunken": style.HIGH}
_MARKERS = {"raw": "o", "shrunken": "s"}
_HATCHES = {"raw": None, "noise": "////", "shrunken": "...."}
_PUBLISHED = {"lowest": "p_jobedu_cw_worst", "highest": "p_jobedu_cw_best"}
_MOSTLY = 0.5  # share of the raw variance from which "most of it" may be chance


def draw(frame: pd.DataFrame, *, lang: str = "da") -> CatalogueFigure:
    """Left the outer quarters, right all ranked groups, on one scale."""
    figure, (left, right) = new_figure(height_cm=7.2, cols=2, width_ratios=[1.15, 1.35], sharey=True)
    quarters = frame[frame["mark"] == "quarter"]
    overlay = _overlay(frame, quarters)
    _draw_quarters(left, quarters, overlay, lang)
    _draw_groups(right, frame[frame["mark"] == "group"], lang)
    left.set_title(label(f"{_KEY}.panel.quarters", lang), loc="left")
    right.set_title(
        label(f"{_KEY}.panel.groups", lang, n=Formatter(lang).count(phrase.whole(frame, "groups"))),
        loc="left",
    )
    for ax in (left, right):
        marks.reference_line(ax, float(frame["mean_rate"].iloc[0]), axis="y", dashed=True)
    marks.add_key(figure, _key(lang))
    places = [
        ({"lowest": 0.0, "highest": 1.0}[level] - 0.27, found.value) for level, found in overlay.items()
    ]
    draw_overlay(left, places, overlay.values(), lang=lang)
    highest = float(np.nanmax(quarters[["estimate", "conf_high"]].to_numpy(dtype=float)))
    left.set_ylim(0.0, max(left.get_ylim()[1], 1.12 * highest))  # room for the numbers above the bars
    return finish(figure, _describe(frame, quarters, overlay, lang))


def _key(lang: str) -> list[marks.KeyEntry]:
    """The three kinds, and the dashed line."""
    kinds = [
        marks.KeyEntry(label(f"{_KEY}.kind.{kind}", lang), colour, hatch=_HATCHES[kind] or "")
        for kind, colour in _COLOURS.items()
    ]
    mean = marks.KeyEntry(label(f"{_KEY}.mean", lang), style.GREY_TEXT, marker="-", line_style=style.DASHED)
    return [*kinds, mean]


def _draw_quarters(
    ax: Axes, quarters: pd.DataFrame, overlay: Mapping[str, PublishedValue], lang: str
) -> None:
    """Three bars for each of the two quarters, with their values above bar, interval and diamond."""
    text = Formatter(lang)
    for place, level in enumerate(("lowest", "highest")):
        for shift, kind in zip((-0.27, 0.0, 0.27), _COLOURS, strict=True):
            row = quarters[(quarters["level"] == level) & (quarters["kind"] == kind)]
            if row.empty:
                continue
            above = overlay[level].value if kind == "raw" and level in overlay else 0.0
            _draw_bar(ax, place + shift, row.iloc[0], kind, text, above=above)
    words = [label(f"{_KEY}.quarter.{level}", lang) for level in ("lowest", "highest")]
    ax.set_xticks([0, 1], labels=words)
    ax.tick_params(axis="x", length=0)
    ax.set_xlim(-0.5, 1.5)
    marks.percent_axis(ax, axis="y", lang=lang)


def _draw_bar(ax: Axes, x: float, row: pd.Series, kind: str, text: Formatter, *, above: float) -> None:
    """One bar and its value, which stands clear of a published marker at the height `above`."""
    if pd.isna(row["estimate"]):
        ax.add_patch(marks.hidden_cell((x - 0.12, 0.0), (0.24, 0.05), transform=ax.get_xaxis_transform()))
        return
    value, top = float(row["estimate"]), float(row["estimate"])
    ax.bar(x, value, width=0.25, color=_COLOURS[kind], hatch=_HATCHES[kind], edgecolor="white", linewidth=0.6)
    if pd.notna(row["conf_high"]):
        top = float(row["conf_high"])
        ax.plot(
            [x, x], [float(row["conf_low"]), top], color=style.INK, linewidth=1.0, marker="_", markersize=4
        )
    ax.annotate(
        text.number(100 * value, decimals=1), (x, max(top, above)), textcoords="offset points",
        xytext=(0, 7 if above > top - 0.01 else 3), ha="center", va="bottom", fontsize=style.SMALL_SIZE,
    )  # fmt: skip


def _draw_groups(ax: Axes, groups: pd.DataFrame, lang: str) -> None:
    """Raw and shrunken marks over the band of pure chance."""
    noise = groups[groups["kind"] == "noise"]
    marks.line(
        ax,
        noise["rank"],
        noise["estimate"],
        low=noise["conf_low"],
        high=noise["conf_high"],
        colour=style.NOISE,
    )
    for kind, marker in _MARKERS.items():
        rows = groups[groups["kind"] == kind]
        ax.plot(
            rows["rank"], rows["estimate"], marker=marker, markersize=5.0, linestyle="none",
            color=_COLOURS[kind], zorder=4,
        )  # fmt: skip
    ranks = [int(rank) for rank in noise["rank"]]
    ax.set_xticks(ranks, labels=[Formatter(lang).count(rank) for rank in ranks])
    ax.set_xlim(0.5, max(ranks, default=1) + 0.5)
    ax.set_xlabel(label(f"{_KEY}.axis.rank", lang))
    marks.grid_lines(ax, axis="y")


def _overlay(frame: pd.DataFrame, quarters: pd.DataFrame) -> dict[str, PublishedValue]:
    """The published raw spread, where the outcome is the same."""
    found = {level: published(frame, key) for level, key in _PUBLISHED.items()}
    shown = set(quarters["level"])
    return {level: value for level, value in found.items() if value is not None and level in shown}


def _describe(
    frame: pd.DataFrame, quarters: pd.DataFrame, overlay: dict[str, PublishedValue], lang: str
) -> Description:
    text = Formatter(lang)
    fill = {"share": phrase.outcome_share(frame, lang), "horizon": phrase.horizon(frame, lang)}
    pairs = {kind: _pair(quarters, kind, lang) for kind in _COLOURS}
    return Description(
        id="F23",
        name=NAME,
        lang=lang,
        headline=_headline(frame, pairs, lang),
        subtitle=label(f"{_KEY}.subtitle", lang, **fill),
        note=note(
            frame,
            lang,
            phrase.say_outcome(frame, lang),
            _definition(frame, lang),
            _gap_words(frame, quarters, lang),
            _variance_words(frame, lang),
            label(f"{_KEY}.published", lang) if overlay else "",
            label(f"{_KEY}.people", lang),
        ),
        source=phrase.source(frame, lang),
        alt=label(
            f"{_KEY}.alt",
            lang,
            n=text.count(phrase.whole(frame, "groups")),
            **(pairs | {"shrunken": phrase.full_stop(pairs["shrunken"])}),
        ),
        units={"estimate": "share", "rank": "group"},
        published=source_keys(overlay.values()),
    )


def _pair(quarters: pd.DataFrame, kind: str, lang: str) -> str:
    """Shares of the lowest and the highest quarter, `"5–24 pct."`."""
    shares = quarters[quarters["kind"] == kind].set_index("level")["estimate"].astype(float).to_dict()
    low, high = (shares.get(level, float("nan")) for level in ("lowest", "highest"))
    return Formatter(lang).interval(low, high, decimals=0, unit="percent", level=None)


def _gap(frame: pd.DataFrame) -> dict[str, pd.Series]:
    rows = frame[(frame["mark"] == "gap") & frame["estimate"].notna()]
    return {str(row["kind"]): row for _, row in rows.iterrows()}


def _definition(frame: pd.DataFrame, lang: str) -> str:
    text = Formatter(lang)
    omitted = frame["N_omitted_caseworkers"].iloc[0]
    some = pd.notna(omitted) and omitted > 0
    return label(
        f"{_KEY}.definition",
        lang,
        least=text.count(phrase.whole(frame, "least_cases")),
        omitted=label(f"{_KEY}.omitted", lang, n=text.count(omitted)) if some else "",
        draws=text.count(phrase.whole(frame, "draws")),
    )


def _gap_words(frame: pd.DataFrame, quarters: pd.DataFrame, lang: str) -> str:
    text, gaps = Formatter(lang), _gap(frame)
    raw = quarters[quarters["kind"] == "raw"].set_index("level")["estimate"].astype(float).to_dict()
    if "raw" not in gaps or not raw.get("lowest", 0.0) > 0:
        return ""
    return label(
        f"{_KEY}.gap",
        lang,
        raw=text.pp(gaps["raw"]["estimate"]),
        noise=text.number(100 * gaps["noise"]["estimate"], decimals=1),
        shrunken=text.number(100 * gaps["shrunken"]["estimate"], decimals=1),
        ratio=text.number(raw["highest"] / raw["lowest"], decimals=1),
        as_wide=text.percent(gaps["raw"]["p_value"], decimals=1),
    )


def _variance_words(frame: pd.DataFrame, lang: str) -> str:
    text = Formatter(lang)
    found = {str(row["mark"]): row for _, row in frame.iterrows()}
    spread = found["true_sd"]
    return label(
        f"{_KEY}.variance",
        lang,
        share=text.percent(found["noise_variance"]["estimate"]),
        sd=text.pp(spread["estimate"]),
        interval=text.interval(spread["conf_low"], spread["conf_high"], unit="pp"),
    )


def _headline(frame: pd.DataFrame, pairs: dict[str, str], lang: str) -> str:
    """By how often chance alone is as wide, and by chance's share of the raw variance."""
    gaps = _gap(frame)
    chance = frame[(frame["mark"] == "noise_variance") & frame["estimate"].notna()]
    if "raw" not in gaps or chance.empty or frame.loc[frame["mark"] == "quarter", "estimate"].isna().any():
        return label(f"{_KEY}.headline.neutral", lang)
    if gaps["raw"]["p_value"] >= 0.05:
        key = "noise"
    else:
        key = "mostly" if chance["estimate"].iloc[0] >= _MOSTLY else "real"
    return label(f"{_KEY}.headline.{key}", lang, raw=pairs["raw"], noise=pairs["noise"])
