"""Invariances of the formula layer, and agreement with formulaic on what both accept."""

import contextlib

import numpy as np
import pandas as pd
from formulaic import Formula as FormulaicFormula
from hypothesis import given, settings
from hypothesis import strategies as st

from jobchance.design.build import build_design
from jobchance.design.formula import parse_formula
from jobchance.design.layout import read_layout
from jobchance.errors import DesignError, FormulaError

N = 120
RNG = np.random.default_rng(7)
DATA = pd.DataFrame(
    {
        "y": RNG.normal(size=N),
        "x": RNG.normal(size=N),
        "z": RNG.normal(size=N),
        "a": RNG.choice(list("pqr"), N),
        "b": RNG.choice(list("uv"), N),
        "c": RNG.choice(list("klm"), N),
    }
)
QUICK = settings(max_examples=80, deadline=None, derandomize=True)

atoms = st.sampled_from(["x", "z", "a", "b", "c", "I(x**2)", "I(x*z + 1)", "log(x**2 + 1)"])
trees = st.recursive(
    atoms,
    lambda inner: st.builds(
        lambda left, operator, right: f"({left}){operator}({right})",
        inner,
        st.sampled_from([" + ", ":", "*"]),
        inner,
    ),
    max_leaves=5,
)
sides = st.builds(lambda start, tree: start + tree, st.sampled_from(["", "0 + ", "1 + "]), trees)


def _projection(matrix):
    """Projection on the column space, by a singular value decomposition."""
    left, values, _ = np.linalg.svd(matrix, full_matrices=False)
    left = left[:, values > 1e-9 * values[0]]
    return left @ left.T


def _formulaic(side):
    """The matrix of formulaic; our log() is written as its arithmetic."""
    text = side.replace("log(x**2 + 1)", "{np.log(x**2 + 1)}")
    return np.asarray(FormulaicFormula(text).get_model_matrix(DATA, context={"np": np}), dtype=float)


@QUICK
@given(sides)
def test_the_column_space_is_that_of_formulaic(side):
    ours = build_design(f"y ~ {side}", DATA).matrix
    theirs = _formulaic(side)
    np.testing.assert_allclose(_projection(ours), _projection(theirs), atol=1e-7)
    assert np.linalg.matrix_rank(ours) == ours.shape[1]


@QUICK
@given(sides)
def test_text_and_storage_keep_the_design(side):
    design = build_design(f"y ~ {side}", DATA)
    again = build_design(f"y {design.formula.fixed.text}", DATA)
    assert again.columns == design.columns
    np.testing.assert_array_equal(again.matrix, design.matrix)
    np.testing.assert_allclose(read_layout(design.layout.to_dict()).matrix(DATA), design.matrix)


@QUICK
@given(sides, st.randoms(use_true_random=False))
def test_row_order_does_not_matter(side, random):
    order = list(range(N))
    random.shuffle(order)
    first = build_design(f"y ~ {side}", DATA)
    second = build_design(f"y ~ {side}", DATA.iloc[order])
    assert first.columns == second.columns
    np.testing.assert_allclose(second.matrix, first.matrix[order], atol=1e-12)


@QUICK
@given(sides)
def test_new_rows_are_coded_as_in_the_fit(side):
    design = build_design(f"y ~ {side}", DATA)
    for i in (0, 17, 64):
        np.testing.assert_allclose(design.layout.matrix(DATA.iloc[[i]])[0], design.matrix[i], atol=1e-12)


def _is_read_or_refused(text):
    """Any other error than `FormulaError` makes the test fail."""
    with contextlib.suppress(FormulaError):
        parse_formula(text)


@settings(max_examples=400, deadline=1_000, derandomize=True)
@given(st.text(alphabet="yxab~+-*/:^|()[]{}`'\"., 012eI\x00_Cå\n=@;!%&<>?\\", max_size=60))
def test_any_text_is_read_or_refused(text):
    _is_read_or_refused(text)


@settings(max_examples=200, deadline=1_000, derandomize=True)
@given(st.text(max_size=200))
def test_any_unicode_is_read_or_refused(text):
    _is_read_or_refused("y ~ x + " + text)


_OPERANDS = ["x", "z", "a", "b", "0", "1", "2", "(a + x)", "log(x)", "log(x**2 + 1)", "C(b)", "C(x)"]
_OPERANDS += ["poly(x, 2)", "spline(z, df=3)", "offset(x * z)", "offset(a)", "(1 | a)", "(x || b)", "(a | c)"]
_OPERANDS += ["(0 + z | a/b)", "I(x / z)", "I(x / 0)", "cbind(x, z)", "`y`", "(0 + C(b) | c:a)"]
_OPERANDS += ["(1 | nowhere)", "C(a, ref='p')"]
_LEFTS = ["y", "b", "a", "I(y**2)", "cbind(n, m)", "cbind(n, y)", "n", "I(n / (n + m))", "log(y)", ""]


def test_any_sentence_of_the_language_gives_a_design_or_one_clear_error():
    rng = np.random.default_rng(3)
    data = DATA.assign(n=rng.integers(0, 5, N), m=rng.integers(1, 5, N))
    outcomes = {"design": 0, "FormulaError": 0, "DesignError": 0}
    for _ in range(3_000):
        size = rng.integers(1, 5)
        signs = rng.choice([" + ", " + ", " + ", " - ", ":", "*", "/"], size)
        words = [f"{sign}{rng.choice(_OPERANDS)}" for sign in signs]
        text = f"{rng.choice(_LEFTS, p=[0.4, *[0.6 / 9] * 9])} ~ {rng.choice(_OPERANDS)}{''.join(words)}"
        kind = str(rng.choice(["numeric", "numeric", "binomial", "ordinal"]))
        try:
            design = build_design(text, data, outcome=kind, allow_offset=True)
        except (FormulaError, DesignError) as error:
            outcomes[type(error).__name__] += 1
            continue
        outcomes["design"] += 1
        arrays = [design.outcome, design.matrix, *(block.matrix for block in design.random)]
        assert all(np.isfinite(array).all() for array in arrays), text
        assert np.linalg.matrix_rank(design.matrix) == len(design.columns), text
    assert min(outcomes.values()) > 150, outcomes
