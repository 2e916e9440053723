import json

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, special

from jobchance import Fit, fit_mixed
from jobchance.errors import DesignError, FormulaError, SchemaError, SpecError

N = 900


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(11)
    frame = pd.DataFrame(
        {
            "g": [f"w{i:02d}" for i in rng.integers(0, 40, N)],
            "h": rng.integers(0, 25, N),
            "x": rng.normal(size=N),
            "edu": rng.choice(["none", "short", "long"], N),
            "weeks": rng.integers(1, 9, N).astype(float),
        }
    )
    g, h = frame["g"].str[1:].astype(int), frame["h"]
    level, slope, other = rng.normal(0, 1, 40), rng.normal(0, 0.7, 40), rng.normal(0, 0.8, 25)
    eta = 0.4 * frame["x"] + level[g] + slope[g] * frame["x"] + other[h] + 0.5 * (frame["edu"] == "long")
    frame["job"] = (rng.random(N) < special.expit(eta)).astype(int)
    frame["count"] = rng.poisson(frame["weeks"] * np.exp(0.4 * eta - 1))
    frame["answer"] = np.digitize(eta + rng.logistic(size=N), [-2, 0, 1.5]) * 2
    return frame


@pytest.fixture(scope="module")
def fits(data):
    return {
        "binomial": fit_mixed("job ~ x + edu + (1 + x | g) + (1 | h)", data, family="binomial"),
        "probit": fit_mixed("job ~ x + (1 | g)", data, family="binomial", link="probit"),
        "poisson": fit_mixed("count ~ x + (1 | g) + offset(log(weeks))", data, family="poisson"),
        "ordinal": fit_mixed("answer ~ x + edu + (1 + x | g)", data, family="ordinal"),
        "cloglog": fit_mixed("answer ~ x + (1 | g)", data, family="ordinal", link="cloglog"),
        "gaussian": fit_mixed("count ~ x + (x | g) + (1 | h)", data),
    }


CURVED = ["binomial", "probit", "poisson", "ordinal", "cloglog"]


def _row_variance(fit, row):
    """z'Sigma z from the printed variance components, not from theta."""
    total, frame = 0.0, fit.variance_components
    for group in dict.fromkeys(frame["group"]):
        parts = frame[(frame["group"] == group)]
        z = np.array([1.0 if term == "(Intercept)" else row[term] for term in parts["term"]])
        sd = parts["sd"].to_numpy()
        sigma = np.outer(sd, sd)
        if len(sd) == 2:
            sigma[0, 1] = sigma[1, 0] = sd[0] * sd[1] * parts["correlation"].iloc[1]
        else:
            assert len(sd) == 1
        total += z @ sigma @ z
    return total


def _mean_over(function, sd):
    value, _ = integrate.quad(
        lambda u: function(sd * u) * np.exp(-u * u / 2) / np.sqrt(2 * np.pi), -10, 10, epsabs=1e-13
    )
    return value


@pytest.mark.parametrize("name", ["binomial", "probit", "poisson"])
def test_integrated_prediction_is_the_mean_over_all_random_effects(fits, data, name):
    fit = fits[name]
    rows = data.head(6)
    link = {"binomial": special.expit, "probit": special.ndtr, "poisson": np.exp}[name]
    typical = fit.predict(rows, random=False)
    found = fit.predict(rows, random="integrated")
    inverse = {"binomial": special.logit, "probit": special.ndtri, "poisson": np.log}[name]
    for i in rows.index:
        sd = np.sqrt(_row_variance(fit, rows.loc[i]))
        eta = float(inverse(typical[i]))
        by_hand = _mean_over(lambda e, eta=eta: link(eta + e), sd)
        assert found[i] == pytest.approx(by_hand, rel=1e-9)


@pytest.mark.parametrize(("name", "share"), [("ordinal", special.expit), ("cloglog", None)])
def test_integrated_probabilities_of_levels(fits, data, name, share):
    fit, rows = fits[name], data.head(4)
    share = share or (lambda t: -np.expm1(-np.exp(t)))
    cuts = fit.params.iloc[:3].to_numpy()
    slopes = fit.params.iloc[3:]
    found = fit.predict(rows, random="integrated")
    assert list(found.columns) == ["0", "2", "4", "6"]
    for i in rows.index:
        row = rows.loc[i]
        eta = sum(
            b * (row["x"] if term == "x" else float(f"edu[{row['edu']}]" == term))
            for term, b in slopes.items()
        )
        sd = np.sqrt(_row_variance(fit, row))
        below = [_mean_over(lambda e, c=cut - eta: share(c + e), sd) for cut in cuts]
        np.testing.assert_allclose(found.loc[i], np.diff([0, *below, 1]), rtol=1e-8)


