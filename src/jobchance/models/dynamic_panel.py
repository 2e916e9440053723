"""`fit_dynamic_panel`: generalised method of moments for panels whose outcome depends on its own past."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from jobchance.design.columns import counted
from jobchance.errors import DesignError, SpecError
from jobchance.models.dynamic_panel_checks import run_checks
from jobchance.models.dynamic_panel_instruments import (
    Instruments,
    LagRange,
    build_instruments,
    lag_ranges,
)
from jobchance.models.dynamic_panel_result import Assembly
from jobchance.models.dynamic_panel_rows import Levels, read_levels
from jobchance.models.dynamic_panel_transform import (
    Regressors,
    Transformed,
    deviation_rows,
    difference_rows,
    regressors,
    system_rows,
)
from jobchance.numerics.gmm import Moments, Solution, solve_two_steps
from jobchance.numerics.gmm_checks import Differences
from jobchance.options import check_option
from jobchance.results.fit import Fit
from jobchance.results.parts import Codes, Floats

TRANSFORMATIONS = ("difference", "system", "orthogonal_deviations")
STEPS = ("one", "two")
VCOVS = ("windmeijer", "robust", "model")
_ROWS = {"difference": difference_rows, "system": system_rows, "orthogonal_deviations": deviation_rows}


def fit_dynamic_panel(
    formula: str,
    data: pd.DataFrame,
    *,
    entity: str = "citizen_id",
    time: str = "wave",
    lags: int = 1,
    predetermined: tuple[str, ...] = (),
    endogenous: tuple[str, ...] = (),
    transformation: str = "difference",
    steps: str = "two",
    instrument_lags: LagRange | Mapping[str, LagRange] | None = None,
    collapse: bool = False,
    time_effects: bool = True,
    vcov: str = "windmeijer",
) -> Fit:
    """Estimate y_it = sum_k rho_k y_i,t-k + x_it' beta + d_t + u_i + e_it by linear GMM.

    The entity's own level u_i is removed by a transformation, and lags that are too old to depend on the
    remaining error are instruments. With few periods the within estimator is biased here (Nickell 1981).

    Parameters
    ----------
    formula : str
        `outcome ~ covariates`; see `design`. `lag(x)`, `lag(x, 2)` and `lag(log(x), 0:1)` are lags by period:
        missing where the entity has no row in that period. Lags of the outcome are set by `lags`.
    data : DataFrame
        One row per entity and period; gaps and different lengths are allowed.
    entity, time : str
        Columns of the unit and of the period. Whole numbers keep their gaps (wave 2 and 4 are two apart).
    lags : int
        Lags of the outcome, 1 to this number, that enter as covariates.
    predetermined, endogenous : sequence of str
        Variables, as written in the formula without `lag()`, that errors of the past (predetermined) or also
        of the present (endogenous) may move. All their terms are instrumented by their levels from lag 1
        (predetermined) or 2 (endogenous) on. All other covariates count as strictly exogenous and are their
        own instruments.
    transformation : str
        `"difference"`; `"system"` (differences, and levels instrumented by lagged differences);
        `"orthogonal_deviations"` (row less the mean of later rows: loses fewer rows to gaps).
    steps : str
        `"one"` or `"two"`: weights from the transformation, or from the residuals of the first step.
    instrument_lags : (first, last), mapping of variable to (first, last), or None
        Lags of levels that are instruments; `last=None` is all. `None`: all that are allowed.
    collapse : bool
        One instrument per lag rather than one per lag and period.
    time_effects : bool
        Effects of periods, terms such as `wave[3]`.
    vcov : str
        `"windmeijer"` or `"robust"`: robust to unequal variances and correlation within entities, in two
        steps with the correction of Windmeijer (2005). `"model"`: the conventional covariance, in two steps
        usually too small; in one step it holds for independent errors with one variance.

    Returns
    -------
    Fit
        `sample.nobs` counts transformed rows (in a system also level rows: `statistics["n_level_rows"]`).
        `statistics`: `m1`, `m2` (serial correlation of differenced residuals, normal), `hansen` (two-step),
        `sargan` (one-step, one variance), `sargan_robust` (moments of the reported step in robust weights),
        each with `_df` and `_p`; `hansen_without_levels` and `hansen_levels` (difference) in a system;
        `m1_plm`, `m2_plm` (system; see Notes); `wald`; `n_instruments`, `n_entities`.
        `diagnostics["tests"]` has the tests, `diagnostics["instruments"]` the number of instruments by group.
        No rows are kept: `augment`, `predict` and `with_vcov` refuse.

    Raises
    ------
    SpecError
        Options outside their lists; variables named as predetermined that are not in the formula.
    FormulaError
        The formula cannot be read or columns are absent.
    DesignError
        Fewer than three periods, several rows for one entity and period, no lagged outcome, no covariate
        left, fewer instruments than coefficients.
    EstimationError
        The instruments do not tell the coefficients apart.

    Notes
    -----
    Conventions are those of plm::pgmm (R), which `conventions` states in words, but for one: in a system plm
    leaves the moments of the level rows out of the variance of the m statistics; `m1` and `m2` have the full
    variance, and `m1_plm` and `m2_plm` are what plm prints. Different in xtabond2 (Stata):
    exogenous covariates are one instrument for both equations of a system; the level instrument of a
    predetermined variable is its present difference, here the lagged one; `nobs` of a system counts levels;
    `small` applies degrees of freedom, here there are none. Clusters other than the entity are not supported.

    References
    ----------
    Arellano & Bond (1991), Review of Economic Studies 58, 277-297; Arellano & Bover (1995) and Blundell &
    Bond (1998), Journal of Econometrics 68, 29-51 and 87, 115-143; Windmeijer (2005), Journal of
    Econometrics 126, 25-51; Roodman (2009), Oxford Bulletin of Economics and Statistics 71, 135-158.

    Examples
    --------
    >>> draw = np.random.default_rng(1)
    >>> rows = []
    >>> for i in range(200):
    ...     level = draw.normal()
    ...     y = 2 * level + draw.normal()
    ...     for t in range(6):
    ...         y = 0.5 * y + level + draw.normal()
    ...         rows.append({"i": i, "t": t, "y": y})
    >>> fit = fit_dynamic_panel("y ~ 1", pd.DataFrame(rows), entity="i", time="t", collapse=True)
    >>> fit.terms[0], fit.nobs, int(fit.statistics["n_instruments"])
    ('lag(y, 1)', 800, 8)
    """
    fit, _ = estimate_dynamic_panel(
        formula,
        data,
        entity=entity,
        time=time,
        lags=lags,
        predetermined=predetermined,
        endogenous=endogenous,
        transformation=transformation,
        steps=steps,
        instrument_lags=instrument_lags,
        collapse=collapse,
        time_effects=time_effects,
        vcov=vcov,
    )
    return fit


@dataclass(frozen=True, eq=False)
class Influence:
    """What every entity adds to the coefficients (N, K): its covariance is the uncorrected robust one.

    `entity` codes the entities by their first appearance among rows with entity and period.
    """

    entity: Codes
    values: Floats


def estimate_dynamic_panel(
    formula: str,
    data: pd.DataFrame,
    *,
    entity: str,
    time: str,
    lags: int,
    predetermined: tuple[str, ...],
    endogenous: tuple[str, ...],
    transformation: str,
    steps: str,
    instrument_lags: LagRange | Mapping[str, LagRange] | None,
    collapse: bool,
    time_effects: bool,
    vcov: str,
) -> tuple[Fit, Influence]:
    """The fit of `fit_dynamic_panel`, and what each entity adds to it (microdata)."""
    _check(lags, transformation, steps, vcov)
    levels = read_levels(
        formula,
        data,
        entity=entity,
        time=time,
        lags=lags,
        predetermined=predetermined,
        endogenous=endogenous,
    )
    ranges = lag_ranges(instrument_lags, levels.kinds)
    first = min(low for low, _ in ranges.values())
    made: Transformed = _ROWS[transformation](levels, first=first)
    columns = _columns(levels, made, time=time, time_effects=time_effects)
    instruments = build_instruments(levels, made, columns, ranges=ranges, collapse=collapse)
    if instruments.Z.shape[1] < len(columns.names):
        raise DesignError(
            f"{counted(instruments.Z.shape[1], 'instrument')} for {len(columns.names)} coefficients: allow "
            "more lags in instrument_lags, or leave covariates out."
        )
    problem, differences = _problem(levels, made, columns, instruments, first)
    solution = solve_two_steps(problem)
    step = solution.second if steps == "two" else solution.first
    variance = _error_variance(problem, solution, made, transformation)
    cov = _covariance(solution, steps, vcov, variance)
    tests = run_checks(
        problem,
        solution,
        step,
        cov,
        differences=differences,
        variance=variance,
        groups=instruments.groups,
        effects=columns.effects,
        level=made.level,
    )
    fit = Assembly(
        formula, entity, time, lags, transformation, steps, vcov, collapse, levels, made, columns, instruments
    ).fit(step.beta, cov, tests, problem)
    half = step.B @ problem.zx.T @ step.A
    influence = Influence(np.unique(made.entity), problem.by_entity(step.u) @ half.T)
    remarks = _remarks(levels, solution, problem, instruments, steps, entity, time)
    return replace(fit, remarks=remarks), influence


def _check(lags: int, transformation: str, steps: str, vcov: str) -> None:
    """Closed options, and a count of lags."""
    check_option("transformation", transformation, TRANSFORMATIONS)
    check_option("steps", steps, STEPS)
    if not isinstance(vcov, str):
        raise SpecError(
            "fit_dynamic_panel always clusters on the entity: vcov is 'windmeijer', 'robust' or 'model'."
        )
    check_option("vcov", vcov, VCOVS)
    if isinstance(lags, bool) or not isinstance(lags, int | np.integer) or lags < 1:
        raise SpecError(f"lags={lags!r} must be a whole number of at least 1; without lags use fit_panel.")


def _columns(levels: Levels, made: Transformed, *, time: str, time_effects: bool) -> Regressors:
    """Columns that enter, once rows and a lagged outcome are left."""
    if not len(made.entity):
        raise DesignError(
            f"No row has a complete row in the period before it (column {time}) and an earlier period as "
            "instrument: the panel is too short or its periods too far apart for these lags."
        )
    columns = regressors(levels, made, time=time, time_effects=time_effects)
    own = f"lag({levels.design.outcome_name.replace('`', '')}, 1)"
    if own not in columns.names:
        raise DesignError(
            f"{own} is constant, or a sum of other covariates, in {counted(len(made.entity), 'row')} used."
        )
    return columns


def _problem(
    levels: Levels, made: Transformed, columns: Regressors, instruments: Instruments, first: int
) -> tuple[Moments, Differences]:
    """The moment problem, and first differences for the tests of serial correlation, entities coded alike."""
    present, entity = np.unique(made.entity, return_inverse=True)
    plain = difference_rows(levels, first=first)
    problem = Moments(
        y=made.apply(levels.y[:, None])[:, 0],
        X=made.apply(columns.W),
        Z=instruments.Z,
        T=made.T,
        entity=entity.astype(np.int64),
        n_entities=len(present),
    )
    differences = Differences(
        y=plain.apply(levels.y[:, None])[:, 0],
        X=plain.apply(columns.W),
        entity=np.searchsorted(present, plain.entity).astype(np.int64),
        period=plain.period,
    )
    return problem, differences


def _error_variance(problem: Moments, solution: Solution, made: Transformed, transformation: str) -> float:
    """Variance of e from the first step's transformed rows; a difference has twice that variance."""
    u = solution.first.u[~made.level]
    share: float = float(u @ u) / max(len(u) - problem.X.shape[1], 1)
    return share if transformation == "orthogonal_deviations" else share / 2


