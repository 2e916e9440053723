import numpy as np
import pandas as pd

from jobchance import fit_mixed

DRAWS = 60


def test_fixed_effects_and_variances_are_recovered():
    found = []
    for seed in range(DRAWS):
        rng = np.random.default_rng(seed)
        g = np.repeat(np.arange(80), 12)
        x = rng.normal(size=len(g))
        b = rng.multivariate_normal([0, 0], [[1.0, 0.3], [0.3, 0.25]], size=80)
        data = pd.DataFrame(
            {"g": g, "x": x, "y": 2 + b[g, 0] + (0.5 + b[g, 1]) * x + rng.normal(size=len(g))}
        )
        fit = fit_mixed("y ~ x + (1 + x | g)", data)
        parts = fit.variance_components.set_index("term")
        found.append(
            [
                fit.params["x"],
                parts.loc["(Intercept)", "sd"],
                parts.loc["x", "sd"],
                parts.loc["x", "correlation"],
                fit.statistics["sigma"],
            ]
        )
    means, spread = np.mean(found, axis=0), np.std(found, axis=0) / np.sqrt(DRAWS)
    truth = [0.5, 1.0, 0.5, 0.6, 1.0]
    np.testing.assert_array_less(np.abs(means - truth), 4 * spread + 0.01)


def test_small_variances_are_not_lost():
    """True sd 0.05 of a residual of 1: estimated at zero sometimes, but not as a rule."""
    sds = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        g = np.repeat(np.arange(50), 200)
        data = pd.DataFrame({"g": g, "y": 0.1 * rng.normal(size=50)[g] + rng.normal(size=len(g))})
        sds.append(fit_mixed("y ~ 1 + (1 | g)", data).variance_components["sd"].iloc[0])
    assert np.mean(np.array(sds) == 0) < 0.1
    assert abs(np.mean(np.square(sds)) - 0.01) < 0.003
