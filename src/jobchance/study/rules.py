"""The named cross-table rules, one function each; each counts rows and never says whose they are.

A rule runs when the tables and columns that it reads are there (`needs` in `data/schemas/rules.json`); cells
that did not convert are null by then, have their own problem, and are passed over here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet

from jobchance.study import (
    rules_activities,
    rules_answers,
    rules_assignments,
    rules_keys,
    rules_outcomes,
)
from jobchance.study.problems import Problem
from jobchance.study.rule_context import Coverage, Tables, has
from jobchance.study.schema import Rule, load_rules

Check = Callable[[Tables, Rule, Coverage], Iterator[Problem]]

CHECKS: Mapping[str, Check] = {
    "C01": rules_keys.primary_keys,
    "C02": rules_keys.foreign_keys,
    "C03": rules_keys.dates,
    "C06": rules_assignments.lead_overlap,
    "C07": rules_assignments.inside_employment_and_follow_up,
    "C08": rules_assignments.rating_inside_assignment,
    "C09": rules_answers.wave_spacing,
    "C10": rules_answers.rating_on_scale,
    "C11": rules_outcomes.window_after_measurement,
    "C12": rules_outcomes.window_observed,
    "C13": rules_outcomes.already_there,
    "C18": rules_activities.full_time_overlap,
    "C22": rules_assignments.one_jobcentre_a_day,
    "C24": rules_answers.left_truncation,
    "C27": rules_answers.constant_raters,
    "rater_required": rules_answers.rater_named,
    "value_or_reason": rules_answers.value_or_reason,
    "item_respondent": rules_answers.item_respondent,
    "scale_order": rules_answers.scale_order,
    "event_in_window": rules_outcomes.event_in_window,
    "outcome_link": rules_outcomes.outcome_link,
    "outcome_overlap": rules_outcomes.outcome_overlap,
    "activity_follow_up": rules_activities.inside_follow_up,
}


def check_rules(
    tables: Tables, coverage: Coverage, *, unread: AbstractSet[tuple[str, str]] = frozenset()
) -> list[Problem]:
    """Run every rule whose tables are there.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        Conformed tables (`conform_table`).
    coverage : Coverage
        How far the data reach.
    unread : set of (table, column)
        Columns with cells that did not convert; rules on empty cells would count those once more, so they
        wait.

    Returns
    -------
    list of Problem
        With counts above zero only.
    """
    found: list[Problem] = []
    for name, check in CHECKS.items():
        rule = load_rules()[name]
        if rule.parameters.get("reads_empty_cells") and _columns_of(rule) & unread:
            continue
        if all(has(tables, table, columns) for table, columns in rule.needs.items()):
            found += [problem for problem in check(tables, rule, coverage) if problem.n]
    return found


def _columns_of(rule: Rule) -> set[tuple[str, str]]:
    """Every column that a rule reads."""
    return {(table, column) for table, columns in rule.needs.items() for column in columns}
