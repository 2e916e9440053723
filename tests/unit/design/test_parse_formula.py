import time

import pytest

from jobchance.design.formula import parse_formula, term_label
from jobchance.errors import FormulaError


def terms(text):
    return [term_label(term) for term in parse_formula(text).terms]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("y ~ a + b", ["a", "b"]),
        ("y~a*b", ["a", "b", "a:b"]),
        ("y ~ a:b + c", ["c", "a:b"]),
        ("y ~ a*b*c - a:b:c", ["a", "b", "c", "a:b", "a:c", "b:c"]),
        ("y ~ (a + b + c)^2", ["a", "b", "c", "a:b", "a:c", "b:c"]),
        ("y ~ (a + b)**2 - b", ["a", "a:b"]),
        ("y ~ a/b", ["a", "a:b"]),
        ("y ~ (a + b)/c", ["a", "b", "a:b:c"]),
        ("y ~ (a + b):(c + d)", ["a:c", "a:d", "b:c", "b:d"]),
        ("y ~ a:a + a", ["a"]),
        ("y ~ a:b + b:a", ["a:b"]),
        ("y ~ I(a+ 1) + I( a + 1 )", ["I(a + 1)"]),
        ("y ~ I(-a**2 / (b - 1))", ["I(-a ** 2 / (b - 1))"]),
        ("y ~ poly(a, 2) + poly(a, degree=2)", ["poly(a, 2)", "poly(a, degree=2)"]),
        ("log(y) ~ spline(log(a), df=4)", ["spline(log(a), df=4)"]),
        ("y ~ C(a, ref='x y')", ['C(a, ref="x y")']),
        ("y ~ `my col` + `a.b`", ["`my col`", "`a.b`"]),
        ("y ~ køn + ålder + æra", ["køn", "ålder", "æra"]),
        ("y ~ C + I + log + poly + spline + C(C)", ["C", "I", "log", "poly", "spline", "C(C)"]),
        ("y ~ 1", []),
    ],
)
def test_terms(text, expected):
    assert terms(text) == expected


@pytest.mark.parametrize(
    ("text", "intercept"),
    [
        ("y ~ a", True),
        ("y ~ 0 + a", False),
        ("y ~ a - 1", False),
        ("y ~ a + 0", False),
        ("y ~ 0 + a + 1", True),
        ("y ~ 1 + a", True),
        ("y ~ -1 + a", False),
    ],
)
def test_intercept(text, intercept):
    assert parse_formula(text).intercept is intercept


def test_the_canonical_text_reads_back_as_the_same_terms():
    text = "y ~ a * `b c` + C(d, ref='it\"s') + I((a - 1) / -(b + 2) ** 2 * 1e-7) + spline(x, df=3) - 1"
    fixed = parse_formula(text).fixed
    again = parse_formula(fixed.text)
    assert (again.intercept, again.terms) == (fixed.intercept, fixed.terms)
    assert again.fixed.text == fixed.text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("y ~ (1 | g)", [("g", True, [], True)]),
        ("y ~ x + (1 + x | g)", [("g", True, ["x"], True)]),
        ("y ~ (x || g)", [("g", True, ["x"], False)]),
        ("y ~ (0 + x | g)", [("g", False, ["x"], True)]),
        ("y ~ (1 | a/b)", [("a", True, [], True), ("a:b", True, [], True)]),
        ("y ~ (1 | a:b) + (1 | c)", [("a:b", True, [], True), ("c", True, [], True)]),
        ("y ~ (x * z | g)", [("g", True, ["x", "z", "x:z"], True)]),
    ],
)
def test_random_terms(text, expected):
    found = [
        (r.label, r.intercept, [term_label(t) for t in r.terms], r.correlated)
        for r in parse_formula(text).random
    ]
    assert found == expected


def test_columns_come_in_order_and_without_repeats():
    parsed = parse_formula("log(y) ~ b * a + I(b * c) + (a | g/h)")
    assert parsed.columns == ("y", "b", "a", "c", "g", "h")


