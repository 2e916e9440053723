"""Sums by cluster: over rows, by cross-products, and by brute force."""

import numpy as np
import pytest

from jobchance.numerics.multiverse_scores import (
    cluster_products,
    influence_by_products,
    inner,
    product_sums,
    score_sums,
    weighted_columns,
)


@pytest.fixture
def problem():
    rng = np.random.default_rng(0)
    Z = rng.normal(size=(6, 500))
    codes = rng.integers(0, 12, size=500)
    codes[:12] = np.arange(12)
    return Z, codes, np.array([4, 1, 5]), rng.normal(size=3), rng.normal(size=3)


def test_cross_products_by_cluster(problem):
    Z, codes, *_ = problem
    M = cluster_products(Z, codes, 12)
    for g in range(12):
        mine = Z[:, codes == g]
        assert M[g] == pytest.approx(mine @ mine.T, abs=1e-12)


def test_influence_is_the_same_over_rows_and_by_cross_products(problem):
    Z, codes, used, a, c = problem
    x, e = a @ Z[used], c @ Z[used]
    brute = np.array([np.sum((x * e)[codes == g]) for g in range(12)])
    assert weighted_columns(Z, used, a) == pytest.approx(x, abs=1e-13)
    assert product_sums(x, e, codes, 12) == pytest.approx(brute, abs=1e-12)
    assert influence_by_products(cluster_products(Z, codes, 12), used, a, c) == pytest.approx(
        brute, abs=1e-12
    )
    assert inner(x, e) == pytest.approx(brute.sum())


def test_score_sums_have_the_residual_s_own_sum_last(problem):
    Z, codes, used, _, c = problem
    e = c @ Z[used]
    found = score_sums(Z, used, e, codes, 12)
    for g in range(12):
        mine = codes == g
        assert found[g, :-1] == pytest.approx(Z[used][:, mine] @ e[mine], abs=1e-12)
        assert found[g, -1] == pytest.approx(e[mine].sum(), abs=1e-12)


def test_columns_that_are_not_used_do_not_change_a_single_bit(problem):
    Z, codes, used, a, c = problem
    few = np.ascontiguousarray(Z[used])
    whole = influence_by_products(cluster_products(Z, codes, 12), used, a, c)
    alone = influence_by_products(cluster_products(few, codes, 12), np.arange(3), a, c)
    assert whole.tobytes() == alone.tobytes()
