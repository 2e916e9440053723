"""Link functions: from the linear predictor eta to the mean mu and back, with the derivative of mu.

Evaluated so that no argument overflows. McCullagh & Nelder (1989), Generalized Linear Models, section 4.3.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from jobchance.options import check_option

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Link:
    """One link: `link(mu) = eta`, `inverse(eta) = mu`, `derivative(eta) = d mu / d eta`."""

    name: str
    link: Callable[[Floats], Floats]
    inverse: Callable[[Floats], Floats]
    derivative: Callable[[Floats], Floats]


def _logistic_density(eta: Floats) -> Floats:
    out: Floats = special.expit(eta) * special.expit(-eta)
    return out


def _cloglog_inverse(eta: Floats) -> Floats:
    out: Floats = -np.expm1(-np.exp(np.minimum(eta, 700.0)))
    return out


def _cloglog_density(eta: Floats) -> Floats:
    bounded = np.minimum(eta, 700.0)
    out: Floats = np.exp(bounded - np.exp(bounded))
    return out


LINKS = {
    "identity": Link("identity", lambda mu: mu, lambda eta: eta, np.ones_like),
    "logit": Link("logit", special.logit, special.expit, _logistic_density),
    "probit": Link("probit", special.ndtri, special.ndtr, lambda eta: np.asarray(stats.norm.pdf(eta))),
    "cloglog": Link("cloglog", lambda mu: np.log(-np.log1p(-mu)), _cloglog_inverse, _cloglog_density),
    "log": Link("log", np.log, np.exp, np.exp),
}


def get_link(name: str) -> Link:
    """The link of this name.

    Raises
    ------
    SpecError
        The name is not one of `LINKS`.
    """
    return LINKS[check_option("link", name, LINKS)]
