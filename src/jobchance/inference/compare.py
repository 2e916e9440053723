"""`compare_fits`: likelihood-ratio test of nested mixed models, also where variances are tested at zero."""

from __future__ import annotations

import math

import pandas as pd
from scipy import stats

from jobchance.errors import EstimationError
from jobchance.inference.nesting import Step, step_between
from jobchance.options import check_option
from jobchance.results.fit import Fit

BOUNDARY = ("auto", "none")
# An LR below ROUNDING is zero: both fits are the same one, found twice. One below -SLACK is an error.
ROUNDING, SLACK = 1e-7, 1e-4


def compare_fits(small: Fit, large: Fit, *, boundary: str = "auto") -> pd.DataFrame:
    r"""Likelihood-ratio test of a mixed model within a larger one.

    .. math:: LR = 2(\log L_{large} - \log L_{small})

    Where the smaller model sets variances to zero, the edge of what they can be, LR is not chi-squared but a
    mixture of such distributions; the ordinary p-value would be about twice too large for one variance.

    The reference by what the larger model adds (other parameters add to the degrees of freedom):

    - one variance: 1/2 chi2(0) + 1/2 chi2(1);
    - one variance with q covariances (a random slope): 1/2 chi2(q) + 1/2 chi2(q + 1);
    - several independent variances: their binomial mixture, exact for a diagonal information matrix, else an
      approximation;
    - several correlated effects in one step: chi2 with all parameters, an upper bound of p.

    Parameters
    ----------
    small, large : Fit
        Of `fit_mixed`, on the same rows. Both by maximum likelihood; REML is allowed where the fixed effects
        are the same.
    boundary : str
        `"auto"` as above; `"none"` the chi-squared distribution whatever is tested.

    Returns
    -------
    DataFrame
        One row: `small large loglik_small loglik_large statistic df p_value reference boundary_parameters`.
        The models are written by their formulas.

    Raises
    ------
    SpecError
        Not mixed fits, not nested as far as their terms tell, other rows, other families, REML with other
        fixed effects; all at once.
    EstimationError
        The smaller model has the higher likelihood: one of them is not at its optimum.

    References
    ----------
    Self & Liang (1987), J. Amer. Statist. Assoc. 82, 605-610; Stram & Lee (1994), Biometrics 50, 1171-1177.

    Examples
    --------
    >>> from jobchance import fit_mixed
    >>> data = pd.DataFrame({"y": [1.0, 2, 4, 5, 9, 8, 3, 3], "g": list("aabbccdd"), "h": list("xyxyxyxy")})
    >>> small, large = fit_mixed("y ~ 1 + (1 | g)", data), fit_mixed("y ~ 1 + (1 | g) + (1 | h)", data)
    >>> compare_fits(small, large)["reference"].item()
    '0.5 chi2(0) + 0.5 chi2(1)'
    """
    check_option("boundary", boundary, BOUNDARY)
    step = step_between(small, large, "compare_fits")
    statistic = likelihood_ratio(small, large)
    weights = _mixture(step) if boundary == "auto" else {step.df: 1.0}
    return pd.DataFrame(
        [
            {
                "small": small.spec["formula"],
                "large": large.spec["formula"],
                "loglik_small": small.loglik,
                "loglik_large": large.loglik,
                "statistic": statistic,
                "df": step.df,
                "p_value": _p_value(statistic, weights),
                "reference": _words(step, weights, boundary) + _blur(small, large),
                "boundary_parameters": sum(sd for sd, _ in step.added),
            }
        ]
    )


def likelihood_ratio(small: Fit, large: Fit) -> float:
    """LR, at least 0.

    Raises
    ------
    EstimationError
        It is below 0 by more than rounding.
    """
    assert small.loglik is not None, "mixed fits have a likelihood"
    assert large.loglik is not None, "mixed fits have a likelihood"
    statistic = 2.0 * (large.loglik - small.loglik)
    if statistic < -SLACK:
        raise EstimationError(
            f"The smaller model has the higher log-likelihood, by {-statistic / 2:.3g}: one of the two fits "
            "is not at its optimum, or they are not nested. Look at `converged` and `remarks` of both."
        )
    return statistic if statistic > ROUNDING else 0.0


def _blur(small: Fit, large: Fit) -> str:
    """A warning where iterative determinants blur the statistic."""
    error = 2.0 * math.hypot(*(fit.statistics.get("loglik_error", 0.0) for fit in (small, large)))
    return f"; iterative determinants: the statistic has a standard error of {error:.1g}" if error else ""


def _mixture(step: Step) -> dict[int, float]:
    """Weights of the chi-squared distributions by their degrees of freedom."""
    weights = {step.fixed: 1.0}
    for sd, cor in step.added:
        parts = {cor: 0.5, cor + 1: 0.5} if sd == 1 else {sd + cor: 1.0}
        made: dict[int, float] = {}
        for df, weight in weights.items():
            for more, share in parts.items():
                made[df + more] = made.get(df + more, 0.0) + weight * share
        weights = made
    return weights


def _p_value(statistic: float, weights: dict[int, float]) -> float:
    """Upper tail of the mixture; chi-squared with 0 degrees of freedom is a mass at 0."""
    tails = {df: float(stats.chi2.sf(statistic, df)) if df else float(statistic <= 0) for df in weights}
    return sum(weight * tails[df] for df, weight in weights.items())


def _words(step: Step, weights: dict[int, float], boundary: str) -> str:
    """The reference distribution in words."""
    if len(weights) == 1:
        text = f"chi2({next(iter(weights))})"
    else:
        text = " + ".join(f"{weight:.6g} chi2({df})" for df, weight in sorted(weights.items()))
    if boundary == "none":
        return text + (", variances at zero not allowed for (p too large)" if step.added else "")
    if any(sd > 1 for sd, _ in step.added):
        return text + ", an upper bound of p: several correlated effects are tested at zero"
    if len(step.added) > 1:
        return text + ", an approximation: several variances are tested at zero"
    return text
