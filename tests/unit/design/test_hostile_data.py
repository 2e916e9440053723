import datetime
import time
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from jobchance.design.build import build_design
from jobchance.design.groups import Levels, grouping
from jobchance.errors import DesignError, FormulaError

N = 12
FORMULA = "y ~ x + (z | g)"
ROLES = {"weights": "w", "offset": "o", "required": ("c",)}


@pytest.fixture
def data():
    rng = np.random.default_rng(4)
    frame = pd.DataFrame({name: rng.normal(size=N) + 9 for name in ("y", "x", "z", "w", "o", "c")})
    return frame.assign(g=np.arange(N) % 4 + 0.0)


def _groups(values, formula="y ~ (1 | g)"):
    frame = pd.DataFrame({"g": values, "h": 1})
    frame["y"] = np.arange(len(frame), dtype=float)
    return build_design(formula, frame).random[0]


@pytest.mark.parametrize("column", ["y", "x", "z", "g", "w", "o", "c"])
def test_a_missing_value_in_any_role_drops_the_row_and_is_counted(data, column):
    data.loc[5, column] = np.nan
    design = build_design(FORMULA, data, **ROLES)
    assert dict(design.dropped) == {f"{column} is missing": 1}
    assert 5 not in design.used
    for array in (design.outcome, design.matrix, design.weights, design.offset, design.random[0].matrix):
        assert len(array) == N - 1
        assert np.isfinite(array).all()


@pytest.mark.parametrize("column", ["y", "x", "z", "g", "w", "o", "c"])
@pytest.mark.parametrize("loose", [False, True])
def test_an_infinite_value_in_any_role_is_an_error(data, column, loose):
    data.loc[5, column] = -np.inf
    if loose:
        data[column] = data[column].astype(object)
    with pytest.raises(DesignError, match=rf"Infinite values in {column} \(1 row\)"):
        build_design(FORMULA, data, **ROLES)


@pytest.mark.parametrize("column", ["y", "x", "z", "w", "o"])
@pytest.mark.parametrize("scale", [1e150, 1e-150])
def test_values_beyond_arithmetic_in_any_role_are_an_error(data, column, scale):
    data[column] *= scale
    with pytest.raises(DesignError, match=f"too large or too small to compute with in: {column}"):
        build_design(FORMULA, data, **ROLES)


@pytest.mark.parametrize("column", ["y", "x", "z", "g", "w", "o", "c"])
def test_a_column_twice_in_any_role_is_an_error(data, column):
    twice = pd.concat([data, data[[column]]], axis=1)
    with pytest.raises(DesignError, match=f"more than one column of the name: {column}"):
        build_design(FORMULA, twice, **ROLES)


def test_no_rows_at_all(data):
    with pytest.raises(DesignError, match="No complete row among 0"):
        build_design(FORMULA, data.iloc[:0], **ROLES)
    with pytest.raises(FormulaError, match="7 columns are not in the data"):
        build_design(FORMULA, pd.DataFrame(), **ROLES)


@pytest.mark.parametrize(
    ("values", "levels"),
    [
        ([0.5, 1.5, 0.25, 0.5], ("0.25", "0.5", "1.5")),
        ([3.0, 20.0, 3.0, -1.0], ("-1", "3", "20")),
        ([0.0, -0.0, 1.0, 1.0], ("0", "1")),
        ([2**60, 2**60 + 1, 2**60, 5], ("5", str(2**60), str(2**60 + 1))),
        ([10**400, 3, 10**400, 4], ("3", "4", str(10**400))),
        (np.array([2**64 - 1, 0, 1, 1], dtype=np.uint64), ("0", "1", str(2**64 - 1))),
        ([True, False, True, True], ("False", "True")),
        (["å", "æ", "", "nan"], ("", "nan", "å", "æ")),
        (["日本", "b\x00", "b", "a b"], ("a b", "b", "b\x00", "日本")),
        (pd.array([3, 1, 20, 1], dtype="Int64"), ("1", "3", "20")),
        (pd.array([True, False, True, False], dtype="boolean"), ("False", "True")),
        (pd.array(["b", "a", "b", "c"], dtype="string"), ("a", "b", "c")),
        (pd.Categorical(list("baba"), categories=["b", "never", "a"]), ("b", "a")),
        (pd.Categorical([2.5, 1.0, 2.5, 1.0]), ("1", "2.5")),
        ([Decimal("1.5"), Decimal(2), Decimal("1.5"), Decimal(1)], ("1", "1.5", "2")),
        (pd.to_datetime(["2014-02-01", "2014-01-01"] * 2), ("2014-01-01 00:00:00", "2014-02-01 00:00:00")),
        ([datetime.date(2014, 2, 1), datetime.date(2014, 1, 1)] * 2, ("2014-01-01", "2014-02-01")),
        (pd.PeriodIndex(["2014-02", "2014-01"] * 2, freq="M"), ("2014-01", "2014-02")),
        (pd.Series([1, 2.5, 1.0, 7], dtype=object), ("1", "2.5", "7")),
    ],
)
def test_groupings_of_any_one_kind(values, levels):
    block = _groups(values)
    assert block.levels == levels
    assert block.codes.dtype == np.int64
    assert block.n_levels == len(levels)
    assert np.array_equal(np.unique(block.codes), np.arange(len(levels)))


