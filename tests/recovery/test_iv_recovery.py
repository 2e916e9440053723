"""Known effects are found, and intervals cover at their level where instruments are weak and rows depend."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from jobchance import Cluster
from jobchance.models.iv import fit_iv
from jobchance.models.iv_ujive import ujive

DRAWS = 300


def within(count, draws, share):
    """Whether a count is one that a share gives in all but one of ten thousand repetitions."""
    low, high = stats.binom.ppf([5e-5, 1 - 5e-5], draws, share)
    return low <= count <= high


def weak_and_clustered(rng, strength, n_instruments, n_clusters):
    """Clusters of 8 rows; instruments, errors and their correlation vary by cluster. The effect is 0.5."""
    cluster = np.repeat(np.arange(n_clusters), 8)
    n = len(cluster)
    z = rng.normal(size=(n_clusters, n_instruments))[cluster] + 0.3 * rng.normal(size=(n, n_instruments))
    common = rng.normal(size=n_clusters)[cluster] + 0.5 * rng.normal(size=n)
    a = strength * z.sum(axis=1) + common + 0.5 * rng.normal(size=n)
    y = 0.5 * a + 0.9 * common + 0.4 * rng.normal(size=n_clusters)[cluster] + 0.5 * rng.normal(size=n)
    columns = {f"z{j}": z[:, j] for j in range(n_instruments)}
    return pd.DataFrame({"y": y, "a": a, "cluster": cluster} | columns)


# Joint tests with clustered errors reject too often while clusters are few: with three instruments the set
# covered in 89 per cent of draws at 60 clusters. One instrument needs fewer.
@pytest.mark.parametrize(
    ("strength", "n_instruments", "n_clusters"), [(0.0, 1, 60), (0.1, 1, 60), (0.05, 3, 300), (1.0, 2, 200)]
)
def test_the_anderson_rubin_set_covers_however_weak_the_instruments(strength, n_instruments, n_clusters):
    rng = np.random.default_rng(11)
    formula = "y ~ [a ~ " + " + ".join(f"z{j}" for j in range(n_instruments)) + "]"
    covered, wald, unbounded = 0, 0, 0
    for _ in range(DRAWS):
        data = weak_and_clustered(rng, strength, n_instruments, n_clusters)
        fit = fit_iv(formula, data, vcov=Cluster("cluster"))
        parts = fit.diagnostics["anderson_rubin_set"]
        covered += bool(((parts["conf_low"] <= 0.5) & (parts["conf_high"] >= 0.5)).any())
        unbounded += bool(np.isinf(parts[["conf_low", "conf_high"]].to_numpy()).any())
        low, high = fit.conf_int().loc["a"]
        wald += low <= 0.5 <= high
    assert within(covered, DRAWS, 0.95)
    if strength == 0.0:
        # Without identification a valid set is unbounded at its level (Dufour 1997).
        assert within(unbounded, DRAWS, 0.95)
    if n_instruments == 3:
        assert wald < 0.90 * DRAWS
    if strength == 1.0:
        assert unbounded == 0
        assert wald > 0.90 * DRAWS


def sticky_citizens(rng):
    """500 citizens with 3 rows, mostly with the same of 100 caseworkers; the effect is 0.5."""
    citizen = np.repeat(np.arange(500), 3)
    own = rng.integers(0, 100, 500)[citizen]
    caseworker = np.where(rng.random(1_500) < 0.8, own, rng.integers(0, 100, 1_500))
    cell = caseworker % 10
    person = rng.normal(size=500)[citizen]
    belief = 0.5 * rng.normal(size=100)[caseworker] + person + rng.normal(size=1_500)
    job = 0.5 * belief + person + rng.normal(size=1_500)
    return job, belief, caseworker, cell, citizen


def test_leaving_out_the_citizen_removes_the_bias_that_leaving_out_the_row_keeps():
    rng = np.random.default_rng(21)
    rows, citizens, covered, draws = [], [], 0, 200
    for _ in range(draws):
        job, belief, caseworker, cell, citizen = sticky_citizens(rng)
        rows.append(ujive(job, belief, caseworker, cells=cell).params.iloc[0])
        fit = ujive(job, belief, caseworker, cells=cell, leave_out=citizen)
        citizens.append(fit.params.iloc[0])
        low, high = fit.conf_int().iloc[0]
        covered += low <= 0.5 <= high
    assert np.mean(rows) > 0.6
    assert abs(np.mean(citizens) - 0.5) < 4 * np.std(citizens) / np.sqrt(draws)
    assert within(covered, draws, 0.95)
