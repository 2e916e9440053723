"""Phrases from which several figures build their texts: outcome, horizon, counts, source.

Every phrase is a function of the frame alone: the constants of the context stand in its columns.
"""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes

from jobchance.figures import style
from jobchance.formatting import Formatter
from jobchance.labels.load import has_label, label

DONT_KNOW = "dont_know"
# Populations of citizens who were not in the outcome when measured.
AT_RISK = ("first_at_risk", "all_at_risk", "first_with_caseworker")


def constant(frame: pd.DataFrame, column: str) -> str:
    """A context column's one value, as text."""
    return str(frame[column].iloc[0])


def whole(frame: pd.DataFrame, column: str) -> int:
    """A context column's one value, as a whole number."""
    return int(frame[column].iloc[0])


def outcome_state(frame: pd.DataFrame, lang: str) -> str:
    """The outcome after "is": `"i job"`, `"in a job"`."""
    return _outcome(frame, lang, "state")


def outcome_share(frame: pd.DataFrame, lang: str) -> str:
    """The outcome as an axis: `"Andel i job"`, `"Share in a job"`."""
    return _outcome(frame, lang, "share")


def _outcome(frame: pd.DataFrame, lang: str, form: str) -> str:
    rule = constant(frame, "outcome")
    known = f"outcome.{rule}.{form}"
    return label(known, lang) if has_label(known) else label(f"outcome.own.{form}", lang, outcome=rule)


def outcome_reached(frame: pd.DataFrame, lang: str) -> str:
    """The outcome as what citizens do within the horizon: `"kommer i job"`, `"get a job"`.

    Only of citizens who were not in it when measured; of others `"er i job"`, `"are in a job"`.
    """
    key = f"outcome.{constant(frame, 'outcome')}.reached"
    if constant(frame, "population") in AT_RISK and has_label(key):
        return label(key, lang)
    return label("outcome.own.reached", lang, state=outcome_state(frame, lang))


def population(frame: pd.DataFrame, lang: str) -> str:
    """Who is in the figure, as a sentence; those at risk are named by the outcome they were not in."""
    key = constant(frame, "population")
    if key not in AT_RISK:
        return label(f"population.{key}", lang)
    known = f"outcome.{constant(frame, 'outcome')}.at_risk"
    who = label(known if has_label(known) else "outcome.own.at_risk", lang)
    words = label(f"population.{key}", lang, who=who)
    return words[:1].upper() + words[1:]


def horizon(frame: pd.DataFrame, lang: str) -> str:
    """`"inden for et år"` for 52 weeks, `"inden for et halvt år"` for 26, else the number of weeks.

    A status at one point has its own words: `"ved opfølgningen"`.
    """
    when = f"outcome.{constant(frame, 'outcome')}.when"
    if has_label(when):
        return label(when, lang)
    weeks = whole(frame, "horizon_weeks")
    named = {52: "horizon.year", 26: "horizon.half_year"}.get(weeks)
    return label(named, lang) if named else label("horizon.weeks", lang, weeks=Formatter(lang).count(weeks))


def say_outcome(frame: pd.DataFrame, lang: str) -> str:
    """What counts as the outcome and when, as a sentence of the note."""
    own = f"outcome.{constant(frame, 'outcome')}.caption"
    if has_label(own):
        return label(own, lang, horizon=horizon(frame, lang))
    return label("caption.outcome", lang, state=outcome_state(frame, lang), horizon=horizon(frame, lang))


def share_text(share: float, lang: str) -> str:
    """A share in running text: whole per cent, with one decimal below 10 per cent where it says more."""
    text = Formatter(lang)
    return text.percent(share, decimals=1 if share < 0.0095 else 0)


def totals(frame: pd.DataFrame, lang: str) -> str:
    """`"3.500 borgere, 300 sagsbehandlere og 10 jobcentre"`; what the study does not know is left out."""
    text = Formatter(lang)
    parts = [
        label(f"count.{kind}", lang, n=text.count(whole(frame, f"N_{kind}_total")))
        for kind in ("citizens", "caseworkers", "jobcentres")
        if whole(frame, f"N_{kind}_total") > 0
    ]
    return text.listing(parts)


def source(frame: pd.DataFrame, lang: str) -> str:
    """What stands after "Kilde:": the study's source, own calculations, and whether data are simulated."""
    if constant(frame, "data_kind") == "simulated":
        return label("source.simulated", lang)
    return f"{constant(frame, 'study_source')}; {label('word.own_calculations', lang)}."


