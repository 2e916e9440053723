"""Dimensions and options of a multiverse as readers know them; unknown ones as they are written."""

from __future__ import annotations

import re

from jobchance.formatting import DASH, Formatter
from jobchance.labels.load import has_label, label

SEPARATOR = " + "
_CALL = re.compile(r"^(?:C|factor|bs|ns|poly|log)\(\s*`?([^,`()]+)`?.*\)$")
_OUTSIDE = re.compile(r"(?<=\))\s*\+\s*(?=\()")  # plus signs between the brackets of random-effects terms
_LEVEL = re.compile(r"^\(\s*(.+?)\s*\|\s*(.+?)\s*\)$")


def dimension_name(dimension: str, lang: str) -> str:
    """`"Model"`, `"Justeret for"`."""
    return label(f"multiverse.dimension.{dimension}", lang)


def option_name(dimension: str, option: str, lang: str) -> str:
    """One option of a dimension in words."""
    if dimension in _SPECIAL:
        return _SPECIAL[dimension](option, lang)
    if not option:
        return label("multiverse.word.none", lang)
    return known_name(dimension, option, lang)


def known_name(dimension: str, option: str, lang: str) -> str:
    """The label of an option, else its own text with spaces for underscores."""
    key = f"multiverse.{dimension}.{option}"
    return label(key, lang) if has_label(key) else option.replace("_", " ")


def term_name(term: str, lang: str) -> str:
    """A covariate: `C(education)` is education."""
    inner = _CALL.match(term.strip())
    return known_name("column", (inner.group(1) if inner else term).strip("` "), lang)


def _several(option: str, lang: str) -> str:
    """Terms joined by ` + `."""
    if not option:
        return label("multiverse.word.none", lang)
    return " + ".join(term_name(term, lang) for term in option.split(SEPARATOR))


def _compared(option: str, lang: str) -> str:
    return _several(option, lang) if option else label("multiverse.word.whole_study", lang)


def _levels(option: str, lang: str) -> str:
    """Random-effects terms by their groups: `(1 | caseworker_id)` is caseworker."""
    if not option:
        return label("multiverse.word.no_levels", lang)
    return " + ".join(_level(term, lang) for term in _OUTSIDE.split(option))


def _level(term: str, lang: str) -> str:
    found = _LEVEL.match(term.strip())
    if found is None:
        return term
    inside, group = found.groups()
    name = " × ".join(known_name("column", part.strip(), lang) for part in re.split("[:/]", group))
    return name if inside == "1" else f"{name} ({inside})"


def _weeks(option: str, lang: str) -> str:
    return label("multiverse.word.weeks", lang, n=Formatter(lang).count(int(option)))


def _outcome(option: str, lang: str) -> str:
    key = f"outcome.{option}.name"
    return label(key, lang) if has_label(key) else option.replace("_", " ")


def _sample(option: str, lang: str) -> str:
    return label("multiverse.word.everybody", lang) if option in ("", "all") else option.replace("_", " ")


def _waves(option: str, lang: str) -> str:
    return label("multiverse.word.everybody", lang) if option == "all" else option.replace("-", DASH)


def _estimator(option: str, lang: str) -> str:
    if not option.startswith("rung:"):
        return known_name("estimator", option, lang)
    rung = option.removeprefix("rung:")
    key = f"rung.{rung}.name"
    name = label(key, lang) if has_label(key) else rung
    return label("multiverse.word.rung", lang, name=f"{name[:1].lower()}{name[1:]}")


def _vcov(option: str, lang: str) -> str:
    if not option.startswith("cluster:"):
        return known_name("vcov", option, lang)
    columns, _, kind = option.removeprefix("cluster:").partition(":")
    names = Formatter(lang).listing([known_name("column", column, lang) for column in columns.split("+")])
    return label("multiverse.vcov.cluster", lang, names=names) + (f" ({kind})" if kind else "")


def _exposure(option: str, lang: str) -> str:
    return known_name("column", option, lang)


_SPECIAL = {
    "outcome": _outcome,
    "horizon_weeks": _weeks,
    "exposure": _exposure,
    "covariates": _several,
    "sample": _sample,
    "waves": _waves,
    "estimator": _estimator,
    "absorb": _compared,
    "random": _levels,
    "vcov": _vcov,
}
