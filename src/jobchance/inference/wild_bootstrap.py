"""`wild_bootstrap`: tests and intervals for one coefficient where clusters are few.

Letters: tau a value of the coefficient, t(tau) = (estimate - tau) / std_error, t* that of a draw.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from jobchance.errors import EstimationError, SpecError
from jobchance.inference.bootstrap import check_draws
from jobchance.inference.wild_bootstrap_problem import Problem, read_iv_rows, read_problem
from jobchance.inference.wild_bootstrap_result import WildBootstrap
from jobchance.inference.wild_bootstrap_values import (
    conventions_of,
    count_draws,
    notes_of,
    quantiles_of,
    shape_of,
    unrestricted_set,
)
from jobchance.numerics.wild_interval import InvertedSet, invert
from jobchance.numerics.wild_iv import IvBootstrap
from jobchance.numerics.wild_linear import linear_draws
from jobchance.numerics.wild_sums import removed
from jobchance.numerics.wild_weights import WEIGHTS, enumerable
from jobchance.options import check_option
from jobchance.results.fit import Fit
from jobchance.results.parts import Floats
from jobchance.results.vcov import Cluster

_IV_INTERVAL_DRAWS = 9_999
_DIGITS, _IV_DIGITS = 1e-7, 1e-4

TStars = Callable[[float, int], Floats]
"""t* under the null tau, (b,), of the first draws."""


def wild_bootstrap(
    fit: Fit,
    term: str,
    *,
    draws: int,
    weights: str = "rademacher",
    restricted: bool = True,
    seed: int | np.random.SeedSequence,
    null: float = 0.0,
    level: float = 0.95,
    cluster: str | Sequence[str] | Cluster | None = None,
    bootstrap_cluster: str | None = None,
) -> WildBootstrap:
    r"""Wild cluster bootstrap of one coefficient of a linear model.

    Residuals of a cluster are multiplied by one random number, and t is computed again for every draw:

    .. math:: y^* = X\tilde\beta + \tilde u \circ v_{g(i)}, \qquad
              p = \Pr(|t^*| \ge |t|)

    with :math:`\tilde\beta, \tilde u` estimated under the null (restricted, WCR: the default, and better with
    few clusters) or freely (WCU). The confidence set holds every value that the test does not reject.
    Everything is computed from sums by cluster, so the number of rows hardly matters.

    Parameters
    ----------
    fit : Fit
        Of `fit_glm` with an identity link, `fit_panel` (within with any absorbed effects, pooled, between,
        first difference), or `fit_iv` by two-stage least squares with one endogenous variable, for which
        the restricted efficient bootstrap (WRE) is taken.
    term : str
        The coefficient; for `fit_iv` the endogenous variable.
    draws : int
        Number of draws, such as 99,999. With Rademacher weights and 2^G no larger than this, all 2^G sign
        vectors are taken once instead.
    weights : {"rademacher", "webb", "mammen", "normal"}
        Distribution of the multipliers. With fewer than 12 clusters the sign vectors are few, and `"webb"`
        (six points) gives p-values finer steps.
    restricted : bool
        Impose the null on the draws.
    seed : int or SeedSequence
        The same seed gives the same numbers, whatever the order of the rows: clusters are taken in the order
        of their labels.
    null : float
        Value tested.
    level : float
        Of the confidence set.
    cluster : str, sequence of str, Cluster or None
        Columns that name the clusters of the variance (CR1, with the factors of the fit); `None`: as the fit.
    bootstrap_cluster : str or None
        With several cluster columns: the one whose levels share a multiplier, or `"intersection"`.
        `None`: the one with the fewest clusters.

    Returns
    -------
    WildBootstrap

    Raises
    ------
    SpecError
        Another kind of model; no such term; options out of range; no clusters or no rows.
    DesignError
        Cluster columns that cannot be used; absorbed factors beside the largest with over 1,000 levels.
    EstimationError
        The standard error is not positive, or no draw has a positive variance.

    Notes
    -----
    Ties, |t*| = |t| up to 1e-10, count as extreme. With random draws the p-value is
    (1 + count)/(1 + draws); Python's wildboottest uses count/draws and leaves ties out.

    What it cannot do: with very few clusters (four or five) the test can hardly reject, and where one or
    two clusters alone are exposed it fails whatever the number of draws: the restricted one hardly ever
    rejects, the unrestricted one far too often (MacKinnon & Webb 2017). `cluster_diagnostics` shows it. Not
    done here: models that are not linear, tests of several coefficients.

    References
    ----------
    Cameron, Gelbach & Miller (2008), Rev. Econ. Statist. 90, 414-427; Davidson & MacKinnon (2010), J. Bus.
    Econ. Statist. 28, 128-144; Webb (2014), Queen's Economics Department working paper 1315; MacKinnon & Webb
    (2017), J. Applied Econometrics 32, 233-254; Roodman, MacKinnon, Nielsen & Webb (2019), Stata J. 19, 4-60;
    MacKinnon, Nielsen & Webb (2021), J. Bus. Econ. Statist. 39, 505-519.

    Examples
    --------
    >>> import jobchance as jc
    >>> panel = jc.build_panel(jc.simulate_study(seed=1, n_citizens=500))
    >>> vcov = jc.Cluster("jobcentre_id")
    >>> fit = jc.fit_glm("outcome ~ expectation", panel.frame, family="gaussian", vcov=vcov)
    >>> made = wild_bootstrap(fit, "expectation", draws=1_999, seed=1)
    >>> made.enumerated, made.draws
    (True, 1024)
    """
    check_draws(draws, seed)
    _check_seed(seed)
    check_option("weights", weights, WEIGHTS)
    if not 0 < level < 1:
        raise SpecError(f"level={level!r} must lie between 0 and 1, such as 0.95.")
    if not math.isfinite(null):
        raise SpecError(f"null={null!r} must be a finite number.")
    problem = read_problem(fit, term, cluster=cluster, bootstrap_cluster=bootstrap_cluster)
    if not problem.std_error > 0:
        raise EstimationError(
            f"The clustered standard error of {term} is not positive, so t is not defined: cluster in one "
            "dimension, on the column with the fewest clusters."
        )
    enumerated = enumerable(weights, problem.n_outer, draws)
    used = 2**problem.n_outer if enumerated else draws
    t_stars = (_iv if problem.is_iv else _linear)(fit, term, problem, weights, draws, seed)
    stars = t_stars(null if restricted else problem.estimate, used)
    found = count_draws(stars, problem.t(null), enumerated=enumerated)
    if found.draws == 0:
        raise EstimationError(f"No draw of {term} has a positive variance: cluster in one dimension.")
    reach = min(used, _IV_INTERVAL_DRAWS) if problem.is_iv and not enumerated else used
    if restricted:
        kept = _restricted_set(problem, t_stars, reach, level, enumerated=enumerated)
    else:
        kept = unrestricted_set(problem, stars, level, enumerated=enumerated)
    lower, upper = found.share(found.below), found.share(found.above)
    return WildBootstrap(
        term=term,
        estimate=problem.estimate,
        std_error=problem.std_error,
        null=float(null),
        t=problem.t(null),
        p_value=found.share(found.extreme),
        p_equal_tailed=min(1.0, 2 * min(lower, upper)),
        p_lower=lower,
        p_upper=upper,
        level=level,
        conf_low=kept.low,
        conf_high=kept.high,
        interval=shape_of(kept),
        draws=used,
        enumerated=enumerated,
        ties=found.ties,
        undefined=found.undefined,
        weights=weights,
        restricted=restricted,
        clusters=problem.counts,
        bootstrap_cluster=problem.outer_name,
        distribution=quantiles_of(stars),
        conventions=conventions_of(
            problem, restricted=restricted, enumerated=enumerated, reach=reach, used=used
        ),
        notes=(*problem.notes, *notes_of(problem, weights, found, kept, level, restricted=restricted)),
    )


def _check_seed(seed: object) -> None:
    """Every null needs the same draws again, which a generator, that moves on, cannot give."""
    whole = isinstance(seed, int | np.integer) and not isinstance(seed, bool) and seed >= 0
    if not whole and not isinstance(seed, np.random.SeedSequence):
        raise SpecError("seed is a whole number of 0 or more, or a numpy SeedSequence.")


def _restricted_set(
    problem: Problem, t_stars: TStars, draws: int, level: float, *, enumerated: bool
) -> InvertedSet:
    """Nulls that the symmetric test does not reject."""

    def p_value(tau: float) -> float:
        made = count_draws(t_stars(tau, draws), problem.t(tau), enumerated=enumerated)
        return made.share(made.extreme)

    digits = _IV_DIGITS if problem.is_iv else _DIGITS
    return invert(p_value, problem.estimate, problem.std_error, alpha=1 - level, digits=digits)


def _linear(
    fit: Fit, term: str, problem: Problem, weights: str, draws: int, seed: int | np.random.SeedSequence
) -> TStars:
    """t* of least squares: one pass over the draws serves every null."""
    made = linear_draws(
        problem.regressors.X,
        problem.regressors.residual,
        problem.place,
        factors=list(problem.rows.absorbed.values()),
        terms=problem.terms,
        outer=problem.outer,
        weights=weights,
        draws=draws,
        seed=seed,
    )
    return lambda tau, many: made.t(problem.estimate - tau)[:many]


def _iv(
    fit: Fit, term: str, problem: Problem, weights: str, draws: int, seed: int | np.random.SeedSequence
) -> TStars:
    """t* of two-stage least squares: the draws are made again for every null."""
    rows = read_iv_rows(fit, term, problem.rows)
    space = rows.space
    plan = IvBootstrap(
        y=space.without_exogenous(rows.y[:, None])[:, 0],
        x=space.without_exogenous(rows.D)[:, 0],
        Q=space.excluded,
        gone=removed(space.exogenous, list(rows.source.factors.values())),
        terms=problem.terms,
        outer=problem.outer,
        weights=weights,
        seed=seed,
    )
    exact = enumerable(weights, problem.n_outer, draws)

    def t_stars(tau: float, many: int) -> Floats:
        stars = plan.t(tau, many)
        if exact and tau != problem.estimate:
            # The first sign vector leaves the data as they are; far from the estimate rounding would hide it.
            stars[0] = problem.t(tau)
        return stars

    return t_stars
