"""From arrays to blocks of rows in engine order, with columns brought to a common scale.

Random columns of one correlated set are orthogonalised from the last to the first, z = z' L with L lower
triangular, so that Lambda = T Lambda', T = L^{-1}, stays lower triangular and theta is linear in the scaled
theta'.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from jobchance.errors import EstimationError
from jobchance.numerics.mixed.block import RowIndex, Slots, index_rows
from jobchance.numerics.mixed.partition import (
    DENSE,
    Grouping,
    Partition,
    elimination_order,
    plan_columns,
)
from jobchance.numerics.mixed.relative import Template

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

THREADED = 100_000


@dataclass(frozen=True, eq=False)
class Factor:
    """One grouping factor with the effects that vary over its levels.

    Parameters
    ----------
    codes : integer array (n,)
        Level of each row.
    n_levels : int
        Number of levels.
    z : array (n, m)
        Columns of the effects.
    sizes : tuple of int
        Sizes of the correlated sets, see `Template`.
    """

    codes: Codes
    n_levels: int
    z: Floats
    sizes: tuple[int, ...]

    @property
    def template(self) -> Template:
        """Where theta stands."""
        return Template(self.sizes)


@dataclass(frozen=True, eq=False)
class Arrangement:
    """Factors in engine order, the places of their columns, and the scaling T of their effects.

    Parameters
    ----------
    order : tuple of int
        Engine order: positions in the list of factors as given.
    partition : Partition
        Places of the remaining columns.
    slots : Slots
        Widths of the factors.
    templates : tuple of Template
        Their parameters.
    scaling : tuple of arrays (m, m)
        T of each factor.
    simple : bool
        Intercepts only: all rows have the same random columns.
    """

    order: tuple[int, ...]
    partition: Partition
    slots: Slots
    templates: tuple[Template, ...]
    scaling: tuple[Floats, ...]
    simple: bool

    @property
    def theta_scaling(self) -> Floats:
        """Matrix that takes the scaled theta' (engine order) to theta."""
        parts = []
        for template, T in zip(self.templates, self.scaling, strict=True):
            rows, columns = template.places
            parts.append(np.where(columns[:, None] == columns, T[np.ix_(rows, rows)], 0.0))
        made: Floats = linalg.block_diag(*parts)
        return made


def arrange_factors(factors: Sequence[Factor]) -> Arrangement:
    """Engine order, places and scaling."""
    order = elimination_order([f.n_levels for f in factors], [f.z.shape[1] for f in factors])
    mine = [factors[i] for i in order]
    simple = all(f.z.shape[1] == 1 and bool((f.z == 1).all()) for f in mine)
    grams = [f.z.T @ f.z / len(f.z) for f in factors]
    return arrange(factors, order, [f.codes for f in mine], grams=grams, simple=simple)


def needs_codes(levels: Sequence[int], widths: Sequence[int]) -> bool:
    """Whether `plan_columns` looks at codes: not where one dense matrix serves (engine order)."""
    grouping = Grouping([], list(levels), list(widths))
    return sum(grouping.columns[1:]) > DENSE


def arrange(
    factors: Sequence[Factor],
    order: Sequence[int],
    codes: Sequence[Codes],
    *,
    grams: Sequence[Floats],
    simple: bool,
) -> Arrangement:
    """Arrangement from the order, the levels that rows combine, and mean squares of the effects.

    Parameters
    ----------
    factors : sequence of Factor
        As given; their rows are not looked at.
    order : sequence of int
        Engine order.
    codes : sequence of integer array
        Levels by factor in engine order, of all rows or of all different combinations.
    grams : sequence of array (m, m)
        Means over rows of z z', factors as given.
    simple : bool
        Intercepts only.
    """
    mine = [factors[i] for i in order]
    widths = [f.template.m for f in mine]
    return Arrangement(
        tuple(order),
        plan_columns(list(codes), [f.n_levels for f in mine], widths),
        Slots(tuple(widths)),
        tuple(f.template for f in mine),
        tuple(_scaling(grams[i], factors[i].sizes) for i in order),
        simple,
    )


def _scaling(gram: Floats, sizes: tuple[int, ...]) -> Floats:
    """T (m, m), lower triangular: z T has mean square 1, and is orthogonal within correlated sets."""
    made, at = np.zeros_like(gram), 0
    for size in sizes:
        own = gram[at : at + size, at : at + size]
        length = np.sqrt(np.diag(own))
        if not (length > 0).all():
            raise EstimationError("A random effect is 0 in all rows: leave it out.")
        flipped = (own / np.outer(length, length))[::-1, ::-1]
        try:
            L = linalg.cholesky(flipped, lower=True).T[::-1, ::-1]
        except linalg.LinAlgError as error:
            raise EstimationError(
                "Random effects of one group are linearly dependent: leave one of them out."
            ) from error
        made[at : at + size, at : at + size] = (
            linalg.solve_triangular(L, np.eye(size), lower=True) / length[:, None]
        )
        at += size
    return made


def build_blocks(
    factors: Sequence[Factor],
    arrangement: Arrangement,
    make: Callable[[RowIndex, Floats, Codes], Any],
) -> list[Any]:
    """Blocks of whole eliminated levels, two from `THREADED` rows on; `make(index, z', rows)` builds one."""
    mine = [factors[i] for i in arrangement.order]
    codes = [f.codes for f in mine]
    n = len(codes[0])
    T = linalg.block_diag(*arrangement.scaling)
    made = []
    for rows in _shares(codes[0], mine[0].n_levels, 2 if n >= THREADED else 1):
        for index in index_rows([c[rows] for c in codes], arrangement.partition):
            own = rows[index.rows]
            z = np.ones((1, len(mine))) if arrangement.simple else np.hstack([f.z[own] for f in mine]) @ T
            made.append(make(index, z, own))
    return made


def _shares(codes: Codes, n_levels: int, parts: int) -> list[Codes]:
    """Rows in `parts` shares of whole levels with about equal numbers of rows."""
    if parts == 1:
        return [np.arange(len(codes))]
    before = np.cumsum(np.bincount(codes, minlength=n_levels))
    share = np.minimum((before * parts - 1) // len(codes), parts - 1)[codes]
    return [np.flatnonzero(share == k) for k in range(parts)]
