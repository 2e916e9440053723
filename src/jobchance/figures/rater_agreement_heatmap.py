"""F5: heat map of the caseworker's against the citizen's answer, with the measures of agreement beside it."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from jobchance.figures import _phrases as phrase
from jobchance.figures import marks, style
from jobchance.figures._captions import as_text, capitalised, note, rows_by
from jobchance.figures._table import Cell, Column, draw_table
from jobchance.figures.base import CatalogueFigure, Description, finish, new_figure
from jobchance.formatting import Formatter
from jobchance.labels.load import label

NAME = "rater_agreement_heatmap"
REQUIRED = (
    "quantity", "level_caseworker", "level_citizen", "estimate", "conf_low", "conf_high", "N_pairs",
    "suppressed", "construct_da", "construct_en", "wording_status", "estimand", "population", "interval",
    "N_citizens_total", "N_caseworkers_total", "N_jobcentres_total", "study_source", "data_kind",
)  # fmt: skip
MEASURES = ("agreement", "chance", "within_one", "kappa", "icc")
SHARES = ("agreement", "chance", "within_one")


def draw(frame: pd.DataFrame, *, lang: str = "da") -> CatalogueFigure:
    """Highest answers on top and to the right, so that agreement runs up the diagonal."""
    figure, (left, right) = new_figure(height_cm=7.2, cols=2, width_ratios=(1.0, 0.95))
    frame = as_text(frame, "level_caseworker", "level_citizen")
    cells = frame[frame["quantity"] == "cell"]
    table = matrix(cells, "level_caseworker", "level_citizen")
    text = Formatter(lang)
    highest = table.max().max()
    marks.heat_map(
        left,
        table.to_numpy(),
        row_labels=_words(cells, "caseworker", lang)[::-1],
        col_labels=list(table.columns),
        texts=[[whole_percent(value, text) for value in row] for row in table.to_numpy()],
        low=0.0,
        high=float(highest) if pd.notna(highest) else 1.0,
    )
    frame_diagonal(left, len(table))
    left.set_ylabel(label(f"figure.{NAME}.axis.caseworker", lang))
    left.set_xlabel(label(f"figure.{NAME}.axis.citizen", lang))
    _measures(right, frame, lang)
    return finish(figure, _describe(frame, lang))


def matrix(cells: pd.DataFrame, rows: str, columns: str) -> pd.DataFrame:
    """Cells as a matrix in the order of the frame, with the highest row on top."""
    levels = list(dict.fromkeys(cells[rows]))
    across = list(dict.fromkeys(cells[columns]))
    wide = cells.pivot_table(index=rows, columns=columns, values="estimate", dropna=False)
    return wide.loc[levels[::-1], across].astype(float)


def whole_percent(share: float, text: Formatter) -> str:
    """A share in whole per cent without unit; "<1" where it would read 0 without being so."""
    return f"<{text.number(1)}" if 0 < share < 0.005 else text.number(share * 100)


def frame_diagonal(ax: Axes, size: int) -> None:
    """Frame the cells in which both are the same; rows run from the top."""
    for place in range(size):
        ax.add_patch(
            Rectangle(
                (place - 0.5, size - 1 - place - 0.5),
                1.0,
                1.0,
                facecolor="none",
                edgecolor=style.INK,
                linewidth=1.3,
                zorder=5,
            )
        )


def _words(cells: pd.DataFrame, side: str, lang: str) -> list[str]:
    column = f"label_{side}_{'da' if lang == 'da' else 'en'}"
    return list(as_text(cells, column).drop_duplicates(f"level_{side}")[column])


def _measures(ax: Axes, frame: pd.DataFrame, lang: str) -> None:
    text = Formatter(lang)
    key = f"figure.{NAME}"
    by_name = rows_by(frame[frame["quantity"] != "cell"], "quantity")
    rows = [
        [
            Cell(label(f"{key}.measure.{name}", lang)),
            Cell(_value(by_name[name,], text, share=name in SHARES)),
        ]
        for name in MEASURES
    ]
    heads = [label(f"{key}.head.{part}", lang) for part in ("measure", "value")]
    draw_table(ax, [Column(heads[0], 1.0), Column(heads[1], 1.1)], rows, lang=lang)


def _value(row: pd.Series, text: Formatter, *, share: bool) -> str:
    """Estimate with its interval in brackets."""
    if share:
        estimate = text.percent_axis(row["estimate"])
        ends = text.range(row["conf_low"] * 100, row["conf_high"] * 100)
    else:
        estimate = text.number(row["estimate"], decimals=2)
        ends = text.range(row["conf_low"], row["conf_high"], decimals=2)
    return estimate if pd.isna(row["conf_low"]) else f"{estimate} ({ends})"


def _describe(frame: pd.DataFrame, lang: str) -> Description:
    text = Formatter(lang)
    key = f"figure.{NAME}"
    by_name = rows_by(frame[frame["quantity"] != "cell"], "quantity")
    construct = phrase.constant(frame, "construct_da" if lang == "da" else "construct_en")
    values = text.listing(
        [
            f"{label(f'{key}.measure.{name}', lang)} {_value(by_name[name,], text, share=name in SHARES)}"
            for name in MEASURES
        ]
    )
    return Description(
        id="F5",
        name=NAME,
        lang=lang,
        headline=_headline(by_name, lang),
        subtitle=label(f"{key}.subtitle", lang, construct=capitalised(construct)),
        note=note(
            frame,
            lang,
            label(f"{key}.definition", lang, n=text.count(by_name["agreement",]["N_pairs"])),
            "" if phrase.constant(frame, "wording_status") == "verified" else label(f"{key}.wording", lang),
            lines=False,
        ),
        source=phrase.source(frame, lang),
        alt=label(f"{key}.alt", lang, values=phrase.full_stop(values)),
        units={"estimate": "share of pairs; coefficient for kappa and icc", "N_pairs": "pairs"},
    )


def _headline(by_name: dict[tuple[str, ...], pd.Series], lang: str) -> str:
    """Agreement beside chance, worded by whether the interval of agreement lies above or below chance."""
    key = f"figure.{NAME}.headline"
    same, chance = by_name["agreement",], by_name["chance",]["estimate"]
    if pd.isna(same["conf_low"]) or pd.isna(chance):
        return label(f"{key}.neutral", lang)
    fill = {
        "share": phrase.share_text(float(same["estimate"]), lang),
        "chance": phrase.share_text(float(chance), lang),
    }
    if same["conf_low"] > chance:
        return label(f"{key}.agree", lang, **fill)
    return label(f"{key}.{'below' if same['conf_high'] < chance else 'chance'}", lang, **fill)
