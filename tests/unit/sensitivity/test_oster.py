"""Oster's delta and adjusted coefficient where both are known exactly, and the cubic solved another way."""

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import brentq

from jobchance import fit_glm, fit_panel
from jobchance.errors import DesignError, SpecError
from jobchance.numerics.confound_oster import Stability, betas_for, choose_beta, delta_for
from jobchance.sensitivity.oster import oster_delta

BETA = 0.4


def world(delta, *, n=60, noise=0.7, groups=False, seed=3):
    """Rows in which selection on the unseen is exactly `delta` times that on two controls, in the sample."""
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(n // 6), 6)
    keep = pd.get_dummies(group).to_numpy(float) if groups else np.ones((n, 1))
    basis, _ = np.linalg.qr(np.column_stack([keep, rng.normal(size=(n, 5))]))
    a, b, unseen, own, error = basis[:, keep.shape[1] :].T * np.sqrt(n)
    index = 0.8 * a - 0.5 * b
    w2 = 0.6 * unseen
    # x = 0.5 a + 0.3 b + c w2 + own, with c such that cov(w2, x)/var(w2) = delta cov(index, x)/var(index)
    x = 0.5 * a + 0.3 * b + 0.9 * own
    slope = float(index @ x) / float(index @ index)
    x = x + delta * slope * w2
    y = BETA * x + index + w2 + noise * error
    if groups:
        y = y + rng.normal(size=n // 6)[group]
    return pd.DataFrame({"y": y, "x": x, "a": a, "b": b, "unseen": w2, "group": group})


def full_r2(data):
    return fit_glm("y ~ x + a + b + unseen", data, family="gaussian").statistics["r2"]


@pytest.mark.parametrize("delta", [0.3, 1.0, 1.7, -0.6])
def test_delta_of_the_true_coefficient_is_the_one_the_rows_were_made_with(delta):
    data = world(delta)
    fit = fit_glm("y ~ x + a + b", data, family="gaussian")
    found = oster_delta(fit, "x", r_max=full_r2(data), beta=BETA, delta=delta)
    assert found.delta == pytest.approx(delta, rel=1e-8)
    roots = [found.beta_adjusted, *found.beta_others]
    assert min(abs(root - BETA) for root in roots) < 1e-8


@pytest.mark.parametrize("delta", [0.3, 1.0, 1.7])
def test_adjusted_coefficient_is_the_true_one(delta):
    data = world(delta)
    fit = fit_glm("y ~ x + a + b", data, family="gaussian")
    found = oster_delta(fit, "x", r_max=full_r2(data), delta=delta)
    assert found.beta_adjusted == pytest.approx(BETA, abs=1e-8)
    assert found.follows_controls


def test_absorbed_effects_stay_in_both_regressions():
    data = world(0.8, groups=True)
    long = fit_panel("y ~ x + a + b", data, entity="group", time=None, vcov="model")
    whole = fit_panel("y ~ x + a + b + unseen", data, entity="group", time=None, vcov="model")
    found = oster_delta(long, "x", r_max=whole.statistics["r2"], beta=BETA)
    assert found.delta == pytest.approx(0.8, rel=1e-8)
    assert found.r2_kind == "within"
    dummies = fit_glm("y ~ x + a + b + C(group)", data, family="gaussian")
    top = fit_glm("y ~ x + a + b + unseen + C(group)", data, family="gaussian").statistics["r2"]
    same = oster_delta(dummies, "x", controls=["a", "b"], r_max=top, beta=BETA)
    assert same.delta == pytest.approx(0.8, rel=1e-8)
    assert same.r2_kind == "whole"


def test_short_and_long_regressions_are_those_of_the_same_rows():
    data = world(1.0)
    data.loc[3, "a"] = np.nan
    found = oster_delta(fit_glm("y ~ x + a + b", data, family="gaussian"), "x")
    used = data.dropna()
    short, long = (fit_glm(f"y ~ {right}", used, family="gaussian") for right in ("x", "x + a + b"))
    assert found.estimate_short == pytest.approx(short.params["x"])
    assert found.r2_short == pytest.approx(short.statistics["r2"])
    assert (found.estimate, found.r2) == pytest.approx((long.params["x"], long.statistics["r2"]))


def test_every_root_solves_the_equation_and_a_search_finds_the_same():
    found = Stability(b0=0.9, r0=0.1, b1=0.5, r1=0.3, vy=4.0, vx=1.5, tx=1.1)
    for delta in (0.4, 1.0, 1.6, -0.5):
        roots = betas_for(found, r_max=0.45, delta=delta)
        left, right = found.sides(0.45)

        def off(beta, left=left, right=right, delta=delta):
            powers = (found.b1 - beta) ** np.arange(4)
            return delta * (left @ powers) - right @ powers

        grid = np.linspace(-60, 60, 240_001)
        values = np.polyval((delta * left - right)[::-1], found.b1 - grid)
        changes = np.flatnonzero(np.diff(np.sign(values)))
        searched = sorted(brentq(off, grid[i], grid[i + 1]) for i in changes)
        assert sorted(roots) == pytest.approx(searched, abs=1e-9)
        for root in roots:
            assert delta_for(found, r_max=0.45, beta=float(root)) == pytest.approx(delta, rel=1e-6)


def test_delta_one_has_the_closed_form_of_the_quadratic():
    found = Stability(b0=0.9, r0=0.1, b1=0.5, r1=0.3, vy=4.0, vx=1.5, tx=1.1)
    r_max, gap = 0.45, 0.9 - 0.5
    theta = (r_max - 0.3) * 4 * (1.5 - 1.1) - 0.2 * 4 * 1.1 - 1.5 * 1.1 * gap**2
    root = np.sqrt(theta**2 + 4 * (r_max - 0.3) * 4 * gap**2 * 1.5**2 * 1.1)
    closed = [0.5 - (-theta + sign * root) / (-2 * 1.1 * gap * 1.5) for sign in (1, -1)]
    assert sorted(betas_for(found, r_max=r_max, delta=1.0)) == pytest.approx(sorted(closed))


def test_root_that_follows_the_controls_is_taken_before_a_nearer_one():
    found = Stability(b0=0.9, r0=0.1, b1=0.5, r1=0.3, vy=4.0, vx=1.5, tx=1.1)  # controls lower it
    assert choose_beta(found, np.array([0.6, 0.2])) == (0.2, True)
    assert choose_beta(found, np.array([0.6, 1.2])) == (0.6, False)


def test_default_r_max_and_its_cap():
    fit = fit_glm("y ~ x + a + b", world(1.0), family="gaussian")
    found = oster_delta(fit, "x")
    assert found.r_max == pytest.approx(1.3 * fit.statistics["r2"])
    assert found.r_max_rule == "1.3 x R2"
    assert found.frame["n_roots"].tolist() == [2]
    high = oster_delta(
        fit_glm("y ~ x + a + b", world(1.0, noise=0.01).eval("y = y - unseen"), family="gaussian"), "x"
    )
    assert (high.r_max, high.r_max_rule) == (1.0, "1.3 x R2, capped at 1")


def test_refusals():
    data = world(1.0)
    fit = fit_glm("y ~ x + a + b", data, family="gaussian")
    with pytest.raises(SpecError, match="above the R2 of the fit"):
        oster_delta(fit, "x", r_max=0.01)
    with pytest.raises(SpecError, match="takes several columns"):
        oster_delta(fit, "x", controls="a")
    with pytest.raises(SpecError, match="not known"):
        oster_delta(fit, "x", controls=["c"])
    with pytest.raises(SpecError, match="needs a regression with some"):
        oster_delta(fit_glm("y ~ x", data, family="gaussian"), "x")
    rng = np.random.default_rng(0)
    flat = data.assign(y=BETA * data["x"], a=rng.normal(size=len(data)), b=rng.normal(size=len(data)))
    with pytest.raises(DesignError, match="explain nothing"):
        oster_delta(fit_glm("y ~ x + a + b", flat, family="gaussian"), "x")


def test_words():
    fit = fit_glm("y ~ x + a + b", world(1.0), family="gaussian")
    found = oster_delta(fit, "x")
    for lang in ("da", "en"):
        assert "{" not in found.text(lang)
    assert "times that on the controls" in found.text("en") or "pull the other way" in found.text("en")
