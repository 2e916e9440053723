"""The instrument as data: constructs, who answers, scale, wording and how certain each of these is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import pandas as pd

from jobchance.errors import SpecError
from jobchance.study.instrument_file import parse_instrument


@dataclass(frozen=True)
class Item:
    """One question to one respondent. The scale belongs to the item, never to the instrument."""

    item_id: str
    construct: str
    respondent: str  # "caseworker" | "citizen" | "partner"
    scale_min: float
    scale_max: float
    categories: Mapping[
        int, Mapping[str, str]
    ]  # value -> {"da": ..., "en": ..., "sv": ...}; {} if continuous
    text: Mapping[str, str]  # language -> wording
    reversed: bool
    has_dont_know: bool
    wording_status: str  # "verified" | "inferred" | "placeholder"
    scale_status: str
    source: str
    text_status: Mapping[str, str] = field(default_factory=dict)  # language -> "source" | "own"
    category_status: Mapping[int, str] = field(default_factory=dict)  # value -> status of its label
    field_status: Mapping[str, str] = field(default_factory=dict)  # respondent, reversed, dont_know -> status


@dataclass(frozen=True)
class Construct:
    """One indicator (for example the caseworker's belief in a job)."""

    construct_id: str
    number: int
    label: Mapping[str, str]
    core7: bool
    status: str
    source: str
    label_status: Mapping[str, str] = field(default_factory=dict)  # language -> "source" | "own"


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
    title: Mapping[str, str] = field(default_factory=dict)
    dont_know_label: Mapping[str, str] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)  # source key -> where it is

    def item(self, item_id: str) -> Item:
        """Return the item with this id; `SpecError` with the nearest id if there is none."""
        return self.items[_position(item_id, [item.item_id for item in self.items], what="item")]

    def construct(self, construct_id: str) -> Construct:
        """Return the construct with this id; `SpecError` with the nearest id if there is none."""
        ids = [construct.construct_id for construct in self.constructs]
        return self.constructs[_position(construct_id, ids, what="construct")]

    def scale(self, scale_id: str) -> Scale:
        """Return the scale with this id; `SpecError` with the nearest id if there is none."""
        return self.scales[_position(scale_id, [scale.scale_id for scale in self.scales], what="scale")]

    def item_table(self) -> pd.DataFrame:
        """Rows of the study table `item`: one line per item of this instrument version.

        Returns
        -------
        DataFrame
            `item_id instrument_version respondent indicator text_da text_en scale_min scale_max anchors
            reversed has_dont_know core7 source_status`. `anchors` lists the labelled categories in Danish
            as `1 = ...; 2 = ...`; null for a continuous scale. `source_status` is that of the wording.

        Examples
        --------
        >>> table = read_instrument("bip").item_table()
        >>> int((table["source_status"] == "verified").sum())
        1
        """
        core7 = {construct.construct_id: construct.core7 for construct in self.constructs}
        rows = [
            {
                "item_id": item.item_id,
                "instrument_version": self.version,
                "respondent": item.respondent,
                "indicator": item.construct,
                "text_da": item.text.get("da"),
                "text_en": item.text.get("en"),
                "scale_min": item.scale_min,
                "scale_max": item.scale_max,
                "anchors": _anchors(item),
                "reversed": item.reversed,
                "has_dont_know": item.has_dont_know,
                "core7": core7[item.construct],
                "source_status": item.wording_status,
            }
            for item in self.items
        ]
        return pd.DataFrame(rows)


def read_instrument(source: str | Path | Mapping[str, Any]) -> Instrument:
    """Read a shipped instrument by name (`"bip"`), an own one from a TOML file, or one already parsed.

    The shipped file `data/instruments/bip.toml` is the pattern for own files: tables `[[construct]]`,
    `[[item]]`, `[[scale]]` and `[categories.<name>]`. A scale without `categories` is continuous.

    Parameters
    ----------
    source : str, Path or mapping
        Name of a shipped instrument, path of a file ending in `.toml`, or the content of such a file (the
        section `[instrument]` of a `study.toml`).

    Returns
    -------
    Instrument

    Raises
    ------
    SchemaError
        The file is absent, unreadable or wrong; one message lists everything that is wrong in it.
    SpecError
        No shipped instrument has this name.

    Examples
    --------
    >>> read_instrument("bip").item("belief_job").wording_status
    'verified'
    """
    content = parse_instrument(source)
    return Instrument(
        name=content["name"],
        version=content["version"],
        constructs=tuple(_construct(entry) for entry in content["construct"]),
        items=tuple(_item(entry, content["categories"]) for entry in content["item"]),
        scales=tuple(
            Scale(entry["id"], dict(entry["label"]), tuple(entry["items"]), entry["min_answered"])
            for entry in content["scale"]
        ),
        title=dict(content["title"]),
        dont_know_label=dict(content["dont_know_label"]),
        sources=dict(content["sources"]),
    )


def _construct(entry: Mapping[str, Any]) -> Construct:
    """Build one construct from checked content."""
    return Construct(construct_id=entry["id"], **{key: entry[key] for key in entry if key != "id"})


def _item(entry: Mapping[str, Any], categories: Mapping[str, Mapping[str, Mapping[str, str]]]) -> Item:
    """Build one item from checked content."""
    status = dict(entry["status"])
    low, high = entry["scale"]
    chosen = categories[entry["categories"]] if entry["categories"] else {}
    languages = ("da", "en", "sv", "nb")
    return Item(
        item_id=entry["id"],
        construct=entry["construct"],
        respondent=entry["respondent"],
        scale_min=float(low),
        scale_max=float(high),
        categories={
            int(value): {key: label[key] for key in languages if key in label}
            for value, label in chosen.items()
        },
        text=dict(entry["text"]),
        reversed=entry["reversed"],
        has_dont_know=entry["has_dont_know"],
        wording_status=status.pop("wording"),
        scale_status=status.pop("scale"),
        source=entry["source"],
        text_status=dict(entry["text_status"]),
        category_status={int(value): label["status"] for value, label in chosen.items()},
        field_status=status,
    )


def _anchors(item: Item) -> str | None:
    """Labelled categories in Danish, else in the first language given, as one text."""
    if not item.categories:
        return None
    labels = (
        f"{value} = {label.get('da') or next(iter(label.values()))}"
        for value, label in sorted(item.categories.items())
    )
    return "; ".join(labels)


def _position(wanted: str, ids: Iterable[str], *, what: str) -> int:
    """Position of an id, or one clear error."""
    known = list(ids)
    if wanted in known:
        return known.index(wanted)
    near = get_close_matches(str(wanted), known, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise SpecError(f"The instrument has no {what} {wanted!r}.{hint}")
