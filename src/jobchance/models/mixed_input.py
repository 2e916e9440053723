"""From a design to the arrays of a mixed model: factors, fixed columns, weights, offset."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from jobchance.design.build import Design, RandomBlock
from jobchance.design.formula import INTERCEPT
from jobchance.design.layout import Layout
from jobchance.models.mixed_options import MixedOptions
from jobchance.models.panel_data import narrowed
from jobchance.numerics.mixed.problem import Factor
from jobchance.results.parts import Floats


@dataclass(frozen=True, eq=False)
class Term:
    """One random term and where its effects stand in its factor.

    Parameters
    ----------
    block : RandomBlock
        The term on the rows used.
    factor : int
        Number of its factor: terms of one grouping share it.
    first : int
        Its first effect there.
    first_theta : int
        Its first parameter there.
    """

    block: RandomBlock
    factor: int
    first: int
    first_theta: int

    @property
    def width(self) -> int:
        """Number of effects."""
        return int(self.block.matrix.shape[1])

    @property
    def sizes(self) -> tuple[int, ...]:
        """Sizes of the correlated sets."""
        return (self.width,) if self.block.correlated else (1,) * self.width

    @property
    def n_theta(self) -> int:
        """Number of its parameters."""
        return sum(size * (size + 1) // 2 for size in self.sizes)

    @property
    def slice(self) -> slice:
        """Its effects within the factor."""
        return slice(self.first, self.first + self.width)


def gather_terms(blocks: Sequence[RandomBlock]) -> tuple[tuple[Term, ...], tuple[Factor, ...]]:
    """Terms in the order of the formula, and one factor for each grouping."""
    groups: dict[str, list[Term]] = {}
    terms = []
    for block in blocks:
        mine = groups.setdefault(block.group, [])
        at = list(groups).index(block.group)
        terms.append(Term(block, at, sum(t.width for t in mine), sum(t.n_theta for t in mine)))
        mine.append(terms[-1])
    factors = []
    for mine in groups.values():
        first = mine[0].block
        z: Floats = first.matrix if len(mine) == 1 else np.hstack([term.block.matrix for term in mine])
        factors.append(Factor(first.codes, first.n_levels, z, tuple(s for term in mine for s in term.sizes)))
    return tuple(terms), tuple(factors)


def fixed_columns(design: Design, options: MixedOptions) -> tuple[Layout, Floats]:
    """Layout and matrix of the coefficients; thresholds stand for the intercept of an ordinal model."""
    if options.family != "ordinal":
        return design.layout, design.matrix
    keep = [i for i, name in enumerate(design.columns) if name != INTERCEPT]
    return narrowed(design.layout, tuple(design.columns[i] for i in keep)), design.matrix[:, keep]


def prior_weights(design: Design) -> Floats:
    """Prior weights by row, 1 where none were given."""
    return np.ones(len(design.outcome)) if design.weights is None else np.ascontiguousarray(design.weights)


def offsets(design: Design) -> Floats:
    """Offset by row, 0 where none was given."""
    return np.zeros(len(design.outcome)) if design.offset is None else np.ascontiguousarray(design.offset)
