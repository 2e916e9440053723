"""Bounds against brute force: every way to fill in, every way to trim; errors; intervals."""

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import jobchance as jc
from jobchance.errors import DesignError, SpecError
from jobchance.numerics.bounds import imbens_manski
from jobchance.sensitivity.bounds import effect_interval, lee_bounds, manski_bounds
from jobchance.sensitivity.bounds_belief import belief_bounds


def test_worst_case_is_the_extreme_over_all_ways_to_fill_in():
    rng = np.random.default_rng(1)
    for _ in range(20):
        y = rng.integers(0, 2, 9).astype(float)
        d = np.array([1, 1, 1, 1, 0, 0, 0, 0, 0])
        y[rng.choice(9, 4, replace=False)] = np.nan
        if pd.isna(y[:4]).all() or pd.isna(y[4:]).all():
            continue
        gaps = np.flatnonzero(np.isnan(y))
        found = []
        for fill in itertools.product([0, 1], repeat=len(gaps)):
            full = y.copy()
            full[gaps] = fill
            found.append(full[d == 1].mean() - full[d == 0].mean())
        fit = manski_bounds(y, d)
        assert fit.params.tolist() == pytest.approx([min(found), max(found)])


def test_trimming_is_the_extreme_over_all_subsets():
    """With a whole number to cut, Lee's ends are the extremes over all ways to leave so many out."""
    rng = np.random.default_rng(2)
    for _ in range(20):
        treated, control = rng.normal(size=6), rng.normal(size=4)
        y = np.concatenate([treated, control, [np.nan] * 4])
        d = np.repeat([1, 0], [6, 8])  # 6 of 6 against 4 of 8 are seen: p = 1/2, three of six are cut
        kept = [np.mean(c) for c in itertools.combinations(treated, 3)]
        fit = lee_bounds(y, d)
        expected = np.array([min(kept), max(kept)]) - control.mean()
        assert fit.params.tolist() == pytest.approx(expected.tolist())


def test_ties_count_in_part():
    """A 0/1 outcome, 3 of 4 ones, half cut: the lowest half holds half a one too many to be all zeros."""
    fit = lee_bounds([1, 1, 1, 0, 1, 0, None, None], [1, 1, 1, 1, 0, 0, 0, 0])
    assert fit.statistics["trimmed"] == pytest.approx(0.5)
    assert fit.params.tolist() == pytest.approx([0.5 - 0.5, 1.0 - 0.5])


def test_groups_exchanged_mirror_the_bounds():
    rng = np.random.default_rng(3)
    y, d, x = rng.normal(size=200), rng.integers(0, 2, 200), rng.integers(0, 3, 200)
    s = rng.random(200) < 0.5 + 0.3 * d
    for bounds in (lee_bounds, lambda *a, **k: manski_bounds(*a, limits=(-9, 9), **k)):
        one, other = bounds(y, d, s, cells=x), bounds(y, 1 - d, s, cells=x)
        assert one.params.tolist() == pytest.approx((-other.params[::-1]).tolist())
        assert one.std_errors.tolist() == pytest.approx(other.std_errors[::-1].tolist())


def test_standard_errors_agree_with_the_bootstrap_of_clusters():
    rng = np.random.default_rng(4)
    g = np.repeat(np.arange(60), 10)
    d = rng.integers(0, 2, 600)
    y = 0.8 * rng.normal(size=60)[g] + rng.normal(size=600)
    s = rng.random(600) < 0.6 + 0.2 * d
    for bounds in (lee_bounds, lambda *a, **k: manski_bounds(*a, limits=(-6, 6), **k)):
        table = bounds(y, d, s, cluster=g, bootstrap=400, seed=1).diagnostics["intervals"].set_index("kind")
        for end in ("std_error_lower", "std_error_upper"):
            assert table.loc["analytic", end] == pytest.approx(table.loc["bootstrap", end], rel=0.15)


def test_errors_count_that_the_mix_of_cells_is_estimated():
    """Differences of 0 and 4 in two cells: most of the error is in how many rows each cell has."""
    rng = np.random.default_rng(6)
    x, d = rng.integers(0, 2, 300), rng.integers(0, 2, 300)
    y, s = 4.0 * d * x + 0.1 * rng.normal(size=300), rng.random(300) < 0.7 + 0.2 * d
    for bounds in (lee_bounds, lambda *a, **k: manski_bounds(*a, limits=(-1, 5), **k)):
        table = bounds(y, d, s, cells=x, bootstrap=300, seed=1).diagnostics["intervals"].set_index("kind")
        for end in ("std_error_lower", "std_error_upper"):
            assert table.loc["analytic", end] == pytest.approx(table.loc["bootstrap", end], rel=0.15)


