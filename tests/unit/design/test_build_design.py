import numpy as np
import pandas as pd
import pytest

from jobchance.design.build import build_design, group_codes
from jobchance.design.layout import read_layout
from jobchance.errors import DesignError, FormulaError

N = 24


@pytest.fixture
def data():
    rng = np.random.default_rng(2)
    return pd.DataFrame(
        {
            "y": rng.normal(size=N),
            "x": rng.normal(size=N),
            "z": np.arange(N) % 7 + 1,
            "edu": np.array(["none", "short", "long"])[np.arange(N) % 3],
            "city": pd.Categorical(np.array(["b", "a"])[np.arange(N) // 2 % 2], categories=["b", "a", "zz"]),
            "flag": np.arange(N) // 4 % 2 == 0,
            "my col": rng.normal(size=N),
            "g": np.array(["u", "v", "w"])[np.arange(N) // 8],
        }
    )


def test_categorical_coding_names_and_reference(data):
    design = build_design("y ~ edu + city + flag", data)
    assert design.columns == ("(Intercept)", "edu[none]", "edu[short]", "city[a]", "flag[True]")
    np.testing.assert_array_equal(design.matrix[:, 1], data["edu"] == "none")
    np.testing.assert_array_equal(design.matrix[:, 3], data["city"] == "a")
    np.testing.assert_array_equal(design.matrix[:, 4], data["flag"])


def test_reference_level_by_name_and_number(data):
    assert build_design("y ~ C(edu, ref='none')", data).columns == ("(Intercept)", "edu[long]", "edu[short]")
    columns = build_design("y ~ C(z, ref=7)", data).columns
    assert columns == ("(Intercept)", *(f"z[{i}]" for i in range(1, 7)))


def test_without_intercept_the_first_categorical_column_has_all_levels(data):
    design = build_design("y ~ 0 + x + edu + city", data)
    assert design.columns == ("x", "edu[long]", "edu[none]", "edu[short]", "city[a]")
    assert design.collinear == ()


def test_interaction_without_main_effects_has_all_levels_as_in_r(data):
    design = build_design("y ~ x + x:edu", data)
    assert design.columns == ("(Intercept)", "x", "x:edu[none]", "x:edu[short]")
    design = build_design("y ~ edu:x", data)
    assert design.columns == ("(Intercept)", "edu[long]:x", "edu[none]:x", "edu[short]:x")
    design = build_design("y ~ edu:city", data)
    assert len(design.columns) == 6
    assert design.collinear == ("edu[short]:city[a]",)


def test_products_are_products(data):
    design = build_design("y ~ x*edu", data)
    column = design.columns.index("x:edu[short]")
    np.testing.assert_allclose(design.matrix[:, column], data["x"] * (data["edu"] == "short"))


def test_arithmetic_is_python_arithmetic(data):
    design = build_design("I(y * 2) ~ I((x - 1)**2 / z + -x * 3) + log(z)", data)
    x, z = data["x"], data["z"]
    np.testing.assert_allclose(design.outcome, 2 * data["y"])
    np.testing.assert_allclose(design.matrix[:, 1], (x - 1) ** 2 / z - 3 * x)
    np.testing.assert_allclose(design.matrix[:, 2], np.log(z))


def test_columns_named_like_functions_work(data):
    names = {"x": "C", "z": "log", "my col": "I", "edu": "poly"}
    design = build_design("y ~ C + log(log) + I(I + C) + C(poly)", data.rename(columns=names))
    assert design.columns == ("(Intercept)", "C", "log(log)", "I(I + C)", "poly[none]", "poly[short]")


def test_names_in_backticks_and_danish_letters(data):
    design = build_design("y ~ `my col` + øré", data.rename(columns={"x": "øré"}))
    assert design.columns == ("(Intercept)", "`my col`", "øré")


def test_polynomials_are_orthonormal_and_span_the_powers(data):
    design = build_design("y ~ poly(z, 3)", data)
    basis = design.matrix[:, 1:]
    np.testing.assert_allclose(basis.T @ basis, np.eye(3), atol=1e-10)
    np.testing.assert_allclose(basis.sum(axis=0), 0, atol=1e-10)
    powers = np.vander(data["z"], 4)
    rest = powers - design.matrix @ np.linalg.lstsq(design.matrix, powers, rcond=None)[0]
    np.testing.assert_allclose(rest, 0, atol=1e-8)


def test_spline_spans_the_natural_splines_of_patsy(data):
    from patsy import dmatrix

    design = build_design("y ~ spline(x, df=4)", data)
    knots = np.quantile(data["x"], [0.25, 0.5, 0.75])
    oracle = np.asarray(dmatrix("cr(x, knots=k)", {"x": data["x"], "k": knots}))
    rest = oracle - design.matrix @ np.linalg.lstsq(design.matrix, oracle, rcond=None)[0]
    np.testing.assert_allclose(rest, 0, atol=1e-9)
    assert np.linalg.matrix_rank(oracle) == design.matrix.shape[1] == 5


def test_spline_is_linear_beyond_the_outer_knots(data):
    layout = build_design("y ~ spline(x, df=4)", data).layout
    far = layout.matrix(pd.DataFrame({"x": data["x"].max() + np.array([1.0, 2.0, 3.0])}))
    np.testing.assert_allclose(np.diff(far, n=2, axis=0), 0, atol=1e-9)


def test_rows_with_missing_values_are_left_out_and_counted(data):
    data.loc[[0, 1], "x"] = np.nan
    data.loc[[1, 2], "edu"] = None
    data.loc[3, "g"] = None
    design = build_design("y ~ x + edu", data, required=("g",))
    assert dict(design.dropped) == {"x is missing": 2, "edu is missing": 1, "g is missing": 1}
    assert dict(design.missing) == {"x": 2, "edu": 2, "g": 1}
    assert design.used.tolist() == list(range(4, N))
    assert len(design.outcome) == N - sum(design.dropped.values())


def test_nullable_and_object_columns_are_read_as_what_they_hold(data):
    data["whole"] = pd.array([1, 2, None] * 8, dtype="Int64")
    data["truth"] = pd.array([True, False, None, True] * 6, dtype="boolean")
    data["loose"] = pd.Series([1, 2.5, None, 7] * 6, dtype=object)
    design = build_design("y ~ whole + truth + loose", data)
    assert design.columns == ("(Intercept)", "whole", "truth[True]", "loose")
    assert len(design.used) == int(data[["whole", "truth", "loose"]].notna().all(axis=1).sum())


def test_collinear_columns_go_later_ones_first_and_are_named(data):
    data["twice"] = 2 * data["x"]
    data["same"] = 5
    design = build_design("y ~ x + twice + same + z", data)
    assert design.columns == ("(Intercept)", "x", "z")
    assert design.collinear == ("twice", "same")
    assert design.layout.matrix(data).shape == (N, 3)


def test_new_data_get_the_same_columns(data):
    formula = "y ~ edu*x + C(z, ref=3) + poly(x, 2) + spline(`my col`, df=3) + log(z) + flag"
    design = build_design(formula, data)
    part = data.iloc[[5, 2, 11]].drop(columns="y").reset_index(drop=True)
    part["city"] = "never used"
    expected = design.matrix[[5, 2, 11]]
    np.testing.assert_allclose(design.layout.matrix(part), expected)
    stored = read_layout(design.layout.to_dict())
    assert stored.columns == design.layout.columns
    assert stored.terms == design.layout.terms
    np.testing.assert_allclose(stored.matrix(part), expected)


def test_new_data_with_missing_values_give_nan_rows(data):
    layout = build_design("y ~ edu + x", data).layout
    new = pd.DataFrame({"edu": ["none", None, "long"], "x": [1.0, 2.0, np.nan]})
    assert np.isnan(layout.matrix(new)).all(axis=1).tolist() == [False, True, True]


def test_levels_not_seen_are_counted_by_column_and_not_shown(data):
    layout = build_design("y ~ edu + city", data).layout
    new = pd.DataFrame({"edu": ["secret", "none", "secret"], "city": ["a", "hidden", "b"]})
    with pytest.raises(DesignError) as caught:
        layout.matrix(new)
    text = str(caught.value)
    assert "edu" in text
    assert "2 rows" in text
    assert "city" in text
    assert "1 row" in text
    assert "secret" not in text
    assert "hidden" not in text


def test_all_absent_columns_are_listed_with_the_nearest(data):
    with pytest.raises(FormulaError) as caught:
        build_design("y ~ ex + EDU + nowhere", data)
    assert "3 columns are not in the data" in str(caught.value)
    assert "EDU (did you mean edu?)" in str(caught.value)


def test_all_problems_are_listed_at_once(data):
    data["one"] = "same"
    data["when"] = pd.Timestamp("2014-01-01")
    with pytest.raises(DesignError) as caught:
        build_design("edu ~ one + when + log(x) + poly(z, 9) + C(city, ref='q')", data)
    for part in (
        "Outcome",
        "one has 1 level",
        "when holds",
        "log(x) is undefined",
        "poly(z, 9)",
        'no level "q"',
    ):
        assert part in str(caught.value)


def test_infinite_values_are_counted(data):
    data.loc[[1, 4], "x"] = np.inf
    with pytest.raises(DesignError, match=r"x \(2 rows\)"):
        build_design("y ~ x", data)
    layout = build_design("y ~ z", data).layout
    with pytest.raises(DesignError, match=r"z \(1 row\)"):
        layout.matrix(pd.DataFrame({"z": [1.0, -np.inf]}))


def test_nothing_left_says_where_the_missing_values_are(data):
    data["x"] = np.nan
    with pytest.raises(DesignError, match=r"No complete row among 24: x is missing in 24"):
        build_design("y ~ x + z", data)


def test_a_column_of_many_levels_is_refused_before_memory_is_taken():
    n = 200_000
    data = pd.DataFrame({"y": np.zeros(n), "id": np.arange(n)})
    with pytest.raises(DesignError, match="belongs in a random effect"):
        build_design("y ~ C(id)", data)


def test_values_beyond_arithmetic_are_refused(data):
    data["huge"] = data["x"] * 1e200
    with pytest.raises(DesignError, match="too large or too small to compute with in: huge"):
        build_design("y ~ huge", data)


def test_a_column_coded_in_two_ways_is_refused(data):
    with pytest.raises(DesignError, match="coded in two ways"):
        build_design("y ~ C(z, ref=1) + C(z, ref=2)", data)


def test_duplicate_columns_are_refused(data):
    twice = pd.concat([data, data[["x"]]], axis=1)
    with pytest.raises(DesignError, match="more than one column of the name: x"):
        build_design("y ~ x", twice)


def test_random_blocks(data):
    data.loc[0, "g"] = None
    design = build_design("y ~ x + (1 + x | g) + (0 + z | g) + (1 | g:edu)", data)
    first, second, third = design.random
    assert second.layout.columns == ("z",)
    assert design.groups == {"g": 3, "g:edu": 9}
    assert (first.group, first.layout.columns, first.matrix.shape) == ("g", ("(Intercept)", "x"), (N - 1, 2))
    assert [first.levels[code] for code in first.codes] == data["g"].iloc[1:].tolist()
    assert second.matrix.shape == (N - 1, 1)
    pairs = (data["g"] + ":" + data["edu"]).iloc[1:].tolist()
    assert [third.levels[code] for code in third.codes] == pairs


def test_group_codes_of_combinations_have_no_gaps(data):
    codes, levels = group_codes(["g", "flag"], data)
    assert sorted(set(codes)) == list(range(len(levels)))


def test_columns_whose_name_is_no_text_are_absent(data):
    with pytest.raises(FormulaError, match="1 column is not in the data:\n  3"):
        build_design("y ~ `3`", data.rename(columns={"x": 3}))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([10**400, 1] * (N // 2), "whole numbers too large"),
        ([1, "1"] * (N // 2), "holds mixed-integer values"),
        ([1 + 2j, 3j] * (N // 2), "holds complex values"),
        ([[1], [2]] * (N // 2), "holds mixed values"),
    ],
)
def test_columns_that_are_neither_numbers_nor_text_are_refused(data, values, message):
    data["odd"] = pd.Series(values, dtype=object)
    with pytest.raises(DesignError, match=message):
        build_design("y ~ odd", data)


def test_the_same_index_twice_is_no_trouble(data):
    data.index = [0] * N
    data.iloc[2, data.columns.get_loc("x")] = np.nan
    design = build_design("y ~ x + edu", data)
    assert design.used.tolist() == [0, 1, *range(3, N)]


def test_columns_that_differ_in_the_last_rows_only_are_kept():
    n = 60_000
    x = np.random.default_rng(3).normal(size=n)
    data = pd.DataFrame({"y": x**2, "x": x, "late": x, "sum": x})
    data.loc[n - 5 :, "late"] += [3.0, -1.0, 2.0, 0.0, 1.0]
    data["sum"] = data["x"] - 2 * data["late"] + 4
    design = build_design("y ~ x + late + sum", data)
    assert design.columns == ("(Intercept)", "x", "late")
    assert design.collinear == ("sum",)
