"""Leave-out variance components against their definition: every row left out and the model fitted again."""

from __future__ import annotations

import numpy as np
import pytest

from jobchance.errors import EstimationError
from jobchance.numerics.two_way import two_way_components
from jobchance.numerics.two_way_design import TwoWayDesign
from jobchance.numerics.two_way_graph import leave_out_set, recode
from jobchance.numerics.two_way_leverage import exact_leverages, projected_leverages


def draw(seed, citizens=50, caseworkers=7, waves=4):
    """Outcome and codes of a leave-out connected set with unequal error variances."""
    rng = np.random.default_rng(seed)
    n = citizens * waves
    citizen = np.repeat(np.arange(citizens), waves)
    home = np.repeat(rng.integers(0, caseworkers, citizens), waves)
    caseworker = np.where(rng.random(n) < 0.3, rng.integers(0, caseworkers, n), home)
    there = rng.random(n) < 0.85
    citizen, caseworker = recode(citizen[there]), recode(caseworker[there])
    kept = leave_out_set(citizen, caseworker).rows
    citizen, caseworker = recode(citizen[kept]), recode(caseworker[kept])
    y = 5 + rng.normal(0, 1, citizens)[citizen] + rng.normal(0, 0.5, caseworkers)[caseworker]
    return y + rng.normal(0, 1, len(y)) * (0.5 + rng.random(len(y))), citizen, caseworker


def dummies(citizen, caseworker):
    """Dummy variables of all citizens and of all caseworkers but the first."""
    return np.hstack([np.eye(citizen.max() + 1)[citizen], np.eye(caseworker.max() + 1)[caseworker][:, 1:]])


def moments(b, citizen, caseworker, weights=None):
    """Variances and covariance over rows of the effects in a coefficient vector."""
    n = citizen.max() + 1
    alpha, psi = b[:n][citizen], np.concatenate([[0.0], b[n:]])[caseworker]
    if weights is not None:
        alpha, psi = np.repeat(alpha, weights), np.repeat(psi, weights)
    among = np.cov(alpha, psi)
    return np.array([among[0, 0], among[1, 1], among[0, 1]])


def by_definition(y, citizen, caseworker):
    """Plug-in and leave-out components, with one regression per row left out."""
    X = dummies(citizen, caseworker)
    influence = np.linalg.solve(X.T @ X, X.T)
    plug_in = moments(influence @ y, citizen, caseworker)
    corrected = plug_in.copy()
    for i in range(len(y)):
        others = np.arange(len(y)) != i
        b = np.linalg.lstsq(X[others], y[others], rcond=None)[0]
        corrected -= (y[i] - y.mean()) * (y[i] - X[i] @ b) * moments(influence[:, i], citizen, caseworker)
    return plug_in, corrected


def run(y, citizen, caseworker, *, by_match=False, n_projections=None, std_errors=False):
    return two_way_components(
        y,
        citizen,
        caseworker,
        by_match=by_match,
        n_projections=n_projections,
        seed=3,
        std_errors=std_errors,
    )


