"""The most influential set: it changes the conclusion, its order is that of influence, refusals."""

from __future__ import annotations

import itertools
import pickle
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from jobchance.errors import SpecError
from jobchance.models.glm import fit_glm
from jobchance.models.panel import fit_panel
from jobchance.results.vcov import Cluster
from jobchance.sensitivity.influential_set import most_influential_set


def panel(seed=1, citizens=60, slope=0.15):
    rng = np.random.default_rng(seed)
    i = np.repeat(np.arange(citizens), 4)
    x = rng.normal(size=len(i))
    y = slope * x + rng.normal(size=citizens)[i] + rng.standard_t(4, size=len(i))
    return pd.DataFrame({"citizen_id": i.astype(str), "wave": np.tile(range(4), citizens), "x": x, "y": y})


@pytest.mark.parametrize("target", ["sign", "significance"])
def test_the_set_changes_the_conclusion_and_one_fewer_does_not(target):
    data = panel(slope=0.6 if target == "significance" else 0.15)
    fit = fit_glm("y ~ x", data, family="gaussian", vcov=Cluster("citizen_id"))
    made = most_influential_set(fit, "citizen_id", target=target, largest_share=0.6)
    assert made.found

    def without(members):
        left = data[~data["citizen_id"].isin(members)]
        again = fit_glm("y ~ x", left, family="gaussian", vcov=Cluster("citizen_id"))
        low, high = again.conf_int().loc["x"]
        return again.params["x"] < 0 if target == "sign" else low <= 0 <= high

    assert without(made.members)
    assert not without(made.members[:-1])
    assert made.n_rows == 4 * made.n_units
    assert made.n_predicted is None or made.n_predicted >= made.n_units - 1


def test_it_is_the_smallest_set_where_all_sets_can_be_tried():
    data = panel(seed=3, citizens=9, slope=0.3)
    fit = fit_glm("y ~ x", data, family="gaussian", vcov="model")
    made = most_influential_set(fit, "citizen_id", largest_share=0.9)
    citizens = list(data["citizen_id"].unique())

    def flips(members):
        left = data[~data["citizen_id"].isin(members)]
        return fit_glm("y ~ x", left, family="gaussian", vcov="model").params["x"] * fit.params["x"] < 0

    smallest = next(
        size
        for size in range(1, 9)
        if any(flips(chosen) for chosen in itertools.combinations(citizens, size))
    )
    assert made.n_units == smallest


def test_within_citizens_and_by_rows():
    data = panel()
    fit = fit_panel("y ~ x", data, vcov=Cluster("citizen_id"))
    made = most_influential_set(fit, ["citizen_id", "wave"], largest_share=0.5)
    assert made.found
    last = made.frame[made.frame["n_left_out"] == made.n_units].iloc[0]
    assert last["estimate"] * made.estimate < 0
    assert {"std_error", "conf_low", "changed"} <= set(made.frame.columns)


def test_a_robust_estimate_is_said_to_be_one():
    rng = np.random.default_rng(1)
    data = pd.DataFrame({"x": np.tile([0.0, 1.0], 100), "u": np.arange(200).astype(str)})
    data["y"] = 5 * data["x"] + 0.1 * rng.normal(size=200)
    made = most_influential_set(fit_glm("y ~ x", data, family="gaussian", vcov="model"), "u")
    assert not made.found
    assert made.n_units == 40
    assert "keeps its conclusion" in made.summary()


def test_the_search_stops_where_no_unit_holds_the_estimate_up():
    data = pd.DataFrame({"x": np.tile([0.0, 1.0], 50), "u": np.arange(100).astype(str)})
    data["y"] = data["x"]  # without residuals nobody has influence
    made = most_influential_set(fit_glm("y ~ x", data, family="gaussian", vcov="model"), "u")
    assert not made.found
    assert len(made.frame) <= 5


def test_a_robust_estimate_takes_few_fits():
    rng = np.random.default_rng(1)
    data = pd.DataFrame({"x": np.tile([0.0, 1.0], 500), "u": np.arange(1000).astype(str)})
    data["y"] = 50 * data["x"] + rng.normal(size=1000)
    made = most_influential_set(
        fit_glm("y ~ x", data, family="gaussian", vcov="model"), "u", largest_share=0.5
    )
    assert not made.found
    assert len(made.frame) <= 30


def test_a_model_without_a_record_or_a_standard_error_is_refused():
    data = panel()
    fit = fit_panel("y ~ x", data, entity="citizen_id", time="wave", estimator="between", vcov="model")
    with pytest.raises(SpecError, match="refit="):
        most_influential_set(fit, "citizen_id")
    fit = fit_glm("y ~ x", data, family="gaussian", vcov="model")
    without = replace(fit, covariance=np.full((2, 2), np.nan))
    with pytest.raises(SpecError, match="no standard error"):
        most_influential_set(without, "citizen_id", target="significance")


def test_members_stay_in_memory():
    data = panel()
    data["citizen_id"] = "person-" + data["citizen_id"]
    fit = fit_glm("y ~ x", data, family="gaussian", vcov="model")
    made = most_influential_set(fit, "citizen_id", largest_share=0.6)
    assert made.members.str.startswith("person-").all()
    assert b"person-" not in pickle.dumps(made)
    copy = pickle.loads(pickle.dumps(made))
    assert copy.members is None
    assert copy.summary() == made.summary()
    assert "person-" not in repr(made) + made.summary() + made.frame.to_csv()


def test_wrong_questions_are_refused():
    fit = fit_glm("y ~ x", panel(slope=0.0), family="gaussian", vcov="model")
    with pytest.raises(SpecError, match="includes zero already"):
        most_influential_set(fit, "citizen_id", target="significance")
    with pytest.raises(SpecError, match="level and largest_share"):
        most_influential_set(fit, "citizen_id", level=2, largest_share=0)
    with pytest.raises(SpecError, match="target"):
        most_influential_set(fit, "citizen_id", target="size")
