import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from cases import Case

from jobchance import Cluster, Robust
from jobchance.models.iv import fit_iv
from jobchance.models.iv_ujive import ujive

FOLDER = Path(__file__).parent / "iv"
NUMBERS = json.loads((FOLDER / "iv_numbers.json").read_text(encoding="utf-8"))
FORMULAS = {
    "one": "y ~ x + [d1 ~ z1 + z2 + z3]",
    "exact": "y ~ x + [d1 ~ z1]",
    "two": "y ~ x + [d1 + d2 ~ z1 + z2 + z3]",
}
KINDS = {
    "model": "model",
    "HC0": Robust("HC0"),
    "HC1": Robust("HC1"),
    "firm": Cluster("firm"),
    "both": Cluster("firm", "year"),
}


@pytest.fixture(scope="module")
def data():
    return pd.read_csv(FOLDER / "iv_data.csv")


def close(value, expected):
    assert value == pytest.approx(expected, rel=1e-9, abs=1e-12)


# ---- two-stage least squares against R ---------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", FORMULAS)
def test_coefficients_and_standard_errors_equal_ivreg(data, name, kind):
    fit = fit_iv(FORMULAS[name], data, vcov=KINDS[kind])
    for term, value in NUMBERS[name]["coef"].items():
        close(fit.params[term], value)
        close(fit.std_errors[term], NUMBERS[name]["se"][kind][term])


@pytest.mark.parametrize("kind", ["model", "HC1"])
@pytest.mark.parametrize("name", FORMULAS)
def test_tests_equal_ivreg(data, name, kind):
    found = fit_iv(FORMULAS[name], data, vcov=KINDS[kind]).statistics
    expected = NUMBERS[name]["tests" if kind == "model" else "robust"]
    for row, values in expected.items():
        if row.startswith("Weak"):
            label = row.removeprefix("Weak instruments").strip()
            close(found[f"first_stage_f{label}"], values["statistic"])
            close(found[f"first_stage_f_p{label}"], values["p-value"])
        elif row == "Wu-Hausman":
            close(found["wu_hausman_f"], values["statistic"])
            close(found["wu_hausman_p"], values["p-value"])
        elif values["statistic"] != "NA":
            close(found["sargan"], values["statistic"])
            close(found["sargan_p"], values["p-value"])
    assert ("sargan" in found) == (name != "exact")


# ---- LIML, Fuller and Hansen's J against linearmodels ------------------------------------------------------


@pytest.mark.parametrize(("method", "fuller"), [("liml", 0), ("fuller", 1), ("fuller", 4)])
@pytest.mark.parametrize("name", ["one", "two"])
def test_liml_equals_linearmodels(data, name, method, fuller):
    from linearmodels.iv import IVLIML

    endogenous = ["d1", "d2"] if name == "two" else ["d1"]
    X = data[["x"]].assign(const=1.0)
    model = IVLIML(data.y, X, data[endogenous], data[["z1", "z2", "z3"]], fuller=fuller)
    theirs = model.fit(cov_type="unadjusted", debiased=True)
    options = {"alpha": fuller} if fuller else {}
    ours = fit_iv(FORMULAS[name], data, method=method, vcov="model", **options)
    close(ours.statistics["kappa"], theirs.kappa)
    for term in ["x", *endogenous]:
        assert ours.params[term] == pytest.approx(theirs.params[term], rel=1e-8)
        assert ours.std_errors[term] == pytest.approx(theirs.std_errors[term], rel=1e-8)


def test_robust_errors_of_liml_use_the_equations_that_liml_solves(data):
    # linearmodels takes the scores of two-stage least squares, P X e, for every k-class estimator. Ours are
    # those of the equations solved, (I - kappa M) X e; the two agree at kappa = 1 (tested above against R).
    fit = fit_iv(FORMULAS["one"], data, method="liml", vcov=Robust("HC0"))
    n = len(data)
    X = np.column_stack([np.ones(n), data.x, data.d1])
    Z = np.column_stack([np.ones(n), data[["x", "z1", "z2", "z3"]]])
    kappa = fit.statistics["kappa"]
    transformed = X - kappa * (X - Z @ np.linalg.lstsq(Z, X, rcond=None)[0])
    beta = np.linalg.solve(transformed.T @ X, transformed.T @ data.y)
    e = data.y.to_numpy() - X @ beta
    half = np.linalg.inv(transformed.T @ X) @ (transformed * e[:, None]).T
    assert fit.params.to_numpy() == pytest.approx(beta, rel=1e-8)
    assert fit.std_errors.to_numpy() == pytest.approx(np.sqrt(np.diag(half @ half.T)), rel=1e-8)


