import numpy as np
import pandas as pd
import pytest

from jobchance import meta_analysis

DRAWS = 300
TAU2 = 0.04


@pytest.fixture(scope="module")
def draws():
    rng = np.random.default_rng(17)
    made = []
    for _ in range(DRAWS):
        v = rng.uniform(0.01, 0.15, 25)
        x = rng.normal(size=25)
        y = 0.2 + 0.1 * x + np.sqrt(TAU2) * rng.normal(size=25) + np.sqrt(v) * rng.normal(size=25)
        moderators = pd.DataFrame({"x": x})
        made.append(meta_analysis(y, v, moderators=moderators, knapp_hartung=True))
    return made


@pytest.mark.parametrize(("term", "truth"), [("(Intercept)", 0.2), ("x", 0.1)])
def test_coefficients_and_coverage(draws, term, truth):
    estimates = np.array([fit.params[term] for fit in draws])
    assert abs(estimates.mean() - truth) < 4 * estimates.std() / np.sqrt(DRAWS)
    covered = np.mean([low <= truth <= high for low, high in (f.conf_int().loc[term] for f in draws)])
    assert 0.92 <= covered <= 0.98


def test_variance_between_studies(draws):
    tau2 = np.array([fit.statistics["tau2"] for fit in draws])
    assert tau2.mean() == pytest.approx(TAU2, abs=0.005)
    covered = np.mean([f.statistics["tau2_low"] <= TAU2 <= f.statistics["tau2_high"] for f in draws])
    assert 0.92 <= covered <= 0.98
