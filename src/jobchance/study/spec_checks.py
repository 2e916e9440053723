"""Checks of single keys of `study.toml`: names, types, closed lists, character sets, date forms."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from difflib import get_close_matches
from typing import Any

from jobchance.study.problems import STUDY_FILE, Problem, nearest

Kind = type | tuple[type, ...]

_CLOSED = {
    "language": ("da", "en", "sv", "nb"),
    "data_kind": ("real", "simulated"),
    "delimiter": (",", ";", "\t", "|"),
    "decimal": (".", ","),
}
_TYPE_WORDS = {
    str: "text",
    float: "a number",
    bool: "true or false",
    int: "a whole number",
    date: "a date (2016-12-31, without quotes)",
    list: "a list of texts",
    dict: "a table",
}


def typed(
    section: Mapping[str, Any], kinds: Mapping[str, Kind], where: str
) -> tuple[dict[str, Any], list[Problem]]:
    """The known keys of the right type, and what is wrong with the others."""
    found, keys = unknown_keys(section, kinds, where), {}
    for key, kind in kinds.items():
        if key not in section:
            continue
        value = section[key]
        if not is_of(value, kind):
            found.append(wrong_type(key, where, kind))
        elif key in _CLOSED and value not in _CLOSED[key]:
            found.append(not_allowed(key, value, _CLOSED[key], where))
        else:
            keys[key] = value
    return keys, found


def is_of(value: object, kind: Kind) -> bool:
    """True if a TOML value has the type; true/false are no numbers, lists hold texts only."""
    if isinstance(value, bool):
        return bool in (kind if isinstance(kind, tuple) else (kind,))
    if isinstance(value, datetime):
        return False
    if isinstance(value, list) and not all(isinstance(entry, str) for entry in value):
        return False
    return isinstance(value, kind)


def texts_of(value: object) -> list[str]:
    """A text or a list of texts, as a list."""
    return (
        [value]
        if isinstance(value, str)
        else [str(entry) for entry in value]
        if isinstance(value, list)
        else []
    )


def is_encoding(name: str) -> bool:
    """True if Python knows the character set."""
    try:
        codecs.lookup(name)
        "a".encode(name)
    except (LookupError, ValueError, TypeError):
        return False
    return True


def is_date_format(form: object) -> bool:
    """True for one or several forms with a day, a month and a year."""
    forms = list(form.values()) if isinstance(form, dict) else [form]
    day = date(1999, 12, 31)
    try:
        return all(isinstance(f, str) and datetime.strptime(day.strftime(f), f).date() == day for f in forms)
    except ValueError:
        return False


def unknown_keys(given: Iterable[str], allowed: Iterable[str], section: str) -> list[Problem]:
    """One problem per key that is not allowed."""
    names = list(allowed)
    return [
        Problem(
            "unknown_key",
            STUDY_FILE,
            key,
            fill={"section": section, "near": nearest(key, names), "allowed": ", ".join(names)},
        )
        for key in given
        if key not in names
    ]


def is_slip(name: str, own: Iterable[str]) -> bool:
    """True if a name is nearly one of ours."""
    return bool(get_close_matches(name.lower(), list(own), n=1, cutoff=0.8))


def wrong_type(key: str, section: str, kind: Kind) -> Problem:
    """A value of the wrong type."""
    kinds = kind if isinstance(kind, tuple) else (kind,)
    return Problem(
        "key_type", STUDY_FILE, key, fill=expected_words(section, " / ".join(_TYPE_WORDS[k] for k in kinds))
    )


def expected_words(section: str, expected: str) -> dict[str, str]:
    """Words of a `key_type` problem."""
    return {"section": section, "expected": expected}


def not_allowed(key: str, value: str, allowed: Iterable[str], section: str) -> Problem:
    """A value outside a closed list."""
    names = [repr(name) if name.isspace() else name for name in allowed]
    fill = {"section": section, "near": nearest(value, names), "allowed": ", ".join(names)}
    return Problem("key_value", STUDY_FILE, key, fill=fill)
