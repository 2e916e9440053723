"""Imbens' calibration of a logit: a known confounder, a maximum found by other means, and its limits."""

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import approx_fprime, minimize
from scipy.special import expit

from jobchance import Cluster, fit_glm
from jobchance.errors import SpecError
from jobchance.numerics.confound_logit import Confounded, maximise, share_of, start_at, strength_of
from jobchance.sensitivity.logit_confounding import logit_confounding

ALPHA, DELTA, TAU = 1.4, 1.6, 0.6


def world(n, *, binary, seed=2):
    rng = np.random.default_rng(seed)
    u, x = rng.integers(0, 2, n), rng.normal(size=n)
    index = -0.4 + 0.5 * x + ALPHA * u
    w = (rng.random(n) < expit(index)).astype(float) if binary else index + 0.9 * rng.normal(size=n)
    y = (rng.random(n) < expit(-1.5 + TAU * w + 0.4 * x + DELTA * u)).astype(float)
    return pd.DataFrame({"y": y, "w": w, "x": x, "u": u, "g": rng.integers(0, 40, n)})


def strengths(fit_data, binary):
    """Shares that the known confounder has on the scales of `logit_confounding`."""
    left = fit_data["w"] - np.polyval(np.polyfit(fit_data["x"], fit_data["w"], 1), fit_data["x"])
    exposure = share_of(ALPHA, np.pi**2 / 3) if binary else ALPHA**2 / 4 / float(np.var(left))
    return {"r2_exposure": [exposure], "r2_outcome": [share_of(DELTA, np.pi**2 / 3)]}


def minus_loglik(theta, data, *, binary):
    """The likelihood written out: two worlds, half and half."""
    x, w, y = (data[c].to_numpy() for c in "xwy")
    total = 0.0
    for u in (0, 1):
        p = expit(theta[1] + theta[0] * w + theta[2] * x + DELTA * u)
        index = theta[3] + theta[4] * x + ALPHA * u
        if binary:
            f = np.where(w == 1, expit(index), 1 - expit(index))
        else:
            sd = np.exp(theta[5])
            f = np.exp(-(((w - index) / sd) ** 2) / 2) / (sd * np.sqrt(2 * np.pi))
        total = total + 0.5 * f * np.where(y == 1, p, 1 - p)
    return -float(np.sum(np.log(total)))


@pytest.mark.parametrize("binary", [True, False])
def test_maximum_and_information_by_other_means(binary):
    data = world(300, binary=binary)
    X = np.column_stack([np.ones(300), data["x"]])
    problem = Confounded(data["y"].to_numpy(), data["w"].to_numpy(), X, binary)
    start = start_at(problem, 0.0, np.zeros(2), np.zeros(2))
    found = maximise(problem, ALPHA, DELTA, start)
    other = minimize(
        lambda t: minus_loglik(t, data, binary=binary), start, method="BFGS", options={"gtol": 1e-6}
    )
    assert found.converged
    assert found.loglik == pytest.approx(-other.fun)
    np.testing.assert_allclose(found.theta, other.x, atol=2e-5)
    np.testing.assert_allclose(found.scores.sum(axis=0), 0, atol=1e-5)

    def gradient(theta):
        return approx_fprime(theta, lambda t: minus_loglik(t, data, binary=binary), 1e-5)

    hessian = np.array(
        [approx_fprime(found.theta, lambda t, j=j: gradient(t)[j], 1e-4) for j in range(len(start))]
    )
    np.testing.assert_allclose(np.linalg.inv(hessian), found.bread, rtol=0.05, atol=1e-3)


@pytest.mark.parametrize("binary", [True, False])
def test_known_confounder_gives_the_true_coefficient(binary):
    data = world(12_000, binary=binary)
    fit = fit_glm("y ~ w + x", data, family="binomial", vcov="model")
    row = logit_confounding(fit, "w", **strengths(data, binary)).frame.loc[0]
    assert (row["alpha"], row["delta"]) == pytest.approx((ALPHA, DELTA), rel=0.05)
    assert abs(row["estimate"] - TAU) < 3 * row["std_error"]
    assert fit.params["w"] - TAU > 5 * row["std_error"]
    seen = fit_glm("y ~ w + x + u", data, family="binomial", vcov="model")
    assert row["estimate"] == pytest.approx(seen.params["w"], abs=3 * row["std_error"])


def test_without_a_part_in_the_outcome_it_is_the_usual_logit():
    data = world(800, binary=False)
    fit = fit_glm("y ~ w + x", data, family="binomial", vcov=Cluster("g"))
    found = logit_confounding(fit, "w", r2_exposure=[0, 0.2], r2_outcome=[0, 0.1]).frame
    none = found[found["r2_outcome"] == 0]
    np.testing.assert_allclose(none["estimate"], fit.params["w"], rtol=1e-6)
    # clusters 40, the same factor but for the exposure's own parameters
    np.testing.assert_allclose(none["std_error"], fit.std_errors["w"], rtol=0.01)
    alone = found[(found["r2_exposure"] == 0) & (found["r2_outcome"] > 0)]
    assert alone["estimate"].item() > fit.params["w"]  # odds ratios do not collapse