@pytest.mark.parametrize("seed", range(4))
def test_leaving_out_each_row_and_fitting_again_gives_the_same(seed):
    data = draw(seed)
    plug_in, corrected = by_definition(*data)
    found = run(*data)
    np.testing.assert_allclose(found.plug_in, plug_in, rtol=0, atol=1e-12)
    np.testing.assert_allclose(found.kss, corrected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_leaving_out_each_match_and_fitting_again_gives_the_same(seed):
    y, citizen, caseworker = draw(seed)
    keys, match = np.unique(citizen * 100 + caseworker, return_inverse=True)
    who, whom = keys // 100, keys % 100
    w = np.bincount(match)
    mean = np.bincount(match, weights=y) / w
    X = dummies(who, whom)
    influence = np.linalg.solve(X.T @ (w[:, None] * X), X.T * w)
    b = influence @ mean
    expected = moments(b, who, whom, w)
    for i in range(len(keys)):
        if np.sum(who == who[i]) == 1:  # a citizen with one match: its rows one at a time, averaged
            own = y[match == i]
            variance = np.mean((own - y.mean()) * (own - X[i] @ b) / (1 - 1 / w[i])) / w[i]
        else:
            others = np.arange(len(keys)) != i
            root = np.sqrt(w[others])
            left = np.linalg.lstsq(root[:, None] * X[others], root * mean[others], rcond=None)[0]
            variance = (mean[i] - y.mean()) * (mean[i] - X[i] @ left)
        expected -= variance * moments(influence[:, i], who, whom, w)
    found = run(y, citizen, caseworker, by_match=True)
    np.testing.assert_allclose(found.kss, expected, rtol=0, atol=1e-12)


def test_one_error_variance_gives_the_correction_of_andrews():
    y, citizen, caseworker = draw(1)
    X = dummies(citizen, caseworker)
    influence = np.linalg.solve(X.T @ X, X.T)
    b = influence @ y
    sigma2 = np.sum((y - X @ b) ** 2) / (len(y) - X.shape[1])
    noise = sum(moments(influence[:, i], citizen, caseworker) for i in range(len(y)))
    found = run(y, citizen, caseworker)
    np.testing.assert_allclose(found.sigma2, sigma2, rtol=1e-12)
    np.testing.assert_allclose(found.andrews, moments(b, citizen, caseworker) - sigma2 * noise, atol=1e-12)


def test_leverages_sum_to_the_number_of_effects_and_components_to_the_fit():
    _, citizen, caseworker = draw(2)
    w = np.random.default_rng(0).integers(1, 4, len(citizen)).astype(float)
    design = TwoWayDesign(citizen, caseworker, w, exact=True)
    lever = exact_leverages(design)
    assert lever.P.sum() == pytest.approx(design.n_effects, rel=1e-12)
    np.testing.assert_allclose(lever.B[0] + lever.B[1] + 2 * lever.B[2], lever.P - w / w.sum(), atol=1e-12)


def test_projections_approach_the_exact_numbers_and_say_how_far_off_they_are():
    y, citizen, caseworker = draw(3, citizens=400, caseworkers=25)
    exact = run(y, citizen, caseworker)
    near = run(y, citizen, caseworker, n_projections=400)
    assert (np.abs(near.kss - exact.kss) < 4 * near.projection_se).all()
    assert (near.projection_se < 0.02 * exact.plug_in[0]).all()
    np.testing.assert_allclose(near.plug_in, exact.plug_in, rtol=1e-8, atol=1e-10)


def test_projected_leverages_correct_the_curvature_of_one_over_m():
    _, citizen, caseworker = draw(4)
    design = TwoWayDesign(citizen, caseworker, np.ones(len(citizen)), exact=True)
    truth = 1 / exact_leverages(design).M
    drawn = [projected_leverages(design, 20, seed)[0] for seed in range(300)]
    corrected = np.mean([d.inverse_m for d in drawn], axis=0)
    naive = np.mean([1 / d.M for d in drawn], axis=0)
    assert abs(np.mean(corrected - truth)) < 0.25 * abs(np.mean(naive - truth))
    assert all((d.M > 0).all() for d in drawn)


def test_conjugate_gradients_agree_with_the_dense_inverse():
    y, citizen, caseworker = draw(5)
    for_all = [TwoWayDesign(citizen, caseworker, np.ones(len(y)), exact=e).effects(y) for e in (True, False)]
    np.testing.assert_allclose(np.ptp(for_all[0][1] - for_all[1][1]), 0, atol=1e-9)


def test_a_constant_added_to_the_outcome_and_the_order_of_rows_change_nothing():
    y, citizen, caseworker = draw(6)
    order = np.random.default_rng(1).permutation(len(y))
    for by_match in (False, True):
        first = run(y, citizen, caseworker, by_match=by_match)
        second = run((y + 1000)[order], citizen[order], caseworker[order], by_match=by_match)
        np.testing.assert_allclose(first.kss, second.kss, atol=1e-9)


def test_standard_errors_are_the_spread_over_samples():
    y, citizen, caseworker = draw(7, citizens=150, caseworkers=12)
    rng = np.random.default_rng(8)
    alpha, psi = rng.normal(0, 1, citizen.max() + 1), rng.normal(0, 0.5, caseworker.max() + 1)
    sd = 0.5 + rng.random(len(y))
    drawn = [alpha[citizen] + psi[caseworker] + sd * rng.normal(size=len(y)) for _ in range(100)]
    found = [run(d, citizen, caseworker, std_errors=True) for d in drawn]
    spread = np.std([f.kss for f in found], axis=0)
    mean_se = np.mean([np.sqrt(np.diag(f.covariance)) for f in found], axis=0)
    np.testing.assert_allclose(mean_se / spread, 1, atol=0.25)
    truth = np.cov(alpha[citizen], psi[caseworker])
    centre = np.mean([f.kss for f in found], axis=0)
    bias = centre - [truth[0, 0], truth[1, 1], truth[0, 1]]
    assert (np.abs(bias) < 3.5 * spread / np.sqrt(len(found))).all()


def test_unconnected_effects_are_refused_by_the_solvers():
    citizen, caseworker = np.array([0, 0, 1, 1]), np.array([0, 0, 1, 1])
    design = TwoWayDesign(citizen, caseworker, np.ones(4), exact=False)
    with np.errstate(all="ignore"), pytest.raises(EstimationError, match="hardly connected"):
        design.solve_caseworkers(np.array([[1.0], [-1.0]]))
