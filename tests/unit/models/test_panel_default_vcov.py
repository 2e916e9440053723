"""What `fit_panel` clusters on when the caller does not say."""

import numpy as np
import pandas as pd
import pytest

from jobchance.errors import DesignError
from jobchance.models.panel import fit_panel
from jobchance.results.vcov import Cluster


def panel(*, moves, caseworker=True):
    rng = np.random.default_rng(5)
    citizens, waves = 60, 4
    frame = pd.DataFrame(
        {"citizen_id": np.repeat(np.arange(citizens), waves), "wave": np.tile(np.arange(waves), citizens)}
    )
    frame["x"] = rng.normal(size=len(frame))
    frame["y"] = (
        0.5 * frame["x"] + rng.normal(size=citizens)[frame["citizen_id"]] + rng.normal(size=len(frame))
    )
    if caseworker:
        frame["caseworker_id"] = (frame["citizen_id"] + (frame["wave"] > 1) * moves) % 12
    return frame.astype({"citizen_id": str})


@pytest.mark.parametrize("estimator", ["random", "hybrid"])
def test_moving_citizens_are_clustered_by_both(estimator):
    data = panel(moves=1)
    fit = fit_panel("y ~ x", data, estimator=estimator)
    both = fit_panel("y ~ x", data, estimator=estimator, vcov=Cluster("caseworker_id", "citizen_id"))
    np.testing.assert_array_equal(fit.cov, both.cov)
    assert any("clustered by both" in note for note in fit.notes)
    with pytest.raises(DesignError, match="citizen_id"):
        fit_panel("y ~ x", data, estimator=estimator, vcov=Cluster("caseworker_id"))


@pytest.mark.parametrize("estimator", ["within", "random", "hybrid", "pooled"])
def test_citizens_who_stay_are_clustered_by_caseworker(estimator):
    fit = fit_panel("y ~ x", panel(moves=0), estimator=estimator)
    assert list(fit.inference.clusters) == ["caseworker_id"]
    assert not any("clustered by both" in note for note in fit.notes)


@pytest.mark.parametrize("estimator", ["within", "between", "random", "first_difference", "pooled", "hybrid"])
def test_without_caseworkers_the_entity_is_the_cluster_and_the_fit_says_so(estimator):
    fit = fit_panel("y ~ x", panel(moves=0, caseworker=False), estimator=estimator)
    assert list(fit.inference.clusters) == ["citizen_id"]
    assert any("No column caseworker_id" in note for note in fit.notes)
