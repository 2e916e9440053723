"""Shrinkage, robust intervals, interval of a variance, and ranks, against other ways to compute them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import linprog
from scipy.stats import norm

from jobchance.numerics.empirical_bayes import (
    pair_variance_terms,
    rank_units,
    robust_reach,
    shrink,
    variance_interval,
)


@pytest.mark.parametrize("m2", [0.05, 0.3, 1.0, 3.0])
def test_robust_critical_value_is_the_worst_over_all_laws_of_the_bias(m2):
    # With s2 = m2 v the half-width is critical * w * sqrt(s2); the worst law solves a linear programme.
    v = 1.0
    s2 = np.array([m2 * v])
    critical = float(robust_reach(s2, v)[0] / (v / (v + s2[0]) * np.sqrt(s2[0])))
    t = np.append(np.linspace(0, 200, 20_001), m2)
    outside = norm.sf(critical - np.sqrt(t)) + norm.cdf(-critical - np.sqrt(t))
    worst = linprog(-outside, A_eq=[np.ones_like(t), t], b_eq=[1, m2], bounds=(0, None), method="highs")
    assert -worst.fun == pytest.approx(0.05, abs=2e-5)


def test_robust_intervals_cover_on_average_even_where_effects_are_far_from_normal():
    rng = np.random.default_rng(1)
    J, v = 40_000, 1.0
    a = np.where(rng.random(J) < 0.05, rng.choice([-1, 1], J) * np.sqrt(v / 0.05), 0.0)
    s2 = rng.choice([0.5, 2.0, 6.0], J)
    d = a + np.sqrt(s2) * rng.normal(size=J)
    centre, sd = shrink(d, s2, v)
    robust = np.mean(np.abs(a - centre) <= robust_reach(s2, v))
    assert robust >= 0.945
    # Normal ones cover these effects on average too seldom or not, but never where effects are large.
    assert np.mean(np.abs(a - centre)[a != 0] <= 1.96 * sd[a != 0]) < 0.5


def test_shrunken_effects_are_the_best_guess_and_vanish_without_spread():
    rng = np.random.default_rng(2)
    s2 = rng.choice([0.5, 3.0], 50_000)
    a = rng.normal(size=50_000)
    d = a + np.sqrt(s2) * rng.normal(size=50_000)
    centre, sd = shrink(d, s2, 1.0)
    assert np.polyfit(centre, a, 1)[0] == pytest.approx(1, abs=0.03)
    assert np.mean(np.abs(a - centre) < 1.96 * sd) == pytest.approx(0.95, abs=0.005)
    assert not shrink(d, s2, 0.0)[0].any()


def test_variance_of_a_mean_product_is_that_of_samples():
    rng = np.random.default_rng(3)
    sizes = np.array([3, 5, 2, 6, 4, 4])
    unit = np.repeat([0, 0, 1, 1, 2, 3], sizes)
    cell = np.repeat([0, 1, 0, 1, 0, 1], sizes)
    terms = pair_variance_terms(unit=unit, cell=cell)
    v, s2, made = 0.5, 2.0, []
    group = np.repeat(np.arange(6), sizes)
    pairs = (sizes * (sizes - 1)).sum()
    for _ in range(20_000):
        r = np.sqrt(v) * rng.normal(size=4)[unit] + np.sqrt(s2) * rng.normal(size=len(unit))
        made.append((np.bincount(group, weights=r) ** 2 - np.bincount(group, weights=r**2)).sum() / pairs)
    # Cells are two, so each unit's products share its effect but not its rows' noise.
    assert np.mean(made) == pytest.approx(v, abs=0.02)
    expected = terms[0] * s2**2 + terms[1] * v * s2 + terms[2] * v**2
    assert np.var(made) == pytest.approx(expected, rel=0.04)


def test_limits_are_the_variances_that_are_just_not_rejected():
    terms = (0.02, 0.05, 0.08)
    for estimate in (-0.05, 0.1, 0.9):
        low, high = variance_interval(estimate, 1.2, terms)
        for limit in (low, high):
            if limit > 0:
                se = np.sqrt(terms[0] * 1.2**2 + terms[1] * 1.2 * limit + terms[2] * limit**2)
                assert abs(estimate - limit) / se == pytest.approx(1.959964, rel=1e-6)
        assert low <= max(estimate, 0) <= high
    assert variance_interval(-3.0, 1.0, terms) == (0.0, 0.0)
    assert variance_interval(1.0, 1.0, (0.0, 0.0, 1.0))[1] == np.inf


def test_ranks_are_all_open_in_noise_and_all_known_without():
    rng = np.random.default_rng(4)
    noise = rank_units(rng.normal(size=60), np.ones(60), seed=1)
    assert noise.pairs_ordered < 0.01
    assert noise.median_width > 58
    assert noise.above_median + noise.below_median <= 2
    known = rank_units(np.arange(60.0), np.full(60, 1e-4), seed=1)
    assert known.pairs_ordered == 1
    assert (known.above_median, known.below_median, known.median_width) == (30, 30, 1.0)


def test_false_orders_are_as_rare_as_the_level_says():
    rng = np.random.default_rng(5)
    s2 = rng.choice([0.5, 2.0], 40)
    false = [
        rank_units(np.sqrt(s2) * rng.normal(size=40), s2, draws=200, seed=k).pairs_ordered > 0
        for k in range(300)
    ]
    assert np.mean(false) == pytest.approx(0.05, abs=0.035)
