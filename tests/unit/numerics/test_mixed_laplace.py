"""Laplace criterion, gradient and modes against the same formulas on matrices in full."""

from dataclasses import replace

import numpy as np
import pytest
from laplace_cases import ALL_FAMILIES, case

from jobchance.numerics.mixed import families
from jobchance.numerics.mixed import partition as partition_module
from jobchance.numerics.mixed.search import OutOfDomain


@pytest.fixture
def few(monkeypatch):
    """Blocks of S are made for small factors too, however little they save."""
    monkeypatch.setattr(partition_module, "SMALL", 8)
    monkeypatch.setattr(partition_module, "_work", lambda layout: 0.0 if len(layout.n_of) else 1.0)


def dense_laplace(c):
    """Value and linear predictor at the modes by Newton's method on the whole M."""
    A = c.scaled_columns()
    u, r, W = np.zeros(A.shape[1]), np.empty(len(c.y)), np.empty(len(c.y))

    def objective(u):
        return u @ u / 2 - c.loglik(c.X @ c.beta + A @ u)

    for _ in range(200):
        eta = c.X @ c.beta + A @ u
        families.derivatives(c.family, eta, c.y, c.w, c.alpha, r, W)
        M = np.eye(len(u)) + A.T @ (W[:, None] * A)
        step = np.linalg.solve(M, A.T @ r - u)
        length = 1.0
        while not objective(u + length * step) <= objective(u) + 1e-9:
            length /= 2
        u = u + length * step
        if length == 1.0 and np.abs(step).max() < 1e-12 * (1.0 + np.abs(u).max()):
            break
    eta = c.X @ c.beta + A @ u
    families.derivatives(c.family, eta, c.y, c.w, c.alpha, r, W)
    return 2 * objective(u) + np.linalg.slogdet(np.eye(len(u)) + A.T @ (W[:, None] * A))[1], eta


def fitted(problem):
    """Linear predictors at the modes in the order of the data (one block)."""
    (block,) = problem.pool.blocks
    eta = np.empty(len(block.eta))
    eta[block.block.index.rows] = block.eta
    return eta


@pytest.mark.parametrize("family", ALL_FAMILIES)
@pytest.mark.parametrize("crossed", [False, True])
def test_value_and_modes_are_those_of_the_whole_matrix(family, crossed):
    c = case(family, slopes=True, crossed=crossed)
    problem = c.problem()
    value, eta = dense_laplace(c)
    assert c.evaluate(problem)[0] == pytest.approx(value, rel=1e-12)
    assert fitted(problem) == pytest.approx(eta, abs=1e-9)


@pytest.mark.parametrize("family", ALL_FAMILIES)
@pytest.mark.parametrize("split", [1, 3])
def test_gradient_is_exact(family, split, few):
    c = case(family, slopes=True, movers=2)
    for problem in (c.problem(split=split), c.problem(split=split, dense=0)):
        gradient = c.evaluate(problem)[1]
        assert gradient == pytest.approx(c.differences(problem), abs=1e-8 * np.abs(gradient).max())


@pytest.mark.parametrize("family", ALL_FAMILIES)
def test_blocks_of_rows_and_of_the_matrix_change_nothing(family, few):
    c = case(family, slopes=True, movers=3)
    value, gradient = c.evaluate(c.problem())
    for split in (1, 4):
        problem = c.problem(split=split, dense=0)
        assert any(not block.block.m1 for block in problem.pool.blocks)
        again, other = c.evaluate(problem)
        assert again == pytest.approx(value, rel=1e-12)
        assert other == pytest.approx(gradient, rel=1e-8, abs=1e-9 * np.abs(gradient).max())


