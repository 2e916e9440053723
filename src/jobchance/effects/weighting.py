"""Averages over the rows of a weighted fit count each row as the fit did. Letter: w (n,) weights."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from jobchance.design.columns import Floats, counted, numeric_values, require_columns
from jobchance.errors import DesignError, FormulaError
from jobchance.results.fit import Fit


def fit_weights(fit: Fit) -> str | None:
    """Column of the weights of `fit_glm`, `None` without.

    Prior weights of a mixed model are precisions or trials, and say nothing about whom a row stands for.
    """
    name = fit.spec.get("weights")
    return None if name is None or fit.structure else str(name)


def require_with_weights(columns: Sequence[str], weights: str | None, data: pd.DataFrame) -> list[str]:
    """`columns` and that of the weights, all in the data.

    Raises
    ------
    FormulaError
        Columns are absent; all are listed, and that of the weights is explained.
    """
    used = list(dict.fromkeys([*columns, *([] if weights is None else [weights])]))
    try:
        require_columns(used, data)
    except FormulaError as error:
        if weights is None or weights in data.columns:
            raise
        raise FormulaError(
            f"{error}\nThe fit is weighted by {weights}, and so are its averages. For an average over rows "
            "that count alike, give the column one value above 0 in all of them."
        ) from None
    return used


def row_weights(name: str | None, data: pd.DataFrame) -> Floats | None:
    """Weights of complete rows; `None` where all count alike.

    Raises
    ------
    DesignError
        The column is not numeric, or not finite and above 0 in every row.
    """
    if name is None:
        return None
    values = numeric_values(data, name)
    wrong = int(np.sum(~(np.isfinite(values) & (values > 0))))
    if wrong:
        raise DesignError(
            f"Weights: column {name} is not finite and above 0 in {wrong} of {counted(len(values), 'row')}. "
            "Leave rows of weight zero out of the data."
        )
    return values


def times(values: Floats, w: Floats | None) -> Floats:
    """Rows of `values` (n, c) times their weights."""
    return values if w is None else values * w[:, None]


def mean(values: Floats, w: Floats | None) -> Floats:
    """Mean over rows of `values`, weighted if there are weights."""
    return np.asarray(values.mean(axis=0) if w is None else w @ values / w.sum())
