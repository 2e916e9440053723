"""Text that a multiverse file may hold: names from a closed set of letters, labels safe in any file.

A name that survives here can stand in a csv, a workbook, a file name or a terminal without doing anything.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection
from difflib import get_close_matches

from jobchance.errors import SpecError

MAX_LABEL = 200
MAX_NAME = 60
_SHOWN = 40
_LINES = 40
_LETTERS = "A-Za-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u00ff"
_COLUMN = re.compile(f"[{_LETTERS}_][{_LETTERS}0-9_]*")
_NAME = re.compile("[a-z0-9_][a-z0-9_-]*")
_DEVICES = re.compile("(con|prn|aux|nul|com[0-9]|lpt[0-9])")  # no file may be called so under Windows
_HIDDEN = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
FORMULA_SIGNS = "=+-@"


class Problems:
    """Collects everything that is wrong with one file, each with its place, and raises it once."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def add(self, place: str, text: str) -> None:
        """Note one problem."""
        self.lines.append(f"{place}: {text}")

    def raise_any(self) -> None:
        """Raise one `SpecError` that lists all problems, if there are any."""
        if not self.lines:
            return
        n = len(self.lines)
        shown = [f"  {line}" for line in self.lines[:_LINES]]
        if n > _LINES:
            shown.append(f"  and {n - _LINES} more")
        count = "1 problem" if n == 1 else f"{n} problems"
        raise SpecError("\n".join([f"This multiverse specification has {count}:", *shown]))


def shown(value: object) -> str:
    """What was written, short and harmless; the kind alone where it is no text or number."""
    if isinstance(value, str):
        text = value if len(value) <= _SHOWN else value[:_SHOWN] + "..."
        return ascii(text) if hidden_fault(text) else repr(text)
    if isinstance(value, bool | float) or (isinstance(value, int) and abs(value) < 10**15):
        return repr(value).lower() if isinstance(value, bool) else repr(value)
    return kind(value)


def kind(value: object) -> str:
    """The kind of a value in words."""
    words = {
        "bool": "true/false",
        "int": "a whole number",
        "float": "a number",
        "str": "a text",
        "list": "a list",
        "tuple": "a list",
        "dict": "a table",
        "NoneType": "nothing",
    }
    name = type(value).__name__
    return words.get(name, "a date or time" if name in ("date", "time", "datetime") else f"a {name[:_SHOWN]}")


def not_known(value: object, allowed: Collection[str]) -> str:
    """That a value is outside a closed list, with the list and the nearest entry."""
    near = get_close_matches(value[:100], list(allowed), n=1) if isinstance(value, str) else []
    hint = f" Did you mean {near[0]!r}?" if near else ""
    listed = list(allowed)
    more = f" and {len(listed) - 30} more" if len(listed) > 30 else ""
    return f"{shown(value)} is not known. Allowed: {', '.join(listed[:30])}{more}.{hint}"


def hidden_fault(text: str) -> str:
    """What a text holds that a reader cannot see; "" if nothing."""
    for character in text:
        if unicodedata.category(character) in _HIDDEN:
            return f"it holds an invisible character (U+{ord(character):04X})"
    return ""


def label_fault(value: object) -> str:
    """What keeps a value from being a label in a table or figure; "" if nothing."""
    if not isinstance(value, str):
        return f"a text is needed here, not {kind(value)}"
    if not value.strip():
        return "the text is empty"
    if len(value) > MAX_LABEL:
        return f"the text has {len(value)} characters; at most {MAX_LABEL} are allowed"
    hidden = hidden_fault(value)
    if hidden:
        return hidden
    if unicodedata.normalize("NFKC", value.strip())[0] in FORMULA_SIGNS:
        return "a label cannot begin with = + - @ (a spreadsheet would read it as a formula)"
    return ""


def name_fault(value: object) -> str:
    """What keeps a value from being one of the file's own names (also used in file names); "" if nothing."""
    if not isinstance(value, str):
        return f"a name is needed here, not {kind(value)}"
    if len(value) > MAX_NAME or not _NAME.fullmatch(value) or _DEVICES.fullmatch(value):
        return (
            f"{shown(value)} is no name; use a-z, 0-9, _ and - (at most {MAX_NAME} characters, not beginning "
            "with -, and no device name such as con)"
        )
    return ""


def column_fault(value: object) -> str:
    """What keeps a value from being a column's name; "" if nothing."""
    if not isinstance(value, str):
        return f"the name of a column is needed here, not {kind(value)}"
    if len(value) > MAX_NAME or not _COLUMN.fullmatch(value) or value.startswith("__"):
        return (
            f"{shown(value)} is no column name; use letters (also Danish ones), digits and _, at most "
            f"{MAX_NAME} characters, not beginning with a digit or with __"
        )
    return ""