HOSTILE = [
    "__import__('os')",
    "y ~ __import__('os').system('true')",
    "y ~ x.__class__",
    "y ~ x[0]",
    "y ~ (lambda: 1)()",
    "y ~ eval('1')",
    "y ~ I(open('f'))",
    "y ~ I('text')",
    "y ~ 'text'",
    "y ~ C('x')",
    "y ~ C(x + 1)",
    "y ~ C(x, levels='a')",
    "y ~ C(x, ref=x)",
    "y ~ C(x, ref='a', ref='b')",
    "y ~ C()",
    "y ~ I(1)",
    "y ~ I(a, b)",
    "y ~ I(a:b)",
    "y ~ log(poly(x, 2))",
    "y ~ poly(x)",
    "y ~ poly(x, 0)",
    "y ~ poly(x, 2.5)",
    "y ~ poly(x, 99999999999)",
    "y ~ poly(x, 2, degree=2)",
    "y ~ spline(x, df=1)",
    "y ~ spline(x, df=-3)",
    "y ~ a ^ 99",
    "y ~ a ^ b",
    "y ~ a ** 1e308",
    "y ~ 2 * a",
    "y ~ 3",
    "y ~ a : 1",
    "y ~ a * -b",
    "y ~ a - b",
    "y ~ (0 + a):b",
    "y ~ 1e999",
    "y ~ " + "9" * 400,
    "~",
    "y ~",
    "y",
    "y + x",
    "y ~ x ~ z",
    "",
    "   ",
    "y ~ (x",
    "y ~ x)",
    "y ~ ()",
    "y ~ x +",
    "y ~ * x",
    "y ~ x ++",
    "y ~ x z",
    "y ~ `x",
    "y ~ \x00",
    "y ~ x\x00",
    "y ~ x; import os",
    "y ~ x @ z",
    "y ~ .",
    "y ~ x | g",
    "y ~ (x | g | h)",
    "y ~ ((1 | g) | h)",
    "y ~ (1 | g):x",
    "y ~ - (1 | g)",
    "y ~ (0 | g)",
    "y ~ (1 | C(g))",
    "y ~ (1 | g + h)",
    "y ~ x + [belief ~ optimism]",
    "y ~ y",
    "y ~ log(y)",
    "a + b ~ x",
    "C(y) ~ x",
    "1 ~ x",
    "y ~ " + "(" * 10_000 + "x" + ")" * 10_000,
    "y ~ " + "(" * 4_000,
    "y ~ " + "-" * 9_000 + "x",
    "y ~ I(" + "-" * 5_000 + "x)",
    "y ~ I(x" + " ** x" * 1_900 + ")",
    "y ~ " + "x" * 1_000_000,
    "y ~ " + "*".join("abcdefghijklmnopqrstuvwxyz"),
    "y ~ " + "*".join(["(a+b+c+d+e+f+g+h+i)^9"] * 300),
    "y ~ " + " + ".join(f"v{i}" for i in range(1_300)),
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_formulas_are_refused_quickly(text):
    start = time.perf_counter()
    with pytest.raises(FormulaError) as caught:
        parse_formula(text)
    assert time.perf_counter() - start < 1
    assert len(str(caught.value)) < 1_000


@pytest.mark.parametrize("value", [None, 3, b"y ~ x", ["y ~ x"]])
def test_other_kinds_of_value_are_refused(value):
    with pytest.raises(FormulaError, match="A formula is a text"):
        parse_formula(value)


def test_the_message_shows_the_place():
    with pytest.raises(FormulaError) as caught:
        parse_formula("job ~ belief + sex[0]")
    _, shown, caret = str(caught.value).splitlines()
    assert shown[caret.index("^")] == "["
    assert "position 19" in str(caught.value)


def test_the_place_is_shown_in_a_long_formula_too():
    with pytest.raises(FormulaError) as caught:
        parse_formula("y ~ " + "belief + " * 60 + "sex @ age" + " + age" * 60)
    _, shown, caret = str(caught.value).splitlines()
    assert shown[caret.index("^")] == "@"
    assert len(shown) < 140


def test_long_sums_are_no_trouble():
    names = [f"v{i}" for i in range(900)]
    assert terms("y ~ " + " + ".join(names)) == names
    assert len(terms("y ~ I(" + " + ".join(["x"] * 2_000) + ")")) == 1


def test_an_unknown_function_names_the_known_ones_and_the_replacement():
    with pytest.raises(FormulaError, match=r"factor\(\) is not a function here; use C"):
        parse_formula("y ~ factor(x)")
    with pytest.raises(FormulaError, match=r"Did you mean poly"):
        parse_formula("y ~ polly(x, 2)")