def sentences(*parts: str) -> str:
    """Non-empty sentences in a row."""
    return " ".join(part for part in parts if part)


def answer(row: pd.Series, lang: str) -> str:
    """Wording of the row's answer; "don't know" in the reader's language."""
    if row["level"] == DONT_KNOW:
        return label("word.dont_know", lang)
    return str(row["label_da" if lang == "da" else "label_en"])


def answer_of(by_level: pd.DataFrame, level: str, lang: str) -> str:
    """Wording of one answer in a frame indexed by level."""
    return str(by_level.loc[level, "label_da" if lang == "da" else "label_en"])


def left_out(frame: pd.DataFrame, lang: str) -> str:
    """How many citizens without complete follow-up are not in the figure; "" if none."""
    n = frame["N_censored"].iloc[0]
    return label("caption.censored", lang, n=Formatter(lang).count(n)) if pd.notna(n) and n > 0 else ""


def genitive(frame: pd.DataFrame, lang: str) -> str:
    """Whose answers these are: `"sagsbehandlerens"`, `"the caseworker's"`."""
    return label(f"respondent.{constant(frame, 'respondent')}.genitive", lang)


def difference_text(rows: pd.DataFrame, lang: str, *, upper: str, lower: str) -> str:
    """The absolute and the relative difference of two named groups with intervals; "" where not shown.

    `rows` are the `difference` and `ratio` rows of a frame.
    """
    text = Formatter(lang)
    by_mark = {str(row["mark"]): row for _, row in rows.iterrows() if pd.notna(row["estimate"])}
    if "difference" not in by_mark:
        return ""
    gap = by_mark["difference"]
    words = label(
        "caption.difference",
        lang,
        upper=upper,
        lower=lower,
        pp=text.pp(gap["estimate"]),
        interval=text.interval(gap["conf_low"], gap["conf_high"], unit="pp"),
    )
    if "ratio" not in by_mark or pd.isna(by_mark["ratio"]["conf_low"]):
        return words
    ratio = by_mark["ratio"]
    form = "times" if ratio["estimate"] >= 2 else "percent"
    if form == "times":
        fill = {
            "relative": text.number(ratio["estimate"], decimals=1),
            "interval": text.range(ratio["conf_low"], ratio["conf_high"], decimals=1),
        }
    else:
        fill = {
            "relative": text.percent(ratio["estimate"] - 1),
            "interval": text.interval(
                ratio["conf_low"] - 1, ratio["conf_high"] - 1, decimals=0, unit="percent", level=None
            ),
        }
    return sentences(words, label(f"caption.ratio.{form}", lang, **fill))


def contrast(frame: pd.DataFrame) -> tuple[pd.Series, pd.Series] | None:
    """The `difference` and the `ratio` row of a frame with one contrast; None where one is not shown."""
    rows = [frame[frame["mark"] == mark].dropna(subset=["estimate"]) for mark in ("difference", "ratio")]
    if any(found.empty for found in rows):
        return None
    return rows[0].iloc[0], rows[1].iloc[0]


def answers_difference(bars: pd.DataFrame, contrasts: pd.DataFrame, lang: str) -> str:
    """`difference_text` for two answers, named by their wording in `bars`; "" where there is no contrast."""
    if contrasts.empty:
        return ""
    by_level, row = bars.set_index("level"), contrasts.iloc[0]
    names = {
        "upper": answer_of(by_level, str(row["level"]), lang),
        "lower": answer_of(by_level, str(row["compared_with"]), lang),
    }
    return difference_text(contrasts, lang, **names)


def full_stop(sentence: str) -> str:
    """The sentence with one full stop at its end ("pct." has its own)."""
    return sentence if sentence.endswith(".") else f"{sentence}."


def last_answer(rows: pd.DataFrame) -> str:
    """The highest answer: the last level that is not "don't know"."""
    return str(rows.loc[rows["level"] != DONT_KNOW, "level"].iloc[-1])


def say_association(ax: Axes, lang: str) -> None:
    """The words that must travel with the picture, above the axes at the right."""
    ax.set_title(
        label("caption.association", lang),
        loc="right",
        fontsize=style.TEXT_SIZE,
        fontstyle="italic",
        fontweight="normal",
        color=style.GREY_TEXT,
    )


def outside_zero(row: pd.Series) -> int:
    """1 or -1 where the row's interval lies wholly above or below zero, else 0."""
    if pd.isna(row["conf_low"]) or pd.isna(row["conf_high"]):
        return 0
    return int(row["conf_low"] > 0) - int(row["conf_high"] < 0)
