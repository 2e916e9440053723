"""The note under a descriptive figure: cautions, who is in it, what is counted, uncertainty."""

from __future__ import annotations

import pandas as pd

from jobchance.figures import _phrases
from jobchance.labels.load import label


def note(
    frame: pd.DataFrame, lang: str, *extra: str, cautions: tuple[str, ...] = (), lines: bool = True
) -> str:
    """Text after "Anm.": totals, population, outcome rule (not for descriptions), intervals, and the rest.

    Parameters
    ----------
    frame : DataFrame
        With the constants of the context.
    lang : str
        Language.
    *extra : str
        Sentences of the figure's own; empty ones are left out.
    cautions : tuple of str
        Label keys of what the reader must be told; they come first.
    lines : bool
        Whether intervals are drawn, so that the note must say what they are.
    """
    predictive = _phrases.constant(frame, "estimand") != "descriptive"
    interval = _phrases.constant(frame, "interval")
    return _phrases.sentences(
        *(label(caution, lang) for caution in cautions),
        f"{_phrases.totals(frame, lang)}.",
        _phrases.population(frame, lang),
        _phrases.say_outcome(frame, lang) if predictive else "",
        label(f"interval.{interval}", lang) if lines and interval != "none" else "",
        *extra,
        label("suppressed.note", lang) if hidden(frame) else "",
    )


def as_text(frame: pd.DataFrame, *columns: str) -> pd.DataFrame:
    """A copy with these columns as text, also where a csv reader made numbers of them (1.0 is "1" again)."""
    return frame.assign(**{column: frame[column].map(_text) for column in columns})


def _text(value: object) -> object:
    return f"{value:g}" if isinstance(value, (int, float)) and value == value else value


def hidden(frame: pd.DataFrame) -> bool:
    """Whether any row of the frame is hidden for confidentiality."""
    return "suppressed" in frame and bool(frame["suppressed"].astype(bool).any())


def rows_by(frame: pd.DataFrame, *columns: str) -> dict[tuple[str, ...], pd.Series]:
    """Rows of a small frame by the texts in `columns`."""
    return {tuple(str(row[column]) for column in columns): row for _, row in frame.iterrows()}


def capitalised(text: str) -> str:
    """First letter large: labels of constructs stand in running text as well as alone."""
    return text[:1].upper() + text[1:]
