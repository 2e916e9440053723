"""The iterative mode against exact factorisation: its error must be as small as it says."""

import numpy as np
import pytest

from jobchance.errors import SpecError
from jobchance.numerics.mixed import partition as partition_module
from jobchance.numerics.mixed import sparse as sparse_module
from jobchance.numerics.mixed.block import Slots, index_rows
from jobchance.numerics.mixed.iterative import SparseSchur, _divided, schur_complement
from jobchance.numerics.mixed.linear import LinearBlock, LinearProblem
from jobchance.numerics.mixed.partition import plan_columns
from jobchance.numerics.mixed.pool import LocalPool
from jobchance.numerics.mixed.relative import Template
from jobchance.numerics.mixed.sparse import SparseLayout


def panel(n_citizens=3_000, n_workers=600, n_offices=5, waves=6, move=0.03, seed=1):
    """Levels of citizen, caseworker and jobcentre: caseworkers in one jobcentre each, some citizens move."""
    rng = np.random.default_rng(seed)
    citizen = np.repeat(np.arange(n_citizens), waves)
    home = rng.integers(0, n_offices, n_citizens)[citizen]
    office = np.where(rng.random(len(citizen)) < move, rng.integers(0, n_offices, len(citizen)), home)
    first = rng.integers(0, n_workers // n_offices, n_citizens)[citizen]
    new = rng.integers(0, n_workers // n_offices, len(citizen))
    worker = np.where(rng.random(len(citizen)) < 0.3, new, first) * n_offices + office
    return [citizen, np.unique(worker, return_inverse=True)[1], office]


def problem(codes, *, slopes=False, seed=2, **plan):
    """REML criterion of an outcome made of all levels, with the layout that `plan` leads to."""
    rng = np.random.default_rng(seed)
    levels, n = [int(c.max()) + 1 for c in codes], len(codes[0])
    widths = [1, 1 + slopes, *[1] * (len(codes) - 2)]
    partition = plan_columns(codes, levels, widths, **plan)
    y = rng.normal(size=n) + sum(0.5 * rng.normal(size=q)[c] for c, q in zip(codes, levels, strict=True))
    X = np.column_stack([np.ones(n), rng.normal(size=n)])
    D = np.column_stack([X, y])
    slots = Slots(tuple(widths))
    z = np.hstack([X if m == 2 else X[:, :1] for m in widths])
    blocks = [
        LinearBlock(
            index,
            z[index.rows] if slopes else np.ones((1, 3)),
            slots,
            partition,
            D=D[index.rows],
            w=np.ones(len(index.rows)),
        )
        for index in index_rows(codes, partition)
    ]
    templates = tuple(Template((m,)) for m in widths)
    return LinearProblem(LocalPool(blocks), partition.layout, slots, templates, restricted=True)


@pytest.fixture
def small(monkeypatch):
    """Every factor but the jobcentres counts as large."""
    monkeypatch.setattr(partition_module, "SMALL", 50)


ITERATIVE = {"dense": 0, "exact": 0}


@pytest.mark.parametrize("theta", [(0.8, 0.35, 0.2), (2.5, 1.5, 1.0), (0.5, 0.0, 0.3), (0.3, 2.0, 0.0)])
def test_criterion_and_gradient_are_as_near_as_they_say(small, theta):
    codes = panel()
    made, exact = problem(codes, **ITERATIVE), problem(codes)
    assert isinstance(made.arrow, SparseSchur)
    assert exact.arrow.exact
    a, b = made.evaluate(np.array(theta)), exact.evaluate(np.array(theta))
    error = made.arrow.logdet_error
    assert error < 2e-2
    assert abs(a.value - b.value) < 4 * error + 1e-7
    np.testing.assert_allclose(a.beta, b.beta, atol=1e-9)
    assert a.pw == pytest.approx(b.pw, rel=1e-10)
    np.testing.assert_allclose(a.gradient, b.gradient, atol=0.2)


def test_error_is_what_a_standard_error_is(small):
    """Over different probes the deviations have the spread that is reported, and no bias beside it."""
    codes = panel(n_citizens=1_500, n_workers=300)
    theta = np.array([1.0, 0.6, 0.2])
    exact = problem(codes).evaluate(theta).value
    made = problem(codes, **ITERATIVE)
    layout = made.arrow.layout
    off, said = [], []
    for seed in range(25):
        made.arrow = SparseSchur(layout, seed=seed)
        off.append(made.evaluate(theta).value - exact)
        said.append(made.arrow.logdet_error)
    assert np.std(off) == pytest.approx(np.mean(said), rel=0.5)
    assert abs(np.mean(off)) < 4 * np.mean(said) / 5


@pytest.mark.parametrize("slopes", [False, True])
def test_gradient_is_the_derivative_of_the_value(small, slopes):
    made = problem(panel(n_citizens=1_000, n_workers=200), slopes=slopes, **ITERATIVE)
    theta = np.array([0.8, 0.5, 0.2, 0.3, 0.4]) if slopes else np.array([0.8, 0.5, 0.4])
    state = made.evaluate(theta)

    def slope(step):
        return (made.evaluate(theta + step).value - made.evaluate(theta - step).value) / 2

    h = 2e-3
    found = [(8 * slope(e) - slope(2 * e)) / (6 * h) for e in h * np.eye(len(theta))]
    np.testing.assert_allclose(state.gradient, found, atol=2e-5)


def test_levels_in_three_large_crossed_groups(small):
    rng = np.random.default_rng(4)
    n = 6_000
    codes = [rng.integers(0, 1_000, n), rng.integers(0, 300, n), rng.integers(0, 200, n)]
    made, exact = problem(codes, **ITERATIVE), problem(codes)
    theta = np.array([0.6, 0.5, 0.4])
    assert made.arrow.layout.n_dense == 0
    a, b = made.evaluate(theta), exact.evaluate(theta)
    assert abs(a.value - b.value) < 4 * made.arrow.logdet_error + 1e-7
    assert made.arrow.logdet_error < 0.5


def test_same_numbers_every_time_and_in_threads(small, monkeypatch):
    codes = panel(n_citizens=1_000, n_workers=200)
    theta = np.array([0.8, 0.5, 0.4])
    one = problem(codes, **ITERATIVE).evaluate(theta)
    again = problem(codes, **ITERATIVE).evaluate(theta)
    monkeypatch.setattr("jobchance.numerics.mixed.iterative.THREADED", 0)
    threads = problem(codes, **ITERATIVE).evaluate(theta)
    assert one.value == again.value
    assert threads.value == pytest.approx(one.value, rel=1e-14)
    np.testing.assert_allclose(threads.gradient, one.gradient, rtol=1e-10)


def test_solutions_and_slots_are_those_of_the_dense_matrix(small):
    made = problem(panel(n_citizens=300, n_workers=80), **ITERATIVE)
    layout, arrow = made.arrow.layout, made.arrow
    made.evaluate(np.array([0.8, 0.5, 0.4]))
    n, q = layout.n_sparse, layout.q
    p, r = np.repeat(np.arange(n), np.diff(layout.ptr)), layout.idx
    dense = np.zeros((q, q))
    dense[p, r] = dense[r, p] = arrow.store[layout.slots(p, r)]
    a, b = np.meshgrid(np.arange(n, q), np.arange(q), indexing="ij")
    keep = a >= b
    a, b = a[keep], b[keep]
    dense[a, b] = dense[b, a] = arrow.store[layout.slots(a, b)]
    dense[np.arange(n, q), np.arange(n, q)] += 1.0  # the corner is kept without the identity
    right = np.random.default_rng(1).normal(size=(q, 11))
    np.testing.assert_allclose(arrow.solve(right), np.linalg.solve(dense, right), atol=1e-10)
    np.testing.assert_allclose(arrow.solve(right[:, 0]), np.linalg.solve(dense, right[:, 0]), atol=1e-10)


def test_divided_differences():
    c = np.array([0.3, -1.0, 0.5, 0.2, 0.7])
    f = np.polynomial.Chebyshev(c)
    x, y = 0.3, -0.6
    T = [[np.cos(k * np.arccos(v)) for k in range(4)] for v in (x, y)]
    assert np.array(T[0]) @ _divided(c) @ np.array(T[1]) == pytest.approx((f(x) - f(y)) / (x - y))


def test_too_many_couplings_are_named(small, monkeypatch):
    monkeypatch.setattr(sparse_module, "MAX_PAIRS", 100)
    with pytest.raises(SpecError, match=r"random columns beside .* couplings .* GB of memory"):
        problem(panel(n_citizens=300, n_workers=80), **ITERATIVE)


def test_layout_is_exact_while_that_is_cheap(small):
    codes = panel(n_citizens=1_000, n_workers=200)
    assert problem(codes).arrow.exact
    layout = problem(codes, **ITERATIVE).arrow.layout
    assert isinstance(layout, SparseLayout)
    assert not schur_complement(layout).exact


def test_nearly_full_couplings_are_factored(small, monkeypatch):
    """Three groups that all meet each other: S has few zeros, and dense factorisation is the faster way."""
    rng = np.random.default_rng(5)
    codes = [rng.integers(0, q, 6_000) for q in (300, 120, 80)]
    assert problem(codes, dense=0, exact=110).arrow.exact
    monkeypatch.setattr(sparse_module, "MAX_PAIRS", 10)
    assert problem(codes, dense=0, exact=110).arrow.exact
    with pytest.raises(SpecError):
        problem(codes, dense=0, exact=60)
