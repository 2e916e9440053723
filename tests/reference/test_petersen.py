import pytest
from cases import Case

from jobchance import Cluster, Robust, fit_glm

KINDS = {
    "se_ols": "model",
    "se_HC1": Robust(),
    "se_firm": Cluster("firm"),
    "se_year": Cluster("year"),
    "se_twoway": Cluster("firm", "year"),
}


@pytest.fixture(scope="module")
def petersen():
    return Case("petersen")


@pytest.mark.parametrize("quantity", KINDS)
def test_standard_errors_equal_r_sandwich(petersen, quantity):
    fit = fit_glm("y ~ x", petersen.data[0], family="gaussian", vcov=KINDS[quantity])
    petersen.check("b", fit.params["x"])
    petersen.check(quantity, fit.std_errors["x"])


def test_with_vcov_gives_the_same_as_fitting_with_it(petersen):
    fit = fit_glm("y ~ x", petersen.data[0], family="gaussian", vcov="model")
    for quantity, vcov in KINDS.items():
        petersen.check(quantity, fit.with_vcov(vcov).std_errors["x"])


def test_clustered_degrees_of_freedom_are_clusters_less_one(petersen):
    fit = fit_glm("y ~ x", petersen.data[0], family="gaussian", vcov=Cluster("firm", "year"))
    assert fit.df["x"] == 9
    assert dict(fit.inference.clusters) == {"firm": 500, "year": 10}
    assert fit.inference.factors["firm x year"] == 1.0
    assert any("Only 10 clusters of year" in note for note in fit.notes)
