"""From a design to the factors of a mixed model, with everything that is wrong said at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from jobchance.design.build import Design, RandomBlock
from jobchance.design.formula import INTERCEPT
from jobchance.design.layout import Layout
from jobchance.errors import DesignError, SpecError
from jobchance.models.panel_data import narrowed
from jobchance.numerics.mixed.families import DEFAULT_LINK, LINKS_OF
from jobchance.numerics.mixed.problem import Factor
from jobchance.options import check_option
from jobchance.results.parts import Codes, Floats

FAMILIES = ("gaussian", "binomial", "poisson", "ordinal")
METHODS = ("reml", "ml")
THRESHOLDS = ("free", "symmetric", "equidistant")
MAX_QUAD = 101


@dataclass(frozen=True)
class MixedOptions:
    """What was asked for beside formula and data, checked.

    Parameters
    ----------
    family, link : str
        Family and its link.
    method : str
        `"reml"` or `"ml"`; other families than gaussian are fitted by `"ml"`.
    n_quad : int
        Quadrature points; 1 is the Laplace approximation.
    thresholds : str
        Structure of the thresholds of an ordinal model.
    """

    family: str
    link: str
    method: str
    n_quad: int
    thresholds: str


def check_options(
    *, family: str, link: str | None, method: str, n_quad: int, thresholds: str
) -> MixedOptions:
    """Options that fit together.

    Raises
    ------
    SpecError
        Everything that does not.
    """
    check_option("family", family, FAMILIES)
    check_option("method", method, METHODS)
    check_option("thresholds", thresholds, THRESHOLDS)
    links = ("identity",) if family == "gaussian" else LINKS_OF[family]
    problems = []
    if link is not None and link not in links:
        problems.append(f"link={link!r} is not one of this family: {', '.join(links)}")
    if isinstance(n_quad, bool) or not isinstance(n_quad, int) or not 1 <= n_quad <= MAX_QUAD:
        problems.append(f"n_quad is a whole number from 1 to {MAX_QUAD}")
    elif n_quad > 1 and family == "gaussian":
        problems.append("n_quad: a linear model is integrated exactly and needs no quadrature")
    if thresholds != "free" and family != "ordinal":
        problems.append("thresholds belong to family='ordinal'")
    if problems:
        raise SpecError("fit_mixed: " + "; ".join(problems) + ".")
    default = "identity" if family == "gaussian" else DEFAULT_LINK[family]
    return MixedOptions(family, link or default, method if family == "gaussian" else "ml", n_quad, thresholds)


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


def check_design(design: Design, options: MixedOptions) -> None:
    """What a mixed model needs of its data.

    Raises
    ------
    DesignError
        No random term, groups with one level, as many random effects as rows, an outcome without variation;
        all problems at once, with counts.
    """
    if not design.random:
        raise DesignError("fit_mixed needs a random term such as (1 | caseworker_id); else use fit_glm.")
    problems = [problem for block in design.random for problem in _group_problems(design, block, options)]
    if options.family == "gaussian" and np.ptp(design.outcome) == 0:
        problems.append(f"The outcome {design.outcome_name} has one value in all rows used.")
    if options.family == "poisson":
        problems += _count_problems(design)
    if options.family == "ordinal" and INTERCEPT not in design.columns:
        problems.append(
            "The thresholds of an ordinal model are its intercepts: leave the 0 out of the formula."
        )
    if len(design.columns) >= len(design.outcome):
        problems.append(
            f"{len(design.columns)} coefficients cannot be estimated from {len(design.outcome)} rows."
        )
    if problems:
        raise DesignError("\n".join(dict.fromkeys(problems)))


def _group_problems(design: Design, block: RandomBlock, options: MixedOptions) -> list[str]:
    """What is wrong with one grouping."""
    n, q, width = len(design.outcome), block.n_levels, block.matrix.shape[1]
    if q < 2:
        return [f"Column {block.group} has {q} level in the rows used; at least 2 are needed."]
    if options.family == "gaussian" and q * width >= n:
        return [
            f"{q} levels of {block.group} with {width} random effects each cannot be told apart from the "
            f"residual in {n} rows: rows must outnumber random effects."
        ]
    trials = options.family == "poisson" or (options.family == "binomial" and design.weights is not None)
    if q == n and not trials and options.family != "gaussian":
        return [
            f"Every row has its own level of {block.group}: with one {options.family} row per level its variance cannot be "
            "told apart from the scale of the link."
        ]
    return []


def _count_problems(design: Design) -> list[str]:
    """What is wrong with counts."""
    y = design.outcome
    odd = int(((y < 0) | (y != np.floor(y))).sum())
    problems = [f"{design.outcome_name} must hold counts 0, 1, 2, ...: {odd} rows do not."] if odd else []
    if not odd and not y.any():
        problems.append(f"The counts {design.outcome_name} are 0 in all rows used.")
    return problems


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


def group_codes_of(design: Design) -> dict[str, Codes]:
    """Level of each row by grouping."""
    return {block.group: block.codes for block in design.random}
