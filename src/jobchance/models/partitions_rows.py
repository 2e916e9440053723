"""Second pass over partitions: the design of each, and sums from which those of all rows follow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from jobchance.design.columns import Floats
from jobchance.design.layout import Layout
from jobchance.errors import JobchanceError
from jobchance.models.mixed_input import gather_terms, offsets, prior_weights
from jobchance.models.mixed_options import MixedOptions
from jobchance.models.partitions import Part, read_part
from jobchance.models.partitions_question import Question
from jobchance.models.partitions_survey import build_on
from jobchance.numerics.mixed import families
from jobchance.numerics.mixed.problem import Factor
from jobchance.numerics.mixed.remote_moments import triangle

Small = NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class LocalPlan:
    """What a partition needs to know of all rows to make its part of the design.

    Parameters
    ----------
    question : Question
        Formula and columns.
    options : MixedOptions
        Family and the like.
    standing : DataFrame
        Rows that hold every level and range.
    layout : Layout
        Columns of the fixed part.
    first : mapping of str to tuple of int
        Groupings of the partitions' column: number of the first level of each partition.
    """

    question: Question
    options: MixedOptions
    standing: pd.DataFrame
    layout: Layout
    first: Mapping[str, tuple[int, ...]]


@dataclass(frozen=True, eq=False)
class LocalRows:
    """Design of the rows of one partition, with the levels numbered as in all data.

    Parameters
    ----------
    X, y, w, offset : arrays
        Fixed columns, outcome, prior weights, offset.
    factors : tuple of Factor
        Groupings; `n_levels` is the number of levels met here and in the standing rows.
    labels : mapping of str to tuple of str
        Texts of the levels of groupings of the partitions' column.
    weighted : bool
        Whether weights differ from 1 somewhere.
    """

    X: Floats
    y: Floats
    w: Floats
    offset: Floats
    factors: tuple[Factor, ...]
    labels: Mapping[str, tuple[str, ...]]
    weighted: bool


def local_rows(plan: LocalPlan, part: Part) -> LocalRows:
    """Read a partition and make its design."""
    frame = read_part(part, plan.question.columns)
    design = build_on(plan.question, pd.concat([frame, plan.standing], ignore_index=True))
    n = int(np.searchsorted(design.used, len(frame)))
    random, labels = [], {}
    for block, term in zip(design.random, design.formula.random, strict=True):
        codes = block.codes[:n]
        if plan.question.private(term.group):
            found, own = np.unique(codes, return_inverse=True)
            labels[block.group] = tuple(np.array(block.levels, dtype=object)[found].tolist())
            codes = own + plan.first[block.group][part.number - 1]
        random.append(replace(block, codes=codes, matrix=block.matrix[:n]))
    rows = frame.iloc[design.used[:n]]
    return LocalRows(
        np.ascontiguousarray(plan.layout.matrix(rows)),
        np.ascontiguousarray(design.outcome[:n], dtype=float),
        np.ascontiguousarray(prior_weights(design)[:n]),
        np.ascontiguousarray(offsets(design)[:n]),
        gather_terms(random)[1],
        labels,
        design.weights is not None,
    )


@dataclass(frozen=True, eq=False)
class Facts:
    """What the rows of one partition, or of all, sum to.

    Parameters
    ----------
    n : int
        Rows used.
    plain : array (p + 3, p + 3)
        R of [1, X, y - offset, offset].
    weighted : array (p + 1, p + 1)
        R of W^{1/2} [X, y - offset].
    means : array (p + 1,)
        Weighted sums of [1, X].
    effects : tuple of arrays (m, m)
        R of the columns of each factor's effects.
    simple : bool
        All effects are intercepts.
    constant : float
        Part of the log-likelihood that depends on outcome and weights alone.
    lowest, highest : float
        Range of the outcome.
    odd : int
        Outcomes that are no counts.
    largest : float
        Largest size of the outcome less the offset.
    pure : mapping of str to bool
        Groupings of the partitions' column: whether the outcome is the same in all rows of every level.
    weighted_rows : bool
        Whether weights differ from 1 somewhere.
    met : integer array (combinations, factors)
        Different combinations of levels, factors as given, where the plan of the columns needs them.
    problems : tuple of str
        What is wrong.
    """

    n: int
    plain: Floats
    weighted: Floats
    means: Floats
    effects: tuple[Floats, ...]
    simple: bool
    constant: float
    lowest: float
    highest: float
    odd: int
    largest: float
    pure: Mapping[str, bool]
    weighted_rows: bool
    met: Small
    problems: tuple[str, ...] = ()


def local_facts(plan: LocalPlan, combinations: bool, part: Part) -> Facts | str:
    """Facts of one partition, or what is wrong with it."""
    try:
        rows = local_rows(plan, part)
    except JobchanceError as error:
        return f"Partition {part.number}: {error}"
    y, rest, n = rows.y, rows.y - rows.offset, len(rows.y)
    one = np.ones(n)
    codes = [factor.codes for factor in rows.factors]
    met = np.zeros((0, len(codes)), dtype=np.int32)
    if combinations:
        met = pd.DataFrame(dict(enumerate(codes))).drop_duplicates().to_numpy(dtype=np.int32)
    gaussian = plan.options.family == "gaussian"
    return Facts(
        n=n,
        plain=triangle(np.column_stack([one, rows.X, rest, rows.offset])),
        weighted=triangle(np.sqrt(rows.w)[:, None] * np.column_stack([rows.X, rest])),
        means=np.column_stack([one, rows.X]).T @ rows.w,
        effects=tuple(triangle(factor.z) for factor in rows.factors),
        simple=all(f.z.shape[1] == 1 and bool((f.z == 1).all()) for f in rows.factors),
        constant=0.0 if gaussian else families.loglik_constant(_code(plan.options), y, rows.w),
        lowest=float(y.min(initial=np.inf)),
        highest=float(y.max(initial=-np.inf)),
        odd=int(((y < 0) | (y != np.floor(y))).sum()),
        largest=float(np.abs(rest).max(initial=0.0)),
        pure=_pure(rows, plan),
        weighted_rows=rows.weighted,
        met=met,
    )


def _code(options: MixedOptions) -> int:
    return families.family_code(options.family, options.link)


def _pure(rows: LocalRows, plan: LocalPlan) -> dict[str, bool]:
    """For each grouping of the partitions' column, whether the outcome is constant within its levels."""
    made = {}
    groups = list(dict.fromkeys(term.label for term in plan.question.parsed.random))
    whole = not ((rows.y > 0) & (rows.y < 1)).any() or plan.options.family != "binomial"
    for group, factor in zip(groups, rows.factors, strict=True):
        if group in plan.first:
            at = factor.codes - factor.codes.min(initial=np.iinfo(np.int64).max)
            first = np.zeros(int(at.max(initial=-1)) + 1)
            first[at] = rows.y
            made[group] = (
                whole and bool((factor.z == 1).all(axis=0).any()) and bool((first[at] == rows.y).all())
            )
    return made
