"""Clustered standard errors of mixed models: against R, and derivatives of each cluster's likelihood."""

import numpy as np
import pandas as pd
import pytest
from cases import Case
from scipy import optimize, stats

from jobchance import Cluster, fit_mixed
from jobchance.errors import DesignError

# clubSandwich 0.5.8, vcovCR of lme4 1.1-31's lmer(Reaction ~ Days + (Days | Subject), REML = FALSE)
CR0 = [[43.98709564499, -1.37047927775], [-1.37047927775, 2.25671535014]]
CR1S = [[46.83622675749, -1.45924792892], [-1.45924792892, 2.40288726310]]


def test_linear_sandwich_is_that_of_clubsandwich():
    data = Case("lmm_sleepstudy_slope").data[0]
    fit = fit_mixed("Reaction ~ Days + (Days | Subject)", data, method="ml")
    made = fit.with_vcov(Cluster("Subject")).cov.to_numpy()
    np.testing.assert_allclose(made, CR1S, rtol=2e-6)
    factor = 18 / 17 * 179 / 178
    np.testing.assert_allclose(made / factor, CR0, rtol=2e-6)


def _nested_data(seed=3, clusters=24, per=14, strength=1.0):
    rng = np.random.default_rng(seed)
    n = clusters * per
    c = np.repeat(np.arange(clusters), per)
    g = 3 * c + rng.integers(0, 3, n)
    x, z = rng.normal(size=n), rng.normal(size=n)
    b = 0.6 * rng.normal(size=clusters)[c] + 0.5 * rng.normal(size=3 * clusters)[g]
    b += 0.4 * rng.normal(size=3 * clusters)[g] * z
    eta = 0.6 * x + strength * b
    return pd.DataFrame(
        {
            "c": c,
            "g": g,
            "x": x,
            "z": z,
            "binomial": (rng.logistic(size=n) < eta).astype(int),
            "poisson": rng.poisson(np.exp(np.minimum(eta, 3.0) - 0.5)),
            "ordinal": np.digitize(eta + rng.logistic(size=n), [-1, 0.3, 1.5]),
        }
    )


FITS = [
    ("binomial", "(1 | c) + (1 | g)", {}),
    ("binomial", "(1 | c) + (1 + z | g)", {}),
    ("binomial", "(1 | c) + (1 + z | g)", {"link": "probit"}),
    ("binomial", "(1 | c) + (1 | g)", {"n_quad": 5}),
    ("poisson", "(1 | c) + (1 + z || g)", {}),
    ("ordinal", "(1 | c) + (1 | g)", {}),
    ("ordinal", "(1 | c) + (1 + z | g)", {"thresholds": "symmetric"}),
    ("ordinal", "(1 | c) + (1 | g)", {"thresholds": "equidistant", "link": "cloglog"}),
]


@pytest.mark.parametrize(("family", "random", "options"), FITS)
def test_scores_sum_to_zero_at_the_optimum(family, random, options):
    fit = fit_mixed(f"{family} ~ x + {random}", _nested_data(), family=family, **options)
    total = fit.rows.row_scores.sum(axis=0) * fit.std_errors.to_numpy()
    assert np.abs(total).max() < 1e-6


@pytest.mark.parametrize("n_quad", [1, 3])
def test_scores_of_crossed_groups_with_movers_sum_to_zero(n_quad):
    """Caseworkers within jobcentres, citizens across both: some levels stay in the border of the matrix."""
    rng = np.random.default_rng(12)
    citizen = np.repeat(np.arange(400), 4)
    centre = np.repeat(rng.integers(0, 8, 400), 4)
    centre = np.where(rng.random(1600) < 0.02, rng.integers(0, 8, 1600), centre)
    worker = centre + 8 * rng.integers(0, 6, 1600)
    x = rng.normal(size=1600)
    eta = 0.5 * x + rng.normal(size=400)[citizen] + 0.5 * rng.normal(size=48)[worker]
    data = pd.DataFrame({"i": citizen, "k": worker, "c": centre, "x": x})
    data["y"] = (rng.logistic(size=1600) < eta).astype(int)
    right = "(1 | i) + (1 + x | k) + (1 | c)"
    fit = fit_mixed(f"y ~ x + {right}", data, family="binomial", n_quad=n_quad)
    total = fit.rows.row_scores.sum(axis=0) * fit.std_errors.to_numpy()
    assert np.abs(total).max() < 1e-6


