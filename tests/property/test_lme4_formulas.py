"""lme4's formula language: random terms against formulae, their columns against formulaic, rewriting."""

import re

import formulae
import numpy as np
import pandas as pd
import pytest
from formulaic import Formula as FormulaicFormula
from hypothesis import given, settings
from hypothesis import strategies as st

from jobchance.design.build import build_design
from jobchance.design.formula import parse_formula
from jobchance.errors import FormulaError

N = 90
RNG = np.random.default_rng(11)
DATA = pd.DataFrame(
    {
        "y": RNG.normal(size=N),
        "x": RNG.normal(size=N),
        "z": RNG.normal(size=N),
        "a": RNG.choice(list("pqr"), N),
        "b": RNG.choice(list("uv"), N),
        "g": RNG.choice(list("abcdefg"), N),
        "h": RNG.choice(["h1", "h2", "h10"], N),
        "k": RNG.integers(0, 30, N),
        "few": RNG.integers(1, 9, N),
        "more": RNG.integers(1, 9, N),
    }
)
QUICK = settings(max_examples=60, deadline=None, derandomize=True)
TREES = settings(max_examples=100, deadline=None, derandomize=True)

# Effects that formulae codes by R's rules: margins of every interaction are there. (For `a:x` alone it leaves
# out the reference level, R does not; that is compared with formulaic below.)
EFFECTS = ["1", "x", "1 + x", "0 + x", "-1 + x", "x + z", "0 + x + z", "x*z", "x:z", "a", "1 + a", "0 + a"]
EFFECTS += ["x + a", "a*x", "x*a", "a*b", "0 + x:z", "(x + z)**2"]
GROUPS = ["g", "h", "k", "g:h", "h:g", "h:k", "g/h", "h/g/k", "g:h:k"]

effects, groups = st.sampled_from(EFFECTS), st.sampled_from(GROUPS)
fixed_parts = st.sampled_from(["1", "x", "x*a", "0 + x", "0 + a + x", "a:x + z", "-1 + a"])
atoms = st.sampled_from(["x", "z", "a", "b", "I(x**2)", "I(x*z + 1)"])
trees = st.recursive(
    atoms,
    lambda inner: st.builds(
        lambda left, sign, right: f"({left}){sign}({right})",
        inner,
        st.sampled_from([" + ", ":", "*"]),
        inner,
    ),
    max_leaves=4,
)


def _built(right, left="y", **options):
    return build_design(f"{left} ~ {right}", DATA, allow_offset=True, **options)


def _random_columns(block):
    """The columns of Z by name: effect and level."""
    return {
        f"{effect}|{level}": np.where(block.codes == code, block.matrix[:, j], 0.0)
        for j, effect in enumerate(block.layout.columns)
        for code, level in enumerate(block.levels)
    }


def _formulae_columns(right):
    """The same from formulae, by grouping; combinations that do not occur are left out."""
    found = {}
    part = formulae.design_matrices(f"y ~ {right}", DATA).group
    for name, term in part.terms.items():
        grouping = name.rsplit("|", 1)[1]
        occurring = set(_levels(grouping))
        columns = part[name].toarray() if hasattr(part[name], "toarray") else np.asarray(part[name])
        for label, column in zip(term.labels, columns.T, strict=True):
            effect, level = label.rsplit("|", 1)
            effect = "(Intercept)" if effect == "1" else effect
            level = ":".join(re.findall(r"\[(.*?)\]", level))
            if level in occurring:
                found.setdefault(grouping, {})[f"{effect}|{level}"] = column
    return found


def _levels(grouping):
    """Levels that occur, found without our code."""
    return DATA[grouping.split(":")].astype(str).agg(":".join, axis=1).unique()


def _same(one, other):
    """Two designs are the same up to the text of the formula."""
    assert one.columns == other.columns
    np.testing.assert_array_equal(one.matrix, other.matrix)
    assert len(one.random) == len(other.random)
    for mine, yours in zip(one.random, other.random, strict=True):
        assert (mine.group, mine.levels, mine.correlated) == (yours.group, yours.levels, yours.correlated)
        assert mine.layout.columns == yours.layout.columns
        np.testing.assert_array_equal(mine.codes, yours.codes)
        np.testing.assert_array_equal(mine.matrix, yours.matrix)


