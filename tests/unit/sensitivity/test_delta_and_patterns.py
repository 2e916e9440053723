"""Delta adjustment and pattern comparison: arithmetic by hand, refusals, small cells."""

import numpy as np
import pandas as pd
import pytest

import jobchance as jc
from jobchance.errors import DesignError, SpecError
from jobchance.sensitivity.delta import _crossing, _tipping, delta_adjustment
from jobchance.sensitivity.patterns import _patterns, pattern_comparison


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(21)
    n = 400
    high = rng.integers(0, 2, n).astype(float)
    job = (rng.random(n) < 0.2 + 0.3 * high).astype(float)
    job[rng.random(n) < 0.25] = np.nan
    return pd.DataFrame({"job": job, "high": high, "score": rng.normal(size=n)})


def test_the_far_ends_are_all_zeros_and_all_ones(rows):
    """Delta of +-100 pp fills every gap with one answer: the worst-case bounds when they oppose."""
    made = delta_adjustment(
        rows, "job ~ high", term="high", deltas=[-100, 100], only=rows["high"] == 1, imputations=3, seed=1
    )
    by = made.frame.set_index("delta")
    known = rows.groupby("high")["job"]
    assert by.loc[-100, "mean_shifted"] == 0
    assert by.loc[100, "mean_shifted"] == 1
    filled = rows["job"].fillna(1.0)[rows["high"] == 1].mean()
    zero = known.mean()[0.0]
    assert by.loc[100, "estimate"] == pytest.approx(filled - zero, abs=0.05)
    assert by["n_shifted"].unique().tolist() == [int((rows["job"].isna() & (rows["high"] == 1)).sum())]
    assert (np.diff(made.frame["estimate"]) > 0).all()


def test_delta_zero_is_imputation_at_random(rows):
    made = delta_adjustment(rows, "job ~ high", term="high", deltas=[5], imputations=40, seed=2)
    plain = jc.fit_glm("job ~ high", rows, family="gaussian", vcov=jc.Robust())
    at_zero = made.frame.set_index("delta").loc[0]
    assert at_zero["estimate"] == pytest.approx(plain.params["high"], abs=0.02)
    assert at_zero["std_error"] == pytest.approx(plain.std_errors["high"], rel=0.2)


def test_numbers_are_shifted_by_standard_deviations(rows):
    data = rows.assign(score=rows["score"].where(rows["job"].notna()))
    made = delta_adjustment(data, "score ~ high", term="high", deltas=[-1, 1], imputations=2, seed=3)
    means = made.frame["mean_shifted"].to_numpy()
    assert np.diff(means) == pytest.approx(data["score"].std())
    exposure = rows.assign(score=rows["score"].mask(rows.index < 40))
    made = delta_adjustment(
        exposure, "job ~ score", term="score", shift="exposure", deltas=[2], imputations=2, seed=3
    )
    assert made.frame["mean_shifted"].diff().iloc[1] == pytest.approx(2 * exposure["score"].std(), rel=0.05)


def test_same_seed_same_table(rows):
    one, same = (
        delta_adjustment(rows, "job ~ high", term="high", deltas=[5], imputations=2, seed=4) for _ in range(2)
    )
    assert one.frame.equals(same.frame)
    assert one.summary() == same.summary()


