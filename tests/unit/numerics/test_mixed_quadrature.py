"""Quadrature over the eliminated factor: against other integrals, published values, and differences."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from laplace_cases import ALL_FAMILIES, Case, case
from numpy.polynomial.hermite_e import hermegauss
from scipy.special import logsumexp

from jobchance.errors import SpecError
from jobchance.numerics.mixed import families
from jobchance.numerics.mixed import partition as partition_module
from jobchance.numerics.mixed.quadrature import product_rule, unsupported_quadrature
from jobchance.numerics.mixed.relative import Template, relative_factors

REFERENCE = Path(__file__).resolve().parents[4] / "shared" / "reference"
NONE = np.zeros(0)


@pytest.fixture
def few(monkeypatch):
    """Blocks of S are made for small factors too, however little they save."""
    monkeypatch.setattr(partition_module, "SMALL", 8)
    monkeypatch.setattr(partition_module, "_work", lambda layout: 0.0 if len(layout.n_of) else 1.0)


def row_logliks(c, eta):
    return np.array(
        [families.row_loglik(c.family, e, y, w, c.alpha) for e, y, w in zip(eta, c.y, c.w, strict=True)]
    )


def one_factor_loglik(c, points=80, width=7.5):
    """Integral over each level's effects by the rectangle rule on a fine grid."""
    grid = np.linspace(-width, width, points)
    m = c.z[0].shape[1]
    nodes = np.stack(np.meshgrid(*[grid] * m), axis=-1).reshape(-1, m)
    log_weight = m * np.log((grid[1] - grid[0]) / np.sqrt(2 * np.pi)) - (nodes**2).sum(axis=1) / 2
    a = c.z[0] @ relative_factors(c.templates, c.theta)[0]
    sums = np.empty((len(nodes), c.codes[0].max() + 1))
    for k, node in enumerate(nodes):
        sums[k] = np.bincount(c.codes[0], row_logliks(c, c.X @ c.beta + a @ node))
    return logsumexp(sums + log_weight[:, None], axis=0).sum()


@pytest.mark.parametrize("family", ALL_FAMILIES)
def test_one_factor_is_the_integral(family):
    c = case(family, crossed=False)
    value = c.evaluate(c.problem(n_quad=60))[0]
    assert -value / 2 == pytest.approx(one_factor_loglik(c, 300), abs=1e-8)


@pytest.mark.parametrize("family", ALL_FAMILIES)
def test_two_effects_are_the_double_integral(family):
    c = case(family, slopes=True, crossed=False)
    c = replace(c, theta=np.array([0.8, 0.3, 0.6]))
    value = c.evaluate(c.problem(n_quad=30))[0]
    assert -value / 2 == pytest.approx(one_factor_loglik(c, 60), abs=1e-7)


def published(name):
    path = REFERENCE / "expected" / f"{name}.json"
    if not path.exists():
        pytest.skip(f"reference case {name} is not available ({path})")
    entry = json.loads(path.read_text(encoding="utf-8"))
    return entry["quantities"], pd.read_csv(REFERENCE / entry["data"][0])


def one_factor(family, group, X, y, w=None, alpha=NONE):
    codes = np.unique(group, return_inverse=True)[1].astype(np.int64)
    n = len(y)
    w = np.ones(n) if w is None else w.to_numpy(float)
    y, X = np.asarray(y, dtype=float), np.column_stack(X).astype(float)
    return Case(family, [codes], [np.ones((n, 1))], (Template((1,)),), X, y, w, NONE, alpha, NONE)


def at_published(c, quantities, points, sd, fixed):
    """Log-likelihood without constants at published estimates."""
    beta = np.array([quantities[f"nAGQ{points}.{name}"] for name in fixed])
    c = replace(c, theta=np.array([quantities[f"nAGQ{points}.sd.{sd}"]]), beta=beta)
    return -c.evaluate(c.problem(n_quad=points))[0] / 2


