"""Partial R2 against regressions that have the confounder, bounds, groups, clusters and refusals."""

import copy

import numpy as np
import pandas as pd
import pytest

from jobchance import Cluster, fit_glm, fit_mixed, fit_panel
from jobchance.errors import SpecError
from jobchance.sensitivity.confounding import robustness_value
from jobchance.sensitivity.confounding_adjusted import adjusted_estimate
from jobchance.sensitivity.confounding_bounds import confounder_bounds


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(7)
    n = 400
    group = rng.integers(0, 25, n)
    z, x, v = rng.normal(size=n), rng.normal(size=n), rng.normal(size=n)
    kind = rng.choice(["a", "b", "c"], n)
    d = 0.5 * z + 0.4 * x + 0.3 * (kind == "b") + rng.normal(size=n)
    y = 0.3 * d + 0.6 * z + 0.5 * x + 0.2 * (kind == "c") + 0.5 * group / 25 + rng.normal(size=n)
    return pd.DataFrame({"y": y, "d": d, "z": z, "x": x, "v": v, "kind": kind, "group": group})


def fitted(data, right="d + x + kind", **options):
    return fit_glm(f"y ~ {right}", data, family="gaussian", vcov=options.pop("vcov", "model"), **options)


def partial(data, left, given, extra):
    """Partial R2 by two regressions."""
    less = fit_glm(f"{left} ~ {given}", data, family="gaussian", vcov="model").statistics["r2"]
    more = fit_glm(f"{left} ~ {given} + {extra}", data, family="gaussian", vcov="model").statistics["r2"]
    return (more - less) / (1 - less)


def test_adjusted_estimate_is_the_regression_with_the_confounder(data):
    with_it = fitted(data, "d + x + kind + z")
    found = adjusted_estimate(
        fitted(data), "d", r2dz_x=partial(data, "d", "x + kind", "z"),
        r2yz_dx=partial(data, "y", "d + x + kind", "z"),
    ).loc[0]  # fmt: skip
    assert found["adjusted_estimate"] == pytest.approx(with_it.params["d"])
    assert found["adjusted_se"] == pytest.approx(with_it.std_errors["d"])
    assert found["adjusted_t"] == pytest.approx(with_it.statistic["d"])
    np.testing.assert_allclose(found[["conf_low", "conf_high"]].astype(float), with_it.conf_int().loc["d"])


def test_a_confounder_that_hides_adds_instead(data):
    fit = fitted(data)
    less = adjusted_estimate(fit, "d", r2dz_x=0.1, r2yz_dx=0.1)["adjusted_estimate"][0]
    more = adjusted_estimate(fit, "d", r2dz_x=0.1, r2yz_dx=0.1, reduce=False)["adjusted_estimate"][0]
    assert less + more == pytest.approx(2 * fit.params["d"])
    turned = adjusted_estimate(fitted(data.assign(d=-data["d"])), "d", r2dz_x=0.1, r2yz_dx=0.1)
    assert turned["adjusted_estimate"][0] == pytest.approx(-less)


@pytest.mark.parametrize("q", [0.5, 1.0, 2.0])
def test_robustness_value_takes_just_the_share_asked_for(data, q):
    fit = fitted(data)
    found = robustness_value(fit, "d", q=q, alpha=0.1)
    left = adjusted_estimate(fit, "d", r2dz_x=found.value, r2yz_dx=found.value)["adjusted_estimate"][0]
    assert left == pytest.approx((1 - q) * fit.params["d"])
    extreme = adjusted_estimate(fit, "d", r2dz_x=found.extreme)["adjusted_estimate"][0]
    assert extreme == pytest.approx((1 - q) * fit.params["d"])
    edge = adjusted_estimate(fit, "d", r2dz_x=found.value_alpha, r2yz_dx=found.value_alpha, alpha=0.1)
    assert edge["conf_low"][0] == pytest.approx((1 - q) * fit.params["d"], abs=1e-10)