def test_assumptions_halve_the_worst_case():
    y, d = [1, 0, 0, None, 0, 1, None, None], [1, 1, 1, 1, 0, 0, 0, 0]
    both, better, worse = (
        manski_bounds(y, d, assume=a).params for a in ("nothing", "missing_no_better", "missing_no_worse")
    )
    seen = 1 / 3 - 1 / 2
    assert [better["lower"], better["upper"]] == pytest.approx([0.25 - 0.5, 1 / 3 - 0.25])
    assert [worse["lower"], worse["upper"]] == pytest.approx([1 / 3 - 0.75, 0.5 - 0.5])
    for part in (better, worse):
        assert both["lower"] <= part["lower"] <= seen <= part["upper"] <= both["upper"]


def test_nothing_missing_gives_the_difference():
    y, d = [1.0, 2.0, 3.0, 5.0], [0, 0, 1, 1]
    for fit in (lee_bounds(y, d), manski_bounds(y, d, limits=(0, 9))):
        assert fit.params.tolist() == pytest.approx([2.5, 2.5])


@pytest.mark.parametrize("gap", [0.0, 0.3, 50.0])
def test_interval_solves_its_equation(gap):
    low, high, c = imbens_manski(0.0, gap, 0.5, 1.0, level=0.95)
    assert stats.norm.cdf(c + gap) - stats.norm.cdf(-c) == pytest.approx(0.95)
    assert [low, high] == pytest.approx([-0.5 * c, gap + c])
    assert 1.6448 < c < 1.96


def test_interval_follows_the_standard_errors():
    rng = np.random.default_rng(5)
    fit = lee_bounds(rng.normal(size=100), rng.integers(0, 2, 100), rng.random(100) < 0.7)
    assert effect_interval(fit) == pytest.approx((fit.statistics["conf_low"], fit.statistics["conf_high"]))
    wider = effect_interval(fit.with_vcov(jc.Robust("HC1")), level=0.99)
    assert wider[0] < fit.statistics["conf_low"]
    with pytest.raises(SpecError, match="lee_bounds or manski_bounds"):
        effect_interval(
            jc.fit_glm("y ~ x", pd.DataFrame({"y": [1, 2, 4], "x": [1, 2, 3]}), family="gaussian")
        )


def test_everything_wrong_is_said_at_once_without_values():
    y = pd.Series([1.0, np.nan, 777.0, 0.0])
    with pytest.raises(DesignError) as caught:
        manski_bounds(y, [1, 1, 0, None], [True, True, True, True])
    assert "treatment is missing in 1 row" in str(caught.value)
    assert "missing or infinite in 1 row" in str(caught.value)
    assert "outside limits" in str(caught.value)
    assert "777" not in str(caught.value)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: lee_bounds([1, 2], [0, 1, 1]), "2 rows and treatment 3"),
        (lambda: lee_bounds([1, 2], [0, 3]), "0/1"),
        (lambda: lee_bounds(["a", "b"], [0, 1]), "must be numbers"),
        (lambda: lee_bounds([1, 2], [0, 1], level=95), "between 0 and 1"),
        (lambda: lee_bounds([1, 2], [0, 1], bootstrap=50), "needs seed"),
        (lambda: manski_bounds([1, 0], [0, 1], limits=(1, 0)), "lower one first"),
        (lambda: manski_bounds([1, 0], [0, 1], assume="missing_better"), "missing_no_better"),
        (lambda: lee_bounds([1, None], [0, 1]), "no seen outcome"),
        (lambda: lee_bounds([1, 2, 3], [0, 1, 1], cells=["a", "a", "b"]), "1 of 2 cells"),
    ],
)
def test_refusals(call, words):
    with pytest.raises((SpecError, DesignError), match=words):
        call()


def test_beliefs_of_a_panel(bip_panel):
    first = bip_panel.frame.drop_duplicates("citizen_id")
    high = first[first["belief"] >= 4]["outcome"]
    low = first[first["belief"] <= 2]["outcome"]
    fit = belief_bounds(bip_panel, method="manski")
    assert fit.params["lower"] == pytest.approx(high.fillna(0).mean() - low.fillna(1).mean())
    assert fit.params["upper"] == pytest.approx(high.fillna(1).mean() - low.fillna(0).mean())
    later = belief_bounds(bip_panel, at="next", outcome="belief")
    assert 0.6 < later.statistics["share_observed_1"] < 0.75
    with pytest.raises(SpecError, match="limits"):
        belief_bounds(bip_panel, at="next", outcome="belief", method="manski")
    with pytest.raises(DesignError, match="both groups"):
        belief_bounds(bip_panel, high_at_least=9)


def test_a_group_of_which_nothing_is_seen_may_have_any_mean():
    """Worst case alone: treated mean 0.5, control anywhere in 0..1."""
    fit = manski_bounds([1.0, 0.0, None, None], [1, 1, 0, 0])
    assert fit.estimates.tolist() == [-0.5, 0.5]
    with pytest.raises(DesignError, match="a group has no seen outcome"):
        manski_bounds([1.0, 0.0, None, None], [1, 1, 0, 0], assume="missing_no_worse")


def test_no_rows_at_all_are_said():
    with pytest.raises(DesignError, match="there are no rows"):
        lee_bounds([], [])
