import numpy as np
import pandas as pd
import pytest

from jobchance.design.build import build_design
from jobchance.errors import DesignError, FormulaError, SpecError


@pytest.fixture
def data():
    return pd.DataFrame(
        {
            "hits": [1, 0, 3, 2, 4, 0],
            "shots": [2, 1, 4, 4, 4, 3],
            "x": [0.5, 1.5, -1.0, 2.0, 0.0, 1.0],
            "one": [0, 1, 1, 0, 1, 0],
            "sex": ["K", "M", "K", "K", "M", "M"],
            "w": [1.0, 2.0, 3.0, 1.0, 2.0, 5.0],
        }
    )


def binomial(formula, data, **options):
    return build_design(formula, data, outcome="binomial", **options)


def ordinal(values, **options):
    data = pd.DataFrame({"y": values})
    return build_design("y ~ 1", data, outcome="ordinal", **options)


def test_counts_give_shares_and_trials(data):
    design = binomial("cbind(hits, shots - hits) ~ x", data)
    np.testing.assert_allclose(design.outcome, data["hits"] / data["shots"])
    np.testing.assert_array_equal(design.weights, data["shots"])
    assert design.outcome_name == "cbind(hits, shots - hits)"


def test_shares_with_trials_are_the_same_design_as_counts(data):
    data["share"] = data["hits"] / data["shots"]
    one = binomial("cbind(hits, shots - hits) ~ x", data)
    for formula in ("share ~ x", "I(hits / shots) ~ x"):
        two = binomial(formula, data, weights="shots")
        np.testing.assert_array_equal(two.outcome, one.outcome)
        np.testing.assert_array_equal(two.weights, one.weights)


def test_the_number_of_trials_may_be_a_covariate_of_counts(data):
    assert binomial("cbind(hits, shots - hits) ~ shots", data).columns == ("(Intercept)", "shots")
    with pytest.raises(FormulaError, match="stands on the right side too"):
        binomial("cbind(hits, shots - hits) ~ hits", data)


@pytest.mark.parametrize(
    ("values", "levels"),
    [
        ([0, 1, 1, 0, 1, 0], None),
        ([False, True, True, False, True, False], None),
        (["no", "yes", "yes", "no", "yes", "no"], ("no", "yes")),
        (pd.Categorical(list("baabab"), categories=["b", "zz", "a"]), ("b", "a")),
        (pd.array([0, 1, 1, 0, 1, 0], dtype="Int8"), None),
        (pd.array([False, True, True, False, True, False], dtype="boolean"), None),
    ],
)
def test_two_levels(data, values, levels):
    data["y"] = values
    design = binomial("y ~ x", data)
    assert design.outcome.tolist() == [0, 1, 1, 0, 1, 0]
    assert design.outcome_levels == levels
    assert design.weights is None


def test_one_trial_each_needs_no_weights(data):
    data["unit"] = 1
    assert binomial("one ~ x", data, weights="unit").weights is None
    assert binomial("cbind(one, unit - one) ~ x", data).weights is None


@pytest.mark.parametrize(
    ("formula", "options", "message"),
    [
        ("cbind(hits, shots) ~ x", {"weights": "w"}, "leave out weights="),
        ("cbind(x, hits) ~ 1", {}, "x is negative or not a whole number in 3 of 6 rows"),
        ("cbind(hits, hits - hits) ~ 1", {}, "No trial in 2 of 6 rows"),
        ("shots ~ x", {}, "5 of 6 values are below 0 or above 1"),
        ("I(hits / shots) ~ x", {}, "3 of 6 values lie between 0 and 1: a share needs"),
        ("I(hits / shots) ~ 1", {"weights": "x2"}, "2 of 6 weights are not whole numbers"),
        ("I(hits / shots) ~ x", {"weights": "w"}, "not a whole number in 3 of 6 rows"),
        ("C3 ~ x", {}, "has 3 levels in the rows used; a binomial outcome has 2"),
        ("I(one * 0) ~ x", {}, "same value in all 6 rows used"),
        ("cbind(shots, shots - shots) ~ x", {}, "same value in all 6 rows used"),
        ("missing ~ x", {}, "not in the data"),
    ],
)
def test_binomial_outcomes_that_are_refused(data, formula, options, message):
    data["x2"] = [1, 2, 3, 1.5, 2, 2.25]
    data["C3"] = list("abcabc")
    with pytest.raises((DesignError, FormulaError), match=message):
        binomial(formula, data, **options)


def test_a_share_written_as_a_decimal_is_close_enough_but_not_further():
    data = pd.DataFrame({"share": [0.3333333, 0.6666667, 1.0], "n": [3, 3, 3]})
    assert binomial("share ~ 1", data, weights="n").weights.tolist() == [3, 3, 3]
    data["share"] = [0.333, 0.667, 1.0]
    with pytest.raises(DesignError, match="not a whole number in 2 of 3 rows"):
        binomial("share ~ 1", data, weights="n")


def test_counts_are_refused_for_other_families(data):
    with pytest.raises(DesignError, match="binomial family only"):
        build_design("cbind(hits, shots - hits) ~ x", data)
    with pytest.raises(DesignError, match="An ordinal outcome is one column, not cbind"):
        build_design("cbind(hits, shots - hits) ~ x", data, outcome="ordinal")


