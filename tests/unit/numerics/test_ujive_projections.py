import numpy as np
import pytest

from jobchance.errors import DesignError
from jobchance.numerics import ujive_factors
from jobchance.numerics.ujive import METHODS, jackknife, many_instruments
from jobchance.numerics.ujive_blocks import unit_rows
from jobchance.numerics.ujive_factors import Factors


def dense(codes):
    return np.unique(codes, return_inverse=True)[1]


def dummies(*factors):
    return np.hstack([np.eye(int(f.max()) + 1)[f] for f in factors])


def hat(X):
    """Hat matrix and rank by singular values."""
    U, s, _ = np.linalg.svd(X, full_matrices=False)
    U = U[:, s > 1e-9 * s[0]]
    return U @ U.T, U.shape[1]


SHAPES = [
    (60, 4, 9),
    (60, 12, 3),
    (80, 30, 30),
    (40, 1, 6),
    (40, 6, 1),
    (150, 40, 45),
    (30, 25, 25),
    (200, 60, 50),
]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("n", "a", "b"), SHAPES)
def test_two_crossed_factors_equal_their_dummy_variables(n, a, b, seed):
    rng = np.random.default_rng(seed)
    first, second = dense(rng.integers(0, a, n)), dense(rng.integers(0, b, n))
    H, rank = hat(dummies(first, second))
    found = Factors(first, second)
    assert found.rank == rank
    values = rng.normal(size=(n, 3))
    assert np.abs(found.residuals(values) - (values - H @ values)).max() < 1e-11
    assert np.abs(found.leverages - np.diag(H)).max() < 1e-10
    i, j = (part.ravel() for part in np.meshgrid(np.arange(n), np.arange(n)))
    assert np.abs(found.products(i, j) - H[i, j]).max() < 1e-10


def test_nested_factors_need_no_inverse():
    group = np.repeat(np.arange(12), 5)
    found = Factors(group % 3, group)
    assert found._core is None
    assert found.leverages == pytest.approx(np.full(60, 0.2))


def test_a_chain_of_cells_and_groups_is_taken_apart_from_its_ends():
    cell, group = np.repeat(np.arange(6), 2), np.array([0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6])
    found = Factors(cell, group)
    assert found._core is None
    assert found.leverages == pytest.approx(np.ones(12))
    assert found.rank == 12


def test_a_block_too_large_is_refused_with_its_size(monkeypatch):
    rng = np.random.default_rng(1)
    monkeypatch.setattr(ujive_factors, "MAX_BYTES", 1_000)
    with pytest.raises(DesignError, match=r"connected block of \d+ levels"):
        Factors(dense(rng.integers(0, 30, 900)), dense(rng.integers(0, 40, 900)))


def test_units_too_large_to_leave_out_are_refused():
    with pytest.raises(DesignError, match="leave out smaller units"):
        unit_rows(np.zeros(20_000, dtype=np.int64))


# ---- every jackknife against its definition with dummy variables -------------------------------------------


def by_definition(W, X, y, d, units):
    """Estimates and both kinds of standard error from dense matrices, predictions by deleting rows."""
    n = len(y)
    H_w, H_x = hat(W)[0], hat(X)[0]
    M_w, M_x = np.eye(n) - H_w, np.eye(n) - H_x
    same = units[:, None] == units[None, :]
    B_w, B_x = H_w * same, H_x * same
    one = np.eye(n)
    fit_w, fit_x = np.empty(n), np.empty(n)
    for unit in np.unique(units):
        out = units == unit
        for design, fit in ((W, fit_w), (X, fit_x)):
            fit[out] = design[out] @ np.linalg.lstsq(design[~out], d[~out], rcond=None)[0]
    A = {
        "ols": M_w,
        "tsls": H_x - H_w,
        "jive1": M_w @ (one - np.linalg.solve(one - B_x, M_x)),
        "jive2": M_w @ (H_x - B_x),
        "ijive": M_w @ (M_w - np.linalg.solve(one - B_x + B_w, M_x)),
        "ujive_2013": np.linalg.solve(one - B_w, M_w) - np.linalg.solve(one - B_x, M_x),
        "ujive": M_w - (one - B_w) @ np.linalg.solve(one - B_x, M_x),
    }
    assert A["ujive_2013"] @ d == pytest.approx(fit_x - fit_w, abs=1e-8)
    assert A["jive1"] @ d == pytest.approx(M_w @ fit_x, abs=1e-8)
    rows = []
    for name in METHODS:
        z = A[name] @ d
        b = z @ y / (z @ d)
        e = M_w @ (y - d * b)
        back = 0 if name == "ols" else A[name].T @ (y - d * b)
        rows.append(
            (b, np.linalg.norm(z * e) / abs(z @ d), np.linalg.norm(z * e + back * (M_x @ d)) / abs(z @ d))
        )
    return np.array(rows)


