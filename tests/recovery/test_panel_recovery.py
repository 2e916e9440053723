import numpy as np
import pandas as pd
import pytest

from jobchance import Cluster, fit_panel

TRUTH = 0.5
DRAWS = 200


def draw(seed, *, n=60, waves=4, related=1.0):
    """Citizens whose level is related to the covariate; errors follow the citizen over time."""
    rng = np.random.default_rng(seed)
    i = np.repeat(np.arange(n), waves)
    level = rng.normal(size=n)
    x = related * level[i] + rng.normal(size=n * waves)
    steps = rng.normal(size=(n, waves))
    error = np.cumsum(steps, axis=1).ravel() * 0.6
    frame = pd.DataFrame({"i": i, "t": np.tile(np.arange(waves), n), "x": x})
    frame["y"] = TRUTH * frame["x"] + 2 * level[i] + error
    return frame


@pytest.fixture(scope="module")
def fits():
    panels = [draw(seed) for seed in range(DRAWS)]
    return {
        name: [
            fit_panel("y ~ x", panel, estimator=name, entity="i", time="t", vcov=Cluster("i"))
            for panel in panels
        ]
        for name in ("within", "first_difference", "hybrid", "pooled")
    }


@pytest.mark.parametrize(
    ("name", "term"), [("within", "x"), ("first_difference", "x"), ("hybrid", "within(x)")]
)
def test_estimates_centre_on_the_truth_and_intervals_cover_it(fits, name, term):
    estimates = np.array([fit.params[term] for fit in fits[name]])
    spread = estimates.std() / np.sqrt(DRAWS)
    assert abs(estimates.mean() - TRUTH) < 4 * spread
    ends = [fit.conf_int().loc[term] for fit in fits[name]]
    covered = np.mean([low <= TRUTH <= high for low, high in ends])
    assert 0.90 <= covered <= 0.99
    claimed = np.mean([fit.std_errors[term] for fit in fits[name]])
    assert claimed == pytest.approx(estimates.std(), rel=0.15)


def test_pooled_least_squares_misses_the_truth_when_levels_are_related(fits):
    estimates = np.array([fit.params["x"] for fit in fits["pooled"]])
    assert estimates.mean() - TRUTH > 0.5
