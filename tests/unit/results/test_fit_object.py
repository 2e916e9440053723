import copy
import json
import pickle

import numpy as np
import pandas as pd
import pytest

from jobchance import Cluster, Fit, Robust, fit_glm, fit_mixed, fit_panel, meta_analysis
from jobchance.errors import DesignError, SpecError
from jobchance.results.tables import GLANCE_COLUMNS, TIDY_COLUMNS


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(7)
    n_citizens, waves = 90, 4
    citizen = np.repeat(np.arange(n_citizens), waves)
    frame = pd.DataFrame(
        {
            "citizen_id": [f"person-{c:04d}" for c in citizen],
            "wave": np.tile(np.arange(1, waves + 1), n_citizens),
            "caseworker_id": [f"worker-{c % 12:02d}" for c in citizen],
            "x": rng.normal(size=n_citizens * waves),
            "edu": rng.choice(["none", "short", "long"], n_citizens * waves),
        }
    )
    frame["y"] = 1 + 0.5 * frame["x"] + rng.normal(size=n_citizens)[citizen] + rng.normal(size=len(frame))
    frame.loc[3, "x"] = np.nan
    return frame


@pytest.fixture(scope="module")
def fits(data):
    ids = np.arange(12)
    return {
        "glm": fit_glm("y ~ x + edu", data, family="gaussian", vcov=Cluster("caseworker_id")),
        "within": fit_panel("y ~ x + edu", data),
        "random": fit_panel("y ~ x", data, estimator="random"),
        "hybrid": fit_panel("y ~ x", data, estimator="hybrid"),
        "mixed": fit_mixed("y ~ x + edu + (1 + x | citizen_id)", data),
        "meta": meta_analysis(pd.Series(np.sin(ids)), pd.Series(0.1 + 0.01 * ids)),
    }


NAMES = ["glm", "within", "random", "hybrid", "mixed", "meta"]


@pytest.mark.parametrize("name", NAMES)
def test_frames_have_the_same_columns_for_every_estimator(fits, name):
    tidy = fits[name].tidy()
    assert list(tidy.columns) == TIDY_COLUMNS
    assert list(fits[name].glance().columns) == GLANCE_COLUMNS
    assert (tidy.loc[tidy["effect"] == "fixed", "term"] == list(fits[name].terms)).all()


@pytest.mark.parametrize("name", NAMES)
def test_json_round_trip_keeps_every_number_and_no_row(fits, name):
    fit = fits[name]
    text = json.dumps(fit.to_dict(), allow_nan=False)
    assert "person-" not in text
    assert "worker-" not in text
    back = Fit.from_dict(json.loads(text))
    assert back.to_dict() == fit.to_dict()
    assert back.summary() == fit.summary()
    pd.testing.assert_frame_equal(back.tidy(), fit.tidy())
    assert back.rows is None
    assert back.random == ()


@pytest.mark.parametrize("clone", [copy.copy, copy.deepcopy, lambda fit: pickle.loads(pickle.dumps(fit))])
def test_copies_and_pickles_carry_no_rows(fits, clone):
    made = clone(fits["mixed"])
    assert made.rows is None
    assert made.random == ()
    assert made.to_dict() == fits["mixed"].to_dict()
    assert b"person-" not in pickle.dumps(fits["mixed"])


@pytest.mark.parametrize("name", NAMES)
def test_repr_and_summary_show_no_person_and_no_address(fits, name):
    for text in (repr(fits[name]), fits[name].summary()):
        assert "person-" not in text
        assert "0x" not in text


def test_a_fit_cannot_be_changed(fits):
    fit = fits["glm"]
    with pytest.raises(AttributeError):
        fit.model = "other"
    with pytest.raises(ValueError, match="read-only"):
        fit.estimates[0] = 1.0
    taken = fit.params
    taken.iloc[0] = 99.0
    assert fit.params.iloc[0] != 99.0
    with pytest.raises(TypeError):
        fit.spec["formula"] = "y ~ 1"


