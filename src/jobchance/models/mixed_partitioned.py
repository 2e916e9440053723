"""`fit_mixed` on data in partitions: two passes that read them, a third that builds blocks, and the search.

Sums over rows are additive, so the estimates are those of the rows in memory. This process holds no rows,
unless it is the place to run: then it holds what the blocks do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Literal, cast, overload

import numpy as np
import pandas as pd

from jobchance.compute.base import Compute
from jobchance.compute.blocks import BlockLost
from jobchance.compute.in_process import InProcess, choose_compute
from jobchance.compute.threads import one_thread
from jobchance.design.formula import INTERCEPT
from jobchance.design.layout import Layout, make_layout
from jobchance.errors import EstimationError, SpecError
from jobchance.models.mixed_estimate import VANISHED, endless
from jobchance.models.mixed_input import Term, gather_terms
from jobchance.models.mixed_options import MixedOptions
from jobchance.models.mixed_result import MixedContext, assemble
from jobchance.models.panel_data import narrowed
from jobchance.models.partitions import RowPartitions
from jobchance.models.partitions_blocks import BlockPlan, LaplaceScale, build_held
from jobchance.models.partitions_question import Question
from jobchance.models.partitions_rows import Facts, LocalPlan, local_facts
from jobchance.models.partitions_survey import Whole, join_surveys, survey
from jobchance.models.partitions_whole import check_whole, join_facts, kept_columns, units_of
from jobchance.numerics.mixed import families
from jobchance.numerics.mixed.estimate import MixedEstimate
from jobchance.numerics.mixed.estimate_laplace import LaplaceUnits, solve_laplace, threshold_basis
from jobchance.numerics.mixed.estimate_linear import LinearUnits, solve_linear
from jobchance.numerics.mixed.partition import elimination_order
from jobchance.numerics.mixed.pool import LocalPool, Pool
from jobchance.numerics.mixed.problem import Factor, arrange, needs_codes
from jobchance.numerics.mixed.remote import (
    Held,
    RemoteLaplaceProblem,
    RemoteLinearProblem,
    RemotePool,
    least_information,
)
from jobchance.numerics.mixed.search import OutOfDomain
from jobchance.results.fit import Fit
from jobchance.results.parts import Sample

PERFECT = 1e-12  # residual standard deviation against the outcome under which only rounding is left

Texts = Mapping[str, tuple[str, ...]]


def fit_partitions(
    question: Question, data: RowPartitions, options: MixedOptions, compute: Compute | None
) -> Fit:
    """Fit of `fit_mixed` from partitions; see there."""
    question.check()
    place = choose_compute(compute)
    whole = join_surveys(question, place.map(partial(survey, question), data.parts), data)
    terms, factors = _hollow_factors(whole)
    order = elimination_order([f.n_levels for f in factors], [f.template.m for f in factors])
    _check_order(question, terms, order)
    seen = whole.template.layout
    everything = make_layout(seen.formula, seen.codings, seen.full, None)
    local = LocalPlan(question, options, whole.rows, everything, whole.first)
    met = needs_codes([factors[i].n_levels for i in order], [factors[i].template.m for i in order])
    facts = join_facts(place.map(partial(local_facts, local, met), data.parts))
    layout, collinear = kept_columns(everything, facts)
    check_whole(whole, facts, options, len(layout.columns))
    plan = _plan_blocks(local, layout, facts, factors, order, data.effects)
    with one_thread, _open_pool(place, plan, data) as (pool, texts):
        estimate = _solve(pool, plan, factors, facts)
        named = _described(terms, texts(), facts)
    return _dress(estimate, named, plan, whole, facts, collinear)


def _plan_blocks(
    local: LocalPlan,
    layout: Layout,
    facts: Facts,
    factors: Sequence[Factor],
    order: Sequence[int],
    effects: bool,
) -> BlockPlan:
    """What every partition needs to build its blocks."""
    if local.options.family == "ordinal":
        layout = narrowed(layout, tuple(name for name in layout.columns if name != INTERCEPT))
    arrangement = arrange(
        factors,
        order,
        [facts.met[:, i].astype(np.int64) for i in order],
        grams=[R.T @ R / facts.n for R in facts.effects],
        simple=facts.simple,
    )
    units = units_of(facts, local.layout, layout, local.options)
    return BlockPlan(replace(local, layout=layout), arrangement, units, effects)


def _dress(
    estimate: MixedEstimate,
    terms: Sequence[Term],
    plan: BlockPlan,
    whole: Whole,
    facts: Facts,
    collinear: Sequence[str],
) -> Fit:
    """The numbers as a `Fit` without rows."""
    template, local = whole.template, plan.local
    gone = tuple(f"{name} (earlier columns determine it)" for name in collinear)
    fit = assemble(
        estimate,
        terms,
        names=local.layout.columns,
        rows=(pd.DataFrame(), np.zeros(0, dtype=np.int64)),
        outcome=np.zeros(0),
        context=MixedContext(
            outcome=template.outcome_name,
            formula=template.formula.text,
            options=local.options,
            sample=Sample(facts.n, whole.levels, whole.dropped, 0, gone),
            predictor=local.layout,
            levels=template.outcome_levels,
            weights=local.question.weights,
            offset=local.question.offset,
            notes=template.notes,
        ),
    )
    kept = tuple(part for part in fit.random if plan.effects or part.group not in whole.first)
    return replace(fit, rows=None, random=kept)


class Unnamed(Sequence[str]):
    """Levels whose texts stay where the rows are."""

    def __init__(self, n: int) -> None:
        self.n = n

    def __len__(self) -> int:
        return self.n

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[str, ...]: ...
    def __getitem__(self, index: int | slice) -> str | tuple[str, ...]:
        raise SpecError("The names of these levels were not brought back: RowPartitions(..., effects=True).")


def _hollow_factors(whole: Whole) -> tuple[tuple[Term, ...], tuple[Factor, ...]]:
    """Terms and factors with all their levels and without rows."""
    return gather_terms(
        [
            replace(
                block,
                codes=block.codes[:0],
                matrix=block.matrix[:0],
                labels=Unnamed(whole.levels[block.group]) if block.group in whole.first else block.labels,
            )
            for block in whole.template.random
        ]
    )


def _check_order(question: Question, terms: Sequence[Term], order: Sequence[int]) -> None:
    """Refuse partitions by another grouping than the one with most effects."""
    largest = next(term.block.group for term in terms if term.factor == order[0])
    if not question.private(largest.split(":")):
        raise SpecError(
            f"{largest} has the most random effects, but the partitions keep levels of {question.by} "
            f"together: "
            f"partition the rows by {largest}, with by= set to it."
        )


@contextmanager
def _open_pool(
    place: Compute, plan: BlockPlan, data: RowPartitions
) -> Iterator[tuple[Pool, Callable[[], list[Texts]]]]:
    """Blocks of all partitions, and a function that gives the texts of their levels."""
    build = partial(build_held, plan)
    if isinstance(place, InProcess):
        held: list[Held] = [build(part) for part in data.parts]
        yield LocalPool([block for one in held for block in one.blocks]), lambda: [h.texts() for h in held]
        return
    with place.open_blocks(build, data.parts, rebuild=True) as blocks:
        pool = RemotePool(blocks, BlockLost)
        yield pool, lambda: cast(list[Texts], pool.ask("texts"))


def _solve(pool: Pool, plan: BlockPlan, factors: Sequence[Factor], facts: Facts) -> MixedEstimate:
    """Search, and what follows from the optimum.

    Raises
    ------
    EstimationError
        The likelihood has no maximum or cannot be computed.
    """
    try:
        if isinstance(plan.units, LinearUnits):
            return _solve_linear(pool, plan, plan.units, factors, facts)
        return _solve_laplace(pool, plan, plan.units, factors, facts)
    except (OutOfDomain, np.linalg.LinAlgError) as error:
        raise EstimationError(
            "The likelihood cannot be computed where the search starts: rescale the offset, counts, trials "
            "or weights, or leave out rows where they are extreme."
        ) from error


def _solve_linear(
    pool: Pool, plan: BlockPlan, units: LinearUnits, factors: Sequence[Factor], facts: Facts
) -> MixedEstimate:
    """Estimates of a linear model."""
    arrangement = plan.arrangement
    problem = RemoteLinearProblem(
        pool,
        arrangement.partition.layout,
        arrangement.slots,
        arrangement.templates,
        restricted=plan.local.options.method == "reml",
    )
    made = solve_linear(problem, arrangement, factors, units)[0]
    if made.runaway or (made.sigma or 0.0) <= PERFECT * facts.largest:
        raise EstimationError(
            "Covariates or random effects determine the outcome but for rounding: no residual variance is "
            "left."
        )
    return made


def _solve_laplace(
    pool: Pool, plan: BlockPlan, units: LaplaceScale, factors: Sequence[Factor], facts: Facts
) -> MixedEstimate:
    """Estimates of other models, with what coefficients carried of the offset put back."""
    arrangement, options = plan.arrangement, plan.local.options
    problem = RemoteLaplaceProblem(
        pool, arrangement.partition.layout, arrangement.slots, arrangement.templates
    )
    kind = cast(Literal["free", "symmetric", "equidistant"], options.thresholds)
    ordinal = options.family == "ordinal"
    J = threshold_basis(int(facts.highest), kind) if ordinal else np.zeros((0, 0))
    code = families.family_code(options.family, options.link)
    search = LaplaceUnits(code, J, units.K, units.centre, facts.n, facts.constant, lambda: False)
    made = solve_laplace(problem, arrangement, factors, search)[0]
    if made.runaway or least_information(pool, facts.n) < VANISHED:
        raise EstimationError(endless(options))
    back = np.concatenate([np.full(len(J), units.shift), -units.slopes])
    return replace(made, coefficients=made.coefficients + back)


def _described(terms: Sequence[Term], texts: Sequence[Texts], facts: Facts) -> tuple[Term, ...]:
    """Terms with the texts of levels brought back, and columns of the same mean squares as all rows."""
    made = []
    for term in terms:
        block, R = term.block, facts.effects[term.factor]
        if isinstance(block.labels, Unnamed) and texts and block.group in texts[0]:
            block = replace(block, labels=tuple(text for one in texts for text in one[block.group]))
        columns = R[:, term.slice] * np.sqrt(len(R) / facts.n)
        made.append(replace(term, block=replace(block, matrix=columns)))
    return tuple(made)
