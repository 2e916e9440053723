"""Difference and ratio of two shares: against statsmodels, the bootstrap and hand arithmetic."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from scipy.stats import t as student

from jobchance.numerics.contrasts import contrast_shares


def _clustered(seed: int = 1, groups: int = 60, size: int = 20) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    cluster = np.repeat(np.arange(groups), size)
    upper = rng.random(groups * size) < 0.4
    chance = 0.1 + 0.1 * upper + rng.uniform(-0.08, 0.08, groups)[cluster]
    return (rng.random(groups * size) < chance).astype(float), upper, cluster


def test_equals_a_clustered_linear_probability_model() -> None:
    y, upper, cluster = _clustered()
    reference = sm.OLS(y, sm.add_constant(upper.astype(float))).fit(
        cov_type="cluster", cov_kwds={"groups": cluster}
    )
    found = contrast_shares(y, upper, cluster=cluster)
    half = student.ppf(0.975, 59) * reference.bse[1]
    assert found.difference == pytest.approx(reference.params[1], rel=1e-10)
    assert found.difference_high - found.difference == pytest.approx(half, rel=1e-8)
    assert found.difference - found.difference_low == pytest.approx(half, rel=1e-8)


def test_published_contrast_has_the_precision_of_the_arithmetic() -> None:
    # 5.3 against 7.0 per cent in thirds of 5,512 citizens: half-width 1.55 points, ratio 1.32
    n = 5512 // 3
    y = np.concatenate([np.arange(n) < round(0.053 * n), np.arange(n) < round(0.070 * n)]).astype(float)
    found = contrast_shares(y, np.repeat([False, True], n))
    assert found.difference == pytest.approx(0.017, abs=5e-4)
    assert found.difference_high - found.difference == pytest.approx(0.0155, abs=2e-4)
    assert found.ratio == pytest.approx(1.32, abs=0.01)
    assert found.ratio_low < 1.32 < found.ratio_high


def test_ratio_interval_matches_the_cluster_bootstrap() -> None:
    y, upper, cluster = _clustered(seed=2)
    found = contrast_shares(y, upper, cluster=cluster)
    rng = np.random.default_rng(3)
    rows = [np.flatnonzero(cluster == group) for group in range(60)]
    logs = []
    for _ in range(800):
        pick = np.concatenate([rows[group] for group in rng.integers(0, 60, 60)])
        logs.append(np.log(y[pick][upper[pick]].mean() / y[pick][~upper[pick]].mean()))
    half = (np.log(found.ratio_high) - np.log(found.ratio_low)) / 2 / student.ppf(0.975, 59)
    assert half == pytest.approx(np.std(logs), rel=0.1)


def test_swapping_the_sides_turns_the_signs() -> None:
    y, upper, cluster = _clustered(seed=4)
    one, other = contrast_shares(y, upper, cluster=cluster), contrast_shares(y, ~upper, cluster=cluster)
    assert other.difference_low == pytest.approx(-one.difference_high, rel=1e-10)
    assert other.ratio_low == pytest.approx(1 / one.ratio_high, rel=1e-10)


def test_undefined_parts_are_nan_and_an_empty_side_is_refused() -> None:
    none_below = contrast_shares([1, 0, 0, 0], [True, True, False, False])
    assert none_below.difference == 0.5
    assert np.isnan([none_below.ratio, none_below.ratio_low]).all()
    one_cluster = contrast_shares([1, 0, 1, 0], [True, True, False, False], cluster=["a"] * 4)
    assert np.isnan([one_cluster.difference_low, one_cluster.ratio_high]).all()
    with pytest.raises(ValueError, match="both sides"):
        contrast_shares([1, 0], [True, True])