def _span(matrix):
    """Projection on the column space."""
    left, values, _ = np.linalg.svd(matrix, full_matrices=False)
    left = left[:, values > 1e-9 * values[0]]
    return left @ left.T


@TREES
@given(fixed_parts, st.lists(st.tuples(effects, groups), min_size=1, max_size=3))
def test_random_columns_are_those_of_formulae(fixed, parts):
    right = " + ".join([fixed, *(f"({effect} | {group})" for effect, group in parts)])
    try:
        design = _built(right)
    except FormulaError as error:
        if len(parts) == 1 or "in two random terms" not in str(error):
            raise
        return
    theirs = _formulae_columns(right)
    ours = {}
    for block in design.random:
        ours.setdefault(block.group, {}).update(_random_columns(block))
    assert ours.keys() == theirs.keys()
    for group, columns in ours.items():
        assert columns.keys() == theirs[group].keys()
        for name, column in columns.items():
            np.testing.assert_allclose(column, theirs[group][name], atol=1e-12)


@TREES
@given(st.sampled_from(["", "0 + ", "1 + "]), trees, groups)
def test_effects_span_the_columns_of_formulaic(start, tree, group):
    theirs = np.asarray(FormulaicFormula(start + tree).get_model_matrix(DATA), dtype=float)
    for block in _built(f"1 + ({start}{tree} | {group})").random:
        np.testing.assert_allclose(_span(block.matrix), _span(theirs), atol=1e-7)


@QUICK
@given(st.sampled_from(["", "0 + "]), trees, effects, groups, st.sampled_from(["z", "x * z", "log(few)"]))
def test_random_terms_and_offsets_leave_the_fixed_part_alone(start, tree, effect, group, offset):
    alone = _built(start + tree)
    design = _built(f"{start}{tree} + offset({offset}) + ({effect} | {group})")
    assert design.columns == alone.columns
    np.testing.assert_array_equal(design.matrix, alone.matrix)
    expected = {"z": DATA["z"], "x * z": DATA["x"] * DATA["z"], "log(few)": np.log(DATA["few"])}
    np.testing.assert_allclose(design.offset, expected[offset])
    theirs = np.asarray(FormulaicFormula(start + tree).get_model_matrix(DATA), dtype=float)
    np.testing.assert_allclose(_span(design.matrix), _span(theirs), atol=1e-7)


@QUICK
@given(groups, st.randoms(use_true_random=False))
def test_codes_are_the_groups_of_pandas_and_follow_the_rows(group, random):
    order = list(range(N))
    random.shuffle(order)
    design = _built(f"(1 | {group})")
    again = build_design(f"y ~ (1 | {group})", DATA.iloc[order])
    for block, shuffled in zip(design.random, again.random, strict=True):
        expected = DATA.groupby(block.group.split(":")).ngroup().to_numpy()
        np.testing.assert_array_equal(block.codes, expected)
        np.testing.assert_array_equal(shuffled.codes, block.codes[order])
        assert shuffled.levels == block.levels
        assert set(block.levels) == set(_levels(block.group))
        assert block.n_levels == len(block.levels) == expected.max() + 1


@QUICK
@given(trees, groups)
def test_the_intercept_is_there_unless_it_is_taken_away(tree, group):
    _same(_built(f"x + ({tree} | {group})"), _built(f"x + (1 + {tree} | {group})"))
    without = _built(f"x + (0 + {tree} | {group})")
    for spelling in (f"-1 + {tree}", f"{tree} - 1", f"{tree} + 0"):
        _same(without, _built(f"x + ({spelling} | {group})"))


@QUICK
@given(effects)
def test_nested_groupings_are_crossed_out(effect):
    _same(_built(f"({effect} | g/h)"), _built(f"({effect} | g) + ({effect} | g:h)"))
    three = f"({effect} | g) + ({effect} | g:h) + ({effect} | g:h:k)"
    _same(_built(f"({effect} | g/h/k)"), _built(three))


@QUICK
@given(effects.filter(lambda effect: effect != "1"), groups)
def test_two_bars_hold_the_same_columns_without_correlations(effect, group):
    one, two = _built(f"({effect} | {group})"), _built(f"({effect} || {group})")
    for mine, yours in zip(one.random, two.random, strict=True):
        assert (mine.correlated, yours.correlated) == (True, False)
        assert mine.layout.columns == yours.layout.columns
        np.testing.assert_array_equal(mine.matrix, yours.matrix)


