"""Multiple imputation: what it fills in and what it must not touch; pooling by hand; refusals."""

import pickle

import numpy as np
import pandas as pd
import pytest
from statsmodels.imputation.mice import MICEData

import jobchance as jc
from jobchance.errors import SpecError
from jobchance.numerics.rubin import barnard_rubin, pool
from jobchance.sensitivity import imputation_chains
from jobchance.sensitivity.imputation import multiple_imputation
from jobchance.sensitivity.imputation_chains import _TAKES_RNG, Chains, NumberChain, completed_sets
from jobchance.sensitivity.imputation_plan import make_plan
from jobchance.sensitivity.imputation_pool import pool_fits

FAST = {"imputations": 3, "iterations": 2, "seed": 7}


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(11)
    n = 300
    belief = rng.integers(1, 6, n).astype(float)
    sex = np.where(rng.random(n) < 0.5, "K", "M")
    frame = pd.DataFrame({"belief": belief, "sex": sex, "caseworker_id": rng.integers(0, 20, n).astype(str)})
    frame["job"] = (rng.random(n) < 0.1 + 0.1 * belief).astype(float)
    frame["own"] = belief + rng.normal(size=n)
    frame.loc[rng.random(n) < 0.2, "belief"] = np.nan
    frame.loc[rng.random(n) < 0.1, "sex"] = None
    frame.loc[:4, "job"] = np.nan
    return frame


def plan_of(data, impute=("belief", "sex"), **options):
    settings = {"using": ["own"], "cluster_means": (), "cluster_effects": (), "impute_outcome": False}
    return make_plan(data, left=["job"], right=["belief", "sex"], impute=impute, **(settings | options))


def test_known_values_stay_and_gaps_are_filled_from_donors(data):
    for completed, _ in completed_sets(data, plan_of(data), Chains(2, 2, 5, 1)):
        assert len(completed) == len(data) - 5
        source = data.loc[completed.index]
        for name in ("belief", "sex"):
            known = source[name].notna()
            assert (completed.loc[known, name] == source.loc[known, name]).all()
            assert completed[name].notna().all()
            assert set(completed[name]) <= set(source[name].dropna())
        assert completed["own"].equals(source["own"])


def test_same_seed_same_numbers_and_no_trace_in_the_global_state(data):
    np.random.seed(5)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    one, same, other = (
        multiple_imputation(data, "job ~ belief + sex", **(FAST | {"seed": seed})) for seed in (7, 7, 8)
    )
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002
    assert (one.estimates == same.estimates).all()
    assert one.summary() == same.summary()
    assert (one.estimates != other.estimates).any()


@pytest.mark.skipif(not _TAKES_RNG, reason="statsmodels before 0.15 takes no generator")
def test_chains_over_numbers_are_those_of_statsmodels(data):
    numbers = plan_of(data).numbers
    plain = numbers.rename(columns={name: f"x{i}" for i, name in enumerate(numbers)}).reset_index(drop=True)
    made = []
    for kind in (MICEData, NumberChain):
        chain = kind(plain, k_pmm=5, rng=np.random.RandomState(3))
        chain.update_all(2)
        made.append(chain.data.to_numpy())
    np.testing.assert_array_equal(made[0], made[1])


def test_older_statsmodels_draws_from_the_global_state_which_is_put_back(monkeypatch):
    monkeypatch.setattr(imputation_chains, "_TAKES_RNG", False)
    np.random.seed(5)  # noqa: NPY002
    expected = np.random.RandomState(9).random(3)
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    with imputation_chains._generator(9) as options:
        assert options == {}
        assert np.random.random(3).tolist() == expected.tolist()  # noqa: NPY002
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002


def test_means_over_other_rows_of_the_cluster(data):
    plan = plan_of(data, cluster_means=("caseworker_id",))
    row = plan.numbers.index[3]
    others = data.loc[plan.numbers.index].drop(row)
    others = others[others["caseworker_id"] == data.loc[row, "caseworker_id"]]
    assert plan.numbers.loc[row, "belief in caseworker_id"] == pytest.approx(others["belief"].mean())
    assert plan.numbers.loc[row, "job in caseworker_id"] == pytest.approx(others["job"].mean())


