"""Places of the remaining columns, and the arrow matrix against dense linear algebra."""

import numpy as np
import pytest

from jobchance.errors import EstimationError
from jobchance.numerics.mixed.arrow import Arrow, ArrowLayout, dense_layout
from jobchance.numerics.mixed.partition import elimination_order, majority, movers, plan_columns


def arrow_layout():
    """Blocks of 4, 3 and 2 columns; the second meets no border column, border column 3 meets no block."""
    block = np.array([0, 0, 0, 0, 1, 1, 1, 2, 2, -1, -1, -1, -1])
    local = np.array([0, 1, 2, 3, 0, 1, 2, 0, 1, 0, 1, 2, 3])
    touched = (np.array([0, 2]), np.zeros(0, dtype=np.int64), np.array([1, 2]))
    return ArrowLayout(block, local, np.array([4, 3, 2]), touched, 4)


def stored(layout):
    """Pairs of columns (p >= q) that the layout keeps."""
    p, q = np.tril_indices(layout.q)
    keep = np.ones(len(p), dtype=bool)
    for t, (a, b) in enumerate(zip(p, q, strict=True)):
        i, j = layout.block[a], layout.block[b]
        if i >= 0 or j >= 0:
            keep[t] = i == j if min(i, j) >= 0 else layout.local[a] in layout.touched[max(i, j)]
    return p[keep], q[keep]


def filled(layout, seed=0):
    """An arrow with random elements, and the dense matrix that it stands for."""
    p, q = stored(layout)
    values = 0.3 * np.random.default_rng(seed).normal(size=len(p)) + 4.0 * (p == q)
    dense = np.zeros((layout.q, layout.q))
    dense[p, q] = dense[q, p] = values
    arrow = Arrow(layout)
    arrow.store[layout.slots(p, q)] = values
    return arrow, dense + np.eye(layout.q)


@pytest.mark.parametrize("layout", [arrow_layout(), dense_layout(7), dense_layout(1)])
def test_factor_solve_and_inverse_are_those_of_the_dense_matrix(layout):
    arrow, dense = filled(layout)
    arrow.factor()
    assert arrow.logdet == pytest.approx(np.linalg.slogdet(dense)[1], rel=1e-13)
    right = np.random.default_rng(1).normal(size=(layout.q, 3))
    np.testing.assert_allclose(arrow.solve(right), np.linalg.solve(dense, right), atol=1e-13)
    np.testing.assert_allclose(arrow.solve(right[:, 0]), np.linalg.solve(dense, right[:, 0]), atol=1e-13)
    p, q = stored(layout)
    np.testing.assert_allclose(arrow.inverse()[layout.slots(p, q)], np.linalg.inv(dense)[p, q], atol=1e-13)


def test_slots_are_distinct_and_alike_in_both_orders():
    layout = arrow_layout()
    p, q = stored(layout)
    assert len(np.unique(layout.slots(p, q))) == len(p)
    np.testing.assert_array_equal(layout.slots(p, q), layout.slots(q, p))


def test_no_columns_at_all():
    arrow = Arrow(dense_layout(0))
    arrow.factor()
    assert arrow.logdet == 0.0
    assert arrow.solve(np.zeros((0, 2))).shape == (0, 2)


def test_indefinite_matrix_is_refused():
    arrow = Arrow(dense_layout(2))
    arrow.store[:] = [-5.0, 0.0, 0.0, 1.0]
    with pytest.raises(EstimationError, match="positive definite"):
        arrow.factor()


def test_parts_made_elsewhere_are_added():
    arrow = Arrow(dense_layout(2))
    arrow.store[:] = 1.0
    arrow.add([np.full(4, 2.0), None, np.full(4, 3.0)])
    np.testing.assert_array_equal(arrow.store, np.full(4, 6.0))


def test_the_factor_with_most_columns_is_eliminated():
    assert elimination_order([10, 300, 200], [1, 1, 2]) == [2, 1, 0]


def test_majority_and_movers():
    worker = np.array([0, 0, 0, 1, 1])
    office = np.array([2, 1, 2, 0, 1])
    np.testing.assert_array_equal(majority(worker, office, 3, 3), [2, 0, 0])
    person = np.array([0, 0, 1, 1])
    np.testing.assert_array_equal(movers(person, np.array([0, 1, 1, 1]), 3), [True, False, False])


def dense_pattern(codes, partition):
    """Couplings of S that rows and eliminated levels make, as pairs of columns."""
    found = set()
    for level in range(int(codes[0].max()) + 1):
        rows = np.flatnonzero(codes[0] == level)
        own = partition.moved[level]
        of_row = [
            np.concatenate([p[c[r]] for p, c in zip(partition.places, codes[1:], strict=True)]) for r in rows
        ]
        if own >= 0:
            groups = [np.concatenate([g, partition.moved_places[own]]) for g in of_row]
        else:
            groups = [np.unique(np.concatenate(of_row))]
        found |= {(int(a), int(b)) for g in groups for a in g for b in g if a >= b}
    return np.array(sorted(found)).T


def check_pattern(codes, partition):
    """Every coupling has a place of its own."""
    layout = partition.layout
    high, low = dense_pattern(codes, partition)
    block = layout.block
    assert ((block[high] < 0) | (block[high] == block[low])).all()
    inside = np.flatnonzero((block[high] < 0) & (block[low] >= 0))
    for t in inside:
        assert layout.local[high[t]] in layout.touched[block[low[t]]]
    assert len(np.unique(layout.slots(high, low))) == len(high)
    used = np.concatenate([p.ravel() for p in [*partition.places, partition.moved_places]])
    np.testing.assert_array_equal(np.sort(used), np.arange(layout.q))


def nested(n=4_000, seed=0):
    """Citizens of caseworkers of teams of jobcentres; some rows at another caseworker or in another team."""
    rng = np.random.default_rng(seed)
    citizen = np.sort(rng.integers(0, 600, n))
    worker = citizen // 4
    worker = np.where(rng.random(n) < 0.02, rng.integers(0, 150, n), worker)
    team = np.where(rng.random(n) < 0.005, rng.integers(0, 30, n), worker // 5)
    return [citizen, worker, team, team // 5]


@pytest.mark.parametrize("large", [8, 40])
def test_several_large_groups_share_blocks(monkeypatch, large):
    monkeypatch.setattr("jobchance.numerics.mixed.partition.SMALL", large)
    codes = nested()
    partition = plan_columns(codes, [int(c.max()) + 1 for c in codes], [1, 2, 1, 1], dense=0)
    assert len(partition.layout.n_of) > 1
    check_pattern(codes, partition)


def test_components_without_a_coarser_group(monkeypatch):
    monkeypatch.setattr("jobchance.numerics.mixed.partition.SMALL", 8)
    monkeypatch.setattr("jobchance.numerics.mixed.partition.PACKED", 10)
    citizen = np.arange(800)
    codes = [citizen, citizen // 4, citizen % 3]
    partition = plan_columns(codes, [800, 200, 3], [1, 1, 1], dense=0)
    assert len(partition.layout.n_of) == 20
    assert partition.layout.nb == 3
    assert not (partition.moved >= 0).any()
    check_pattern(codes, partition)
