import numpy as np
import pandas as pd
import pytest

from jobchance import fit_glm, fit_mixed, fit_panel
from jobchance.design.build import build_design
from jobchance.design.formula import parse_formula, term_label
from jobchance.design.layout import read_layout
from jobchance.errors import FormulaError


def labels(terms):
    return [term_label(term) for term in terms]


def test_the_bracket_holds_endogenous_terms_and_instruments():
    formula = parse_formula("y ~ x + [a + b:x ~ z1 * z2 + C(g)]", instruments=True)
    assert labels(formula.terms) == ["x"]
    assert labels(formula.instruments.endogenous) == ["a", "b:x"]
    assert labels(formula.instruments.excluded) == ["z1", "z2", "C(g)", "z1:z2"]
    assert labels(formula.fixed.terms) == ["x", "a", "b:x"]
    assert labels(formula.first_stage.terms) == ["x", "z1", "z2", "C(g)", "z1:z2"]
    assert formula.columns == ("y", "x", "a", "b", "z1", "z2", "g")


def test_a_variable_may_be_its_own_instrument():
    formula = parse_formula("y ~ [x ~ x]", instruments=True)
    assert formula.instruments.endogenous == formula.instruments.excluded


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("y ~ [a ~ z", "not closed"),
        ("y ~ a ~ z]", "second"),
        ("y ~ [a]", "the bracket holds"),
        ("y ~ [~ z]", "no endogenous variable"),
        ("y ~ [a ~]", "cannot stand here|stand alone"),
        ("y ~ [a ~ z ~ w]", "cannot stand here"),
        ("y ~ [a ~ z] + [b ~ w]", "one bracket"),
        ("y ~ x - [a ~ z]", "cannot be subtracted"),
        ("y ~ x:[a ~ z]", "stand alone"),
        ("y ~ ([a ~ z] | g)", "outside random-effects"),
        ("y ~ [a ~ [b ~ z]]", "stand alone"),
        ("y ~ [(1 | g) ~ z]", "must stand alone"),
        ("y ~ [1 ~ z]", "a number cannot stand here"),
        ("y ~ [a - a ~ z]", "no term is left"),
        ("y ~ [offset(a) ~ z]", "offset"),
        ("y ~ x + [x ~ z]", "x is endogenous and stands outside"),
        ("y ~ z + [a ~ z]", "z is an instrument and stands outside"),
        ("y ~ [a ~ y]", "part of the outcome"),
        ("y ~ [y ~ z]", "part of the outcome"),
        ("[y ~ x]", "there is no|the outcome is"),
        ("y ~ " + "[a ~ " * 1_900, "nesting"),
        ("y ~ x[1]", "hold instruments and stand alone"),
    ],
)
def test_hostile_brackets_are_refused_with_a_reason(text, reason):
    with pytest.raises(FormulaError, match=reason):
        parse_formula(text, instruments=True)


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(80, 5)), columns=["y", "x", "a", "z", "w"])
    return frame.assign(g=rng.integers(0, 4, 80), citizen_id=np.arange(80) // 2, wave=np.arange(80) % 2)


def test_other_models_refuse_instruments_and_name_the_one_that_reads_them(data):
    text = "y ~ x + [a ~ z]"
    for attempt in (
        lambda: parse_formula(text),
        lambda: build_design(text, data),
        lambda: fit_glm(text, data, family="gaussian"),
        lambda: fit_panel(text, data),
        lambda: fit_mixed("y ~ x + (1 | g) + [a ~ z]", data),
    ):
        with pytest.raises(FormulaError, match="use fit_iv"):
            attempt()


def test_the_design_has_both_sides(data):
    design = build_design("y ~ x:w + [a ~ z + C(g)]", data, instruments=True)
    assert design.columns == ("(Intercept)", "a", "x:w")
    assert design.instruments.columns == ("z", "g[1]", "g[2]", "g[3]")
    assert np.array_equal(design.instruments.matrix[:, 0], data["z"])
    assert design.instruments.endogenous == {"a"}
    back = read_layout(design.layout.to_dict())
    assert back.columns == design.columns
    assert np.array_equal(back.matrix(data), design.matrix)


def test_missing_and_infinite_instruments_count_as_other_columns_do(data):
    broken = data.assign(z=data.z.where(data.index > 4))
    design = build_design("y ~ [a ~ z]", broken, instruments=True)
    assert dict(design.dropped) == {"z is missing": 5}
    with pytest.raises(FormulaError, match=r"zz \(did you mean z"):
        build_design("y ~ [a ~ zz]", data, instruments=True)