@pytest.mark.parametrize("name", ["ordinal", "cloglog"])
@pytest.mark.parametrize("random", [True, False, "integrated"])
def test_probabilities_sum_to_one_and_training_rows_need_no_data(fits, data, name, random):
    found = fits[name].predict(data, random=random)
    np.testing.assert_allclose(found.sum(axis=1), 1.0, rtol=1e-14)
    assert (found.to_numpy() >= 0).all()
    pd.testing.assert_frame_equal(fits[name].predict(random=random), found)


@pytest.mark.parametrize("name", ["binomial", "poisson", "gaussian"])
@pytest.mark.parametrize("random", [True, False, "integrated"])
def test_training_rows_need_no_data(fits, data, name, random):
    found = fits[name].predict(data, random=random)
    np.testing.assert_allclose(fits[name].predict(random=random), found, rtol=1e-10)


def test_linear_models_integrate_to_the_typical_level(fits, data):
    fit = fits["gaussian"]
    pd.testing.assert_series_equal(
        fit.predict(data, random="integrated"), fit.predict(data, random=False), rtol=1e-14
    )


@pytest.mark.parametrize("name", CURVED)
def test_stored_fits_integrate_without_groups_or_modes(fits, data, name):
    back = Fit.from_dict(json.loads(json.dumps(fits[name].to_dict())))
    bare = data.drop(columns=["g", "h"])
    expected = fits[name].predict(data, random="integrated")
    np.testing.assert_allclose(back.predict(bare, random="integrated"), expected, rtol=1e-14)
    with pytest.raises(SpecError, match="not stored"):
        back.predict(data)
    with pytest.raises(SchemaError, match="column g"):
        fits[name].predict(bare)


def test_new_levels_are_zero_integrated_or_refused(fits, data):
    fit = fits["binomial"]
    known = data.head(5)
    strange = known.assign(g=["new", None, *known["g"].iloc[2:]])
    both = strange.assign(h=-1)
    zero = fit.predict(strange)
    assert (zero.iloc[2:] == fit.predict(known).iloc[2:]).all()
    np.testing.assert_allclose(fit.predict(both.head(2)), fit.predict(both.head(2), random=False), rtol=1e-14)
    np.testing.assert_allclose(
        fit.predict(both.head(2), new_levels="integrated"),
        fit.predict(both.head(2), random="integrated"),
        rtol=1e-14,
    )
    partly = fit.predict(strange, new_levels="integrated")
    np.testing.assert_allclose(partly.iloc[2:], zero.iloc[2:], rtol=1e-14)
    assert (np.abs(partly.iloc[:2] - 0.5) < np.abs(zero.iloc[:2] - 0.5)).all()
    with pytest.raises(DesignError, match="among 5 rows: g in 2, h in 5") as caught:
        fit.predict(both, new_levels="error")
    assert "new," not in str(caught.value)
    pd.testing.assert_series_equal(fit.predict(known, new_levels="error"), fit.predict(known))


def test_offsets_are_added_to_new_rows(fits, data):
    inside = fits["poisson"]
    column = fit_mixed(
        "count ~ x + (1 | g)", data.assign(lw=np.log(data["weeks"])), family="poisson", offset="lw"
    )
    np.testing.assert_allclose(column.estimates, inside.estimates, rtol=1e-7)
    rows = data.head(4).assign(weeks=3.0, lw=np.log(3.0))
    twice = rows.assign(weeks=6.0, lw=np.log(6.0))
    for fit in (inside, column, Fit.from_dict(column.to_dict())):
        for random in (False, "integrated"):
            ratio = fit.predict(twice, random=random) / fit.predict(rows, random=random)
            np.testing.assert_allclose(ratio, 2.0, rtol=1e-12)
    for fit, name in ((inside, "weeks"), (column, "lw")):
        with pytest.raises(FormulaError, match=f"offset.*{name}"):
            fit.predict(data.drop(columns="weeks"), random=False)
    with pytest.raises(DesignError, match="offset is infinite in 1 of 4 rows"):
        inside.predict(rows.assign(weeks=[0.0, 1, 1, 1]))
    missing = inside.predict(rows.assign(weeks=[np.nan, 1, 1, 1]), random="integrated")
    assert missing.isna().tolist() == [True, False, False, False]


