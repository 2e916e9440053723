"""`Release`: one output that is about to be exported, with the persons behind it and behind its cells."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from jobchance.disclosure import columns as cols
from jobchance.errors import SpecError

# Texts that say where a frame comes from, or say a cell's name again in words: no part of a cell's name.
_CONTEXT = frozenset(
    {
        "suppressed", "rounded", "interval", "estimand", "study_name", "study_source", "data_kind",
        "instrument", "instrument_version", "wording_status", "construct_status", "scale_status", "reason",
    }
)  # fmt: skip
_WORDS = re.compile(r"label.*|.*_(da|en|sv|nb)")


@dataclass(frozen=True, repr=False)
class Release:
    """An output and who is behind it; held in memory only, never shown or pickled.

    Parameters
    ----------
    name : str
        What the output is called in messages and in the ledger; the same output has the same name in every
        export.
    sample : iterable of identifiers
        The persons behind the output, as in the study's tables (`panel.frame["citizen_id"]`); a person may
        occur several times.
    frame : DataFrame or None
        As it is exported: its cells are known by their texts and places, and compared by number of persons.
    cells : mapping of str to iterable of identifiers
        The persons behind single cells that are *shown*, where they are known.
    """

    name: str
    sample: Iterable[object]
    frame: pd.DataFrame | None = None
    cells: Mapping[str, Iterable[object]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.strip():
            raise SpecError("a release needs a name: the same output has the same name in every export.")
        # Once through: what is given may be an iterator, and is read several times.
        object.__setattr__(self, "sample", _unique(self.sample))
        object.__setattr__(self, "cells", {str(cell): _unique(who) for cell, who in self.cells.items()})

    def __repr__(self) -> str:
        return f"Release(name={self.name!r})"

    def __reduce__(self) -> str | tuple[object, ...]:
        raise TypeError("A Release holds identifiers and is not pickled.")


def person_codes(persons: Iterable[object], salt: bytes, *, name: str) -> NDArray[np.int64]:
    """One code of 64 bits for each person, sorted, each once: a keyed hash of the identifier's text.

    Raises
    ------
    SpecError
        Somebody has no identifier, or there is nobody.
    """
    unique = _unique(persons)
    missing = int(pd.isna(unique).sum())
    if missing or not len(unique):
        raise SpecError(
            f"{name}: the sample has {'persons without identifier' if missing else 'no persons'}."
        )
    codes = [
        hashlib.blake2b(_text(one).encode(), key=salt, digest_size=8).digest() for one in unique.tolist()
    ]
    return np.unique(np.frombuffer(b"".join(codes), dtype="<i8").astype(np.int64))


def cell_counts(frame: pd.DataFrame) -> dict[str, float | None]:
    """Persons in each cell of a frame, `None` where they are hidden; cells are named by texts and places."""
    persons = next((column for column in cols.PERSONS if column in frame), None)
    if persons is None:
        return {}
    named = [
        c
        for c in map(str, frame.columns)
        if c not in _CONTEXT
        and not _WORDS.fullmatch(c)
        and (not cols.is_number(frame[c]) or c in cols.PLACES)
    ]
    result: dict[str, float | None] = {}
    hidden = (
        frame["suppressed"].eq(True).fillna(False).to_numpy(dtype=bool)
        if "suppressed" in frame
        else np.zeros(len(frame), dtype=bool)
    )
    counts = cols.numbers(frame, persons).to_numpy()
    for place, row in enumerate(frame[named].itertuples(index=False, name=None)):
        stem = " | ".join(f"{c}={v}" for c, v in zip(named, row, strict=True) if not pd.isna(v))
        key, number = stem, 1
        while key in result:
            number += 1
            key = f"{stem} #{number}"
        gone = hidden[place] or np.isnan(counts[place])
        result[key] = None if gone else float(counts[place])
    return result


def _unique(persons: Iterable[object]) -> NDArray[np.object_]:
    return np.asarray(pd.unique(pd.Series(list(persons), dtype=object)), dtype=object)


def _text(person: object) -> str:
    """An identifier as a text: 17, 17.0 and numpy's 17 are the same person, "017" is another."""
    if isinstance(person, bool | np.bool_):
        raise SpecError("a sample must be identifiers of persons, not a mask.")
    if isinstance(person, float | np.floating) and float(person).is_integer():
        return str(int(person))
    return str(person)
