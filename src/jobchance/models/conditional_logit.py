"""`fit_conditional_logit`: a logit within groups, whose own levels are conditioned away."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from jobchance.design.build import Design, build_design
from jobchance.design.columns import counted
from jobchance.design.formula import INTERCEPT
from jobchance.errors import DesignError, EstimationError, FormulaError, SpecError
from jobchance.numerics.conditional import EDGE, ConditionalSolution, separated_rows, solve_conditional
from jobchance.numerics.demean import demean
from jobchance.numerics.linalg import independent_columns
from jobchance.numerics.separation import name_terms
from jobchance.results.covariance import FEW_CLUSTERS, cluster_codes, covariance
from jobchance.results.fit import Fit
from jobchance.results.parts import Codes, Floats, Rows, Sample
from jobchance.results.provenance import provenance
from jobchance.results.vcov import Cluster, Vcov, check_vcov, vcov_columns

DEFAULT_CLUSTER = "caseworker_id"


@dataclass(frozen=True, eq=False)
class _Informative:
    """Rows of groups with both outcomes, and the columns that vary within them."""

    X: Floats
    y: Floats
    codes: Codes
    used: Codes
    names: tuple[str, ...]
    dropped: dict[str, int]
    dropped_terms: tuple[str, ...]
    n_left_out: int


def fit_conditional_logit(
    formula: str, data: pd.DataFrame, *, group: str = "citizen_id", vcov: Vcov | None = None
) -> Fit:
    r"""Logit with an effect of every group, estimated from the exact conditional likelihood.

    .. math:: P(y_{g1}, \dots, y_{gn} \mid \textstyle\sum_i y_{gi} = m_g) =
              \frac{\exp(\sum_i y_{gi} x_{gi}'\beta)}{\sum_{|A| = m_g} \exp(\sum_{i \in A} x_{gi}'\beta)}

    The levels of the groups, however many, drop out, so that few rows per group cause no bias. With
    `group="quarter"` on person-period rows this is Cox's partial likelihood with ties treated exactly.

    Parameters
    ----------
    formula : str
        `"outcome ~ covariates"`, outcome 0/1 or true/false. An intercept has no meaning and is left out.
    data : DataFrame
        One row per observation, in any order.
    group : str
        Column whose levels are conditioned away.
    vcov : Cluster, "model" or None
        `None`: clustered by `caseworker_id` where every group has one caseworker; else by the group, where
        there are 30 or more informative groups; else from the model. Which is said in the notes.

    Returns
    -------
    Fit
        Log odds ratios within groups. `augment()` has the probability of an event given the number of
        events of the group. Groups without variation in the outcome carry no information: they are left out
        and counted.

    Raises
    ------
    FormulaError
        The formula cannot be read, has random effects, or names absent columns.
    SpecError
        `group` is not a text.
    DesignError
        An outcome that is not 0/1; no group with both outcomes; no covariate that varies within groups;
        clusters that split a group.
    EstimationError
        A covariate orders the outcomes within all groups without error (separation), or no convergence.

    Notes
    -----
    Not done: predicted probabilities (the levels are not estimated), robust standard errors by row (the rows
    of a group are one contribution), weights, random coefficients. The coefficient of a group that is a
    citizen rests on citizens whose outcome changes only. A contrast within persons is free of what is
    constant in them, not of what changes: it is an association unless the design identifies more.

    References
    ----------
    Chamberlain (1980), Rev. Econ. Stud. 47, 225-238; Gail, Lubin & Rubinstein (1981), Biometrika 68, 703-707.

    Examples
    --------
    >>> rows = pd.DataFrame({"g": [1, 1, 2, 2, 3, 3, 4, 4], "x": [0, 1, 0, 1, 0, 1, 0, 1]})
    >>> rows["job"] = [0, 1, 0, 1, 0, 1, 1, 0]
    >>> fit = fit_conditional_logit("job ~ x", rows, group="g", vcov="model")
    >>> round(float(np.exp(fit.params["x"])), 6)
    3.0
    """
    if not isinstance(group, str):
        raise SpecError(f"group= is the name of a column, not a {type(group).__name__}.")
    errors = None if vcov is None else check_vcov(vcov)
    required = (group, *(vcov_columns(errors) if errors else ()))
    design = build_design(formula, data, required=tuple(dict.fromkeys(required)))
    if design.random:
        raise FormulaError("fit_conditional_logit has no random effects, (... | group); use fit_mixed.")
    part = _informative(design, data, group)
    solution = solve_conditional(part.X, part.y, part.codes)
    _check_optimum(part, solution, group)
    chosen, remarks = _choose_vcov(errors, data, part, group)
    rows = _rows(part, solution, data, group)
    cov, inference = covariance(rows, chosen)
    n_groups = int(part.codes.max()) + 1
    return Fit(
        model="conditional logit",
        outcome=design.outcome_name,
        terms=part.names,
        estimates=solution.beta,
        covariance=cov,
        inference=inference,
        sample=Sample(
            nobs=len(part.y), groups={group: n_groups}, dropped=part.dropped, dropped_terms=part.dropped_terms
        ),
        spec={"formula": formula, "estimator": "conditional", "link": "logit", "group": group},
        loglik=solution.loglik,
        criterion=-2 * solution.loglik,
        converged=solution.converged,
        statistics={
            "events": float(part.y.sum()),
            "groups_without_variation": float(part.n_left_out),
            "loglik_null": solution.loglik_null,
            "likelihood_ratio": 2 * (solution.loglik - solution.loglik_null),
            "df_model": float(len(part.names)),
        },
        conventions={
            "likelihood": f"exact, conditional on the number of events of each {group} (as R's "
            'clogit(method="exact") and Stata\'s clogit)',
            "small-sample factor": "clustered G/(G-1) * (n-1)/(n-k) with k coefficients; Stata's clogit uses "
            "G/(G-1) alone",
            "reference distribution": "normal",
        },
        remarks=remarks,
        provenance=provenance(formula),
        rows=rows,
    )


def _informative(design: Design, data: pd.DataFrame, group: str) -> _Informative:
    """Groups with both outcomes, and covariates that vary within them; one error with all that is wrong."""
    y = design.outcome
    if wrong := int(np.sum((y != 0) & (y != 1))):
        raise DesignError(f"{wrong} of {len(y)} outcomes of {design.outcome_name} are neither 0 nor 1.")
    codes = pd.factorize(data[group].iloc[design.used])[0]
    share = np.bincount(codes, weights=y) / np.bincount(codes)
    varies = (share > 0) & (share < 1)
    keep = varies[codes]
    n_flat = int(np.sum(~varies))
    if not keep.any():
        raise DesignError(
            f"None of {counted(len(share), 'group')} of {group} has both outcomes, so nothing can be learnt "
            "within groups."
        )
    dropped = dict(design.dropped)
    if n_flat:
        dropped[f"in {counted(n_flat, 'group')} of {group} without variation in the outcome"] = int(
            np.sum(~keep)
        )
    dense = np.unique(codes[keep], return_inverse=True)[1].astype(np.int64)
    at = [j for j, name in enumerate(design.columns) if name != INTERCEPT]
    names = [design.columns[j] for j in at]
    X = design.matrix[keep][:, at]
    within = demean(X, [dense])
    moving = np.linalg.norm(within, axis=0) > 1e-7 * np.maximum(np.linalg.norm(X, axis=0), 1e-300)
    gone = [f"{name} (does not vary within {group})" for name, m in zip(names, moving, strict=True) if not m]
    gone += [f"{name} (earlier columns determine it)" for name in design.collinear]
    live = np.flatnonzero(moving)
    independent = live[independent_columns(within[:, live])] if len(live) else live
    gone += [
        f"{names[j]} (earlier columns determine it within {group})"
        for j in live
        if j not in set(independent.tolist())
    ]
    if not len(independent):
        raise DesignError(f"No covariate varies within the groups of {group}: there is nothing to estimate.")
    return _Informative(
        X=np.ascontiguousarray(within[:, independent]),
        y=y[keep],
        codes=dense,
        used=design.used[keep],
        names=tuple(names[j] for j in independent),
        dropped=dropped,
        dropped_terms=tuple(gone),
        n_left_out=n_flat,
    )


def _check_optimum(part: _Informative, solution: ConditionalSolution, group: str) -> None:
    """Raise where there is no finite optimum or it was not reached."""
    if solution.converged and solution.reach < EDGE:
        return
    found = separated_rows(part.X, part.y, part.codes)
    if found is not None:
        names = name_terms(part.names, found[0])
        verb = "orders" if len(found[0]) == 1 else "together order"
        raise EstimationError(
            f"No finite estimate exists (separation): {names} {verb} the outcomes within the "
            f"groups of {group} without error, strictly in {found[1]} of {len(part.y)} rows. Leave the term "
            "out or merge rare levels."
        )
    if not solution.converged:
        raise EstimationError(
            f"The iterations did not converge after {solution.iterations} steps. Look for a covariate with "
            "very large values (rescale it) or for rare levels (merge them)."
        )


def _choose_vcov(
    vcov: Vcov | None, data: pd.DataFrame, part: _Informative, group: str
) -> tuple[Vcov, tuple[str, ...]]:
    """The kind of standard error, with a remark where it was chosen; refuses clusters that split groups."""
    if vcov is None:
        return _default_vcov(data, part, group)
    if isinstance(vcov, Cluster):
        codes = [c[part.used] for c in cluster_codes(data, vcov.columns)]
        pairs = dict(zip(vcov.columns, codes, strict=True))
        split = {name: n for name, c in pairs.items() if (n := _n_split(part.codes, c))}
        if split:
            listed = ", ".join(f"{name} splits {counted(n, 'group')}" for name, n in split.items())
            raise DesignError(
                f"Clustered standard errors need whole groups of {group} in each cluster; {listed} of "
                f"{int(part.codes.max()) + 1}. Use Cluster({group!r}), a cluster that holds whole groups "
                '(a jobcentre), or vcov="model".'
            )
    elif vcov != "model":
        raise DesignError(
            f"The rows of a group are one contribution to a conditional likelihood: use Cluster({group!r}), "
            "which allows for them, in place of Robust()."
        )
    return vcov, ()


def _default_vcov(data: pd.DataFrame, part: _Informative, group: str) -> tuple[Vcov, tuple[str, ...]]:
    """Caseworkers that hold whole groups, the groups themselves, or the model."""
    if DEFAULT_CLUSTER in data.columns:
        caseworkers = pd.factorize(data[DEFAULT_CLUSTER])[0][part.used]
        if (caseworkers >= 0).all() and not _n_split(part.codes, caseworkers):
            return Cluster(DEFAULT_CLUSTER), (
                f"No vcov was given: clustered by {DEFAULT_CLUSTER}, which holds whole groups of {group}.",
            )
    if int(part.codes.max()) + 1 >= FEW_CLUSTERS:
        return Cluster(group), (
            f"No vcov was given: clustered by {group}, as no cluster of caseworkers holds whole groups. "
            "Dependence between the groups of one caseworker is not allowed for.",
        )
    return "model", (
        f"No vcov was given: standard errors are the model's, with {int(part.codes.max()) + 1} groups too "
        "few to cluster on.",
    )


def _n_split(groups: Codes, clusters: Codes) -> int:
    """Groups whose rows lie in several clusters."""
    pairs = np.unique(np.column_stack([groups, clusters]), axis=0)
    return int(np.sum(np.bincount(pairs[:, 0]) > 1))


def _rows(part: _Informative, solution: ConditionalSolution, data: pd.DataFrame, group: str) -> Rows:
    """The rows behind the fit; scores of a group are spread over its rows."""
    return Rows(
        frame=data,
        used=part.used,
        outcome=part.y,
        fitted=solution.shares,
        fitted_fixed=solution.shares,
        scores=part.X * (part.y - solution.shares)[:, None],
        bread=solution.bread,
        model_cov=solution.bread,
        model_label="from the model (information of the conditional likelihood)",
        df_resid=np.inf,
        k=len(part.names),
        uses_t=False,
        bound={group: part.codes},
    )
