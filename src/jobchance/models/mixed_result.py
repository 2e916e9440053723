"""From the arrays of an estimate to a `Fit`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd

from jobchance.design.build import Design
from jobchance.design.formula import INTERCEPT
from jobchance.errors import EstimationError
from jobchance.models.mixed_estimate import endless
from jobchance.models.mixed_input import Term
from jobchance.models.mixed_options import MixedOptions
from jobchance.numerics.links import get_link
from jobchance.numerics.mixed.estimate import MixedEstimate
from jobchance.results.covariance import covariance
from jobchance.results.fit import Fit
from jobchance.results.parts import (
    Codes,
    Floats,
    JointCovariance,
    Predictor,
    RandomPart,
    RandomStructure,
    Rows,
    Sample,
)
from jobchance.results.provenance import provenance
from jobchance.results.serialise import components_frame
from jobchance.results.vcov import Vcov

FEW_GROUPS = 30
FEW_ROWS = 15
UNBELIEVABLE = 10.0  # standard deviation on the scale of a link
_MODELS = {
    "gaussian": "linear mixed",
    "binomial": "binomial mixed",
    "poisson": "Poisson mixed",
    "ordinal": "ordinal mixed",
}


@dataclass(frozen=True, eq=False)
class MixedContext:
    """What a fit says about itself beside its numbers."""

    outcome: str
    formula: str
    options: MixedOptions
    sample: Sample
    predictor: Predictor | None
    model: str | None = None
    levels: tuple[str, ...] | None = None
    weights: str | None = None
    offset: str | None = None
    notes: tuple[str, ...] = ()


def collinear_terms(design: Design) -> tuple[str, ...]:
    """Columns that the design left out, with the reason."""
    return tuple(f"{name} (earlier columns determine it)" for name in design.collinear)


def assemble(
    estimate: MixedEstimate,
    terms: Sequence[Term],
    *,
    names: tuple[str, ...],
    rows: tuple[pd.DataFrame, Codes],
    outcome: Floats,
    context: MixedContext,
    vcov: Vcov = "model",
) -> Fit:
    """Dress the numbers as a `Fit`.

    Raises
    ------
    EstimationError
        The likelihood has no maximum.
    """
    if estimate.runaway:
        raise EstimationError(endless(context.options))
    options, levels = context.options, context.levels if context.options.family == "ordinal" else None
    cuts = () if levels is None else tuple(f"{a}|{b}" for a, b in pairwise(levels))
    coefficients = (*cuts, *names)
    behind = _rows(estimate, terms, len(cuts), rows, outcome, options)
    cov, inference = covariance(behind, vcov)
    return Fit(
        model=context.model or _model(options),
        outcome=context.outcome,
        terms=coefficients,
        estimates=estimate.coefficients,
        covariance=cov,
        inference=inference,
        sample=context.sample,
        spec=_spec(context),
        loglik=estimate.loglik,
        criterion=estimate.criterion,
        n_scale=estimate.n_free - len(coefficients) if cuts else 0,
        converged=estimate.converged,
        is_singular=any(estimate.singular),
        variance_components=_components(terms, estimate),
        statistics=_statistics(terms, estimate),
        conventions=_conventions(options),
        remarks=(*context.notes, *_remarks(terms, estimate), *_few_rows(terms, context)),
        provenance=provenance(context.formula),
        predictor=context.predictor,
        random=tuple(_modes(term, estimate) for term in terms),
        structure=tuple(_structure(term, estimate) for term in terms),
        joint=_joint(terms, estimate, coefficients),
        rows=behind,
    )


def _model(options: MixedOptions) -> str:
    if options.family == "gaussian":
        return f"linear mixed ({options.method.upper()})"
    how = "Laplace" if options.n_quad == 1 else f"quadrature, {options.n_quad} points"
    return f"{_MODELS[options.family]} {options.link} ({how})"


def _spec(context: MixedContext) -> dict[str, object]:
    """What was asked for, as JSON values."""
    options = context.options
    spec: dict[str, object] = {
        "formula": context.formula,
        "family": options.family,
        "link": options.link,
        "method": options.method,
        "n_quad": options.n_quad,
        "weights": context.weights,
        "offset": context.offset,
    }
    if context.levels is not None:
        spec["levels"] = list(context.levels)
    if options.family == "ordinal":
        spec["thresholds"] = options.thresholds
    return spec


def _rows(
    estimate: MixedEstimate,
    terms: Sequence[Term],
    n_cuts: int,
    rows: tuple[pd.DataFrame, Codes],
    outcome: Floats,
    options: MixedOptions,
) -> Rows:
    """Rows behind the fit."""
    gaussian = options.family == "gaussian"
    eta, fixed = estimate.linear + estimate.random, estimate.linear
    if options.family == "ordinal":
        fitted, typical = (
            _expected(estimate, n_cuts, eta, options),
            _expected(estimate, n_cuts, fixed, options),
        )
    else:
        link = get_link(options.link)
        fitted, typical = link.inverse(eta), link.inverse(fixed)
    return Rows(
        frame=rows[0],
        used=rows[1],
        outcome=outcome,
        fitted=fitted,
        fitted_fixed=typical,
        scores=estimate.scores,
        bread=estimate.covariance,
        model_cov=estimate.covariance,
        df_resid=tuple(estimate.df.tolist()),
        k=len(estimate.coefficients),
        uses_t=gaussian,
        bound={term.block.group: term.block.codes for term in terms},
        model_label="from the model, variances taken as known; Satterthwaite's degrees of freedom"
        if gaussian
        else "from the joint Hessian of all parameters; Satterthwaite's degrees of freedom",
    )


def _expected(estimate: MixedEstimate, n_cuts: int, eta: Floats, options: MixedOptions) -> Floats:
    """Expected code of an ordinal outcome, 0 for the lowest level: sum over k of P(y > k)."""
    link = get_link(options.link)
    made = np.zeros(len(eta))
    for cut in estimate.coefficients[:n_cuts]:
        made += 1.0 - link.inverse(cut - eta)
    return made


def _relative(term: Term, estimate: MixedEstimate) -> Floats:
    """Lambda of one term."""
    return _structure(term, estimate).relative_factor()


def _structure(term: Term, estimate: MixedEstimate) -> RandomStructure:
    """Covariance of one term."""
    theta = estimate.theta[term.factor][term.first_theta : term.first_theta + term.n_theta]
    columns = term.block.layout.columns
    return RandomStructure(
        group=term.block.group,
        columns=columns,
        sizes=term.sizes,
        theta=tuple(float(t) for t in theta),
        predictor=None if columns == (INTERCEPT,) else term.block.layout,
    )


def _components(terms: Sequence[Term], estimate: MixedEstimate) -> pd.DataFrame:
    """Standard deviations and correlations of the random effects, then the residual."""
    scale = 1.0 if estimate.sigma is None else estimate.sigma
    records: list[dict[str, object]] = []
    for term in terms:
        factor = scale * _relative(term, estimate)
        records += _term_records(term, factor @ factor.T)
    if estimate.sigma is not None:
        records.append(
            {"group": "Residual", "term": "residual", "sd": estimate.sigma, "variance": estimate.sigma**2}
        )
    return components_frame(records)


def _term_records(term: Term, cov: Floats) -> list[dict[str, object]]:
    """Rows of one term: sds with the correlation with the first effect, then the other correlations."""
    names, sigma, group = term.block.layout.columns, np.sqrt(np.diag(cov)), term.block.group
    with np.errstate(invalid="ignore", divide="ignore"):
        correlation = cov / np.outer(sigma, sigma)
    q, correlated = len(names), term.block.correlated

    def pair(a: int, b: int) -> float | None:
        value = float(correlation[a, b])
        return value if correlated and a != b and math.isfinite(value) else None

    records: list[dict[str, object]] = [
        {"group": group, "term": names[i], "sd": float(sigma[i]), "variance": float(cov[i, i])}
        | {"correlation": pair(0, i)}
        for i in range(q)
    ]
    further = [(i, j) for i in range(1, q) for j in range(i + 1, q) if correlated]
    return records + [
        {"group": group, "term": f"{names[i]}.{names[j]}", "correlation": pair(i, j)} for i, j in further
    ]


def _statistics(terms: Sequence[Term], estimate: MixedEstimate) -> dict[str, float]:
    """Distance to the optimum in standard errors, residual sd, and the share of variance between groups.

    The share is there where it is one number.
    """
    made = {"distance": estimate.distance} if estimate.converged else {}
    if estimate.criterion_error:
        made["loglik_error"] = estimate.criterion_error / 2
    if estimate.sigma is None:
        return made
    made["sigma"] = estimate.sigma
    if len(terms) == 1 and terms[0].block.layout.columns == (INTERCEPT,):
        relative = float(estimate.theta[0][0]) ** 2
        made["icc"] = relative / (1.0 + relative)
    return made


def _conventions(options: MixedOptions) -> dict[str, str]:
    """Choices that other software makes differently."""
    if options.family == "gaussian":
        return {
            "log-likelihood": "restricted, without log|X'X| (as lme4)"
            if options.method == "reml"
            else "full",
            "distribution": "t with Satterthwaite's degrees of freedom for the model's standard errors, t "
            "with G - 1 for clustered ones",
        }
    made = {
        "log-likelihood": "all constants included (as lme4 with nAGQ=1, glmmTMB, clmm)",
        "approximation": "Laplace with the observed information (as glmmTMB and clmm; lme4 uses the expected "
        "one, which differs for probit and cloglog)"
        if options.n_quad == 1
        else f"adaptive Gauss-Hermite quadrature with {options.n_quad} points over the grouping with most "
        "levels, Laplace over the others",
        "distribution": "t with Satterthwaite's degrees of freedom for the model's standard errors (R and "
        "Stata take the normal, too narrow for what few groups carry), normal for clustered ones",
    }
    if options.family == "ordinal":
        made["sign"] = (
            "P(y <= k) = F(threshold - x'b): a positive coefficient raises the answer (as clmm, meologit)"
        )
    return made


def _modes(term: Term, estimate: MixedEstimate) -> RandomPart:
    """Conditional modes and standard deviations by level."""
    columns = term.block.layout.columns
    variances = np.diagonal(estimate.mode_covariances[term.factor], axis1=1, axis2=2)[:, term.slice]
    return RandomPart(
        group=term.block.group,
        terms=columns,
        levels=term.block.labels,
        modes=estimate.modes[term.factor][:, term.slice],
        mode_sds=np.sqrt(np.maximum(variances, 0.0)),
        predictor=None if columns == (INTERCEPT,) else term.block.layout,
    )


def _joint(terms: Sequence[Term], estimate: MixedEstimate, coefficients: tuple[str, ...]) -> JointCovariance:
    """Covariance of all parameters under their names, random-effect parameters term by term."""
    names: list[str] = []
    groups = {term.factor: term.block.group for term in terms}
    for f, theta in enumerate(estimate.theta):
        names += [f"theta[{groups[f]}.{i + 1}]" for i in range(len(theta))]
    values = [*estimate.theta, *([] if estimate.sigma is None else [np.array([math.log(estimate.sigma)])])]
    if estimate.sigma is not None:
        names.append("log(sigma)")
    return JointCovariance(
        (*names, *coefficients), np.concatenate([*values, estimate.coefficients]), estimate.joint
    )


def _remarks(terms: Sequence[Term], estimate: MixedEstimate) -> tuple[str, ...]:
    """What a reader must know."""
    made = [] if estimate.converged else [estimate.message]
    if estimate.criterion_error:
        made.append(
            "The log-determinant of so many crossed random effects is iterative: the log-likelihood has a "
            f"standard error of {estimate.criterion_error / 2:.1g}. Likelihood ratios that are not many "
            "times larger mean nothing; coefficients and standard errors are hardly touched."
        )
    lost = [g for f, g in {t.factor: t.block.group for t in terms}.items() if estimate.singular[f]]
    if lost:
        made.append(
            f"Singular fit: a variance of {', '.join(lost)} is estimated at zero, or random effects are "
            "perfectly correlated. The data do not support all random effects; coefficients are still valid."
        )
    made += [
        f"The random effects of {term.block.group} have a standard deviation of {size:.3g} on the scale of "
        "the link: within most of its levels the outcome hardly varies. That number, and coefficients that "
        "grow with it, are not reliable."
        for term, size in zip(terms, [_reach(term, estimate) for term in terms], strict=True)
        if estimate.sigma is None and size > UNBELIEVABLE
    ]
    made += [
        f"{term.block.n_levels} levels of {term.block.group}: with fewer than {FEW_GROUPS}, its variance is "
        "poorly known and intervals that rest on it are rough."
        for term in {t.factor: t for t in terms}.values()
        if term.block.n_levels < FEW_GROUPS
    ]
    return tuple(made)


def _few_rows(terms: Sequence[Term], context: MixedContext) -> list[str]:
    """A remark where Laplace is known to be biased: few answers of few kinds for each level."""
    options = context.options
    single = options.family == "binomial" and not (context.weights or context.outcome.startswith("cbind("))
    if options.n_quad > 1 or not (single or options.family == "ordinal"):
        return []
    block = max((term.block for term in terms), key=lambda block: block.n_levels)
    rows = context.sample.nobs / block.n_levels
    if rows >= FEW_ROWS:
        return []
    return [
        f"{rows:.1f} rows for each level of {block.group}: the Laplace approximation makes its standard "
        "deviation too small (by 4 to 5 % with seven 0/1 rows); n_quad=7 removes most of that."
    ]


def _reach(term: Term, estimate: MixedEstimate) -> float:
    """Standard deviation over the rows of what a term adds to the linear predictor."""
    spread = term.block.matrix @ _relative(term, estimate)
    return float(np.sqrt((spread**2).sum(axis=1).mean()))
