from itertools import pairwise

import numpy as np
import pytest
from scipy import integrate, special

from jobchance.errors import SpecError
from jobchance.numerics.links import get_link
from jobchance.numerics.marginal import marginal

LINKS = ["logit", "probit", "cloglog", "log"]
ETA = [-6.0, -2.0, -0.3, 0.0, 1.0, 4.0]


def _by_hand(link, eta, sd):
    """E h(eta + sd U) piece by piece, an integrator that knows nothing of the rule."""
    inverse = get_link(link).inverse
    edges = np.linspace(-14, 14, 57)
    pieces = [
        integrate.quad(
            lambda u: float(inverse(np.array(eta + sd * u))) * np.exp(-u * u / 2),
            a,
            b,
            epsabs=1e-17,
            epsrel=1e-13,
        )
        for a, b in pairwise(edges)
    ]
    return sum(value for value, _ in pieces) / np.sqrt(2 * np.pi)


@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize("sd", [0.05, 0.3, 1.0, 1.3, 2.0, 5.0, 9.0])
def test_mean_equals_an_adaptive_integral(link, sd):
    if link == "log" and sd > 2:
        pytest.skip("the mass of the integrand lies beyond the range of the integrator")
    found = marginal(link, np.array(ETA), np.full(len(ETA), sd**2)).mean
    np.testing.assert_allclose(found, [_by_hand(link, eta, sd) for eta in ETA], rtol=2e-13)


@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize("variance", [0.2, 1.0, 6.0])
def test_derivatives_equal_differences(link, variance):
    eta, v, step = np.linspace(-3, 2, 9), np.full(9, variance), 1e-4
    made = marginal(link, eta, v)
    by_eta = (marginal(link, eta + step, v).mean - marginal(link, eta - step, v).mean) / (2 * step)
    by_v = (marginal(link, eta, v + step).mean - marginal(link, eta, v - step).mean) / (2 * step)
    np.testing.assert_allclose(made.by_eta, by_eta, rtol=1e-6)
    np.testing.assert_allclose(made.by_variance, by_v, rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize("link", ["identity", *LINKS])
def test_without_variance_it_is_the_inverse_link(link):
    eta = np.linspace(-4, 3, 15)
    made = marginal(link, eta, np.zeros(15))
    np.testing.assert_allclose(made.mean, get_link(link).inverse(eta), rtol=1e-14)
    np.testing.assert_allclose(made.by_eta, get_link(link).derivative(eta), rtol=1e-13)


def test_each_value_has_its_own_variance_and_missing_ones_stay_missing():
    eta, v = np.array([0.5, np.nan, 0.5, -1.0]), np.array([0.0, 1.0, 4.0, np.nan])
    found = marginal("logit", eta, v).mean
    assert found[0] == pytest.approx(special.expit(0.5), rel=1e-14)
    assert found[2] == pytest.approx(_by_hand("logit", 0.5, 2.0), rel=1e-13)
    assert np.isnan(found[[1, 3]]).all()


def test_blocks_of_values_do_not_change_the_numbers(monkeypatch):
    eta, v = np.linspace(-3, 3, 101), np.linspace(0, 4, 101)
    whole = marginal("cloglog", eta, v).mean
    monkeypatch.setattr("jobchance.numerics.marginal._CHUNK", 500)
    np.testing.assert_allclose(marginal("cloglog", eta, v).mean, whole, rtol=1e-14)


def test_another_link_is_refused():
    with pytest.raises(SpecError, match="cauchit"):
        marginal("cauchit", np.zeros(1), np.ones(1))
