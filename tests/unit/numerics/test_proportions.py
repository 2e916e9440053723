import numpy as np
import pytest
from statsmodels.stats.proportion import proportion_confint

from jobchance.numerics.proportions import mean_interval, share, wilson_interval


@pytest.mark.parametrize(("x", "n"), [(0, 12), (3, 17), (20, 20), (55, 900)])
def test_wilson_equals_statsmodels(x, n):
    y = np.repeat([1.0, 0.0], [x, n - x])
    low, high = proportion_confint(x, n, method="wilson")
    found = share(y)
    assert found.estimate == pytest.approx(x / n)
    assert (found.conf_low, found.conf_high) == pytest.approx((low, high), abs=1e-9)


def test_own_cluster_for_every_row_gives_wilson_with_a_t_value():
    rng = np.random.default_rng(3)
    y = (rng.random(500) < 0.2).astype(float)
    plain, clustered = share(y), share(y, cluster=np.arange(500))
    assert clustered.estimate == plain.estimate
    assert clustered.conf_low == pytest.approx(plain.conf_low, abs=2e-3)
    assert clustered.conf_low <= plain.conf_low
    assert clustered.conf_high >= plain.conf_high


def test_copies_within_clusters_count_once():
    rng = np.random.default_rng(4)
    y = (rng.random(200) < 0.3).astype(float)
    once = share(y, cluster=np.arange(200))
    copied = share(np.repeat(y, 5), cluster=np.repeat(np.arange(200), 5))
    assert copied.std_error == pytest.approx(once.std_error)
    assert (copied.conf_low, copied.conf_high) == pytest.approx((once.conf_low, once.conf_high), abs=1e-3)


def test_cluster_order_and_labels_do_not_matter():
    rng = np.random.default_rng(5)
    y = (rng.random(300) < 0.1).astype(float)
    g = rng.integers(0, 20, 300)
    order = rng.permutation(300)
    names = np.array([f"c{k}" for k in g])
    expected = share(y, cluster=g)
    for again in (share(y, cluster=names), share(y[order], cluster=g[order])):
        assert (again.conf_low, again.conf_high) == pytest.approx((expected.conf_low, expected.conf_high))


def test_clustered_interval_covers_under_the_beta_binomial():
    rng = np.random.default_rng(6)
    covered, naive = 0, 0
    for _ in range(400):
        rates = rng.beta(0.1 * 4, 0.9 * 4, size=40)
        y = (rng.random((40, 25)) < rates[:, None]).astype(float).ravel()
        g = np.repeat(np.arange(40), 25)
        a, b = share(y, cluster=g), share(y)
        covered += a.conf_low <= 0.1 <= a.conf_high
        naive += b.conf_low <= 0.1 <= b.conf_high
    assert 0.92 <= covered / 400 <= 0.985
    assert naive / 400 < 0.8  # what ignoring the caseworker would claim


def test_degenerate_inputs_have_no_interval():
    assert np.isnan(share([]).estimate)
    one = share([1.0, 0.0, 1.0], cluster=["a", "a", "a"])
    assert one.estimate == pytest.approx(2 / 3)
    assert np.isnan(one.conf_low)
    none = share(np.zeros(60), cluster=np.repeat(np.arange(12), 5))
    assert none.conf_low == 0.0
    assert none.conf_high > share(np.zeros(60)).conf_high
    assert np.isnan(wilson_interval(0, 0, critical=1.96)[0])


def test_mean_interval_is_the_t_interval_when_rows_are_independent():
    y = np.array([1.0, 4.0, 2.0, 2.0, 7.0])
    mean, low, high = mean_interval(y)
    half = 2.7764451 * y.std(ddof=1) / np.sqrt(5)
    assert (mean, low, high) == pytest.approx((y.mean(), y.mean() - half, y.mean() + half))
    assert np.isnan(mean_interval([2.0], cluster=["a"])[1])
