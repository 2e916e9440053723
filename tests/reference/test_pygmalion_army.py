"""The army platoons: R's additive model, and the randomisation test over all 39,366 assignments."""

import pytest
from cases import Case

from jobchance import fit_glm
from jobchance.inference.assignment import Assignment
from jobchance.inference.linear_statistic import LinearStatistic
from jobchance.inference.randomisation import randomisation_test


@pytest.fixture(scope="module")
def army():
    return Case("pygmalion_army")


def test_the_additive_model_is_that_of_r(army):
    fit = fit_glm("Score ~ Company + Treat", army.data[0], family="gaussian", vcov="model")
    army.check("additive.treat", fit.params["Treat[Pygmalion]"])
    army.check("additive.se", fit.std_errors["Treat[Pygmalion]"])
    army.check("additive.t", fit.statistic["Treat[Pygmalion]"])
    army.check("additive.F", fit.statistic["Treat[Pygmalion]"] ** 2)
    army.check("additive.df", fit.df["Treat[Pygmalion]"])
    army.check("additive.p", fit.pvalues["Treat[Pygmalion]"])


def test_all_assignments_within_companies(army):
    data = army.data[0]
    dealt = Assignment.shuffled(data, "Treat", within=["Company"], level="Pygmalion")
    made = randomisation_test(LinearStatistic("Score ~ Company", data), dealt, draws_or_all="all")
    army.check("additive.treat", made.observed)
    army.check("randomization.assignments", made.n_arrangements)
    army.check("randomization.one_sided_count", round(made.p_greater * made.n_arrangements))
    army.check("randomization.p_one_sided", made.p_greater)
    army.check("randomization.p_two_sided", made.p_value)
    assert 0 < made.conf_low < made.observed < made.conf_high


def test_random_assignments_come_close(army):
    data = army.data[0]
    dealt = Assignment.shuffled(data, "Treat", within=["Company"], level="Pygmalion")
    made = randomisation_test(LinearStatistic("Score ~ Company", data), dealt, draws_or_all=20_000, seed=1)
    exact = army.entry["quantities"]["randomization.p_two_sided"]
    assert abs(made.p_value - exact) < 4 * (exact / 20_000) ** 0.5
