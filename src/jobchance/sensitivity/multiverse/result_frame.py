"""The frame of a multiverse: its columns, their types, and the hash of what it says."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from jobchance.errors import SpecError
from jobchance.identification.ladder import ESTIMANDS
from jobchance.sensitivity.multiverse.rows import (
    CHOICE_COLUMNS,
    COUNT_COLUMNS,
    FAILED,
    FRAME_COLUMNS,
    NUMBER_COLUMNS,
    OK,
    WARNED,
)
from jobchance.sensitivity.multiverse.specification import RUNG

DIMENSIONS = tuple(column for column in CHOICE_COLUMNS if column != "n_covariates")
COLUMNS = FRAME_COLUMNS
PER_SD = "pp per sd of "
OPTIMISM = "optimism"
ASSOCIATION, DISPOSITION = "association", "disposition"
STATUSES = (OK, WARNED, FAILED)
_COUNTS = ("horizon_weeks", "n_covariates", *COUNT_COLUMNS)
_FLAGS = ("main", "converged", "is_singular")


def build_frame(rows: Sequence[Mapping[str, object]]) -> pd.DataFrame:
    """One row per specification, in the order given, with the columns and types that never change.

    Parameters
    ----------
    rows : sequence of mapping
        What was chosen and found for each specification; every mapping has the keys of `COLUMNS`.

    Returns
    -------
    DataFrame
        `COLUMNS`: counts `Int64`, numbers `float64`, flags `boolean` (`main`: `bool`), the rest text (`""` =
        nothing).

    Raises
    ------
    SpecError
        Columns are missing or unknown, a status is not one of `STATUSES`, or two rows have one key.
    """
    frame = pd.DataFrame([dict(row) for row in rows], columns=None if rows else list(COLUMNS))
    problems = [f"lacks {column}" for column in COLUMNS if column not in frame]
    problems += [f"has the unknown column {column}" for column in frame if column not in COLUMNS]
    if problems:
        raise SpecError("The frame of a multiverse " + "; ".join(problems) + ".")
    frame = frame[list(COLUMNS)]
    for column in NUMBER_COLUMNS:
        frame[column] = pd.to_numeric(frame[column]).astype("float64")
    for column in _COUNTS:
        frame[column] = frame[column].astype("Int64")
    for column in _FLAGS:
        frame[column] = frame[column].astype("bool" if column == "main" else "boolean")
    for column in set(COLUMNS) - {*NUMBER_COLUMNS, *_COUNTS, *_FLAGS}:
        frame[column] = frame[column].map(lambda text: "" if text is None else str(text)).astype(object)
    wrong = int((~frame["status"].isin(STATUSES)).sum())
    twice = int(frame["key"].duplicated().sum())
    if wrong or twice:
        raise SpecError(
            f"The frame of a multiverse has {wrong} rows whose status is none of {', '.join(STATUSES)} and "
            f"{twice} rows with a key that another row has."
        )
    return frame


def content_hash(frame: pd.DataFrame) -> str:
    """SHA-256 of names, types and values, the same on every machine and for every way of storing the frame.

    Numbers enter as their eight bytes, every missing number alike; texts as UTF-8 with their lengths.
    """
    digest = hashlib.sha256()
    for column in frame.columns:
        values = frame[column]
        digest.update(f"{column}\x1f{len(values)}\x1f".encode())
        if pd.api.types.is_bool_dtype(values) or pd.api.types.is_integer_dtype(values):
            known = values.notna()
            digest.update(b"i" + np.asarray(known, dtype="u1").tobytes())
            digest.update(np.asarray(values.astype("Int64").where(known, 0), dtype="<i8").tobytes())
        elif pd.api.types.is_float_dtype(values):
            numbers = np.asarray(values, dtype="<f8").copy()
            numbers[np.isnan(numbers)] = np.nan
            digest.update(b"f" + numbers.tobytes())
        else:
            texts = [str(value).encode() for value in values]
            digest.update(b"t" + b"".join(str(len(text)).encode() + b":" + text for text in texts))
    return digest.hexdigest()


def varying(frame: pd.DataFrame) -> tuple[str, ...]:
    """Dimensions on which the rows of the frame differ, in their fixed order."""
    if frame.empty:
        return ()
    return tuple(column for column in DIMENSIONS if frame[column].ne(frame[column].iloc[0]).any())


def known(frame: pd.DataFrame) -> pd.DataFrame:
    """Rows with an estimate and a standard error; what failed has neither."""
    numbers = frame[["estimate", "std_error"]].to_numpy()
    found: pd.DataFrame = frame.loc[frame["status"].ne(FAILED) & np.isfinite(numbers).all(axis=1)]
    return found


def is_rung(frame: pd.DataFrame) -> pd.Series[bool]:
    """Rows whose estimate is that of a rung of the ladder."""
    return frame["estimator"].str.startswith(RUNG)


def question_of(estimator: str, exposure: str) -> str:
    """What an estimate answers: the estimand of a rung; of an equation, whether it is about beliefs at all.

    Association, disposition and case are never mixed: a curve over them would compare answers to different
    questions. Every equation on a belief about the citizen is an association, also within citizens.
    """
    if not estimator.startswith(RUNG):
        return DISPOSITION if exposure == OPTIMISM else ASSOCIATION
    estimand = ESTIMANDS.get(estimator.removeprefix(RUNG), estimator)
    if estimand.startswith(("predictive", "case_level_within")):
        return ASSOCIATION
    return DISPOSITION if estimand.startswith("dispositional") else estimand


def same_question(rows: pd.DataFrame, frame: pd.DataFrame) -> pd.DataFrame:
    """Rows that answer the question of the main specification, in its unit; else the most frequent of these.

    A main specification that failed still says what was asked; only its unit is then that of most rows.
    Standard deviations of different exposures are one unit, since that is what the scale is for.
    """
    if rows.empty:
        return rows
    units = rows["unit"].where(~rows["unit"].str.startswith(PER_SD), PER_SD)
    asked = _questions(rows)
    kinds = asked + "|" + units
    main = frame[frame["main"]]
    among = kinds[rows["key"].isin(main["key"])]
    if among.empty and len(main):
        among = kinds[asked.eq(_questions(main).iloc[0])]
    kind = str((kinds if among.empty else among).mode().iloc[0])
    return rows.loc[kinds.eq(kind)]


def _questions(rows: pd.DataFrame) -> pd.Series:
    """What each row answers."""
    asked = [question_of(*pair) for pair in zip(rows["estimator"], rows["exposure"], strict=True)]
    return pd.Series(asked, index=rows.index, dtype=object)


def unit_of(rows: pd.DataFrame) -> str:
    """The unit of rows that `same_question` has chosen."""
    first = str(rows["unit"].iloc[0])
    return first if rows["unit"].eq(first).all() else f"{PER_SD}the exposure"
