"""F89: the evidence ladder: every design's number on the scale of its own question, and its verdict."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from jobchance.errors import SpecError
from jobchance.figures import _ladder as ladder
from jobchance.figures import _phrases as phrase
from jobchance.figures import marks, style
from jobchance.figures._captions import note
from jobchance.figures.base import CatalogueFigure, Description, KeyEntry, add_key, finish, new_figure
from jobchance.formatting import Formatter
from jobchance.identification.cards import CREDIBLE, PREDICTS, SUGGESTIVE
from jobchance.identification.cards_text import verdict_name
from jobchance.labels.load import label

NAME = "grade_of_evidence"
REQUIRED = (
    "rung", "estimate", "conf_low", "conf_high", "unit", "verdict", "missing", "open_points", "base_rate",
    "relative", "estimand", "outcome", "horizon_weeks", "respondent", "population", "interval",
    "N_citizens_total", "N_caseworkers_total", "N_jobcentres_total", "study_source", "data_kind",
)  # fmt: skip
_KEY = f"figure.{NAME}"
# shape says what colour says: the further a design reaches, the more the mark stands out
_COLOURS = {CREDIBLE: style.HIGH, SUGGESTIVE: style.CASEWORKER, PREDICTS: style.NEUTRAL}
_MARKERS = {CREDIBLE: "D", SUGGESTIVE: "o", PREDICTS: "s"}
_EMPTY_CM, _ROW_CM = 1.5, 0.62


def draw(frame: pd.DataFrame, *, lang: str = "da") -> CatalogueFigure:
    """One panel per unit, since different units share no axis; one row per design, number at the right."""
    rows = ladder.drawn(frame)
    if rows.empty:
        raise SpecError(f"figure {NAME}: no design has a number; evidence_table says what is missing.")
    groups = [rows[rows["unit"] == unit].reset_index(drop=True) for unit in dict.fromkeys(rows["unit"])]
    height = _EMPTY_CM * len(groups) + _ROW_CM * len(rows)
    figure, axes = new_figure(height_cm=height, rows=len(groups), height_ratios=[len(g) for g in groups])
    for ax, group in zip(axes, groups, strict=True):
        _panel(ax, group, lang)
    found = [verdict for verdict in _COLOURS if (ladder.with_number(rows)["verdict"] == verdict).any()]
    entries = [KeyEntry(verdict_name(v, lang), _COLOURS[v], marker=_MARKERS[v], filled=True) for v in found]
    add_key(figure, entries)
    return finish(figure, _describe(frame, lang))


def _panel(ax: Axes, rows: pd.DataFrame, lang: str) -> None:
    """Estimates of one unit, with numbers to the right."""
    marks.reference_line(ax, 0.0)
    marks.interval_points(
        ax,
        [ladder.name_of(str(rung), lang) for rung in rows["rung"]],
        rows["estimate"],
        low=rows["conf_low"],
        high=rows["conf_high"],
        colours=[_COLOURS[verdict] for verdict in rows["verdict"]],
        markers=[_MARKERS[verdict] for verdict in rows["verdict"]],
    )
    known = rows[["conf_low", "conf_high"]].to_numpy(dtype=float)
    ends = np.array([0.0, *known[~np.isnan(known)]])
    margin = 0.08 * (float(np.ptp(ends)) or 1.0)
    ax.set_xlim(ends.min() - margin, ends.max() + margin)
    for place, (_, row) in enumerate(rows.iterrows()):
        value = (
            "" if pd.isna(row["estimate"]) else ladder.value_of(row, lang)
        )  # a hidden row has its own mark
        ax.text(1.02, place, value, transform=ax.get_yaxis_transform(), va="center", clip_on=False)
    marks.number_axis(ax, axis="x", lang=lang)
    marks.grid_lines(ax, axis="x")
    ax.set_title(label(f"{_KEY}.unit.{ladder.UNITS[str(rows['unit'].iloc[0])]}", lang))


def _describe(frame: pd.DataFrame, lang: str) -> Description:
    when = {"reached": phrase.outcome_reached(frame, lang), "horizon": phrase.horizon(frame, lang)}
    base = Formatter(lang).percent(float(frame["base_rate"].iloc[0]), decimals=1)
    return Description(
        id="F89",
        name=NAME,
        lang=lang,
        headline=ladder.headline(frame, lang),
        subtitle=label(f"{_KEY}.subtitle", lang, **when),
        note=note(
            frame,
            lang,
            label(f"{_KEY}.base", lang, base=base, **when),
            ladder.refused_sentence(frame, lang),
            ladder.hidden_sentence(frame, lang),
            cautions=(f"{_KEY}.reading", f"{_KEY}.scales"),
        ),
        source=phrase.source(frame, lang),
        alt=label(f"{_KEY}.alt", lang, rows=ladder.said(ladder.with_number(frame), lang)),
        units={"estimate": "percentage points of the unit named", "relative": "share of the base rate"},
    )
