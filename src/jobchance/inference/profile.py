"""`profile_intervals`: confidence intervals from the profile likelihood of a mixed model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
from scipy import stats

from jobchance.compute.base import Compute
from jobchance.compute.in_process import choose_compute
from jobchance.compute.tasks import TaskFailure
from jobchance.errors import EstimationError, SpecError
from jobchance.inference.parameters import Parameter, joint_theta, n_theta, parameters_of, values_of
from jobchance.inference.refit import rebuild, refitted
from jobchance.models.mixed_model import MixedModel
from jobchance.numerics.mixed.estimate_laplace import threshold_basis
from jobchance.numerics.mixed.families import family_code
from jobchance.numerics.mixed.profile import Limits, profile_limits
from jobchance.numerics.mixed.profile_charts import Target
from jobchance.numerics.mixed.profile_criteria import Criterion, LaplaceCriterion, LinearCriterion, Rowed
from jobchance.results.fit import Fit
from jobchance.results.parts import Floats


def profile_intervals(
    fit: Fit,
    data: pd.DataFrame | None = None,
    *,
    level: float = 0.95,
    parameters: Sequence[str] | None = None,
    compute: Compute | None = None,
) -> pd.DataFrame:
    r"""Profile likelihood intervals of coefficients, standard deviations, correlations and sigma.

    .. math:: \{v : D(v) - \min D \le \chi^2_{1, level}\}, \qquad
              D(v) = \min_{\psi = v} -2 \log L

    The likelihood is minimised over all other parameters at each value v. It is the full one: a REML fit is
    fitted again by maximum likelihood first, and the estimates shown are those. Unlike intervals from
    standard errors these need no symmetry, and end at zero where the data do not exclude a zero variance.

    Parameters
    ----------
    fit : Fit
        Of `fit_mixed`.
    data : DataFrame or None
        The data of the fit; `None` takes those in memory.
    level : float
        Confidence level.
    parameters : sequence of str or None
        Names of terms, `sd[group.effect]`, `cor[group.effect.effect]`, `sigma`; `None` is all of them.
    compute : LocalCompute, DaskCompute or None
        Where parameters are profiled; `None` is one after the other in this process.

    Returns
    -------
    DataFrame
        `parameter effect group term estimate conf_low conf_high remark`, one row per parameter. `remark` says
        that a limit is the edge of what the parameter can be, or why there is none.

    Raises
    ------
    SpecError
        Not a mixed fit, or not its data; a level outside (0, 1); names that are not there.
    EstimationError
        The maximum likelihood fit did not converge.

    Notes
    -----
    Correlations are profiled with the first effect of their term; others are NaN with a remark. At a limit of
    zero for a standard deviation the true coverage is above `level`.

    References
    ----------
    Venzon & Moolgavkar (1988), Appl. Statist. 37, 87-94; Bates, Maechler, Bolker & Walker (2015), J. Stat.
    Softw. 67(1), section 5.1.

    Examples
    --------
    >>> from jobchance import fit_mixed
    >>> data = pd.DataFrame({"y": [1.0, 2, 4, 5, 9, 8], "g": ["a", "a", "b", "b", "c", "c"]})
    >>> fit = fit_mixed("y ~ 1 + (1 | g)", data)
    >>> profile_intervals(fit, parameters=["sigma"]).round(2)[["conf_low", "conf_high"]].values.tolist()
    [[0.38, 2.09]]
    """
    if not 0 < level < 1:
        raise SpecError(f"level={level!r} must lie between 0 and 1, such as 0.95.")
    model = rebuild(fit, data, "profile_intervals", method="ml")
    best = refitted(model, model.y) if fit.spec["method"] == "reml" else fit
    if not best.converged:
        raise EstimationError(
            "profile_intervals needs a fit that converged; this one says: " + best.remarks[0]
        )
    wanted = _wanted(parameters_of(best), parameters)
    offered = [p.target for p in wanted if p.target is not None]
    profiled = choose_compute(compute).map(
        partial(_limits, Problem(model, best), float(stats.chi2.ppf(level, 1))), offered, keep_going=True
    )
    found = iter(profiled)
    values = values_of(best)
    records = [_record(p, values[p.name], None if p.target is None else next(found)) for p in wanted]
    return pd.DataFrame(records)


def _wanted(known: Sequence[Parameter], names: Sequence[str] | None) -> list[Parameter]:
    """The parameters asked for."""
    if names is None:
        return list(known)
    asked = [names] if isinstance(names, str) else list(names)
    absent = [name for name in asked if name not in {p.name for p in known}]
    if absent:
        raise SpecError(
            f"parameters: {', '.join(absent)} not in this fit. It has: {', '.join(p.name for p in known)}."
        )
    return [p for p in known if p.name in asked]


@dataclass(frozen=True, eq=False)
class Problem:
    """What a worker needs to profile: the model with its rows, and its maximum likelihood fit."""

    model: MixedModel
    best: Fit

    def criterion(self) -> Criterion:
        """D with the estimates."""
        model, best = self.model, self.best
        rows = Rowed(model.factors, model.X, model.y, model.w, model.offset)
        assert best.joint is not None, "a mixed fit"
        theta, covariance = joint_theta(best), best.joint.covariance
        if model.options.family == "gaussian":
            k = n_theta(best) + 1
            return LinearCriterion(
                rows, np.append(theta, math.log(best.statistics["sigma"])), covariance[:k, :k]
            )
        J: Floats = np.zeros((0, 0))
        if model.n_levels:
            J = threshold_basis(model.n_levels - 1, best.spec["thresholds"])
        return LaplaceCriterion(
            rows,
            np.concatenate([theta, best.estimates]),
            covariance,
            family=family_code(model.options.family, model.options.link),
            n_quad=model.options.n_quad,
            J=J,
        )


def _limits(problem: Problem, quantile: float, target: Target) -> Limits:
    """Limits of one parameter."""
    return profile_limits(problem.criterion(), target, quantile=quantile)


def _record(parameter: Parameter, estimate: float, found: Limits | TaskFailure | None) -> dict[str, object]:
    """One row of the table."""
    low = high = math.nan
    if found is None:
        remark = "not profiled: correlation of effects of which none is the first of the term"
    elif isinstance(found, TaskFailure):
        remark = found.message
    else:
        low, high = found.low, found.high
        ends = [name for name, at in zip(("lower", "upper"), found.at_bound, strict=True) if at]
        remark = f"{' and '.join(ends)} limit at the edge of the parameter's range" if ends else ""
    return {
        "parameter": parameter.name,
        "effect": parameter.effect,
        "group": parameter.group,
        "term": parameter.term,
        "estimate": estimate,
        "conf_low": low,
        "conf_high": high,
        "remark": remark,
    }
