"""How much private information explains a gradient: exactly known worlds, and limits of the answers."""

import numpy as np
import pandas as pd
import pytest

from jobchance import fit_glm, fit_panel
from jobchance.errors import DesignError, FormulaError, SpecError
from jobchance.sensitivity.confounding import robustness_value
from jobchance.sensitivity.confounding_reliability import belief_reliability
from jobchance.sensitivity.private_information import ALL, private_information


def world(*, seen=0.2, reliability=0.6, effect=0.0, n=240, seed=5):
    """Rows in which the signal explains exactly `seen` of what x leaves and makes `reliability` of b."""
    rng = np.random.default_rng(seed)
    basis, _ = np.linalg.qr(np.column_stack([np.ones(n), rng.normal(size=(n, 5))]))
    x, z, signal, own, rest = basis[:, 1:].T * np.sqrt(n)
    b = 0.4 * x + 1.3 * (np.sqrt(reliability) * signal + np.sqrt(1 - reliability) * own)
    y = 0.5 * x + 0.3 * z + 0.8 * (np.sqrt(seen) * signal + np.sqrt(1 - seen) * rest)
    return pd.DataFrame({"y": y + effect * b, "b": b, "x": x, "z": z, "g": np.repeat(np.arange(n // 8), 8)})


def of(data, **options):
    return private_information(fit_glm("y ~ b + x + z", data, family="gaussian"), "b", **options)


@pytest.mark.parametrize("reliability", [1.0, 0.6, 0.3])
@pytest.mark.parametrize("seen", [0.02, 0.2, 0.7])
def test_share_behind_a_gradient_without_effect(seen, reliability):
    found = of(world(seen=seen, reliability=reliability), explained=[1], reliability=reliability)
    row = found.frame.loc[0]
    assert row["share_seen"] == pytest.approx(seen)
    assert row["correlation"] == pytest.approx(np.sqrt(seen))
    assert row["sd_private"] == pytest.approx(0.8 * np.sqrt(seen))
    total = 0.8**2 + 0.5**2 + 0.3**2
    assert row["share_of_total"] == pytest.approx(seen * 0.8**2 / total)
    assert found.r2_covariates == pytest.approx((0.5**2 + 0.3**2) / total)
    assert row["times_covariates"] == pytest.approx(seen * 0.8**2 / (0.5**2 + 0.3**2))


def test_share_of_the_gradient_that_foresight_makes_beside_an_effect():
    effect = 0.15
    found = of(world(effect=effect), reliability=0.6)
    foresight = 1 - effect / found.estimate
    again = of(world(effect=effect), explained=[foresight], reliability=0.6)
    assert again.frame["share_seen"][0] == pytest.approx(0.2)
    assert found.frame.set_index("explained").loc[1, "share_seen"] > 0.2


def test_without_noise_it_is_the_extreme_robustness_value():
    fit = fit_glm("y ~ b + x + z", world(), family="gaussian", vcov="model")
    found = private_information(fit, "b", explained=[1], reliability=1)
    assert found.frame["share_seen"][0] == pytest.approx(robustness_value(fit, "b").extreme)


def test_curve_and_benchmarks_turn_the_question_round():
    data = world(seen=0.2, reliability=0.6)
    found = of(data, benchmarks=["x", ["x", "z"]], reliability=[0.6])
    curve = found.curve(reliability=0.6, seen=[0.05, 0.2, 0.4])
    assert curve["coefficient"][1] == pytest.approx(found.estimate)
    assert curve["explained"].tolist() == pytest.approx([curve["explained"][0], 1, 1])
    part = float(curve["explained"][0])
    assert of(data, explained=[part], reliability=0.6).frame["share_seen"][0] == pytest.approx(0.05)
    table = found.benchmarks.set_index("benchmark")
    assert table.loc[ALL, "r2"] == table.loc["x + z", "r2"] == pytest.approx(found.r2_covariates)
    assert table.loc["x", "r2"] == pytest.approx(0.25 / (0.25 + 0.64))
    assert table.loc["x", "explained"] == 1


def test_a_negative_gradient_and_what_cannot_be():
    data = world(seen=0.7, reliability=1.0)
    found = of(data.assign(b=-data["b"]), explained=[1], reliability=[1.0, 0.5])
    assert found.estimate < 0
    assert found.frame["possible"].tolist() == [True, False]
    assert "More than 100%" in found.text("en")
    assert (found.curve()["coefficient"] <= 0).all()


def test_within_absorbed_effects_it_is_about_what_they_leave():
    data = world()
    absorbed = fit_panel("y ~ b + x + z", data, entity="g", time=None, vcov="model")
    dummies = fit_glm("y ~ b + x + z + C(g)", data, family="gaussian", vcov="model")
    one, other = (private_information(f, "b").frame["share_seen"] for f in (absorbed, dummies))
    np.testing.assert_allclose(one, other)


def test_interval_and_skill():
    found = of(world(), explained=[1], reliability=1, foreseeable=0.5)
    row = found.frame.loc[0]
    assert row["seen_low"] < row["share_seen"] < row["seen_high"]
    assert row["skill"] == pytest.approx(np.sqrt(row["share_seen"] / 0.5))
    flat = world(seen=1e-6)
    assert of(flat, explained=[1], reliability=1).frame["seen_low"][0] == 0


def test_refusals():
    fit = fit_glm("y ~ b + x + z", world(), family="gaussian")
    for options, message in (
        ({"explained": [0]}, "explained"),
        ({"reliability": 1.2}, "reliability"),
        ({"foreseeable": 0}, "foreseeable"),
        ({"benchmarks": "x"}, "several columns"),
        ({"benchmarks": ["q"]}, "not known"),
    ):
        with pytest.raises(SpecError, match=message):
            private_information(fit, "b", **options)
    data = world().assign(y=lambda d: (d["y"] > 0).astype(float))
    logit = fit_glm("y ~ b", data, family="binomial")
    with pytest.raises(SpecError, match="works on least squares"):
        private_information(logit, "b")


def test_words():
    for reliability in (1.0, (1.0, 0.5)):
        for lang in ("da", "en"):
            assert "{" not in of(world(), reliability=reliability).text(lang)


def test_reliability_from_answers_given_again():
    rng = np.random.default_rng(8)
    n, per = 4000, 20
    worker = np.repeat(np.arange(n // per), per)
    mood = rng.normal(0, 1.0, n // per)
    view = rng.normal(0, 1.2, n)
    moved = rng.random(n) < 0.4
    later = np.where(moved, rng.integers(0, n // per, n), worker)
    seen_again = np.where(moved, 0.5 * view + np.sqrt(0.75) * rng.normal(0, 1.2, n), view)
    first = pd.DataFrame({"citizen_id": np.arange(n), "caseworker_id": worker, "wave": 1})
    first["belief"] = view + mood[worker] + rng.normal(0, 0.8, n)
    second = pd.DataFrame({"citizen_id": np.arange(n), "caseworker_id": later, "wave": 2})
    second["belief"] = seen_again + mood[later] + rng.normal(0, 0.8, n)
    found = belief_reliability(pd.concat([first, second])).set_index("answers")
    whole = 1.2**2 / (1.2**2 + 1.0 + 0.8**2)
    same, other = found.loc["same caseworker"], found.loc["another caseworker"]
    assert same["conf_low"] < whole < same["conf_high"]
    assert other["conf_low"] < 0.5 * whole < other["conf_high"]
    assert same["N_pairs"] + other["N_pairs"] == n


def test_reliability_refusals():
    frame = pd.DataFrame(
        {"citizen_id": [1, 1, 2], "caseworker_id": [1, 1, 1], "wave": [1, 2, 1], "belief": 3.0}
    )
    with pytest.raises(DesignError, match="does not vary"):
        belief_reliability(frame)
    with pytest.raises(FormulaError, match="no column wave"):
        belief_reliability(frame.drop(columns="wave"))
    few = belief_reliability(frame.assign(belief=[1.0, 2, 3]))
    assert few["reliability"].isna().all()
