"""What the figure and the table of the evidence ladder share: rungs, units and verdicts in words."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from jobchance.formatting import Formatter
from jobchance.identification.cards import CREDIBLE, NOT_IDENTIFIED, SUGGESTIVE
from jobchance.identification.cards_text import interval_range, verdict_name
from jobchance.labels.load import label

UNITS = {
    "pp, highest against lowest answer": "extremes",
    "pp per step of the answer": "step",
    "pp per sd of optimism": "optimism",
    "pp, sd between caseworkers": "spread",
    "pp of activity per step of the answer": "activity",
}
"""The values of the column `unit` and the keys of their labels."""

_KEY = "figure.grade_of_evidence"


def name_of(rung: str, lang: str) -> str:
    """Name of a rung."""
    return label(f"rung.{rung}.name", lang)


def is_hidden(row: pd.Series) -> bool:
    """Whether disclosure control has hidden the rung's number."""
    return bool(row.get("suppressed", False)) and row["verdict"] != NOT_IDENTIFIED


def with_number(frame: pd.DataFrame) -> pd.DataFrame:
    """Rungs that have a number and may be read."""
    return frame[frame["estimate"].notna() & (frame["verdict"] != NOT_IDENTIFIED)]


def drawn(frame: pd.DataFrame) -> pd.DataFrame:
    """Rungs with a line in the figure: those with a number, and hidden ones that share a unit with them."""
    hidden = frame[frame.apply(is_hidden, axis=1)]
    shown = with_number(frame)
    beside = hidden[hidden["unit"].isin(shown["unit"])]
    return frame.loc[frame.index.isin([*shown.index, *beside.index])]


def hidden_sentence(frame: pd.DataFrame, lang: str) -> str:
    """Which rungs' numbers are hidden; "" if none."""
    names = [name_of(str(row["rung"]), lang) for _, row in frame.iterrows() if is_hidden(row)]
    return label(f"{_KEY}.not_shown", lang, names="; ".join(names)) if names else ""


def headline(frame: pd.DataFrame, lang: str) -> str:
    """What the strongest verdict is, whose it is, and whether an interval excludes zero."""
    rows = with_number(frame)
    credible = rows[rows["verdict"] == CREDIBLE]
    if len(credible):
        clear = credible[(credible["conf_low"] > 0) | (credible["conf_high"] < 0)]
        key, named = ("effect", clear) if len(clear) else ("no_difference", credible)
        return label(f"{_KEY}.headline.{key}", lang, names=_in_a_row(list(named["rung"]), lang))
    key = "suggestive" if (rows["verdict"] == SUGGESTIVE).any() else "predicts" if len(rows) else "hidden"
    return label(f"{_KEY}.headline.{key}", lang)


def _in_a_row(rungs: Sequence[str], lang: str) -> str:
    """Names of rungs as the start of a sentence."""
    first, *rest = (name_of(rung, lang) for rung in rungs)
    return Formatter(lang).listing([first, *(name[:1].lower() + name[1:] for name in rest)])


def value_of(row: pd.Series, lang: str) -> str:
    """Estimate and interval in percentage points."""
    text = Formatter(lang)
    return label(
        f"{_KEY}.value",
        lang,
        estimate=text.number(row["estimate"], decimals=1),
        interval=interval_range(row["conf_low"], row["conf_high"], text),
    )


def said(rows: pd.DataFrame, lang: str) -> str:
    """Every number with its verdict, for the alternative text."""
    text = Formatter(lang)
    return " ".join(
        label(
            f"{_KEY}.said",
            lang,
            name=name_of(str(row["rung"]), lang),
            estimate=text.number(row["estimate"], decimals=1),
            interval=interval_range(row["conf_low"], row["conf_high"], text),
            verdict=verdict_name(str(row["verdict"]), lang),
        )
        for _, row in rows.iterrows()
    )


def missing_words(row: pd.Series, lang: str) -> str:
    """What the data lack for a refused rung; "" where it is refused for another reason."""
    words = dict.fromkeys(label(f"missing.{key}", lang) for key in parts(row["missing"]))
    return Formatter(lang).listing(list(words))


def points_of(row: pd.Series) -> list[str]:
    """The rung's open points."""
    return [point for point in parts(row["open_points"]) if ":" in point]


def parts(joined: object) -> list[str]:
    """Texts that stand in one cell of the frame, joined by "|"."""
    return [part for part in joined.split("|") if part] if isinstance(joined, str) else []


def refused_sentence(frame: pd.DataFrame, lang: str) -> str:
    """Which rungs the study cannot carry, and what each lacks; "" if it carries all."""
    found = []
    for _, row in frame[frame["verdict"] == NOT_IDENTIFIED].iterrows():
        name, lacks = name_of(str(row["rung"]), lang), missing_words(row, lang)
        found.append(label(f"{_KEY}.lacks", lang, name=name, missing=lacks) if lacks else name)
    return label(f"{_KEY}.refused", lang, names="; ".join(found)) if found else ""
