"""Signs of clusters: enumeration, Student's form, statistics of a curve and p-values, against brute force."""

from itertools import product

import numpy as np
import pytest
from scipy import stats

from jobchance.numerics.joint_restricted import draw_scores
from jobchance.numerics.joint_signs import (
    curve_statistics,
    draw_signs,
    extreme_share,
    flipped_curves,
)

RNG = np.random.default_rng(0)


def lines(scores, sizes):
    """Specifications with scores alone."""
    return [(own, float(n), None) for own, n in zip(scores, sizes, strict=True)]


def by_hand(values, *, alpha):
    """The three statistics of one curve from its scores, by scipy's t-test; zeros do not count."""
    estimates, z, hits = [], [], []
    for row in values:
        own = row[row != 0]
        test = stats.ttest_1samp(own, 0.0)
        estimates.append(own.sum())
        z.append(np.sign(test.statistic) * stats.norm.isf(test.pvalue / 2))
        hits.append(np.sign(own.sum()) * (test.pvalue < alpha))
    lead = np.sign((np.array(estimates) > 0).sum() - (np.array(estimates) < 0).sum())
    hits = np.array(hits)
    share = max((hits > 0).mean(), (hits < 0).mean()) if lead == 0 else (hits == lead).mean()
    return np.array([np.median(estimates), share, np.mean(z)])


def test_all_sign_vectors_up_to_a_turn():
    signs = draw_signs(5, 15, RNG)
    assert signs.is_complete
    assert signs.values.shape == (16, 5)
    assert {tuple(row) for row in signs.values.tolist()} == {
        (1, *rest) for rest in product((1, -1), repeat=4)
    }
    some = draw_signs(6, 15, RNG)
    assert not some.is_complete
    assert some.values.shape == (15, 6)
    assert set(np.unique(some.values)) == {-1, 1}


def test_every_curve_is_that_of_scipys_one_sample_t_test():
    scores = RNG.normal(0.4, 1.0, size=(9, 7))
    scores[2, :3] = 0.0
    n = (scores != 0).sum(axis=1).astype(float)
    signs = draw_signs(7, 999, RNG).values
    made, _ = flipped_curves(lines(scores, n), signs, alpha=0.05)
    for place in (0, 5, 63):
        np.testing.assert_allclose(made[place], by_hand(scores * signs[place], alpha=0.05), rtol=1e-9)


def test_half_of_the_sign_vectors_stands_for_all():
    scores = RNG.normal(0.3, 1.0, size=(4, 6))
    n = np.full(4, 6.0)
    half, _ = flipped_curves(lines(scores, n), draw_signs(6, 31, RNG).values, alpha=0.05)
    every = np.array(list(product((1, -1), repeat=6)), dtype=np.int8)
    whole, _ = flipped_curves(lines(scores, n), every, alpha=0.05)
    observed = half[0]
    p = (np.abs(whole) >= np.abs(observed) * (1 - 1e-9)).mean(axis=0)
    np.testing.assert_allclose(extreme_share(observed, half, is_complete=True), p, rtol=1e-12)
    assert p.min() >= 2 / 64


def test_block_by_block_is_all_at_once(monkeypatch):
    scores = RNG.normal(size=(5, 20))
    signs = draw_signs(20, 40, RNG).values
    whole, _ = flipped_curves(lines(scores, np.full(5, 20.0)), signs, alpha=0.05)
    monkeypatch.setattr("jobchance.numerics.joint_signs._CELLS", 15)
    blocks, _ = flipped_curves(lines(scores, np.full(5, 20.0)), signs, alpha=0.05)
    np.testing.assert_allclose(blocks, whole, rtol=1e-12)


def test_scores_alone_have_bounds():
    """Equal scores have no spread: t is infinite with the sign of the estimate, 0 where that is 0."""
    W = np.array([[1.0, 1, 1, 1], [-1, -1, -1, -1], [1, 1, -1, -1]]).T
    estimates, t = draw_scores(np.full(4, 0.3), W, None, 4.0)
    np.testing.assert_allclose(estimates, [1.2, -1.2, 0.0], atol=1e-15)
    assert t.tolist() == [np.inf, -np.inf, 0.0]


def test_dominant_sign_and_ties():
    estimates = np.array([[1.0], [2.0], [-1.0], [-2.0]])
    t = np.array([[5.0], [5.0], [-5.0], [-0.1]])
    df = np.full(4, 30.0)
    assert curve_statistics(estimates, t, df, alpha=0.05)[0, 1] == 0.5  # as many above as below: the larger
    estimates[0] = -0.5
    t[0] = -0.5
    assert curve_statistics(estimates, t, df, alpha=0.05)[0, 1] == 0.25  # below leads, one of four is certain
    infinite = curve_statistics(estimates, t, np.full(4, np.inf), alpha=0.05)[0, 2]
    assert infinite == pytest.approx(t.mean())  # with infinite df z is t


def test_ties_count_and_no_p_value_is_zero():
    observed = np.array([1.0, 0.0, 2.0])
    null = np.array([[1.0, 0.0, 0.1], [-1.0, 0.0, -0.2], [0.5, 0.1, 0.3], [1.0 - 1e-12, 0.0, 0.0]])
    assert extreme_share(observed, null, is_complete=False).tolist() == [4 / 5, 1.0, 1 / 5]
    assert extreme_share(observed, null, is_complete=True).tolist() == [3 / 4, 1.0, 0.0]


def test_size_is_five_per_cent_with_unequal_clusters():
    """Independent symmetric clusters of very different weight: exact, so 5 % within simulation error."""
    rng = np.random.default_rng(3)
    weights = np.linspace(0.2, 3.0, 9)
    rejected = np.zeros(3)
    for _ in range(400):
        shared = rng.normal(size=9) * weights
        scores = 0.8 * shared + 0.4 * rng.normal(size=(6, 9)) * weights
        null, _ = flipped_curves(lines(scores, np.full(6, 9.0)), draw_signs(9, 255, rng).values, alpha=0.05)
        rejected += extreme_share(null[0], null, is_complete=True) <= 0.05
    error = np.sqrt(0.05 * 0.95 / 400)
    rates = rejected / 400
    assert np.all(rates <= 0.05 + 3 * error)
    assert rates[0] >= 0.05 - 3 * error
    assert rates[2] >= 0.05 - 3 * error
