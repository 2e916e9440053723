"""Least squares on a subset of columns: the same as least squares on the columns themselves."""

import numpy as np
import pytest

from jobchance.numerics.linalg import independent_columns
from jobchance.numerics.multiverse_solve import solve_subset, triangle


def _columns(rng, n, *, seed_scale=3.0):
    """Columns of very different lengths, some of which others determine; the outcome last."""
    X = rng.normal(size=(n, 7)) * 10.0 ** rng.integers(-3, 4, size=7)
    X[:, 0] = 1.0
    X = np.column_stack([X, X[:, 1] + 2 * X[:, 2], np.zeros(n), X[:, 3] * 5, X[:, 4] ** 2])
    return np.column_stack([X, X @ rng.normal(size=X.shape[1]) + seed_scale * rng.normal(size=n)])


@pytest.mark.parametrize("n", [9, 60, 1025, 5000])
def test_triangle_has_the_geometry_of_the_columns(n):
    X = _columns(np.random.default_rng(n), n)
    R = triangle(X)
    assert R.shape[0] <= X.shape[1]
    scale = np.linalg.norm(X, axis=0) + (X == 0).all(axis=0)
    assert (R / scale).T @ (R / scale) == pytest.approx((X / scale).T @ (X / scale), abs=1e-13)


@pytest.mark.parametrize("seed", range(25))
def test_any_subset_in_any_order_is_least_squares_with_the_project_s_rule_of_collinearity(seed):
    rng = np.random.default_rng(seed)
    X = _columns(rng, 400)
    asked = rng.permutation(X.shape[1] - 1)[: rng.integers(1, X.shape[1])]
    found = solve_subset(triangle(X), asked, X.shape[1] - 1)
    kept = asked[independent_columns(X[:, asked])]
    assert found.kept.tolist() == kept.tolist()
    beta, residuals = np.linalg.lstsq(X[:, kept], X[:, -1], rcond=1e-14)[:2]
    assert found.beta == pytest.approx(beta, rel=1e-9)
    assert found.ssr == pytest.approx(float(residuals[0]), rel=1e-11)
    bread = np.linalg.inv(X[:, kept].T @ X[:, kept])
    scale = np.sqrt(np.outer(np.diag(bread), np.diag(bread)))
    assert found.bread / scale == pytest.approx(bread / scale, abs=1e-8)


def test_nearly_dependent_columns_lose_no_more_than_their_own_regression():
    rng = np.random.default_rng(1)
    n = 3000
    x = rng.normal(size=n)
    X = np.column_stack([np.ones(n), x, x + 1e-4 * rng.normal(size=n)])
    y = X @ [1.0, 2.0, 3.0]  # exact, so that the true coefficients are known
    found = solve_subset(triangle(np.column_stack([X, y])), np.arange(3), 3)
    assert found.beta == pytest.approx([1.0, 2.0, 3.0], rel=1e-10)
    assert found.least_kept == pytest.approx(1e-4, rel=0.1)
    cross_products = np.linalg.solve(X.T @ X, X.T @ y)  # what is not done here
    assert np.abs(found.beta - [1, 2, 3]).max() < np.abs(cross_products - [1, 2, 3]).max()


def test_how_near_to_the_limit_columns_stand_is_said():
    n = 50
    rng = np.random.default_rng(2)
    x, z = rng.normal(size=(2, n))
    X = np.column_stack([x, x + 1e-8 * z, z])
    found = solve_subset(triangle(X), np.array([0, 1]), 2)
    assert found.kept.tolist() == [0]
    assert 1e-9 < found.most_dropped < 1e-7
    assert found.least_kept == pytest.approx(1.0)


def test_no_column_at_all():
    X = np.random.default_rng(0).normal(size=(20, 2))
    found = solve_subset(triangle(X), np.array([], dtype=np.int64), 1)
    assert len(found.beta) == 0
    assert found.ssr == pytest.approx(float(X[:, 1] @ X[:, 1]))


def test_other_columns_do_not_change_a_single_bit():
    rng = np.random.default_rng(3)
    R = triangle(_columns(rng, 300))
    alone = solve_subset(R, np.array([0, 1, 2]), R.shape[1] - 1)
    again = solve_subset(R, np.array([0, 1, 2]), R.shape[1] - 1)
    assert alone.beta.tobytes() == again.beta.tobytes()
    assert alone.bread.tobytes() == again.bread.tobytes()
