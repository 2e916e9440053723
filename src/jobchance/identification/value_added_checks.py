"""Assumptions of the value-added design and what the data say of each."""

from __future__ import annotations

import numpy as np
from scipy import stats

from jobchance.design.columns import numeric_values
from jobchance.identification.cards import Assumption, judge_p
from jobchance.identification.leniency_checks import CHANCE_RULES
from jobchance.identification.leniency_strength import (
    informative,
    measure_strength,
    only_if_informative,
)
from jobchance.identification.thresholds import Thresholds
from jobchance.identification.value_added_effects import Forecast, Spread
from jobchance.identification.value_added_rows import ValueAddedRows
from jobchance.numerics.demean import demean
from jobchance.numerics.leave_out_tests import leftover_test

"""Median rows per caseworker below which a raw deviation is nearly all noise."""


def assignment(rows: ValueAddedRows, thresholds: Thresholds) -> Assumption:
    """Whether citizens were left to chance: the rule in force at the row, as in the leniency design."""
    name, test = "random_assignment", "assignment_rule"
    rule = rows.frame.get("assignment_rule")
    if rule is None or rule.isna().all():
        return Assumption(name, "untested", test, threshold=thresholds.chance_share)
    chance = float(rule.isin(CHANCE_RULES).mean())
    chosen = float((rule.notna() & ~rule.isin(CHANCE_RULES)).mean())
    status = "by_design" if chance >= thresholds.chance_share else "fails" if chosen > 0.5 else "doubtful"
    return Assumption(name, status, test, value=chance, threshold=thresholds.chance_share)


def balance(rows: ValueAddedRows, thresholds: Thresholds) -> list[Assumption]:
    """Whether the outcome that covariates predict differs between caseworkers of a cell beyond chance.

    And whether they predict enough of it for that to mean anything.
    """
    answer = numeric_values(rows.frame, "belief") if "belief" in rows.frame else None
    strength = informative(
        measure_strength(rows.y, rows.covariates, answer, cell=rows.cell, cluster=rows.caseworker),
        thresholds,
    )
    return [only_if_informative(_balance(rows, thresholds), strength), strength]


def _balance(rows: ValueAddedRows, thresholds: Thresholds) -> Assumption:
    """The test of the predicted outcome."""
    name, test = "balance", "predicted_outcome_by_caseworker"
    v = demean(rows.index[:, None], [rows.cell])[:, 0]
    if not rows.names or not np.abs(v).max() > 1e-12:
        return Assumption(name, "untested", test)
    found = leftover_test(v, rater=rows.caseworker, cell=rows.cell, n_fitted=0)
    p = found.p_value
    return Assumption(name, judge_p(p, thresholds), test, statistic=found.statistic, df=found.df, p_value=p)


def unbiased(made: Forecast | None, thresholds: Thresholds) -> Assumption:
    """Slope 1 of the outcomes of citizens with a new caseworker on that caseworker's shrunken effect.

    Untested where the interval holds both 0 and 1: the effects may be noise as well as perfect forecasts.
    """
    name, test = "forecast_unbiased", "slope_one_on_movers"
    if made is None:
        return Assumption(name, "untested", test, threshold=1.0)
    reach = float(stats.t.ppf(0.975, made.df)) * made.std_error
    open_ = abs(made.slope) < reach and abs(made.slope - 1) < reach
    return Assumption(
        name,
        "untested" if open_ else judge_p(made.p_value, thresholds),
        test,
        statistic=made.statistic,
        df=made.df,
        p_value=made.p_value,
        value=made.slope,
        threshold=1.0,
    )


def stable(across: float, gap: float, se: float, spread: Spread, thresholds: Thresholds) -> Assumption:
    """Whether a caseworker's earlier and later citizens go together as much as citizens of one cell do.

    `value` is the covariance across halves over the variance; untested where neither is told from zero.
    """
    name, test = "stable_over_time", "split_halves"
    if not se > 0 or not spread.variance > 0:
        return Assumption(name, "untested", test, threshold=1.0)
    t = gap / se
    p = float(2 * stats.norm.sf(abs(t)))
    status = judge_p(p, thresholds) if spread.p_value < thresholds.doubt_p else "untested"
    return Assumption(
        name, status, test, statistic=t, p_value=p, value=across / spread.variance, threshold=1.0
    )


def sizes(rows: ValueAddedRows, limits: Thresholds) -> list[Assumption]:
    """Enough caseworkers, and enough rows for each."""
    J, median = len(rows.levels), float(np.median(rows.cases))
    return [
        Assumption(
            "enough_clusters",
            "holds" if limits.few_clusters <= J else "doubtful",
            "n_caseworkers",
            value=float(J),
            threshold=limits.few_clusters,
        ),
        Assumption(
            "enough_per_caseworker",
            "holds" if median >= limits.min_cases else "doubtful",
            "median_caseload",
            value=median,
            threshold=limits.min_cases,
        ),
    ]


def selection(rows: ValueAddedRows) -> Assumption:
    """Later relations exist only for citizens still without the outcome; first rows have no such past."""
    several = bool(rows.citizen.size > np.unique(rows.citizen).size)
    return Assumption("no_selection_into_rows", "doubtful" if several else "by_design")
