"""Hausman's test of whether fixed and random effects estimate the same coefficients."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from jobchance.errors import DesignError, SpecError
from jobchance.results.fit import Fit


@dataclass(frozen=True)
class HausmanTest:
    """`statistic` ~ chi-squared with `df` degrees of freedom if the effects are unrelated to the covariates.

    `terms` are the coefficients compared; `is_definite` is `False` where the difference of the covariances
    is not positive definite, so that the statistic should not be relied on.
    """

    statistic: float
    df: int
    p_value: float
    terms: tuple[str, ...]
    is_definite: bool


def hausman(within: Fit, random: Fit) -> HausmanTest:
    """Compare a within with a random-effects fit of the same model (Hausman 1978, Econometrica 46).

    `q' (V_within - V_random)^{-1} q` with q the difference of the coefficients that both have, without the
    intercept, and V the covariances from the models.

    Raises
    ------
    SpecError
        The covariances are not from the model (`vcov="model"`), or the fits are of other estimators.
    DesignError
        No coefficient in common.
    """
    given = (within.spec.get("estimator"), random.spec.get("estimator"))
    if given != ("within", "random"):
        raise SpecError(f"hausman compares a within with a random fit, in this order; given: {given}.")
    if {within.inference.kind, random.inference.kind} != {"model"}:
        raise SpecError('hausman needs both fits with vcov="model"; use fit.with_vcov("model").')
    terms = [term for term in within.terms if term in random.terms]
    if not terms:
        raise DesignError("The two fits have no coefficient in common.")
    q = (within.params[terms] - random.params[terms]).to_numpy()
    difference = (within.cov.loc[terms, terms] - random.cov.loc[terms, terms]).to_numpy()
    statistic = float(q @ np.linalg.solve(difference, q))
    definite = bool(np.linalg.eigvalsh(difference).min() > 0)
    return HausmanTest(
        statistic, len(terms), float(stats.chi2.sf(statistic, len(terms))), tuple(terms), definite
    )
