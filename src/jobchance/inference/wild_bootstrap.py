"""`wild_bootstrap`: tests and intervals for one coefficient where clusters are few.

Letters: tau a value of the coefficient, t(tau) = (estimate - tau) / std_error, t* that of a draw.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from jobchance.errors import EstimationError, SpecError
from jobchance.inference.bootstrap import check_draws
from jobchance.inference.wild_bootstrap_problem import Problem, read_iv_rows, read_problem
from jobchance.inference.wild_bootstrap_result import WildBootstrap
from jobchance.numerics.cluster_effective import effective_numbers
from jobchance.numerics.wild_interval import InvertedSet, invert
from jobchance.numerics.wild_iv import IvBootstrap
from jobchance.numerics.wild_linear import exposure_alone, linear_draws
from jobchance.numerics.wild_sums import removed
from jobchance.numerics.wild_weights import WEIGHTS, enumerable
from jobchance.options import check_option
from jobchance.results.fit import Fit
from jobchance.results.parts import Floats
from jobchance.results.vcov import Cluster

_TIE = 1e-10
_FEW = 12
_IV_INTERVAL_DRAWS = 9_999
_PROBABILITIES = (0.005, 0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.975, 0.995)

TStars = Callable[[float, int], Floats]
"""t* under the null tau, (b,), of the first draws."""


@dataclass(frozen=True)
class _Counts:
    """Draws by where their t* lies, and the p-values that follow."""

    draws: int
    extreme: int
    below: int
    above: int
    ties: int
    undefined: int
    enumerated: bool

    def share(self, count: int) -> float:
        """All sign vectors hold the observed one; random draws do not, so it is added."""
        return count / self.draws if self.enumerated else (1 + count) / (1 + self.draws)


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
        The same seed and rows in the same order give the same numbers.
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

    def t_of(tau: float) -> float:
        return (problem.estimate - tau) / problem.std_error

    def counted(tau: float, many: int) -> _Counts:
        stars = t_stars(tau if restricted else problem.estimate, many)
        return _counts(stars, t_of(tau), enumerated=enumerated)

    stars = t_stars(null if restricted else problem.estimate, used)
    found = _counts(stars, t_of(null), enumerated=enumerated)
    if found.draws == 0:
        raise EstimationError(f"No draw of {term} has a positive variance: cluster in one dimension.")
    reach = min(used, _IV_INTERVAL_DRAWS) if problem.is_iv and not enumerated else used
    if restricted:
        kept = invert(
            lambda tau: (made := counted(tau, reach)).share(made.extreme),
            problem.estimate,
            problem.std_error,
            alpha=1 - level,
            digits=1e-4 if problem.is_iv else 1e-7,
        )
    else:
        kept = _unrestricted_set(problem, stars, level, enumerated=enumerated)
    defined = stars[~np.isnan(stars)]
    lower, upper = found.share(found.below), found.share(found.above)
    return WildBootstrap(
        term=term,
        estimate=problem.estimate,
        std_error=problem.std_error,
        null=float(null),
        t=t_of(null),
        p_value=found.share(found.extreme),
        p_equal_tailed=min(1.0, 2 * min(lower, upper)),
        p_lower=lower,
        p_upper=upper,
        level=level,
        conf_low=kept.low,
        conf_high=kept.high,
        interval=_shape(kept),
        draws=used,
        enumerated=enumerated,
        ties=found.ties,
        undefined=found.undefined,
        weights=weights,
        restricted=restricted,
        clusters=problem.counts,
        bootstrap_cluster=problem.outer_name,
        distribution=pd.DataFrame(
            {"probability": _PROBABILITIES, "t": np.quantile(defined, _PROBABILITIES, method="higher")}
        ),
        conventions=_conventions(
            problem, restricted=restricted, enumerated=enumerated, reach=reach, used=used
        ),
        notes=(*problem.notes, *_notes(problem, weights, found, kept, level, restricted=restricted)),
    )


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
            stars[0] = (problem.estimate - tau) / problem.std_error
        return stars

    return t_stars


def _counts(stars: Floats, t: float, *, enumerated: bool) -> _Counts:
    """Where the draws lie; ties, up to rounding, are on the extreme side of every comparison."""
    known = stars[~np.isnan(stars)]
    slack = _TIE * max(1.0, abs(t))
    size = np.abs(known)
    return _Counts(
        draws=len(known),
        extreme=int(np.count_nonzero(size >= abs(t) - slack)),
        below=int(np.count_nonzero(known <= t + slack)),
        above=int(np.count_nonzero(known >= t - slack)),
        ties=int(np.count_nonzero(np.abs(size - abs(t)) <= slack)),
        undefined=len(stars) - len(known),
        enumerated=enumerated,
    )


def _unrestricted_set(problem: Problem, stars: Floats, level: float, *, enumerated: bool) -> InvertedSet:
    """Estimate plus and minus the critical |t*|: the draws do not depend on the null."""
    size = np.sort(np.abs(stars[~np.isnan(stars)]))
    # A value is kept while the p-value, the share of draws at least as large, is above 1 - level.
    needed = (1 - level) * len(size) if enumerated else (1 - level) * (len(size) + 1) - 1
    above = math.floor(needed + 1e-9) + 1
    critical = float(size[-above]) if above <= len(size) else 0.0
    reach = critical * problem.std_error if above > 0 else math.inf
    return InvertedSet(problem.estimate - reach, problem.estimate + reach, False)


def _shape(kept: InvertedSet) -> str:
    """The form of a confidence set in one word."""
    if kept.disjoint:
        return "disjoint"
    return "closed" if math.isfinite(kept.low) and math.isfinite(kept.high) else "open"


def _conventions(
    problem: Problem, *, restricted: bool, enumerated: bool, reach: int, used: int
) -> dict[str, str]:
    """Choices that other software makes differently."""
    out = {
        "variance": "CR1 with the small-sample factors of the fit, in every draw",
        "ties": "|t*| >= |t| - 1e-10 counts as extreme",
        "p-value": "count / 2^G, the observed signs and their mirror image included"
        if enumerated
        else "(1 + count) / (1 + draws)",
        "interval": "nulls not rejected by the symmetric test"
        + ("" if reach == used else f", with the first {reach:,} draws"),
    }
    if problem.is_iv:
        out["first stage"] = (
            "efficient: with the residuals of the outcome under the null"
            if restricted
            else ("efficient, with the residuals of the estimate")
        )
    return out


def _notes(
    problem: Problem, weights: str, found: _Counts, kept: InvertedSet, level: float, *, restricted: bool
) -> list[str]:
    """What a reader must know about this bootstrap."""
    G, notes = problem.n_outer, []
    if weights == "rademacher" and G < _FEW:
        notes.append(
            f"{G} clusters have {2 ** (G - 1):,} pairs of sign vectors, so the smallest p-value is "
            f"1/{2 ** (G - 1):,}; weights='webb' has finer steps."
        )
    if found.undefined:
        notes.append(f"{found.undefined:,} draws without a positive multi-way variance are left out.")
    if not (math.isfinite(kept.low) and math.isfinite(kept.high)):
        notes.append(
            f"The confidence set has no end on a side: with {G} clusters no value is far enough from the "
            f"estimate to be rejected at {1 - level:.3g}."
        )
    if kept.disjoint:
        notes.append("The confidence set has gaps; the limits shown are the outermost.")
    z = exposure_alone(problem.regressors.X, problem.place)
    effective = float(np.nanmin(effective_numbers(z, problem.outer, G)))
    if effective < max(4.0, G / 3):
        fails = "reject too rarely" if restricted else "reject too often"
        notes.append(
            f"The exposure has effectively {effective:.1f} of {G} clusters: a bootstrap may {fails}. See "
            "cluster_diagnostics, and use a randomisation test if the exposure was assigned."
        )
    return notes