@pytest.mark.parametrize("kind", ["HC0", "firm"])
def test_hansen_j_equals_two_step_gmm(data, kind):
    from linearmodels.iv import IVGMM

    weights = (
        {"weight_type": "robust"} if kind == "HC0" else {"weight_type": "clustered", "clusters": data["firm"]}
    )
    model = IVGMM(data.y, data[["x"]].assign(const=1.0), data[["d1"]], data[["z1", "z2", "z3"]], **weights)
    theirs = model.fit(iter_limit=2)
    found = fit_iv(FORMULAS["one"], data, vcov=KINDS[kind]).statistics["hansen_j"]
    # Our covariance of the moments carries the small-sample factor of the standard errors; theirs has none.
    n, k, G = len(data), 3, data["firm"].nunique()
    factor = 1.0 if kind == "HC0" else G / (G - 1) * (n - 1) / (n - k)
    assert found * factor == pytest.approx(theirs.j_stat.stat, rel=1e-7)


def test_a_jackknife_of_columns_equals_its_definition(data):
    found = fit_iv(FORMULAS["one"], data, method="jive1", vcov=Robust("HC0"))
    n = len(data)
    W = np.column_stack([np.ones(n), data.x])
    X = np.column_stack([W, data[["z1", "z2", "z3"]]])
    H_w, H_x = (A @ np.linalg.pinv(A) for A in (W, X))
    h = np.diag(H_x)
    fit = (H_x @ data.d1 - h * data.d1) / (1 - h)
    instrument = fit - H_w @ fit
    close(found.params["d1"], instrument @ data.y / (instrument @ data.d1))


# ---- public cases ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("quantity", "vcov"),
    [
        ("se_ols", "model"),
        ("se_HC1", Robust()),
        ("se_firm", Cluster("firm")),
        ("se_year", Cluster("year")),
        ("se_twoway", Cluster("firm", "year")),
    ],
)
def test_an_exposure_that_is_its_own_instrument_is_least_squares(quantity, vcov):
    case = Case("petersen")
    fit = fit_iv("y ~ [x ~ x]", case.data[0], vcov=vcov)
    case.check("b", fit.params["x"])
    case.check(quantity, fit.std_errors["x"])
    assert "wu_hausman_f" not in fit.statistics


@pytest.fixture(scope="module")
def patents():
    return Case("fhl1000_ujive")


def test_ujive_equals_the_public_case(patents):
    data = patents.data[0]
    fit = ujive(data.y, data.d, data.examiner, cells=data.ind_year)
    found = fit.statistics
    patents.check("drop_leverage_one", found["n_dropped_leverage_one"])
    patents.check("n_used", fit.nobs)
    patents.check("rank_X", found["rank_X"])
    patents.check("rank_W", found["rank_W"])
    patents.check("OLS", found["ols"])
    patents.check("TSLS", found["tsls"])
    patents.check("UJIVE", fit.params["d"])
    patents.check("UJIVE_se_robust", found["se_robust"])
    patents.check("UJIVE_se_hte", found["se_hte"])
    assert fit.std_errors["d"] == found["se_hte"]


def test_the_formula_gives_the_public_case_too(patents):
    data = patents.data[0]
    for formula, absorb in [
        ("y ~ [d ~ C(examiner)]", ("ind_year",)),
        ("y ~ C(ind_year) + [d ~ C(examiner)]", ()),
    ]:
        fit = fit_iv(formula, data, method="ujive", absorb=absorb, vcov=Robust("HC0"), errors="robust")
        patents.check("UJIVE", fit.params["d"])
        patents.check("UJIVE_se_robust", fit.std_errors["d"])
