"""What a shown total leaves over is never one hidden cell, nor a small count."""

import pandas as pd
import pytest
from small_study import make_panel, make_study

from jobchance.disclosure.policy import DisclosurePolicy
from jobchance.findings import job_by_indicator_level
from jobchance.findings.company import hidden_with_company

POLICY = DisclosurePolicy(min_entities={})


def cells(*pairs):
    return pd.DataFrame(pairs, columns=["N_citizens", "N_events"])


def test_nothing_is_hidden_where_every_cell_is_safe():
    assert not hidden_with_company(cells((20, 6), (30, 9)), POLICY).any()


def test_a_lone_hidden_cell_takes_the_smallest_shown_one_with_it():
    hidden = hidden_with_company(cells((20, 4), (40, 9), (30, 7)), POLICY)
    assert hidden.tolist() == [True, False, True]


def test_hidden_cells_hold_enough_events_together():
    table = cells((20, 1), (21, 2), (60, 8), (50, 30))
    hidden = hidden_with_company(table, POLICY)
    assert hidden.tolist() == [True, True, False, True]
    assert table.loc[hidden, "N_events"].sum() >= POLICY.min_events


def test_without_company_where_the_policy_does_not_ask_for_it():
    policy = DisclosurePolicy(min_entities={}, check_margins=False)
    assert hidden_with_company(cells((20, 4), (40, 9)), policy).tolist() == [True, False]


@pytest.fixture(scope="module")
def one_row_per_citizen():
    """Answers 1, 3, 5 with 2, 10 and 12 events: the trend shows 24, so 2 could be worked out."""
    plan = [(1, 40, 2), (3, 40, 10), (5, 60, 12)]
    forms, rows = [], []
    for answer, n, events in plan:
        for k in range(n):
            citizen = f"c{answer}_{k}"
            forms.append((citizen, 1, "caseworker", f"s{k % 4 + 1}", {"belief_job": answer}))
            rows.append((citizen, f"s{k % 4 + 1}", 1, answer, float(k < events)))
    return make_study(forms), make_panel(rows)


def test_a_hidden_step_cannot_be_worked_out_from_the_trend(one_row_per_citizen):
    frame = job_by_indicator_level.build(*one_row_per_citizen, policy=POLICY).frame
    steps = frame[frame["quantity"] == "level"]
    assert dict(zip(steps["level"], steps["suppressed"], strict=True)) == {"1": True, "3": True, "5": False}
    trend = frame[frame["quantity"] == "trend"].iloc[0]
    assert trend["N_events"] == 24
    assert pd.isna(trend["N_rows"])
