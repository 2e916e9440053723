"""`fit_glm`: linear, linear probability, logit, probit, complementary log-log and Poisson regression."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from jobchance.design.build import Design, build_design
from jobchance.design.columns import counted
from jobchance.design.formula import INTERCEPT
from jobchance.errors import DesignError, EstimationError, FormulaError
from jobchance.numerics.irls import GlmSolution, fisher_scoring, least_squares
from jobchance.numerics.links import get_link
from jobchance.numerics.separation import Separation, find_separation, name_terms
from jobchance.options import check_option
from jobchance.results.covariance import covariance
from jobchance.results.fit import Fit
from jobchance.results.parts import Regressors, Rows, Sample
from jobchance.results.provenance import provenance
from jobchance.results.vcov import Cluster, Robust, Vcov, check_vcov, vcov_columns

LINKS = {
    "gaussian": ("identity",),
    "binomial": ("logit", "probit", "cloglog", "identity"),
    "poisson": ("log",),
}
DEFAULT_CLUSTER = "caseworker_id"

_SMALL_SAMPLE = (
    "clustered G/(G-1) * (n-1)/(n-k), robust HC1 n/(n-k), with k coefficients; the same in every estimator "
    "here"
)
_OTHER_SOFTWARE = (
    "Stata's logit, probit, cloglog and poisson and R's vcovCL() for glm use G/(G-1) alone; multiply their "
    "clustered variance by (n-1)/(n-k)"
)


def fit_glm(
    formula: str,
    data: pd.DataFrame,
    *,
    family: str,
    link: str | None = None,
    vcov: Vcov | None = None,
    weights: str | None = None,
) -> Fit:
    """Regression for one outcome per row: `g(E[outcome]) = X beta`.

    Gaussian and binomial with identity link (the linear probability model) are least squares; the others
    are maximum likelihood by Fisher scoring to 1e-8 of a standard error.

    Parameters
    ----------
    formula : str
        `"outcome ~ covariates"`; see `jobchance.design.formula.parse_formula`. No random effects.
    data : DataFrame
        One row per observation; rows with a missing value in a used column are left out and counted.
    family : {"gaussian", "binomial", "poisson"}
        Binomial outcomes are 0/1 or true/false; Poisson outcomes are not negative.
    link : str or None
        Binomial: `"logit"` (default), `"probit"`, `"cloglog"`, `"identity"`; otherwise the family's own.
    vcov : Cluster, Robust, "model" or None
        Kind of standard error. `None`: clustered by `caseworker_id` where the data have that column, else
        `Robust()`; which of them is said in the notes.
    weights : str or None
        Column of weights above 0, such as inverse probabilities of being observed: each row's term of the
        (log-)likelihood or of the sum of squares is multiplied by it. Clustered and robust standard errors
        use the weighted scores and take the weights as known; `"model"` ones read the weights as
        precisions (least squares) or as numbers of equal rows (the others).

    Returns
    -------
    Fit
        Coefficients on the scale of the link. Reference distribution: t with n - k degrees of freedom
        (clustered: G - 1) for least squares, the normal for maximum likelihood.

    Raises
    ------
    FormulaError
        The formula cannot be read, names absent columns or has random effects.
    DesignError
        The data cannot carry the model: no complete rows, more coefficients than rows, an outcome that
        does not vary or that the family does not allow.
    EstimationError
        A term predicts the outcome without error (separation), or the iterations did not converge.

    Notes
    -----
    Not done here: random effects, offsets, grouped counts, absorbed effects. A weighted fit has no
    log-likelihood: with weights other than numbers of equal rows it is none.

    For probit and cloglog two kinds of information exist. Clustered and robust standard errors use the
    observed one (as Stata and statsmodels; R's sandwich uses the expected one); `"model"` uses the expected
    one (as R's `glm` and statsmodels; Stata's `probit` and `cloglog` use the observed one).

    References
    ----------
    McCullagh & Nelder (1989), Generalized Linear Models; Cameron & Miller (2015), J. Human Resources 50.

    Examples
    --------
    >>> import jobchance as jc
    >>> panel = jc.build_panel(jc.simulate_study(seed=1, n_citizens=500))
    >>> fit = jc.fit_glm("outcome ~ expectation", panel.frame, family="binomial")
    >>> fit.model
    'binomial logit'
    """
    check_option("family", family, LINKS)
    chosen = check_option("link", link or LINKS[family][0], LINKS[family])
    errors, remarks = choose_vcov(vcov, data)
    design = build_design(formula, data, required=vcov_columns(errors), weights=weights)
    _check(design, family)
    linear = chosen == "identity"
    if linear:
        solution = _least_squares(design)
    else:
        solution = fisher_scoring(
            design.matrix, design.outcome, family=family, link=get_link(chosen), w=design.weights
        )
        _check_optimum(design, solution, family)
    rows = replace(
        _rows(design, solution, data, linear=linear),
        regressors=_regressors(design, solution, family, chosen),
    )
    cov, inference = covariance(rows, errors)
    return Fit(
        model=_model_name(family, chosen),
        outcome=design.outcome_name,
        terms=design.columns,
        estimates=solution.beta,
        covariance=cov,
        inference=inference,
        sample=Sample(
            nobs=len(design.outcome),
            dropped=design.dropped,
            dropped_terms=tuple(f"{name} (earlier columns determine it)" for name in design.collinear),
        ),
        spec={"formula": formula, "family": family, "link": chosen}
        | ({} if weights is None else {"weights": weights}),
        loglik=None if weights is not None or (family == "binomial" and linear) else solution.loglik,
        criterion=solution.deviance,
        n_scale=int(family == "gaussian"),
        converged=solution.converged,
        statistics=_statistics(design, solution, linear=linear),
        conventions=_conventions(linear=linear),
        remarks=(*remarks, *_remarks(design, solution, family, linear=linear)),
        provenance=provenance(formula),
        predictor=design.layout,
        rows=rows,
    )


def _least_squares(design: Design) -> GlmSolution:
    """Least squares, on rows times the root of their weight; fitted values stay those of the rows."""
    if design.weights is None:
        return least_squares(design.matrix, design.outcome)
    root = np.sqrt(design.weights)
    solution = least_squares(design.matrix * root[:, None], design.outcome * root)
    return replace(solution, mu=design.matrix @ solution.beta)


def choose_vcov(vcov: Vcov | None, data: pd.DataFrame) -> tuple[Vcov, tuple[str, ...]]:
    """The kind of standard error, and a remark where the default was taken."""
    if vcov is not None:
        return check_vcov(vcov), ()
    if isinstance(data, pd.DataFrame) and DEFAULT_CLUSTER in data.columns:
        return Cluster(DEFAULT_CLUSTER), (
            f"No vcov was given: clustered by {DEFAULT_CLUSTER}, the default where data have that column.",
        )
    return Robust(), (
        f"No vcov was given and the data have no column {DEFAULT_CLUSTER}: standard errors are robust to "
        "unequal variances and take the rows to be independent.",
    )


def _check(design: Design, family: str) -> None:
    """Raise one error with everything in the design or the outcome that the family does not allow."""
    if design.random:
        raise FormulaError(
            "fit_glm has no random effects, (... | group); use fit_mixed, or vcov=Cluster(...)."
        )
    y, (n, k) = design.outcome, design.matrix.shape
    problems = []
    if n <= k:
        problems.append(f"{counted(n, 'complete row')} cannot carry {counted(k, 'coefficient')}")
    if n > 1 and np.ptp(y) == 0:
        problems.append(f"the outcome {design.outcome_name} has the same value in all {n} rows used")
    if family == "binomial" and (wrong := int(np.sum((y != 0) & (y != 1)))):
        problems.append(f"{wrong} of {n} outcomes are neither 0 nor 1, which the binomial family needs")
    if family == "poisson" and (wrong := int(np.sum(y < 0))):
        problems.append(f"{wrong} of {n} outcomes are negative, which the poisson family does not allow")
    if problems:
        raise DesignError("The model cannot be fitted: " + "; ".join(problems) + ".")


def _check_optimum(design: Design, solution: GlmSolution, family: str) -> None:
    """Raise an `EstimationError` where there is no finite optimum or it was not reached."""
    mu = solution.mu
    edge = np.minimum(mu, 1 - mu) if family == "binomial" else mu / max(float(design.outcome.mean()), 1e-300)
    if solution.converged and edge.min() > 1e-6:
        return
    found = find_separation(design.matrix, design.outcome, family=family)
    if found is not None:
        raise EstimationError(_separation_message(design, found, binomial=family == "binomial"))
    if not solution.converged:
        raise EstimationError(
            f"The iterations did not converge after {solution.iterations} steps. Look for a covariate with "
            "very large values (rescale it) or for rare levels (merge them)."
        )


def _separation_message(design: Design, found: Separation, *, binomial: bool) -> str:
    """What separates, in how many rows, and what to do."""
    chosen = [j for j in found.columns if design.columns[j] != INTERCEPT] or list(found.columns)
    shown = name_terms(design.columns, chosen)
    verb = "predicts" if len(chosen) == 1 else "together predict"
    return (
        f"No finite estimate exists (separation): {shown} {verb} the outcome without error in {found.n_rows} "
        f"of {len(design.outcome)} rows. Leave the term out or merge rare levels"
        + ('; the linear probability model, link="identity", has an estimate.' if binomial else ".")
    )


def _rows(design: Design, solution: GlmSolution, data: pd.DataFrame, *, linear: bool) -> Rows:
    """The rows behind the fit, with what each kind of standard error needs."""
    n, k = design.matrix.shape
    scale = solution.deviance / (n - k) if linear else 1.0
    label = (
        "from the model (independent errors with one variance)" if linear else "from the model (information)"
    )
    return Rows(
        frame=data,
        used=design.used,
        outcome=design.outcome,
        fitted=solution.mu,
        fitted_fixed=solution.mu,
        scores=solution.scores,
        bread=solution.bread,
        model_cov=scale * solution.expected,
        model_label=label,
        df_resid=float(n - k) if linear else np.inf,
        k=k,
        uses_t=linear,
    )


def _regressors(design: Design, solution: GlmSolution, family: str, link: str) -> Regressors | None:
    """The regression behind the scores; other than canonical links have an information of their own."""
    X, residual = design.matrix, design.outcome - solution.mu
    if link == "identity" and design.weights is not None:
        root = np.sqrt(design.weights)
        return Regressors(X * root[:, None], residual * root, weighted=True)
    if link == "identity":
        return Regressors(X, residual)
    if link not in ("logit", "log") or design.weights is not None:
        return None
    variance = solution.mu * (1 - solution.mu) if family == "binomial" else solution.mu
    return Regressors(X, residual, "likelihood", variance)


def _statistics(design: Design, solution: GlmSolution, *, linear: bool) -> dict[str, float]:
    """Numbers about the whole fit; R2 and McFadden's pseudo-R2 only with an intercept."""
    n, k = design.matrix.shape
    y = design.outcome
    statistics: dict[str, float] = {"df_resid": float(n - k)}
    if linear:
        statistics["sigma"] = float(np.sqrt(solution.deviance / (n - k)))
        if design.formula.intercept:
            middle = np.average(y, weights=design.weights)
            statistics["r2"] = 1 - solution.deviance / float(
                np.sum((y - middle) ** 2 if design.weights is None else design.weights * (y - middle) ** 2)
            )
        return statistics
    return statistics | {"deviance": solution.deviance}


def _conventions(*, linear: bool) -> dict[str, str]:
    """Choices that other software makes differently."""
    if linear:
        return {
            "small-sample factor": _SMALL_SAMPLE,
            "reference distribution": "t with n - k degrees of freedom, clustered G - 1, as Stata's regress",
        }
    return {
        "small-sample factor": f"{_SMALL_SAMPLE}; {_OTHER_SOFTWARE}",
        "reference distribution": "normal, as in Stata's and R's commands for this model",
        "information": "clustered and robust: observed, as Stata; from the model: expected, as R's glm. They "
        "are the same for logit and poisson",
    }


def _remarks(design: Design, solution: GlmSolution, family: str, *, linear: bool) -> list[str]:
    """What a reader must know about this model."""
    remarks = []
    if design.weights is not None:
        effective = float(design.weights.sum() ** 2 / np.sum(design.weights**2))
        remarks.append(
            f"Weighted: the {len(design.weights)} rows weigh as much as {effective:.0f} rows of equal "
            "weight; the standard errors take the weights as known."
        )
    if family == "binomial" and linear:
        outside = int(np.sum((solution.mu < 0) | (solution.mu > 1)))
        if outside:
            remarks.append(
                f"Fitted probabilities lie outside 0 to 1 in {outside} of {len(solution.mu)} rows, as they "
                "may in a linear probability model."
            )
    if family == "poisson" and (uneven := int(np.sum(design.outcome != np.round(design.outcome)))):
        remarks.append(
            f"The outcome is not a whole number in {uneven} rows: the estimates are quasi-likelihood, and "
            "only clustered or robust standard errors apply."
        )
    return remarks


def _model_name(family: str, link: str) -> str:
    """Name of the estimator in words."""
    names: dict[Any, str] = {
        ("gaussian", "identity"): "linear regression",
        ("binomial", "identity"): "linear probability",
    }
    return names.get((family, link), f"{family} {link}")