def test_unit_of_exposure_and_covariates_does_not_matter():
    data = world(600, binary=False)
    one = logit_confounding(fit_glm("y ~ w + x", data, family="binomial"), "w", r2_exposure=[0.1])
    far = data.assign(w=1000 * data["w"] + 5e4, x=1990 + data["x"])
    other = logit_confounding(fit_glm("y ~ w + x", far, family="binomial"), "w", r2_exposure=[0.1])
    np.testing.assert_allclose(one.frame["estimate"], 1000 * other.frame["estimate"], rtol=1e-5)
    np.testing.assert_allclose(one.frame["std_error"], 1000 * other.frame["std_error"], rtol=1e-4)
    np.testing.assert_allclose(one.contour["r2_outcome"], other.contour["r2_outcome"], rtol=1e-3)
    np.testing.assert_allclose(one.frame["delta"], other.frame["delta"])


def test_contours_meet_their_targets_and_a_negative_coefficient_is_treated_alike():
    data = world(1500, binary=True)
    fit = fit_glm("y ~ w + x", data, family="binomial", vcov="model")
    found = logit_confounding(fit, "w", r2_exposure=[0.3], r2_outcome=[0.1])
    for target, row in found.contour.set_index("target").iterrows():
        at = logit_confounding(fit, "w", r2_exposure=[0.3], r2_outcome=[row["r2_outcome"]]).frame.loc[0]
        if target == "halved":
            assert at["estimate"] == pytest.approx(0.5 * fit.params["w"], abs=1e-3)
        else:
            assert at["conf_low"] == pytest.approx(0, abs=1e-3)
    turned = fit_glm("y ~ w + x", data.assign(y=1 - data["y"]), family="binomial", vcov="model")
    mirror = logit_confounding(turned, "w", r2_exposure=[0.3], r2_outcome=[0.1])
    assert mirror.frame["delta"][0] == -found.frame["delta"][0]
    np.testing.assert_allclose(mirror.frame["estimate"], -found.frame["estimate"], rtol=1e-5)
    np.testing.assert_allclose(mirror.contour["r2_outcome"], found.contour["r2_outcome"], atol=1e-3)


def test_benchmarks_lie_on_the_confounders_scales():
    data = world(20_000, binary=True)
    fit = fit_glm("y ~ w + x + u", data, family="binomial")
    found = logit_confounding(fit, "w", r2_exposure=[0.1], r2_outcome=[0.1], benchmarks=["u"]).benchmarks
    # u is 0/1 with halves, so a benchmark of its strength is the confounder itself
    assert found["r2_exposure"].item() == pytest.approx(share_of(ALPHA, np.pi**2 / 3), rel=0.1)
    assert found["r2_outcome"].item() == pytest.approx(share_of(fit.params["u"], np.pi**2 / 3), rel=0.05)
    assert strength_of(share_of(1.3, 2.0), 2.0) == pytest.approx(1.3)


def test_refusals_and_words():
    data = world(400, binary=False)
    fit = fit_glm("y ~ w + x", data, family="binomial")
    with pytest.raises(SpecError, match="works on"):
        logit_confounding(fit_glm("y ~ w + x", data, family="gaussian"), "w")
    with pytest.raises(SpecError, match="shares must lie"):
        logit_confounding(fit, "w", r2_exposure=[1.0])
    with pytest.raises(SpecError, match="must lie between"):
        logit_confounding(fit, "w", share=1.5)
    square = fit_glm("y ~ w + I(w ** 2) + x", data, family="binomial")
    with pytest.raises(SpecError, match="term of its own"):
        logit_confounding(square, "w")
    found = logit_confounding(fit, "w", r2_exposure=[0.1], r2_outcome=[0.1])
    assert found.exposure_kind == "continuous"
    assert "{" not in found.text("da") + found.text("en")


@pytest.mark.parametrize("clusters", [8, 40])
def test_without_a_confounder_clustered_errors_are_the_fits_however_few_clusters(clusters):
    data = world(900, binary=False).assign(g=lambda d: d["g"] % clusters)
    fit = fit_glm("y ~ w + x", data, family="binomial", vcov=Cluster("g"))
    found = logit_confounding(fit, "w", r2_exposure=[0.1], r2_outcome=[0.0]).frame
    # the exposure's own model adds 3 parameters to the factor (n - 1) / (n - k)
    factor = np.sqrt((900 - 3) / (900 - 6))
    assert found["std_error"][0] == pytest.approx(factor * fit.std_errors["w"], rel=1e-3)


@pytest.mark.parametrize("kind", ["CR2", "CR3"])
def test_errors_adjusted_for_leverage_are_refused_not_replaced(kind):
    fit = fit_glm("y ~ w + x", world(400, binary=False), family="binomial", vcov=Cluster("g", kind=kind))
    with pytest.raises(SpecError, match=rf"kind {kind}.*with_vcov\(Cluster\('g'\)\)"):
        logit_confounding(fit, "w")
