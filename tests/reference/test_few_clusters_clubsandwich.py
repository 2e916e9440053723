"""CR1, CR2, CR3 and Satterthwaite's degrees of freedom against R's clubSandwich, quantity by quantity."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from cases import REFERENCE
from scipy import stats

from jobchance import Cluster, fit_glm, fit_iv, fit_panel

FOLDER = Path(__file__).parent / "clusters"
NUMBERS = json.loads((FOLDER / "clusters_numbers.json").read_text(encoding="utf-8"))
KINDS = {"CR1S": "CR1", "CR2": "CR2", "CR3": "CR3"}


@pytest.fixture(scope="module")
def data():
    return pd.read_csv(FOLDER / "clusters_data.csv")


def our_name(term):
    if term.startswith("factor(wave)"):
        return f"wave[{term[-1]}]"
    return term


def check(case, fit, cluster, *, se=1e-9, df=1e-7):
    """Standard errors, degrees of freedom and p-values of every kind that R gives for the case."""
    for kind, expected in NUMBERS[case].items():
        made = fit.with_vcov(Cluster(cluster, kind=KINDS[kind]))
        for term, value in expected["se"].items():
            name = our_name(term)
            assert made.std_errors[name] == pytest.approx(value, rel=se), (case, kind, term)
            if kind == "CR1S":  # theirs are Satterthwaite's, ours G - 1
                continue
            assert made.df[name] == pytest.approx(expected["df"][term], rel=df), (case, kind, term)
            assert made.pvalues[name] == pytest.approx(expected["p"][term], rel=1e-6), (case, kind, term)


@pytest.mark.parametrize(
    ("case", "formula"),
    [("unbalanced", "y ~ x + z"), ("singular", "y ~ x + one"), ("waves", "y ~ x + z + C(wave)")],
)
def test_least_squares(data, case, formula):
    check(case, fit_glm(formula, data, family="gaussian", vcov="model"), "g")


def test_pooled_is_the_same(data):
    rows = data.assign(row=np.arange(len(data)))
    fit = fit_panel("y ~ x + z", rows, estimator="pooled", entity="row", time=None, vcov="model")
    check("unbalanced", fit, "g")


@pytest.mark.parametrize(
    ("case", "absorb", "cluster"),
    [("persons", (), "g"), ("persons_waves", ("wave",), "g"), ("movers", (), "mover")],
)
def test_absorbed_effects_equal_dummy_variables(data, case, absorb, cluster):
    """Persons within clusters, waves across all of them, persons who change cluster."""
    fit = fit_panel("y ~ x + d", data, entity="person", time=None, absorb=absorb, vcov="model")
    check(case, fit, cluster, se=1e-8, df=1e-6)


@pytest.mark.parametrize(
    ("case", "formula"), [("iv_just", "y ~ x + [d ~ iv1]"), ("iv_over", "y ~ x + [d ~ iv1 + iv2]")]
)
def test_two_stage_least_squares(data, case, formula):
    check(case, fit_iv(formula, data, vcov="model"), "g")


@pytest.mark.parametrize(
    ("case", "formula", "family"),
    [("logit", "b ~ x + z", "binomial"), ("poisson", "count ~ x + z", "poisson")],
)
def test_likelihood_with_working_variances(data, case, formula, family):
    """R iterates to 1e-14 of the deviance, since its usual 1e-8 shows in the fifth digit."""
    check(case, fit_glm(formula, data, family=family, vcov="model"), "g", se=1e-8, df=1e-6)


def test_petersen_by_year():
    path = REFERENCE / "data" / "PetersenCL.csv"
    if not path.exists():
        pytest.skip(f"reference data are not available ({path})")
    fit = fit_glm("y ~ x", pd.read_csv(path), family="gaussian", vcov="model")
    check("petersen_year", fit, "year", se=1e-8, df=1e-6)


def test_jackknife_is_cr3_with_its_factor(data):
    fit = fit_glm("y ~ x + z", data, family="gaussian", vcov="model")
    made = fit.with_vcov(Cluster("g", kind="jackknife"))
    expected = NUMBERS["unbalanced"]["CR3"]["se"]
    for term, value in expected.items():
        assert made.std_errors[term] == pytest.approx(value * np.sqrt(8 / 9), rel=1e-9)
    assert (made.df == 8).all()
    assert made.pvalues["x"] == pytest.approx(2 * stats.t.sf(abs(made.statistic["x"]), 8))
