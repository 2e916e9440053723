import pytest
from small_study import OPEN, make_panel, make_study

from jobchance.findings import belief_before_after_shift

STUDY = make_study([("a", 1, "caseworker", "s1", {"belief_job": 3})])
ROWS = [
    ("a", "s1", 1, 2, 0), ("a", "s2", 2, 4, 0),  # shift, up 2
    ("b", "s1", 1, 3, 0), ("b", "s2", 2, 3, 0),  # shift, same
    ("c", "s1", 1, 3, 0), ("c", "s1", 2, 2, 0),  # no shift, down 1
    ("d", "s2", 1, 3, 0), ("d", "s2", 2, 3, 0),  # no shift, same
    ("e", "s1", 1, 1, 0), ("e", "s2", 3, 5, 0),  # a wave lies between: no pair
    ("f", "s1", 1, None, 0), ("f", "s2", 2, 5, 0),  # don't know: no pair
    ("g", "s3", 1, 4, 0), ("g", "s3", 2, 4, 0),  # no shift, same
]  # fmt: skip


def test_transitions_and_benchmark_by_hand():
    frame = belief_before_after_shift.build(STUDY, make_panel(ROWS), policy=OPEN).frame
    cells = frame[frame["quantity"] == "cell"].set_index(["level_before", "level_after"])["estimate"]
    assert cells[("2", "4")] == cells[("3", "3")] == 0.5
    assert cells.sum() == 1
    found = frame[frame["quantity"] != "cell"].set_index(["quantity", "group"])
    assert found.loc[("changed", "shift"), "estimate"] == 0.5
    assert found.loc[("changed", "stay"), "estimate"] == pytest.approx(1 / 3)
    assert found.loc[("changed", "difference"), "estimate"] == pytest.approx(1 / 6)
    assert found.loc[("down", "stay"), "estimate"] == pytest.approx(1 / 3)
    assert found.loc[("mean_change", "shift"), "estimate"] == 1
    assert found.loc[("mean_change", "difference"), "estimate"] == pytest.approx(1 + 1 / 3)
    assert (found.loc[("changed", "shift"), "N_pairs"], found.loc[("changed", "stay"), "N_pairs"]) == (2, 3)


def test_needs_pairs_on_both_sides():
    assert belief_before_after_shift.needs(STUDY, None) == ("need.outcome",)
    assert belief_before_after_shift.needs(STUDY, make_panel(ROWS[:4])) == ("need.shifts",)
    assert belief_before_after_shift.needs(STUDY, make_panel(ROWS)) == ()