def test_a_function_gets_completed_frames(data):
    seen = []

    def fit(completed):
        seen.append(completed["belief"].isna().sum())
        high = completed.assign(high=completed["belief"] >= 4)
        return jc.fit_glm("job ~ high", high, family="gaussian", vcov=jc.Cluster("caseworker_id"))

    made = multiple_imputation(data, fit, impute=["belief"], outcome="job", using=["own"], **FAST)
    assert seen == [0, 0, 0]
    assert made.inference.clusters == {"caseworker_id": 20}
    assert made.diagnostics["imputed"]["column"].tolist() == ["belief"]
    assert np.isfinite(made.df).all()
    assert pickle.loads(pickle.dumps(made)).diagnostics["pooling"].equals(made.diagnostics["pooling"])


@pytest.mark.parametrize(
    ("impute", "words"),
    [
        (["caseworker_id"], "identifier"),
        (["job"], "delta_adjustment"),
        (["weeks_to_outcome"], "not yet known"),
        (["expectation_within"], "derived"),
        (["date"], "is a date"),
        (["town"], "text of 3 levels"),
    ],
)
def test_what_is_never_imputed(data, impute, words):
    towns = np.resize(["a", "b", "c"], len(data))
    rows = data.assign(
        weeks_to_outcome=1.0, expectation_within=0.0, date=pd.Timestamp("2014-01-01"), town=towns
    )
    with pytest.raises(SpecError, match=words):
        multiple_imputation(rows, "job ~ belief", impute=impute, **FAST)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"fit": "job ~ own"}, "nothing to impute"),
        ({"fit": lambda rows: rows}, "needs impute"),
        ({"fit": "job ~ belief", "imputations": 1}, "imputations=1"),
        ({"fit": "job ~ belief + (1 | caseworker_id)"}, "random effects"),
        ({"fit": "job ~ belief", "seed": -1}, "seed=-1"),
        ({"fit": "job ~ belief", "using": ["caseworker_id"]}, "cluster_means"),
        ({"fit": "job ~ belief", "cluster_effects": ["number"]}, "more than the 50"),
    ],
)
def test_refusals_of_imputation(data, options, words):
    rows = data.assign(number=np.arange(len(data)))
    with pytest.raises(SpecError, match=words):
        multiple_imputation(rows, **(FAST | options))


def test_rules_of_rubin_by_hand():
    estimates = np.array([[1.0], [2.0], [3.0]])
    made = pool(estimates, np.full((3, 1, 1), 0.5), np.array([20.0]))
    b, t = 1.0, 0.5 + 4 / 3
    assert made.between[0, 0] == pytest.approx(b)
    assert made.total[0, 0] == pytest.approx(t)
    share = 4 / 3 / t
    old, observed = 2 / share**2, 21 / 23 * 20 * (1 - share)
    assert made.df[0] == pytest.approx(old * observed / (old + observed))
    assert barnard_rubin(5, np.array([0.0, 0.5]), np.array([np.inf, np.inf])).tolist() == [np.inf, 16]


def test_fits_that_differ_are_not_pooled(data):
    rows = data.dropna()
    one = jc.fit_glm("job ~ belief", rows, family="gaussian", vcov="model")
    with pytest.raises(SpecError, match="at least two"):
        pool_fits([one])
    with pytest.raises(SpecError, match="terms"):
        pool_fits([one, jc.fit_glm("job ~ own", rows, family="gaussian", vcov="model")])
    with pytest.raises(SpecError, match="kinds of standard error"):
        pool_fits([one, one.with_vcov(jc.Robust())])
    same = pool_fits([one, one, one])
    assert same.std_errors.tolist() == pytest.approx(one.std_errors.tolist())
    assert same.diagnostics["pooling"]["fmi"].iloc[0] == pytest.approx(2 / (same.df.iloc[0] + 3))
