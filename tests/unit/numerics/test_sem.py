"""Covariance structures: derivatives against differences, patterns, the saturated model, case scores."""

import numpy as np
import pytest
from scipy import stats

from jobchance.models.cross_lagged_layout import Choices, Names, make_layout, start_values
from jobchance.numerics import sem
from jobchance.numerics.sem_likelihood import loglik
from jobchance.numerics.sem_measures import fit_measures, saturated
from jobchance.numerics.sem_patterns import from_cases, from_moments, univariate

NAMES = Names(("x1", "x2", "x3"), ("y1", "y2", "y3"), "x", "y")


@pytest.fixture(scope="module")
def cases():
    rng = np.random.default_rng(4)
    level = rng.normal(size=(120, 2))
    values = np.repeat(level, 3, axis=1) + rng.normal(size=(120, 6))
    values[rng.random(values.shape) < 0.15] = np.nan
    return values[~np.isnan(values).all(axis=1)]


@pytest.fixture(scope="module", params=[(True, "free"), (True, "equal"), (False, "free")])
def problem(request, cases):
    random, kind = request.param
    layout = make_layout(NAMES, Choices(random, kind, kind, kind))
    patterns, codes = from_cases(cases)
    best = saturated(patterns)
    start = start_values(layout, patterns, best.mu, best.sigma, 0.5)
    # Away from the start, where some derivatives are zero by luck.
    theta = start + 0.05 * np.random.default_rng(1).normal(size=len(start)) * np.abs(start)
    return layout.structure, patterns, theta, cases, codes


def value(structure, patterns, theta):
    at = sem.implied(structure, theta)
    return loglik(patterns, at.mu, at.sigma)


def differences(function, theta, step=1e-6):
    return np.array(
        [(function(theta + step * e) - function(theta - step * e)) / (2 * step) for e in np.eye(len(theta))]
    )


def test_likelihood_is_the_normal_density(problem):
    structure, patterns, theta, values, _ = problem
    at = sem.implied(structure, theta)
    total = 0.0
    for row in values:
        o = ~np.isnan(row)
        total += stats.multivariate_normal.logpdf(row[o], at.mu[o], at.sigma[np.ix_(o, o)])
    assert value(structure, patterns, theta) == pytest.approx(total, rel=1e-12)


def test_gradient(problem):
    structure, patterns, theta, _, _ = problem
    made = sem.gradient(structure, patterns, theta)
    np.testing.assert_allclose(
        made, differences(lambda t: value(structure, patterns, t), theta), rtol=1e-5, atol=1e-4
    )


def test_observed_information(problem):
    structure, patterns, theta, _, _ = problem
    made = sem.information(structure, patterns, theta, expected=False)
    by_steps = -differences(lambda t: sem.gradient(structure, patterns, t), theta)
    np.testing.assert_allclose(made, by_steps, rtol=1e-5, atol=1e-4)


def test_expected_information_is_the_mean_of_score_products():
    layout = make_layout(NAMES, Choices(True, "equal", "free", "equal"))
    structure = layout.structure
    rng = np.random.default_rng(0)
    sigma = np.kron(np.array([[1.0, 0.4], [0.4, 1.0]]), 0.5 + 0.8 * np.eye(3))
    patterns = from_moments(sigma, np.zeros(6), 1)
    theta = start_values(layout, patterns, np.zeros(6), sigma, 0.5)
    at = sem.implied(structure, theta)
    values = rng.multivariate_normal(at.mu, at.sigma, size=200_000)
    scores = sem.case_scores(structure, patterns, theta, values, np.zeros(len(values), dtype=np.int64))
    expected = sem.information(structure, patterns, theta, expected=True)
    scale = np.sqrt(np.diag(expected))
    np.testing.assert_allclose(
        scores.T @ scores / len(values) / np.outer(scale, scale), expected / np.outer(scale, scale), atol=0.02
    )


def test_case_scores_add_up(problem):
    structure, patterns, theta, values, codes = problem
    scores = sem.case_scores(structure, patterns, theta, values, codes)
    np.testing.assert_allclose(scores.sum(axis=0), sem.gradient(structure, patterns, theta), atol=1e-9)


def test_optimum_is_proved(problem):
    structure, patterns, theta, _, _ = problem
    found = sem.maximise(structure, patterns, theta)
    assert found.converged
    assert found.distance < 1e-7
    assert np.linalg.eigvalsh(found.information)[0] > 0
    assert np.abs(sem.gradient(structure, patterns, found.theta)).max() < 1e-5


def test_saturated_complete_data_are_their_moments():
    values = np.random.default_rng(2).normal(size=(50, 4)) @ np.array(
        [[1, 0.5, 0, 0], [0, 1, 0, 0.3], [0, 0, 1, 0], [0, 0, 0.2, 1]]
    )
    patterns, _ = from_cases(values)
    best = saturated(patterns)
    np.testing.assert_allclose(best.mu, values.mean(axis=0), atol=1e-12)
    np.testing.assert_allclose(best.sigma, np.cov(values.T, bias=True), atol=1e-12)


def test_monotone_missing_is_two_regressions():
    """Anderson (1957): with y missing for some, its moments come from the regression on x."""
    rng = np.random.default_rng(5)
    x = rng.normal(size=200)
    y = 1 + 0.7 * x + rng.normal(size=200)
    y[x > 0.5] = np.nan
    best = saturated(from_cases(np.column_stack([x, y]))[0])
    seen = ~np.isnan(y)
    slope, intercept = np.polyfit(x[seen], y[seen], 1)
    left = np.mean((y[seen] - intercept - slope * x[seen]) ** 2)
    assert best.mu[1] == pytest.approx(intercept + slope * x.mean(), abs=1e-9)
    assert best.sigma[0, 1] == pytest.approx(slope * x.var(), abs=1e-9)
    assert best.sigma[1, 1] == pytest.approx(left + slope**2 * x.var(), abs=1e-9)


def test_univariate_moments(cases):
    patterns, _ = from_cases(cases)
    mean, variance = univariate(patterns)
    np.testing.assert_allclose(mean, np.nanmean(cases, axis=0))
    np.testing.assert_allclose(variance, np.nanvar(cases, axis=0))
    np.testing.assert_array_equal(np.diag(patterns.coverage), (~np.isnan(cases)).sum(axis=0))
    assert patterns.n == len(cases)
    assert not patterns.complete


def test_a_model_that_is_saturated_fits_perfectly(cases):
    patterns, _ = from_cases(cases)
    best = saturated(patterns)
    made = fit_measures(patterns, best.optimum, best.mu, best.sigma, best)
    assert made["df"] == 0
    assert made["chisq"] == 0
    assert made["cfi"] == made["tli"] == 1
    assert made["rmsea"] == made["srmr"] == 0


def test_indefinite_moments_have_no_likelihood():
    patterns = from_moments(np.eye(2), np.zeros(2), 10)
    assert loglik(patterns, np.zeros(2), np.array([[1.0, 2.0], [2.0, 1.0]])) == -np.inf


def test_inverse_refuses_what_is_not_definite():
    assert sem.inverse(np.array([[1.0, 1.0], [1.0, 1.0]])) is None
    assert sem.inverse(np.array([[-1.0]])) is None
    assert sem.inverse(np.array([[np.nan]])) is None
    np.testing.assert_allclose(sem.inverse(np.diag([1e-12, 1e12])), np.diag([1e12, 1e-12]))
