"""`fit_panel`: within, between, random, first-difference, pooled and hybrid estimators of linear panels."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from jobchance.design.build import RandomBlock
from jobchance.design.formula import INTERCEPT
from jobchance.errors import DesignError
from jobchance.models import panel_estimators as estimators
from jobchance.models.mixed_estimate import estimate_mixed
from jobchance.models.mixed_input import gather_terms
from jobchance.models.mixed_options import check_options
from jobchance.models.mixed_result import MixedContext, assemble, collinear_terms
from jobchance.models.panel_data import PanelRows, check_absorb, narrowed, read_panel
from jobchance.models.panel_estimators import Regression, VarianceParts
from jobchance.numerics.demean import group_means
from jobchance.options import check_option
from jobchance.results.covariance import covariance
from jobchance.results.fit import Fit
from jobchance.results.parts import Codes, Floats, RandomPart, Regressors, Rows, Sample
from jobchance.results.provenance import provenance
from jobchance.results.serialise import components_frame
from jobchance.results.vcov import Cluster, Vcov, check_vcov, vcov_columns

ESTIMATORS = ("within", "between", "random", "first_difference", "pooled", "hybrid")
_MODELS = {
    "within": "within (fixed effects)",
    "between": "between (entity means)",
    "random": "random effects (Swamy-Arora)",
    "first_difference": "first difference",
    "pooled": "pooled least squares",
}
DEFAULT_VCOV = Cluster("caseworker_id")
"""What `fit_panel` clusters on where the caller does not say; see its parameter `vcov`."""


def fit_panel(
    formula: str,
    data: pd.DataFrame,
    *,
    estimator: str = "within",
    entity: str = "citizen_id",
    time: str | None = "wave",
    absorb: Sequence[str] = (),
    vcov: Vcov = DEFAULT_VCOV,
) -> Fit:
    """Estimate a linear panel model, y_it = x_it' beta + u_i + e_it.

    Parameters
    ----------
    formula : str
        `outcome ~ covariates`; see `design`. No random terms.
    data : DataFrame
        One row per entity and time.
    estimator : str
        `"within"` (fixed effects: rows less their entity mean), `"between"` (entity means), `"random"`
        (Swamy-Arora generalised least squares), `"first_difference"` (row less the row of the period
        before), `"pooled"` (all rows as they are), `"hybrid"` (random intercept by REML with every covariate
        split into `within(x)`, its deviation from the entity mean, and `between(x)`, that mean).
    entity, time : str
        Columns of the unit and of the period; `time=None` where the order does not matter.
    absorb : sequence of str
        Further factors whose effects are removed with those of the entity (within only), such as `("wave",)`.
    vcov : Cluster, Robust or "model"
        Kind of standard error; rows with a missing cluster are dropped and counted. Left out, it is
        `Cluster("caseworker_id")`; without that column `Cluster(entity)`; and for `"random"` and `"hybrid"`
        `Cluster("caseworker_id", entity)` where entities have several caseworkers, since the rows of one
        entity depend on each other across them. The fit's notes say which.

    Returns
    -------
    Fit
        `sample.dropped_terms` names covariates that the estimator cannot use; `statistics` holds `r2` (of the
        transformed rows), `sigma`, `df_resid`, for random effects `theta`, for the hybrid `contextual(x)` =
        between - within.

    Raises
    ------
    SpecError
        Unknown estimator, `absorb` with another estimator than within.
    FormulaError
        Columns are absent.
    DesignError
        Several rows for one entity and time, no variation left, cluster columns that cannot be used.

    Notes
    -----
    Standard errors from the model use `s2 = SSR / (n - effects - K)`. Clustered ones use
    `G/(G-1) * (n-1)/(n-k)`; k counts effects only where they are not nested in a cluster: see
    docs/explanation/standard-errors.md.
    Rows that are alone in an absorbed level are dropped and counted, since they carry no information.

    References
    ----------
    Wooldridge (2010) chapter 10; Swamy & Arora (1972), Econometrica 40, 261-275; Bell & Jones (2015),
    Political Science Research and Methods 3, 133-153 (hybrid); Correia (2015) on singletons.

    Examples
    --------
    >>> data = pd.DataFrame({"i": [1, 1, 2, 2, 3, 3], "t": [1, 2] * 3, "x": [0.0, 1, 0, 2, 1, 1]})
    >>> data["y"] = 2 * data["x"] + data["i"]
    >>> fit = fit_panel("y ~ x", data, entity="i", time="t", vcov="model")
    >>> round(float(fit.params["x"]), 6)
    2.0
    """
    check_option("estimator", estimator, ESTIMATORS)
    kind, remark = _default_vcov(data, entity, estimator) if vcov is DEFAULT_VCOV else (check_vcov(vcov), ())
    panel = read_panel(
        formula,
        data,
        entity=entity,
        time=time,
        absorb=check_absorb(absorb, entity=entity, estimator=estimator),
        clusters=vcov_columns(kind),
        drop_singletons=estimator == "within",
    )
    if estimator == "hybrid":
        fit = _hybrid(panel, kind)
    elif estimator == "random":
        fit = _random(panel, kind)
    else:
        fit = _least_squares(panel, getattr(estimators, estimator)(panel), estimator, kind)
    return replace(fit, remarks=(*fit.remarks, *remark))


def _default_vcov(data: pd.DataFrame, entity: str, estimator: str) -> tuple[Vcov, tuple[str, ...]]:
    """The kind of standard error where the caller named none, and what the fit says about the choice."""
    (column,) = DEFAULT_VCOV.columns
    if column not in data.columns:
        return Cluster(entity), (f"No column {column}: standard errors are clustered by {entity}.",)
    if estimator not in ("random", "hybrid") or entity not in data.columns:
        return DEFAULT_VCOV, ()
    caseworkers = data[[entity, column]].dropna().drop_duplicates()
    if not caseworkers[entity].duplicated().any():
        return DEFAULT_VCOV, ()
    why = f"Some levels of {entity} have several levels of {column}: standard errors are clustered by both."
    return Cluster(column, entity), (why,)


def _least_squares(panel: PanelRows, problem: Regression, estimator: str, vcov: Vcov) -> Fit:
    """Within, between, first difference and pooled: ordinary least squares in transformed rows."""
    solution = _solve(problem)
    fixed = problem.raw_x @ solution.beta
    if problem.absorbed:
        fixed = fixed + float(np.mean(problem.raw_y - fixed))
    return _fit(
        panel,
        problem,
        solution,
        estimator,
        vcov,
        scores=problem.X * solution.residual[:, None],
        fitted=problem.raw_y - solution.residual,
        fixed=fixed,
    )


def _random(panel: PanelRows, vcov: Vcov) -> Fit:
    """Random effects by Swamy-Arora; conditional modes of the entities beside the coefficients."""
    parts = estimators.swamy_arora(panel)
    problem = estimators.random(panel, parts)
    solution = _solve(problem)
    codes = panel.entity_codes
    # V^{-1} relative to the residual variance takes 1 - (1 - theta)^2 of the entity mean away.
    share = 1 - (1 - parts.theta) ** 2
    weighted = panel.X - (share[:, None] * group_means(panel.X, codes))[codes]
    fixed = panel.X @ solution.beta
    raw = panel.y - fixed
    modes = share * group_means(raw[:, None], codes)[:, 0]
    sds = np.sqrt(parts.entity * (1 - share))
    made = _fit(
        panel,
        problem,
        solution,
        "random",
        vcov,
        scores=weighted * raw[:, None],
        fitted=fixed + modes[codes],
        fixed=fixed,
        bound={panel.entity: codes},
        model_label="from the model, variances taken as known",
    )
    return replace(
        made,
        is_singular=parts.entity == 0,
        variance_components=_components(panel.entity, parts),
        statistics=dict(made.statistics)
        | {"theta_min": float(parts.theta.min()), "theta_max": float(parts.theta.max())}
        | {"icc": parts.entity / (parts.entity + parts.residual)},
        conventions=dict(made.conventions) | {"variances": "Swamy-Arora, harmonic mean of rows per entity"},
        remarks=("The variance between entities is estimated at zero: this is the pooled estimator.",)
        if parts.entity == 0
        else (),
        random=(RandomPart(panel.entity, (INTERCEPT,), panel.levels, modes[:, None], sds[:, None]),),
    )


def _hybrid(panel: PanelRows, vcov: Vcov) -> Fit:
    """Within-between model: random intercept by REML on deviations and entity means."""
    design = panel.design
    if INTERCEPT not in design.columns:
        raise DesignError("estimator='hybrid' needs an intercept: leave out the 0 in the formula.")
    X, names, both = estimators.split_within_between(panel)
    ones, layout = np.ones((len(X), 1)), narrowed(design.layout, (INTERCEPT,))
    block = RandomBlock(panel.entity, panel.entity_codes, panel.levels, ones, layout, correlated=True)
    terms, factors = gather_terms([block])
    options = check_options(family="gaussian", link=None, method="reml", n_quad=1, thresholds="free")
    estimate = estimate_mixed(
        factors,
        X,
        panel.y,
        w=np.ones(len(X)),
        offset=np.zeros(len(X)),
        options=options,
        names=names,
    )
    made = assemble(
        estimate,
        terms,
        names=names,
        rows=(panel.frame, panel.used),
        outcome=panel.y,
        context=MixedContext(
            outcome=design.outcome_name,
            formula=design.formula.text,
            options=options,
            sample=Sample(len(panel.y), panel.group_counts, panel.dropped, 0, collinear_terms(design)),
            predictor=None,
            model="hybrid (within and between, REML)",
        ),
        vcov=vcov,
    )
    params = made.params
    contextual = {f"contextual({n})": float(params[f"between({n})"] - params[f"within({n})"]) for n in both}
    return replace(
        made,
        spec=dict(made.spec) | {"estimator": "hybrid", "entity": panel.entity},
        statistics=dict(made.statistics) | contextual,
    )


@dataclass(frozen=True, eq=False)
class _Solution:
    """Least squares in transformed rows: coefficients, (X'X)^{-1}, residuals, degrees of freedom."""

    beta: Floats
    bread: Floats
    residual: Floats
    df: int

    @property
    def sigma2(self) -> float:
        """Residual variance."""
        return float(self.residual @ self.residual) / self.df


def _solve(problem: Regression) -> _Solution:
    """Least squares by QR."""
    n, k = problem.X.shape
    df = n - k - problem.extra_k
    if df <= 0:
        raise DesignError(
            f"{n} rows cannot carry {k} coefficients and {problem.extra_k} absorbed effects: "
            "no degrees of freedom are left."
        )
    q_matrix, r_matrix = np.linalg.qr(problem.X)
    inverse = np.linalg.inv(r_matrix)
    beta = inverse @ (q_matrix.T @ problem.y)
    return _Solution(beta, inverse @ inverse.T, problem.y - problem.X @ beta, df)


def _fit(
    panel: PanelRows,
    problem: Regression,
    solution: _Solution,
    estimator: str,
    vcov: Vcov,
    *,
    scores: Floats,
    fitted: Floats,
    fixed: Floats,
    bound: Mapping[str, Codes] | None = None,
    model_label: str = Rows.model_label,
) -> Fit:
    """The parts that all least-squares estimators share."""
    rows = Rows(
        frame=problem.frame,
        used=problem.used,
        outcome=problem.raw_y,
        fitted=fitted,
        fitted_fixed=fixed,
        scores=scores,
        bread=solution.bread,
        model_cov=solution.sigma2 * solution.bread,
        df_resid=float(solution.df),
        k=problem.X.shape[1],
        absorbed=problem.absorbed,
        bound=bound or {},
        unit=problem.unit,
        model_label=model_label,
        regressors=None if bound else Regressors(problem.X, solution.residual),
    )
    cov, inference = covariance(rows, vcov)
    design = panel.design
    ssr = float(solution.residual @ solution.residual)
    spec = {
        "formula": design.formula.text,
        "estimator": estimator,
        "entity": panel.entity,
        "link": "identity",
    }
    return Fit(
        model=_MODELS[estimator],
        outcome=design.outcome_name,
        terms=problem.names,
        estimates=solution.beta,
        covariance=cov,
        inference=inference,
        sample=Sample(
            nobs=len(problem.y),
            groups=panel.group_counts,
            dropped=dict(panel.dropped) | dict(problem.dropped),
            n_singletons=panel.n_singletons,
            dropped_terms=(*collinear_terms(design), *problem.dropped_terms),
        ),
        spec=spec | {"absorbed": list(problem.absorbed)},
        criterion=ssr,
        statistics={
            "r2": _r2(problem, ssr),
            "sigma": math.sqrt(solution.sigma2),
            "df_resid": float(solution.df),
        },
        conventions=_conventions(problem),
        provenance=provenance(design.formula.text),
        predictor=narrowed(design.layout, problem.names),
        rows=rows,
    )


def _r2(problem: Regression, ssr: float) -> float:
    """Share of the variation of the transformed outcome explained; about its mean with an intercept."""
    centre = float(problem.y.mean()) if INTERCEPT in problem.names else 0.0
    total = float(np.sum((problem.y - centre) ** 2))
    return 1 - ssr / total if total > 0 else math.nan


def _conventions(problem: Regression) -> dict[str, str]:
    """Degrees of freedom in words."""
    if not problem.absorbed:
        return {"degrees of freedom": "rows - coefficients", "clusters": "factor G/(G-1) * (n-1)/(n-k)"}
    return {
        "degrees of freedom": f"rows - {problem.extra_k} absorbed effects - coefficients",
        "clusters": "factor G/(G-1) * (n-1)/(n-k); an absorbed factor nested in a cluster counts as one in "
        "k, another with all its levels",
        "r2": "of the rows with absorbed effects removed (within R2)",
    }


def _components(entity: str, parts: VarianceParts) -> pd.DataFrame:
    """Variance components of random effects."""
    pairs = ((entity, INTERCEPT, parts.entity), ("Residual", "residual", parts.residual))
    return components_frame(
        [{"group": g, "term": t, "sd": math.sqrt(v), "variance": v, "correlation": None} for g, t, v in pairs]
    )
