"""An assumption card in words: each assumption with its test, and what the verdict rests on or lacks.

Sentences are put together here from clauses in `labels`; no number is computed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from jobchance.formatting import Formatter
from jobchance.identification.cards import (
    CREDIBLE,
    NOT_IDENTIFIED,
    PREDICTS,
    SUGGESTIVE,
    Assumption,
    Card,
)
from jobchance.labels.load import label

SLUGS = {
    NOT_IDENTIFIED: "not_identified",
    PREDICTS: "predicts_only",
    SUGGESTIVE: "suggestive",
    CREDIBLE: "credible",
}
"""Verdict -> key of its labels."""

_OPEN = ("fails", "doubtful", "untested")
_RESTS_ON = ("accepted", "by_design", "stated")
_MOST_REASONS = 3
_PRINTS_AS_ZERO = 0.05
_MOST_SAID = 2  # the card itself has all
_LARGE = 10  # from here on, decimals of a statistic say nothing


def open_points(card: Card) -> tuple[str, ...]:
    """What keeps the verdict down, as `status:assumption` or `lowered:key`; failures alone where any."""
    if card.missing:
        return ()
    if card.lowered:
        return tuple(f"lowered:{key}" for key in card.lowered)
    failed = [a for a in card.assumptions if a.status == "fails"]
    found = failed or [a for a in card.assumptions if a.status in _OPEN]
    return tuple(f"{a.status}:{a.name}" for a in found[:_MOST_REASONS])


def rests_on(card: Card) -> tuple[str, ...]:
    """What no test stands behind where the verdict is the strongest, as `status:assumption`; else nothing."""
    if card.verdict != CREDIBLE:
        return ()
    return tuple(f"{a.status}:{a.name}" for a in card.assumptions if a.status in _RESTS_ON)


def say_rests(points: Iterable[str], lang: str) -> str:
    """`rests_on` as clauses in a row."""
    parts = [point.partition(":") for point in dict.fromkeys(points)]
    return join([_clauses(status, [name], lang) for status, _, name in parts], lang)


def say_points(points: Iterable[str], lang: str) -> str:
    """`open_points` as sentences, one for each status."""
    by_status: dict[str, list[str]] = {}
    for point in points:
        status, _, name = point.partition(":")
        by_status.setdefault(status, []).append(name)
    said = [label(f"ladder.lowered.{name}", lang) for name in by_status.pop("lowered", ())]
    for status, names in by_status.items():
        said.append(label(f"ladder.reason.{status}", lang, assumptions=_clauses(status, names, lang)))
    return " ".join(said)


def say_verdict(card: Card, lang: str) -> str:
    """The verdict, with what it rests on where it is the strongest and what keeps it down elsewhere."""
    verdict = verdict_name(card.verdict, lang)
    if card.verdict != CREDIBLE:
        said = label("ladder.verdict", lang, verdict=verdict)
        # what can only predict by its design needs one reason, what might be more needs the main ones
        most = 1 if card.ceiling == PREDICTS else _MOST_SAID
        return f"{said} {say_points(open_points(card)[:most], lang)}".rstrip()
    rests = rests_on(card)
    tested = any(a.status == "holds" for a in card.assumptions)
    if not rests:
        return label("ladder.verdict", lang, verdict=verdict)
    return label(
        "ladder.provided",
        lang,
        verdict=verdict,
        assumptions=say_rests(rests, lang),
        tested=label("ladder.tested", lang) if tested else "",
    ).rstrip()


def verdict_name(verdict: str, lang: str) -> str:
    """A verdict in words."""
    return label(f"verdict.{SLUGS[verdict]}.name", lang)


def card_text(card: Card, lang: str) -> str:
    """What the design asks for, each assumption with status and test, and the verdict, in Markdown.

    Parameters
    ----------
    card : Card
        Of a rung.
    lang : {"da", "en"}
        Language; Swedish and Norwegian fall back to English.
    """
    blocks = [f"**{label(f'rung.{card.rung}.name', lang)}**", label(f"rung.{card.rung}.estimand", lang)]
    if card.missing:
        blocks.append(missing_sentence(card, lang))
        return "\n\n".join(blocks) + "\n"
    if card.assumptions:
        blocks.append("\n".join(_line(a, lang) for a in card.assumptions))
    return "\n\n".join([*blocks, say_verdict(card, lang)]) + "\n"


def interval_range(low: float, high: float, text: Formatter) -> str:
    """An interval in percentage points; an end so near zero that it would print as zero has two decimals."""
    nearest = min(abs(low), abs(high))
    return text.range(low, high, decimals=2 if low * high > 0 and nearest < _PRINTS_AS_ZERO else 1)


def missing_sentence(card: Card, lang: str) -> str:
    """Which rung is refused, and what the data lack."""
    lacks = dict.fromkeys(label(f"missing.{key}", lang) for key in card.missing)
    name = label(f"rung.{card.rung}.name", lang)
    return label("ladder.refused", lang, name=name, missing=Formatter(lang).listing(list(lacks)))


def join(clauses: Sequence[str], lang: str) -> str:
    """Clauses in a row, with a comma before the last: each may hold commas itself."""
    if len(clauses) < 2:
        return "".join(clauses)
    return label("ladder.join", lang, first=", ".join(clauses[:-1]), last=clauses[-1])


def _clauses(status: str, names: Iterable[str], lang: str) -> str:
    """Assumptions of one status as subordinate clauses."""
    said = [
        label(f"ladder.clause.{status}", lang, assumption=label(f"assumption.{name}", lang)) for name in names
    ]
    return join(said, lang)


def _line(assumption: Assumption, lang: str) -> str:
    """One assumption, its status, and what was looked at."""
    words = label(f"assumption.{assumption.name}", lang)
    status = label(f"verdict.status.{assumption.status}", lang)
    if not assumption.test:
        return label("ladder.card.plain", lang, assumption=words, status=status)
    test = label(f"assumption_test.{assumption.test}", lang)
    numbers = _numbers(assumption, lang)
    return label("ladder.card.tested", lang, assumption=words, status=status, test=test, numbers=numbers)


def _numbers(assumption: Assumption, lang: str) -> str:
    """The number held against its threshold, and the p-value."""
    text, said = Formatter(lang), ""
    if np.isfinite(assumption.value):
        value = _short(assumption.value, text)
        if np.isfinite(assumption.threshold):
            threshold = _short(assumption.threshold, text)
            said = label("ladder.card.against", lang, value=value, threshold=threshold)
        else:
            said = label("ladder.card.value", lang, value=value)
    if np.isfinite(assumption.p_value):
        p = text.p_value(assumption.p_value)
        said += label(f"ladder.card.{'p' if p[:1].isdigit() else 'p_below'}", lang, p=p)
    return said


def _short(x: float, text: Formatter) -> str:
    """Whole numbers and large ones without decimals, others with two."""
    return text.number(x, decimals=0 if float(x).is_integer() or abs(x) >= _LARGE**2 else 2)