@pytest.mark.parametrize(
    ("right", "columns"),
    [
        ("(1 | g)", ("(Intercept)",)),
        ("0 + x + (1 | g)", ("x",)),
        ("x - 1 + (1 | g)", ("x",)),
        ("(1 | g) + x", ("(Intercept)", "x")),
        ("0 + (1 | g) + a", ("a[p]", "a[q]", "a[r]")),
    ],
)
def test_the_fixed_part_beside_random_terms(right, columns):
    assert _built(right).columns == columns


def test_several_terms_of_one_grouping_stay_apart():
    design = _built("(1 | g) + (0 + x | g) + (0 + a || g) + (1 | h)")
    assert [block.group for block in design.random] == ["g", "g", "g", "h"]
    assert [block.layout.columns for block in design.random[:3]] == [
        ("(Intercept)",),
        ("x",),
        ("a[p]", "a[q]", "a[r]"),
    ]


def test_numbers_as_categories_among_the_effects():
    whole, varied = _built("(0 + C(few) | g)"), _built("(C(few) | g)")
    assert whole.random[0].layout.columns == tuple(f"few[{i}]" for i in range(1, 9))
    assert varied.random[0].layout.columns == ("(Intercept)", *(f"few[{i}]" for i in range(2, 9)))


@pytest.mark.parametrize(
    "right",
    [
        "(1 | g) + (1 | g)",
        "(1 | g) + (x | g)",
        "(x || g) + (x | g)",
        "(0 + x | g) + (0 + x || g)",
        "(1 | g/h) + (1 | g:h)",
        "(1 | g:h) + (1 | h:g)",
        "(0 + x:z | g) + (0 + z:x | g)",
        "(1 | g + g/h)",
    ],
)
def test_an_effect_that_varies_twice_is_refused(right):
    with pytest.raises(FormulaError):
        parse_formula(f"y ~ x + {right}")


@pytest.mark.parametrize(
    ("right", "message"),
    [
        ("x:offset(z)", "offset\\(\\) stands alone between plus signs"),
        ("(x + offset(z) | g)", "an offset is the same for every group"),
        ("x - offset(z)", "cannot be subtracted"),
        ("offset(z) + offset(z)", "or stand here twice"),
        ("offset(z, x)", "write offset\\(z\\)"),
        ("offset(2)", "names no column"),
        ("offset(poly(z, 2))", "cannot stand in arithmetic"),
        ("offset()", "write offset\\(z\\)"),
        ("I(offset(z))", "cannot stand in arithmetic"),
        ("offset(y)", "on the right side too"),
        ("(1 | offset(g))", "offset\\(\\) stands alone"),
        ("cbind(x, z)", "cbind\\(\\) stands alone on the left side"),
        ("(1 | g + h)", "cannot stand here"),
        ("(1 | factor(g))", "use C"),
        ("(0 | g)", "no effect stands before the bar"),
        ("( | g)", "random-effects term"),
        ("(1 | 1)", "a number cannot stand here"),
        ("(1 ||| g)", "stands in parentheses"),
        ("(1 | g | h)", "one bar"),
        ("us(1 | g)", "not a function here"),
    ],
)
def test_what_is_outside_the_language_is_refused(right, message):
    with pytest.raises(FormulaError, match=message):
        parse_formula(f"y ~ x + {right}")


@pytest.mark.parametrize(
    "left",
    ["cbind(few)", "cbind(few, more, k)", "cbind(1, few)", "cbind(few, a='b')", "log(cbind(few, more))"],
)
def test_counts_outside_the_language_are_refused(left):
    with pytest.raises(FormulaError):
        parse_formula(f"{left} ~ x")


@QUICK
@given(effects, groups)
def test_counts_are_those_of_the_columns(effect, group):
    design = _built(f"z + ({effect} | {group})", left="cbind(few, I(few + more) - few)", outcome="binomial")
    np.testing.assert_array_equal(design.weights, DATA["few"] + DATA["more"])
    np.testing.assert_allclose(design.outcome * design.weights, DATA["few"], rtol=1e-12)
