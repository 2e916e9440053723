import numpy as np
import pytest

from jobchance.errors import DesignError
from jobchance.numerics.sandwich import cluster_covariance, cluster_sums, robust_covariance

RNG = np.random.default_rng(11)
N, K = 60, 3
X = np.column_stack([np.ones(N), RNG.normal(size=(N, K - 1))])
SCORES = X * RNG.normal(size=(N, 1))
BREAD = np.linalg.inv(X.T @ X)
FIRM = RNG.integers(0, 12, N)
YEAR = RNG.integers(0, 5, N)


def _by_hand(codes):
    meat = np.zeros((K, K))
    for code in np.unique(codes):
        total = SCORES[codes == code].sum(axis=0)
        meat += np.outer(total, total)
    return meat


def test_one_way_is_the_textbook_sum_with_its_factor():
    made = cluster_covariance(BREAD, SCORES, [FIRM], n=N, k=K)
    groups = len(np.unique(FIRM))
    factor = groups / (groups - 1) * (N - 1) / (N - K)
    np.testing.assert_allclose(made.cov, factor * BREAD @ _by_hand(FIRM) @ BREAD, rtol=1e-12)
    assert made.record.factors == pytest.approx((factor,))
    assert made.record.df == groups - 1


def test_two_way_adds_both_and_takes_the_cells_away_without_a_factor():
    made = cluster_covariance(BREAD, SCORES, [FIRM, YEAR], n=N, k=K)
    cells = FIRM * 100 + YEAR
    expected = -_by_hand(cells)
    for codes in (FIRM, YEAR):
        groups = len(np.unique(codes))
        expected = expected + groups / (groups - 1) * (N - 1) / (N - K) * _by_hand(codes)
    np.testing.assert_allclose(made.cov, BREAD @ expected @ BREAD, rtol=1e-10)
    assert made.record.terms == ((0,), (1,), (0, 1))
    assert made.record.df == len(np.unique(YEAR)) - 1


def test_three_way_has_seven_terms_and_only_the_last_without_a_factor():
    third = RNG.integers(0, 4, N)
    record = cluster_covariance(BREAD, SCORES, [FIRM, YEAR, third], n=N, k=K).record
    assert len(record.terms) == 7
    assert [factor == 1.0 for factor in record.factors] == [False] * 6 + [True]


def test_every_row_its_own_cluster_is_hc1():
    own = cluster_covariance(BREAD, SCORES, [np.arange(N)], n=N, k=K).cov
    np.testing.assert_allclose(own, robust_covariance(BREAD, SCORES, n=N, k=K).cov, rtol=1e-12)


def test_hc0_and_hc1_differ_by_the_factor():
    hc0 = robust_covariance(BREAD, SCORES, n=N, k=K, kind="HC0").cov
    np.testing.assert_allclose(robust_covariance(BREAD, SCORES, n=N, k=K).cov, hc0 * N / (N - K))


def test_codes_need_not_be_dense_and_their_order_does_not_matter():
    plain = cluster_covariance(BREAD, SCORES, [FIRM], n=N, k=K).cov
    other = cluster_covariance(BREAD, SCORES, [(13 - FIRM) * 10**12], n=N, k=K).cov
    np.testing.assert_allclose(plain, other, rtol=1e-12)


def test_sums_by_blocks_equal_the_sums_at_once():
    whole = cluster_sums(SCORES, FIRM, n_clusters=12)
    blocks = np.zeros((12, K))
    for start in range(0, N, 7):
        cluster_sums(SCORES[start : start + 7], FIRM[start : start + 7], n_clusters=12, out=blocks)
    np.testing.assert_allclose(blocks, whole, rtol=1e-12)


def _crossed_that_cancel():
    """Scores whose sums by row and by column of a 2 x 2 table vanish: the two-way meat is negative."""
    first, second = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])
    return np.array([[1.0], [-1.0], [-1.0], [1.0]]), first, second


def test_a_negative_two_way_variance_is_set_to_zero_and_said():
    scores, first, second = _crossed_that_cancel()
    made = cluster_covariance(np.array([[0.25]]), scores, [first, second], n=4, k=1)
    assert made.cov[0, 0] == 0
    assert made.record.n_raised_eigenvalues == 1


def test_raised_eigenvalues_do_not_depend_on_units():
    rng = np.random.default_rng(3)
    found = False
    for _ in range(200):
        scores = rng.normal(size=(16, 3))
        codes = [np.repeat(np.arange(4), 4), np.tile(np.arange(4), 4)]
        bread = np.linalg.inv(scores.T @ scores)
        unit = np.array([1.0, 1000.0, 0.01])
        one = cluster_covariance(bread, scores, codes, n=16, k=3)
        two = cluster_covariance(bread / np.outer(unit, unit), scores * unit, codes, n=16, k=3)
        np.testing.assert_allclose(two.cov * np.outer(unit, unit), one.cov, atol=1e-12)
        assert np.linalg.eigvalsh(one.cov).min() > -1e-12
        found |= one.record.n_raised_eigenvalues > 0
    assert found


def test_all_problems_at_once_and_by_name():
    with pytest.raises(DesignError) as caught:
        cluster_covariance(
            BREAD, SCORES, [np.zeros(N, dtype=int), np.where(FIRM == 1, -1, FIRM)], n=N, k=K, names=["a", "b"]
        )
    assert "a: 1 cluster" in str(caught.value)
    assert f"b: {np.sum(FIRM == 1)} rows have no cluster" in str(caught.value)


def test_more_parameters_than_rows_is_refused():
    with pytest.raises(DesignError, match="3 rows cannot carry 3"):
        cluster_covariance(BREAD, SCORES[:3], [np.arange(3)], n=3, k=3)