@pytest.mark.parametrize("family", ALL_FAMILIES)
def test_without_variances_it_is_a_regression(family):
    c = case(family, slopes=True)
    c = replace(c, theta=np.zeros(len(c.theta)))
    problem = c.problem()
    value, gradient = c.evaluate(problem)
    assert value == pytest.approx(-2 * c.loglik(c.X @ c.beta), rel=1e-13)
    assert gradient[: len(c.theta)] == pytest.approx(0.0, abs=1e-12)
    assert gradient == pytest.approx(c.differences(problem), abs=1e-8 * np.abs(gradient).max())


def test_signs_of_columns_do_not_matter():
    c = case(families.BINOMIAL_LOGIT)
    flipped = replace(c, theta=-c.theta)
    value, gradient = c.evaluate(c.problem())
    again, other = flipped.evaluate(flipped.problem())
    k = len(c.theta)
    assert again == pytest.approx(value, rel=1e-13)
    assert other[:k] == pytest.approx(-gradient[:k], rel=1e-9)
    assert other[k:] == pytest.approx(gradient[k:], rel=1e-9)


@pytest.mark.parametrize("family", ALL_FAMILIES)
def test_start_of_the_modes_does_not_matter(family):
    c = case(family)
    value, gradient = c.evaluate(c.problem())
    problem = c.problem()
    for away in (1e-4, 0.02, 1.0):
        c.evaluate(problem, c.point + away * (np.arange(len(c.point)) < len(c.theta)))
        again, other = c.evaluate(problem)
        assert again == pytest.approx(value, rel=1e-13)
        assert other == pytest.approx(gradient, abs=1e-10 * np.abs(gradient).max())


def equal_rows(c):
    """Every citizen has the same answer in all rows."""
    first = np.array([np.flatnonzero(c.codes[0] == i)[0] for i in c.codes[0]])
    return replace(c, y=np.round(c.y)[first])


@pytest.mark.parametrize("family", ALL_FAMILIES)
@pytest.mark.parametrize("sd", [1.0, 10.0, 30.0])
@pytest.mark.parametrize("shift", [0.0, -5.0])
def test_modes_of_hard_data(family, sd, shift):
    c = equal_rows(case(family))
    c = replace(c, theta=np.array([sd, 0.5, 0.3]), beta=c.beta + shift)
    value, eta = dense_laplace(c)
    problem = c.problem()
    assert c.evaluate(problem)[0] == pytest.approx(value, rel=1e-10)
    assert fitted(problem) == pytest.approx(eta, abs=1e-7)


@pytest.mark.parametrize("theta", [0.0, 1.0, 30.0])
def test_modes_of_large_counts(theta):
    rng = np.random.default_rng(5)
    c = case(families.POISSON_LOG)
    counts = rng.poisson(np.exp(6 + 3 * rng.normal(size=c.codes[0].max() + 1))[c.codes[0]])
    c = replace(c, y=counts.astype(float), theta=np.array([theta, 0.5, 0.3]))
    problem = c.problem()
    assert np.isfinite(c.evaluate(problem)[0])
    (block,) = problem.pool.blocks
    pull = block.block.transpose_sums(block.r)[0] - block.u1
    assert np.abs(pull).max() <= 1e-12 * theta * counts.sum() + 1e-12


def test_no_modes_is_out_of_domain_and_leaves_no_trace():
    c = case(families.POISSON_LOG)
    problem = c.problem()
    value, _ = c.evaluate(problem)
    with pytest.raises(OutOfDomain):
        c.evaluate(problem, c.point + 1e5)
    assert c.evaluate(problem)[0] == pytest.approx(value, rel=1e-13)


def test_thresholds_out_of_order_are_out_of_domain():
    c = case(families.ORDINAL_LOGIT)
    c = replace(c, alpha=c.alpha[::-1].copy())
    with pytest.raises(OutOfDomain):
        c.evaluate(c.problem())


def test_a_near_point_reuses_the_factor():
    c = case(families.BINOMIAL_LOGIT)
    problem = c.problem()
    c.evaluate(problem)
    before = problem.n_factorisations
    c.evaluate(problem, c.point + 1e-5)
    assert problem.n_factorisations == before + 1