def test_robustness_value_when_the_critical_value_binds_in_the_other_way():
    """Few degrees of freedom and a very large f: the value is that of the extreme confounder."""
    rng = np.random.default_rng(0)
    d = rng.normal(size=8)
    data = pd.DataFrame({"d": d, "y": 3 * d + 0.3 * rng.normal(size=8)})
    found = robustness_value(fitted(data, "d"), "d", alpha=0.05)
    critical = 2.5706 / np.sqrt(5)  # t with 5 degrees of freedom
    assert abs(found.f) > 1 / critical
    assert found.value_alpha == pytest.approx((found.f**2 - critical**2) / (1 + found.f**2), rel=1e-4)
    # no confounder of that strength or weaker in both makes the estimate insignificant
    strengths = np.linspace(0, found.value_alpha - 1e-6, 60)
    grid = np.meshgrid(strengths, strengths)
    inside = adjusted_estimate(fitted(data, "d"), "d", r2dz_x=grid[0], r2yz_dx=grid[1])
    assert (inside["conf_low"] > 0).all()


def test_an_estimate_that_is_not_significant_needs_no_confounder_for_that(data):
    found = robustness_value(fitted(data, "v + x"), "v")
    assert found.value_alpha == 0
    assert 0 < found.value < 1


def test_bounds_of_a_benchmark_are_its_partial_r2(data):
    found = confounder_bounds(fitted(data, "d + x + z + kind"), "d", benchmarks=["x"], kd=1).loc[0]
    r2dx = partial(data, "d", "z + kind", "x")
    assert found["r2dx"] == pytest.approx(r2dx)
    assert found["r2yx"] == pytest.approx(partial(data, "y", "d + z + kind", "x"))
    assert found["r2dz_x"] == pytest.approx(r2dx / (1 - r2dx))


def test_bound_is_reached_by_a_confounder_made_as_strong():
    """Z independent of the benchmark and exactly as strong as it given the rest: the bound is its own R2."""
    rng = np.random.default_rng(2)
    n = 200
    basis, _ = np.linalg.qr(np.column_stack([np.ones(n), rng.normal(size=(n, 4))]))
    x, z, own, rest = basis[:, 1:].T * np.sqrt(n)
    d = 0.6 * x + 0.6 * z + own
    y = 0.5 * d + 0.7 * x + 0.7 * z + rest
    data = pd.DataFrame({"y": y, "d": d, "x": x, "z": z})
    found = confounder_bounds(fitted(data, "d + x"), "d", benchmarks=["x"], kd=1).loc[0]
    assert found["r2dz_x"] == pytest.approx(partial(data, "d", "x", "z"), rel=1e-9)
    # the exact value depends on how the two share what is left; the bound is never below it
    assert found["r2yz_dx"] >= partial(data, "y", "d + x", "z") - 1e-12


@pytest.mark.parametrize("name", ["kind", ["kind"], ["kind[b]", "kind[c]"]])
def test_a_categorical_benchmark_counts_with_all_its_levels(data, name):
    found = confounder_bounds(fitted(data, "d + x + kind"), "d", benchmarks=[name], kd=1).loc[0]
    assert found["r2dx"] == pytest.approx(partial(data, "d", "x", "kind"))
    assert found["r2yx"] == pytest.approx(partial(data, "y", "d + x", "kind"))


def test_a_group_and_the_terms_that_read_a_column(data):
    fit = fitted(data, "d + poly(x, 2) + z + kind")
    found = confounder_bounds(fit, "d", benchmarks=[["x", "z"], "x"], kd=1).set_index("benchmark")
    assert found.loc["x + z", "r2dx"] == pytest.approx(partial(data, "d", "kind", "poly(x, 2) + z"))
    assert found.loc["x", "r2dx"] == pytest.approx(partial(data, "d", "z + kind", "poly(x, 2)"))


def test_absorbed_effects_are_the_dummies(data):
    absorbed = fit_panel("y ~ d + x + z", data, entity="group", time=None, vcov="model")
    dummies = fitted(data, "d + x + z + C(group)")
    one, other = (confounder_bounds(f, "d", benchmarks=["x"]) for f in (absorbed, dummies))
    pd.testing.assert_frame_equal(one, other, rtol=1e-8)
    assert robustness_value(absorbed, "d").value == pytest.approx(robustness_value(dummies, "d").value)
    assert vars(robustness_value(absorbed, "d"))["df"] == robustness_value(dummies, "d").df
    pooled = fit_panel("y ~ d + x + z", data, estimator="pooled", entity="group", time=None, vcov="model")
    assert robustness_value(pooled, "d").value == pytest.approx(
        robustness_value(fitted(data, "d + x + z"), "d").value
    )


