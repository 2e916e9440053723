"""The ladder in words: what belief predicts, what optimism does, what one case would show, and what is open.

Every sentence is chosen by the verdict and by whether the interval excludes zero; no sentence speaks of an
effect unless the verdict is `credible under stated assumptions`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from jobchance.formatting import Formatter
from jobchance.identification.cards import CREDIBLE, NOT_IDENTIFIED, PREDICTS, SUGGESTIVE, Card
from jobchance.identification.rungs.model import Rung
from jobchance.labels.load import has_label, label

PARTS: Mapping[str, tuple[str, ...]] = {
    "predicts": ("raw_gradient", "adjusted", "hazard"),
    "disposition": ("leniency", "shift"),
    "case": ("within_citizen", "two_raters", "leniency_iv"),
    "beside": ("value_added", "direction"),
}
SLUGS = {
    NOT_IDENTIFIED: "not_identified",
    PREDICTS: "predicts_only",
    SUGGESTIVE: "suggestive",
    CREDIBLE: "credible",
}
_LIMITS = ("scales", "policy", "displacement", "staff", "several")
_OPEN = ("fails", "doubtful", "untested")
_MOST_REASONS = 3


def ladder_text(
    rungs: Sequence[Rung], frame: pd.DataFrame, meta: Mapping[str, object], *, level: float, lang: str
) -> str:
    """Paragraphs under headings, in Markdown.

    Parameters
    ----------
    rungs : sequence of Rung
        The ladder's.
    frame : DataFrame
        `EvidenceLadder.frame`.
    meta : mapping
        `outcome`, `horizon_weeks`.
    level : float
        Of the intervals.
    lang : {"da", "en"}
        Language; Swedish and Norwegian fall back to English.

    Returns
    -------
    str
        With a heading per part.
    """
    words = _Words(meta, lang, level)
    by_name = {rung.card.rung: rung for rung in rungs}
    rows = {str(row["rung"]): row for _, row in frame.iterrows()}
    blocks = [f"# {label('ladder.title', lang)}", _conclusion(rungs, rows, lang)]
    for part, names in PARTS.items():
        said = [words.say(by_name[name], rows[name]) for name in names if name in by_name]
        if said:
            blocks += [f"## {label(f'ladder.part.{part}', lang)}", *said]
    blocks += [
        f"## {label('ladder.part.limits', lang)}",
        *[f"- {label(f'ladder.limit.{k}', lang)}" for k in _LIMITS],
    ]
    return "\n\n".join(blocks[: -len(_LIMITS)]) + "\n\n" + "\n".join(blocks[-len(_LIMITS) :]) + "\n"


def open_points(card: Card) -> tuple[str, ...]:
    """What keeps the verdict down, as `status:assumption` or `lowered:key`; failures alone if there are any."""
    if card.lowered:
        return tuple(f"lowered:{key}" for key in card.lowered)
    failed = [a for a in card.assumptions if a.status == "fails"]
    found = failed or [a for a in card.assumptions if a.status in _OPEN]
    return tuple(f"{a.status}:{a.name}" for a in found[:_MOST_REASONS])


def say_point(point: str, lang: str) -> str:
    """One of `open_points` as a clause."""
    status, _, name = point.partition(":")
    if status == "lowered":
        return label(f"ladder.lowered.{name}", lang)
    return label(f"ladder.reason.{status}", lang, assumption=label(f"assumption.{name}", lang))


def verdict_sentence(card: Card, lang: str) -> str:
    """The verdict, and why where it is not the strongest."""
    verdict = label(f"verdict.{SLUGS[card.verdict]}.name", lang)
    why = [] if card.verdict == CREDIBLE else [say_point(point, lang) for point in open_points(card)]
    if not why:
        return label("ladder.verdict", lang, verdict=verdict)
    return label("ladder.because", lang, verdict=verdict, reasons=Formatter(lang).listing(why))


def _conclusion(rungs: Sequence[Rung], rows: Mapping[str, pd.Series], lang: str) -> str:
    """The first thing that a reader reads."""
    credible = [r.card.rung for r in rungs if r.card.verdict == CREDIBLE]
    found = [name for name in credible if _excludes_zero(rows[name])]
    key = "effect" if found else "no_difference" if credible else "none"
    names = [label(f"rung.{name}.name", lang) for name in (found or credible)]
    return f"**{label(f'ladder.conclusion.{key}', lang, names=Formatter(lang).listing(names))}**"


def _excludes_zero(row: pd.Series) -> bool:
    return bool(row["conf_low"] > 0 or row["conf_high"] < 0)


class _Words:
    """Phrases of one study in one language."""

    def __init__(self, meta: Mapping[str, object], lang: str, level: float) -> None:
        self._lang, self._level, self._text = lang, level, Formatter(lang)
        outcome, weeks = str(meta["outcome"]), int(str(meta["horizon_weeks"]))
        self._fill = {"reached": _reached(outcome, lang), "horizon": _horizon(outcome, weeks, lang)}

    def say(self, rung: Rung, row: pd.Series) -> str:
        """What one rung found, with its verdict."""
        name = label(f"rung.{rung.card.rung}.name", self._lang)
        if rung.line is None:
            missing = self._text.listing([label(f"missing.{key}", self._lang) for key in rung.card.missing])
            return label("ladder.refused", self._lang, name=name, missing=missing)
        key = f"ladder.say.{rung.card.rung}"
        form = "unclear" if not _excludes_zero(row) else "clear"
        if form == "clear" and rung.card.verdict == CREDIBLE and has_label(f"{key}.effect"):
            form = "effect"
        said = label(f"{key}.{form}", self._lang, **self._fill, **self._numbers(rung, row))
        return f"**{name}.** {said} {verdict_sentence(rung.card, self._lang)}"

    def _numbers(self, rung: Rung, row: pd.Series) -> dict[str, str]:
        estimate = row["estimate"] / 100
        relative = pd.notna(row["relative"]) and rung.card.rung not in ("raw_gradient", "direction")
        said = (
            self._text.absolute_and_relative(estimate, baseline=row["base_rate"])
            if relative
            else self._text.pp(estimate)
        )
        interval = self._text.interval(
            row["conf_low"] / 100, row["conf_high"] / 100, unit="pp", level=self._level
        )
        return {
            "estimate": said,
            "interval": interval,
            "base": self._text.percent(row["base_rate"], decimals=1),
        } | self._ends(rung)

    def _ends(self, rung: Rung) -> dict[str, str]:
        """Shares at the lowest and the highest answer."""
        fit = rung.fits.get("cell_means")
        if fit is None:
            return {}
        low = float(fit.estimates[0])
        return {
            "low": self._text.percent(low, decimals=1),
            "high": self._text.percent(low + float(fit.estimates[-1]), decimals=1),
        }


def _reached(outcome: str, lang: str) -> str:
    known = f"outcome.{outcome}.reached"
    if has_label(known):
        return label(known, lang)
    return label("outcome.own.reached", lang, state=label("outcome.own.state", lang, outcome=outcome))


def _horizon(outcome: str, weeks: int, lang: str) -> str:
    if has_label(f"outcome.{outcome}.when"):
        return label(f"outcome.{outcome}.when", lang)
    named = {52: "horizon.year", 26: "horizon.half_year"}.get(weeks)
    return label(named, lang) if named else label("horizon.weeks", lang, weeks=Formatter(lang).count(weeks))
