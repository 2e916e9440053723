"""One column from text to its type; texts that do not fit are counted under the rule that they break."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime

import numpy as np
import pandas as pd

from jobchance.study.problems import Problem
from jobchance.study.raw import EXACT_FLOAT, TEXT_DTYPE, RawColumn
from jobchance.study.schema import Field, load_codelist
from jobchance.study.suspicious import (
    NOT_FINITE,
    NUMBER,
    count_control_characters,
    count_formulas,
    count_personal_numbers,
)

ISO_DATE = "%Y-%m-%d"
# Rules whose cells become null here.
CONVERSION_RULES = frozenset(
    (
        "integer",
        "number",
        "decimal_mixed",
        "not_finite",
        "boolean",
        "date",
        "date_mixed",
        "date_serial",
        "date_time",
    )
)
_ISO = re.compile(r"(\d{4}-\d{2}-\d{2})(?:[T ]00:00(?::00(?:\.0+)?)?Z?)?")
_ISO_TIME = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}.*")
_DATE_LIKE = re.compile(r"\d{1,4}[-./ ]\d{1,2}[-./ ]\d{1,4}|\d{8}")
_SERIAL = re.compile(r"[1-9]\d{4}(\.0+)?")
_FIRST_DAY, _LAST_DAY = date(1700, 1, 1), date(2200, 12, 31)


def convert_column(
    column: RawColumn, field: Field, *, table: str, decimal: str | None, date_format: str
) -> tuple[pd.Series, list[Problem]]:
    """Convert one raw column to the type of its field.

    Parameters
    ----------
    column : RawColumn
        Texts as in the file, missing values already null.
    field : Field
        The column's schema.
    table : str
        Name of the table, for the problems.
    decimal : str or None
        Decimal mark; `None` = a point, or a comma if the column has commas and no points.
    date_format : str
        `strptime` form of dates stored as text.

    Returns
    -------
    Series
        Text; `int64` or `bool` where complete, else `float64`; `datetime64[ns]`. What does not convert is
        null.
    list of Problem
        One per rule that a value breaks.
    """
    found = list(_suspicions(column, table, field.name))
    if field.required:
        missing = int((column.codes < 0).sum())
        found += [Problem("required", table, field.name, missing)] if missing else []
    convert = {
        "string": _string,
        "integer": _integer,
        "number": _number,
        "boolean": _boolean,
        "date": _date,
    }[field.type]
    values, rules = convert(column, field, decimal, date_format)
    counts = column.counts()
    for rule, (hits, fill) in rules.items():
        n = int(counts[hits].sum())
        if n:
            found.append(Problem(rule, table, field.name, n, "late" if rule == "C03" else "", fill))
    if field.identifier and column.lost_digits:
        found.append(Problem("id_number", table, field.name, column.lost_digits))
    return _spread(values, column, field.type), found


def convert_extra(
    column: RawColumn, name: str, *, table: str, decimal: str | None
) -> tuple[pd.Series, list[Problem]]:
    """Convert a column that no schema describes: numbers if all its texts are numbers, else text.

    Texts with a leading zero are no numbers (codes such as 0101 keep it); neither are numbers of over 15
    digits.
    """
    found = list(_suspicions(column, table, name))
    if column.kind == "date":
        days = [_parse_date(text, ISO_DATE) for text in column.texts]
        if all(day is not None and day <= _LAST_DAY for day in days):
            return _spread(days, column, "date"), found
    mark = "." if column.kind == "number" else decimal or "."
    finite = [text for text in column.texts if not NOT_FINITE.fullmatch(text)]
    if not finite or not all(_is_plain_number(text, mark) for text in finite):
        return column.to_text(), found
    n_not_finite = column.count(NOT_FINITE.fullmatch)
    if n_not_finite:
        found.append(Problem("not_finite", table, name, n_not_finite))
    numbers = [_parse_number(text, mark) for text in column.texts]
    whole = all(number is None or _is_whole(number) for number in numbers)
    return _spread(numbers, column, "integer" if whole else "number"), found


_Rules = dict[str, tuple["np.typing.NDArray[np.bool_]", dict[str, str]]]
_Converted = tuple[list[object], _Rules]


def _suspicions(column: RawColumn, table: str, name: str) -> Iterator[Problem]:
    """Person numbers in any column; formulas and control characters in text."""
    if column.kind not in ("text", "number"):
        return
    checks: dict[str, Callable[[RawColumn], int]] = {"personal_number": count_personal_numbers}
    if column.kind == "text":
        checks |= {"formula_like": count_formulas, "control_characters": count_control_characters}
    for rule, count in checks.items():
        n = count(column)
        if n:
            yield Problem(rule, table, name, n)


def _mask(column: RawColumn, test: Callable[[str], object]) -> np.typing.NDArray[np.bool_]:
    """Which distinct texts pass a test."""
    return np.fromiter((bool(test(text)) for text in column.texts), bool, len(column.texts))


def _string(column: RawColumn, field: Field, decimal: str | None, date_format: str) -> _Converted:
    """Text: allowed codes, form and length."""
    limits, rules = field.constraints, {}
    if field.allowed:
        rules["code"] = (
            _mask(column, lambda t: t not in field.allowed),
            {"allowed": _listing(field.allowed)},
        )
    if "pattern" in limits:
        form = re.compile(limits["pattern"])
        rules["pattern"] = (_mask(column, lambda t: not form.fullmatch(t)), {"expected": limits["pattern"]})
    if "maxLength" in limits:
        longest = int(limits["maxLength"])
        rules["too_long"] = (_mask(column, lambda t: len(t) > longest), {"expected": str(longest)})
    if field.identifier and column.kind == "number":
        rules["id_number"] = (_mask(column, lambda t: not t.lstrip("-").isdigit()), {})
    if field.codes_open and field.codes:
        families = [code.code.replace("x", r"\d") for code in load_codelist(field.codes)]
        known = re.compile("|".join(families))
        rules["C23"] = (_mask(column, lambda t: not known.fullmatch(t)), {})
    return list(column.texts), rules


def _number(column: RawColumn, field: Field, decimal: str | None, date_format: str) -> _Converted:
    """Numbers with one decimal mark, finite and in range."""
    mark, mixed = _decimal_mark(column, decimal)
    numbers = [_parse_number(text, mark) for text in column.texts]
    not_finite = _mask(column, NOT_FINITE.fullmatch)
    unread = np.array([number is None for number in numbers], dtype=bool) & ~not_finite
    rules: _Rules = {"not_finite": (not_finite, {})}
    if mixed is None:
        rules["number"] = (unread, {"decimal": mark})
    else:
        rules["decimal_mixed"] = (mixed, {})
        rules["number"] = (unread & ~mixed, {"decimal": mark})
    values, rules["range"] = _in_range(numbers, field)
    return values, rules


def _integer(column: RawColumn, field: Field, decimal: str | None, date_format: str) -> _Converted:
    """Whole numbers; 12.0 is one."""
    mark, _ = _decimal_mark(column, decimal)
    numbers = [_parse_number(text, mark) for text in column.texts]
    whole = [number if number is not None and _is_whole(number) else None for number in numbers]
    not_finite = _mask(column, NOT_FINITE.fullmatch)
    unread = np.array([number is None for number in whole], dtype=bool) & ~not_finite
    rules: _Rules = {"not_finite": (not_finite, {}), "integer": (unread, {})}
    if field.allowed:
        wrong = np.array([n is not None and str(int(n)) not in field.allowed for n in whole], dtype=bool)
        rules["code"] = (wrong, {"allowed": _listing(field.allowed)})
    values, rules["range"] = _in_range(whole, field)
    return values, rules


def _boolean(column: RawColumn, field: Field, decimal: str | None, date_format: str) -> _Converted:
    """Yes or no, in the words of the schema; 1.0 is 1, as gaps make it in many exports."""
    words = dict.fromkeys(field.true_values, True) | dict.fromkeys(field.false_values, False)
    values: list[object] = [words.get(re.sub(r"\.0+$", "", text).lower()) for text in column.texts]
    unread = np.array([value is None for value in values], dtype=bool)
    expected = _listing((*field.true_values, *field.false_values))
    return values, {"boolean": (unread, {"expected": expected})}


def _date(column: RawColumn, field: Field, decimal: str | None, date_format: str) -> _Converted:
    """Dates in one form; what is not in it is told apart by what it looks like."""
    form = ISO_DATE if column.kind == "date" else date_format
    days = [_parse_date(text, form) for text in column.texts]
    expected = {"expected": _form_in_words(form)}
    unread = np.array([day is None for day in days], dtype=bool)
    timed = unread & _mask(column, _ISO_TIME.fullmatch)
    serial = unread & _mask(column, _SERIAL.fullmatch)
    some_read = bool((~unread).any())
    mixed = unread & _mask(column, _DATE_LIKE.fullmatch) & ~serial & some_read
    # A marker such as 9999-12-31 fits no time stamp; it is reported, never cut to one that does.
    far = np.array([day is not None and day > _LAST_DAY for day in days], dtype=bool)
    rules: _Rules = {
        "C03": (far, {"last": str(_LAST_DAY)}),
        "date_time": (timed, {}),
        "date_serial": (serial, expected),
        "date_mixed": (mixed, expected),
        "date": (unread & ~timed & ~serial & ~mixed, expected),
    }
    return [None if beyond else day for day, beyond in zip(days, far, strict=True)], rules


def _spread(values: Sequence[object], column: RawColumn, kind: str) -> pd.Series:
    """From distinct values to rows, in plain numpy types."""
    if kind == "string":
        return pd.Series(np.array([*values, None], dtype=object)[column.codes], dtype=TEXT_DTYPE)
    if kind == "date":
        days = np.array([*values, None], dtype="datetime64[D]").astype("datetime64[ns]")
        return pd.Series(days[column.codes])
    numbers = np.array([*values, None], dtype=object).astype(float)
    rows = numbers[column.codes]
    if kind == "number" or np.isnan(rows).any():
        return pd.Series(rows)
    return pd.Series(rows.astype(bool if kind == "boolean" else np.int64))


def _decimal_mark(column: RawColumn, decimal: str | None) -> tuple[str, np.typing.NDArray[np.bool_] | None]:
    """Decimal mark of a column, and which texts use the other one where both occur."""
    if column.kind != "text":
        return ".", None
    if decimal is not None:
        return decimal, None
    commas = _mask(column, lambda text: "," in text)
    points = _mask(column, lambda text: "." in text)
    if commas.any() and points.any():
        return ".", commas
    return ("," if commas.any() else "."), None


def _parse_number(text: str, mark: str) -> float | None:
    """A number with this decimal mark and no other marks, or `None`."""
    other = "." if mark == "," else ","
    if other in text or not NUMBER.fullmatch(text):
        return None
    number = float(text.replace(mark, "."))
    return number if math.isfinite(number) else None


def _is_whole(number: float) -> bool:
    """True for a whole number that a float holds exactly."""
    return abs(number) < EXACT_FLOAT and number == int(number)


def _is_plain_number(text: str, mark: str) -> bool:
    """True for a number that loses nothing as a float: no leading zero, at most 15 digits."""
    if _parse_number(text, mark) is None:
        return False
    digits = text.lstrip("+-")
    leading_zero = len(digits) > 1 and digits[0] == "0" and digits[1].isdigit()
    return not leading_zero and not (digits.isdigit() and len(digits) > 15)


def _in_range(
    numbers: list[float | None], field: Field
) -> tuple[list[object], tuple[np.typing.NDArray[np.bool_], dict[str, str]]]:
    """Values, and which lie outside the field's limits."""
    limits = field.constraints
    low, high = limits.get("minimum"), limits.get("maximum")
    above = limits.get("exclusiveMinimum")
    outside = [
        n is not None
        and (
            (low is not None and n < low)
            or (high is not None and n > high)
            or (above is not None and n <= above)
        )
        for n in numbers
    ]
    parts = [f"> {above}" if above is not None else "", f">= {low}" if low is not None else ""]
    parts.append(f"<= {high}" if high is not None else "")
    expected = {"expected": ", ".join(part for part in parts if part)}
    return list(numbers), (np.array(outside, dtype=bool), expected)


def _parse_date(text: str, form: str) -> date | None:
    """A date in this form, or `None`; years that no time stamp can hold are none."""
    try:
        if form == ISO_DATE:
            match = _ISO.fullmatch(text)
            day = date.fromisoformat(match.group(1)) if match else None
        else:
            day = datetime.strptime(text, form).date()
    except ValueError:
        return None
    return day if day is not None and day >= _FIRST_DAY else None


def _form_in_words(form: str) -> str:
    """A date form as people write it: %d-%m-%Y is dd-mm-yyyy."""
    words = {"%Y": "yyyy", "%m": "mm", "%d": "dd", "%y": "yy", "%b": "mmm", "%B": "mmmm"}
    for mark, word in words.items():
        form = form.replace(mark, word)
    return form


def _listing(words: tuple[str, ...]) -> str:
    """Words in a row; long lists are cut."""
    shown = ", ".join(words[:15])
    return shown if len(words) <= 15 else f"{shown}, ..."
