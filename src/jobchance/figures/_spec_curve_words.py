"""Everything that the specification curve says in words: headline, unit, agreement, joint test, cautions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from jobchance.figures import _phrases as phrase
from jobchance.figures._captions import hidden
from jobchance.figures._spec_grid import CHOICE, Dimension, differs
from jobchance.figures._spec_words import known_name
from jobchance.formatting import Formatter
from jobchance.identification.cards import CREDIBLE
from jobchance.labels.load import label

_KEY = "figure.specification_curve"
_FIRM, _MOST = 0.95, 0.75  # shares that say the same, for the headline
_NAMED = 0.01  # share of the variance from which a choice is named


def level(rows: pd.DataFrame, lang: str) -> str:
    """The confidence level: `"95 pct."`, `"95%"`."""
    return Formatter(lang).percent(float(rows["conf_level"].iloc[0]))


def headline(rows: pd.DataFrame, lang: str) -> str:
    """Whether the specifications say the same as the main one, in sign and in certainty."""
    sign, both = (float(rows[name].iloc[0]) for name in ("same_sign", "same_both"))
    clear = _is_clear(rows)
    if both >= _FIRM:
        kind = "holds" if clear else "never_clear"
    elif sign >= _FIRM:
        kind = "direction_holds"
    else:
        kind = "most" if sign >= _MOST else "depends"
    reference = label(f"{_KEY}.reference.{rows['reference'].iloc[0]}", lang)
    share = _share(both if kind == "holds" else sign, lang)
    return label(f"{_KEY}.headline.{kind}", lang, share=share, reference=reference)


def _is_clear(rows: pd.DataFrame) -> bool:
    """Whether the reference's interval excludes zero."""
    if str(rows["reference"].iloc[0]) == "main":
        return phrase.outside_zero(rows[rows["is_main"].astype(bool)].iloc[0]) != 0
    return phrase.outside_zero(rows.iloc[(len(rows) - 1) // 2]) != 0


def _share(share: float, lang: str) -> str:
    """A share in whole per cent that says 100 only of all."""
    return Formatter(lang).percent(min(share, 0.99) if share < 1 else share)


def subtitle(rows: pd.DataFrame, lang: str) -> str:
    """What a point is, in which unit, and how many there are."""
    n = Formatter(lang).count(len(rows))
    return label(f"{_KEY}.subtitle", lang, n=n, unit=_per(rows, lang), share=_share_of(rows, lang))


def unit_axis(rows: pd.DataFrame, lang: str) -> str:
    """The name of the vertical axis."""
    return label(f"{_KEY}.axis_unit", lang)


def _per(rows: pd.DataFrame, lang: str) -> str:
    """What the percentage points are per; units of rungs as they are written."""
    unit = str(rows["unit"].iloc[0])
    if unit == "pp per sd of the exposure":
        return label(f"{_KEY}.per.each", lang)
    for kind in ("sd", "unit"):
        start = f"pp per {kind} of "
        if unit.startswith(start):
            name = known_name("column", unit.removeprefix(start), lang)
            return label(f"{_KEY}.per.{kind}", lang, name=name)
    return label(f"{_KEY}.per.other", lang, unit=unit.removeprefix("pp ").removeprefix("per "))


def _share_of(rows: pd.DataFrame, lang: str) -> str:
    """The outcome, where all specifications have the same."""
    if any(differs(rows[f"{CHOICE}{name}"]) for name in ("outcome", "horizon_weeks", "at_risk")):
        return label(f"{_KEY}.share_of.several", lang)
    return label(
        f"{_KEY}.share_of.one",
        lang,
        reached=phrase.outcome_reached(rows, lang),
        horizon=phrase.horizon(rows, lang),
    )


def heading(one: Dimension, lang: str) -> str:
    """A dimension with the share of the variance that it explains."""
    if np.isnan(one.share):
        return one.text
    share = Formatter(lang).percent(one.share)
    return label(f"{_KEY}.heading", lang, name=one.text, share=share)


def run(frame: pd.DataFrame, lang: str) -> str:
    """How many were run, failed, were hidden or are in another unit."""
    text = Formatter(lang)
    numbers = {name: int(frame[name].iloc[0]) for name in ("specifications", "failed", "in_other_unit")}
    secret = int(frame["suppressed"].astype(bool).sum()) if hidden(frame) else 0
    counts = {name: text.count(n) for name, n in numbers.items()}
    return phrase.sentences(
        label(f"{_KEY}.run", lang, n=counts["specifications"]),
        label(f"{_KEY}.failed", lang, n=counts["failed"]) if numbers["failed"] else "",
        label(f"{_KEY}.other_unit", lang, n=counts["in_other_unit"]) if numbers["in_other_unit"] else "",
        label(f"{_KEY}.hidden", lang, n=text.count(secret)) if secret else "",
    )


def agreeing(rows: pd.DataFrame, lang: str) -> str:
    """Typical estimate, and the shares that agree with the main or the median one."""
    text = Formatter(lang)
    reference = str(rows["reference"].iloc[0])
    return label(
        f"{_KEY}.agreeing.{reference}",
        lang,
        median=text.pp(float(rows["typical_estimate"].iloc[0]) / 100, decimals=2),
        sign=_share(float(rows["same_sign"].iloc[0]), lang),
        both=_share(float(rows["same_both"].iloc[0]), lang),
    )


def joint(frame: pd.DataFrame, lang: str) -> str:
    """The p-values of the joint test; "" where it was not asked for."""
    values = [float(frame[name].iloc[0]) for name in ("p_typical", "p_significant", "p_average")]
    if any(np.isnan(values)):
        return ""
    text = Formatter(lang)
    p = dict(zip(("median", "share", "average"), (_equals(text.p_value(v)) for v in values), strict=True))
    return label(f"{_KEY}.joint", lang, **p)


def _equals(p: str) -> str:
    """`"= 0,03"`, `"< 0,001"`."""
    return p if p[:1] in "<>" else f"=\N{NO-BREAK SPACE}{p}"


def matters(found: Sequence[Dimension], lang: str) -> str:
    """The choice that explains most of the differences, the next one, and what no single choice explains."""
    named = [one for one in found if not np.isnan(one.share)]
    if not named:
        return ""
    text = Formatter(lang)
    most = [one for one in named[:2] if one.share >= _NAMED]
    rest = 1 - sum(one.share for one in named)
    if not most:
        return label(f"{_KEY}.matters.none", lang)
    parts = [
        label(f"{_KEY}.matters.part", lang, name=one.text, share=text.percent(one.share)) for one in most
    ]
    return label(f"{_KEY}.matters.most", lang, parts=text.listing(parts), rest=text.percent(max(rest, 0.0)))


def beyond(cut: int, lang: str) -> str:
    """How many intervals are longer than the axis; "" if none."""
    return label(f"{_KEY}.beyond", lang, n=Formatter(lang).count(cut)) if cut else ""


def about(frame: pd.DataFrame, rows: pd.DataFrame, lang: str) -> str:
    """Who is in it; population and outcome only where all specifications share them."""
    varies = {name: differs(rows[f"{CHOICE}{name}"]) for name in ("outcome", "horizon_weeks", "at_risk")}
    return phrase.sentences(
        f"{phrase.totals(frame, lang)}.",
        "" if varies["at_risk"] or varies["outcome"] else phrase.population(frame, lang),
        "" if varies["outcome"] or varies["horizon_weeks"] else phrase.say_outcome(frame, lang),
    )


def caution(rows: pd.DataFrame, lang: str) -> str:
    """Association, unless every specification is a credible rung; and that the analyses share their data."""
    credible = rows["verdict"].eq(CREDIBLE).all()
    first = label(f"{_KEY}.under_assumptions" if credible else "caution.association", lang)
    return phrase.sentences(first, label(f"{_KEY}.shared_data", lang))


def alt(rows: pd.DataFrame, found: Sequence[Dimension], lang: str) -> str:
    """What the picture shows, with its key numbers."""
    text = Formatter(lang)
    low, high = (float(rows["estimate"].iloc[place]) for place in (0, -1))
    low, high = (float(rows["estimate"].quantile(q)) for q in (0.05, 0.95)) if len(rows) > 20 else (low, high)
    return label(
        f"{_KEY}.alt",
        lang,
        n=text.count(len(rows)),
        median=text.pp(float(rows["typical_estimate"].iloc[0]) / 100, decimals=2),
        range=text.range(low, high, decimals=2),
        sign=_share(float(rows["same_sign"].iloc[0]), lang),
        choices=text.listing([one.text for one in found])
        if found
        else label("multiverse.word.no_levels", lang),
    )
