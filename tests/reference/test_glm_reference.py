import numpy as np
import pytest
from cases import Case

from jobchance import fit_glm


@pytest.fixture(scope="module")
def first_sex():
    """The case and its person-period file: a row per boy and grade at risk."""
    case = Case("first_sex")
    boys = case.data[0]
    rows = boys.loc[boys.index.repeat(boys["grade"] - 6)].reset_index(drop=True)
    rows["period"] = rows.groupby("id").cumcount() + 7
    rows["event"] = ((rows["period"] == rows["grade"]) & (rows["censor"] == 0)).astype(int)
    return case, rows


def _hazard(rows, covariates, link="logit"):
    formula = " + ".join(["event ~ 0", "C(period)", *covariates])
    return fit_glm(formula, rows, family="binomial", link=link, vcov="model")


def test_hazard_by_grade(first_sex):
    case, rows = first_sex
    fit = _hazard(rows, [])
    case.check("pp_rows", fit.nobs)
    case.check("events", rows["event"].sum())
    case.check("A.deviance", fit.statistics["deviance"])
    for grade in range(7, 13):
        hazard = 1 / (1 + np.exp(-fit.params[f"period[{grade}]"]))
        case.check(f"hazard.grade{grade}", hazard)


def test_discrete_time_logit(first_sex):
    case, rows = first_sex
    with_pt = _hazard(rows, ["parental_transition"])
    case.check("B.pt", with_pt.params["parental_transition"])
    case.check("B.se_pt", with_pt.std_errors["parental_transition"])
    case.check("B.deviance", with_pt.statistics["deviance"])
    with_pas = _hazard(rows, ["parental_antisociality"])
    case.check("C.pas", with_pas.params["parental_antisociality"])
    case.check("C.se_pas", with_pas.std_errors["parental_antisociality"])
    case.check("C.deviance", with_pas.statistics["deviance"])


@pytest.mark.parametrize(("link", "prefix"), [("logit", "D"), ("cloglog", "cloglog_D")])
def test_both_covariates(first_sex, link, prefix):
    case, rows = first_sex
    fit = _hazard(rows, ["parental_transition", "parental_antisociality"], link)
    case.check(f"{prefix}.pt", fit.params["parental_transition"])
    case.check(f"{prefix}.pas", fit.params["parental_antisociality"])
    case.check(f"{prefix}.deviance", fit.statistics["deviance"])
    if link == "logit":
        case.check("D.se_pt", fit.std_errors["parental_transition"])
        case.check("D.se_pas", fit.std_errors["parental_antisociality"])
        for grade in range(7, 13):
            case.check(f"D.alpha.grade{grade}", fit.params[f"period[{grade}]"])


def test_pygmalion_in_the_army():
    case = Case("pygmalion_army")
    fit = fit_glm("Score ~ Company + C(Treat, ref='Control')", case.data[0], family="gaussian", vcov="model")
    term = "Treat[Pygmalion]"
    case.check("additive.treat", fit.params[term])
    case.check("additive.se", fit.std_errors[term])
    case.check("additive.t", fit.statistic[term])
    case.check("additive.df", fit.df[term])
    case.check("additive.p", fit.pvalues[term])
    case.check("additive.F", fit.statistic[term] ** 2)


def test_pygmalion_elashoff_snow():
    case = Case("pygmalion_es1970")
    fit = fit_glm("Posttest ~ Pretest + Group", case.data[0], family="gaussian", vcov="model")
    case.check("ancova.group", fit.params["Group[treatment]"])
    case.check("ancova.se", fit.std_errors["Group[treatment]"])
    case.check("ancova.p", fit.pvalues["Group[treatment]"])


def test_jobs2_paths():
    case = Case("jobs2")
    covariates = "econ_hard + sex + age"
    mediator = fit_glm(f"job_seek ~ treat + {covariates}", case.data[0], family="gaussian", vcov="model")
    outcome = fit_glm(
        f"depress2 ~ treat + job_seek + {covariates}", case.data[0], family="gaussian", vcov="model"
    )
    a, b = mediator.params["treat"], outcome.params["job_seek"]
    case.check("n", outcome.nobs)
    case.check("a", a)
    case.check("b", b)
    case.check("ADE", outcome.params["treat"])
    se_a, se_b = mediator.std_errors["treat"], outcome.std_errors["job_seek"]
    case.check("sobel_se", np.sqrt(a**2 * se_b**2 + b**2 * se_a**2))


def test_darfur_with_486_villages():
    case = Case("darfur")
    fit = fit_glm(
        "peacefactor ~ directlyharmed + age + farmer_dar + herder_dar + pastvoted + hhsize_darfur + female"
        " + C(village)",
        case.data[0],
        family="gaussian",
        vcov="model",
    )
    case.check("b", fit.params["directlyharmed"])
    case.check("se", fit.std_errors["directlyharmed"])
    case.check("t", fit.statistic["directlyharmed"])
    case.check("df", fit.df["directlyharmed"])
