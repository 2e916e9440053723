"""Leaving out levels: the update against new fits, what is kept in memory, refusals."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from jobchance.compute.local import LocalCompute
from jobchance.errors import DesignError, SpecError
from jobchance.inference.again import vcov_of
from jobchance.inference.multiplicity import romano_wolf
from jobchance.models.conditional_logit import fit_conditional_logit
from jobchance.models.glm import fit_glm
from jobchance.models.iv import fit_iv
from jobchance.models.mixed import fit_mixed
from jobchance.models.panel import fit_panel
from jobchance.results.vcov import Cluster
from jobchance.sensitivity.influential_set import most_influential_set
from jobchance.sensitivity.leave_one_out import leave_one_out


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(5)
    n = 240
    frame = pd.DataFrame(
        {
            "citizen_id": np.repeat(np.arange(80), 3).astype(str),
            "wave": np.tile([1, 2, 3], 80),
            "caseworker_id": rng.integers(0, 12, n).astype(str),
            "x": rng.normal(size=n),
            "w": rng.normal(size=n) * 100 + 5000,
            "office": rng.integers(0, 4, n).astype(str),
        }
    )
    frame["y"] = frame["x"] + rng.normal(size=80)[np.repeat(np.arange(80), 3)] + rng.normal(size=n)
    frame["job"] = (frame["y"] > 0.5).astype(float)
    return frame


def both(fit, group, **options):
    pair = [leave_one_out(fit, group, term="x", method=m, **options) for m in ("update", "refit")]
    return [made.frame.assign(level=made.levels.to_numpy()).set_index("level") for made in pair]


@pytest.mark.parametrize("group", ["caseworker_id", "office", "citizen_id", "wave"])
def test_the_update_of_least_squares_is_the_new_fit(data, group):
    fit = fit_glm("y ~ x + w + C(office)", data, family="gaussian", vcov=Cluster("caseworker_id"))
    update, refit = both(fit, group)
    np.testing.assert_allclose(update["estimate"], refit["estimate"].loc[update.index], rtol=1e-9)
    assert leave_one_out(fit, group, term="x", method="update").exact


def test_the_update_with_absorbed_citizens_is_exact_where_citizens_are_left_out(data):
    fit = fit_panel("y ~ x + w", data, vcov=Cluster("citizen_id"))
    update, refit = both(fit, "citizen_id")
    np.testing.assert_allclose(update["estimate"], refit["estimate"].loc[update.index], rtol=1e-9)
    rough = leave_one_out(fit, "caseworker_id", term="x", method="update")
    assert not rough.exact
    exact = leave_one_out(fit, "caseworker_id", term="x", method="refit")
    merged = rough.frame.assign(level=rough.levels.to_numpy()).merge(
        exact.frame.assign(level=exact.levels.to_numpy()), on="level"
    )
    assert np.corrcoef(merged["change_x"], merged["change_y"])[0, 1] > 0.95


def test_the_first_order_step_of_a_logit_is_close_to_the_new_fit(data):
    fit = fit_glm("job ~ x + w", data, family="binomial", vcov=Cluster("caseworker_id"))
    update, refit = both(fit, "citizen_id")
    change = refit["change"].loc[update.index]
    assert np.corrcoef(update["change"], change)[0, 1] > 0.99
    assert not leave_one_out(fit, "citizen_id", term="x", method="update").exact


def test_refits_keep_the_kind_of_standard_error_and_run_anywhere(data):
    fit = fit_glm("y ~ x + w", data, family="gaussian", vcov=Cluster("caseworker_id"))
    here = leave_one_out(fit, "office", term="x", level=0.9)
    with LocalCompute(2) as compute:
        there = leave_one_out(fit, "office", term="x", level=0.9, compute=compute)
    pd.testing.assert_frame_equal(here.frame, there.frame, check_exact=True)
    left = here.levels.iloc[0]
    by_hand = fit_glm(
        "y ~ x + w", data[data["office"] != left], family="gaussian", vcov=Cluster("caseworker_id")
    )
    line = here.frame.iloc[0]
    assert line["estimate"] == pytest.approx(by_hand.params["x"], rel=1e-12)
    assert line["std_error"] == pytest.approx(by_hand.std_errors["x"], rel=1e-12)
    low, high = by_hand.conf_int(0.9).loc["x"]
    assert (line["conf_low"], line["conf_high"]) == pytest.approx((low, high), rel=1e-12)
    assert line["n_rows"] == by_hand.nobs


def test_mixed_models_are_fitted_again(data):
    fit = fit_mixed("y ~ x + (1 | caseworker_id)", data)
    made = leave_one_out(fit, "office")
    left = made.levels.iloc[-1]
    by_hand = fit_mixed("y ~ x + (1 | caseworker_id)", data[data["office"] != left])
    assert made.frame["estimate"].iloc[-1] == pytest.approx(by_hand.params["x"], rel=1e-8)


@pytest.mark.parametrize("options", [{}, {"method": "fuller", "alpha": 4.0}, {"absorb": ["wave"]}])
def test_models_with_instruments_are_fitted_again(data, options):
    rng = np.random.default_rng(3)
    with_z = data.assign(z=data["x"] + rng.normal(size=len(data)))
    fit = fit_iv("y ~ w + [x ~ z]", with_z, vcov=Cluster("caseworker_id"), **options)
    made = leave_one_out(fit, "office", term="x")
    left = made.levels.iloc[0]
    by_hand = fit_iv(
        "y ~ w + [x ~ z]", with_z[with_z["office"] != left], vcov=Cluster("caseworker_id"), **options
    )
    assert made.method == "refit"
    assert made.frame["estimate"].iloc[0] == pytest.approx(by_hand.params["x"], rel=1e-10)
    assert made.frame["std_error"].iloc[0] == pytest.approx(by_hand.std_errors["x"], rel=1e-10)


def test_what_cannot_be_fitted_is_a_row_with_its_reason(data):
    alone = data.assign(office=np.where(data["x"] > 0, "a", "b"), x=(data["x"] > 0).astype(float))
    fit = fit_glm("y ~ x", alone, family="gaussian", vcov="model")
    for method in ("refit", "update"):
        made = leave_one_out(fit, "office", method=method)
        assert made.frame["estimate"].isna().all()
        assert (made.frame["status"] != "ok").all()
        assert "no estimate without 2 levels" in made.summary()


def test_levels_stay_in_memory(data):
    named = data.assign(office="Secretborg " + data["office"])
    fit = fit_glm("y ~ x", named, family="gaussian", vcov="model")
    made = leave_one_out(fit, "office")
    assert made.levels.str.startswith("Secretborg").all()
    copy = pickle.loads(pickle.dumps(made))
    assert copy.levels is None
    assert b"Secretborg" not in pickle.dumps(made)
    for text in (repr(made), made.summary(), made.frame.to_csv()):
        assert "Secretborg" not in text


def test_a_fit_of_another_kind_needs_its_own_function(data):
    fit = fit_conditional_logit("job ~ x", data, group="citizen_id")
    with pytest.raises(SpecError, match="refit="):
        leave_one_out(fit, "office", method="refit")
    assert leave_one_out(fit, "office").method == "update"
    own = leave_one_out(
        fit,
        "office",
        method="refit",
        refit=lambda part: fit_conditional_logit("job ~ x", part, group="citizen_id"),
    )
    assert own.frame["estimate"].notna().all()


@pytest.mark.parametrize("estimator", ["first_difference", "between"])
def test_rows_made_of_other_rows_are_not_fitted_again(data, estimator):
    fit = fit_panel("y ~ x", data, entity="citizen_id", time="wave", estimator=estimator, vcov="model")
    with pytest.raises(SpecError, match="refit="):
        leave_one_out(fit, "citizen_id", term="x", method="refit")


def test_weighted_least_squares_is_updated_exactly(data):
    weighted = data.assign(v=np.random.default_rng(1).uniform(0.5, 2, len(data)))
    fit = fit_glm("y ~ x + w", weighted, family="gaussian", weights="v", vcov=Cluster("caseworker_id"))
    update, refit = both(fit, "office")
    np.testing.assert_allclose(update["estimate"], refit["estimate"].loc[update.index], rtol=1e-9)
    assert leave_one_out(fit, "office", term="x", method="update").exact


@pytest.mark.parametrize("kind", ["CR1", "CR2", "CR3", "jackknife"])
def test_the_kind_of_cluster_adjustment_is_kept(data, kind):
    vcov = Cluster("caseworker_id", kind=kind)
    fit = fit_glm("y ~ x", data, family="gaussian", vcov=vcov)
    assert vcov_of(fit) == vcov
    made = leave_one_out(fit, "office")
    by_hand = fit_glm("y ~ x", data[data["office"] != made.levels.iloc[0]], family="gaussian", vcov=vcov)
    line = made.frame.iloc[0]
    assert line["std_error"] == pytest.approx(by_hand.std_errors["x"], rel=1e-12)
    assert line["conf_low"] == pytest.approx(by_hand.conf_int().loc["x", "conf_low"], rel=1e-12)


def test_a_fit_that_did_not_converge_says_so(data):
    fit = fit_glm("job ~ x", data, family="binomial", vcov="model")

    def rough(part):
        return replace(fit_glm("job ~ x", part, family="binomial", vcov="model"), converged=False)

    made = leave_one_out(fit, "office", refit=rough)
    assert set(made.frame["status"]) == {"did not converge"}
    assert "did not converge without 4 levels" in made.summary()


def test_rows_that_the_other_fit_drops_are_not_counted(data):
    fit = fit_panel("y ~ x", data.iloc[:-1], entity="citizen_id", time="wave", vcov=Cluster("citizen_id"))
    made = leave_one_out(fit, "wave", term="x")
    left = made.frame.assign(wave=made.levels.to_numpy()).set_index("wave")
    by_hand = fit_panel(
        "y ~ x",
        data.iloc[:-1].query("wave == 1 or wave == 3"),
        entity="citizen_id",
        time="wave",
        vcov="model",
    )
    assert left.loc[2, "n_rows"] == by_hand.nobs == 158
    assert left.loc[2, "n_rows"] < fit.nobs - left.loc[2, "n_rows_left_out"]


def test_estimates_without_one_person_are_not_stored(data):
    fit = fit_glm("y ~ x", data, family="gaussian", vcov="model")
    for group, kept in (("citizen_id", 0), ("caseworker_id", 0), ("office", 4)):
        copy = pickle.loads(pickle.dumps(leave_one_out(fit, group, method="update")))
        assert len(copy.frame) == kept
        assert ("not stored" in copy.summary()) == (kept == 0)


def test_wrong_questions_are_refused(data):
    fit = fit_glm("y ~ x + w", data, family="gaussian", vcov="model")
    with pytest.raises(SpecError, match="one of x, w"):
        leave_one_out(fit, "office")
    with pytest.raises(SpecError, match="method"):
        leave_one_out(fit, "office", term="x", method="jack")
    with pytest.raises(DesignError, match="one level"):
        leave_one_out(fit_glm("y ~ x", data.assign(office="a"), family="gaussian", vcov="model"), "office")
    holes = data.assign(office=data["office"].where(data["office"] != "1"))
    with pytest.raises(DesignError, match="have no office"):
        leave_one_out(fit_glm("y ~ x", holes, family="gaussian", vcov="model"), "office")
    with pytest.raises(SpecError, match="rows"):
        leave_one_out(type(fit).from_dict(fit.to_dict()), "office", term="x")


@pytest.mark.parametrize("call", [leave_one_out, most_influential_set])
def test_messages_do_not_list_the_persons_that_are_terms(data, call):
    named = data.assign(caseworker_id="canary-" + data["caseworker_id"])
    fit = fit_glm("y ~ x + C(caseworker_id)", named, family="gaussian", vcov="model")
    for term in (None, "z"):
        with pytest.raises(SpecError, match=r"one of x, caseworker_id\[\.\.\.\]\.") as seen:
            call(fit, "office", term=term)
        assert "canary" not in str(seen.value)
    with pytest.raises(SpecError, match="has no term 'z'") as seen:
        romano_wolf({"a": fit}, "z", cluster="office", draws=99, seed=1)
    assert "canary" not in str(seen.value)


def test_combinations_of_columns_can_be_left_out(data):
    fit = fit_glm("y ~ x", data, family="gaussian", vcov="model")
    made = leave_one_out(fit, ["office", "wave"], method="update")
    assert len(made.frame) == 12
    assert made.group == "office x wave"
    assert made.frame["n_rows_left_out"].sum() == len(data)