def _covariance(solution: Solution, steps: str, vcov: str, variance: float) -> Floats:
    """Covariance of the reported step."""
    if steps == "two":
        return solution.second.B if vcov == "model" else solution.corrected
    return variance * solution.first.B if vcov == "model" else solution.sandwich


def _remarks(
    levels: Levels,
    solution: Solution,
    problem: Moments,
    instruments: Instruments,
    steps: str,
    entity: str,
    time: str,
) -> tuple[str, ...]:
    """What a reader must know: too many instruments, singular weights, unknown gaps."""
    made = []
    L, N = problem.Z.shape[1], problem.n_entities
    if L > N:
        made.append(
            f"{L} instruments for {N} levels of {entity}: more instruments than units overfit the lagged "
            "outcome and weaken the Hansen test (Roodman 2009). Use collapse=True or instrument_lags."
        )
    if instruments.n_dependent:
        made.append(
            f"{counted(instruments.n_dependent, 'instrument')} left out that others determine, as xtabond2 "
            "does; plm keeps them and counts them in the degrees of freedom of its tests."
        )
    if solution.first.singular:
        made.append("The weights of the first step are singular; a generalised inverse is used.")
    if solution.second.singular:
        what = "" if steps == "two" else " (for the Hansen test only)"
        made.append(
            f"The weights of the second step are singular; a generalised inverse is used{what}. It depends "
            "on the units of the variables."
        )
    if not levels.calendar.gaps_known:
        made.append(f"Column {time} is not numeric: its values were ranked, so gaps cannot be seen.")
    return tuple(made)
