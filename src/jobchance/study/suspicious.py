"""Texts that should not be in a study at all: person numbers, spreadsheet formulas, control characters.

Person numbers are recognised by form and by a possible date: Danish ddmmyy-xxxx, Swedish (yy)yymmdd-xxxx
and Norwegian ddmmyyxxxxx. With a hyphen one such text is enough. Digits alone are judged by the column: at
least half of its numbers of that length must look like person numbers, since a few of any list of
pseudonyms do by chance.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date

import numpy as np

from jobchance.study.raw import RawColumn

NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?")
NOT_FINITE = re.compile(r"[+-]?(nan|inf(inity)?|1\.#(inf|qnan))", re.IGNORECASE)
_FORMULA = re.compile(r"[=@\t\r]|[+\-].")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b\u202a-\u202e\u2066-\u2069\ufeff\ufffd]")
# The borders keep out parts of longer marks: hashes, UUIDs, decimal numbers.
_HYPHENATED = re.compile(r"(?<![\w-])(?:\d\d)?(\d{6})[-–+ ]\d{4}(?![\w-])")
_DIGITS = re.compile(r"(?<!\w)(?<!\d[.,])\d{10,12}(?!\w|[.,]\d)")
_SHARE = 0.5
_NORWEGIAN_1 = (3, 7, 6, 1, 8, 9, 4, 5, 2, 1)
_NORWEGIAN_2 = (5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1)


def count_formulas(column: RawColumn) -> int:
    """Rows whose text a spreadsheet may run as a formula."""
    return column.count(is_formula)


def is_formula(text: str) -> bool:
    """True if a spreadsheet may run the text; numbers such as -1 or -inf are not formulas."""
    starts = bool(_FORMULA.match(text))
    return starts and not NUMBER.fullmatch(text) and not NOT_FINITE.fullmatch(text)


def count_control_characters(column: RawColumn) -> int:
    """Rows with invisible control characters, or with marks of a text that lost its encoding."""
    return column.count(_CONTROL.search)


def count_personal_numbers(column: RawColumn) -> int:
    """Rows that look like a person number, hyphenated or as digits alone."""
    counts = column.counts()
    hyphenated = np.array([_is_hyphenated(text) for text in column.texts], dtype=bool)
    found = int(counts[hyphenated].sum()) if len(hyphenated) else 0
    # A number column has lost the leading zero of days 01 to 09.
    width = 10 if column.kind == "number" else 0
    tokens = [
        (row, token)
        for row, text in enumerate(column.texts)
        for token in _DIGITS.findall(_padded(text, width))
    ]
    for length, looks_like in _FORMS.items():
        same_length = [(row, token) for row, token in tokens if len(token) == length]
        hits = [(row, token) for row, token in same_length if looks_like(token)]
        if hits and len(hits) >= _SHARE * len(same_length) and _varied(hits):
            found += int(counts[sorted({row for row, _ in hits})].sum())
    return found


def _padded(text: str, width: int) -> str:
    """Digits with their leading zero back, in number columns."""
    return text.zfill(width) if width and len(text) == width - 1 and text.isdigit() else text


def _varied(hits: list[tuple[int, str]]) -> bool:
    """Birthdays vary; numbers counted up from one start share their first six digits."""
    starts = {token[:6] for _, token in hits}
    return len(hits) == 1 or len(starts) >= max(2, 0.2 * len({token for _, token in hits}))


def _is_hyphenated(text: str) -> bool:
    """True if six digits that can be a date are followed by a hyphen and four digits."""
    return any(_is_day_first(found) or _is_year_first(found) for found in _HYPHENATED.findall(text))


def _is_date(year: int, month: int, day: int) -> bool:
    """True if the date exists."""
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True


def _is_day_first(digits: str) -> bool:
    """True if ddmmyy can be a date in either century."""
    day, month, year = int(digits[:2]), int(digits[2:4]), int(digits[4:6])
    return _is_date(1900 + year, month, day) or _is_date(2000 + year, month, day)


def _is_year_first(digits: str) -> bool:
    """True if yymmdd can be a date in either century."""
    return _is_day_first(digits[4:6] + digits[2:4] + digits[:2])


def _is_ten(digits: str) -> bool:
    """Danish ddmmyyxxxx by date, or Swedish yymmddxxxx by date and check digit."""
    return _is_day_first(digits) or (_is_year_first(digits) and _passes_luhn(digits))


def _is_eleven(digits: str) -> bool:
    """Norwegian ddmmyyxxxxx (day + 40 for temporary numbers) with both check digits right."""
    numbers = [int(digit) for digit in digits]
    day = int(digits[:2])
    real = f"{day - 40 if day > 40 else day:02d}{digits[2:6]}"
    first = sum(weight * n for weight, n in zip(_NORWEGIAN_1, numbers, strict=False))
    second = sum(weight * n for weight, n in zip(_NORWEGIAN_2, numbers, strict=True))
    return _is_day_first(real) and first % 11 == 0 and second % 11 == 0


def _is_twelve(digits: str) -> bool:
    """Swedish yyyymmddxxxx with the check digit right; zero-padded pseudonyms have no century."""
    is_date = digits[:2] in ("18", "19", "20") and _is_date(
        int(digits[:4]), int(digits[4:6]), int(digits[6:8])
    )
    return is_date and _passes_luhn(digits[2:])


def _passes_luhn(digits: str) -> bool:
    """True if the last digit is the check digit of the others (Luhn)."""
    doubled = [int(digit) * (2 if place % 2 == 0 else 1) for place, digit in enumerate(digits)]
    return sum(n - 9 if n > 9 else n for n in doubled) % 10 == 0


_FORMS: dict[int, Callable[[str], bool]] = {10: _is_ten, 11: _is_eleven, 12: _is_twelve}
