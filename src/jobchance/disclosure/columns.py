"""What the columns of a tidy frame are, by name and content: counts, estimates, places, keys, extremes.

Frames are written by our own findings and by users, so the rules read names (`N_citizens`, `estimate`) and
look at contents only to catch identifiers.
"""

from __future__ import annotations

import re
from numbers import Number

import numpy as np
import pandas as pd

PERSONS = ("N_citizens", "N_persons", "N_subjects")
EVENTS = "N_events"
DOMINANCE = ("dominance_share", "dominance_remainder")
DENOMINATOR = "N_answers"

_ESTIMATES = frozenset(
    {
        "estimate", "share", "value", "value_to", "mean", "sd", "variance", "std_error", "statistic", "df",
        "df_resid", "p_value", "conf_low", "conf_high", "correlation", "icc", "difference", "ratio",
        "dominance_share", "dominance_remainder",
    }
)  # fmt: skip
# Numbers that say where a mark stands, not what was found; they stay when a row is hidden.
PLACES = frozenset(
    {
        "week", "weeks", "wave", "month", "months", "quarter", "year", "number", "order", "rank", "panel",
        "horizon_weeks", "conf_level", "scale_min", "scale_max",
    }
)  # fmt: skip
_KEY_NAME = re.compile(r"(^|_)(id|ids|pnr|cpr|cprnr|personnummer|person_number|key|uuid)$", re.IGNORECASE)
_PERSON_NUMBER = re.compile(r"\d{6}-?\d{4}|[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)
_ID_LIKE = re.compile(
    r"\d{8,}|0\d{3,}|[a-z]{1,4}[-_]?\d{3,}|(?=(?:[a-z]*\d){3})(?=\d*[a-z])[a-z0-9]{12,}", re.IGNORECASE
)
_EXTREME = re.compile(r"(^|_)(min|max|minimum|maximum)$", re.IGNORECASE)
_QUANTILE = re.compile(r"(^|_)(median|iqr|q[1-3]|p\d{1,2}|quantile\w*|percentile\w*)$", re.IGNORECASE)
_RESULT_IN_TEXT = re.compile(r"[-−]?\d*[.,]\d+\s*(%|pct\.?)?|[-−]?\d+\s*(%|pct\.?)")
_COUNT_IN_TEXT = re.compile(r"\b[Nn]\s*=\s*(\d+)\b")


def count_columns(frame: pd.DataFrame) -> list[str]:
    """Columns `N_...` that count what is behind a row; not the totals of the study (`N_..._total`)."""
    return [c for c in map(str, frame.columns) if c.startswith("N_") and not c.endswith("_total")]


def result_columns(frame: pd.DataFrame) -> list[str]:
    """Numeric columns to blank in a hidden row: counts, estimates, and every number not known to be a place.

    A column with the same number in every row is context rather than a result, unless it is named like one.
    """
    counts = set(count_columns(frame))
    return [
        column
        for column in map(str, frame.columns)
        if is_number(frame[column])
        and column not in PLACES
        and not column.endswith("_total")
        and (
            column in _ESTIMATES
            or column in (*PERSONS, EVENTS)
            or not _is_constant(frame[column], counts, column)
        )
    ]


def estimate_columns(frame: pd.DataFrame) -> list[str]:
    """Numeric columns named like results, counts apart."""
    return [c for c in map(str, frame.columns) if c in _ESTIMATES and is_number(frame[c])]


def numbers_as_text(frame: pd.DataFrame) -> list[str]:
    """Columns that no rule can read: results or counts as texts, or numbers among texts."""
    return [
        c
        for c in map(str, frame.columns)
        if not is_number(frame[c])
        and not pd.api.types.is_bool_dtype(frame[c])
        and (
            # `statistic` is a number in model frames and a word ("mean") in others
            ((c in _ESTIMATES - {"statistic"} or c.startswith("N_")) and frame[c].notna().any())
            or any(map(_is_one_number, frame[c].dropna()))
        )
    ]


def key_columns(frame: pd.DataFrame) -> list[str]:
    """Columns that are identifiers by name, or whose texts look like them."""
    return [c for c in map(str, frame.columns) if _KEY_NAME.search(c) or _looks_like_ids(frame[c])]


def numeric_keys(frame: pd.DataFrame) -> list[str]:
    """Number columns that look like codes (0/1, whole numbers): secure servers take them for microdata."""
    known = {*PLACES, *_ESTIMATES, *result_places(frame)}
    return [
        c
        for c in map(str, frame.columns)
        if c not in known and not c.startswith("N_") and is_number(frame[c]) and _is_code(frame[c])
    ]


def result_places(frame: pd.DataFrame) -> set[str]:
    """Columns of extremes and quantiles, which have a rule of their own."""
    return set(extreme_columns(frame)) | set(quantile_columns(frame))


def extreme_columns(frame: pd.DataFrame) -> list[str]:
    """Number columns that hold a minimum or maximum (the ends of a scale are not among them)."""
    return [
        c for c in map(str, frame.columns) if _EXTREME.search(c) and c not in PLACES and is_number(frame[c])
    ]


def quantile_columns(frame: pd.DataFrame) -> list[str]:
    """Number columns that hold a median or another percentile."""
    return [c for c in map(str, frame.columns) if _QUANTILE.search(c) and is_number(frame[c])]


def named_statistics(frame: pd.DataFrame, pattern: str) -> pd.Series[bool]:
    """Rows whose `statistic`, `quantity` or `mark` is a word for an extreme or a quantile."""
    rule = _EXTREME if pattern == "extreme" else _QUANTILE
    found = pd.Series(False, index=frame.index)
    for column in ("statistic", "quantity", "mark"):
        if column in frame and not is_number(frame[column]):
            found |= (
                frame[column].map(lambda word: isinstance(word, str) and bool(rule.search(word))).astype(bool)
            )
    return found


def small_counts_in_text(frame: pd.DataFrame, least: int) -> pd.Series[bool]:
    """Rows with words such as "N = 3" below the threshold."""
    found = pd.Series(False, index=frame.index)
    for column in map(str, frame.columns):
        if is_number(frame[column]):
            continue
        found |= (
            frame[column]
            .map(
                lambda word: (
                    isinstance(word, str) and any(int(n) < least for n in _COUNT_IN_TEXT.findall(word))
                )
            )
            .astype(bool)
        )
    return found


def results_in_text(frame: pd.DataFrame) -> pd.Series[bool]:
    """Rows with a text that is a decimal number or a percentage, in a column that is not the same throughout.

    Whole numbers pass (answers and waves are texts such as `"4"`), and so do columns `label_...`: the words
    of an answer may be a percentage.
    """
    found = pd.Series(False, index=frame.index)
    for column in map(str, frame.columns):
        if column.startswith("label") or is_number(frame[column]):
            continue
        if len(frame[column].map(str).drop_duplicates()) > 1:
            found |= (
                frame[column]
                .map(lambda word: isinstance(word, str) and bool(_RESULT_IN_TEXT.fullmatch(word.strip())))
                .astype(bool)
            )
    return found


def numbers(frame: pd.DataFrame, column: str) -> pd.Series[float]:
    """One column as floats, missing as NaN."""
    return pd.to_numeric(frame[column], errors="coerce").astype(float)


def is_number(column: pd.Series[float]) -> bool:
    """Whether a column holds numbers, also where gaps have made it a column of Python objects."""
    if pd.api.types.is_bool_dtype(column):
        return False
    if pd.api.types.is_numeric_dtype(column):
        return True
    known = column.dropna()
    return len(known) > 0 and all(map(_is_one_number, known))


def _is_one_number(x: object) -> bool:
    return isinstance(x, Number) and not isinstance(x, bool | np.bool_)


def _is_constant(column: pd.Series[float], counts: set[str], name: str) -> bool:
    """Same number in every row of at least two; counts of entities belong to their rows and never pass."""
    if len(column) < 2 or (name in counts and name.startswith(("N_caseworkers", "N_jobcentres"))):
        return False
    return bool(column.eq(column.iloc[0]).all() or column.isna().all())


def _is_code(column: pd.Series[float]) -> bool:
    known = pd.to_numeric(column, errors="coerce").astype(float).dropna()
    if known.nunique() < 2:
        return False
    return bool((known % 1 == 0).all())


def _looks_like_ids(column: pd.Series[float]) -> bool:
    if is_number(column):
        known = pd.to_numeric(column, errors="coerce").astype(float).dropna()
        whole = bool(len(known) and (known % 1 == 0).all())
        return whole and not str(column.name).startswith("N_") and bool((known.abs() >= 1e9).any())
    words = [word for word in column.dropna().unique() if isinstance(word, str)]
    if any(_PERSON_NUMBER.fullmatch(word.strip()) for word in words):
        return True
    like = [word for word in words if _ID_LIKE.fullmatch(word.strip())]
    return len(words) > 1 and len(like) * 2 >= len(words)