def test_missing_values_give_missing_predictions(fits, data):
    rows = data.head(3).assign(x=[np.nan, 1.0, 2.0])
    for name in ("binomial", "ordinal"):
        for random in (True, False, "integrated"):
            found = np.asarray(fits[name].predict(rows, random=random)).reshape(3, -1)
            assert np.isnan(found[0]).all()
            assert np.isfinite(found[1:]).all()


def test_augmented_ordinal_rows_are_scores(fits, data):
    frame = fits["ordinal"].augment()
    assert sorted(frame["outcome"].unique()) == [0, 2, 4, 6]
    expected = fits["ordinal"].predict().to_numpy() @ np.array([0.0, 2, 4, 6])
    np.testing.assert_allclose(frame["fitted"], expected, rtol=1e-13)
    np.testing.assert_allclose(frame["fitted"] + frame["residual"], data["answer"], rtol=1e-13)
    words = data.assign(answer=pd.Categorical(data["answer"].map({0: "no", 2: "so", 4: "yes", 6: "sure"}),
                                              ["no", "so", "yes", "sure"], ordered=True))  # fmt: skip
    named = fit_mixed("answer ~ x + edu + (1 + x | g)", words, family="ordinal").augment()
    assert sorted(named["outcome"].unique()) == [1, 2, 3, 4]
    np.testing.assert_allclose(named["fitted"], frame["fitted"] / 2 + 1, rtol=1e-6)


def test_unknown_arguments_are_named(fits, data):
    with pytest.raises(SpecError, match="random='typical'"):
        fits["binomial"].predict(data, random="typical")
    with pytest.raises(SpecError, match="new_levels='zeros'"):
        fits["binomial"].predict(data, new_levels="zeros")


@pytest.mark.parametrize("name", [*CURVED, "gaussian"])
def test_round_trip_keeps_structure_and_joint(fits, name):
    fit = fits[name]
    back = Fit.from_dict(json.loads(json.dumps(fit.to_dict(random_effects=True), allow_nan=False)))
    assert back.to_dict(random_effects=True) == fit.to_dict(random_effects=True)
    assert back.joint.names == fit.joint.names
    np.testing.assert_array_equal(back.joint.covariance, fit.joint.covariance)
    assert [t.theta for t in back.structure] == [t.theta for t in fit.structure]
    assert back.summary() == fit.summary()
    pd.testing.assert_frame_equal(back.random_effects("g"), fit.random_effects("g"))


def test_the_format_before_is_named(fits):
    with pytest.raises(SpecError, match=r"format jobchance\.fit/1, but this version reads jobchance\.fit/3"):
        Fit.from_dict(fits["probit"].to_dict() | {"format": "jobchance.fit/1"})


def test_levels_of_combinations_are_matched_by_text():
    rng = np.random.default_rng(2)
    frame = pd.DataFrame({"a": rng.choice(["p", "q", "r"], 300), "b": rng.integers(0, 4, 300).astype(float)})
    frame["day"] = pd.to_datetime("2020-01-01") + pd.to_timedelta(rng.integers(0, 9, 300), "D")
    frame["y"] = rng.normal(size=300) + frame["b"] * (frame["a"] == "p") + frame["day"].dt.day / 5
    fit = fit_mixed("y ~ 1 + (1 | a/b) + (1 | day)", frame)
    np.testing.assert_allclose(fit.predict(frame), fit.predict(), rtol=1e-12)
    one = frame.head(4).assign(a=["p", "new", None, "p"], b=[np.nan, 1, 1, 99])
    with pytest.raises(DesignError, match=r"a in 2, a:b in 4|a:b in 4, a in 2"):
        fit.predict(one, new_levels="error")
    modes = {g: fit.random_effects(g).set_index("level")["estimate"] for g in ("a", "day")}
    day = modes["day"][str(frame["day"].iloc[0])]
    assert fit.predict(one).iloc[0] == pytest.approx(fit.params.iloc[0] + modes["a"]["p"] + day)