@pytest.mark.parametrize(
    "values",
    [
        pd.Series([1, "1", 2, 2], dtype=object),
        pd.Series([1, "secret", 2, 2], dtype=object),
        pd.Series([True, "secret", 2.5, 2], dtype=object),
        pd.Series([[1], [2], [1], [2]], dtype=object),
        pd.Series([(1, 2), (1, 3)] * 2, dtype=object),
        pd.Series([b"secret", b"b"] * 2, dtype=object),
        pd.Series([1 + 2j, 3j] * 2),
        pd.Series([object(), object()] * 2),
        pd.Categorical([1, "1", 1, "1"], [1, "1"]),
        pd.to_timedelta([1, 2, 1, 2], unit="D"),
        [datetime.datetime(2014, 1, 1), datetime.datetime(2014, 1, 2, tzinfo=datetime.UTC)] * 2,
    ],
    ids=range(11),
)
@pytest.mark.filterwarnings("error")
def test_groupings_of_mixed_kinds_are_refused_without_their_values(values):
    column = pd.Series(values, dtype=object) if isinstance(values, list) else values
    with pytest.raises(DesignError, match=r"^(Column|Grouping) g h") as caught:
        _groups(column)
    assert "secret" not in str(caught.value)


def test_one_level_is_refused_with_the_other_problems(data):
    data["g"], data["x"] = 7.0, "only"
    with pytest.raises(DesignError) as caught:
        build_design(FORMULA, data)
    assert "Column g has 1 level in the rows used; at least 2 are needed." in str(caught.value)
    assert "Column x has 1 level" in str(caught.value)
    assert _groups([1, 2, 3], "y ~ (1 | g:h)").n_levels == 3


def test_combinations_whose_texts_meet_are_refused():
    frame = pd.DataFrame({"a": ["p:q", "p", "p"], "b": ["r", "q:r", "z"], "y": [1.0, 2.0, 3.0]})
    with pytest.raises(DesignError, match="Grouping a:b has different levels with the same text"):
        build_design("y ~ (1 | a:b)", frame)
    assert build_design("y ~ (1 | a)", frame).random[0].levels == ("p", "p:q")
    frame["b"] = ["r", "qr", "z"]
    assert build_design("y ~ (1 | a:b)", frame).random[0].levels == ("p:qr", "p:z", "p:q:r")


def test_a_column_named_as_a_combination_is_refused_beside_it(data):
    data["g:c"] = data["g"]
    assert build_design("y ~ (1 | `g:c`)", data).groups == {"g:c": 4}
    with pytest.raises(FormulaError, match="is a column and a combination of columns"):
        build_design("y ~ (1 | `g:c`) + (1 | g:c)", data)


def test_columns_named_like_parts_of_the_language(data):
    names = {"x": "offset", "z": "cbind", "g": "1", "w": "(Intercept)", "o": "~", "y": "0"}
    formula = "`0` ~ offset + offset(offset * 2) + `(Intercept)` + (cbind | `1`)"
    design = build_design(formula, data.rename(columns=names), offset="~", allow_offset=True)
    assert design.columns == ("(Intercept)", "offset", "`(Intercept)`")
    assert design.random[0].layout.columns == ("(Intercept)", "cbind")
    assert design.groups == {"1": 4}
    np.testing.assert_allclose(design.offset, 2 * data["x"] + data["o"])


@pytest.mark.parametrize("kind", ["whole", "text", "category"])
def test_a_million_levels_are_quick_and_combinations_do_not_overflow(kind):
    n = 1_000_000
    ids = np.random.default_rng(5).permutation(n).astype(np.int64) * 4_000_000_007
    frame = pd.DataFrame({"a": ids, "b": ids[::-1] + 1})
    if kind == "text":
        frame = frame.astype(str)
    elif kind == "category":
        frame = frame.astype("category")
    start = time.process_time()
    codes, levels = grouping(["a", "b"], frame)
    assert time.process_time() - start < 20
    assert len(levels) == n
    assert np.array_equal(np.sort(codes), np.arange(n))
    row = int(np.flatnonzero(codes == n // 2)[0])
    assert levels[n // 2] == f"{frame['a'].iloc[row]}:{frame['b'].iloc[row]}"


def test_texts_of_levels_are_made_when_asked_for_and_behave_as_a_sequence():
    _, levels = grouping(["g"], pd.DataFrame({"g": [3, 1, 2]}))
    assert "texts" not in vars(levels)
    assert len(levels) == 3
    assert "texts" not in vars(levels)
    assert isinstance(levels, Levels)
    assert (list(levels), levels[-1], levels[:2], "2" in levels) == (["1", "2", "3"], "3", ("1", "2"), True)


def test_no_message_shows_a_value():
    secret = "0101801234"
    frame = pd.DataFrame(
        {
            "y": [secret, "b", "c"],
            "x": ["only"] * 3,
            "g": pd.Series([secret, 1, 2.5], dtype=object),
            "w": [secret, "2", "3"],
            "n": [-101801234.5, 0.0, 1.0],
        }
    )
    for kind in ("numeric", "binomial", "ordinal"):
        for formula in ("y ~ x + log(n) + (1 | g)", "n ~ x + (1 | g)", "cbind(n, y) ~ x + (1 | g)"):
            with pytest.raises(DesignError) as caught:
                build_design(formula, frame, weights="w", offset="x", outcome=kind)
            assert secret not in str(caught.value)
            assert "101801234" not in str(caught.value)
