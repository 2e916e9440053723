import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import special

from jobchance import comparisons, fit_mixed, predictions
from jobchance.numerics.marginal import marginal

LINKS = ["logit", "probit", "cloglog", "log"]
values = st.floats(-20, 20)
variances = st.floats(0, 40)


@given(st.sampled_from(["logit", "probit", "cloglog"]), values, variances)
@example("cloglog", 11.0, 1.25)  # weights that sum to 1 + 2e-16
def test_a_mean_of_shares_is_a_share(link, eta, v):
    made = marginal(link, np.array([eta]), np.array([v]))
    assert 0 <= made.mean[0] <= 1
    assert made.by_eta[0] >= 0


@given(st.sampled_from(["logit", "probit"]), values, variances)
def test_symmetric_links_mirror(link, eta, v):
    up, down = (marginal(link, np.array([s * eta]), np.array([v])).mean[0] for s in (1, -1))
    assert up + down == pytest.approx(1, abs=1e-13)


@given(st.sampled_from(["logit", "probit"]), values, variances, variances)
def test_more_variance_pulls_shares_to_the_middle(link, eta, v, more):
    near, far = (marginal(link, np.array([eta]), np.array([total])).mean[0] for total in (v + more, v))
    assert abs(near - 0.5) <= abs(far - 0.5) + 1e-13


@given(st.sampled_from(LINKS), st.floats(-5, 3), st.floats(0.01, 2), st.floats(0.01, 2))
def test_effects_may_be_integrated_one_after_the_other(link, eta, first, second):
    """E over both = E over one of E over the other, by Gauss-Hermite for the outer one."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(80)
    inner = marginal(link, eta + np.sqrt(second) * nodes, np.full(80, first)).mean
    both = marginal(link, np.array([eta]), np.array([first + second])).mean[0]
    assert both == pytest.approx(inner @ weights / weights.sum(), rel=1e-6)


def _data(seed, n=240):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"g": rng.integers(0, 12, n), "x": rng.normal(size=n), "t": rng.integers(0, 2, n)})
    eta = 0.6 * frame["x"] + 0.5 * frame["t"] + rng.normal(0, 1, 12)[frame["g"]]
    frame["job"] = (rng.random(n) < special.expit(eta)).astype(int)
    frame["answer"] = np.digitize(eta + rng.logistic(size=n), [-1, 1])
    return frame


FITTED = settings(max_examples=6, deadline=None)
seeds = st.integers(0, 10_000)


@FITTED
@given(seeds)
def test_order_of_rows_and_names_of_groups_do_not_matter(seed):
    data = _data(seed)
    rng = np.random.default_rng(seed + 1)
    names = pd.Series(rng.permutation(12)).map("unit-{}".format)
    other = data.assign(g=data["g"].map(names)).sample(frac=1, random_state=seed)
    for outcome, family in (("job", "binomial"), ("answer", "ordinal")):
        a, b = (fit_mixed(f"{outcome} ~ x + t + (1 | g)", frame, family=family) for frame in (data, other))
        for random in ("integrated", True):
            np.testing.assert_allclose(
                b.predict(other, random=random).sort_index(), a.predict(data, random=random), rtol=1e-5
            )
        np.testing.assert_allclose(
            comparisons(b, "t")["std_error"], comparisons(a, "t")["std_error"], rtol=1e-4
        )


@FITTED
@given(seeds, st.floats(0.01, 100), st.floats(-50, 50))
def test_scale_of_a_covariate_does_not_matter(seed, scale, shift):
    data = _data(seed)
    other = data.assign(x=shift + scale * data["x"])
    a, b = (fit_mixed("job ~ x + t + (1 | g)", frame, family="binomial") for frame in (data, other))
    np.testing.assert_allclose(
        b.predict(other, random="integrated"), a.predict(random="integrated"), rtol=1e-5
    )
    one, two = comparisons(a, "x", contrast=1.0), comparisons(b, "x", contrast=scale)
    np.testing.assert_allclose(two["estimate"], one["estimate"], rtol=1e-4)
    np.testing.assert_allclose(two["std_error"], one["std_error"], rtol=1e-3)


@FITTED
@given(seeds)
def test_two_levels_are_a_binomial_outcome(seed):
    data = _data(seed)
    binomial = fit_mixed("job ~ x + t + (1 | g)", data, family="binomial")
    ordinal = fit_mixed("job ~ x + t + (1 | g)", data, family="ordinal")
    for random in (True, False, "integrated"):
        np.testing.assert_allclose(
            ordinal.predict(data, random=random)["1"], binomial.predict(data, random=random), rtol=1e-5
        )
    one, two = comparisons(binomial, "t").iloc[0], comparisons(ordinal, "t").iloc[1]
    assert two["level"] == "1"
    assert two["estimate"] == pytest.approx(one["estimate"], rel=1e-5)
    assert two["std_error"] == pytest.approx(one["std_error"], rel=1e-4)
    np.testing.assert_allclose(
        predictions(ordinal, by="t")["std_error"].iloc[1::2],
        predictions(binomial, by="t")["std_error"],
        rtol=1e-4,
    )
