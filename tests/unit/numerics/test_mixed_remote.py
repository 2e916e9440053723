"""Triangles against plain inner products, and evaluations that start again where blocks are lost."""

import numpy as np
import pytest

from jobchance.errors import EstimationError
from jobchance.numerics.mixed.remote import MAX_RESTARTS, Interrupted, RemotePool, restarted
from jobchance.numerics.mixed.remote_moments import (
    carried,
    centred_triangle,
    join_triangles,
    linear_units,
    orthonormal_map,
    triangle,
)


@pytest.fixture
def rows():
    rng = np.random.default_rng(5)
    X = np.column_stack([np.ones(400), rng.normal(2016, 3, 400), rng.normal(size=400)])
    return X, X @ [1.0, 0.002, -0.5] + rng.normal(size=400), rng.uniform(0.2, 5, 400)


@pytest.mark.parametrize("cuts", [[], [200], [3, 3, 390]])
def test_triangles_of_parts_hold_the_inner_products_of_all_rows(rows, cuts):
    X, _, _ = rows
    R = join_triangles([triangle(part) for part in np.split(X, cuts)])
    assert np.allclose(R, np.triu(R))
    assert np.abs(R.T @ R - X.T @ X).max() < 1e-13 * np.abs(X.T @ X).max()


def test_many_blocks_of_rows():
    X = np.random.default_rng(1).normal(size=(90_000, 3))
    R = triangle(X)
    assert np.abs(R.T @ R - X.T @ X).max() < 1e-9


def test_orthonormal_columns_also_far_from_zero(rows):
    X, _, _ = rows
    K = orthonormal_map(triangle(X), len(X))
    Q = X @ K
    assert np.abs(Q.T @ Q / len(X) - np.eye(3)).max() < 1e-9
    assert (np.diag(K) > 0).all()
    with pytest.raises(EstimationError, match="nearly collinear"):
        orthonormal_map(triangle(np.column_stack([X, X[:, 1] + X[:, 2]])), len(X))


def test_units_of_a_linear_model_are_weighted_least_squares(rows):
    X, y, w = rows
    units = linear_units(
        triangle(np.column_stack([X, y])), triangle(np.sqrt(w)[:, None] * np.column_stack([X, y])), len(y)
    )
    beta = np.linalg.lstsq(np.sqrt(w)[:, None] * X, np.sqrt(w) * y, rcond=None)[0]
    rest, scaled = y - X @ beta, units.stretch * w
    assert np.allclose(units.K @ units.centre, beta, rtol=1e-7)
    assert np.isclose(scaled @ rest**2, rest @ rest)
    assert np.isclose(units.unit, np.sqrt(scaled @ rest**2 / len(y)))
    Q = X @ units.K
    assert np.abs((Q * scaled[:, None]).T @ Q / len(y) - np.eye(3)).max() < 1e-9


def test_an_outcome_that_covariates_determine_has_no_units(rows):
    X, _, w = rows
    D = np.column_stack([X, X @ [1.0, 2.0, 3.0]])
    with pytest.raises(EstimationError, match="explain the outcome exactly"):
        linear_units(triangle(D), triangle(np.sqrt(w)[:, None] * D), len(w))


def test_centred_columns_and_carried_offsets(rows):
    X, y, _ = rows
    centre = np.array([2015.0, 0.3])
    R = centred_triangle(triangle(X), centre)
    C = X[:, 1:] - centre
    assert np.abs(R.T @ R - C.T @ C).max() < 1e-6
    assert np.allclose(
        carried(triangle(np.column_stack([X, y]))), np.linalg.lstsq(X, y, rcond=None)[0], rtol=1e-6
    )


class LostError(Exception):
    """Some blocks were lost and built again."""


class Elsewhere:
    """Two objects; the calls numbered in `failing` lose one."""

    def __init__(self, failing=()):
        self.failing, self.calls = set(failing), []

    def call(self, method, *shared):
        self.calls.append(shared[0] if method == "each" else method)
        if len(self.calls) in self.failing:
            raise LostError
        return [[1, 2], [3]]


def test_a_pool_gives_results_in_block_order():
    assert RemotePool(Elsewhere(), LostError).call("sums") == [1, 2, 3]


def test_a_loss_within_an_evaluation_starts_it_again():
    remote = Elsewhere(failing=[2])
    pool, resets = RemotePool(remote, LostError), []

    def evaluate():
        pool.call("begin")
        return pool.call("gradient")

    assert restarted(pool, evaluate, lambda: resets.append(1)) == [1, 2, 3]
    assert remote.calls == ["begin", "gradient", "begin", "gradient"]
    assert resets == [1]
    assert not pool.evaluating


def test_a_loss_between_evaluations_recovers_and_calls_again():
    remote = Elsewhere(failing=[1])
    pool = RemotePool(remote, LostError)
    pool.recover = lambda: pool.call("begin")
    assert pool.call("finish") == [1, 2, 3]
    assert remote.calls == ["finish", "begin", "finish"]


def test_losses_without_end_are_raised():
    remote = Elsewhere(failing=range(1, 50))
    pool = RemotePool(remote, LostError)
    with pytest.raises(LostError):
        pool.call("finish")
    assert len(remote.calls) == MAX_RESTARTS + 1
    with pytest.raises((LostError, Interrupted)):
        restarted(pool, lambda: pool.call("begin"), lambda: None)
