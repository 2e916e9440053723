"""Leave-one-out optimism against a loop that follows the definition word for word."""

import time

import numpy as np
import pandas as pd
import pytest

from jobchance.indicator import optimism as module
from jobchance.indicator.optimism import leave_one_out_optimism, optimism_thirds


def by_definition(ratings):
    """Loop over rows; no group sums."""
    named = ratings[ratings["caseworker_id"].notna()]
    found = []
    for row in ratings.itertuples():
        if pd.isna(row.caseworker_id):
            found.append(np.nan)
            continue
        others = named[(named["citizen_id"] != row.citizen_id) & named["belief"].notna()]
        cell = others.groupby(["jobcentre_id", "period"], dropna=False)["belief"].transform("mean")
        rest = (others["belief"] - cell)[others["caseworker_id"] == row.caseworker_id]
        sd = others["belief"].std(ddof=1)
        found.append(rest.mean() / sd if len(rest) and sd > 0 else np.nan)
    return np.array(found)


def random_ratings(seed, *, n=150, citizens=25, caseworkers=8, continuous=False):
    rng = np.random.default_rng(seed)
    belief = rng.normal(50, 20, n) if continuous else rng.integers(1, 6, n).astype(float)
    belief[rng.random(n) < 0.1] = np.nan
    draw = {
        "citizen_id": rng.integers(0, citizens, n).astype(str),
        "caseworker_id": rng.integers(0, caseworkers, n).astype(str),
        "jobcentre_id": rng.integers(0, 3, n).astype(str),
        "period": rng.choice(["2013H2", "2014H1"], n),
    }
    frame = pd.DataFrame(draw).assign(belief=belief)
    frame.loc[rng.random(n) < 0.05, "caseworker_id"] = None
    frame.loc[rng.random(n) < 0.05, "jobcentre_id"] = None
    return frame


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("continuous", [False, True])
def test_equals_the_definition(seed, continuous):
    ratings = random_ratings(seed, continuous=continuous)
    np.testing.assert_allclose(leave_one_out_optimism(ratings), by_definition(ratings), atol=1e-12)


def test_equals_the_definition_with_few_ratings_per_caseworker_and_cell():
    for seed in range(20):
        ratings = random_ratings(seed, n=12, citizens=5, caseworkers=5)
        np.testing.assert_allclose(leave_one_out_optimism(ratings), by_definition(ratings), atol=1e-12)


def test_a_worked_example():
    ratings = pd.DataFrame(
        {
            "citizen_id": list("abcd"),
            "caseworker_id": list("xxyy"),
            "jobcentre_id": "1",
            "period": "2014H1",
            "belief": [1.0, 2.0, 4.0, 5.0],
        }
    )
    # a: caseworker x has rated b alone (2); others' mean 11/3, sd of 2, 4, 5 = sqrt(7/3).
    assert leave_one_out_optimism(ratings).iloc[0] == pytest.approx((2 - 11 / 3) / np.sqrt(7 / 3))


def test_a_dont_know_row_gets_optimism_but_gives_none():
    ratings = random_ratings(3)
    blank = ratings["belief"].isna() & ratings["caseworker_id"].notna()
    assert leave_one_out_optimism(ratings)[blank].notna().any()
    known = ratings[~ratings["belief"].isna()]
    np.testing.assert_allclose(
        leave_one_out_optimism(ratings)[known.index], leave_one_out_optimism(known), atol=1e-13
    )


def test_missing_where_the_caseworker_has_rated_nobody_else_or_nothing_varies():
    ratings = random_ratings(1)
    ratings.loc[0, ["caseworker_id", "belief"]] = ["alone", 3.0]
    assert np.isnan(leave_one_out_optimism(ratings).iloc[0])
    assert leave_one_out_optimism(ratings.assign(belief=2.1)).isna().all()
    assert leave_one_out_optimism(ratings.assign(belief=np.nan)).isna().all()
    assert leave_one_out_optimism(ratings.assign(caseworker_id=None)).isna().all()


def test_keeps_the_index_and_the_units_do_not_matter():
    ratings = random_ratings(2)
    shuffled = ratings.sample(frac=1, random_state=5)
    one, other = leave_one_out_optimism(ratings), leave_one_out_optimism(shuffled)
    pd.testing.assert_index_equal(other.index, shuffled.index)
    np.testing.assert_allclose(one, other.reindex(one.index), atol=1e-13)
    rescaled = leave_one_out_optimism(ratings.assign(belief=ratings["belief"] * 25 - 25))
    np.testing.assert_allclose(one, rescaled, atol=1e-11)


def test_twenty_seven_thousand_ratings_are_quick():
    rng = np.random.default_rng(0)
    n = 27_000
    ratings = pd.DataFrame(
        {
            "citizen_id": rng.integers(0, 4000, n).astype(str),
            "caseworker_id": rng.integers(0, 300, n).astype(str),
            "jobcentre_id": rng.integers(0, 10, n).astype(str),
            "period": rng.integers(0, 8, n).astype(str),
            "belief": rng.integers(1, 6, n).astype(float),
        }
    )
    leave_one_out_optimism(ratings.head(100))
    start = time.process_time()
    leave_one_out_optimism(ratings)
    assert time.process_time() - start < 0.3


def test_thirds_are_equal_when_nothing_ties_and_ties_stay_together():
    rng = np.random.default_rng(4)
    frame = pd.DataFrame({"optimism": rng.permutation(np.arange(9.0))})
    thirds = optimism_thirds(frame)
    assert thirds.value_counts().to_dict() == {"low": 3, "middle": 3, "high": 3}
    assert frame["optimism"].groupby(thirds).max().to_dict() == {"low": 2, "middle": 5, "high": 8}
    tied = optimism_thirds(pd.DataFrame({"optimism": [0.0, 1, 1, 1, 2, 3]}, index=list("abcdef")))
    assert tied.to_dict() == dict(zip("abcdef", ["low", "low", "low", "low", "high", "high"], strict=True))


def test_thirds_leave_rows_without_optimism_out():
    thirds = optimism_thirds(pd.DataFrame({"optimism": [np.nan, 1.0, 2.0, 3.0]}))
    assert thirds.isna().tolist() == [True, False, False, False]
    assert thirds.tolist()[1:] == ["low", "middle", "high"]
    assert optimism_thirds(pd.DataFrame({"optimism": [np.nan]})).isna().all()


def test_a_leak_of_own_ratings_is_caught(monkeypatch):
    """Rule C14 is asserted inside: plain cell means, which hold the citizen's own ratings, do not pass."""

    def plain_cell_means(given, b, *, i, j):
        cell = module._Sums.by(given.c, b).mean(given.c)
        own = module._Sums.by(module._key(given.i, given.j), cell)
        return module._Sums.by(given.j, cell).total(j) - own.total(module._key(i, j))

    monkeypatch.setattr(module, "_cell_means", plain_cell_means)
    with pytest.raises(AssertionError, match="C14"):
        leave_one_out_optimism(random_ratings(1))
