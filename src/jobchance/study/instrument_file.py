"""Reading and checking an instrument's TOML file: every fault of the file in one error.

The checked content has all keys (defaults filled in), so that building the dataclasses cannot fail.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from copy import deepcopy
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from jobchance.errors import SchemaError, SpecError
from jobchance.resources import data_folder

LANGUAGES = ("da", "en", "sv", "nb")
RESPONDENTS = ("caseworker", "citizen", "partner")
STATUSES = ("verified", "inferred", "placeholder")
TEXT_STATUSES = ("source", "own")
STATUS_FIELDS = ("wording", "scale", "respondent", "reversed", "dont_know")

# key -> type, and the default when the key may be absent
_REQUIRED = object()
_TOP = {
    "name": (str, _REQUIRED), "version": (str, _REQUIRED), "construct": (list, _REQUIRED),
    "item": (list, _REQUIRED), "scale": (list, []), "categories": (dict, {}), "title": (dict, {}),
    "dont_know_label": (dict, {}), "sources": (dict, {}),
}  # fmt: skip
_CONSTRUCT = {
    "id": (str, _REQUIRED), "number": (int, _REQUIRED), "label": (dict, _REQUIRED), "core7": (bool, False),
    "status": (str, "placeholder"), "source": (str, ""), "label_status": (dict, {}),
}  # fmt: skip
_ITEM = {
    "id": (str, _REQUIRED), "construct": (str, _REQUIRED), "respondent": (str, _REQUIRED),
    "text": (dict, _REQUIRED), "scale": (list, _REQUIRED), "categories": (str, ""), "reversed": (bool, False),
    "has_dont_know": (bool, False), "status": (dict, {}), "source": (str, ""), "text_status": (dict, {}),
}  # fmt: skip
_SCALE = {
    "id": (str, _REQUIRED), "label": (dict, _REQUIRED), "items": (list, _REQUIRED),
    "min_answered": (int, _REQUIRED),
}  # fmt: skip


def parse_instrument(source: str | Path | Mapping[str, Any]) -> dict[str, Any]:
    """Return the checked content of an instrument, defaults filled in; `source` as in `read_instrument`.

    Raises
    ------
    SchemaError
        The file cannot be read or is wrong; lists every fault.
    SpecError
        No shipped instrument has this name.
    """
    if isinstance(source, Mapping):
        where, content = "[instrument]", deepcopy(dict(source))
    else:
        path = _locate(source)
        where, content = f"Instrument file {path.name}", _read_toml(path)
    faults: list[str] = []
    _fill(content, _TOP, "the instrument", faults)
    for kind, fields in (("construct", _CONSTRUCT), ("item", _ITEM), ("scale", _SCALE)):
        _fill_entries(content, kind, fields, faults)
    _check_categories(content, faults)
    _check_constructs(content, faults)
    _check_items(content, faults)
    _check_scales(content, faults)
    if faults:
        raise SchemaError(f"{where} is wrong:\n" + "\n".join(f"- {f}" for f in faults))
    return content


def _locate(name_or_path: str | Path) -> Path:
    """Path of a shipped instrument by name, or the path given."""
    text = str(name_or_path)
    if isinstance(name_or_path, Path) or text.endswith(".toml") or "/" in text or "\\" in text:
        return Path(name_or_path)
    shipped = sorted(path.stem for path in (data_folder() / "instruments").glob("*.toml"))
    if text in shipped:
        return data_folder() / "instruments" / f"{text}.toml"
    near = get_close_matches(text, shipped, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise SpecError(
        f"instrument={text!r} is not known. Shipped: {', '.join(shipped)}; "
        f"or give the path of a .toml file.{hint}"
    )


def _read_toml(path: Path) -> dict[str, Any]:
    """Read TOML, or say in one line why the file cannot be read."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise SchemaError(f"Instrument file {path.name} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise SchemaError(f"Instrument file {path.name} is not UTF-8 text.") from error
    except RecursionError:
        raise SchemaError(f"Instrument file {path.name} is not valid TOML: nested too deeply.") from None
    except tomllib.TOMLDecodeError as error:
        raise SchemaError(f"Instrument file {path.name} is not valid TOML: {error}.") from error


