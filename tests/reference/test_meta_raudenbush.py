"""The 19 experiments of Raudenbush & Bryk (1985, Table 1), typed in, with the numbers of metafor 3.8-1."""

import numpy as np
import pandas as pd
import pytest
from cases import Case

from jobchance import meta_analysis
from jobchance.models.meta_checks import fill_missing_studies, leave_one_study_out

Y = [0.03, 0.12, -0.14, 1.18, 0.26, -0.06, -0.02, -0.32, 0.27, 0.80,
     0.54, 0.18, -0.02, 0.23, -0.18, -0.06, 0.30, 0.07, -0.07]  # fmt: skip
V = [0.0156, 0.0216, 0.0279, 0.1391, 0.1362, 0.0106, 0.0106, 0.0484, 0.0269, 0.0630,
     0.0912, 0.0497, 0.0835, 0.0841, 0.0253, 0.0279, 0.0193, 0.0088, 0.0303]  # fmt: skip
WEEKS = [2, 21, 19, 0, 0, 3, 17, 24, 0, 1, 0, 0, 1, 2, 17, 5, 1, 2, 7]


def pool(**options):
    return meta_analysis(np.array(Y), np.array(V), **options)


@pytest.fixture(scope="module")
def by_weeks():
    return pool(moderators=pd.DataFrame({"contact": np.minimum(WEEKS, 3)}))


def close(value, expected, allowed):
    assert abs(value - expected) <= allowed, (value, expected)


def test_equal_effects():
    fit = pool(method="ee")
    close(fit.params["(Intercept)"], 0.06036557, 1e-8)
    close(fit.std_errors["(Intercept)"], 0.03646785, 1e-8)
    close(fit.statistic["(Intercept)"], 1.65531, 1e-5)
    close(fit.statistics["Q"], 35.829536, 1e-6)
    close(fit.statistics["Q_p"], 0.007419, 1e-6)
    assert fit.statistics["Q_df"] == 18
    assert not fit.is_singular


def test_reml_is_solved_tightly():
    fit = pool()
    close(fit.statistics["tau2"], 0.0188182881, 2e-10)
    close(fit.params["(Intercept)"], 0.0837012419, 9e-10)
    close(fit.std_errors["(Intercept)"], 0.0516406714, 6e-10)
    close(fit.statistic["(Intercept)"], 1.62083954, 2e-8)
    close(fit.statistics["I2_pct"], 41.84667, 1e-6)
    close(fit.statistics["H2"], 1.719592, 1e-6)
    close(fit.statistics["se_tau2"], 0.015527, 1e-5)
    close(fit.loglik, -3.736039, 2e-6)
    close(fit.pvalues["(Intercept)"], 0.105057, 2e-5)
    close(fit.conf_int().iloc[0, 0], -0.017515, 2e-5)
    close(fit.conf_int().iloc[0, 1], 0.184932, 2e-5)


def test_intervals_of_tau2_and_of_a_new_study():
    numbers = pool().statistics
    close(numbers["tau2_low"], 0.0058615266, 1e-9)
    close(numbers["tau2_high"], 0.1977006663, 1e-9)
    close(numbers["prediction_low"], -0.203636, 1e-4)
    close(numbers["prediction_high"], 0.371053, 1e-4)


def test_knapp_hartung():
    fit = pool(knapp_hartung=True)
    close(fit.std_errors["(Intercept)"], 0.061582, 5e-6)
    close(fit.statistic["(Intercept)"], 1.3593, 2e-4)
    close(fit.pvalues["(Intercept)"], 0.190839, 2e-4)
    assert fit.df["(Intercept)"] == 18
    close(fit.conf_int().iloc[0, 0], -0.045671, 2e-5)
    close(fit.conf_int().iloc[0, 1], 0.213087, 2e-5)
    close(fit.statistics["prediction_low"], -0.23226, 2e-4)
    close(fit.statistics["prediction_high"], 0.399677, 2e-4)


def test_meta_regression_on_weeks_of_contact(by_weeks):
    close(by_weeks.statistics["tau2"], 0, 1e-5)
    assert by_weeks.is_singular
    for term, b, se, z in (
        ("(Intercept)", 0.407187, 0.087039, 4.678215),
        ("contact", -0.157245, 0.035832, -4.388433),
    ):
        close(by_weeks.params[term], b, 5e-6)
        close(by_weeks.std_errors[term], se, 5e-6)
        close(by_weeks.statistic[term], z, 5e-5)
    close(by_weeks.statistics["QM"], 19.258348, 5e-4)
    close(by_weeks.statistics["Q"], 16.570825, 5e-4)
    assert by_weeks.statistics["Q_df"] == 17
    close(by_weeks.statistics["R2_pct"], 100, 0.01)


def test_trim_and_fill():
    filled = fill_missing_studies(pool())
    assert (filled.statistics["n_filled"], filled.spec["side"]) == (3, "left")
    close(filled.params["(Intercept)"], 0.028198, 2e-5)
    close(filled.std_errors["(Intercept)"], 0.0741, 2e-5)
    close(filled.statistics["tau2"], 0.076938, 2e-5)
    close(filled.statistics["Q"], 58.752323, 2e-4)
    equal = fill_missing_studies(pool(method="ee"))
    assert equal.statistics["n_filled"] == 3
    close(equal.params["(Intercept)"], 0.025475, 1e-6)


def test_leaving_out_study_ten_matters_most():
    left_out = leave_one_study_out(pool())
    worst = left_out.loc[left_out["cook_distance"].idxmax()]
    assert worst["study"] == 9  # the tenth row
    close(worst["cook_distance"], 0.497, 5e-4)
    close(worst["estimate"], 0.0473, 5e-5)
    close(worst["tau2"], 0.0026, 5e-5)


def test_the_rows_typed_here_are_those_of_the_reference():
    data = Case("raudenbush1985").data[0]
    assert data["yi"].tolist() == Y
    assert data["vi"].tolist() == V
    assert data["weeks"].tolist() == WEEKS
