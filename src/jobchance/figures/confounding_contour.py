"""F86: how strong a hidden explanation would have to be: lines of what is left, and observed benchmarks."""

from __future__ import annotations

from collections.abc import Sequence
from string import ascii_uppercase

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from jobchance.errors import SpecError
from jobchance.figures import _phrases as phrase
from jobchance.figures import marks, style
from jobchance.figures._captions import note
from jobchance.figures.base import CatalogueFigure, Description, KeyEntry, add_key, finish, new_figure
from jobchance.formatting import Formatter
from jobchance.labels.load import label

NAME = "confounding_contour"
REQUIRED = (
    "mark", "line", "strength", "label_da", "label_en", "r2_exposure", "r2_outcome", "estimate", "conf_low",
    "conf_high", "exposure_da", "exposure_en", "binary", "estimand", "outcome", "horizon_weeks", "respondent",
    "population", "interval", "N_citizens_total", "N_caseworkers_total", "N_jobcentres_total", "study_source",
    "data_kind",
)  # fmt: skip
_KEY = f"figure.{NAME}"
_SHARES = ("left_75", "left_50", "left_25")
_TICKS = (0.0, 0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0)
_APART = 0.09  # least distance of two ticks, as a share of the axis


def draw(frame: pd.DataFrame, *, lang: str = "da") -> CatalogueFigure:
    """Lines of equal remaining estimate over the two shares; benchmarks and the robustness value as marks."""
    if frame.loc[frame["mark"] == "estimate", "estimate"].isna().all():
        raise SpecError(f"figure {NAME}: the estimate is hidden, so nothing can be drawn.")
    figure, (ax,) = new_figure(height_cm=10.0)
    top = _limits(frame)
    _lines(ax, frame, lang)
    _points(ax, frame, lang)
    for axis, limit in zip("xy", top, strict=True):
        _axis(ax, axis, limit, lang)
    marks.grid_lines(ax, axis="x")
    marks.grid_lines(ax, axis="y")
    ax.set_xlabel(label(f"{_KEY}.axis.exposure", lang, exposure=_exposure(frame, lang)))
    ax.set_ylabel(label(f"{_KEY}.axis.outcome", lang))
    add_key(figure, _entries(frame, lang))
    phrase.say_association(ax, lang)
    return finish(figure, _describe(frame, lang))


def _limits(frame: pd.DataFrame) -> tuple[float, float]:
    """Right and upper end of the axes, as shares."""
    return float(frame["r2_exposure"].max()), float(frame["r2_outcome"].max())


def _lines(ax: Axes, frame: pd.DataFrame, lang: str) -> None:
    """The lines, named at their right ends; what lies beyond the line of nothing left is shaded."""
    right, top = _limits(frame)
    ends = []
    for line in (*_SHARES, "not_significant", "nothing"):
        points = frame[(frame["mark"] == "contour") & (frame["line"] == line)].dropna(subset=["r2_outcome"])
        if points.empty:
            continue
        x, y = np.sqrt(points["r2_exposure"]), np.sqrt(points["r2_outcome"])
        colour, drawn = _style(line)
        marks.line(ax, x, y, colour=colour, line_style=drawn)
        if line == "nothing":
            ax.fill_between(x, y, np.sqrt(top), color=style.LOW, alpha=0.14, linewidth=0, zorder=0)
            beyond = [float(x.iloc[-1]), np.sqrt(right)]
            ax.fill_between(beyond, [float(y.iloc[-1])] * 2, np.sqrt(top), color=style.LOW, alpha=0.14, lw=0)
        if line in _SHARES:
            ends.append(marks.EndLabel(float(x.iloc[-1]), float(y.iloc[-1]), _left(line, lang), colour))
    marks.end_labels(ax, ends)


def _style(line: str) -> tuple[str, style.LineStyle]:
    """Colour and stroke of a line."""
    if line == "nothing":
        return style.CITIZEN, "solid"
    return (style.INK, style.DASHED) if line == "not_significant" else (style.CASEWORKER, "solid")


def _left(line: str, lang: str) -> str:
    """`75 %`: so much of the estimate is left on the line."""
    share = {"left_75": 0.75, "left_50": 0.5, "left_25": 0.25}[line]
    return Formatter(lang).percent_axis(share)