@pytest.mark.parametrize("points", [9, 25])
def test_cbpp_as_lme4(points):
    q, d = published("glmm_cbpp")
    y, w = d["incidence"] / d["size"], d["size"]
    X = [np.ones(len(d)), *[d["period"] == k for k in (2, 3, 4)]]
    fixed = ["fixef.(Intercept)", *[f"fixef.period{k}" for k in (2, 3, 4)]]
    c = one_factor(families.BINOMIAL_LOGIT, d["herd"], X, y, w)
    # with several points lme4 leaves out the log-likelihood of the saturated model
    saturated = sum(
        v * (p * np.log(p) if p > 0 else 0) for s in (y, 1 - y) for p, v in zip(s, w, strict=True)
    )
    made = at_published(c, q, points, "herd.(Intercept)", fixed)
    assert made - saturated == pytest.approx(q[f"nAGQ{points}.logLik"], abs=1e-10)


def test_contraception_as_lme4():
    q, d = published("glmm_contraception")
    X = [np.ones(len(d)), d["age"], d["age"] ** 2, d["urban"] == "Y", d["livch"].astype(str) != "0"]
    fixed = [f"fixef.{name}" for name in ("(Intercept)", "age", "I(age^2)", "urbanY", "chY")]
    c = one_factor(families.BINOMIAL_LOGIT, d["district"], X, d["use"] == "Y")
    made = at_published(c, q, 9, "district.(Intercept)", fixed)
    assert made == pytest.approx(q["nAGQ9.logLik"], abs=1e-9)


def test_wine_as_clmm():
    q, d = published("clmm_wine_judge")
    alpha = np.array([q[f"nAGQ9.alpha.{k}|{k + 1}"] for k in range(1, 5)])
    X = [d["temp"] == "warm", d["contact"] == "yes"]
    c = one_factor(families.ORDINAL_LOGIT, d["judge"], X, d["rating"] - 1, alpha=alpha)
    made = at_published(c, q, 9, "judge", ["beta.tempwarm", "beta.contactyes"])
    assert made == pytest.approx(q["nAGQ9.logLik"], abs=1e-9)


@pytest.mark.parametrize("family", ALL_FAMILIES)
@pytest.mark.parametrize("slopes", [False, True])
def test_gradient_is_exact(family, slopes, few):
    c = case(family, slopes=slopes, movers=2)
    for problem in (c.problem(n_quad=5), c.problem(n_quad=4, split=3, dense=0)):
        gradient = c.evaluate(problem)[1]
        assert gradient == pytest.approx(c.differences(problem), abs=1e-8 * np.abs(gradient).max())


@pytest.mark.parametrize("family", ALL_FAMILIES)
@pytest.mark.parametrize("slopes", [False, True])
def test_levels_kept_in_the_border_are_integrated_too(family, slopes, few):
    c = case(family, slopes=slopes, movers=3)
    value, gradient = c.evaluate(c.problem(n_quad=5))
    problem = c.problem(n_quad=5, split=2, dense=0)
    assert any(not block.block.m1 for block in problem.pool.blocks)
    again, other = c.evaluate(problem)
    assert again == pytest.approx(value, rel=1e-12)
    assert other == pytest.approx(gradient, rel=1e-8, abs=1e-9 * np.abs(gradient).max())


def two_workers(per, sd_citizen, sd_worker, seed, n_citizens=6):
    """Yes/no rows of a few citizens crossed with two caseworkers."""
    rng = np.random.default_rng(seed)
    n = n_citizens * per
    codes = [np.repeat(np.arange(n_citizens), per), rng.integers(0, 2, n)]
    codes[1][:2] = 0, 1
    effects = sd_citizen * rng.normal(size=n_citizens)[codes[0]] + sd_worker * rng.normal(size=2)[codes[1]]
    y = (rng.random(n) < 1 / (1 + np.exp(0.8 - effects))).astype(float)
    one = np.ones((n, 1))
    theta, templates = np.array([sd_citizen, sd_worker]), (Template((1,)), Template((1,)))
    return Case(
        families.BINOMIAL_LOGIT,
        codes,
        [one, one],
        templates,
        one,
        y,
        np.ones(n),
        theta,
        NONE,
        np.array([-0.8]),
    )


