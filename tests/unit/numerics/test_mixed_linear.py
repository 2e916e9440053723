"""Linear criterion and gradient against the brute-force marginal covariance V of small crossed designs."""

from dataclasses import dataclass

import numpy as np
import pytest

from jobchance.errors import EstimationError
from jobchance.numerics.mixed import partition as partition_module
from jobchance.numerics.mixed.block import Slots, index_rows
from jobchance.numerics.mixed.linear import LinearBlock, LinearProblem
from jobchance.numerics.mixed.partition import elimination_order, plan_columns
from jobchance.numerics.mixed.pool import LocalPool
from jobchance.numerics.mixed.relative import Template, relative_factors


@dataclass
class Case:
    """Rows of a crossed design, factors in engine order."""

    codes: list
    z: list
    templates: tuple
    X: np.ndarray
    y: np.ndarray
    w: np.ndarray

    def problem(self, restricted=True, split=1, **plan):
        levels, widths = [int(c.max()) + 1 for c in self.codes], [z.shape[1] for z in self.z]
        assert elimination_order(levels, widths) == list(range(len(levels)))
        partition = plan_columns(self.codes, levels, widths, **plan)
        slots, z = Slots(tuple(widths)), np.hstack(self.z)
        blocks = []
        for k in range(split):
            rows = np.flatnonzero(self.codes[0] % split == k)
            for index in index_rows([c[rows] for c in self.codes], partition):
                own = rows[index.rows]
                mine = np.ones((1, slots.total)) if (z == 1).all() else z[own]
                D = np.column_stack([self.X, self.y])[own]
                blocks.append(LinearBlock(index, mine, slots, partition, D=D, w=self.w[own]))
        return LinearProblem(
            LocalPool(blocks), partition.layout, slots, self.templates, restricted=restricted
        )

    def brute(self, theta, restricted=True):
        n, p = self.X.shape
        V = np.diag(1 / self.w)
        for c, z, L in zip(self.codes, self.z, relative_factors(self.templates, theta), strict=True):
            V += (c[:, None] == c) * (z @ L @ L.T @ z.T)
        Vi = np.linalg.inv(V)
        A = self.X.T @ Vi @ self.X
        beta = np.linalg.solve(A, self.X.T @ Vi @ self.y)
        rest = self.y - self.X @ beta
        df, pw = (n - p if restricted else n), rest @ Vi @ rest
        value = np.linalg.slogdet(V)[1] + df * (1 + np.log(2 * np.pi * pw / df))
        return value + restricted * np.linalg.slogdet(A)[1], beta, pw / df


def renumber(codes):
    return np.unique(codes, return_inverse=True)[1]


@pytest.fixture
def few(monkeypatch):
    """Blocks are made for small factors too, however little they save."""
    monkeypatch.setattr(partition_module, "SMALL", 8)
    monkeypatch.setattr(partition_module, "_work", lambda layout: 0.0 if len(layout.n_of) else 1.0)


def case(*, slopes, movers=0, seed=1):
    rng = np.random.default_rng(seed)
    n = 300
    office = rng.integers(0, 4, n)
    worker = renumber(office * 5 + rng.integers(0, 5, n))
    person = office * 40 + rng.integers(0, 40, n)
    person[: 6 * movers] = np.repeat(np.arange(movers), 6)
    codes = [renumber(person), worker, office]
    X = np.column_stack([np.ones(n), rng.normal(size=(n, 2))])
    one = np.ones((n, 1))
    z = [one, one, one]
    sizes = [(1,), (1,), (1,)]
    if slopes:
        z = [np.column_stack([one, X[:, 1]]), one, np.column_stack([one, X[:, 2]])]
        sizes = [(2,), (1,), (1, 1)]
    y = rng.normal(size=n) + rng.normal(size=200)[codes[0]] + rng.normal(size=20)[worker]
    w = rng.uniform(0.5, 2, n)
    return Case(codes, z, tuple(Template(s) for s in sizes), X, y, w)