def _points(ax: Axes, frame: pd.DataFrame, lang: str) -> None:
    """The robustness value as a cross; benchmarks as lettered diamonds, those of one benchmark joined."""
    for _, row in _marks(frame, "value").iterrows():
        x, y = np.sqrt(row["r2_exposure"]), np.sqrt(row["r2_outcome"])
        ax.plot([x], [y], marker="X", markersize=8, color=style.INK, linestyle="none", zorder=5)
        value = Formatter(lang).percent_axis(row["r2_exposure"], decimals=1)
        marks.free_label(ax, x, y, label(f"{_KEY}.value", lang, value=value))
    for letter, (_, rows) in zip(ascii_uppercase, _benchmarks(frame, lang), strict=False):
        x, y = np.sqrt(rows["r2_exposure"]).to_numpy(), np.sqrt(rows["r2_outcome"]).to_numpy()
        ax.plot(x, y, marker="D", markersize=5, color=style.HIGH, linewidth=0.8, zorder=5)
        marks.free_label(ax, float(x[-1]), float(y[-1]), letter)


def _benchmarks(frame: pd.DataFrame, lang: str) -> list[tuple[str, pd.DataFrame]]:
    """Marks of each benchmark with its name, in the order of the frame."""
    rows = _marks(frame, "benchmark")
    names = rows["label_da" if lang == "da" else "label_en"].astype(str)
    return [(name, rows[names == name]) for name in dict.fromkeys(names)]


def _benchmark(row: pd.Series, lang: str) -> str:
    return str(row["label_da" if lang == "da" else "label_en"])


def _times(row: pd.Series, lang: str) -> str:
    """`1 x`, in the reader's language."""
    times = float(str(row["strength"]).removesuffix("x"))
    return f"{Formatter(lang).number(times, decimals=0 if times == round(times) else 1)}\u00a0x"


def _axis(ax: Axes, axis: str, limit: float, lang: str) -> None:
    """An axis stretched by the square root, with round percentages as far as they do not collide."""
    reach = float(np.sqrt(limit))
    chosen: list[float] = []
    for tick in (t for t in reversed(_TICKS) if t <= limit * 1.0001):
        if not chosen or np.sqrt(chosen[-1]) - np.sqrt(tick) >= _APART * reach:
            chosen.append(tick)
    said = Formatter(lang)
    words = [said.percent_axis(t, decimals=0 if t >= 0.01 or t == 0 else 1) for t in chosen]
    if axis == "x":
        ax.set_xlim(0, reach)
        ax.set_xticks([float(np.sqrt(t)) for t in chosen], words)
    else:
        ax.set_ylim(0, reach)
        ax.set_yticks([float(np.sqrt(t)) for t in chosen], words)


def _entries(frame: pd.DataFrame, lang: str) -> Sequence[KeyEntry]:
    """The key: what the lines and marks are."""
    lines = set(frame.loc[frame["mark"] == "contour", "line"].dropna())
    entries = []
    if lines & set(_SHARES):
        entries.append(KeyEntry(label(f"{_KEY}.key.left", lang), style.CASEWORKER, marker="-"))
    if "nothing" in lines:
        entries.append(KeyEntry(label(f"{_KEY}.key.nothing", lang), style.CITIZEN, marker="-"))
    if "not_significant" in lines:
        entries.append(
            KeyEntry(
                label(f"{_KEY}.key.not_significant", lang), style.INK, marker="-", line_style=style.DASHED
            )
        )
    for letter, (name, _) in zip(ascii_uppercase, _benchmarks(frame, lang), strict=False):
        words = label(f"{_KEY}.key.benchmark", lang, letter=letter, name=name)
        entries.append(KeyEntry(words, style.HIGH, marker="D", filled=True))
    return entries


def _marks(frame: pd.DataFrame, mark: str) -> pd.DataFrame:
    """Shown rows of one mark."""
    return frame[frame["mark"] == mark].dropna(subset=["r2_exposure", "r2_outcome"])


def _exposure(frame: pd.DataFrame, lang: str) -> str:
    return str(frame["exposure_da" if lang == "da" else "exposure_en"].iloc[0])


