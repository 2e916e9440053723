"""`two_way_variance`: what it reports, refuses and keeps to itself."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from jobchance.errors import IdentificationError, SpecError
from jobchance.identification.two_way import two_way_variance
from jobchance.results.fit import Fit


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(2)
    citizen = np.repeat(np.arange(300), 4)
    home = np.repeat(rng.integers(0, 12, 300), 4)
    caseworker = np.where(rng.random(1200) < 0.4, rng.integers(0, 12, 1200), home)
    age = rng.normal(0, 1, 1200)
    y = rng.normal(0, 1, 300)[citizen] + rng.normal(0, 0.6, 12)[caseworker] + rng.normal(0, 1, 1200)
    return pd.DataFrame({"y": y + 0.7 * age, "citizen_id": citizen, "caseworker_id": caseworker, "age": age})


def fit(data, **options):
    return two_way_variance(data["y"], data["citizen_id"], data["caseworker_id"], **options)


def test_components_carry_the_names_and_three_methods_stand_side_by_side(data):
    found = fit(data)
    assert list(found.terms) == [
        "variance(citizen_id)",
        "variance(caseworker_id)",
        "covariance(citizen_id, caseworker_id)",
    ]
    table = found.diagnostics["components"].set_index("method")
    np.testing.assert_allclose(table.loc["kss", list(found.terms)].astype(float), found.params)
    # Noise spreads estimated effects and makes their covariance too low.
    assert (table.loc["plugin"].iloc[:2] > table.loc["kss"].iloc[:2]).all()
    assert table.loc["plugin"].iloc[2] < table.loc["kss"].iloc[2]
    for method in ("plugin", "andrews"):
        np.testing.assert_allclose(
            fit(data, method=method).params, table.loc[method, list(found.terms)].astype(float)
        )


def test_plug_in_is_the_variance_of_the_coefficients_of_dummy_variables(data):
    y = data["y"].to_numpy()
    D, F = np.eye(300)[data["citizen_id"]], np.eye(12)[data["caseworker_id"]][:, 1:]
    b = np.linalg.lstsq(np.hstack([D, F]), y, rcond=None)[0]
    among = np.cov(D @ b[:300], F @ b[300:])
    params = fit(data, method="plugin").params
    np.testing.assert_allclose(params, [among[0, 0], among[1, 1], among[0, 1]], atol=1e-10)


def test_covariates_are_those_of_the_full_model(data):
    y, age = data["y"].to_numpy(), data["age"].to_numpy()
    X = np.hstack([np.eye(300)[data["citizen_id"]], np.eye(12)[data["caseworker_id"]][:, 1:], age[:, None]])
    b = np.linalg.lstsq(X, y, rcond=None)[0][-1]
    direct = two_way_variance(y - b * age, data["citizen_id"], data["caseworker_id"])
    through = fit(data, covariates=data[["age"]])
    np.testing.assert_allclose(through.params, direct.params, atol=1e-9)
    doubled = data.assign(again=2 * data["age"], sex=data["citizen_id"] % 2)
    found = fit(data, covariates=doubled[["age", "again", "sex"]])
    np.testing.assert_allclose(found.params, through.params, atol=1e-9)
    assert len(found.sample.dropped_terms) == 2


def test_labels_order_and_missing_rows(data):
    rng = np.random.default_rng(3)
    first = fit(data)
    other = data.sample(frac=1, random_state=1)
    names = rng.permutation(12)
    other = other.assign(
        caseworker_id=("c" + pd.Series(names[other["caseworker_id"]], index=other.index).astype(str)),
        citizen_id=-other["citizen_id"],
    )
    holes = other.head(5).assign(y=np.nan)
    found = fit(pd.concat([other, holes]))
    np.testing.assert_allclose(found.params, first.params, atol=1e-10)
    assert found.sample.dropped == {"missing value": 5}


def test_citizens_of_one_row_and_bridges_are_dropped_and_counted(data):
    extra = pd.DataFrame(
        {"y": [0.1, 0.2, 0.3], "citizen_id": [900, 901, 901], "caseworker_id": [0, 1, 77], "age": 0.0}
    )
    found = fit(pd.concat([data, extra]))
    np.testing.assert_allclose(found.params, fit(data).params, atol=1e-10)
    assert found.sample.dropped == {
        "citizen whose removal disconnects the set": 2,
        "citizen with one row": 1,
    }
    steps = found.diagnostics["sample"].set_index("step")
    assert steps.loc["all", "n_caseworkers"] == 13
    assert steps.loc["leave_out_set", "n_caseworkers"] == 12


def test_what_the_data_cannot_carry_is_refused_with_its_key(data):
    for change, key in (
        ({"caseworker_id": 1}, "several_caseworkers"),
        ({"caseworker_id": data["citizen_id"] % 12}, "movers"),
    ):
        with pytest.raises(IdentificationError) as caught:
            fit(data.assign(**change))
        assert caught.value.missing == (key,)
    chain = pd.DataFrame({"y": [1.0, 2, 3, 4], "citizen_id": [0, 0, 1, 1], "caseworker_id": [0, 1, 1, 2]})
    with pytest.raises(IdentificationError) as caught:
        fit(chain)
    assert caught.value.missing == ("connected_set",)


def test_options_and_shapes_are_checked(data):
    with pytest.raises(SpecError, match="method"):
        fit(data, method="akm")
    with pytest.raises(SpecError, match="leave_out"):
        fit(data, leave_out="caseworker")
    with pytest.raises(SpecError, match="n_projections"):
        fit(data, n_projections=3)
    with pytest.raises(SpecError, match="one row each"):
        two_way_variance(data["y"].head(10), data["citizen_id"], data["caseworker_id"])
    with pytest.raises(SpecError, match="must be numbers"):
        fit(data, covariates=pd.DataFrame({"word": ["a"] * len(data)}))


def test_no_person_is_named_in_what_is_stored(data):
    marked = data.assign(
        citizen_id="P" + data["citizen_id"].astype(str) + "X",
        caseworker_id="Q" + data["caseworker_id"].astype(str) + "X",
    )
    found = fit(marked, leave_out="match", n_projections=50)
    text = found.summary() + str(found.to_dict())
    assert "P1X" not in text
    assert "Q1X" not in text
    again = Fit.from_dict(found.to_dict())
    np.testing.assert_allclose(again.params, found.params)
    assert np.isnan(found.std_errors.iloc[0])
    assert found.std_errors.iloc[1] > 0


def test_the_seed_decides_the_projections(data):
    first, again = (fit(data, n_projections=40, seed=5) for _ in range(2))
    np.testing.assert_array_equal(first.params, again.params)
    assert (first.params != fit(data, n_projections=40, seed=6).params).all()
    assert first.statistics["projection_se(variance(caseworker_id))"] > 0
