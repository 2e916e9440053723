"""The ladder in words: what belief predicts, what optimism and belief may do, and what remains open.

Every sentence is chosen by the verdict, by whether the interval excludes zero and by its sign. Words for
cause stand in the conclusion and in sentences of rungs that are credible under stated assumptions only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from jobchance.formatting import Formatter
from jobchance.identification.cards import CREDIBLE, NOT_IDENTIFIED, SUGGESTIVE
from jobchance.identification.cards_text import (
    interval_range,
    missing_sentence,
    open_points,
    say_points,
    say_verdict,
)
from jobchance.identification.rungs.model import Rung
from jobchance.labels.load import has_label, label

PARTS: Mapping[str, tuple[str, ...]] = {
    "predicts": ("raw_gradient", "adjusted", "hazard"),
    "disposition": ("leniency", "shift"),
    "case": ("within_citizen", "two_raters", "leniency_iv"),
    "beside": ("value_added", "direction"),
}


def ladder_text(
    rungs: Sequence[Rung], frame: pd.DataFrame, meta: Mapping[str, object], *, level: float, lang: str
) -> str:
    """Paragraphs under headings, in Markdown: about a page.

    Parameters
    ----------
    rungs : sequence of Rung
        The ladder's.
    frame : DataFrame
        `EvidenceLadder.frame`.
    meta : mapping
        `outcome`, `horizon_weeks`, `base_rate`.
    level : float
        Of the intervals.
    lang : {"da", "en"}
        Language; Swedish and Norwegian fall back to English.

    Returns
    -------
    str
        The conclusion, a heading per part with a paragraph per rung, and the reservations as a list.
    """
    words = _Words(meta, lang, level)
    by_name = {rung.card.rung: rung for rung in rungs}
    rows = {str(row["rung"]): row for _, row in frame.iterrows()}
    shown = [name for name, rung in by_name.items() if _has_number(rung)]
    blocks = [f"# {label('ladder.title', lang)}", words.conclude(rungs, rows)]
    blocks += [words.base()] if shown else []
    for part, names in PARTS.items():
        said = [words.say(by_name[name], rows[name]) for name in names if name in by_name]
        if said:
            blocks.append(f"## {label(f'ladder.part.{part}', lang)}")
            blocks += [label("ladder.deviation", lang)] if set(names) & _per_deviation(rows, shown) else []
            blocks += said
    blocks += [f"## {label('ladder.part.limits', lang)}", "\n".join(_limits(rows, shown, lang))]
    return "\n\n".join(blocks) + "\n"


def _has_number(rung: Rung) -> bool:
    """Whether a rung has a number that may be read."""
    return rung.line is not None and rung.card.verdict != NOT_IDENTIFIED


def _per_deviation(rows: Mapping[str, pd.Series], shown: Iterable[str]) -> set[str]:
    """Rungs whose number is per standard deviation of optimism."""
    return {name for name in shown if rows[name]["unit"] == "pp per sd of optimism"}


def _limits(rows: Mapping[str, pd.Series], shown: Sequence[str], lang: str) -> list[str]:
    """Reservations that apply to what was shown."""
    keys = ["scales"] if len({rows[name]["unit"] for name in shown}) > 1 else []
    said = [label(f"ladder.limit.{key}", lang) for key in (*keys, "policy", "displacement", "staff")]
    if len(shown) > 1:
        said.append(label("ladder.limit.several", lang, n=Formatter(lang).count(len(shown))))
    return [f"- {sentence}" for sentence in said]


def _side(row: pd.Series) -> int:
    """1 or -1 where the interval lies above or below zero, else 0."""
    return int(row["conf_low"] > 0) - int(row["conf_high"] < 0)


class _Words:
    """Phrases of one study in one language."""

    def __init__(self, meta: Mapping[str, object], lang: str, level: float) -> None:
        self._lang, self._level, self._text = lang, level, Formatter(lang)
        self._base = float(str(meta["base_rate"]))
        outcome, weeks = str(meta["outcome"]), int(str(meta["horizon_weeks"]))
        self._fill = {"reached": _reached(outcome, lang), "horizon": _horizon(outcome, weeks, lang)}

    def base(self) -> str:
        """The share that relative terms are against, and what brackets and intervals are."""
        level = self._text.percent(self._level, decimals=0 if round(100 * self._level, 6) % 1 == 0 else 1)
        return label(
            "ladder.base",
            self._lang,
            base=self._text.percent(self._base, decimals=1),
            level=level,
            **self._fill,
        )

    def conclude(self, rungs: Sequence[Rung], rows: Mapping[str, pd.Series]) -> str:
        """The first thing that a reader reads."""
        credible = [r.card.rung for r in rungs if r.card.verdict == CREDIBLE]
        found = [name for name in credible if _side(rows[name])]
        others = [name for name in credible if name not in found]
        if found:
            said = [self._conclusion("effect", found, rows)]
            said += [self._conclusion("others", others, rows)] if others else []
        elif credible:
            said = [self._conclusion("no_difference", credible, rows)]
        elif any(_has_number(r) for r in rungs):
            hints = any(r.card.verdict == SUGGESTIVE for r in rungs)
            said = [label(f"ladder.conclusion.{'suggestive' if hints else 'predicts'}", self._lang)]
        else:
            return f"**{label('ladder.conclusion.nothing', self._lang)}**"
        return f"**{' '.join([*said, label('ladder.guard', self._lang)])}**"

    def _conclusion(self, key: str, names: Sequence[str], rows: Mapping[str, pd.Series]) -> str:
        named = [
            label(
                "ladder.named",
                self._lang,
                name=label(f"rung.{name}.name", self._lang),
                number=self._text.pp(rows[name]["estimate"] / 100),
                interval=self._interval(rows[name]["conf_low"], rows[name]["conf_high"]),
            )
            for name in names
        ]
        return label(f"ladder.conclusion.{key}", self._lang, names=self._text.listing(named))

    def say(self, rung: Rung, row: pd.Series) -> str:
        """What one rung found, with its verdict."""
        name = label(f"rung.{rung.card.rung}.name", self._lang)
        if rung.card.missing:
            return missing_sentence(rung.card, self._lang)
        if not _has_number(rung):
            reasons = say_points(open_points(rung.card), self._lang)
            return label("ladder.unusable", self._lang, name=name, reasons=reasons).rstrip()
        key = f"ladder.say.{rung.card.rung}"
        said = label(f"{key}.{self._form(rung, row)}", self._lang, **self._fill, **self._numbers(rung, row))
        return f"**{name}.** {said.rstrip()} {say_verdict(rung.card, self._lang)}"

    def _form(self, rung: Rung, row: pd.Series) -> str:
        """Which sentence of the rung the number calls for."""
        side, key = _side(row), f"ladder.say.{rung.card.rung}"
        if side == 0:
            return "unclear"
        if rung.card.verdict == CREDIBLE and has_label(f"{key}.effect"):
            return "effect"
        return "reversed" if side < 0 and has_label(f"{key}.reversed") else "clear"

    def _numbers(self, rung: Rung, row: pd.Series) -> dict[str, str]:
        """The number with a sign and with a word for its direction; no relative term where it has none."""
        estimate, base = row["estimate"] / 100, row["base_rate"] if pd.notna(row["relative"]) else np.nan
        size = self._text.absolute_and_relative(abs(estimate), baseline=base)
        return {
            "signed": self._text.absolute_and_relative(estimate, baseline=base),
            "change": label(f"ladder.change.{_way(estimate)}", self._lang, size=size),
            "interval": self._interval(row["conf_low"], row["conf_high"]),
        } | (self._ends(rung) if rung.card.rung == "raw_gradient" else self._back(rung))

    def _interval(self, low: float, high: float) -> str:
        return label("ladder.interval", self._lang, range=interval_range(low, high, self._text))

    def _ends(self, rung: Rung) -> dict[str, str]:
        """Shares at the lowest and the highest answer."""
        fit = rung.fits["cell_means"]
        low, top = float(fit.estimates[0]), float(fit.estimates[-1])
        shares = {"low": low, "high": low + top}
        return {end: self._text.percent(share, decimals=1) for end, share in shares.items()}

    def _back(self, rung: Rung) -> dict[str, str]:
        """From action to belief, in steps of the answer."""
        if rung.card.rung != "direction":
            return {}
        table = rung.fits["cross_lagged"].diagnostics["directions"]
        back = table[table["direction"] == "action_to_belief"].iloc[0]
        n = self._text.number(abs(float(back["estimate"])), decimals=2)
        range_ = self._text.range(back["conf_low"], back["conf_high"], decimals=2)
        steps = label(f"ladder.steps.{_way(float(back['estimate']))}", self._lang, n=n)
        interval = label("ladder.interval", self._lang, range=range_)
        return {"back": label("ladder.say.direction.back", self._lang, steps=steps, interval=interval)}


def _way(x: float) -> str:
    return "down" if x < 0 else "up"


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
