import numpy as np
import pytest
from scipy import linalg

from jobchance.errors import DesignError
from jobchance.numerics.cluster_adjusted import adjusted_covariance
from jobchance.numerics.cluster_effects import spanning_levels, with_spanning_effects
from jobchance.numerics.cluster_jackknife import jackknife_covariance

RNG = np.random.default_rng(4)
CODES = np.repeat(np.arange(6), [3, 4, 9, 12, 2, 20])
N = len(CODES)
X = np.column_stack([np.ones(N), RNG.normal(size=N), (CODES % 2).astype(float)])
E = RNG.normal(size=N)
E = E - X @ np.linalg.lstsq(X, E, rcond=None)[0]


def dense(kind, X, e, codes):
    """The definition with matrices of the size of a cluster, and of the sample for the degrees of freedom."""
    B = np.linalg.inv(X.T @ X)
    keep = np.eye(len(e)) - X @ B @ X.T
    meat, parts = np.zeros_like(B), []
    for g in range(codes.max() + 1):
        rows = codes == g
        inner = keep[np.ix_(rows, rows)]
        A = linalg.sqrtm(np.linalg.inv(inner)).real if kind == "CR2" else np.linalg.inv(inner)
        score = X[rows].T @ A @ e[rows]
        meat += np.outer(score, score)
        parts.append(keep[rows].T @ A @ X[rows] @ B)
    P = np.array(parts)
    df = []
    for j in range(X.shape[1]):
        inner = P[:, :, j] @ P[:, :, j].T
        df.append(np.trace(inner) ** 2 / np.sum(inner**2))
    return B @ meat @ B, np.array(df)


@pytest.mark.parametrize("kind", ["CR2", "CR3"])
def test_small_matrices_give_what_large_ones_define(kind):
    made = adjusted_covariance(X, E, CODES, kind=kind)
    cov, df = dense(kind, X, E, CODES)
    np.testing.assert_allclose(made.cov, cov, rtol=1e-9)
    np.testing.assert_allclose(made.df, df, rtol=1e-9)


def test_balanced_difference_of_means_has_two_less_than_clusters():
    """Equal clusters, half of them exposed: a two-sample comparison of cluster means."""
    codes = np.repeat(np.arange(8), 5)
    design = np.column_stack([np.ones(40), (codes < 4).astype(float)])
    e = RNG.normal(size=40)
    e = e - design @ np.linalg.lstsq(design, e, rcond=None)[0]
    made = adjusted_covariance(design, e, codes, kind="CR2")
    assert made.df[1] == pytest.approx(6)
    means = np.array([e[codes == g].mean() for g in range(8)])
    assert made.cov[1, 1] == pytest.approx(means[:4].var(ddof=1) / 4 + means[4:].var(ddof=1) / 4)


def test_one_exposed_cluster_is_counted():
    design = np.column_stack([np.ones(N), X[:, 1], (CODES == 2).astype(float)])
    e = RNG.normal(size=N)
    e = e - design @ np.linalg.lstsq(design, e, rcond=None)[0]
    cr2 = adjusted_covariance(design, e, CODES, kind="CR2")
    assert cr2.lost.tolist() == [0, 0, 1]
    assert np.isfinite(cr2.cov).all()
    cr3 = adjusted_covariance(design, e, CODES, kind="CR3")
    assert np.isnan(cr3.cov[2, 2])
    assert np.isfinite(cr3.cov[:2, :2]).all()


def test_units_of_columns_do_not_matter():
    scale = np.array([1.0, 1e6, 1e-5])
    one = adjusted_covariance(X, E, CODES, kind="CR2")
    two = adjusted_covariance(X * scale, E, CODES, kind="CR2")
    np.testing.assert_allclose(two.cov * np.outer(scale, scale), one.cov, rtol=1e-9)
    np.testing.assert_allclose(two.df, one.df, rtol=1e-9)


def test_large_clusters_of_a_likelihood_are_refused_for_cr2_only():
    n = 4_100
    codes = np.repeat([0, 1], [n - 50, 50])
    design, v = np.ones((n, 1)), np.full(n, 0.25)
    e = RNG.normal(size=n)
    with pytest.raises(DesignError, match="CR3"):
        adjusted_covariance(design, e, codes, kind="CR2", variance=v)
    assert adjusted_covariance(design, e, codes, kind="CR3", variance=v).cov[0, 0] > 0


def test_effects_within_clusters_need_no_column():
    person = np.arange(N) // 2
    clusters = person % 3
    assert not spanning_levels(person, clusters).any()
    assert with_spanning_effects(X, [person], clusters) is X
    moved = clusters.copy()
    moved[0] = 1
    assert spanning_levels(person, moved).sum() == 1
    assert with_spanning_effects(X, [person], moved).shape == (N, 4)


def test_too_many_spanning_effects_are_refused():
    person = np.repeat(np.arange(2_100), 2)
    clusters = np.tile([0, 1], 2_100)
    with pytest.raises(DesignError, match="2,100 absorbed effects"):
        with_spanning_effects(np.zeros((4_200, 1)), [person], clusters)


def test_two_way_jackknife_is_inclusion_and_exclusion():
    other = np.tile(np.arange(5), 10)
    made = jackknife_covariance(X, E, [CODES, other], [])
    cells = np.unique(CODES * 10 + other, return_inverse=True)[1]
    one, two, both = (jackknife_covariance(X, E, [c], []).cov for c in (CODES, other, cells))
    expected = one + two - both
    if made.raised:
        values, vectors = np.linalg.eigh(expected * np.outer(*[np.linalg.norm(X, axis=0)] * 2))
        unit = np.linalg.norm(X, axis=0)
        expected = (vectors * np.maximum(values, 0)) @ vectors.T / np.outer(unit, unit)
    np.testing.assert_allclose(made.cov, expected, rtol=1e-8)
    assert made.factors == pytest.approx((5 / 6, 4 / 5, (cells.max()) / (cells.max() + 1)))
