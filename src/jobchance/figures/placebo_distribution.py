"""F55: the estimate among those of other assignments."""

from __future__ import annotations

import numpy as np
import pandas as pd

from jobchance.figures import _phrases as phrase
from jobchance.figures import marks, style
from jobchance.figures._captions import hidden, note
from jobchance.figures.base import CatalogueFigure, Description, KeyEntry, add_key, finish, new_figure
from jobchance.formatting import Formatter
from jobchance.labels.load import label

NAME = "placebo_distribution"
REQUIRED = (
    "mark", "value", "value_to", "arrangement_share", "p_value", "conf_low", "conf_high", "conf_level",
    "arrangements", "drawn", "exact", "N_citizens", "estimand", "outcome", "horizon_weeks", "respondent",
    "population", "interval", "N_citizens_total", "N_caseworkers_total", "N_jobcentres_total",
    "study_source", "data_kind",
)  # fmt: skip
_KEY = f"figure.{NAME}"
_RARE = 0.05
_LEAST_SHOWN = 0.001


def draw(frame: pd.DataFrame, *, lang: str = "da") -> CatalogueFigure:
    """Bars of the other assignments, those at least as far from zero in a second colour, and the estimate."""
    figure, (ax,) = new_figure(height_cm=6.0)
    bars = frame[frame["mark"] == "bin"]
    observed = float(frame.loc[frame["mark"] == "observed", "value"].iloc[0])
    if hidden(frame):
        ax.add_patch(marks.hidden_cell((0.25, 0.3), (0.5, 0.4), transform=ax.transAxes))
        ax.set_axis_off()
        return finish(figure, _describe(frame, observed, lang))
    low, high = 100 * bars["value"].to_numpy(float), 100 * bars["value_to"].to_numpy(float)
    middle = (low + high) / 2
    extreme = np.abs(middle) >= 100 * abs(observed)
    ax.bar(
        middle,
        bars["arrangement_share"].to_numpy(float),
        width=high - low,
        color=np.where(extreme, style.LOW, style.MIDDLE),
        edgecolor="white",
        linewidth=0.5,
    )
    marks.reference_line(ax, 0.0)
    top = float(bars["arrangement_share"].max())
    ax.plot([100 * observed] * 2, [0, 1.2 * top], color=style.INK, linewidth=1.8, zorder=5)
    text = Formatter(lang)
    right = observed > 0
    ax.annotate(
        label(f"{_KEY}.observed", lang, value=text.pp(observed)),
        (100 * observed, 1.2 * top),
        textcoords="offset points",
        xytext=(-5 if right else 5, 0),
        ha="right" if right else "left",
        va="top",
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.0},
    )
    ax.set_ylim(0, 1.25 * top)
    marks.number_axis(ax, axis="x", lang=lang)
    marks.percent_axis(ax, axis="y", lang=lang)
    ax.set_xlabel(label(f"{_KEY}.axis.x", lang))
    ax.set_ylabel(label(f"{_KEY}.axis.y", lang))
    add_key(
        figure,
        [
            KeyEntry(label(f"{_KEY}.key.inner", lang), style.MIDDLE),
            KeyEntry(label(f"{_KEY}.key.extreme", lang), style.LOW),
        ],
    )
    return finish(figure, _describe(frame, observed, lang))


def _describe(frame: pd.DataFrame, observed: float, lang: str) -> Description:
    text = Formatter(lang)
    row = frame.iloc[0]
    shown = not hidden(frame)
    p = float(row["p_value"])
    kind = "hidden" if not shown else "common" if p >= _RARE else "rare" if p >= _LEAST_SHOWN else "rarest"
    fill = {"p": text.p_value(p) if shown else "", "share": _share(p, text) if shown else ""}
    when = {"share": phrase.outcome_share(frame, lang), "horizon": phrase.horizon(frame, lang)}
    return Description(
        id="F55",
        name=NAME,
        lang=lang,
        headline=label(f"{_KEY}.headline.{kind}", lang, **fill),
        subtitle=label(f"{_KEY}.subtitle", lang, **when),
        note=note(
            frame,
            lang,
            _how(frame, lang),
            label(f"{_KEY}.p", lang, **fill) if shown else "",
            _interval(row, lang) if shown else "",
            cautions=(f"{_KEY}.reading",),
        ),
        source=phrase.source(frame, lang),
        alt=label(
            f"{_KEY}.alt.{'rare' if kind == 'rarest' else kind}",
            lang,
            value=text.pp(observed) if shown else "",
            **fill,
        ),
        units={"value": "difference between shares", "arrangement_share": "share of assignments"},
    )


def _share(p: float, text: Formatter) -> str:
    """Share of the assignments as far from zero."""
    if p >= _LEAST_SHOWN:
        return text.percent(p, decimals=1)
    return label(f"{_KEY}.below", text.lang, share=text.percent(_LEAST_SHOWN, decimals=1))


def _how(frame: pd.DataFrame, lang: str) -> str:
    """How many assignments were compared."""
    text = Formatter(lang)
    key = "all" if phrase.constant(frame, "exact") == "all" else "drawn"
    return label(f"{_KEY}.how.{key}", lang, n=text.count(int(float(phrase.constant(frame, "drawn")))))


def _interval(row: pd.Series, lang: str) -> str:
    """The effects not rejected, where both ends are known."""
    if pd.isna(row["conf_low"]) or pd.isna(row["conf_high"]):
        return ""
    text = Formatter(lang)
    shown = text.interval(
        float(row["conf_low"]), float(row["conf_high"]), unit="pp", level=float(row["conf_level"])
    )
    return label(f"{_KEY}.interval", lang, interval=shown)
