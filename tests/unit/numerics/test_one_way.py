"""One-way variance components: against the ANOVA identity, statsmodels, coverage and the boundary."""

from __future__ import annotations

import numpy as np
import pytest

from jobchance.numerics.one_way import profile_one_way


def _data(tau: float, *, groups: int = 60, size: int = 12, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    code = np.repeat(np.arange(groups), size)
    return 2 + rng.normal(0, tau, groups)[code] + rng.normal(0, 1, groups * size), code


def test_balanced_data_give_the_anova_estimates() -> None:
    y, group = _data(0.4)
    means = y.reshape(60, 12).mean(axis=1)
    within = ((y.reshape(60, 12) - means[:, None]) ** 2).sum() / (60 * 11)
    between = 12 * means.var(ddof=1)
    found = profile_one_way(y, group)
    assert found.sd**2 == pytest.approx((between - within) / 12, rel=1e-5)
    assert found.residual_sd**2 == pytest.approx(within, rel=1e-5)
    assert found.icc == pytest.approx(found.sd**2 / (found.sd**2 + found.residual_sd**2), rel=1e-6)


def test_unbalanced_data_agree_with_the_linear_mixed_model() -> None:
    import pandas as pd
    import statsmodels.formula.api as smf

    y, group = _data(0.5, seed=2)
    keep = np.random.default_rng(3).random(len(y)) < 0.5
    data = pd.DataFrame({"y": y[keep], "g": group[keep]})
    reference = smf.mixedlm("y ~ 1", data, groups="g").fit(reml=True)
    found = profile_one_way(data["y"], data["g"])
    assert found.sd**2 == pytest.approx(float(reference.cov_re.iloc[0, 0]), rel=1e-3)
    assert found.residual_sd**2 == pytest.approx(float(reference.scale), rel=1e-3)


def test_limits_cover_the_truth() -> None:
    hits = []
    for seed in range(150):
        found = profile_one_way(*_data(0.3, groups=40, size=10, seed=seed))
        hits.append((found.sd_low <= 0.3 <= found.sd_high, found.icc_low <= 0.09 / 1.09 <= found.icc_high))
    assert np.mean(hits, axis=0) == pytest.approx([0.95, 0.95], abs=0.045)


def test_no_variance_between_groups() -> None:
    rng = np.random.default_rng(6)
    y, group = rng.normal(size=600), np.repeat(np.arange(30), 20)
    y -= np.repeat(y.reshape(30, 20).mean(axis=1), 20)  # every group has the same mean
    found = profile_one_way(y, group)
    assert (found.sd, found.icc, found.sd_low, found.icc_low) == (0, 0, 0, 0)
    assert 0 < found.icc_high < 0.05
    assert found.residual_sd == pytest.approx(np.std(y, ddof=1), rel=1e-10)


def test_scale_and_shift_change_the_sd_alone() -> None:
    y, group = _data(0.4, seed=7)
    one, other = profile_one_way(y, group), profile_one_way(100 * y - 7, group)
    assert [other.sd, other.sd_low, other.sd_high] == pytest.approx(
        [100 * one.sd, 100 * one.sd_low, 100 * one.sd_high], rel=1e-4
    )
    assert [other.icc, other.icc_low, other.icc_high] == pytest.approx(
        [one.icc, one.icc_low, one.icc_high], rel=1e-4
    )


@pytest.mark.parametrize(
    ("y", "group"),
    [([1.0, 2.0], [0, 0]), ([1.0, 2.0], [0, 1]), ([1.0, 1.0, 2.0, 2.0], [0, 0, 1, 1])],
    ids=["one group", "no repeats", "constant within"],
)
def test_refuses_what_has_no_two_parts(y: list[float], group: list[int]) -> None:
    with pytest.raises(ValueError, match="group"):
        profile_one_way(y, group)
