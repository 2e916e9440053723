"""F16: cumulative share with the outcome, one line per answer, and a risk table in bands under the axis."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes

from jobchance.figures import _phrases as phrase
from jobchance.figures import marks, style
from jobchance.figures._captions import as_text, hidden
from jobchance.figures._overlay import draw_overlay, published_belief, source_keys
from jobchance.figures.base import CatalogueFigure, Description, finish, new_figure
from jobchance.formatting import MISSING, Formatter
from jobchance.labels.load import label
from jobchance.labels.published import PublishedValue

NAME = "job_curve_by_belief"
REQUIRED = (
    "mark",
    "level",
    "compared_with",
    "label_da",
    "label_en",
    "week",
    "estimate",
    "conf_low",
    "conf_high",
    "N_at_risk",
    "band",
    "min_events",
    "instrument",
    "outcome",
    "horizon_weeks",
    "respondent",
    "population",
    "interval",
    "N_citizens_total",
    "N_caseworkers_total",
    "N_jobcentres_total",
    "study_source",
    "data_kind",
)
_KEY = f"figure.{NAME}"


def draw(frame: pd.DataFrame, *, lang: str = "da") -> CatalogueFigure:
    """Curves named at their right ends; the numbers at risk stand below, highest answer first."""
    frame = as_text(frame, "level", "compared_with", "label_da", "label_en")
    levels = _levels(frame)
    height = 0.42 * len(levels)
    figure, (ax, table) = new_figure(height_cm=6.6 + height, rows=2, height_ratios=[6.0, height + 0.2])
    looks = _looks(levels, frame)
    curves = frame[frame["mark"] == "curve"]
    for level in levels:
        _draw_curve(ax, curves[curves["level"] == level], looks[level])
    marks.end_labels(ax, _ends(curves, levels, looks, lang))
    horizon = phrase.whole(frame, "horizon_weeks")
    weeks = sorted({int(week) for week in frame.loc[frame["mark"] == "at_risk", "week"]})
    ax.set_xlim(0, horizon)
    ax.set_ylim(bottom=0)
    ax.set_xticks(weeks)
    marks.percent_axis(ax, axis="y", lang=lang)
    marks.grid_lines(ax, axis="y")
    ax.set_xlabel(label(f"{_KEY}.axis", lang))
    phrase.say_association(ax, lang)
    overlay = published_belief(frame, curves) if len(curves) else {}
    draw_overlay(ax, [(horizon, found.value) for found in overlay.values()], overlay.values(), lang=lang)
    _draw_table(table, frame, levels, weeks, lang)
    return finish(figure, _describe(frame, overlay, lang))


def _levels(frame: pd.DataFrame) -> list[str]:
    """Answers with a curve and a risk table, lowest first, "don't know" last."""
    drawn = frame.loc[frame["mark"] == "at_risk", "level"]
    return [str(level) for level in drawn.drop_duplicates()]


def _looks(levels: list[str], frame: pd.DataFrame) -> dict[str, tuple[str, object]]:
    """Colour and line style by answer: light to dark and ever less broken; "don't know" grey and dotted."""
    answers = [level for level in levels if level != phrase.DONT_KNOW]
    styles = [(0, (1, 1.2)), (0, (2.5, 1.5)), (0, (5, 1.6)), (0, (8, 1.6)), "solid"]
    colours = style.ordered_colours(len(answers))
    looks: dict[str, tuple[str, object]] = {
        level: (colours[i], styles[round(i * 4 / max(len(answers) - 1, 1))])
        for i, level in enumerate(answers)
    }
    looks[phrase.DONT_KNOW] = (style.NEUTRAL, (0, (1, 2.5)))
    return looks


def _draw_curve(ax: Axes, curve: pd.DataFrame, look: tuple[str, object]) -> None:
    """Straight lines from the origin through the knots, with the band."""
    zero = pd.DataFrame({"week": [0.0], "estimate": [0.0], "conf_low": [0.0], "conf_high": [0.0]})
    points = pd.concat([zero, curve[zero.columns].astype(float)])
    marks.line(
        ax,
        points["week"],
        points["estimate"],
        low=points["conf_low"],
        high=points["conf_high"],
        colour=look[0],
        line_style=look[1],  # type: ignore[arg-type]  # a matplotlib dash pattern
    )


def _ends(
    curves: pd.DataFrame, levels: list[str], looks: dict[str, tuple[str, object]], lang: str
) -> list[marks.EndLabel]:
    """Answer and final share at the right end of each curve that may be shown."""
    text = Formatter(lang)
    ends = []
    for level in levels:
        curve = curves[curves["level"] == level].dropna(subset=["estimate"])
        if curve.empty:
            continue
        last = curve.iloc[-1]
        words = f"{phrase.answer(last, lang)} {text.percent_axis(last['estimate'], decimals=1)}"
        x = 1.02 * float(last["week"])  # beyond the published marker
        ends.append(marks.EndLabel(x, float(last["estimate"]), words, looks[level][0]))
    return ends


def _draw_table(table: Axes, frame: pd.DataFrame, levels: list[str], weeks: list[int], lang: str) -> None:
    """Numbers at risk under the weeks they belong to; the answers as row names."""
    text = Formatter(lang)
    risk = frame[frame["mark"] == "at_risk"]
    at = {
        (str(level), int(week)): n
        for level, week, n in zip(risk["level"], risk["week"], risk["N_at_risk"], strict=True)
    }
    order = [*(level for level in levels[::-1] if level != phrase.DONT_KNOW)]
    order += [level for level in levels if level == phrase.DONT_KNOW]
    for row, level in enumerate(order):
        for week in weeks:
            n = at[level, week]
            table.text(
                week,
                row,
                MISSING if pd.isna(n) else text.count(n),
                fontsize=style.SMALL_SIZE,
                ha="left" if week == weeks[0] else "right" if week == weeks[-1] else "center",
                va="center_baseline",
            )
    names = [phrase.answer(risk[risk["level"] == level].iloc[0], lang) for level in order]
    table.set_yticks(range(len(order)), labels=names)
    table.set_xlim(0, phrase.whole(frame, "horizon_weeks"))
    table.set_ylim(max(len(order), 1) - 0.5, -0.5)
    table.set_xticks([])
    table.tick_params(length=0, pad=9)
    table.spines[:].set_visible(False)
    table.set_title(
        label(
            f"{_KEY}.at_risk",
            lang,
            state=phrase.outcome_state(frame, lang),
            band=text.count(phrase.whole(frame, "band")),
        ),
        loc="left",
    )


def _describe(frame: pd.DataFrame, overlay: Mapping[str, PublishedValue], lang: str) -> Description:
    text = Formatter(lang)
    curves = frame[frame["mark"] == "curve"].dropna(subset=["estimate"])
    last = curves.drop_duplicates("level", keep="last")
    fill = {
        "share": phrase.outcome_share(frame, lang),
        "whose": phrase.genitive(frame, lang),
    }
    values = [
        f"{phrase.answer(row, lang)} {text.percent(row['estimate'], decimals=1)}"
        for _, row in last.iterrows()
    ]
    weeks = text.count(phrase.whole(frame, "horizon_weeks"))
    return Description(
        id="F16",
        name=NAME,
        lang=lang,
        headline=_headline(frame, lang),
        subtitle=label(f"{_KEY}.subtitle", lang, **fill),
        note=phrase.sentences(
            label("caution.association", lang),
            label("caution.prediction", lang),
            f"{phrase.totals(frame, lang)}.",
            phrase.population(frame, lang),
            phrase.say_outcome(frame, lang),
            label(
                f"{_KEY}.note",
                lang,
                events=text.count(phrase.whole(frame, "min_events")),
                clusters=label(f"{_KEY}.clusters.{phrase.constant(frame, 'interval')}", lang),
            ),
            _gap_text(frame, last, lang),
            label("published.note", lang) if overlay else "",
            label("suppressed.note", lang) if hidden(frame) else "",
        ),
        source=phrase.source(frame, lang),
        alt=label(f"{_KEY}.alt", lang, weeks=weeks, values=phrase.full_stop(text.listing(values)), **fill),
        units={"week": "weeks", "estimate": "share"},
        published=source_keys(overlay.values()),
    )


def _gap_text(frame: pd.DataFrame, last: pd.DataFrame, lang: str) -> str:
    """The gap at the end of the horizon with its interval, and the ratio of the two shares."""
    gaps = frame[frame["mark"] == "gap"].dropna(subset=["estimate"])
    if gaps.empty:
        return ""
    text, gap = Formatter(lang), gaps.iloc[-1]
    ends = last.set_index("level")
    top, bottom = (str(gap[column]) for column in ("level", "compared_with"))
    words = label(
        f"{_KEY}.gap",
        lang,
        **_answers(ends, gap, lang),
        weeks=text.count(int(gap["week"])),
        pp=text.pp(gap["estimate"]),
        interval=text.interval(gap["conf_low"], gap["conf_high"], unit="pp"),
    )
    shares = ends["estimate"].astype(float).to_dict()
    if top not in shares or not shares.get(bottom, 0.0) > 0:
        return words
    times = text.number(shares[top] / shares[bottom], decimals=1)
    return phrase.sentences(words, label(f"{_KEY}.ratio", lang, times=times))


def _answers(ends: pd.DataFrame, gap: pd.Series, lang: str) -> dict[str, str]:
    return {
        "top": phrase.answer_of(ends, str(gap["level"]), lang),
        "bottom": phrase.answer_of(ends, str(gap["compared_with"]), lang),
    }


def _headline(frame: pd.DataFrame, lang: str) -> str:
    """By the gap between the outermost answers: unclear or reversed at the end, or its course until then."""
    gaps = frame[frame["mark"] == "gap"].dropna(subset=["estimate"])
    if gaps.empty:
        whose = phrase.genitive(frame, lang)
        return label(f"{_KEY}.headline.neutral", lang, share=phrase.outcome_share(frame, lang), whose=whose)
    text, late, early = Formatter(lang), gaps.iloc[-1], gaps.iloc[0]
    ends = frame[frame["mark"] == "curve"].drop_duplicates("level", keep="last").set_index("level")
    about_job = phrase.constant(frame, "outcome") == "job"
    fill = {
        "gap": label(f"{_KEY}.gap_name.{'job' if about_job else 'other'}", lang),
        "early": text.pp(early["estimate"]),
        "early_weeks": text.count(int(early["week"])),
        "late": text.pp(late["estimate"]),
        "late_number": text.number(100 * late["estimate"], decimals=1),
        "late_weeks": text.count(int(late["week"])),
    } | _answers(ends, late, lang)
    sign = phrase.outside_zero(late)
    if sign < 1:
        return label(f"{_KEY}.headline.{'reversed' if sign else 'unclear'}", lang, **fill)
    if 2 * int(early["week"]) > phrase.whole(frame, "horizon_weeks"):  # nothing is known of the first half
        return label(f"{_KEY}.headline.there", lang, **fill)
    # "Widens" needs more than the sampling error of the late gap.
    grows = early["estimate"] < late["conf_low"] and gaps["estimate"].is_monotonic_increasing
    return label(f"{_KEY}.headline.{'grows' if grows else 'stays'}", lang, **fill)