def test_impossible_strengths_are_flagged(data):
    fit = fitted(data, "d + x + z")
    found = confounder_bounds(fit, "d", benchmarks=["z"], kd=[1, 2, 4, 8]).set_index("kd")
    assert found.loc[1, "impossible"] == ""
    assert found.loc[8, "impossible"] == "exposure"
    assert np.isnan(found.loc[8, "adjusted_estimate"])
    strong = confounder_bounds(fit, "d", benchmarks=["z"], kd=1, ky=20).loc[0]
    assert (strong["impossible"], strong["r2yz_dx"]) == ("outcome", 1.0)
    assert strong["adjusted_se"] == 0


def test_kd_and_ky_go_pair_by_pair(data):
    fit = fitted(data, "d + x + z")
    found = confounder_bounds(fit, "d", benchmarks=["x"], kd=[1, 2], ky=[3, 1])
    assert found[["kd", "ky"]].to_numpy().tolist() == [[1, 3], [2, 1]]
    assert confounder_bounds(fit, "d", benchmarks=["x"], kd=1, ky=[1, 2])["kd"].tolist() == [1, 1]


def test_clustered_errors_change_only_the_value_that_says_so(data):
    plain = robustness_value(fitted(data), "d")
    clustered = robustness_value(fitted(data, vcov=Cluster("group")), "d")
    for name in ("value", "value_alpha", "partial_r2", "statistic", "df"):
        assert getattr(clustered, name) == getattr(plain, name)
    assert plain.value_alpha_design is None
    fit = fitted(data, vcov=Cluster("group"))
    ratio = fit.std_errors["d"] / plain.std_error
    assert clustered.value_alpha_design is not None
    # a confounder of that strength, with errors in the same ratio, leaves the interval at zero
    r = clustered.value_alpha_design
    edge = adjusted_estimate(fit, "d", r2dz_x=r, r2yz_dx=r).loc[0]
    critical = 2.0639  # t with 24 degrees of freedom
    low = edge["adjusted_estimate"] - critical * ratio * edge["adjusted_se"]
    assert low == pytest.approx(0, abs=1e-5)


def test_a_stored_fit_has_its_value_if_it_kept_classical_errors(data):
    fit = fitted(data)
    assert robustness_value(copy.copy(fit), "d").value == robustness_value(fit, "d").value
    with pytest.raises(SpecError, match="needs the rows"):
        robustness_value(copy.copy(fitted(data, vcov=Cluster("group"))), "d")
    with pytest.raises(SpecError, match="needs the rows"):
        confounder_bounds(copy.copy(fit), "d", benchmarks=["x"])


def test_results_hold_no_rows_and_say_what_they_are(data):
    found = robustness_value(fitted(data, vcov=Cluster("group")), "d")
    assert len(found.frame) == 1
    for lang in ("da", "en"):
        assert "{" not in found.text(lang)
    assert "does not say whether there is a hidden explanation" in found.text("en")


def test_refusals(data):
    fit = fitted(data)
    logit = fit_glm("y ~ d", data.assign(y=(data["y"] > 0) * 1.0), family="binomial")
    mixed = fit_mixed("y ~ d + (1 | group)", data)
    for wrong in (logit, mixed):
        with pytest.raises(SpecError, match="works on least squares"):
            robustness_value(wrong, "d")
    for call, message in (
        (lambda: robustness_value(fit, "e"), "not known"),
        (lambda: robustness_value(fit, "d", q=0), "above 0"),
        (lambda: robustness_value(fit, "d", alpha=5), "between 0 and 1"),
        (lambda: confounder_bounds(fit, "d", benchmarks=["z"]), "not known"),
        (lambda: confounder_bounds(fit, "d", benchmarks=["d"]), "is the exposure"),
        (lambda: confounder_bounds(fit, "d", benchmarks="x"), "one or more"),
        (lambda: confounder_bounds(fit, "d", benchmarks=["x"], kd=0), "positive"),
        (lambda: confounder_bounds(fit, "d", benchmarks=["x"], kd=[1, 2], ky=[1, 2, 3]), "as many of each"),
        (lambda: adjusted_estimate(fit, "d", r2dz_x=1.0), "shares of variance"),
    ):
        with pytest.raises(SpecError, match=message):
            call()
