"""Outputs of one document about nearly the same persons are coarsened; others are left exact."""

import pandas as pd

from jobchance.disclosure.check import check, protect
from jobchance.disclosure.overlap import cells_apart_by_few, export_beside
from jobchance.disclosure.policy import DisclosurePolicy

CAUTIOUS = DisclosurePolicy.preset("cautious_dk")


def frame(*persons, **columns):
    level = list("12345678")[: len(persons)]
    made = pd.DataFrame({"level": level, "estimate": 0.123456, "N_citizens": persons, "N_events": 40})
    return protect(made.assign(construct="belief", **columns), CAUTIOUS, output="t")


def test_cells_that_differ_by_a_few_are_found_by_their_words():
    everyone = frame(100, 177, 200)
    assert cells_apart_by_few(frame(100, 174, 190), [everyone], CAUTIOUS).tolist() == [False, True, False]
    assert not cells_apart_by_few(frame(95, 172, 190), [everyone], CAUTIOUS).any()
    assert not cells_apart_by_few(frame(100, 174, 190, respondent="citizen"), [everyone], CAUTIOUS).any()
    banded = frame(100, 174, 190, mark="at_risk")
    assert not cells_apart_by_few(banded, [everyone], CAUTIOUS).any()


def test_what_differs_by_a_few_is_coarse_and_passes_the_check():
    coarse, policy = export_beside(frame(100, 174, 190), [frame(100, 177, 200)], CAUTIOUS)
    assert coarse["N_citizens"].tolist() == [100, 170, 190]
    assert coarse["estimate"].tolist() == [0.12, 0.1, 0.12]
    assert policy.round_base == 10
    assert check(coarse, policy, output="t") == []


def test_other_frames_and_other_policies_stay_as_they_are():
    exact, policy = export_beside(frame(100, 172, 190), [frame(100, 177, 200)], CAUTIOUS)
    assert policy is CAUTIOUS
    assert exact["N_citizens"].tolist() == [100, 172, 190]
    rounded = DisclosurePolicy.preset("ssb")
    _, same = export_beside(frame(100, 174, 190), [frame(100, 177, 200)], rounded)
    assert same is rounded


def test_hidden_rows_are_compared_with_nothing():
    assert not cells_apart_by_few(frame(3, 174), [frame(5, 180)], CAUTIOUS).any()


def test_curves_are_rounded_by_the_size_of_their_group():
    curve = pd.DataFrame(
        {
            "mark": ["curve", "curve", "curve", "gap", "at_risk"],
            "level": ["4", "5", "5", "5", "5"],
            "compared_with": [None, None, None, "4", None],
            "estimate": [6 / 58, 0.1234567, 0.4234567, 0.3199877, float("nan")],
            "N_citizens": [60, 4000, 4000, 4060, 4000],
            "N_events": [6, 500, 1700, 1706, float("nan")],
        }
    )
    coarse, policy = export_beside(curve, [frame(100, 177)], CAUTIOUS)
    assert coarse["estimate"].tolist()[:4] == [0.1, 0.1235, 0.4235, 0.32]
    assert policy is CAUTIOUS
    alone, _ = export_beside(curve, [], CAUTIOUS)
    assert alone["estimate"].iloc[0] == 0.1034483