def nested_integral(c, n_citizen=60, n_worker=40):
    """Log-likelihood by quadrature over both caseworkers and, given these, every citizen."""
    t, w = hermegauss(n_citizen)
    log_w = np.log(w / w.sum())
    nodes, weights = hermegauss(n_worker)
    parts = []
    for a, wa in zip(nodes, weights / weights.sum(), strict=True):
        for b, wb in zip(nodes, weights / weights.sum(), strict=True):
            eta = c.beta[0] + c.theta[1] * np.where(c.codes[1] == 0, a, b)
            each = eta[:, None] + c.theta[0] * t
            sums = np.zeros((c.codes[0].max() + 1, n_citizen))
            np.add.at(sums, c.codes[0], c.y[:, None] * each - np.logaddexp(0, each))
            parts.append(np.log(wa) + np.log(wb) + logsumexp(sums + log_w, axis=1).sum())
    return logsumexp(parts)


@pytest.mark.parametrize("per", [2, 7])
@pytest.mark.parametrize("sd_citizen", [1.0, 2.0])
def test_beside_crossed_factors_most_of_the_error_is_gone(per, sd_citizen):
    errors = {1: [], 7: []}
    for seed in range(3):
        c = two_workers(per, sd_citizen, 0.4, seed)
        truth = nested_integral(c)
        for n_quad, made in errors.items():
            made.append(-c.evaluate(c.problem(n_quad=n_quad))[0] / 2 - truth)
    assert np.abs(errors[7]).max() < 0.02
    assert np.abs(errors[7]).mean() < 0.3 * np.abs(errors[1]).mean()


def test_without_variance_there_is_nothing_to_correct():
    c = case(families.BINOMIAL_LOGIT)
    c = replace(c, theta=np.array([0.0, 0.5, 0.3]))
    value, gradient = c.evaluate(c.problem())
    again, other = c.evaluate(c.problem(n_quad=7))
    assert again == pytest.approx(value, rel=1e-13)
    assert other == pytest.approx(gradient, abs=1e-10 * np.abs(gradient).max())


@pytest.mark.parametrize("sd", [1.0, 30.0])
def test_hard_data_stay_finite(sd):
    c = case(families.POISSON_LOG)
    c = replace(c, y=np.round(1e5 * (c.y > 1)), theta=np.array([sd, 0.5, 0.3]))
    problem = c.problem(n_quad=15)
    value, gradient = c.evaluate(problem)
    assert np.isfinite(value)
    assert np.isfinite(gradient).all()


def test_product_rule_integrates_polynomials_and_keeps_their_order():
    rule = product_rule(4, 2)
    share = np.exp(rule.log_weights - (rule.nodes**2).sum(axis=1) / 2)
    assert share.sum() == pytest.approx(1.0, abs=1e-13)
    assert share @ (rule.nodes[:, 0] ** 6 * rule.nodes[:, 1] ** 4) == pytest.approx(45.0, rel=1e-12)


@pytest.mark.parametrize(("n_quad", "m1"), [(1, 1), (7, 1), (7, 3), (1, 9), (101, 1)])
def test_supported(n_quad, m1):
    assert unsupported_quadrature(n_quad, m1) is None


@pytest.mark.parametrize(
    ("n_quad", "m1", "text"), [(7, 4, "4 effects"), (0, 1, "between 1"), (102, 1, "not 102")]
)
def test_unsupported(n_quad, m1, text):
    assert text in unsupported_quadrature(n_quad, m1)
    with pytest.raises(SpecError, match=text):
        product_rule(n_quad, m1)
