from itertools import pairwise

import pandas as pd
import pytest

from jobchance.formatting import Formatter
from jobchance.labels.load import label
from jobchance.note.flow import flow_table
from jobchance.panel.model import AnalysisPanel


def panel(*lines):
    flow = pd.DataFrame(lines, columns=["step", "n_citizens", "n_rows", "reason"])
    return AnalysisPanel(pd.DataFrame({"citizen_id": []}), flow, {})


def numbers(table):
    return [(row[2].text, row[3].text) for row in table.rows]


START = ("measurements", 4000, 20000, "all_measurements")


def test_large_losses_are_shown_step_by_step():
    table = flow_table(
        panel(START, ("at_risk", 3900, 19000, "at_risk_not_in_job"), ("panel", 3900, 19000, "panel")),
        Formatter("da"),
        min_persons=5,
    )
    assert numbers(table) == [("4.000", "20.000"), ("3.900", "19.000"), ("3.900", "19.000")]


@pytest.mark.parametrize(("citizens", "rows"), [(3997, 19900), (4000, 19997), (3996, 19996)])
def test_a_small_loss_is_pooled_so_that_no_difference_shows_it(citizens, rows):
    table = flow_table(
        panel(
            START,
            ("respondent", 4000, 10000, "other_respondent"),
            ("panel", 4000 - (4000 - citizens), 10000 - (20000 - rows), "panel"),
        ),
        Formatter("en"),
        min_persons=5,
    )
    shown = [(int(c.replace(",", "")), int(r.replace(",", ""))) for c, r in numbers(table)]
    for (c1, r1), (c2, r2) in pairwise(shown):
        assert c1 - c2 == 0 or c1 - c2 >= 5
        assert r1 - r2 == 0 or r1 - r2 >= 5
    assert shown[-1] == (citizens, 10000 - (20000 - rows)), "the panel itself is always shown"


def test_a_pooled_line_names_both_steps():
    table = flow_table(panel(START, ("panel", 3998, 19990, "panel")), Formatter("en"), min_persons=5)
    (row,) = table.rows
    assert label("panel.step.measurements", "en") in row[0].text
    assert label("panel.step.panel", "en") in row[0].text


def test_small_parts_of_the_panel_are_left_out():
    lines = (START, ("of_which_censored", 3, 4, "censored"), ("of_which_dont_know", 50, 60, "dont_know"))
    table = flow_table(panel(*lines), Formatter("en"), min_persons=5)
    assert numbers(table) == [("4,000", "20,000"), ("50", "60")]


def test_without_a_panel_there_is_an_empty_table():
    assert flow_table(None, Formatter("en"), min_persons=5).rows == []