def test_where_lines_cross_zero():
    assert _crossing(np.array([-1.0, 0, 1]), np.array([-1.0, 1, 3])) == pytest.approx(-0.5)
    assert np.isnan(_crossing(np.array([0.0, 1]), np.array([1.0, 2])))
    frame = pd.DataFrame({"delta": [-10.0, 0, 10], "estimate": [-1.0, 1, 3], "conf_low": [-3, 0.5, 1]})
    turned = _tipping(frame.assign(conf_high=frame["estimate"] + 1))
    assert turned["what"].tolist() == ["estimate is zero", "interval reaches zero"]
    assert turned["delta"].tolist() == pytest.approx([-5, -10 * 0.5 / 3.5])
    held = _tipping(frame.assign(conf_low=[-3.0, -1, 1], conf_high=[1.0, 3, 5]))
    assert held["what"].iloc[1] == "interval leaves zero"
    assert held["delta"].iloc[1] == pytest.approx(5)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"deltas": [0]}, "other than 0"),
        ({"deltas": ["a"]}, "finite numbers"),
        ({"term": "nothing"}, "not in the fit"),
        ({"shift": "belief"}, "shift='belief'"),
        ({"only": [True]}, "Series of true/false"),
        ({"level": 2}, "between 0 and 1"),
        ({"imputations": 1}, "at least 2"),
        ({"shift": "exposure", "term": "(Intercept)"}, "numeric column"),
    ],
)
def test_refusals_of_delta(rows, options, words):
    settings = {"term": "high", "deltas": [5], "imputations": 2, "seed": 1}
    with pytest.raises(SpecError, match=words):
        delta_adjustment(rows, "job ~ high", **(settings | options))
    with pytest.raises(SpecError, match="no job is missing"):
        delta_adjustment(rows.dropna(), "job ~ high", **settings)


def test_patterns_by_hand(bip_panel):
    """At the landmark of wave 2: those measured twice against those lost, jobs before it left out."""
    fit = pattern_comparison(bip_panel, landmark_wave=2)
    frame = bip_panel.frame
    first = frame.drop_duplicates("citizen_id").set_index("citizen_id")
    due = first["date"] + pd.Timedelta(days=91 + 14)
    event = first["event_observed"] & (
        first["window_start"] + pd.to_timedelta(7 * first["weeks_to_outcome"], unit="D") <= due
    )
    keep = ~event & first["outcome"].notna() & first["expectation"].notna()
    keep &= due <= frame["date"].max()
    seen = (
        frame[frame["date"] <= frame["citizen_id"].map(due)].groupby("citizen_id").size().reindex(first.index)
    )
    rows = first[keep].assign(again=(seen[keep] > 1).astype(float))
    table = fit.diagnostics["patterns"]
    assert table["n_citizens"].tolist() == [(rows["again"] == 0).sum(), (rows["again"] == 1).sum()]
    for again, name in ((0, "lost after wave 1"), (1, "measured at wave 2")):
        own = jc.fit_glm("outcome ~ expectation", rows[rows["again"] == again], family="gaussian")
        assert fit.params[f"expectation: {name}"] == pytest.approx(own.params["expectation"])
    share = table["n_citizens"] / table["n_citizens"].sum()
    mean = float((share * table["estimate"]).sum())
    assert fit.params["expectation: mean over patterns"] == pytest.approx(mean)
    both = jc.fit_glm("outcome ~ expectation + again + expectation:again", rows, family="gaussian")
    test = fit.diagnostics["test"].iloc[0]
    assert test["statistic"] == pytest.approx(both.statistic["expectation:again"] ** 2)
    assert test["p_value"] == pytest.approx(both.pvalues["expectation:again"])


def test_small_patterns_join_their_neighbour():
    rows = pd.DataFrame({"_last": [1] * 3 + [2] * 60 + [3] * 60, "outcome": [0.0, 1.0] * 61 + [0.0]})
    names = _patterns(rows, 3, min_citizens=50, min_events=5)
    assert names.value_counts().to_dict() == {"lost after wave 1-2": 63, "measured at wave 3": 60}
    rows = rows[rows["_last"] < 3]
    names = _patterns(rows, 3, min_citizens=50, min_events=5)
    assert names.unique().tolist() == ["lost after wave 1-2 or measured at wave 3"]


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"exposure": "nothing"}, SpecError, "not in the panel"),
        ({"exposure": "shift_reason"}, SpecError, "not a number"),
        ({"landmark_wave": 1}, SpecError, "at least 2"),
        ({"vcov": "model"}, SpecError, "Cluster"),
        ({"landmark_wave": 6}, DesignError, "longer horizon"),
        ({"min_citizens": 3900}, DesignError, "only one pattern"),
    ],
)
def test_refusals_of_patterns(bip_panel, options, error, words):
    with pytest.raises(error, match=words):
        pattern_comparison(bip_panel, **options)
