"""`fit_mixed`: multilevel models with any crossed and nested random effects, exact to the optimum."""

from __future__ import annotations

from typing import Literal

import pandas as pd

from jobchance.compute.base import Compute
from jobchance.errors import SpecError
from jobchance.models.mixed_model import OUTCOMES, build_model
from jobchance.models.mixed_options import check_options
from jobchance.models.mixed_partitioned import fit_partitions
from jobchance.models.partitions import RowPartitions
from jobchance.models.partitions_question import Question
from jobchance.results.fit import Fit


def fit_mixed(
    formula: str,
    data: pd.DataFrame | RowPartitions,
    *,
    family: str = "gaussian",
    link: str | None = None,
    method: str = "reml",
    n_quad: int = 1,
    weights: str | None = None,
    offset: str | None = None,
    thresholds: Literal["free", "symmetric", "equidistant"] = "free",
    compute: Compute | None = None,
) -> Fit:
    r"""Multilevel (mixed) model with any number of crossed and nested random effects.

    .. math:: g(E[y \mid b]) = o + X\beta + Zb, \qquad b_l \sim N(0, \Sigma_g)
              \text{ for every level } l \text{ of grouping } g

    Linear models maximise the exact (restricted) likelihood, others its Laplace approximation with the
    observed information, or adaptive quadrature. Ordinal models are cumulative,
    :math:`P(y \le k) = F(\alpha_k - X\beta - Zb)`: a positive coefficient raises the answer. Gradients are
    exact, and convergence is proved by gradient and Hessian at the solution.

    Parameters
    ----------
    formula : str
        In lme4's notation: `job ~ belief + (1 | citizen_id) + (1 + belief | caseworker_id)`, `(x || g)`,
        `(1 | jobcentre_id/team_id)`; binomial counts as `cbind(successes, failures)`.
    data : DataFrame or RowPartitions
        One row per observation; rows with a missing value are dropped and counted. Partitions are read one
        at a time, and give the same estimates without the rows being held together; the fit then has no rows
        behind it, so that `augment` and `with_vcov` are not possible.
    family : str
        `"gaussian"`, `"binomial"`, `"poisson"` or `"ordinal"`.
    link : str or None
        Binomial and ordinal: `"logit"` (default), `"probit"`, `"cloglog"`; others have one link.
    method : str
        `"reml"` (default) or `"ml"` for gaussian; other families are fitted by maximum likelihood.
    n_quad : int
        Points of adaptive Gauss-Hermite quadrature over the grouping with most levels. 1 is the Laplace
        approximation; with several rows of 0/1 per person 7 removes most of its bias. Rows that end with
        a person's one event (a hazard) need far more: `fit_hazard(frailty=...)` chooses.
    weights : str or None
        Column of prior weights: inverse variances (gaussian), trials of a share (binomial), numbers of equal
        rows (Poisson, ordinal).
    offset : str or None
        Column added to the linear predictor.
    thresholds : str
        Ordinal: `"free"`, `"symmetric"` about their centre, or `"equidistant"`.
    compute : LocalCompute, DaskCompute or None
        With partitions: where they are read and worked on; `None` is this process.

    Returns
    -------
    Fit
        `variance_components` has one row per random effect and one for the residual; `correlation` is that
        with the first effect of the term, further correlations have rows of their own (`a.b`, without `sd`).
        Ordinal fits name thresholds `1|2`, `2|3`, ... before the coefficients. `random_effects(group)` are
        conditional modes with conditional standard deviations. `is_singular` says that a variance is
        estimated at zero or a correlation at one.

    Raises
    ------
    SpecError
        Options that do not fit together; all at once.
    FormulaError
        The formula cannot be read, or columns are absent.
    DesignError
        No random term, a grouping with one level, as many random effects as rows, two groupings that split
        the rows alike, an outcome that does not vary (binomial, ordinal: not within any level), and the like.
    EstimationError
        The likelihood has no maximum (separation; an outcome that covariates determine) or cannot be
        computed.

    Notes
    -----
    Tests and intervals use the t distribution with Satterthwaite's degrees of freedom, from derivatives of
    the coefficients' covariance by the variances; glmer, clmm and Stata take the normal distribution where
    the model is not linear. Standard errors of others than linear models come from the
    joint Hessian of all parameters, as in glmmTMB, clmm and Stata.

    References
    ----------
    Bates, Maechler, Bolker & Walker (2015), J. Stat. Softw. 67(1); Pinheiro & Chao (2006), J. Comput. Graph.
    Stat. 15, 58-81; Tutz & Hennevogl (1996), Comput. Stat. Data Anal. 22, 537-557.

    Examples
    --------
    >>> data = pd.DataFrame({"y": [1.0, 2, 4, 5, 9, 8], "g": ["a", "a", "b", "b", "c", "c"]})
    >>> fit = fit_mixed("y ~ 1 + (1 | g)", data)
    >>> round(float(fit.params["(Intercept)"]), 3), fit.is_singular
    (4.833, False)
    """
    options = check_options(family=family, link=link, method=method, n_quad=n_quad, thresholds=thresholds)
    if isinstance(data, RowPartitions):
        question = Question(formula, weights, offset, OUTCOMES[options.family], data.by)
        return fit_partitions(question, data, options, compute)
    if compute is not None:
        raise SpecError("compute= serves data in partitions: give RowPartitions, or leave it out.")
    model = build_model(formula, data, options, weights=weights, offset=offset)
    return model.fit(model.y, data)