def _log_density(family, link, y, eta, cuts):
    """Log-density of rows, with scipy alone."""
    if family == "poisson":
        return stats.poisson.logpmf(y, np.exp(eta))
    F = {"logit": stats.logistic.cdf, "probit": stats.norm.cdf}[link]
    if family == "binomial":
        return stats.bernoulli.logpmf(y, F(eta))
    ends = np.concatenate([[-np.inf], cuts, [np.inf]])
    return np.log(F(ends[y + 1] - eta) - F(ends[y] - eta))


def _cluster_loglik(part, family, link, values, n_cut):
    """Laplace log-likelihood of one cluster by dense algebra: its modes, and W by differences."""
    sd_c, l11, l21, l22 = values[:4]
    cuts, beta = values[4 : 4 + n_cut], values[4 + n_cut :]
    groups = np.unique(part["g"])
    Z = np.zeros((len(part), 1 + 2 * len(groups)))
    Z[:, 0] = sd_c
    rows = np.arange(len(part))
    at = np.searchsorted(groups, part["g"])
    z = part["z"].to_numpy()
    Z[rows, 1 + 2 * at] = l11 + z * l21
    Z[rows, 2 + 2 * at] = z * l22
    columns = [part["x"].to_numpy()] if n_cut else [np.ones(len(part)), part["x"].to_numpy()]
    fixed = np.column_stack(columns) @ beta
    y = part[family].to_numpy()

    def loss(u):
        return 0.5 * u @ u - _log_density(family, link, y, fixed + Z @ u, cuts).sum()

    u = optimize.minimize(loss, np.zeros(Z.shape[1]), method="BFGS", options={"gtol": 1e-9}).x
    h, eta = 1e-4, fixed + Z @ u
    second = [_log_density(family, link, y, eta + d, cuts) for d in (-h, 0.0, h)]
    W = -(second[0] - 2 * second[1] + second[2]) / h**2
    M = np.eye(Z.shape[1]) + Z.T @ (W[:, None] * Z)
    return -loss(u) - 0.5 * np.linalg.slogdet(M)[1]


@pytest.mark.parametrize(
    ("family", "link"),
    [("binomial", "logit"), ("binomial", "probit"), ("poisson", "log"), ("ordinal", "logit")],
)
def test_sandwich_is_that_of_each_clusters_own_laplace_likelihood(family, link):
    """Full system: J^{-1} (sum of s s') J^{-1}, scores by differences of clusters' likelihoods made here."""
    data = _nested_data(clusters=12, per=45, strength=1.6)
    fit = fit_mixed(f"{family} ~ x + (1 | c) + (1 + z | g)", data, family=family, link=link)
    assert not fit.is_singular
    n_cut = 3 if family == "ordinal" else 0
    values = fit.joint.estimates
    h = 1e-3
    scores = []
    for _, part in data.groupby("c"):
        scores.append(
            [
                (
                    _cluster_loglik(part, family, link, values + h * e, n_cut)
                    - _cluster_loglik(part, family, link, values - h * e, n_cut)
                )
                / (2 * h)
                for e in np.eye(len(values))
            ]
        )
    scores = np.array(scores)
    C = fit.joint.covariance
    full = C @ scores.T @ scores @ C
    k, n = len(fit.terms), len(data)
    expected = full[-k:, -k:] * 12 / 11 * (n - 1) / (n - k)
    made = fit.with_vcov(Cluster("c")).cov.to_numpy()
    error = np.sqrt(np.diag(expected))
    np.testing.assert_allclose(made / np.outer(error, error), expected / np.outer(error, error), atol=2e-3)


