"""Pairs, loads, score and leftover tests, means before and after: against brute force and known truth."""

import numpy as np
import pytest
from scipy import stats

from jobchance.numerics.demean import demean
from jobchance.numerics.leave_out_pairs import leave_out_loads, rating_parts
from jobchance.numerics.leave_out_tests import leftover_test, score_test
from jobchance.numerics.leave_out_time import Timed, before_and_after


def ratings(seed, *, n=120, people=50, raters=12, cells=3, spread=0.6):
    rng = np.random.default_rng(seed)
    person, rater = rng.integers(0, people, n), rng.integers(0, raters, n)
    cell = rater % cells
    b = rng.normal(5, 2, cells)[cell] + rng.normal(0, spread, raters)[rater] + rng.normal(size=n)
    return b, person, np.unique(rater, return_inverse=True)[1], cell


def brute_parts(b, person, rater, cell, weight=None):
    """The definitions, pair by pair; every rating counts with the weight of its rater."""
    b = b - b.mean()
    w = np.ones(len(b)) if weight is None else weight[rater]
    total = {kind: np.zeros(2) for kind in ("mates", "repeats", "squares")}
    for c in np.unique(cell):
        r, s = np.meshgrid(*[np.flatnonzero(cell == c)] * 2)
        mine, theirs = person[r] == person[s], rater[r] == rater[s]
        product = b[r] * b[s]

        def mean_above(chosen, weights, product=product):
            return np.array([np.sum((weights * product)[chosen]), np.sum(weights[chosen])])

        level = np.divide(*mean_above(~mine & ~theirs, w[r] * w[s]))
        # pairs of one rater count once with the rater's weight, not twice
        for kind, chosen in (
            ("mates", ~mine & theirs),
            ("repeats", mine & theirs & (r != s)),
            ("squares", r == s),
        ):
            sums = mean_above(chosen, w[r])
            total[kind] += (sums[0] - sums[1] * level, sums[1])
    a, au, aue = (np.divide(*total[kind]) for kind in ("mates", "repeats", "squares"))
    return np.array([a, au - a, aue - au])


def test_parts_are_those_of_all_pairs():
    data = ratings(1)
    parts = rating_parts(data[0], person=data[1], rater=data[2], cell=data[3])
    np.testing.assert_allclose((parts.rater, parts.lasting, parts.passing), brute_parts(*data), rtol=1e-10)


def test_parts_do_not_see_the_level_of_a_rating_scale():
    b, person, rater, cell = ratings(2)
    first = rating_parts(b, person=person, rater=rater, cell=cell)
    moved = rating_parts(b + 1000, person=person, rater=rater, cell=cell)
    assert moved.rater == pytest.approx(first.rater, abs=1e-9)


