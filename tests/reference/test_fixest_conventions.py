"""Standard errors of absorbed effects against other software on one made-up panel in which citizens move."""

import numpy as np
import pandas as pd
import pytest
from linearmodels.panel import PanelOLS, RandomEffects

from jobchance import Cluster, Robust, fit_panel

# pyfixest 0.60.0, feols("y ~ x | ..."), vcov={"CRV1": ...}, "hetero" and "iid", default small-sample options.
PYFIXEST = [
    ((), Cluster("citizen_id"), 0.047687972061290336),
    ((), Cluster("caseworker_id"), 0.048907795170446376),
    (("wave",), Cluster("citizen_id"), 0.04735131607395149),
    (("wave",), Cluster("caseworker_id"), 0.048363367244140844),
    ((), Robust(), 0.0457698065250203),
    (("wave",), "model", 0.04464926411445936),
]


@pytest.fixture(scope="module")
def moving():
    rng = np.random.default_rng(3)
    i, t = np.repeat(np.arange(300), 4), np.tile(np.arange(4), 300)
    frame = pd.DataFrame({"citizen_id": i, "wave": t, "x": rng.normal(size=1200)})
    frame["caseworker_id"] = (i + (t > 1)) % 35
    noise = rng.normal(size=300)[i] + rng.normal(size=1200) + rng.normal(size=35)[frame["caseworker_id"]]
    frame["y"] = frame["x"] + noise
    return frame


@pytest.mark.parametrize(("absorb", "vcov", "expected"), PYFIXEST)
def test_one_way_errors_equal_pyfixest(moving, absorb, vcov, expected):
    fit = fit_panel("y ~ x", moving, absorb=absorb, vcov=vcov)
    assert fit.std_errors["x"] == pytest.approx(expected, rel=1e-10)


def test_two_way_errors_differ_from_pyfixest_by_the_stated_factors(moving):
    """pyfixest scales the whole sum by one factor; here every term has its own, the last none."""
    fit = fit_panel("y ~ x", moving, vcov=Cluster("caseworker_id", "citizen_id"))
    plain = {
        name: fit.with_vcov(Cluster(*name)).covariance[0, 0]
        / fit.with_vcov(Cluster(*name)).inference.factors[name[0]]
        for name in (("caseworker_id",), ("citizen_id",))
    }
    own = sum(plain[name] * fit.inference.factors[name[0]] for name in plain)
    both = own - fit.covariance[0, 0]
    k = 2  # the slope, and the absorbed effects as one, since they are nested in citizen_id
    theirs = 35 / 34 * 1199 / (1200 - k) * (sum(plain.values()) - both)
    assert np.sqrt(theirs) == pytest.approx(0.051329649587039755, rel=1e-9)


def test_linearmodels_default_has_no_cluster_factor(moving):
    indexed = moving.set_index(["citizen_id", "wave"])
    other = PanelOLS(indexed["y"], indexed[["x"]], entity_effects=True).fit(
        cov_type="clustered", cluster_entity=True
    )
    fit = fit_panel("y ~ x", moving, vcov=Cluster("citizen_id"))
    stated = np.sqrt((1200 / 1199) / (300 / 299 * 1199 / 1198))
    assert other.std_errors["x"] / fit.std_errors["x"] == pytest.approx(stated, rel=1e-9)


def test_unbalanced_random_effects_equal_linearmodels(moving):
    gappy = moving[(moving["wave"] < 2) | (moving["citizen_id"] % 3 > 0)]
    indexed = gappy.set_index(["citizen_id", "wave"])
    other = RandomEffects(indexed["y"], indexed[["x"]].assign(const=1.0)).fit()
    fit = fit_panel("y ~ x", gappy, estimator="random", vcov="model")
    assert fit.params["x"] == pytest.approx(other.params["x"], rel=1e-10)
    assert fit.std_errors["x"] == pytest.approx(other.std_errors["x"], rel=1e-10)
    sds = fit.variance_components["variance"].to_numpy()
    np.testing.assert_allclose(sds, other.variance_decomposition.iloc[:2], rtol=1e-9)
