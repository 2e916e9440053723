"""What must not change a mixed model, or change it in a known way, on small data of all families."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobchance import fit_glm, fit_mixed
from jobchance.errors import DesignError, EstimationError
from jobchance.numerics.mixed import problem

SEEDS = st.integers(0, 10_000)
FAMILIES = st.sampled_from(["gaussian", "binomial", "poisson", "ordinal"])
RANDOM = st.sampled_from(["(1 | g)", "(1 | g) + (1 | h)", "(1 + x | g)", "(x || g) + (1 | h)", "(1 | h/g)"])
OUTCOME = {"gaussian": "y", "binomial": "b", "poisson": "c", "ordinal": "o"}
SPREAD = st.floats(0.0, 2.0)
SCALES = st.sampled_from([1e-6, 0.3, -5.0, 1e6])

few = settings(max_examples=12, deadline=None)


def draw(seed, spread, n=160):
    rng = np.random.default_rng(seed)
    g, h, x = rng.integers(0, 12, n), rng.integers(0, 6, n), rng.normal(size=n)
    eta = 0.2 + 0.5 * x + spread * rng.normal(size=12)[g] + 0.5 * spread * rng.normal(size=6)[h]
    data = pd.DataFrame({"g": g, "h": h, "x": x, "z": np.round(2 * rng.random(n))})
    data["y"] = eta + rng.normal(size=n)
    data["b"] = (rng.random(n) < 1 / (1 + np.exp(-eta))).astype(int)
    data["c"] = rng.poisson(np.exp(np.minimum(eta, 4)))
    data["o"] = np.digitize(eta + rng.logistic(size=n), [-1.0, 0.5, 2.0])
    return data


def fit(family, right, data, **options):
    """A fit, or None where these data have none (separation)."""
    options = {"method": "ml"} | options if family == "gaussian" else options
    try:
        return fit_mixed(f"{OUTCOME[family]} ~ {right}", data, family=family, **options)
    except (DesignError, EstimationError):
        return None


def same(one, other, *, loglik=1e-8, params=1e-5):
    """Both have no estimate, or one likelihood and, where it bends, one set of coefficients."""
    assert (one is None) == (other is None)
    if one is None:
        return
    assert one.converged == other.converged
    if one.converged:
        assert other.loglik == pytest.approx(one.loglik, abs=loglik, rel=loglik / 100)
        np.testing.assert_allclose(other.params.to_numpy(), one.params.to_numpy(), atol=params, rtol=params)


@few
@given(SEEDS, SPREAD, FAMILIES, RANDOM)
def test_the_order_of_rows_does_not_matter(seed, spread, family, random):
    data = draw(seed, spread)
    turned = data.sample(frac=1, random_state=seed)
    same(fit(family, f"x + {random}", data), fit(family, f"x + {random}", turned))


@few
@given(SEEDS, SPREAD, FAMILIES, RANDOM, st.sampled_from(["text", "float", "negative", "category"]))
def test_the_names_of_levels_do_not_matter(seed, spread, family, random, kind):
    data = draw(seed, spread)
    names = np.random.default_rng(seed).permutation(12)[data["g"]]
    other = {
        "text": [f"caseworker {k}" for k in names],
        "float": names + 0.5,
        "negative": -(10**12) * names,
        "category": pd.Categorical(names, categories=range(20)),
    }[kind]
    same(fit(family, f"x + {random}", data), fit(family, f"x + {random}", data.assign(g=other)))


@few
@given(
    SEEDS,
    SPREAD,
    FAMILIES,
    RANDOM,
    st.sampled_from([1e-6, 0.3, -5.0, 1e6]),
    st.sampled_from([0.0, -3.0, 50.0]),
)
def test_covariates_on_another_scale_have_coefficients_on_that_scale(
    seed, spread, family, random, scale, shift
):
    """z = scale (x + shift): correlated slopes are the same model under both, others under scaling."""
    if "||" in random:
        shift = 0.0
    data = draw(seed, spread)
    near = fit(family, f"x + {random}", data)
    far = fit(family, f"x + {random}", data.assign(x=scale * (data["x"] + shift)))
    assert (near is None) == (far is None)
    if near is None or not (near.converged and far.converged):
        return
    assert far.loglik == pytest.approx(near.loglik, abs=1e-6, rel=1e-9)
    assert far.params["x"] * scale == pytest.approx(near.params["x"], abs=1e-5)
    np.testing.assert_allclose(far.predict(), near.predict(), atol=1e-4, rtol=1e-4)


@few
@given(SEEDS, SPREAD, FAMILIES)
def test_the_order_of_terms_does_not_matter(seed, spread, family):
    data = draw(seed, spread)
    one = fit(family, "x + (1 | g) + (1 | h) + (0 + x | g)", data)
    other = fit(family, "x + (0 + x | g) + (1 | h) + (1 | g)", data)
    same(one, other)
    if one is not None and one.converged:
        keys = ["group", "term"]
        parts = [f.variance_components.sort_values(keys)["sd"].to_numpy() for f in (one, other)]
        np.testing.assert_allclose(parts[1], parts[0], atol=1e-4)


@few
@given(SEEDS, SPREAD, st.sampled_from(["binomial", "poisson", "ordinal"]), RANDOM)
def test_weights_of_two_are_rows_given_twice(seed, spread, family, random):
    data = draw(seed, spread)
    twice = pd.concat([data, data], ignore_index=True)
    same(fit(family, f"x + {random}", data.assign(w=2), weights="w"), fit(family, f"x + {random}", twice))


@few
@given(SEEDS, st.sampled_from(["binomial", "poisson", "gaussian"]))
def test_without_variance_between_groups_it_is_the_ordinary_regression(seed, family):
    """Rows dealt to groups in turn by outcome and covariate: group means are closer than by chance."""
    data = draw(seed, 0.0).sort_values([OUTCOME[family], "x"], ignore_index=True)
    found = fit(family, "x + (1 | k)", data.assign(k=data.index % 8))
    if found is None:
        return
    assert found.is_singular
    plain = fit_glm(f"{OUTCOME[family]} ~ x", data, family=family)
    np.testing.assert_allclose(found.params, plain.params, atol=1e-6)
    if family != "gaussian":  # there fit_glm takes sigma with degrees of freedom
        assert found.loglik == pytest.approx(plain.loglik, abs=1e-6)


@few
@given(SEEDS, SPREAD, RANDOM, st.sampled_from(["logit", "probit"]), st.sampled_from([1, 5]))
def test_two_ordered_categories_are_a_binary_outcome(seed, spread, random, link, n_quad):
    data = draw(seed, spread)
    if n_quad > 1:
        random = "(1 | g)"
    options = {"link": link, "n_quad": n_quad}
    two = fit("ordinal", f"x + {random}", data.assign(o=data["b"]), **options)
    binary = fit("binomial", f"x + {random}", data, **options)
    assert (two is None) == (binary is None)
    if two is not None and two.converged and binary.converged:
        assert two.loglik == pytest.approx(binary.loglik, abs=1e-8)
        assert two.params["x"] == pytest.approx(binary.params["x"], abs=1e-5)
        assert two.params["0|1"] == pytest.approx(-binary.params["(Intercept)"], abs=1e-5)


@few
@given(SEEDS, SPREAD)
def test_counts_of_successes_are_their_rows_up_to_a_constant(seed, spread):
    data = draw(seed, spread)
    rows = fit("binomial", "z + (1 | g)", data)
    cells = data.groupby(["g", "z"])["b"].agg(["sum", "size"]).reset_index()
    cells["failures"] = cells["size"] - cells["sum"]
    cells["share"] = cells["sum"] / cells["size"]
    counts = fit_mixed("cbind(sum, failures) ~ z + (1 | g)", cells, family="binomial") if rows else None
    if rows is None or not (rows.converged and counts.converged):
        return
    shares = fit_mixed("share ~ z + (1 | g)", cells, family="binomial", weights="size")
    np.testing.assert_allclose(counts.params, rows.params, atol=1e-5)
    np.testing.assert_allclose(counts.variance_components["sd"], rows.variance_components["sd"], atol=1e-5)
    assert shares.loglik == pytest.approx(counts.loglik, abs=1e-8)
    assert counts.loglik > rows.loglik


@few
@given(SEEDS, SPREAD, RANDOM, st.sampled_from(["reml", "ml"]))
def test_an_offset_of_a_linear_model_is_a_shifted_outcome(seed, spread, random, method):
    data = draw(seed, spread)
    shifted = data.assign(y=data["y"] - 3 * data["z"])
    one = fit("gaussian", f"x + {random}", data.assign(off=3 * data["z"]), offset="off", method=method)
    same(one, fit("gaussian", f"x + {random}", shifted, method=method))


@few
@given(SEEDS, SPREAD, RANDOM)
def test_restricted_and_full_likelihood_share_their_optimum_of_beta_nearly(seed, spread, random):
    """Residual variances differ by the degrees of freedom of the coefficients, about 2 of 2000 rows."""
    data = draw(seed, spread, n=2000)
    full, restricted = (fit("gaussian", f"x + {random}", data, method=method) for method in ("ml", "reml"))
    assert restricted.statistics["sigma"] == pytest.approx(full.statistics["sigma"], rel=0.003)
    assert restricted.params["x"] == pytest.approx(full.params["x"], abs=0.02)
    larger = restricted.variance_components["sd"] >= full.variance_components["sd"] - 1e-3
    assert larger.all() or "+" in random


@pytest.mark.parametrize("family", OUTCOME)
@pytest.mark.parametrize("random", ["(1 | g)", "(1 | g) + (1 | h)", "(1 + x | g) + (1 | h)"])
def test_blocks_of_rows_do_not_matter(family, random, monkeypatch):
    data = draw(11, 0.8, n=400)
    whole = fit(family, f"x + {random}", data)
    monkeypatch.setattr(problem, "THREADED", 100)
    parts = fit(family, f"x + {random}", data)
    same(whole, parts)
    np.testing.assert_allclose(parts.predict(), whole.predict(), rtol=1e-5)
    one, other = (f.random_effects("g").sort_values(["level", "term"]) for f in (whole, parts))
    np.testing.assert_allclose(other["estimate"], one["estimate"], atol=1e-5)
