"""`multiple_imputation`: missing beliefs and covariates filled in several times, one pooled fit."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

import pandas as pd

from jobchance.errors import SpecError
from jobchance.models.glm import fit_glm
from jobchance.panel.model import AnalysisPanel
from jobchance.results.fit import Fit
from jobchance.results.vcov import Vcov
from jobchance.sensitivity.imputation_chains import Chains, completed_sets
from jobchance.sensitivity.imputation_plan import ImputationPlan, formula_columns, make_plan, own_labels
from jobchance.sensitivity.imputation_pool import pool_fits


def multiple_imputation(
    data: pd.DataFrame | AnalysisPanel,
    fit: str | Callable[[pd.DataFrame], Fit],
    *,
    seed: int,
    imputations: int = 20,
    iterations: int = 10,
    donors: int = 10,
    impute: Iterable[str] | None = None,
    using: Iterable[str] = (),
    outcome: str | None = None,
    cluster_means: Iterable[str] = (),
    cluster_effects: Iterable[str] = (),
    impute_outcome: bool = False,
    family: str = "gaussian",
    link: str | None = None,
    vcov: Vcov | None = None,
) -> Fit:
    """Fill in missing values by chained equations, fit each completed data set, pool by Rubin's rules.

    Every incomplete column is regressed on all others (linear, parameters drawn), and a missing value takes
    that of one of the `donors` rows with the nearest prediction (predictive mean matching), in turn, for
    `iterations` rounds; each imputation is a chain of its own.

    Parameters
    ----------
    data : DataFrame or AnalysisPanel
        One row per observation.
    fit : str or function
        A formula for `fit_glm` with `family`, `link` and `vcov`; or a function from a completed data frame
        to a `Fit` (derived columns, such as within parts, are made in it).
    seed : int
        Of all draws; the same seed gives the same numbers and leaves numpy's global state as it was.
    imputations, iterations, donors : int
        Completed data sets; rounds of each chain; rows to choose from.
    impute : iterable of str or None
        Columns to fill in. `None`: those of the formula with missing values, the outcome excepted. Needed
        with a function.
    using : iterable of str
        Further columns that help to predict: incomplete ones are filled in on the way.
    outcome : str or None
        Outcome of the model, which has to predict what is missing; `None`: of the formula. Needed with a
        function. Rows without it are left out.
    cluster_means : iterable of str
        Columns such as `"caseworker_id"`: means over the *other* rows of the cluster, of the outcome and
        of the incomplete columns, join the predictors.
    cluster_effects : iterable of str
        Columns of at most 50 levels, such as `"jobcentre_id"`, that join as fixed effects.
    impute_outcome : bool
        Allow the outcome among `impute`.
    family, link, vcov
        For a formula; as in `fit_glm`.

    Returns
    -------
    Fit
        As `pool_fits`, with `diagnostics` `pooling`, `imputed` (by column: missing, mean and spread of
        known and filled-in values) and `chains` (mean of the filled-in values by iteration, and its spread
        over chains: no trend should be left).

    Raises
    ------
    SpecError
        Nothing is missing; columns that are absent or that may not be imputed (identifiers, dates, times
        and outcomes that lie after the measurement, columns derived from other rows), incomplete texts of
        more than two levels, effects of too many levels; arguments out of range; all with counts.
    Others
        As the fit itself.

    Notes
    -----
    Right where values are missing *at random* given the predictors, and where the imputation model is no
    poorer than the analysis: interactions of the formula are not in it. Fixed effects of small clusters
    overstate and no cluster terms understate how alike rows of one cluster are; means of other rows lie
    between. Random effects in the imputation are not done. Beliefs of waves that never took place are not
    imputed: that is attrition, see `attrition_weights` and `delta_adjustment`.

    References
    ----------
    van Buuren (2018), Flexible Imputation of Missing Data; White, Royston & Wood (2011), Stat. Med. 30,
    377-399; Grund, Luedtke & Robitzsch (2018), Organ. Res. Methods 21, 111-149.

    Examples
    --------
    >>> import jobchance as jc
    >>> panel = jc.build_panel(jc.simulate_study(n_citizens=400, seed=4))
    >>> fit = multiple_imputation(
    ...     panel, "outcome ~ expectation", using=["citizen_belief"], imputations=3, iterations=2, seed=1
    ... )
    >>> list(fit.diagnostics), fit.spec["imputations"]
    (['pooling', 'imputed', 'chains'], 3)
    """
    frame = own_labels(data.frame if isinstance(data, AnalysisPanel) else data)
    _check_counts(imputations=imputations, iterations=iterations, donors=donors)
    plan = plan_imputation(
        frame,
        fit,
        impute=impute,
        using=using,
        outcome=outcome,
        cluster_means=cluster_means,
        cluster_effects=cluster_effects,
        impute_outcome=impute_outcome,
    )
    estimate = fit if callable(fit) else _formula_fit(fit, family=family, link=link, vcov=vcov)
    chains = Chains(imputations=imputations, iterations=iterations, donors=donors, seed=seed)
    fits, tables = [], []
    for completed, table in completed_sets(frame, plan, chains):
        fits.append(estimate(completed))
        tables.append(table)
    pooled = pool_fits(fits)
    return replace(
        pooled,
        remarks=(*pooled.remarks, *plan.remarks),
        spec=dict(pooled.spec)
        | {"seed": seed, "iterations": iterations, "donors": donors, "imputed": list(plan.impute)},
        diagnostics=dict(pooled.diagnostics)
        | {"imputed": _imputed(frame, plan, tables), "chains": _chains(tables)},
    )


def plan_imputation(
    frame: pd.DataFrame,
    fit: str | Callable[[pd.DataFrame], Fit],
    *,
    impute: Iterable[str] | None,
    using: Iterable[str],
    outcome: str | None,
    cluster_means: Iterable[str],
    cluster_effects: Iterable[str],
    impute_outcome: bool,
) -> ImputationPlan:
    """What is imputed from what; see `multiple_imputation` for the errors."""
    if callable(fit):
        if impute is None or outcome is None:
            raise SpecError(
                "multiple_imputation with a function needs impute=[...], the columns to fill in, and "
                "outcome=, the column that the model explains."
            )
        left, right = [outcome], list[str]()
    else:
        left, right = formula_columns(fit)
        left = left if outcome is None else [outcome]
    return make_plan(
        frame,
        left=left,
        right=right,
        impute=impute,
        using=using,
        cluster_means=cluster_means,
        cluster_effects=cluster_effects,
        impute_outcome=impute_outcome,
    )


def _formula_fit(
    formula: str, *, family: str, link: str | None, vcov: Vcov | None
) -> Callable[[pd.DataFrame], Fit]:
    """The fit of one completed data set."""

    def estimate(completed: pd.DataFrame) -> Fit:
        return fit_glm(formula, completed, family=family, link=link, vcov=vcov)

    return estimate


def _check_counts(**counts: int) -> None:
    """One error for all numbers that are out of range."""
    least = {"imputations": 2, "iterations": 1, "donors": 1}
    wrong = [
        f"{name}={value!r} must be a whole number of at least {least[name]}"
        for name, value in counts.items()
        if not isinstance(value, int) or isinstance(value, bool) or value < least[name]
    ]
    if wrong:
        raise SpecError(f"multiple_imputation: {'; '.join(wrong)}.")


def _imputed(frame: pd.DataFrame, plan: ImputationPlan, tables: list[pd.DataFrame]) -> pd.DataFrame:
    """Known against filled-in values, column by column."""
    last = pd.concat(tables).groupby(["imputation", "column"], sort=False).last()
    records = []
    for name in plan.columns:
        known = plan.numbers[name].dropna()
        own = last.xs(name, level="column")
        n = int(plan.numbers[name].isna().sum())
        records.append(
            {"column": name, "n_missing": n, "share_missing": n / len(plan.numbers)}
            | {"mean_known": known.mean(), "mean_imputed": own["mean"].mean()}
            | {"sd_known": known.std(), "sd_imputed": own["sd"].mean()}
        )
    return pd.DataFrame(records)


def _chains(tables: list[pd.DataFrame]) -> pd.DataFrame:
    """Mean of the filled-in values by iteration, and its standard deviation over chains."""
    every = pd.concat(tables)
    grouped = every.groupby(["column", "iteration"], sort=False)["mean"]
    return grouped.agg(mean="mean", sd_over_chains="std").reset_index()