def _fill(
    entry: dict[str, Any], fields: Mapping[str, tuple[type, object]], where: str, faults: list[str]
) -> None:
    """Check the keys and types of one TOML table; put in defaults, also for what is wrong."""
    for key in entry.keys() - fields.keys():
        near = get_close_matches(key, list(fields), n=1)
        faults.append(f"{where}: unknown key {key!r}" + (f"; did you mean {near[0]!r}?" if near else ""))
    for key, (kind, default) in fields.items():
        if key not in entry and default is _REQUIRED:
            faults.append(f"{where}: {key!r} is missing")
        elif key in entry and not _is(entry[key], kind):
            faults.append(f"{where}: {key!r} must be {_in_words(kind)}")
            del entry[key]
        elif key in entry and default is _REQUIRED and kind is not int and not entry[key]:
            faults.append(f"{where}: {key!r} is empty")
        if key not in entry:
            entry[key] = kind() if default is _REQUIRED else default


def _is(value: object, kind: type) -> bool:
    """Whether a TOML value has the type; true and false are not numbers."""
    return isinstance(value, kind) and (kind is bool or not isinstance(value, bool))


def _in_words(kind: type) -> str:
    """Name of a type as the author of a TOML file knows it."""
    return {str: "a text", int: "a whole number", bool: "true or false", list: "a list", dict: "a table"}[
        kind
    ]


def _fill_entries(
    content: dict[str, Any], kind: str, fields: Mapping[str, tuple[type, object]], faults: list[str]
) -> None:
    """Check every entry of one kind, and that ids are not used twice."""
    entries = [entry for entry in content[kind] if isinstance(entry, dict)]
    if len(entries) < len(content[kind]):
        faults.append(f"{kind}: write every {kind} as [[{kind}]]")
    for number, entry in enumerate(entries, start=1):
        _fill(entry, fields, _name(kind, entry, number), faults)
    ids = [entry["id"] for entry in entries]
    faults += [f"{kind} {i!r} occurs {ids.count(i)} times" for i in sorted(set(ids)) if ids.count(i) > 1]
    content[kind] = entries


def _name(kind: str, entry: Mapping[str, Any], number: int) -> str:
    """How a fault names an entry: by id where it has one, else by number."""
    return f"{kind} {entry['id']!r}" if isinstance(entry.get("id"), str) else f"{kind} number {number}"


def _check_texts(texts: Mapping[str, Any], where: str, faults: list[str], *, required: bool = True) -> None:
    """Texts by language: known languages, no empty text."""
    unknown = sorted(set(texts) - set(LANGUAGES))
    if unknown:
        faults.append(f"{where}: unknown language {', '.join(unknown)}; allowed: {', '.join(LANGUAGES)}")
    if required and texts and not {"da", "en"} & set(texts):
        faults.append(f"{where}: needs a text in da or en")
    empty = sorted(key for key, text in texts.items() if not isinstance(text, str) or not text.strip())
    if empty:
        faults.append(f"{where}: no text for {', '.join(empty)}")


def _check_status(value: object, allowed: tuple[str, ...], where: str, faults: list[str]) -> None:
    """One status word of a closed list."""
    if value not in allowed:
        faults.append(f"{where}: status {value!r} is not one of {', '.join(allowed)}")


def _check_categories(content: dict[str, Any], faults: list[str]) -> None:
    """Category sets: whole numbers as keys, texts by language, a status."""
    for name, labels in content["categories"].items():
        where = f"categories {name!r}"
        if not isinstance(labels, dict) or not labels:
            faults.append(f"{where}: must be a table of labelled values")
            content["categories"][name] = {}
            continue
        for value, label in labels.items():
            if not value.lstrip("-").isdecimal():
                faults.append(f"{where}: value {value!r} is not a whole number")
            if not isinstance(label, dict):
                faults.append(f"{where}, value {value}: must be a table of texts by language")
                continue
            label.setdefault("status", "placeholder")
            _check_status(label["status"], STATUSES, f"{where}, value {value}", faults)
            texts = {key: text for key, text in label.items() if key not in ("status", "source")}
            if not texts:
                faults.append(f"{where}, value {value}: has no text")
            _check_texts(texts, f"{where}, value {value}", faults)


