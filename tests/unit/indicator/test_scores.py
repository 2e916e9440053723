"""Scale scores: reversal once, the missing-item rule, "don't know" as an answer without a number."""

from datetime import date

import numpy as np
import pandas as pd
import pytest

from jobchance.errors import SpecError
from jobchance.indicator.scores import score_scale, turned
from jobchance.study.instrument import Construct, Instrument, Item, Scale
from jobchance.study.model import Study


def item(item_id, *, reverse=False, high=5):
    return Item(item_id, "c", "caseworker", 1, high, {}, {}, reverse, True, "placeholder", "placeholder", "")


def study_of(ratings, *, min_answered=2, items=None):
    items = items or (item("q1"), item("q2", reverse=True), item("q3"), item("other"))
    scale = Scale("s", {}, ("q1", "q2", "q3"), min_answered)
    instrument = Instrument("t", "1", (Construct("c", 1, {}, True, "placeholder", ""),), items, (scale,))
    table = pd.DataFrame(ratings, columns=["measurement_id", "item_id", "value", "missing_reason"])
    return Study({"rating": table}, instrument, "t", "t", "simulated", "da", date(2016, 1, 1))


def test_score_is_the_mean_of_the_answered_items_with_reversal_once():
    rows = [("m1", "q1", 4, None), ("m1", "q2", 1, None), ("m1", "q3", 3, None), ("m1", "other", 1, None)]
    scores = score_scale(study_of(rows), "s")
    assert scores.to_dict("records") == [
        {"measurement_id": "m1", "score": 4.0, "n_answered": 3, "n_items": 3, "n_scored": 3}
        | {"dont_know_share": 0.0}
    ]


@pytest.mark.parametrize(("min_answered", "score"), [(1, 4.0), (2, 4.0), (3, np.nan)])
def test_min_answered_counts_items_with_a_number(min_answered, score):
    rows = [("m1", "q1", 3, None), ("m1", "q2", 1, None), ("m1", "q3", np.nan, "refused")]
    found = score_scale(study_of(rows, min_answered=min_answered), "s").iloc[0]
    np.testing.assert_equal(found["score"], score)
    assert (found["n_answered"], found["dont_know_share"]) == (2, 0)


def test_dont_know_is_answered_but_neither_scored_nor_counted_towards_the_minimum():
    rows = [("m1", "q1", 5, None), ("m1", "q2", np.nan, "dont_know"), ("m1", "q3", np.nan, "dont_know")]
    found = score_scale(study_of(rows), "s").iloc[0]
    assert np.isnan(found["score"])
    assert (found["n_answered"], found["n_scored"]) == (3, 1)
    assert found["dont_know_share"] == pytest.approx(2 / 3)
    assert score_scale(study_of(rows, min_answered=1), "s")["score"].tolist() == [5]


def test_rows_may_come_in_any_order_and_measurements_without_the_items_are_absent():
    rows = [("m2", "q1", 2, None), ("m1", "q3", 5, None), ("m2", "q2", 4, None), ("m1", "q1", 1, None)]
    rows += [("m3", "other", 1, None)]
    forwards = score_scale(study_of(rows), "s")
    assert forwards["measurement_id"].tolist() == ["m1", "m2"]
    assert forwards["score"].tolist() == [3, 2]
    pd.testing.assert_frame_equal(forwards, score_scale(study_of(rows[::-1]), "s"))


def test_unknown_scale_and_mixed_ranges_are_refused():
    study = study_of([("m1", "q1", 2, None)], items=(item("q1"), item("q2", high=10), item("q3")))
    with pytest.raises(SpecError, match=r"different ranges: 1-5, 1-10"):
        score_scale(study, "s")
    with pytest.raises(SpecError, match="no scale"):
        score_scale(study, "t")


def test_turned_reverses_about_the_middle_of_the_items_own_scale():
    ids = pd.Series(["q2", "q1", "q2"])
    found = turned(ids, pd.Series([2, 2, np.nan]), [item("q1"), item("q2", reverse=True, high=10)])
    np.testing.assert_equal(found.tolist(), [9, 2, np.nan])
