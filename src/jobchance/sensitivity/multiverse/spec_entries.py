"""Entries of a multiverse file with their places: known keys, lists counted from 1, values said once."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from jobchance.errors import FormulaError, SpecError
from jobchance.sensitivity.multiverse.spec_text import Problems, not_known
from jobchance.sensitivity.multiverse.spec_values import read_value

MAX_CHOICES = 500


def known_keys(raw: Mapping[Any, Any], allowed: Collection[str], place: str, problems: Problems) -> None:
    """Note every key that is not allowed."""
    for key in raw:
        if key not in allowed:
            problems.add(place or "file", f"the key {not_known(key, allowed)}")


def read_at(place: str, problems: Problems, dimension: str, value: object) -> Any:
    """One canonical value, or `None` with a problem noted."""
    try:
        return read_value(dimension, value)
    except (SpecError, FormulaError) as error:
        problems.add(place, str(error))
        return None


def entries(raw: object, place: str, problems: Problems, *, at_most: int) -> list[tuple[str, Any]]:
    """The entries of a list with their places, counted from 1; a single value is a list of one."""
    if not isinstance(raw, list | tuple):
        return [(place, raw)]
    if not 0 < len(raw) <= at_most:
        problems.add(place, f"a list of 1 to {at_most} entries is needed, this one has {len(raw)}")
        return []
    return [(f"{place}[{number}]", entry) for number, entry in enumerate(raw, 1)]


def once(found: dict[Any, str], value: Any, place: str, problems: Problems) -> None:
    """Keep a value with its place, or note that it was there before."""
    if value in found:
        problems.add(place, f"says the same as {found[value]}")
    else:
        found[value] = place