def _describe(frame: pd.DataFrame, lang: str) -> Description:
    said = Formatter(lang)
    values = {mark: _marks(frame, mark) for mark in ("value", "value_alpha")}
    value = said.percent(values["value"]["r2_exposure"].iloc[0], decimals=1)
    alpha = values["value_alpha"]
    when = {"state": phrase.outcome_state(frame, lang), "horizon": phrase.horizon(frame, lang)}
    fill = {"exposure": _exposure(frame, lang), "value": value, "estimate": _estimate(frame, lang)} | when
    significance = (
        label(f"{_KEY}.alpha", lang, value=said.percent(alpha["r2_exposure"].iloc[0], decimals=1))
        if len(alpha)
        else label(f"{_KEY}.alpha_none", lang)
    )
    return Description(
        id="F86",
        name=NAME,
        lang=lang,
        headline=_headline(frame, lang, value),
        subtitle=label(f"{_KEY}.subtitle", lang, **fill),
        note=note(
            frame,
            lang,
            label(f"{_KEY}.robustness", lang, **fill),
            significance,
            _strengths(frame, lang),
            label(f"{_KEY}.scale", lang),
            cautions=(f"{_KEY}.reading",),
            lines=False,
        ),
        source=phrase.source(frame, lang),
        alt=label(f"{_KEY}.alt", lang, benchmarks=_said(frame, lang), **fill),
        units={
            "r2_exposure": "share of what the covariates leave of the exposure",
            "r2_outcome": "share of what exposure and covariates leave of the outcome",
            "estimate": "percentage points per unit" if phrase.whole(frame, "binary") else "outcome per unit",
        },
    )


def _estimate(frame: pd.DataFrame, lang: str) -> str:
    """The estimate with its interval."""
    row = frame[frame["mark"] == "estimate"].iloc[0]
    said = Formatter(lang)
    if phrase.whole(frame, "binary"):
        reach = said.interval(row["conf_low"] / 100, row["conf_high"] / 100, unit="pp")
        return f"{said.pp(row['estimate'] / 100)} ({reach})"
    return (
        f"{said.significant(row['estimate'])} ({said.range(row['conf_low'], row['conf_high'], decimals=2)})"
    )


def _headline(frame: pd.DataFrame, lang: str, value: str) -> str:
    """By the benchmark that would take most of the estimate away, at the least strength drawn."""
    rows = _marks(frame, "benchmark")
    if rows.empty:
        return label(f"{_KEY}.headline.none", lang, value=value, exposure=_exposure(frame, lang))
    own = float(frame.loc[frame["mark"] == "estimate", "estimate"].iloc[0])
    least = rows[rows["strength"] == rows["strength"].iloc[0]]
    worst = least.loc[(least["estimate"] * np.sign(own)).idxmin()]
    left = float(worst["estimate"] / own)
    key = "gone" if left <= 0 else "most" if left >= 0.5 else "less"
    name = label(f"{_KEY}.strength", lang, name=_benchmark(worst, lang), times=_times(worst, lang))
    if str(worst["strength"]) == "1x":
        name = _benchmark(worst, lang)
    return label(f"{_KEY}.headline.{key}", lang, name=name, left=Formatter(lang).percent(left))


def _strengths(frame: pd.DataFrame, lang: str) -> str:
    """What the diamonds are; "" without benchmarks."""
    rows = _marks(frame, "benchmark")
    if rows.empty:
        return ""
    times = Formatter(lang).listing(
        [_times(row, lang) for _, row in rows.drop_duplicates("strength").iterrows()]
    )
    return label(f"{_KEY}.diamonds", lang, times=times)


def _said(frame: pd.DataFrame, lang: str) -> str:
    """The benchmarks in words, for the alternative text."""
    said = Formatter(lang)
    words = [
        label(
            f"{_KEY}.said",
            lang,
            name=_benchmark(row, lang),
            times=_times(row, lang),
            exposure=said.percent(row["r2_exposure"], decimals=1),
            outcome=said.percent(row["r2_outcome"], decimals=1),
        )
        for _, row in _marks(frame, "benchmark").iterrows()
    ]
    return " ".join(words)
