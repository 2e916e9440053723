"""Shrinkage and the pure-noise benchmark: published arithmetic, recovery, exact expectations, invariance."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import betabinom

from jobchance.numerics.shrinkage import (
    group_starts,
    noise_benchmark,
    noise_share_of_variance,
    pooled_rates,
    rank_order,
    shrink_rates,
)


def _beta_binomial(mean: float, sd: float, *, units: int, cases: int, seed: int) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(seed)
    size = mean * (1 - mean) / sd**2 - 1
    n = rng.integers(cases // 2, 2 * cases, units)
    p = rng.beta(mean * size, (1 - mean) * size, units)
    return rng.binomial(n, p), n, p


@pytest.mark.parametrize(
    ("cases", "groups", "bottom", "top"),
    [(33, 4, 0.068, 0.218), (33, 3, 0.077, 0.206), (33, 10, 0.045, 0.252), (60, 4, 0.085, 0.198)],
)
def test_noise_alone_gives_the_known_spread(cases: int, groups: int, bottom: float, top: float) -> None:
    # 300 caseworkers with one true rate of 14 per cent; arithmetic of the project, rounded to 0.1 point.
    found = noise_benchmark([cases] * 300, 0.14, starts=group_starts(300, groups))
    assert found.rates[[0, -1]] == pytest.approx([bottom, top], abs=0.0011)
    assert (found.low <= found.rates).all()
    assert (found.rates <= found.high).all()


def test_noise_benchmark_repeats_with_the_seed_and_keeps_the_mean() -> None:
    cases = np.random.default_rng(1).integers(5, 60, 100)
    one, again = (noise_benchmark(cases, 0.2, starts=group_starts(100, 5), draws=300) for _ in range(2))
    assert one.rates.tolist() == again.rates.tolist()
    other = noise_benchmark(cases, 0.2, starts=group_starts(100, 5), draws=300, seed=5)
    assert other.rates.tolist() != one.rates.tolist()
    assert one.rates == pytest.approx(other.rates, abs=0.01)
    assert one.rates.mean() == pytest.approx(0.2, abs=0.02)


def test_recovers_the_true_spread_and_beats_the_raw_rates() -> None:
    y, n, p = _beta_binomial(0.14, 0.05, units=600, cases=40, seed=3)
    fit = shrink_rates(y, n)
    assert fit.sd == pytest.approx(0.05, abs=0.008)
    assert fit.sd_low < 0.05 < fit.sd_high
    assert fit.mean == pytest.approx(0.14, abs=0.01)
    assert fit.p_value < 1e-6
    assert np.mean((fit.rates - p) ** 2) < 0.7 * np.mean((y / n - p) ** 2)
    # calibrated: where the shrunken rates are highest, they equal the true rates on average
    best = np.argsort(fit.rates)[-150:]
    assert fit.rates[best].mean() == pytest.approx(p[best].mean(), abs=0.012)


def test_log_likelihood_maximum_agrees_with_scipy() -> None:
    y, n, _ = _beta_binomial(0.2, 0.08, units=80, cases=20, seed=4)
    fit = shrink_rates(y, n)

    def total(mean: float, sd: float) -> float:
        size = mean * (1 - mean) / sd**2 - 1
        return float(betabinom.logpmf(y, n, mean * size, (1 - mean) * size).sum())

    best = total(fit.mean, fit.sd)
    for mean, sd in [(1.02, 1), (0.98, 1), (1, 1.05), (1, 0.95)]:
        assert total(fit.mean * mean, fit.sd * sd) < best
    # the limits lie where the profile has fallen by half the 95 per cent quantile of chi-square(1)
    grid = np.linspace(0.1, 0.35, 400)
    for limit in (fit.sd_low, fit.sd_high):
        assert best - max(total(mean, limit) for mean in grid) == pytest.approx(1.9207, abs=0.01)


def test_equal_true_rates_shrink_all_the_way_and_do_not_alarm() -> None:
    rng = np.random.default_rng(8)
    p_values, noise = [], []
    for _ in range(60):
        n = rng.integers(10, 60, 80)
        y = rng.binomial(n, 0.14)
        fit = shrink_rates(y, n)
        p_values.append(fit.p_value)
        noise.append(noise_share_of_variance(y, n))
        assert fit.sd_low == 0 or fit.p_value < 0.05
    assert np.mean(np.array(p_values) < 0.05) <= 0.12
    assert np.mean(noise) > 0.9


def test_no_events_at_all() -> None:
    fit = shrink_rates([0, 0, 0], [10, 20, 30])
    assert (fit.sd, fit.p_value) == (0, 1)
    assert fit.rates.tolist() == [0, 0, 0]


def test_expected_noise_variance_is_exact() -> None:
    rng = np.random.default_rng(9)
    n = rng.integers(5, 50, 60)
    rate = 0.2
    raw = []
    for _ in range(4000):
        y = rng.binomial(n, rate)
        pooled = y.sum() / n.sum()
        raw.append((n * (y / n - pooled) ** 2).sum() / n.sum())
    expected = rate * (1 - rate) * (len(n) - 1) / n.sum()
    assert np.mean(raw) == pytest.approx(expected, rel=0.02)


def test_ranked_groups_pool_events_and_ignore_row_order() -> None:
    rng = np.random.default_rng(10)
    n = rng.integers(3, 20, 41)
    y = rng.binomial(n, 0.3)
    starts = group_starts(41, 4)
    groups = pooled_rates(y, n, order=rank_order(y, n), starts=starts)
    assert (np.diff(groups) >= 0).all()
    shuffled = rng.permutation(41)
    again = pooled_rates(y[shuffled], n[shuffled], order=rank_order(y[shuffled], n[shuffled]), starts=starts)
    assert again == pytest.approx(groups, rel=1e-12)


@pytest.mark.parametrize(
    ("events", "cases"), [([1, 2], [3, 3]), ([4, 1, 1], [3, 3, 3]), ([0, 0, 0], [0, 3, 3])]
)
def test_refuses_what_cannot_be_events_among_cases(events: list[int], cases: list[int]) -> None:
    with pytest.raises(ValueError, match="group"):
        shrink_rates(events, cases)
