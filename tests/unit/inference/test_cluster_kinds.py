import pickle

import numpy as np
import pandas as pd
import pytest

from jobchance import Cluster, fit_glm, fit_iv, fit_panel
from jobchance.errors import DesignError, SpecError


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(12)
    n, g = 120, np.repeat(np.arange(8), 15)
    frame = pd.DataFrame({"g": g, "h": rng.integers(0, 7, n), "citizen_id": np.arange(n) // 3})
    frame["wave"] = np.arange(n) % 3
    frame["x"], frame["z"], frame["z2"] = rng.normal(size=(3, n))
    frame["d"] = frame["z"] + frame["z2"] + rng.normal(size=n)
    frame["y"] = frame["x"] + rng.normal(size=8)[g] + rng.normal(size=n)
    frame["b"] = (frame["y"] > 0).astype(int)
    return frame


def test_the_usual_kind_looks_as_it_did():
    assert repr(Cluster("g")) == "Cluster('g')"
    assert Cluster("g") == Cluster("g", kind="CR1")
    assert repr(Cluster("g", kind="CR2")) == "Cluster('g', kind='CR2')"
    assert Cluster("g", kind="CR2") != Cluster("g")
    assert len({Cluster("g"), Cluster("g", kind="CR1"), Cluster("g", kind="CR3")}) == 2


@pytest.mark.parametrize("kind", ["cr2", "CV3", "", None])
def test_unknown_kinds_list_the_known(kind):
    with pytest.raises(SpecError, match="CR1, CR2, CR3, jackknife"):
        Cluster("g", kind=kind)


def test_fitting_with_a_kind_equals_asking_later(data):
    vcov = Cluster("g", kind="CR2")
    for fit in (
        fit_glm("y ~ x", data, family="gaussian", vcov=vcov),
        fit_panel("y ~ x", data, vcov=vcov),
        fit_iv("y ~ x + [d ~ z]", data, vcov=vcov),
    ):
        again = fit.with_vcov(Cluster("g")).with_vcov(vcov)
        pd.testing.assert_frame_equal(fit.cov, again.cov)
        assert fit.inference.kind == "CR2"
        assert "Satterthwaite" in fit.summary()


def test_unadjusted_kind_is_the_same_number_as_before(data):
    fit = fit_glm("y ~ x", data, family="gaussian", vcov=Cluster("g"))
    X = np.column_stack([np.ones(120), data["x"]])
    B = np.linalg.inv(X.T @ X)
    e = data["y"] - X @ B @ X.T @ data["y"]
    sums = np.array([X[data["g"] == g].T @ e[data["g"] == g] for g in range(8)])
    np.testing.assert_allclose(fit.covariance, 8 / 7 * 119 / 118 * B @ sums.T @ sums @ B, rtol=1e-10)
    assert (fit.df == 7).all()


def test_order_of_the_kinds(data):
    """CR2 corrects CR0 upward, CR3 more so."""
    fit = fit_glm("y ~ x + z", data, family="gaussian", vcov=Cluster("g"))
    se = {
        kind: fit.with_vcov(Cluster("g", kind=kind)).std_errors for kind in ("CR1", "CR2", "CR3", "jackknife")
    }
    unscaled = se["CR1"] / np.sqrt(fit.inference.factors["g"])
    assert (unscaled < se["CR2"]).all()
    assert (se["CR2"] < se["CR3"]).all()
    assert (se["jackknife"] < se["CR3"]).all()


@pytest.mark.parametrize("kind", ["CR2", "CR3", "jackknife"])
def test_estimators_without_a_regression_are_refused(data, kind):
    vcov = Cluster("g", kind=kind)
    with pytest.raises(DesignError, match="not defined for this estimator"):
        fit_panel("y ~ x", data, estimator="random", vcov=vcov)
    with pytest.raises(DesignError, match="not defined for this estimator"):
        fit_glm("b ~ x", data, family="binomial", link="probit", vcov=vcov)
    with pytest.raises(DesignError, match="not defined for this estimator"):
        fit_iv("y ~ [d ~ z + z2]", data, method="liml", vcov=vcov)


def test_jackknife_is_for_least_squares(data):
    vcov = Cluster("g", kind="jackknife")
    with pytest.raises(DesignError, match="use kind='CR3'"):
        fit_glm("b ~ x", data, family="binomial", vcov=vcov)
    with pytest.raises(DesignError, match="use kind='CR3'"):
        fit_iv("y ~ [d ~ z]", data, vcov=vcov)


def test_weighted_least_squares_has_the_jackknife(data):
    weighted = data.assign(weight=np.exp(data["z"]))
    fit = fit_glm("y ~ x", weighted, family="gaussian", vcov=Cluster("g"), weights="weight")
    with pytest.raises(DesignError, match="use kind='jackknife'"):
        fit.with_vcov(Cluster("g", kind="CR2"))
    without = [
        fit_glm(
            "y ~ x", weighted[weighted["g"] != g], family="gaussian", vcov="model", weights="weight"
        ).params["x"]
        for g in range(8)
    ]
    expected = np.sqrt(7 / 8 * np.sum((np.array(without) - fit.params["x"]) ** 2))
    assert fit.with_vcov(Cluster("g", kind="jackknife")).std_errors["x"] == pytest.approx(expected)
    logit = fit_glm("b ~ x", weighted, family="binomial", vcov=Cluster("g"), weights="weight")
    with pytest.raises(DesignError, match="not defined for this estimator"):
        logit.with_vcov(Cluster("g", kind="CR3"))


@pytest.mark.parametrize("kind", ["CR2", "CR3"])
def test_two_dimensions_are_refused_but_for_the_jackknife(data, kind):
    fit = fit_glm("y ~ x", data, family="gaussian", vcov="model")
    with pytest.raises(DesignError, match="one cluster dimension, not 2"):
        fit.with_vcov(Cluster("g", "h", kind=kind))
    made = fit.with_vcov(Cluster("g", "h", kind="jackknife"))
    assert (made.df == 6).all()
    assert list(made.inference.factors) == ["g", "h", "g x h"]


def test_unusable_clusters_are_refused_alike(data):
    fit = fit_glm("y ~ x", data, family="gaussian", vcov="model")
    with pytest.raises(DesignError, match="team"):
        fit.with_vcov(Cluster("team", kind="CR2"))
    gaps = data.assign(g=data["g"].where(data["g"] > 0), one=1)
    other = fit_glm("y ~ x", gaps, family="gaussian", vcov="model")
    with pytest.raises(DesignError, match="15 rows have no cluster"):
        other.with_vcov(Cluster("g", kind="CR2"))
    with pytest.raises(DesignError, match="at least 2 are needed"):
        other.with_vcov(Cluster("one", kind="jackknife"))


def test_every_row_its_own_cluster_is_hc2_and_hc3(data):
    fit = fit_glm("y ~ x", data.assign(row=range(120)), family="gaussian", vcov="model")
    X = np.column_stack([np.ones(120), data["x"]])
    B = np.linalg.inv(X.T @ X)
    e, h = (data["y"] - X @ B @ X.T @ data["y"]).to_numpy(), np.sum((X @ B) * X, axis=1)
    for kind, power in (("CR2", 1), ("CR3", 2)):
        expected = B @ (X.T * (e**2 / (1 - h) ** power)) @ X @ B
        np.testing.assert_allclose(fit.with_vcov(Cluster("row", kind=kind)).covariance, expected, rtol=1e-9)


def test_exact_fit_leaves_zero_errors_not_a_crash(data):
    exact = data.assign(y=2 * data["x"] + 1)
    fit = fit_glm("y ~ x", exact, family="gaussian", vcov=Cluster("g", kind="CR2"))
    assert fit.std_errors["x"] < 1e-12


def test_stored_and_copied_without_rows(data):
    fit = fit_glm("y ~ x", data, family="gaussian", vcov=Cluster("g", kind="CR2"))
    again = pickle.loads(pickle.dumps(fit))
    assert again.rows is None
    assert again.df.to_numpy() == pytest.approx(fit.df.to_numpy())
    assert again.inference.effective_clusters[1] == fit.inference.effective_clusters[1]
    assert "120 rows" in repr(fit.rows.regressors)
