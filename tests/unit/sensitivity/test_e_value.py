"""E-values against the printed examples of VanderWeele & Ding (2017) and the formulas of their table 2."""

import math

import numpy as np
import pandas as pd
import pytest

from jobchance import comparisons, fit_glm
from jobchance.errors import SpecError
from jobchance.sensitivity.e_value import e_value


def of(ratio):
    return ratio + math.sqrt(ratio * (ratio - 1))


def test_printed_example_of_a_harmful_exposure():
    found = e_value(3.9, conf_low=1.8, conf_high=8.7)
    assert round(found.value, 2) == 7.26
    assert round(found.value_limit, 1) == 3.0


def test_protective_exposure_is_turned_round():
    # the paper's RR of 0.80 (0.71 to 0.91); E-values by its formula for ratios below 1
    found = e_value(0.80, conf_low=0.71, conf_high=0.91)
    assert (round(found.value, 2), round(found.value_limit, 2)) == (1.81, 1.43)
    turned = e_value(1 / 0.80, conf_low=1 / 0.91, conf_high=1 / 0.71)
    assert (turned.value, turned.value_limit) == pytest.approx((found.value, found.value_limit))


def test_an_interval_that_holds_no_difference_needs_no_confounder():
    assert e_value(1.3, conf_low=0.9, conf_high=1.9).value_limit == 1
    assert e_value(0.8, conf_low=0.6, conf_high=1.0).value_limit == 1
    assert e_value(1.0).value == 1
    assert math.isnan(e_value(2.0).value_limit)
    assert e_value(2.0, conf_low=1.5).value_limit == pytest.approx(of(1.5))


def test_odds_ratios():
    assert e_value(5, measure="odds_ratio", rare=True).value == pytest.approx(of(5))
    found = e_value(5, measure="odds_ratio", rare=False, conf_low=3, null=2)
    assert found.value == pytest.approx(of(math.sqrt(5) / math.sqrt(2)))
    assert found.value_limit == pytest.approx(of(math.sqrt(3) / math.sqrt(2)))


def test_hazard_ratios():
    def ratio(hr):
        return (1 - 0.5 ** math.sqrt(hr)) / (1 - 0.5 ** math.sqrt(1 / hr))

    found = e_value(0.56, measure="hazard_ratio", rare=False, conf_low=0.46, conf_high=0.69)
    assert found.value == pytest.approx(of(1 / ratio(0.56)))
    assert found.value_limit == pytest.approx(of(1 / ratio(0.69)))
    assert e_value(0.3, measure="hazard_ratio", rare=True, null=0.4).value == pytest.approx(of(4 / 3))


def test_mean_differences():
    found = e_value(0.5, measure="mean_difference", std_error=0.2, null=0.1)
    assert found.value == pytest.approx(of(math.exp(0.91 * 0.4)))
    assert found.value_limit == pytest.approx(of(math.exp(0.91 * 0.5 - 1.78 * 0.2 - 0.91 * 0.1)))
    limits = e_value(0.5, measure="mean_difference", conf_low=0.1, conf_high=0.9)
    assert limits.value_limit == pytest.approx(of(math.exp(0.91 * 0.1)))


def test_a_risk_difference_is_a_risk_ratio_over_its_baseline():
    found = e_value(100 / 300 - 50 / 250, measure="risk_difference", baseline=50 / 250)
    assert found.value == pytest.approx(of((100 / 300) / (50 / 250)))
    less = e_value(-0.02, measure="risk_difference", baseline=0.06, conf_low=-0.03, conf_high=-0.01)
    assert less.value == pytest.approx(of(0.06 / 0.04))
    assert less.value_limit == pytest.approx(of(0.06 / 0.05))


def test_no_confounder_weaker_than_the_value_explains_the_ratio():
    """Ding & VanderWeele's bound: the largest bias of associations (a, b) is ab / (a + b - 1)."""
    value = e_value(2.2).value
    assert value * value / (2 * value - 1) == pytest.approx(2.2)
    rng = np.random.default_rng(0)
    pairs = 1 + (value - 1) * rng.random((1000, 2))
    assert (pairs.prod(axis=1) / (pairs.sum(axis=1) - 1)).max() < 2.2


def test_of_a_fit_it_is_the_ratio_of_average_risks():
    rng = np.random.default_rng(1)
    x = rng.normal(size=2000)
    z = rng.normal(size=2000)
    data = pd.DataFrame({"x": x, "z": z, "y": rng.random(2000) < 1 / (1 + np.exp(2 - 0.8 * x - z))})
    fit = fit_glm("y ~ x + z", data, family="binomial")
    row = comparisons(fit, "x", contrast=(0.0, 1.0)).iloc[0]
    found = e_value(fit, "x", contrast=(0.0, 1.0))
    assert found.risk_ratio == pytest.approx(row["compared"] / row["baseline"])
    assert found.value == pytest.approx(of(found.risk_ratio))
    assert 1 < found.value_limit < found.value
    assert found.value_limit == pytest.approx(of(1 + row["relative_low"]))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"estimate": -0.1}, "must be positive"),
        ({"estimate": 1.2, "conf_low": 1.3, "conf_high": 1.4}, "between its limits"),
        ({"estimate": 2, "measure": "odds_ratio"}, "needs rare"),
        ({"estimate": 0.1, "measure": "risk_difference"}, "needs baseline"),
        ({"estimate": 0.98, "measure": "risk_difference", "baseline": 0.1}, "together must be a risk"),
        ({"estimate": 2, "baseline": 0.1}, "baseline belongs"),
        ({"estimate": 2, "std_error": 0.1}, "std_error belongs"),
        ({"estimate": math.nan}, "finite"),
        ({"estimate": 2, "measure": "risk"}, "not known"),
        ({"estimate": 2, "term": "x"}, "belongs to a fit"),
    ],
)
def test_refusals(given, message):
    with pytest.raises(SpecError, match=message):
        e_value(**given)


def test_words():
    for lang in ("da", "en"):
        assert "{" not in e_value(3.9, conf_low=1.8, conf_high=8.7).text(lang)
    assert "7,26" in e_value(3.9, conf_low=1.8, conf_high=8.7).text("da")
    assert "already holds" in e_value(1.3, conf_low=0.9).text("en")
