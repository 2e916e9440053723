"""Hazards and conditional logit against R (survival, nnet, glm) and the published first_sex case.

Tolerances: 1e-6 of a standard error and more for Newton solutions of R run to tight limits; nnet's
quasi-Newton stops earlier, and first_sex states its own.
"""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from cases import Case

from jobchance.models.conditional_logit import fit_conditional_logit
from jobchance.models.hazard import fit_hazard
from jobchance.models.hazard_curves import hazard_incidence

FOLDER = Path(__file__).parent / "hazard"
_spec = importlib.util.spec_from_file_location("hazard_data", FOLDER / "hazard_data.py")
hazard_data = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(hazard_data)


@pytest.fixture(scope="module")
def numbers():
    return json.loads((FOLDER / "numbers.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def rows():
    return hazard_data.rows()


@pytest.fixture(scope="module")
def first_sex():
    """The case and its person-period file: a row per boy and grade at risk."""
    case = Case("first_sex")
    boys = case.data[0]
    made = boys.loc[boys.index.repeat(boys["grade"] - 6)].reset_index(drop=True)
    made["period"] = made.groupby("id").cumcount() + 7
    made["event"] = ((made["period"] == made["grade"]) & (made["censor"] == 0)).astype(int)
    return case, made


def _first_sex(made, covariates, **options):
    formula = " + ".join(["event ~ 0", *covariates])
    return fit_hazard(formula, made, entity="id", time="period", vcov="model", **options)


def _agrees(fit, reference, names, *, share=1e-5, errors=1e-6):
    """Estimates within a share of a standard error, standard errors within a relative difference."""
    for ours, theirs in names.items():
        se = reference["se"][theirs]
        assert fit.params[ours] == pytest.approx(reference["estimate"][theirs], abs=share * se), ours
        assert fit.std_errors[ours] == pytest.approx(se, rel=errors), ours


def _step_names(covariates):
    return {f"t[{t}]": f"factor(t){t}" for t in range(1, 8)} | {name: name for name in covariates}


def test_first_sex_life_table(first_sex):
    case, made = first_sex
    fit = _first_sex(made, [], link="logit")
    case.check("n", fit.sample.groups["id"])
    case.check("pp_rows", fit.nobs)
    case.check("events", fit.statistics["events"])
    case.check("A.deviance", fit.statistics["deviance"])
    table = fit.diagnostics["life_table"].set_index("period")
    for grade in range(7, 13):
        case.check(f"hazard.grade{grade}", table.loc[grade, "hazard"])
        case.check(f"survivor.grade{grade}", table.loc[grade, "survivor"])
        case.check(f"hazard.grade{grade}", 1 / (1 + np.exp(-fit.params[f"period[{grade}]"])))
    curve = hazard_incidence(fit).set_index("period")["estimate"]
    assert np.allclose(1 - curve, table["survivor"], atol=1e-10)


def test_first_sex_covariates(first_sex):
    case, made = first_sex
    pt, pas = "parental_transition", "parental_antisociality"
    for name, column, key in (("B", pt, "pt"), ("C", pas, "pas")):
        fit = _first_sex(made, [column], link="logit")
        case.check(f"{name}.{key}", fit.params[column])
        case.check(f"{name}.se_{key}", fit.std_errors[column])
        case.check(f"{name}.deviance", fit.statistics["deviance"])
    for link, name in (("logit", "D"), ("cloglog", "cloglog_D")):
        fit = _first_sex(made, [pt, pas], link=link)
        case.check(f"{name}.pt", fit.params[pt])
        case.check(f"{name}.pas", fit.params[pas])
        case.check(f"{name}.deviance", fit.statistics["deviance"])
        if link == "logit":
            case.check("D.se_pt", fit.std_errors[pt])
            case.check("D.se_pas", fit.std_errors[pas])
            for grade in range(7, 13):
                case.check(f"D.alpha.grade{grade}", fit.params[f"period[{grade}]"])


def test_first_sex_exact_partial_likelihood(first_sex):
    case, made = first_sex
    formula = "event ~ parental_transition + parental_antisociality"
    fit = fit_conditional_logit(formula, made, group="period", vcov="model")
    case.check("cox_exact.pt", fit.params["parental_transition"])
    case.check("cox_exact.pas", fit.params["parental_antisociality"])


def test_exact_partial_likelihood_with_moving_covariates(numbers, rows):
    fit = fit_conditional_logit("job ~ x + z", rows[rows["id"] <= 150], group="t", vcov="model")
    _agrees(fit, numbers["cox_exact"], {"x": "x", "z": "z"})
    assert fit.loglik == pytest.approx(numbers["cox_exact"]["loglik"], abs=1e-8)


def test_conditional_logit_as_clogit(numbers):
    fit = fit_conditional_logit("outcome ~ x + kind", hazard_data.sets(), group="group", vcov="model")
    _agrees(fit, numbers["clogit"], {"x": "x", "kind[b]": "kindb", "kind[c]": "kindc"})
    assert fit.loglik == pytest.approx(numbers["clogit"]["loglik"], abs=1e-8)
    assert fit.statistics["loglik_null"] == pytest.approx(numbers["clogit"]["loglik_null"], abs=1e-8)


@pytest.mark.parametrize("link", ["cloglog", "logit", "probit"])
def test_hazards_as_glm(numbers, rows, link):
    options = {"link": link, "entity": "id", "time": "t", "vcov": "model"}
    fit = fit_hazard("job ~ 0 + x + z", rows, **options)
    _agrees(fit, numbers[link], _step_names(["x", "z"]))
    assert fit.loglik == pytest.approx(numbers[link]["loglik"], abs=1e-8)
    # one cause among several exits is the same model
    again = fit_hazard("exit ~ 0 + x + z", rows, cause="job", **options)
    assert np.array_equal(again.estimates, fit.estimates)


def test_quadratic_baseline_as_glm(numbers, rows):
    fit = fit_hazard("job ~ x + z", rows, entity="id", time="t", baseline="polynomial:2", vcov="model")
    assert fit.loglik == pytest.approx(numbers["cloglog_quadratic"]["loglik"], abs=1e-8)


def test_multinomial_as_multinom(numbers, rows):
    fit = fit_hazard("exit ~ 0 + x + z", rows, entity="id", time="t", competing="multinomial", vcov="model")
    reference = numbers["multinomial"]
    for cause in ("job", "education"):
        names = {f"{cause}: {ours}": theirs for ours, theirs in _step_names(["x", "z"]).items()}
        part = {"estimate": reference["estimate"][cause], "se": reference["se"][cause]}
        _agrees(fit, part, names, share=1e-3, errors=1e-4)
    assert fit.loglik >= reference["loglik"] - 1e-9
    assert fit.loglik == pytest.approx(reference["loglik"], abs=1e-6)


@pytest.mark.parametrize("competing", ["multinomial", "cause_specific"])
def test_incidences_without_covariates_are_aalen_johansen(numbers, rows, competing):
    fit = fit_hazard("exit ~ 0", rows, entity="id", time="t", link="logit", competing=competing, vcov="model")
    curves = hazard_incidence(fit)
    reference = numbers["incidence"]
    for cause in ("job", "education"):
        mine = curves[curves["cause"] == cause]
        assert np.allclose(mine["estimate"], reference[cause], atol=1e-9), cause
        assert np.allclose(mine["std_error"], reference[f"se_{cause}"], rtol=1e-6), cause
    table = fit.diagnostics["life_table"]
    table = table[table["cause"] == "job"]
    survivor = numbers["survivor"]
    assert table["at_risk"].tolist() == survivor["at_risk"]
    assert np.allclose(table["survivor"], survivor["survivor"], atol=1e-9)
    assert np.allclose(table["survivor_error"], survivor["se"], rtol=1e-8)


def test_statsmodels_conditional_logit():
    conditional = pytest.importorskip("statsmodels.discrete.conditional_models")
    data = hazard_data.sets()
    data = data[data.groupby("group")["outcome"].transform("nunique") == 2]
    X = pd.DataFrame({"x": data["x"], "b": data["kind"] == "b", "c": data["kind"] == "c"}).astype(float)
    model = conditional.ConditionalLogit(data["outcome"], X, groups=data["group"])
    fit = fit_conditional_logit("outcome ~ x + kind", data, group="group", vcov="model")
    # its BFGS stops 1e-3 standard errors short, so its likelihood and gradient are asked, not its optimum
    assert model.loglike(fit.estimates) == pytest.approx(fit.loglik, abs=1e-9)
    assert np.allclose(model.score(fit.estimates), 0, atol=1e-8)
    assert np.allclose(np.linalg.inv(-model.hessian(fit.estimates)), fit.covariance, rtol=1e-5)
