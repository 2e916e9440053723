"""Likelihood-ratio tests: reference distributions, against R, and what cannot be compared."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from jobchance import compare_fits, fit_mixed
from jobchance.errors import EstimationError, SpecError
from jobchance.inference.compare import _mixture, _p_value
from jobchance.inference.nesting import step_between


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(7)
    n = 400
    g, h = np.arange(n) % 25, rng.integers(0, 10, n)
    x, z = rng.normal(size=n), rng.normal(size=n)
    eta = 0.4 * x + rng.normal(size=25)[g] + 0.5 * rng.normal(size=10)[h] + 0.4 * rng.normal(size=25)[g] * x
    return pd.DataFrame(
        {
            "g": g,
            "h": h,
            "x": x,
            "z": z,
            "y": eta + rng.normal(size=n),
            "b": (rng.logistic(size=n) < eta).astype(int),
            "o": np.digitize(eta + rng.logistic(size=n), [-1.5, -0.5, 0.5, 1.5]),
        }
    )


def _fit(data, right, outcome="y", **options):
    if outcome == "y":
        options = {"method": "ml"} | options
    return fit_mixed(f"{outcome} ~ {right}", data, **options)


# small, large, df, weights of chi-squared by degrees of freedom
STEPS = [
    ("x + (1 | g)", "x + z + (1 | g)", 1, {1: 1.0}),
    ("x + (1 | g)", "x + (1 | g) + (1 | h)", 1, {0: 0.5, 1: 0.5}),
    ("1 + (1 | g)", "x + (1 | g) + (1 | h)", 2, {1: 0.5, 2: 0.5}),
    ("x + (1 | g)", "x + (1 + x | g)", 2, {1: 0.5, 2: 0.5}),
    ("x + (1 | g)", "x + (1 + x || g)", 1, {0: 0.5, 1: 0.5}),
    ("x + (1 + x || g)", "x + (1 + x | g)", 1, {1: 1.0}),
    ("x + (1 + x | g)", "x + (1 + x + z | g)", 3, {2: 0.5, 3: 0.5}),
    ("x + (1 | h)", "x + (1 | h) + (1 + x || g)", 2, {0: 0.25, 1: 0.5, 2: 0.25}),
    ("x + (1 | h)", "x + (1 | h) + (1 + x | g)", 3, {3: 1.0}),
    ("x + (1 | g)", "x + (1 + x + z | g)", 5, {5: 1.0}),
]


@pytest.mark.parametrize(("small", "large", "df", "weights"), STEPS)
def test_reference_distribution(data, small, large, df, weights):
    pair = _fit(data, small), _fit(data, large)
    step = step_between(*pair, "compare_fits")
    assert step.df == df
    assert _mixture(step) == pytest.approx(weights)
    table = compare_fits(*pair).iloc[0]
    assert table["statistic"] == pytest.approx(2 * (pair[1].loglik - pair[0].loglik))
    plain = compare_fits(*pair, boundary="none").iloc[0]
    assert plain["p_value"] == pytest.approx(stats.chi2.sf(table["statistic"], df))
    assert table["p_value"] <= plain["p_value"] + 1e-12


def test_zero_statistic_has_p_value_one():
    assert _p_value(0.0, {0: 0.5, 1: 0.5}) == 1.0
    assert _p_value(1e-9, {0: 0.5, 1: 0.5}) < 0.51


def test_reference_says_what_it_is(data):
    many = compare_fits(_fit(data, "x + (1 | h)"), _fit(data, "x + (1 | h) + (1 + x || g)")).iloc[0]
    assert "an approximation" in many["reference"]
    both = compare_fits(_fit(data, "x + (1 | h)"), _fit(data, "x + (1 | h) + (1 + x | g)")).iloc[0]
    assert "upper bound" in both["reference"]
    plain = compare_fits(_fit(data, "x + (1 | g)"), _fit(data, "x + (1 + x || g)"), boundary="none").iloc[0]
    assert "not allowed for" in plain["reference"]


def test_other_families(data):
    table = compare_fits(
        _fit(data, "x + (1 | g)", "b", family="binomial"),
        _fit(data, "x + (1 | g) + (1 | h)", "b", family="binomial"),
    )
    assert table["df"].item() == 1
    free = _fit(data, "x + (1 | g)", "o", family="ordinal")
    equal = _fit(data, "x + (1 | g)", "o", family="ordinal", thresholds="equidistant")
    assert compare_fits(equal, free)["df"].item() == 2
    with pytest.raises(SpecError, match="stricter thresholds"):
        compare_fits(free, equal)


def test_restricted_likelihoods(data):
    small, large = _fit(data, "x + (1 | g)", method="reml"), _fit(data, "x + (1 + x | g)", method="reml")
    assert compare_fits(small, large)["df"].item() == 2
    with pytest.raises(SpecError, match="different fixed effects"):
        compare_fits(small, _fit(data, "x + z + (1 | g)", method="reml"))
    with pytest.raises(SpecError, match="REML and the other by ML"):
        compare_fits(small, _fit(data, "x + (1 + x | g)"))


def test_everything_wrong_is_said_at_once(data):
    small = _fit(data, "x + (1 + x | g) + (1 | h)")
    large = _fit(data.iloc[:300], "z + (1 | h)", "b", family="binomial")
    with pytest.raises(SpecError) as caught:
        compare_fits(small, large)
    text = str(caught.value)
    for part in (
        "family is 'gaussian'",
        "400 and 300 rows",
        "different outcomes",
        "lacks the terms x",
        "g: x",
    ):
        assert part in text


def test_what_cannot_be_compared(data):
    small = _fit(data, "x + (1 | g)")
    with pytest.raises(SpecError, match="nothing to test"):
        compare_fits(small, small)
    with pytest.raises(SpecError, match="lacks correlations"):
        compare_fits(_fit(data, "x + (1 + x | g)"), _fit(data, "x + (1 + x || g) + (1 | h)"))
    with pytest.raises(SpecError, match="different rows or values"):
        compare_fits(small, _fit(data.assign(y=data["y"] + 1), "x + z + (1 | g)"))
    with pytest.raises(SpecError, match="Did you mean"):
        compare_fits(small, small, boundary="aut")
    with pytest.raises(SpecError, match="fit_mixed, not dict"):
        compare_fits({}, small)


def test_smaller_model_with_higher_likelihood_is_an_error(data):
    from dataclasses import replace

    small, large = _fit(data, "x + (1 | g)"), _fit(data, "x + z + (1 | g)")
    with pytest.raises(EstimationError, match="not at its optimum"):
        compare_fits(replace(small, loglik=large.loglik + 1), large)


def test_stored_fits_compare(data):
    from jobchance import Fit

    small, large = _fit(data, "x + (1 | g)"), _fit(data, "x + z + (1 | g)")
    again = [Fit.from_dict(f.to_dict()) for f in (small, large)]
    pd.testing.assert_frame_equal(compare_fits(*again), compare_fits(small, large))


def test_an_iterative_determinant_is_said_beside_the_reference():
    data = pd.DataFrame(
        {"y": [1.0, 2, 4, 5, 9, 8, 3, 4], "x": [0.0, 1, 2, 1, 0, 2, 1, 1], "g": list("aabbccdd")}
    )
    small, large = (fit_mixed(f"y ~ {x} + (1 | g)", data, method="ml") for x in ("1", "1 + x"))
    assert "iterative" not in compare_fits(small, large)["reference"].item()
    blurred = replace(large, statistics=dict(large.statistics) | {"loglik_error": 0.25})
    assert "standard error of 0.5" in compare_fits(small, blurred)["reference"].item()