def test_linear_sandwich_is_that_of_dense_algebra():
    """V^{-1} by brute force for nested groups with a slope and weights."""
    data = _nested_data()
    rng = np.random.default_rng(0)
    data["w"] = rng.uniform(0.5, 2, len(data))
    data["y"] = data["x"] + rng.normal(size=24)[data["c"]] + rng.normal(size=72)[data["g"]] * data["z"]
    data["y"] += rng.normal(size=len(data)) / np.sqrt(data["w"])
    fit = fit_mixed("y ~ x + (1 | c) + (1 + z | g)", data, weights="w")
    sigma = fit.statistics["sigma"]
    V = np.diag(sigma**2 / data["w"])
    for part in fit.structure:
        z = np.column_stack([np.ones(len(data)), data["z"]])[:, : len(part.columns)]
        same = data[part.group].to_numpy()[:, None] == data[part.group].to_numpy()
        factor = sigma * part.relative_factor()
        V += same * (z @ factor @ factor.T @ z.T)
    X = np.column_stack([np.ones(len(data)), data["x"]])
    inverse = np.linalg.inv(V)
    bread = np.linalg.inv(X.T @ inverse @ X)
    rows = X * (inverse @ (data["y"].to_numpy() - X @ fit.params.to_numpy()))[:, None]
    by_cluster = pd.DataFrame(rows).groupby(data["c"]).sum().to_numpy()
    # the cluster's own V^{-1} residual: rows of other clusters have none in common with it
    expected = bread @ by_cluster.T @ by_cluster @ bread * 24 / 23 * (len(data) - 1) / (len(data) - 2)
    np.testing.assert_allclose(fit.with_vcov(Cluster("c")).cov, expected, rtol=1e-7)


def test_crossed_groups_are_refused_with_the_reason():
    data = _nested_data()
    fit = fit_mixed("binomial ~ x + (1 | c) + (1 | g)", data, family="binomial")
    with pytest.raises(DesignError, match="spread over"):
        fit.with_vcov(Cluster("g"))


def test_a_second_dimension_that_cuts_groups_is_for_linear_models():
    """The score of a group has no parts that belong to its rows, unless the model is linear."""
    data = _nested_data().assign(t=lambda d: np.arange(len(d)) % 7)
    fit = fit_mixed("binomial ~ x + (1 | c) + (1 | g)", data, family="binomial")
    with pytest.raises(DesignError, match=r"Use Cluster\('c'\)"):
        fit.with_vcov(Cluster("c", "t"))


@pytest.mark.parametrize("random", ["(1 | c)", "(1 | c) + (1 | g)", "(1 + x | c)"])
def test_two_way_clusters_of_a_linear_model_are_of_rows_of_the_weighted_covariates(random):
    """Meat of rows of V^-1 X times the residual of the fixed part, V from dense algebra."""
    data = _nested_data().assign(y=lambda d: d["poisson"] + 0.5 * d["z"])
    fit = fit_mixed(f"y ~ x + {random}", data)
    X = np.column_stack([np.ones(len(data)), data["x"]])
    V = fit.statistics["sigma"] ** 2 * np.eye(len(data))
    for term in fit.structure:
        Z = np.column_stack([np.ones(len(data)), data["x"]][: len(term.columns)])
        L = fit.statistics["sigma"] * Z @ term.relative_factor()
        same = data[term.group].to_numpy()[:, None] == data[term.group].to_numpy()
        V += (L @ L.T) * same
    residual = data["y"].to_numpy() - X @ fit.params.to_numpy()
    expected = np.linalg.solve(V, X) * residual[:, None]
    np.testing.assert_allclose(fit.rows.row_scores, expected, rtol=1e-6, atol=1e-9)


def test_variance_at_zero_takes_no_part():
    """Its scores are left out, and the sandwich is that of the model without the random effect."""
    rng = np.random.default_rng(8)
    n = 400
    data = pd.DataFrame({"g": np.arange(n) % 20, "x": rng.normal(size=n)})
    data["y"] = (rng.random(n) < np.tile([0.2, 0.8], n // 2)).astype(int)
    data["g"] = rng.permutation(data["g"])
    data["y"] = data.groupby("g")["y"].transform(lambda s: np.sort(rng.permutation([0, 1] * (len(s) // 2))))
    fit = fit_mixed("y ~ x + (1 | g)", data, family="binomial")
    assert fit.is_singular
    X = np.column_stack([np.ones(n), data["x"]])
    p = 1 / (1 + np.exp(-X @ fit.params.to_numpy()))
    bread = np.linalg.inv(X.T @ (X * (p * (1 - p))[:, None]))
    meat = pd.DataFrame(X * (data["y"] - p).to_numpy()[:, None]).groupby(data["g"]).sum().to_numpy()
    expected = bread @ meat.T @ meat @ bread * 20 / 19 * (n - 1) / (n - 2)
    np.testing.assert_allclose(fit.with_vcov(Cluster("g")).cov, expected, rtol=1e-5)
