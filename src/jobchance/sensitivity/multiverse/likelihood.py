"""Logit and mixed estimators: a fit, and for a curved link the average difference that a step makes."""

from __future__ import annotations

import numpy as np
import pandas as pd

from jobchance.design.columns import numeric_values
from jobchance.effects.averages import ask, average, predict_rows, rows_of
from jobchance.effects.comparisons import comparisons
from jobchance.errors import SpecError
from jobchance.models.glm import fit_glm
from jobchance.models.mixed import fit_mixed
from jobchance.results.fit import Fit
from jobchance.results.parts import Floats
from jobchance.sensitivity.multiverse.filled import Prepared
from jobchance.sensitivity.multiverse.linear_fit import about, coefficient, formula_of, term_of, vcov_of
from jobchance.sensitivity.multiverse.rows import Answer
from jobchance.sensitivity.multiverse.specification import Specification


def fit_likelihood(spec: Specification, prepared: Prepared) -> Fit:
    """The fit of a `logit`, `mixed` or `mixed_logit` specification.

    Raises
    ------
    SpecError
        A mixed estimator without a random-effects term.
    FormulaError, DesignError, EstimationError
        See `fit_glm` and `fit_mixed`.
    """
    if spec.estimator == "logit":
        formula = formula_of(spec, prepared.terms)
        return fit_glm(formula, prepared.frame, family="binomial", vcov=vcov_of(spec))
    if not spec.random:
        raise SpecError(
            f"estimator {spec.estimator!r} needs a random-effects term, such as (1 | citizen_id)."
        )
    family = "gaussian" if spec.estimator == "mixed" else "binomial"
    fit = fit_mixed(formula_of(spec, prepared.terms, random=True), prepared.frame, family=family)
    return fit if spec.vcov == "model" else fit.with_vcov(vcov_of(spec))


def answer_of(spec: Specification, fit: Fit, *, step: float, unit: str) -> Answer:
    """Percentage points of the outcome for a step of the exposure.

    The linear model's is its coefficient; behind the logit link it is the average difference of
    `comparisons`, random effects integrated over, which only the model's own standard errors go with. The
    step is centred, from half a step below each row's value to half a step above: one upwards would leave
    the scale where answers are high, where the logit is steepest, and could not be set beside a coefficient.

    Raises
    ------
    EstimationError
        The exposure has no coefficient.
    SpecError
        Clustered standard errors of an integrated difference.
    """
    if spec.estimator == "mixed":
        return coefficient(spec, fit, step=step, unit=unit)
    term_of(spec, fit)
    below = _shifted(rows_of(fit, None), spec.exposure, -step / 2)
    found = comparisons(fit, spec.exposure, data=below, contrast=step).iloc[0]
    return Answer(
        estimate=float(found["estimate_pp"]),
        std_error=100 * float(found["std_error"]),
        df=float(found["df"]),
        unit=unit,
        **about(fit),
    )


def delta(spec: Specification, fit: Fit, *, step: float) -> Floats:
    """Derivative (k,) of the reported number by the fit's coefficients; rows and variances taken as known.

    Raises
    ------
    EstimationError, SpecError
        As in `answer_of`.
    """
    place = list(fit.terms).index(term_of(spec, fit))
    if spec.estimator == "mixed":
        return np.asarray(100 * step * np.eye(len(fit.terms))[place])
    question, frame = ask(fit, "integrated"), rows_of(fit, None)
    ends = (_shifted(frame, spec.exposure, half) for half in (step / 2, -step / 2))
    high, low = (average(question, predict_rows(question, data)).gradient[0] for data in ends)
    return np.asarray(100 * (high - low)[question.n_theta :])


def _shifted(frame: pd.DataFrame, exposure: str, by: float) -> pd.DataFrame:
    """The rows with another value of the exposure."""
    return frame.assign(**{exposure: numeric_values(frame, exposure) + by})