CASES = ["nested", "crossed", "covariates", "columns", "citizens", "citizens and covariates"]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("case", CASES)
def test_every_jackknife_equals_its_definition(case, seed):
    rng = np.random.default_rng(seed)
    n = 160
    group = rng.integers(0, 18, n)
    cell = group % 4 if case == "nested" else rng.integers(0, 4, n)
    controls = rng.normal(size=(n, 2)) if "covariates" in case else np.empty((n, 0))
    extra = rng.normal(size=(n, 5)) if case == "columns" else np.empty((n, 0))
    units = rng.integers(0, 70, n) if "citizens" in case else np.arange(n)
    d = rng.normal(size=18)[group] + cell + rng.normal(size=n) + rng.normal(size=70)[units % 70]
    y = 0.5 * d + rng.normal(size=n)
    groups = None if case == "columns" else group
    design = many_instruments(cell, groups, controls, extra, None if "citizens" not in case else units)
    used = design.used
    W = np.hstack([dummies(dense(cell[used])), controls[used]])
    X = np.hstack([W, extra[used], *([] if groups is None else [dummies(dense(group[used]))])])
    assert (design.W.rank, design.X.rank) == (hat(W)[1], hat(X)[1])
    found = jackknife(design, y[used], d[used])
    size = np.abs(found.denominators)
    table = np.column_stack(
        [
            found.estimates,
            np.linalg.norm(found.robust, axis=0) / size,
            np.linalg.norm(found.hte, axis=0) / size,
        ]
    )
    assert table == pytest.approx(by_definition(W, X, y[used], d[used], units[used]), rel=1e-7, abs=1e-9)


def undetermined(cell, group, units):
    """Rows left once rows without a prediction are dropped until none is, by deletion and ranks; rounds."""
    used, rounds = np.arange(len(cell)), 0
    while True:
        X = dummies(dense(cell[used]), dense(group[used]))
        gone = np.zeros(len(used), dtype=bool)
        for unit in np.unique(units[used]):
            out = units[used] == unit
            rest = X[~out]
            for i in np.flatnonzero(out):
                gone[i] = np.linalg.matrix_rank(np.vstack([rest, X[i]])) > np.linalg.matrix_rank(rest)
        if not gone.any():
            return used.tolist(), rounds
        used, rounds = used[~gone], rounds + 1


@pytest.mark.parametrize("seed", range(8))
def test_rows_without_a_prediction_are_those_that_deletion_leaves_undetermined(seed):
    rng = np.random.default_rng(seed)
    group, cell, units = rng.integers(0, 25, 70), rng.integers(0, 6, 70), rng.integers(0, 30, 70)
    nothing = np.empty((70, 0))
    design = many_instruments(cell, group, nothing, nothing, units)
    expected, rounds = undetermined(cell, group, units)
    assert 0 < len(expected) < 70
    assert (design.used.tolist(), design.rounds) == (expected, rounds)


def test_dropping_one_unit_may_leave_another_without_a_prediction():
    # Group 0 is unit 0 alone; its rows tie cell 0 to cell 1. Without them cell 0 is unit 1 alone.
    group = np.array([0, 0, 1, 1, 1, 1, 2, 2, 2])
    cell = np.array([0, 1, 0, 0, 1, 1, 1, 1, 1])
    units = np.array([0, 0, 1, 1, 2, 3, 4, 5, 6])
    nothing = np.empty((9, 0))
    design = many_instruments(cell, group, nothing, nothing, units)
    assert (design.used.tolist(), design.rounds) == ([4, 5, 6, 7, 8], 2)
    assert undetermined(cell, group, units) == ([4, 5, 6, 7, 8], 2)
