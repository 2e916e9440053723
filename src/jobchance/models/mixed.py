"""`fit_mixed`: linear mixed models with one grouping factor, by exact REML or ML.

What it cannot fit correctly it refuses: several factors, other families, quadrature, weights.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from jobchance.design.build import Design, RandomBlock, build_design
from jobchance.design.formula import INTERCEPT
from jobchance.errors import DesignError, SpecError
from jobchance.numerics.one_factor import OneFactor, fit_one_factor
from jobchance.options import check_option
from jobchance.results.covariance import covariance
from jobchance.results.fit import Fit
from jobchance.results.parts import Codes, Floats, Predictor, RandomPart, Rows, Sample
from jobchance.results.provenance import provenance
from jobchance.results.serialise import components_frame
from jobchance.results.vcov import Vcov

FAMILIES = ("gaussian", "binomial", "poisson", "ordinal")
FEW_GROUPS = 30


def fit_mixed(
    formula: str,
    data: pd.DataFrame,
    *,
    family: str = "gaussian",
    link: str | None = None,
    method: str = "reml",
    n_quad: int = 1,
    weights: str | None = None,
    offset: str | None = None,
) -> Fit:
    """Linear mixed model y = X beta + Z b + e with random effects of one grouping factor.

    b_g ~ N(0, Sigma) for each group g, e ~ N(0, sigma^2). The likelihood is profiled over beta and sigma
    and maximised with its exact gradient, so that estimates sit at the optimum and equal lme4's.

    Parameters
    ----------
    formula : str
        In lme4's notation with one random term: `y ~ x + (1 | g)`, `(1 + x | g)` or `(1 + x || g)`.
    data : DataFrame
        One row per observation; rows with a missing value are dropped and counted.
    family, link : str
        `"gaussian"` with the identity link; other families are refused.
    method : str
        `"reml"` (default) or `"ml"`.
    n_quad : int
        1; quadrature belongs to other families.
    weights, offset : None
        Refused when given.

    Returns
    -------
    Fit
        `variance_components` has one row per random term and one for the residual; `correlation` is that with
        the first term of the group, further correlations have rows of their own (`a.b`, without `sd`).
        `statistics` holds `sigma` and, for a random intercept alone, `icc`. `random_effects(group)` are
        conditional modes with conditional standard deviations. `is_singular` says that a variance is
        estimated at zero or a correlation at one.

    Raises
    ------
    SpecError
        A family, option or combination of random terms that is not fitted (crossed, nested, several terms).
    FormulaError
        The formula cannot be read, or columns are absent.
    DesignError
        No random term, as many groups as rows, no variation, and the like.
    EstimationError
        No optimum was found.

    Notes
    -----
    Tests and intervals use the normal distribution, as lme4 prints without lmerTest: with few groups they
    are too narrow, and a note says so. `with_vcov(Cluster(group))` gives a sandwich instead.

    References
    ----------
    Bates, Maechler, Bolker & Walker (2015), J. Stat. Softw. 67(1).

    Examples
    --------
    >>> data = pd.DataFrame({"y": [1.0, 2, 4, 5, 9, 8], "g": ["a", "a", "b", "b", "c", "c"]})
    >>> fit = fit_mixed("y ~ 1 + (1 | g)", data)
    >>> round(float(fit.params["(Intercept)"]), 3), fit.is_singular
    (4.833, False)
    """
    _refuse_options(family=family, link=link, n_quad=n_quad, weights=weights, offset=offset)
    check_option("method", method, ("reml", "ml"))
    design = build_design(formula, data)
    block = _one_block(design)
    _check_size(design, block)
    return fit_random_part(
        design.matrix,
        design.outcome,
        design.columns,
        block=block,
        rows=(data, design.used),
        context=MixedContext(
            model=f"linear mixed ({method.upper()})",
            outcome=design.outcome_name,
            formula=design.formula.text,
            method=method,
            sample=Sample(len(design.outcome), design.groups, design.dropped, 0, collinear_terms(design)),
            predictor=design.layout,
        ),
    )


def collinear_terms(design: Design) -> tuple[str, ...]:
    """Columns that the design left out, with the reason."""
    return tuple(f"{name} (earlier columns determine it)" for name in design.collinear)


@dataclass(frozen=True, eq=False)
class MixedContext:
    """What a fit says about itself beside its numbers."""

    model: str
    outcome: str
    formula: str
    method: str
    sample: Sample
    predictor: Predictor | None


def fit_random_part(
    X: Floats,
    y: Floats,
    names: tuple[str, ...],
    *,
    block: RandomBlock,
    rows: tuple[pd.DataFrame, Codes],
    context: MixedContext,
    vcov: Vcov = "model",
) -> Fit:
    """Estimate from matrices and dress the numbers as a `Fit`; shared with the hybrid panel model."""
    est = fit_one_factor(
        X, y, block.matrix, block.codes, restricted=context.method == "reml", correlated=block.correlated
    )
    fixed = X @ est.beta
    behind = _rows(X, y, est, fixed, block, rows)
    cov, inference = covariance(behind, vcov)
    return Fit(
        model=context.model,
        outcome=context.outcome,
        terms=names,
        estimates=est.beta,
        covariance=cov,
        inference=inference,
        sample=context.sample,
        spec={
            "formula": context.formula,
            "family": "gaussian",
            "link": "identity",
            "method": context.method,
        },
        loglik=est.loglik,
        criterion=est.criterion,
        is_singular=est.is_singular,
        variance_components=_components(block, est),
        statistics=_statistics(block, est),
        conventions={
            "log-likelihood": "restricted, without log|X'X| (as lme4)"
            if context.method == "reml"
            else "full",
            "distribution": "normal for the model's standard errors, t with G - 1 for clustered ones",
        },
        remarks=_remarks(block, est),
        provenance=provenance(context.formula),
        predictor=context.predictor,
        random=(_modes(block, est),),
        rows=behind,
    )


def _refuse_options(
    *, family: str, link: str | None, n_quad: int, weights: str | None, offset: str | None
) -> None:
    """Say everything at once that is asked for but not fitted."""
    check_option("family", family, FAMILIES)
    problems = []
    if family != "gaussian":
        problems.append(
            f"family={family!r} with random effects is not fitted; use fit_glm with clustered "
            "standard errors, or a linear probability model here"
        )
    if link not in (None, "identity"):
        problems.append(f"link={link!r}: linear mixed models have the identity link")
    if n_quad != 1:
        problems.append("n_quad: quadrature is not needed for, and not offered with, linear models")
    if weights is not None:
        problems.append("weights are not fitted")
    if offset is not None:
        problems.append("an offset is not fitted; subtract it from the outcome")
    if problems:
        raise SpecError("fit_mixed refuses, rather than fit wrongly: " + "; ".join(problems) + ".")


def _one_block(design: Design) -> RandomBlock:
    """The single random term, or a refusal that names what was asked for."""
    if not design.random:
        raise DesignError("fit_mixed needs a random term such as (1 | caseworker_id); else use fit_glm.")
    if len(design.random) == 1:
        return design.random[0]
    groups = [block.group for block in design.random]
    if len(set(groups)) == 1:
        raise SpecError(
            f"Several random terms of {groups[0]}: write them as one, (1 + x | {groups[0]}) or, without "
            f"correlations, (1 + x || {groups[0]})."
        )
    raise SpecError(
        f"Crossed or nested random effects ({', '.join(groups)}) are not fitted, rather than fitted "
        "wrongly: fit one grouping factor, and cover the other with Cluster(...) through with_vcov."
    )


def _check_size(design: Design, block: RandomBlock) -> None:
    """More rows than random effects, and more than one group."""
    n, groups, terms = len(design.outcome), len(block.levels), block.matrix.shape[1]
    if groups < 2:
        raise DesignError(f"Column {block.group} has {groups} level in the rows used; at least 2 are needed.")
    if groups * terms >= n:
        raise DesignError(
            f"{groups} levels of {block.group} with {terms} random effects each cannot be told apart "
            f"from the residual in {n} rows: rows must outnumber random effects."
        )


def _rows(
    X: Floats,
    y: Floats,
    est: OneFactor,
    fixed: Floats,
    block: RandomBlock,
    rows: tuple[pd.DataFrame, Codes],
) -> Rows:
    """Rows behind the fit; scores are rows of V^{-1}X times the residual of the fixed part."""
    Z, codes = block.matrix, block.codes
    share = est.mode_cov / est.sigma2  # Lambda K^{-1} Lambda'
    sums = np.stack(
        [[np.bincount(codes, weights=z * x, minlength=len(share)) for x in X.T] for z in Z.T]
    ).transpose(2, 0, 1)
    weighted = X - np.einsum("nq,nqp->np", Z, (share @ sums)[codes])
    return Rows(
        frame=rows[0],
        used=rows[1],
        outcome=y,
        fitted=fixed + np.sum(Z * est.modes[codes], axis=1),
        fitted_fixed=fixed,
        scores=weighted * ((y - fixed) / est.sigma2)[:, None],
        bread=est.cov,
        model_cov=est.cov,
        df_resid=math.inf,
        k=X.shape[1],
        bound={block.group: codes},
        model_label="from the model, variances taken as known",
    )


def _components(block: RandomBlock, est: OneFactor) -> pd.DataFrame:
    """Standard deviations and correlations of the random effects, then the residual."""
    names, sigma = block.layout.columns, np.sqrt(np.diag(est.cov_random))
    with np.errstate(invalid="ignore", divide="ignore"):
        correlation = est.cov_random / np.outer(sigma, sigma)
    q = len(names)

    def pair(a: int, b: int) -> float | None:
        value = float(correlation[a, b])
        return value if block.correlated and a != b and math.isfinite(value) else None

    records = [
        {"group": block.group, "term": names[i], "sd": sigma[i], "variance": sigma[i] ** 2}
        | {"correlation": pair(0, i)}
        for i in range(q)
    ]
    records += [
        {"group": block.group, "term": f"{names[i]}.{names[j]}", "correlation": pair(i, j)}
        for i in range(1, q)
        for j in range(i + 1, q)
        if block.correlated
    ]
    residual = {"group": "Residual", "term": "residual", "sd": math.sqrt(est.sigma2), "variance": est.sigma2}
    return components_frame([*records, residual])


def _statistics(block: RandomBlock, est: OneFactor) -> dict[str, float]:
    """Residual standard deviation; share of variance between groups where that is one number."""
    made = {"sigma": math.sqrt(est.sigma2)}
    if block.layout.columns == (INTERCEPT,):
        between = float(est.cov_random[0, 0])
        made["icc"] = between / (between + est.sigma2)
    return made


def _modes(block: RandomBlock, est: OneFactor) -> RandomPart:
    """Conditional modes and standard deviations by level."""
    only_intercept = block.layout.columns == (INTERCEPT,)
    return RandomPart(
        group=block.group,
        terms=block.layout.columns,
        levels=block.levels,
        modes=est.modes,
        mode_sds=np.sqrt(np.maximum(np.diagonal(est.mode_cov, axis1=1, axis2=2), 0.0)),
        predictor=None if only_intercept else block.layout,
    )


def _remarks(block: RandomBlock, est: OneFactor) -> tuple[str, ...]:
    made = []
    if est.is_singular:
        made.append(
            f"Singular fit: a variance of {block.group} is estimated at zero, or random effects are "
            "perfectly correlated. The data do not support all random effects; coefficients are still valid."
        )
    if len(block.levels) < FEW_GROUPS:
        made.append(
            f"{len(block.levels)} levels of {block.group}: with fewer than {FEW_GROUPS}, standard errors are "
            "usually too small and intervals too narrow."
        )
    return tuple(made)