def _check_constructs(content: dict[str, Any], faults: list[str]) -> None:
    """Labels, status words and numbers of the constructs."""
    numbers = [entry["number"] for entry in content["construct"]]
    if len(set(numbers)) < len(numbers):
        faults.append("construct: the same number is used more than once")
    for entry in content["construct"]:
        where = f"construct {entry['id']!r}"
        _check_texts(entry["label"], where, faults)
        _check_status(entry["status"], STATUSES, where, faults)
        for status in entry["label_status"].values():
            _check_status(status, TEXT_STATUSES, f"{where}, label_status", faults)
    for key in ("title", "dont_know_label"):
        _check_texts(content[key], key, faults)


def _check_items(content: dict[str, Any], faults: list[str]) -> None:
    """References, respondents, scales and status words of the items."""
    constructs = [entry["id"] for entry in content["construct"]]
    for entry in content["item"]:
        where = f"item {entry['id']!r}"
        _check_reference(entry["construct"], constructs, "construct", where, faults)
        if entry["respondent"] not in RESPONDENTS:
            faults.append(f"{where}: respondent must be one of {', '.join(RESPONDENTS)}")
        _check_texts(entry["text"], where, faults)
        for status in entry["text_status"].values():
            _check_status(status, TEXT_STATUSES, f"{where}, text_status", faults)
        unknown = sorted(set(entry["status"]) - set(STATUS_FIELDS))
        if unknown:
            faults.append(f"{where}: status of unknown field {', '.join(unknown)}")
        # What nobody vouches for is a placeholder: an own file must say so to have more.
        entry["status"] = dict.fromkeys(STATUS_FIELDS, "placeholder") | entry["status"]
        for name in STATUS_FIELDS:
            _check_status(entry["status"][name], STATUSES, f"{where}, {name}", faults)
        _check_scale_of_item(entry, content["categories"], where, faults)


def _check_scale_of_item(
    entry: dict[str, Any], categories: Mapping[str, Any], where: str, faults: list[str]
) -> None:
    """Two finite ends in order; categories, where given, inside them."""
    ends = entry["scale"]
    if len(ends) != 2 or not all(_is(x, int) or (_is(x, float) and math.isfinite(x)) for x in ends):
        faults.append(f"{where}: scale must be two numbers, lowest and highest")
        return
    if not ends[0] < ends[1]:
        faults.append(f"{where}: the scale's lowest value must be below its highest")
    if not entry["categories"]:
        return
    _check_reference(entry["categories"], list(categories), "categories", where, faults)
    values = [int(v) for v in categories.get(entry["categories"], {}) if v.lstrip("-").isdecimal()]
    if any(not ends[0] <= value <= ends[1] for value in values):
        faults.append(f"{where}: categories outside the scale {ends[0]} to {ends[1]}")


def _check_scales(content: dict[str, Any], faults: list[str]) -> None:
    """Scores: known items, each once, on one common range, and a possible missing-item rule."""
    items = {entry["id"]: entry for entry in content["item"]}
    for entry in content["scale"]:
        where = f"scale {entry['id']!r}"
        _check_texts(entry["label"], where, faults)
        for name in entry["items"]:
            _check_reference(name, list(items), "item", where, faults)
        known = [name for name in entry["items"] if isinstance(name, str) and name in items]
        if len(set(known)) < len(known):
            faults.append(f"{where}: the same item more than once")
        if len({str(items[name]["scale"]) for name in known}) > 1:
            faults.append(f"{where}: its items have different ranges, so their mean has no meaning")
        if not 1 <= entry["min_answered"] <= max(len(entry["items"]), 1):
            faults.append(f"{where}: min_answered must be between 1 and {len(entry['items'])}")


def _check_reference(wanted: object, known: list[str], what: str, where: str, faults: list[str]) -> None:
    """A reference to something that the file defines."""
    if wanted in known:
        return
    near = get_close_matches(str(wanted), known, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    faults.append(f"{where}: no {what} {wanted!r} in the file{hint}")
