"""The rows of a sample as an estimator gets them; under the rule `indicator` with missing covariates filled.

A missing number becomes the mean of the sample's known ones, a missing category the level `(missing)`; a 0/1
column marks rows whose number was missing. The mean is of no consequence to other coefficients of a linear
predictor, since the 0/1 column takes up any other value in its place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from jobchance.design.columns import is_categorical, numeric_values, value_codes
from jobchance.design.nodes import Call, Node, quoted
from jobchance.design.nodes import columns_of as columns_of_node
from jobchance.errors import DesignError, SpecError
from jobchance.sensitivity.multiverse.samples import columns_of, one_term

MISSING_LEVEL = "(missing)"


@dataclass(frozen=True, eq=False, repr=False)
class Prepared:
    """Rows of a sample (microdata: memory only) and the terms to adjust for."""

    frame: pd.DataFrame
    terms: tuple[str, ...]


def prepare(frame: pd.DataFrame, terms: Sequence[str], *, fill: bool) -> Prepared:
    """Rows and terms, with missing covariates filled and marked if `fill`.

    Raises
    ------
    SpecError
        A column with missing values is used as a number and as categories at once.
    DesignError
        A column has no known value, or already has the name of a marking column.
    """
    if not fill:
        return Prepared(frame, tuple(terms))
    coded = _coded(terms)
    filled: dict[str, Any] = {}
    marks: list[str] = []
    for column in columns_of(terms):
        gone = frame[column].isna().to_numpy(dtype=bool)
        if not gone.any():
            continue
        if gone.all():
            raise DesignError(f"Column {column} is missing in all {len(frame)} rows of the sample.")
        if column in coded or is_categorical(frame, column):
            if column in coded and _is_number(terms, column):
                raise SpecError(f"Column {column} is used as a number and as categories; fill one of them.")
            filled[column] = _with_level(frame, column)
            continue
        values = numeric_values(frame, column)
        mark = f"{column}_missing"
        if mark in frame.columns:
            raise DesignError(
                f"The panel has a column {mark}, so missing values of {column} cannot be marked."
            )
        filled |= {column: np.where(gone, values[~gone].mean(), values), mark: gone.astype(float)}
        marks.append(quoted(mark))
    return Prepared(frame.assign(**filled), (*terms, *marks)) if filled else Prepared(frame, tuple(terms))


def _coded(terms: Sequence[str]) -> set[str]:
    """Columns that `C()` makes categories of."""
    return {name.name for factor in _factors(terms) if _is_coded(factor) for name in columns_of_node(factor)}


def _is_number(terms: Sequence[str], column: str) -> bool:
    """Whether some term reads the column other than by `C()`."""
    plain = [factor for factor in _factors(terms) if not _is_coded(factor)]
    return column in {name.name for factor in plain for name in columns_of_node(factor)}


def _factors(terms: Sequence[str]) -> list[Node]:
    """All factors of all terms."""
    return [factor for term in terms for product in one_term(term).terms for factor in product]


def _is_coded(factor: Node) -> bool:
    return isinstance(factor, Call) and factor.function == "C"


def _with_level(frame: pd.DataFrame, column: str) -> pd.Categorical:
    """The levels in their order, and one more, last, for missing values."""
    codes, values = value_codes(frame, column)
    if MISSING_LEVEL in set(map(str, values)):
        raise DesignError(f"Column {column} has a level {MISSING_LEVEL} of its own.")
    texts = [str(value) for value in values]
    return pd.Categorical.from_codes(
        np.where(codes < 0, len(texts), codes), categories=pd.Index([*texts, MISSING_LEVEL], dtype=object)
    )