def test_influence_is_the_derivative_by_a_raters_weight():
    data = ratings(3)
    parts = rating_parts(data[0], person=data[1], rater=data[2], cell=data[3])
    J, step = data[2].max() + 1, 1e-5
    for j in range(J):
        up, down = (brute_parts(*data, weight=1 + sign * step * (np.arange(J) == j)) for sign in (1, -1))
        np.testing.assert_allclose(parts.influence[j], (up - down) / (2 * step), rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(parts.influence.sum(axis=0), 0, atol=1e-12)


def test_parts_are_unbiased_and_their_influence_gives_their_spread():
    found, spread = [], []
    for seed in range(150):
        rng = np.random.default_rng(seed)
        rater = np.repeat(rng.integers(0, 40, 400), 2)
        person = np.repeat(np.arange(400), 2)
        cell = (rater % 2) * 2 + rng.integers(0, 2, 800)
        b = cell + rng.normal(0, 0.5, 40)[rater] + rng.normal(0, 1, 400)[person] + rng.normal(0, 0.7, 800)
        parts = rating_parts(b, person=person, rater=np.unique(rater, return_inverse=True)[1], cell=cell)
        found.append((parts.rater, parts.lasting, parts.passing))
        spread.append(np.sqrt(np.sum(parts.influence[:, 0] ** 2)))
    mean, sd = np.mean(found, axis=0), np.std(found, axis=0)
    assert np.all(np.abs(mean - (0.25, 1.0, 0.49)) < 3 * sd / np.sqrt(150))
    assert np.mean(spread) == pytest.approx(sd[0], rel=0.15)


def test_parts_without_repeated_ratings_call_all_noise_lasting():
    b, _, rater, cell = ratings(4)
    parts = rating_parts(b, person=np.arange(len(b)), rater=rater, cell=cell)
    assert parts.passing == 0
    assert parts.lasting > 0


def test_parts_need_a_cell_with_two_raters():
    parts = rating_parts(
        np.arange(4.0), person=np.arange(4), rater=np.array([0, 0, 1, 1]), cell=np.array([0, 0, 1, 1])
    )
    assert np.isnan(parts.rater)
    assert parts.n_pairs == 0


def test_loads_by_hand():
    # rater 0 rates person 0 twice, person 1 once; rater 1 rates person 2 once
    lasting, passing = leave_out_loads(
        person=np.array([0, 0, 1, 2]),
        rater=np.array([0, 0, 0, 1]),
        at_person=np.array([0, 1, 5, 2]),
        at_rater=np.array([0, 0, 0, 1]),
    )
    np.testing.assert_allclose(lasting, [1.0, 1.0, 5 / 9, np.inf])
    np.testing.assert_allclose(passing, [1.0, 1 / 2, 1 / 3, np.inf])


def test_score_test_with_one_column_and_one_row_per_cluster():
    z = np.random.default_rng(5).normal(0.3, 1, 50)
    tested = score_test(z[:, None], np.arange(50))
    L = z.sum() ** 2 / np.sum(z**2)
    assert tested.statistic == pytest.approx(L / (50 - L) * 49)
    # with one row per cluster this is the usual t-test, squared
    assert tested.p_value == pytest.approx(stats.ttest_1samp(z, 0).pvalue)


def test_score_test_keeps_its_size_with_few_clusters():
    rejected = 0
    for seed in range(400):
        rng = np.random.default_rng(seed)
        codes = rng.integers(0, 30, 300)
        scores = rng.normal(size=(30, 5))[codes] + rng.normal(size=(300, 5))
        rejected += score_test(scores, np.unique(codes, return_inverse=True)[1]).p_value < 0.05
    assert 0.02 < rejected / 400 < 0.085


def test_score_test_says_nothing_with_few_clusters_per_column():
    assert np.isnan(score_test(np.ones((10, 3)), np.arange(10)).p_value)


@pytest.mark.parametrize(("spread", "low", "high"), [(0.0, 0.01, 0.085), (0.06, 0.9, 1.0)])
def test_leftover_test_size_and_power(spread, low, high):
    """Unequal variances between rows and raters of unequal size; rare outcomes as in a jobcentre."""
    rejected = 0
    for seed in range(300):
        rng = np.random.default_rng(seed)
        cell = rng.integers(0, 12, 1500)
        rater = (cell % 3) * 20 + np.minimum(rng.integers(0, 20, 1500), rng.integers(0, 20, 1500))
        rater = np.unique(rater, return_inverse=True)[1]
        share = 0.04 + 0.08 * (cell % 2) + rng.normal(0, spread, rater.max() + 1)[rater]
        y = (rng.random(1500) < share).astype(float)
        v = demean(y[:, None], [cell])[:, 0]
        rejected += leftover_test(v, rater=rater, cell=cell, n_fitted=0).p_value < 0.05
    assert low <= rejected / 300 <= high


def test_leftover_test_needs_more_raters_than_coefficients():
    v = np.array([1.0, -1, 1, -1])
    assert np.isnan(leftover_test(v, rater=np.array([0, 0, 1, 1]), cell=np.zeros(4, int), n_fitted=2).p_value)


def test_before_and_after_against_loops():
    rng = np.random.default_rng(6)
    n, m = 200, 50
    of = Timed(rng.integers(0, 5, n), rng.integers(0, 30, n), rng.integers(100, 130, n))
    at = Timed(rng.integers(0, 5, m), rng.integers(0, 35, m), rng.integers(95, 135, m))
    values = rng.normal(size=n)
    before, after = before_and_after(values, of, at, at_least=2)
    for k in range(m):
        mine = (of.group == at.group[k]) & (of.person != at.person[k])
        for found, side in ((before[k], of.day < at.day[k]), (after[k], of.day > at.day[k])):
            expected = values[mine & side].mean() if (mine & side).sum() >= 2 else np.nan
            assert found == pytest.approx(expected, nan_ok=True)