def test_with_vcov_gives_a_new_fit_and_names_the_kind(fits):
    fit = fits["glm"]
    robust = fit.with_vcov(Robust())
    assert robust is not fit
    assert (robust.params == fit.params).all()
    assert not np.allclose(robust.std_errors, fit.std_errors)
    assert "robust to unequal variances (HC1)" in robust.summary()
    assert "clustered by caseworker_id" in fit.summary()
    assert "Clusters of caseworker_id: 12" in fit.summary()
    assert any("Only 12 clusters" in note for note in fit.notes)
    assert not any("Only 12 clusters" in note for note in robust.notes)
    pd.testing.assert_series_equal(
        robust.with_vcov(Cluster("caseworker_id")).std_errors, fit.std_errors, rtol=1e-12
    )


def test_a_stored_fit_says_what_is_missing(fits):
    back = Fit.from_dict(fits["mixed"].to_dict())
    for action in (lambda: back.with_vcov(Robust()), back.augment, back.predict):
        with pytest.raises(SpecError, match="microdata"):
            action()
    with pytest.raises(SpecError, match="not stored"):
        back.random_effects("citizen_id")


def test_random_effects_are_stored_only_on_request(fits, data):
    fit = fits["mixed"]
    kept = Fit.from_dict(json.loads(json.dumps(fit.to_dict(random_effects=True))))
    pd.testing.assert_frame_equal(kept.random_effects("citizen_id"), fit.random_effects("citizen_id"))
    pd.testing.assert_series_equal(kept.predict(data.dropna()), fit.predict(data.dropna()))


def test_prediction_uses_the_remembered_coding(fits, data):
    fit = Fit.from_dict(fits["glm"].to_dict())
    one = data[data["edu"] == "short"].dropna().head(3)
    expected = fits["glm"].predict().loc[one.index]
    np.testing.assert_allclose(fit.predict(one), expected)
    assert fit.predict(data).isna().sum() == 1  # the row without x
    with pytest.raises(DesignError, match="edu: a level that the fit has not seen"):
        fit.predict(one.head(1).assign(edu="unheard-of"))


def test_new_levels_and_missing_groups_have_no_random_effect(fits, data):
    fit = fits["mixed"]
    rows = data.dropna().head(2).assign(citizen_id=["stranger", None])
    np.testing.assert_allclose(fit.predict(rows), fit.predict(rows, random=False))


def test_predicting_rows_used_gives_the_fitted_values(fits, data):
    fit = fits["mixed"]
    used = data.dropna()
    np.testing.assert_allclose(fit.predict(used), fit.predict(), rtol=1e-10)
    np.testing.assert_allclose(fit.predict(used, random=False), fit.predict(random=False), rtol=1e-10)
    augmented = fit.augment()
    np.testing.assert_allclose(augmented["fitted"] + augmented["residual"], used["y"])


def test_absorbed_effects_give_no_level_for_new_rows(fits, data):
    with pytest.raises(SpecError, match="absorbed the effects of citizen_id"):
        fits["within"].predict(data)


def test_dropped_rows_are_counted_and_printed(fits):
    assert dict(fits["glm"].sample.dropped) == {"x is missing": 1}
    assert "Rows dropped, x is missing: 1" in fits["glm"].summary()


@pytest.mark.parametrize("level", [0, 1, 95, -0.5])
def test_a_level_outside_zero_to_one_is_refused(fits, level):
    with pytest.raises(SpecError, match="level"):
        fits["glm"].conf_int(level)


@pytest.mark.parametrize("stored", [{}, {"format": "other"}, {"format": "jobchance.fit/1"}, []])
def test_a_damaged_file_is_refused(stored):
    with pytest.raises(SpecError, match="stored fit"):
        Fit.from_dict(stored)


def test_a_stored_fit_cannot_name_code(fits):
    stored = fits["glm"].to_dict()
    stored["predictor"] = {"kind": "os:system"}
    with pytest.raises(SpecError, match="damaged"):
        Fit.from_dict(stored)


def test_unknown_groups_are_named(fits):
    with pytest.raises(SpecError, match="citizen_id"):
        fits["mixed"].random_effects("caseworker_id")
    with pytest.raises(SpecError, match="no random effects"):
        fits["glm"].random_effects("citizen_id")


def test_parts_do_not_print_persons_or_values():
    data = pd.DataFrame({"y": [1.0, 2, 4, 5, 9, 8], "g": ["person-a", "person-a", "b", "b", "c", "c"]})
    fit = fit_mixed("y ~ 1 + (1 | g)", data)
    back = Fit.from_dict(fit.to_dict(random_effects=True))
    for part in (fit.random, back.random, fit.rows):
        assert "person-a" not in repr(part)
        assert "array" not in repr(part)