def check(problem, brute, theta, restricted):
    state = problem.evaluate(theta)
    value, beta, sigma2 = brute(theta, restricted)
    assert state.value == pytest.approx(value, abs=1e-9)
    np.testing.assert_allclose(state.beta, beta, atol=1e-10)
    assert state.sigma2 == pytest.approx(sigma2, rel=1e-11)
    h = 1e-5 * np.eye(len(theta))
    slope = [(brute(theta + e, restricted)[0] - brute(theta - e, restricted)[0]) / 2e-5 for e in h]
    np.testing.assert_allclose(state.gradient, slope, atol=2e-7)


@pytest.mark.parametrize("restricted", [True, False])
@pytest.mark.parametrize("slopes", [True, False])
def test_dense(restricted, slopes):
    c = case(slopes=slopes, movers=2)
    theta = np.random.default_rng(3).normal(size=6 if slopes else 3)
    check(c.problem(restricted), c.brute, theta, restricted)


@pytest.mark.parametrize("restricted", [True, False])
@pytest.mark.parametrize("slopes", [True, False])
@pytest.mark.parametrize("movers", [0, 3])
def test_blocks_with_levels_kept_in_the_border(few, restricted, slopes, movers):
    c = case(slopes=slopes, movers=movers)
    problem = c.problem(restricted, dense=0)
    assert len(problem.arrow.layout.n_of) == 4
    assert problem.arrow.layout.nb == 4 * (1 + slopes) + movers * (1 + slopes)
    theta = np.random.default_rng(4).normal(size=6 if slopes else 3)
    check(problem, c.brute, theta, restricted)


@pytest.mark.parametrize("slopes", [True, False])
def test_several_blocks_of_rows_are_one(few, slopes):
    c = case(slopes=slopes, movers=2)
    theta = np.random.default_rng(5).normal(size=6 if slopes else 3)
    one, many = c.problem(dense=0).evaluate(theta), c.problem(dense=0, split=3).evaluate(theta)
    assert many.value == pytest.approx(one.value, abs=1e-10)
    np.testing.assert_allclose(many.gradient, one.gradient, atol=1e-10)


def test_threads_add_in_block_order(monkeypatch):
    monkeypatch.setattr("jobchance.numerics.mixed.pool.THREADED", 0)
    c = case(slopes=True)
    c.codes, c.z, c.templates = c.codes[::2], c.z[::2], c.templates[::2]
    theta = np.full(5, 0.4)
    problem = c.problem(split=3)
    assert not problem.pool.shares_memory
    values = {problem.evaluate(theta).value for _ in range(5)}
    assert len(values) == 1
    assert values.pop() == pytest.approx(c.brute(theta)[0], abs=1e-9)


def test_zero_variance_is_least_squares_and_a_stationary_side():
    c = case(slopes=False)
    state = c.problem().evaluate(np.zeros(3))
    beta = np.linalg.lstsq(c.X * np.sqrt(c.w)[:, None], c.y * np.sqrt(c.w), rcond=None)[0]
    np.testing.assert_allclose(state.beta, beta, atol=1e-11)
    np.testing.assert_allclose(state.gradient, 0.0, atol=1e-10)


def test_one_factor_alone():
    c = case(slopes=True)
    alone = Case(c.codes[:1], c.z[:1], c.templates[:1], c.X, c.y, c.w)
    check(alone.problem(), alone.brute, np.array([0.7, -0.3, 0.5]), True)


def test_cells_keep_the_linear_predictor_by_row():
    c = case(slopes=False)
    problem = c.problem()
    block = problem.pool.blocks[0].block
    problem.evaluate(np.array([0.5, 0.4, 0.3]))
    rng = np.random.default_rng(1)
    u1, ur = rng.normal(size=block.shape1), rng.normal(size=block.layout.q)
    order = np.lexsort([c.codes[2], c.codes[1], c.codes[0]])
    person, worker, office = (code[order] for code in c.codes)
    expected = 0.5 * u1[person, 0] + 0.4 * ur[worker] + 0.3 * ur[20 + office]
    np.testing.assert_allclose(block.linear_predictor(np.zeros(300), u1, ur), expected, atol=1e-13)


def test_outcome_without_residual_is_refused():
    c = case(slopes=False)
    c.y = c.codes[0].astype(float)
    c.X = c.X[:, 1:2]
    with pytest.raises(EstimationError, match="no residual variance"):
        c.problem().evaluate(np.array([1e8, 1.0, 1.0]))
