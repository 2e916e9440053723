"""Cinelli & Hazlett's Darfur example, quantity by quantity, with the village written out and absorbed."""

import numpy as np
import pytest
from cases import Case

from jobchance import fit_glm, fit_panel
from jobchance.sensitivity.confounding import robustness_value
from jobchance.sensitivity.confounding_adjusted import adjusted_estimate
from jobchance.sensitivity.confounding_bounds import confounder_bounds

TERM = "directlyharmed"
COVARIATES = "age + farmer_dar + herder_dar + pastvoted + hhsize_darfur + female"


@pytest.fixture(scope="module")
def case():
    return Case("darfur")


@pytest.fixture(scope="module", params=["dummies", "absorbed"])
def fit(request, case):
    (data,) = case.data
    if request.param == "dummies":
        formula = f"peacefactor ~ {TERM} + {COVARIATES} + C(village)"
        return fit_glm(formula, data, family="gaussian", vcov="model")
    # villages with one respondent are left out here; they carry no information and no degrees of freedom
    return fit_panel(f"peacefactor ~ {TERM} + {COVARIATES}", data, entity="village", time=None, vcov="model")


@pytest.fixture(scope="module")
def bounds(fit):
    return confounder_bounds(fit, TERM, benchmarks=["female"], kd=[1, 2, 3]).set_index("kd")


def test_robustness_value(case, fit):
    found = robustness_value(fit, TERM, q=1, alpha=0.05)
    for quantity, value in {
        "b": found.estimate,
        "se": found.std_error,
        "t": found.statistic,
        "df": found.df,
        "partial_R2": found.partial_r2,
        "RV": found.value,
        "RV_alpha05": found.value_alpha,
    }.items():
        case.check(quantity, value)
    assert found.extreme == pytest.approx(found.partial_r2)


@pytest.mark.parametrize("k", [1, 2, 3])
@pytest.mark.parametrize("quantity", ["r2dz_x", "r2yz_dx", "adjusted_estimate", "adjusted_se"])
def test_bounds(case, bounds, k, quantity):
    case.check(f"bound_female_{k}x.{quantity}", bounds.loc[k, quantity])


def test_every_quantity_of_the_case_is_checked(case):
    checked = {"b", "se", "t", "df", "partial_R2", "RV", "RV_alpha05"}
    checked |= {
        f"bound_female_{k}x.{name}"
        for k in (1, 2, 3)
        for name in ("r2dz_x", "r2yz_dx", "adjusted_estimate", "adjusted_se")
    }
    assert checked == set(case.entry["quantities"])


def test_a_confounder_as_strong_as_the_robustness_value_takes_all_and_at_alpha_the_significance(fit):
    found = robustness_value(fit, TERM)
    gone = adjusted_estimate(fit, TERM, r2dz_x=found.value, r2yz_dx=found.value)
    assert gone["adjusted_estimate"][0] == pytest.approx(0, abs=1e-12)
    edge = adjusted_estimate(fit, TERM, r2dz_x=found.value_alpha, r2yz_dx=found.value_alpha)
    assert edge["conf_low"][0] == pytest.approx(0, abs=1e-12)
    extreme = adjusted_estimate(fit, TERM, r2dz_x=found.extreme)
    assert extreme["adjusted_estimate"][0] == pytest.approx(0, abs=1e-12)


def test_the_same_whatever_standard_errors_the_fit_reports(case, fit):
    from jobchance import Robust

    found = robustness_value(fit.with_vcov(Robust()), TERM)
    case.check("RV", found.value)
    case.check("RV_alpha05", found.value_alpha)
    assert found.value_alpha_design is not None
    assert np.isfinite(found.value_alpha_design)
