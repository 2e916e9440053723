"""F90: what followed each measurement, who is still measured, and the difference however loss is treated."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from jobchance.figures import _phrases as phrase
from jobchance.figures import marks, style
from jobchance.figures._captions import as_text, note
from jobchance.figures.base import CatalogueFigure, Description, finish, new_figure
from jobchance.formatting import Formatter
from jobchance.labels.load import label

NAME = "attrition"
REQUIRED = (
    "quantity", "series", "level", "number", "share", "estimate", "lower", "upper", "conf_low", "conf_high",
    "N_citizens", "missing", "suppressed", "answers_low", "answers_high", "estimand", "outcome",
    "horizon_weeks", "respondent", "population", "interval", "N_citizens_total", "N_caseworkers_total",
    "N_jobcentres_total", "study_source", "data_kind",
)  # fmt: skip
_KEY = f"figure.{NAME}"
SERIES = {  # colour, hatch: what is lost stands out
    "measured": (style.CASEWORKER, ""),
    "lost": (style.LOW, "///"),
    "outcome": (style.HIGH, ""),
    "other": (style.NEUTRAL, ""),
    "left": (style.HIGH, ""),
}
GROUPS = ("low", "high")
_LINES_CM, _ROW_CM, _AROUND_CM = 4.8, 0.6, 1.1


def draw(frame: pd.DataFrame, *, lang: str = "da") -> CatalogueFigure:
    """Stacked bars on top, two lines in the middle, estimates and bounds with intervals below."""
    frame = as_text(frame, "level", "answers_low", "answers_high")
    steps, still, rows = (frame[frame["quantity"] == q] for q in ("step", "still", "estimate"))
    rows = rows[rows["missing"].isna()].reset_index(drop=True)
    levels = list(dict.fromkeys(steps["level"]))
    heights = [_ROW_CM * len(levels) + _AROUND_CM, _LINES_CM, _ROW_CM * max(len(rows), 1) + _AROUND_CM]
    figure, (bars, lines, points) = new_figure(height_cm=sum(heights), rows=3, height_ratios=heights)
    _bars(bars, steps, levels, lang)
    _lines(lines, frame, still, lang)
    _points(points, rows, lang)
    return finish(figure, _describe(frame, steps, still, rows, lang))


def _bars(ax: Axes, steps: pd.DataFrame, levels: list[str], lang: str) -> None:
    """What followed measurement 1, 2, ...; a row with a hidden part is hidden whole."""
    found = [name for name in SERIES if (steps["series"] == name).any()]
    cells = steps.set_index(["level", "series"])["share"]
    table = np.array([[cells.get((row, name), np.nan) for name in found] for row in levels], dtype=float)
    marks.stacked_bars(
        ax,
        levels,
        table,
        names=[label(f"{_KEY}.reason.{name}", lang) for name in found],
        colours=[SERIES[name][0] for name in found],
        hatches=[SERIES[name][1] for name in found],
        lang=lang,
    )
    ax.set_title(label(f"{_KEY}.panel.steps", lang))
    ax.set_ylabel(label(f"{_KEY}.axis.after", lang))


def _lines(ax: Axes, frame: pd.DataFrame, still: pd.DataFrame, lang: str) -> None:
    """Share measured at least k times by first belief; everybody is measured once."""
    ends = []
    for name in GROUPS:
        own = still[still["series"] == name].dropna(subset=["share"])
        points = pd.concat(
            [
                pd.DataFrame({"number": [1.0], "share": [1.0], "conf_low": [1.0], "conf_high": [1.0]}),
                own[["number", "share", "conf_low", "conf_high"]].astype(float),
            ]
        )
        colour = style.LEVELS[name]
        marks.line(
            ax,
            points["number"],
            points["share"],
            low=points["conf_low"],
            high=points["conf_high"],
            colour=colour,
            line_style=style.LINE_STYLES[name],
            marker=style.MARKERS[name],
        )
        last = points.iloc[-1]
        words = label(f"{_KEY}.group.{name}", lang, answers=str(frame[f"answers_{name}"].iloc[0]))
        ends.append(marks.EndLabel(float(last["number"]), float(last["share"]), words, colour))
    marks.end_labels(ax, ends)
    top = int(still["number"].max()) if still["share"].notna().any() else 2
    ax.set_xlim(0.9, top + 0.1)
    ax.set_ylim(0.0, 1.0)
    ax.set_xticks(range(1, top + 1), labels=[Formatter(lang).count(k) for k in range(1, top + 1)])
    marks.percent_axis(ax, axis="y", lang=lang, ticks=4)
    marks.grid_lines(ax, axis="y")
    ax.set_title(label(f"{_KEY}.panel.still", lang))
    ax.set_xlabel(label(f"{_KEY}.axis.number", lang))


def _points(ax: Axes, rows: pd.DataFrame, lang: str) -> None:
    """Estimates as points, bounds as a bar between their ends; numbers at the right."""
    text = Formatter(lang)
    names = [label(f"{_KEY}.method.{series}", lang) for series in rows["series"]]
    marks.reference_line(ax, 0.0)
    middle = rows["estimate"].where(rows["estimate"].notna(), (rows["lower"] + rows["upper"]) / 2)
    bounds = rows["lower"].notna().to_numpy()
    marks.interval_points(
        ax,
        names,
        middle,
        low=rows["conf_low"],
        high=rows["conf_high"],
        colours=[style.CITIZEN if bound else style.CASEWORKER for bound in bounds],
        markers=["" if bound else "o" for bound in bounds],
    )
    for place, (_, row) in enumerate(rows.iterrows()):
        if pd.notna(row["lower"]):
            reach = [float(row["lower"]), float(row["upper"])]
            ax.plot(
                reach, [place, place], color=style.CITIZEN, linewidth=5.5, solid_capstyle="butt", zorder=4
            )
        words = _value(row, text)
        ax.text(1.02, place, words, transform=ax.get_yaxis_transform(), va="center", clip_on=False)
    known = rows[["conf_low", "conf_high"]].to_numpy(dtype=float)
    ends = np.array([0.0, *known[~np.isnan(known)]])
    margin = 0.06 * (float(np.ptp(ends)) or 0.1)
    ax.set_xlim(ends.min() - margin, ends.max() + margin)
    marks.number_axis(ax, axis="x", lang=lang, unit="pp")
    marks.grid_lines(ax, axis="x")
    ax.set_title(label(f"{_KEY}.panel.estimates", lang))
    ax.set_xlabel(label(f"{_KEY}.axis.difference", lang))


def _value(row: pd.Series, text: Formatter) -> str:
    """The estimate, or both ends of bounds, in percentage points; "" where hidden."""
    if pd.notna(row["estimate"]):
        return text.number(100 * row["estimate"], decimals=1)
    if pd.notna(row["lower"]):
        return text.range(100 * row["lower"], 100 * row["upper"], decimals=1)
    return ""


def _describe(
    frame: pd.DataFrame, steps: pd.DataFrame, still: pd.DataFrame, rows: pd.DataFrame, lang: str
) -> Description:
    text = Formatter(lang)
    when = {"reached": phrase.outcome_reached(frame, lang), "horizon": phrase.horizon(frame, lang)}
    answers = {name: str(frame[f"answers_{name}"].iloc[0]) for name in GROUPS}
    absent = frame[frame["missing"].notna()]["series"]
    gone = text.listing([label(f"{_KEY}.method.{name}", lang) for name in absent])
    last = str(steps["level"].iloc[-1])
    return Description(
        id="F90",
        name=NAME,
        lang=lang,
        headline=_headline(steps, rows, lang),
        subtitle=label(f"{_KEY}.subtitle", lang, **when, **answers),
        note=note(
            frame,
            lang,
            label(f"{_KEY}.lost", lang),
            label(f"{_KEY}.pooled", lang, level=last, first=last[:-1]) if last.endswith("+") else "",
            label(f"{_KEY}.methods", lang),
            label(f"{_KEY}.not_computed", lang, names=gone) if len(absent) else "",
            cautions=("caution.association",),
        ),
        source=phrase.source(frame, lang),
        alt=label(f"{_KEY}.alt", lang, values=_said(steps, still, rows, lang)),
        units={"share": "share of measurements, or of citizens", "estimate": "difference of shares"},
    )


def _headline(steps: pd.DataFrame, rows: pd.DataFrame, lang: str) -> str:
    """How many are lost after the first measurement, and whether every method gives the same sign."""
    key = f"{_KEY}.headline"
    lost = steps[(steps["series"] == "lost") & steps["share"].notna()]
    shown = rows.dropna(subset=["conf_low", "conf_high"])
    if lost.empty or shown.empty:
        return label(f"{key}.neutral", lang)
    share = phrase.share_text(float(lost["share"].iloc[0]), lang)
    pooled = str(lost["level"].iloc[0]).endswith("+")
    when = label(f"{_KEY}.when.{'next' if pooled else 'first'}", lang)
    if len(shown) < len(rows):
        return label(f"{key}.lost", lang, share=share, when=when)
    same = (shown["conf_low"] > 0).all() or (shown["conf_high"] < 0).all()
    return label(f"{key}.{'robust' if same else 'depends'}", lang, share=share, when=when)


def _said(steps: pd.DataFrame, still: pd.DataFrame, rows: pd.DataFrame, lang: str) -> str:
    """The numbers in words."""
    text = Formatter(lang)
    first = steps[steps["level"] == steps["level"].iloc[0]].dropna(subset=["share"])
    parts = [
        f"{label(f'{_KEY}.reason.{name}', lang)} {text.percent(value)}"
        for name, value in zip(first["series"], first["share"], strict=True)
    ]
    ends = still.dropna(subset=["share"]).drop_duplicates("series", keep="last").set_index("series")
    parts += [
        label(
            f"{_KEY}.said_still",
            lang,
            group=label(f"{_KEY}.word.{name}", lang),
            share=text.percent(ends["share"][name]),
            k=text.count(ends["number"][name]),
        )
        for name in GROUPS
        if name in ends.index
    ]
    for _, row in rows.iterrows():
        if words := _value(row, text):
            parts.append(f"{label(f'{_KEY}.method.{row.series}', lang)} {words}")
    return phrase.full_stop("; ".join(parts))
