"""What a mixed model needs of its data: everything that is wrong, found before the fit and said at once."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from jobchance.design.build import Design, RandomBlock
from jobchance.design.formula import INTERCEPT
from jobchance.errors import DesignError
from jobchance.models.mixed_options import MixedOptions
from jobchance.results.parts import Codes, Floats

ROUNDING = 1e-12  # range of an outcome against its size under which only its last digits vary
DEPENDENT = 1e-7  # length of a unit column, beside those before it, under which it is determined by them


def check_design(design: Design, options: MixedOptions) -> None:
    """Refuse data from which the model cannot be estimated.

    Raises
    ------
    DesignError
        No random term; groupings with one level, with as many random effects as rows, that split the rows
        like another one, or whose variance no data could bound; random effects that determine each other;
        an outcome without variation; weights that sum to less than the coefficients. All problems at once,
        with counts.
    """
    if not design.random:
        raise DesignError("fit_mixed needs a random term such as (1 | caseworker_id); else use fit_glm.")
    problems = _outcome_problems(design, options)
    for block in design.random:
        found = _level_problems(design, block, options)
        problems += found or _effect_problems(block) or _bound_problems(design, block, options)
    problems += _twin_problems(design)
    if options.family == "ordinal" and INTERCEPT not in design.columns:
        problems.append(
            "The thresholds of an ordinal model are its intercepts: leave the 0 out of the formula."
        )
    k = len(design.columns) + max(len(design.outcome_levels or ()) - 2, 0) * (options.family == "ordinal")
    if k >= len(design.outcome):
        problems.append(f"{k} coefficients cannot be estimated from {len(design.outcome)} rows.")
    elif options.family in ("poisson", "ordinal") and design.weights is not None:
        problems += _weight_problems(design.weights, k)
    if problems:
        raise DesignError("\n".join(dict.fromkeys(problems)))


def _outcome_problems(design: Design, options: MixedOptions) -> list[str]:
    """What is wrong with the outcome of a linear or Poisson model; the design has looked at the others."""
    y, name = design.outcome, design.outcome_name
    if options.family == "gaussian":
        if np.ptp(y) == 0:
            return [f"The outcome {name} has one value in all rows used."]
        if np.ptp(y) <= ROUNDING * np.abs(y).max():
            return [f"The outcome {name} varies in the last digits only: subtract a constant in its source."]
    if options.family == "poisson":
        odd = int(((y < 0) | (y != np.floor(y))).sum())
        if odd:
            return [f"{name} must hold counts 0, 1, 2, ...: {odd} rows do not."]
        if not y.any():
            return [f"The counts {name} are 0 in all rows used."]
    return []


def _weight_problems(w: Floats, k: int) -> list[str]:
    """Numbers of equal rows that do not carry the coefficients."""
    if w.sum() > k:
        return []
    return [
        f"The weights sum to {w.sum():.3g} rows, too few for {k} coefficients: for this family a weight is "
        "the number of equal rows."
    ]


def _level_problems(design: Design, block: RandomBlock, options: MixedOptions) -> list[str]:
    """Too few or too many levels."""
    n, q, width = len(design.outcome), block.n_levels, block.matrix.shape[1]
    if q < 2:
        return [f"Column {block.group} has {q} level in the rows used; at least 2 are needed."]
    if options.family == "gaussian" and q * width >= n:
        effects = "1 random effect" if width == 1 else f"{width} random effects"
        return [
            f"{q} levels of {block.group} with {effects} each cannot be told apart from the "
            f"residual in {n} rows: rows must outnumber random effects."
        ]
    trials = options.family == "poisson" or (options.family == "binomial" and design.weights is not None)
    if q == n and not trials and options.family != "gaussian":
        return [
            f"Every row has its own level of {block.group}: with one {options.family} row per level its "
            "variance cannot be told apart from the scale of the link."
        ]
    return []


def _effect_problems(block: RandomBlock) -> list[str]:
    """Random effects without values, or determined by others of their term."""
    names, Z = block.layout.columns, block.matrix
    length = np.sqrt((Z**2).sum(axis=0))
    if empty := [name for name, size in zip(names, length, strict=True) if size == 0]:
        return [f"The random effects {', '.join(empty)} of {block.group} are 0 in all rows: leave them out."]
    if not block.correlated or len(names) == 1:
        return []
    left = np.abs(np.diag(np.linalg.qr(Z / length, mode="r")))
    if lost := [name for name, size in zip(names, left, strict=True) if size < DEPENDENT]:
        return [
            f"The random effects {', '.join(lost)} of {block.group} are linearly dependent on the others of "
            "their term: leave them out."
        ]
    return []


def _bound_problems(design: Design, block: RandomBlock, options: MixedOptions) -> list[str]:
    """A variance that the likelihood does not bound (levels without variation) or does not hold (REML)."""
    name = block.group
    if options.family in ("binomial", "ordinal") and _pure(design.outcome, block, options):
        return [
            f"The outcome does not vary within any of the {block.n_levels} levels of {name}: the likelihood "
            f"rises as the variance of {name} grows, without end."
        ]
    if options.method == "reml" and options.family == "gaussian":
        held = _held_effects(design.matrix, block)
        if held:
            return [
                f"The coefficients determine the effects {', '.join(held)} of every level of {name}, so that "
                "REML says nothing about their variance: leave out one or the other."
            ]
    return []


def _pure(y: Floats, block: RandomBlock, options: MixedOptions) -> bool:
    """Whether every level has one outcome, and shifts the linear predictor of all its rows alike."""
    if not (block.matrix == 1).all(axis=0).any():
        return False
    if options.family == "binomial" and ((y > 0) & (y < 1)).any():
        return False
    first = np.zeros(block.n_levels)
    first[block.codes] = y
    return bool((first[block.codes] == y).all())


def _held_effects(X: Floats, block: RandomBlock) -> list[str]:
    """Random effects whose columns, one for each level, are combinations of the columns of X."""
    n, p = X.shape
    if block.n_levels > p:
        return []
    Q = np.linalg.qr(X / np.sqrt((X**2).mean(axis=0)))[0]
    held = []
    for name, z in zip(block.layout.columns, block.matrix.T, strict=True):
        columns = np.zeros((n, block.n_levels))
        columns[np.arange(n), block.codes] = z
        if np.linalg.norm(columns - Q @ (Q.T @ columns)) < DEPENDENT * np.linalg.norm(columns):
            held.append(name)
    return held


def _twin_problems(design: Design) -> list[str]:
    """Groupings that split the rows in the same way and share an effect."""
    problems = []
    for one, other in combinations(design.random, 2):
        shared = [name for name in one.layout.columns if name in other.layout.columns]
        if one.group != other.group and shared and _same_split(one, other):
            problems.append(
                f"Groupings {one.group} and {other.group} split the rows in the same way, so their variances "
                f"of {', '.join(shared)} cannot be told apart: leave one out."
            )
    return problems


def _same_split(one: RandomBlock, other: RandomBlock) -> bool:
    """Whether the levels of two groupings are the same sets of rows."""
    if one.n_levels != other.n_levels:
        return False
    partner: Codes = np.zeros(one.n_levels, dtype=np.int64)
    partner[one.codes] = other.codes
    return bool((partner[one.codes] == other.codes).all())
