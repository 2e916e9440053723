"""The instrument as data: constructs, who answers, scale, wording and how certain each of these is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Item:
    """One question to one respondent. The scale belongs to the item, never to the instrument."""

    item_id: str
    construct: str
    respondent: str  # "caseworker" | "citizen" | "partner"
    scale_min: float
    scale_max: float
    categories: Mapping[int, Mapping[str, str]]  # value -> {"da": ..., "en": ..., "sv": ...}; {} if continuous
    text: Mapping[str, str]  # language -> wording
    reversed: bool
    has_dont_know: bool
    wording_status: str  # "verified" | "inferred" | "placeholder"
    scale_status: str
    source: str


@dataclass(frozen=True)
class Construct:
    """One indicator (for example the caseworker's belief in a job)."""

    construct_id: str
    number: int
    label: Mapping[str, str]
    core7: bool
    status: str
    source: str


@dataclass(frozen=True)
class Scale:
    """A score made of items: mean of the answered items if at least `min_answered` were answered."""

    scale_id: str
    label: Mapping[str, str]
    items: tuple[str, ...]
    min_answered: int


@dataclass(frozen=True)
class Instrument:
    """A versioned set of constructs, items and scales."""

    name: str
    version: str
    constructs: tuple[Construct, ...]
    items: tuple[Item, ...]
    scales: tuple[Scale, ...]
