"""The known part of the linear predictor of new rows: `offset=` and every `offset()` of the formula."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from jobchance.errors import DesignError, FormulaError
from jobchance.results.parts import Floats

if TYPE_CHECKING:
    from jobchance.results.fit import Fit


def offset_columns(fit: Fit) -> tuple[str, ...]:
    """Columns of the data that the offset reads."""
    columns_of = _design("nodes").columns_of
    return tuple(dict.fromkeys(name.name for node in _nodes(fit) for name in columns_of(node)))


def offset_values(fit: Fit, data: pd.DataFrame) -> Floats:
    """Sum of all offsets by row (0 without any); NaN where a column is missing.

    Raises
    ------
    FormulaError
        Columns of the offset are absent; all are listed.
    DesignError
        The offset is infinite or undefined somewhere.
    """
    absent = [name for name in offset_columns(fit) if name not in data.columns]
    if absent:
        raise FormulaError(
            f"The model has an offset, so predictions need its columns. Not in the data: {', '.join(absent)}."
        )
    total = np.zeros(len(data))
    for node in _nodes(fit):
        total += _design("arithmetic").evaluate(node, data)
    infinite = int(np.isinf(total).sum())
    if infinite:
        raise DesignError(f"The offset is infinite in {infinite} of {len(data)} rows (logarithm of 0?).")
    return total


def _nodes(fit: Fit) -> list[Any]:
    """What is added: the column of `offset=` and the arguments of `offset()` in the formula."""
    if "offset" not in fit.spec:
        return []
    nodes = list(_design("formula").parse_formula(fit.spec["formula"]).offsets)
    column = fit.spec["offset"]
    return nodes if column is None else [*nodes, _design("nodes").Name(column)]


def _design(module: str) -> Any:
    """A module of the design, by name: results and design stand side by side, neither imports the other."""
    return import_module(f"jobchance.design.{module}")
