"""Optimiser of the mixed models: known minima, saddles, valleys, rounding, separation, real criteria."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from jobchance.errors import EstimationError
from jobchance.numerics.mixed.search import OutOfDomain, minimise


def _quadratic(curvature, centre):
    return lambda x: (float(curvature @ (x - centre) ** 2), 2 * curvature * (x - centre))


def _rosenbrock(x):
    a, b = x
    value = 100 * (b - a * a) ** 2 + (1 - a) ** 2
    return float(value), np.array([-400 * a * (b - a * a) - 2 * (1 - a), 200 * (b - a * a)])


def _double_well(x):
    return float(((x**2 - 4) ** 2).sum()), 4 * x * (x**2 - 4)


def _valley(x):
    r = x @ x
    return float((r - 4) ** 2), 4 * (r - 4) * x


@pytest.mark.parametrize("differences", ["central", "forward"])
def test_well_scaled_quadratic_takes_few_evaluations(differences):
    curvature, centre = np.array([1e-4, 1.0, 1e6]), np.array([30.0, -2.0, 0.5])
    x0 = centre + np.array([200.0, 1.0, -2e-3])
    found = minimise(_quadratic(curvature, centre), x0, scale=1 / np.sqrt(curvature), differences=differences)
    assert found.converged, found.message
    np.testing.assert_allclose(found.x, centre, rtol=1e-9)
    np.testing.assert_allclose(found.hessian, np.diag(2 * curvature), rtol=1e-6, atol=1e-6)
    assert found.n_evaluations <= (8 if differences == "central" else 5)
    assert found.distance <= 1e-7
    assert found.flat == 0


def test_scale_wrong_by_a_thousand_both_ways():
    curvature, centre = np.array([1e-4, 1.0, 1e6]), np.array([30.0, -2.0, 0.5])
    found = minimise(_quadratic(curvature, centre), np.zeros(3), scale=np.ones(3))
    assert found.converged, found.message
    np.testing.assert_allclose(found.x, centre, rtol=1e-6)


def test_full_scale_matrix_with_strong_correlation():
    root = np.array([[1.0, 0.0], [0.999, 0.04]])
    H = 2 * np.linalg.inv(root @ root.T)
    centre = np.array([2.0, 1.0])
    found = minimise(
        lambda x: (float((x - centre) @ H @ (x - centre) / 2), H @ (x - centre)), [1.5, 1.4], scale=root
    )
    assert found.converged
    assert found.n_evaluations <= 8
    np.testing.assert_allclose(found.eigenvalues, 1.0, rtol=1e-6)


@pytest.mark.parametrize("differences", ["central", "forward"])
def test_rosenbrock(differences):
    found = minimise(_rosenbrock, [-1.2, 1.0], scale=[0.1, 0.1], differences=differences)
    assert found.converged, found.message
    np.testing.assert_allclose(found.x, 1.0, atol=1e-6)
    exact = np.array([[802.0, -400.0], [-400.0, 200.0]])
    np.testing.assert_allclose(found.hessian, exact, rtol=1e-5 if differences == "central" else 1e-3)
    assert found.n_evaluations <= 80


@pytest.mark.parametrize("start", [0.0, 1e-9, -1e-9, 1e-3])
@pytest.mark.parametrize("other", [0.0, 1.0])
def test_false_zero_is_left(start, other):
    found = minimise(_double_well, [start, other], scale=[0.3, 0.3])
    assert found.converged, found.message
    np.testing.assert_allclose(np.abs(found.x), 2.0, atol=1e-7)
    assert found.n_evaluations <= 40


@pytest.mark.parametrize("start", [0.0, 1e-9, 0.5, 3.0])
@pytest.mark.parametrize(
    "criterion",
    [
        lambda x: (float(np.log1p(x**2).sum()), 2 * x / (1 + x**2)),
        lambda x: (float((x**2 + x**4).sum()), 2 * x + 4 * x**3),
    ],
)
def test_true_zero_ends_at_zero(criterion, start):
    found = minimise(criterion, [start], scale=[1.0])
    assert found.converged
    assert found.x[0] == 0.0
    assert found.n_evaluations <= 16


@pytest.mark.parametrize("start", [[1.0, 0.0], [0.3, 0.4], [0.0, 0.0], [3.0, -1.0], [0.0, 2.0], [30.0, 40.0]])
def test_flat_valley_converges_and_is_reported(start):
    found = minimise(_valley, start, scale=[0.3, 0.3])
    assert found.converged, found.message
    assert found.value < 1e-12
    assert found.flat == 1
    assert "flat" in found.message


def test_flat_coordinate_is_named_and_not_moved():
    found = minimise(lambda x: (float(x[0] ** 2), np.array([2 * x[0], 0.0])), [1.0, 5.0], scale=[1.0, 1.0])
    assert found.converged
    assert (found.flat, found.flat_coordinates) == (1, (1,))
    assert found.x[1] == 5.0


@pytest.mark.parametrize("level", [1e2, 1e7])
def test_rounded_values_with_exact_gradient(level):
    rng = np.random.default_rng(3)

    def criterion(x):
        value, gradient = _rosenbrock(x)
        return (value + level) * (1 + 1e-9 * rng.standard_normal()), gradient

    found = minimise(criterion, [-1.2, 1.0], scale=[0.1, 0.1])
    assert found.converged, found.message
    np.testing.assert_allclose(found.x, 1.0, atol=1e-6)


def test_rounded_gradient_stops_the_search_with_its_distance():
    rng = np.random.default_rng(3)

    def criterion(x):
        value, gradient = _rosenbrock(x)
        return value, gradient + 1e-3 * rng.standard_normal(2)

    found = minimise(criterion, [0.9, 0.8], scale=[0.1, 0.1])
    assert not found.converged
    assert found.distance > 1e-7
    assert found.n_evaluations < 240 or "evaluations" in found.message


def _separated(x):
    value = np.logaddexp(0, -x[0]) + (x[1] - 1) ** 2
    return float(value), np.array([-1 / (1 + np.exp(x[0])), 2 * (x[1] - 1)])


@pytest.mark.parametrize("scale", [0.5, 3.0, 30.0])
def test_separation_is_named_with_its_coordinate(scale):
    found = minimise(_separated, [0.0, 0.0], scale=[scale, 1.0])
    assert not found.converged
    assert found.runaway == (0,)
    assert "no maximum" in found.message
    assert found.n_evaluations <= 60


@pytest.mark.parametrize(
    "criterion",
    [
        lambda x: (float(-x[0]), -np.ones(1)),
        lambda x: (float(-(x[0] ** 2)), -2 * x),
        lambda x: (float(1 / (1 + x[0] ** 2)), -2 * x / (1 + x @ x) ** 2),
    ],
)
def test_unbounded_descent_ends(criterion):
    found = minimise(criterion, [1.0], scale=[1.0])
    assert not found.converged
    assert found.runaway == (0,)
    assert found.n_evaluations <= 60


@pytest.mark.parametrize("start", [0.01, 3.0, 300.0])
@pytest.mark.parametrize("raises", [True, False])
def test_steps_out_of_the_domain_are_shortened(start, raises):
    def criterion(x):
        if x[0] <= 0:
            if raises:
                raise OutOfDomain
            return np.inf, np.full(1, np.nan)
        return float(x[0] - 3 * np.log(x[0])), 1 - 3 / x

    found = minimise(criterion, [start], scale=[2.0])
    assert found.converged, found.message
    assert found.x[0] == pytest.approx(3.0, abs=1e-6)


def test_minimum_at_the_edge_of_the_domain_is_not_called_converged():
    def criterion(x):
        if x[0] < 0:
            raise OutOfDomain
        return float(x[0]), np.ones(1)

    found = minimise(criterion, [1.0], scale=[1.0])
    assert not found.converged


def test_start_outside_the_domain_and_bad_arguments():
    with pytest.raises(EstimationError, match="start"):
        minimise(lambda x: (np.nan, x), [1.0], scale=[1.0])
    with pytest.raises(ValueError, match=r"x0.*differences"):
        minimise(_valley, [np.nan, 1.0], scale=[1.0, 1.0], differences="both")
    with pytest.raises(ValueError, match="invertible"):
        minimise(_valley, [1.0, 1.0], scale=[1.0, 0.0])


def test_evaluations_are_limited():
    found = minimise(_rosenbrock, [-1.2, 1.0], scale=[0.1, 0.1], max_evaluations=9)
    assert not found.converged
    assert found.n_evaluations == 9
    assert "9 evaluations" in found.message


def test_probes_carry_what_else_the_objective_returned():
    def criterion(x):
        value, gradient = _rosenbrock(x)
        return value, gradient, np.exp(x[0]) + 3 * x[1] ** 2

    found = minimise(criterion, [-1.2, 1.0], scale=[0.1, 0.1])
    assert len(found.probes) == 4
    slopes = []
    for j in range(2):
        up, down = (p for p in found.probes if p.index == j)
        for probe in (up, down):
            np.testing.assert_array_equal(np.delete(probe.point.x, j), np.delete(found.base.x, j))
        slopes.append((up.point.extra - down.point.extra) / (up.step - down.step))
    np.testing.assert_allclose(slopes, [np.e, 6.0], rtol=1e-3)
    assert found.extra == pytest.approx(np.e + 3.0, rel=1e-6)


def _random_effects(y, Z, X):
    """Profiled ML criterion of groups with random columns, gradient by the Cholesky elements."""
    n, q = y.size, Z.shape[2]
    rows, columns = np.tril_indices(q)

    def criterion(theta):
        factor = np.zeros((q, q))
        factor[rows, columns] = theta
        V = np.eye(y.shape[1]) + Z @ factor @ factor.T @ Z.transpose(0, 2, 1)
        W = np.linalg.inv(V)
        XW = X.transpose(0, 2, 1) @ W
        beta = np.linalg.solve((XW @ X).sum(0), np.einsum("gpi,gi->p", XW, y))
        e = y - X @ beta
        u = np.einsum("gqi,gij,gj->gq", Z.transpose(0, 2, 1), W, e)
        rss = float(np.einsum("gi,gij,gj->", e, W, e))
        K = (Z.transpose(0, 2, 1) @ W @ Z).sum(0) - n / rss * u.T @ u
        value = np.linalg.slogdet(V)[1].sum() + n * np.log(rss)
        return float(value), (2 * K @ factor)[rows, columns]

    return criterion


def _groups(factor, *, seed, groups=20, size=6):
    rng = np.random.default_rng(seed)
    q = len(factor)
    Z = np.concatenate([np.ones((groups, size, 1)), rng.standard_normal((groups, size, q - 1))], axis=2)
    effects = rng.standard_normal((groups, q)) @ np.asarray(factor).T
    y = 1.0 + np.einsum("giq,gq->gi", Z, effects) + rng.standard_normal((groups, size))
    return _random_effects(y, Z, np.ones((groups, size, 1)))


@pytest.mark.parametrize("start", [1.0, 0.0, 1e-9, 8.0])
@pytest.mark.parametrize("sd", [0.0, 0.3, 2.0])
def test_random_intercept_against_a_grid(sd, start):
    criterion = _groups([[sd]], seed=4)
    found = minimise(criterion, [start], scale=[0.15])
    assert found.converged, found.message
    grid = np.linspace(0, 5, 1001)
    values = np.array([criterion(np.array([t]))[0] for t in grid])
    best = minimize_scalar(
        lambda t: criterion(np.array([t]))[0],
        bounds=(grid[values.argmin()] - 0.01, grid[values.argmin()] + 0.01),
        method="bounded",
        options={"xatol": 1e-10},
    )
    assert abs(found.x[0]) == pytest.approx(abs(best.x), abs=1e-5)  # values resolve x to about 1e-6
    assert found.value <= min(values.min(), best.fun) + 1e-9
    assert found.n_evaluations <= 22


def test_random_slopes_within_fifteen_evaluations_of_three_parameters():
    counts = []
    for seed in range(6):
        criterion = _groups([[0.7, 0.0], [0.2, 0.5]], seed=seed, groups=200)
        found = minimise(criterion, [0.8, 0.1, 0.6], scale=np.full(3, 0.05))
        assert found.converged, found.message
        counts.append(found.n_evaluations)
    assert np.median(counts) <= 15


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("factor", [[[0, 0], [0, 0.6]], [[0.7, 0], [0.4, 0]], [[0, 0], [0, 0]]])
def test_singular_factors_from_every_start(factor, seed):
    criterion = _groups(factor, seed=seed)
    starts = [[1.0, 0, 1.0], [0.0, 0, 0], [1e-9, 0, 1e-9], [0.2, 0, 0.2], [1.5, -1.0, 0.3]]
    found = [minimise(criterion, start, scale=np.full(3, 0.15)) for start in starts]
    assert all(f.converged for f in found), [f.message for f in found]
    assert np.ptp([f.value for f in found]) < 1e-8
    grid = [criterion(np.array([a, b, c]))[0] for a in (0, 0.5, 1) for b in (-0.5, 0, 0.5) for c in (0, 0.5)]
    assert found[0].value <= min(grid)