@pytest.mark.parametrize(
    ("values", "codes", "levels", "note"),
    [
        ([10, 9, 100, 9], [1, 0, 2, 0], ("9", "10", "100"), None),
        ([10.0, -9.0, 100.0, -9.0], [1, 0, 2, 0], ("-9", "10", "100"), None),
        ([True, False, True, True], [1, 0, 1, 1], ("False", "True"), None),
        (["b", "c", "a", "b"], [1, 2, 0, 1], ("a", "b", "c"), "alphabetical order"),
        (
            pd.Categorical(["mid", "low", "high", "low"], ["low", "mid", "high"], ordered=True),
            *([1, 0, 2, 0], ("low", "mid", "high"), None),
        ),
        (
            pd.Categorical(["mid", "low", "high", "low"], ["low", "mid", "high"]),
            *([1, 0, 2, 0], ("low", "mid", "high"), "not marked as ordered"),
        ),
        (
            pd.Categorical(["z", "low", "z", "low"], ["low", "mid", "high", "z"], ordered=True),
            *([1, 0, 1, 0], ("low", "z"), "2 levels of y left out"),
        ),
    ],
)
def test_ordinal_codes(values, codes, levels, note):
    design = ordinal(values)
    assert design.outcome.tolist() == codes
    assert design.outcome.dtype == np.float64
    assert design.outcome_levels == levels
    assert (note is None and not design.notes) or note in design.notes[0]


def test_levels_only_in_incomplete_rows_are_left_out():
    values = pd.Categorical(["a", "b", "c", "a"], ["a", "b", "c"], ordered=True)
    data = pd.DataFrame({"y": values, "x": [1.0, 2.0, np.nan, 5.0]})
    design = build_design("y ~ x", data, outcome="ordinal")
    assert design.outcome_levels == ("a", "b")
    assert design.notes == ("1 level of y left out: not in the rows used.",)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([1, 1, 1], "has 1 level in the rows used; an ordinal outcome has 2 to 100"),
        (list(range(101)), "has 101 levels"),
        ([1.5, 2.0, 3.0], "not a whole number in 1 of 3 rows"),
        ([1, "1", 2], "holds mixed-integer values"),
        (pd.Categorical([1, "1", 1], [1, "1"], ordered=True), "different levels with the same text"),
        ([np.inf, 1.0, 2.0], "Infinite values in y"),
        (pd.to_datetime(["2014-01-01", "2015-01-01", "2015-01-01"]), "holds datetime64"),
    ],
)
def test_ordinal_outcomes_that_are_refused(values, message):
    with pytest.raises(DesignError, match=message):
        ordinal(values)


def test_exactly_a_hundred_levels_are_read():
    assert len(ordinal(list(range(100))).outcome_levels) == 100


def test_weights_and_offset_are_read_on_the_rows_used(data):
    data["w"] = [1.0, np.nan, 3.0, 1.0, 2.0, 5.0]
    data["o"] = [0.1, 0.2, np.nan, 0.4, 0.5, 0.6]
    formula = "x ~ one + offset(shots * 2)"
    design = build_design(formula, data, weights="w", offset="o", allow_offset=True)
    assert dict(design.dropped) == {"w is missing": 1, "o is missing": 1}
    assert design.weights.tolist() == [1, 1, 2, 5]
    np.testing.assert_allclose(design.offset, (2 * data["shots"] + data["o"]).iloc[[0, 3, 4, 5]])


def test_an_offset_in_the_formula_equals_the_argument(data):
    one = build_design("hits ~ x + offset(log(shots))", data, allow_offset=True)
    data["l"] = np.log(data["shots"])
    two = build_design("hits ~ x", data, offset="l")
    np.testing.assert_array_equal(one.offset, two.offset)
    assert one.columns == two.columns
    assert build_design("hits ~ x", data).offset is None


def test_an_offset_is_refused_by_a_model_without_one(data):
    with pytest.raises(FormulaError, match="This model has no offset"):
        build_design("hits ~ x + offset(w)", data)


def test_what_is_wrong_with_weights_and_offset_is_said_at_once(data):
    data["w"] = [0.0, -1.0, 1.0, 0.0, 1.0, 1.0]
    data["o"] = [np.inf, 1, 1, 1, 1, 1]
    data["when"] = pd.Timestamp("2014-01-01")
    with pytest.raises(DesignError) as caught:
        build_design(
            "x ~ when + offset(log(hits)) + offset(sex)", data, weights="w", offset="o", allow_offset=True
        )
    for part in (
        "Infinite values in o (1 row)",
        "column w is zero in 1 and negative in 1 of 5 rows",
        "Leave rows of weight zero out",
        "when holds",
        "Offset: log(hits) is undefined or infinite in 2 of 5 rows",
        "Offset: Column sex is categorical",
    ):
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"weights": "x"}, DesignError, "both the outcome and the weights"),
        ({"offset": "x"}, DesignError, "part of the outcome and the offset"),
        ({"weights": [1, 2]}, SpecError, "weights= is the name of a column or None, not a list"),
        ({"offset": np.ones(6)}, SpecError, "offset= is the name"),
        ({"outcome": "ordered"}, SpecError, "outcome='ordered' is not known"),
        ({"weights": "sex"}, DesignError, "Weights: Column sex is categorical"),
        ({"weights": "v"}, FormulaError, r"1 column is not in the data:\n  v"),
    ],
)
def test_arguments_that_are_refused(data, options, error, message):
    with pytest.raises(error, match=message):
        build_design("x ~ one", data, **options)


def test_the_arrays_are_the_designs_own(data):
    design = build_design("x ~ one", data, weights="w", offset="one")
    for array in (design.outcome, design.weights, design.offset, design.matrix):
        assert array.flags.writeable
        assert array.flags.c_contiguous
        array[:] = -7.0
    assert data["x"].tolist() == [0.5, 1.5, -1.0, 2.0, 0.0, 1.0]
