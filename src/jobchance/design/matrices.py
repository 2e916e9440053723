"""Terms to matrices: codings learned from complete rows, full rank for the fixed part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from jobchance.design.codings import CategoricalCoding, Coding, learn_coding
from jobchance.design.columns import Floats
from jobchance.design.formula import Formula
from jobchance.design.layout import Layout, assemble, factors_of, full_flags, make_layout
from jobchance.design.nodes import Node
from jobchance.errors import DesignError
from jobchance.numerics.linalg import independent_columns

MAX_BYTES = 4_000_000_000
LARGEST = 1e100
BLOCK_BYTES = 500_000


def computable(largest: float) -> bool:
    """Whether squares and sums of squares of values up to this size can be held."""
    return bool(largest == 0 or 1 / LARGEST < largest < LARGEST)


def too_large(names: Sequence[str]) -> str:
    """What to say about values that `computable` refuses."""
    return f"Values too large or too small to compute with in: {', '.join(names)}. Rescale them."


def learn_codings(side: Formula, rows: pd.DataFrame, problems: list[str]) -> dict[Node, Coding]:
    """Codings of all factors; adds to `problems` instead of raising."""
    codings: dict[Node, Coding] = {}
    for factor in factors_of(side):
        try:
            codings[factor] = learn_coding(factor, rows)
        except DesignError as error:
            problems.append(str(error))
    seen: dict[str, Node] = {}
    for factor, coding in codings.items():
        if isinstance(coding, CategoricalCoding) and seen.setdefault(coding.column, factor) != factor:
            problems.append(f"Column {coding.column} is coded in two ways: use one C() for it.")
    return codings


def fixed_part(
    side: Formula, codings: Mapping[Node, Coding], rows: pd.DataFrame
) -> tuple[Layout, Floats, tuple[str, ...]]:
    """Layout, matrix of full rank, and names of the columns left out as collinear."""
    layout, matrix = all_columns(side, codings, rows)
    if not layout.columns:
        raise DesignError("The formula has neither an intercept nor a covariate.")
    kept = independent_columns(_triangle(matrix))
    if len(kept) == 0:
        raise DesignError("Every covariate is 0 in all rows used.")
    if len(kept) == matrix.shape[1]:
        return layout, matrix, ()
    gone = sorted(set(range(matrix.shape[1])) - set(kept.tolist()))
    collinear = tuple(layout.columns[i] for i in gone)
    return make_layout(side, codings, layout.full, kept.tolist()), matrix[:, kept], collinear


def all_columns(side: Formula, codings: Mapping[Node, Coding], rows: pd.DataFrame) -> tuple[Layout, Floats]:
    """Layout and matrix with every column, refused if it cannot fit in memory or is not finite."""
    full = full_flags(side, codings)
    layout = make_layout(side, codings, full, None)
    size = len(layout.columns) * len(rows) * 8
    if size > MAX_BYTES:
        raise DesignError(
            f"The matrix would have {len(layout.columns)} columns and {len(rows)} rows ({size / 1e9:.0f} "
            "GB). A column with that many levels belongs in a random effect, (1 | column)."
        )
    blocks = {f: {flag: codings[f].encode(rows, full=flag) for flag in layout.needed(f)} for f in codings}
    matrix = assemble(side, full, blocks, len(rows))
    largest = np.maximum(matrix.max(axis=0), -matrix.min(axis=0))
    bad = [name for name, size in zip(layout.columns, largest, strict=True) if not computable(size)]
    if bad:
        raise DesignError(too_large(bad))
    return layout, matrix


def _triangle(matrix: Floats) -> Floats:
    """The R of a thin QR: all the geometry of the columns, found by blocks of rows that fit in the cache."""
    n, k = matrix.shape
    step = max(4 * k, BLOCK_BYTES // (8 * k))
    if n <= step:
        return matrix
    blocks = [np.asarray(np.linalg.qr(matrix[i : i + step], mode="r")) for i in range(0, n, step)]
    triangle: Floats = np.asarray(np.linalg.qr(np.vstack(blocks), mode="r"))
    return triangle
