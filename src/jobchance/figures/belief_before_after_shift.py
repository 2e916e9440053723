"""F9: transitions of the belief over a shift, beside how often answers move without one."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from jobchance.figures import _phrases as phrase
from jobchance.figures import marks, style
from jobchance.figures._captions import as_text, note, rows_by
from jobchance.figures.base import CatalogueFigure, Description, KeyEntry, finish, new_figure
from jobchance.figures.rater_agreement_heatmap import frame_diagonal, matrix, whole_percent
from jobchance.formatting import Formatter
from jobchance.labels.load import label

NAME = "belief_before_after_shift"
REQUIRED = (
    "quantity", "group", "level_before", "level_after", "estimate", "conf_low", "conf_high", "N_pairs",
    "suppressed", "estimand", "population", "interval", "N_citizens_total", "N_caseworkers_total",
    "N_jobcentres_total", "study_source", "data_kind",
)  # fmt: skip
ROWS = ("changed", "up", "down")
GROUPS = {"shift": (style.CASEWORKER, "o", -0.13), "stay": (style.NEUTRAL, "s", 0.13)}


def draw(frame: pd.DataFrame, *, lang: str = "da") -> CatalogueFigure:
    """Heat map left (highest answers on top and right), points with and without a shift right."""
    frame = as_text(frame, "level_before", "level_after")
    figure, (left, right) = new_figure(height_cm=7.4, cols=2, width_ratios=(1.0, 0.85))
    _transitions(left, frame[frame["quantity"] == "cell"], lang)
    _moves(right, frame, lang)
    entries = [
        KeyEntry(label(f"figure.{NAME}.group.{group}", lang), colour, marker=marker, filled=True)
        for group, (colour, marker, _) in GROUPS.items()
    ]
    marks.add_key(figure, entries)
    return finish(figure, _describe(frame, lang))


def _transitions(ax: Axes, cells: pd.DataFrame, lang: str) -> None:
    table = matrix(cells, "level_before", "level_after")
    text = Formatter(lang)
    known = table.to_numpy()[~np.isnan(table.to_numpy())]
    marks.heat_map(
        ax,
        table.to_numpy(),
        row_labels=_words(cells, "before", lang)[::-1],
        col_labels=list(table.columns),
        texts=[[whole_percent(value, text) for value in row] for row in table.to_numpy()],
        low=0.0,
        high=float(known.max()) if known.size else 1.0,
    )
    frame_diagonal(ax, len(table))
    ax.set_title(label(f"figure.{NAME}.panel.cells", lang), loc="left")
    ax.set_ylabel(label(f"figure.{NAME}.axis.before", lang))
    ax.set_xlabel(label(f"figure.{NAME}.axis.after", lang))


def _words(cells: pd.DataFrame, side: str, lang: str) -> list[str]:
    """Steps with their words; the step alone stands on the other axis."""
    column = f"label_{side}_{'da' if lang == 'da' else 'en'}"
    first = cells.drop_duplicates(f"level_{side}")
    return [
        word if str(word).startswith(str(step)) else f"{word} ({step})"
        for step, word in zip(first[f"level_{side}"], first[column], strict=True)
    ]


def _moves(ax: Axes, frame: pd.DataFrame, lang: str) -> None:
    text = Formatter(lang)
    for group, (colour, marker, offset) in GROUPS.items():
        rows = frame[frame["group"] == group].set_index("quantity").loc[list(ROWS)]
        marks.interval_points(
            ax,
            [label(f"figure.{NAME}.row.{row}", lang) for row in ROWS],
            rows["estimate"],
            low=rows["conf_low"],
            high=rows["conf_high"],
            colours=colour,
            markers=marker,
            value_labels=[text.percent_axis(value) for value in rows["estimate"]],
            offset=offset,
        )
    ax.set_title(label(f"figure.{NAME}.panel.moves", lang), loc="left")
    reach = frame.loc[frame["quantity"].isin(ROWS) & frame["group"].isin(list(GROUPS)), "conf_high"].max()
    ax.set_xlim(0.0, 1.2 * reach if pd.notna(reach) else 1.0)  # room for the words beside the points
    marks.percent_axis(ax, axis="x", lang=lang, ticks=4)
    marks.grid_lines(ax)


def _describe(frame: pd.DataFrame, lang: str) -> Description:
    text = Formatter(lang)
    key = f"figure.{NAME}"
    by_mark = rows_by(frame[frame["quantity"] != "cell"], "quantity", "group")
    values = "; ".join(
        label(
            f"{key}.value",
            lang,
            row=label(f"{key}.row.{row}", lang),
            shift=text.percent(by_mark[row, "shift"]["estimate"]),
            stay=text.percent(by_mark[row, "stay"]["estimate"]),
        )
        for row in ROWS
    )
    pairs = {group: text.count(by_mark["changed", group]["N_pairs"]) for group in GROUPS}
    return Description(
        id="F9",
        name=NAME,
        lang=lang,
        headline=_headline(by_mark, lang),
        subtitle=label(f"{key}.subtitle", lang),
        note=note(
            frame,
            lang,
            label(f"{key}.pairs", lang, **pairs),
            _difference(by_mark, lang),
            label(f"{key}.benchmark", lang),
            cautions=("caution.association",),
        ),
        source=phrase.source(frame, lang),
        alt=label(f"{key}.alt", lang, values=phrase.full_stop(values)),
        units={"estimate": "share of pairs; scale points for mean_change", "N_pairs": "pairs of waves"},
    )


def _difference(by_mark: dict[tuple[str, ...], pd.Series], lang: str) -> str:
    """Difference in the share that moved, and the mean move in steps, each with its interval."""
    text = Formatter(lang)
    moved, mean = (by_mark[quantity, "difference"] for quantity in ("changed", "mean_change"))
    means = {
        group: text.number(by_mark["mean_change", group]["estimate"], decimals=2)
        for group in (*GROUPS, "difference")
    }
    return phrase.sentences(
        label(
            f"figure.{NAME}.difference",
            lang,
            pp=text.pp(moved["estimate"]),
            interval=text.interval(moved["conf_low"], moved["conf_high"], unit="pp"),
        ),
        label(
            f"figure.{NAME}.mean",
            lang,
            interval=text.interval(mean["conf_low"], mean["conf_high"], decimals=2, level=None),
            **means,
        ),
    )


def _headline(by_mark: dict[tuple[str, ...], pd.Series], lang: str) -> str:
    """By the interval of the difference with and without a shift: more, less, or about as often."""
    key = f"figure.{NAME}.headline"
    difference = by_mark["changed", "difference"]
    if pd.isna(difference["conf_low"]):
        return label(f"{key}.neutral", lang)
    shares = {
        group: phrase.share_text(float(by_mark["changed", group]["estimate"]), lang) for group in GROUPS
    }
    word = {1: "more", 0: "same", -1: "less"}[phrase.outside_zero(difference)]
    return label(f"{key}.{word}", lang, **shares)
