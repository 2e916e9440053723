"""The smoother: exact on straight lines, honest about clusters, and covering its curve."""

from __future__ import annotations

import numpy as np
import pytest

from jobchance.numerics.local_linear import rule_of_thumb_bandwidth, smooth_local_linear


def test_reproduces_a_straight_line_exactly() -> None:
    x = np.random.default_rng(1).normal(size=200)
    fit = smooth_local_linear(x, 2 - 3 * x, grid=[-1.0, 0.0, 1.0])
    assert fit.fitted == pytest.approx([5.0, 2.0, -1.0], abs=1e-9)
    assert fit.std_error == pytest.approx([0, 0, 0], abs=1e-6)


def test_equals_weighted_least_squares_with_clustered_errors() -> None:
    import statsmodels.api as sm

    rng = np.random.default_rng(2)
    x, group = rng.normal(size=300), rng.integers(0, 40, 300)
    y = np.sin(x) + rng.normal(size=300) + rng.normal(size=40)[group]
    fit = smooth_local_linear(x, y, grid=[0.4], cluster=group, bandwidth=1.0)
    inside = np.abs(x - 0.4) < 1
    weights = 1 - (x[inside] - 0.4) ** 2
    X = sm.add_constant(x[inside] - 0.4)
    reference = sm.WLS(y[inside], X, weights=weights).fit(
        cov_type="cluster", cov_kwds={"groups": group[inside], "use_correction": False}
    )
    groups = len(np.unique(group[inside]))
    assert fit.fitted[0] == pytest.approx(reference.params[0], rel=1e-10)
    assert fit.std_error[0] == pytest.approx(reference.bse[0] * np.sqrt(groups / (groups - 1)), rel=1e-8)
    assert (fit.n_rows[0], fit.n_clusters[0]) == (inside.sum(), groups)


def test_pointwise_band_covers_the_curve() -> None:
    rng = np.random.default_rng(4)
    grid = np.linspace(-1.2, 1.2, 7)
    hits = []
    for _ in range(60):
        group = np.repeat(np.arange(60), 10)
        x = rng.normal(size=600)
        y = 0.3 + 0.2 * x + rng.normal(0, 0.3, 60)[group] + rng.normal(0, 0.5, 600)
        fit = smooth_local_linear(x, y, grid=grid, cluster=group)
        hits.append((fit.conf_low <= 0.3 + 0.2 * grid) & (0.3 + 0.2 * grid <= fit.conf_high))
    assert 0.90 <= np.mean(hits) <= 0.99


def test_a_curved_relation_gets_a_narrower_kernel() -> None:
    rng = np.random.default_rng(5)
    x = rng.normal(size=2000)
    noise = rng.normal(0, 0.2, 2000)
    assert rule_of_thumb_bandwidth(x, np.sin(3 * x) + noise) < rule_of_thumb_bandwidth(x, x + noise)


def test_rescaling_x_rescales_the_bandwidth() -> None:
    rng = np.random.default_rng(6)
    x = rng.normal(size=500)
    y = np.sin(2 * x) + rng.normal(size=500)
    assert rule_of_thumb_bandwidth(10 * x + 3, y) == pytest.approx(
        10 * rule_of_thumb_bandwidth(x, y), rel=1e-6
    )


def test_empty_neighbourhood_is_not_invented() -> None:
    fit = smooth_local_linear([0.0, 0.1, 0.2, 0.3], [1.0, 2.0, 3.0, 4.0], grid=[9.0], bandwidth=0.5)
    assert np.isnan(fit.fitted[0])
    assert fit.n_rows[0] == 0


def test_refuses_a_bandwidth_that_is_not_positive() -> None:
    with pytest.raises(ValueError, match="bandwidth"):
        smooth_local_linear([0.0, 1.0], [0.0, 1.0], grid=[0.5], bandwidth=0.0)
