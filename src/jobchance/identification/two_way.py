"""`two_way_variance`: an outcome's spread between citizens and between caseworkers."""

from __future__ import annotations

import pandas as pd
from numpy.typing import ArrayLike

from jobchance.compute.threads import one_thread
from jobchance.errors import SpecError
from jobchance.identification.thresholds import Thresholds
from jobchance.identification.two_way_result import Asked, two_way_fit
from jobchance.identification.two_way_rows import read_rows, require_set, subset, without_covariates
from jobchance.numerics.two_way import two_way_components
from jobchance.numerics.two_way_graph import leave_out_set
from jobchance.options import check_option
from jobchance.results.fit import Fit

METHODS = ("kss", "plugin", "andrews")
LEVELS = ("observation", "match")
EXACT_CASEWORKERS = 3_000
PROJECTIONS = 200
SEED = 20200901


def two_way_variance(
    y: ArrayLike,
    citizen: ArrayLike,
    caseworker: ArrayLike,
    *,
    method: str = "kss",
    leave_out: str = "match",
    covariates: pd.DataFrame | ArrayLike | None = None,
    n_projections: int | None = None,
    std_errors: bool = True,
    seed: int = SEED,
    thresholds: Thresholds | None = None,
) -> Fit:
    r"""Variances of citizen and caseworker effects and their covariance, corrected for estimation noise.

    .. math:: y_{it} = \alpha_i + \psi_{j(i,t)} + x_{it}'b + e_{it}

    Estimated effects spread more than true ones: their noise adds to the variances and makes the covariance
    too low. The leave-out estimator (Kline, Saggio & Soelvsten 2020, KSS) takes that part away with an error
    variance of each row that comes from a fit without the row,
    :math:`\hat\sigma^2_i = (y_i - \bar y)(y_i - x_i'\hat\beta_{-i})`, so errors may have any variances.

    Parameters
    ----------
    y : array (n,)
        Outcome. For a 0/1 outcome this is the linear probability model, in shares.
    citizen, caseworker : array (n,)
        Identifiers of any kind.
    method : {"kss", "plugin", "andrews"}
        Leave-out; estimated effects as they are; correction with one common error variance (Andrews et al.
        2008). All three stand in `diagnostics["components"]`.
    leave_out : {"match", "observation"}
        What has an error of its own: all rows of a citizen with a caseworker together (errors may then
        depend on each other within a relation, as repeated answers about one citizen do), or each row. With
        `"match"` the variance of citizens has no standard error, since a citizen with one caseworker cannot
        lose it.
    covariates : DataFrame or array (n, k) or None
        Numeric columns, partialled out first with both sets of effects in the model; the correction then
        treats `b` as known.
    n_projections : int or None
        Random projections (Johnson-Lindenstrauss) for the leverages. `None`: exact leverages up to 3,000
        caseworkers, 200 projections beyond.
    std_errors : bool
        Standard errors of the KSS components (they take as long again).
    seed : int
        Of the projections and of the traces in the standard errors.
    thresholds : Thresholds or None
        `connected_share` and `min_movers` are used.

    Returns
    -------
    Fit
        Terms `variance(citizen)`, `variance(caseworker)`, `covariance(citizen, caseworker)` of the chosen
        method. `variance_components` holds standard deviations (NaN where a variance is estimated below 0),
        the correlation and the residual. `statistics`: `correlation`, `variance(y)`, `share_explained`,
        `n_movers`, `n_components`, `share_rows_kept`, `max_leverage`, `largest_eigenvalue_share` (exact
        leverages only) and, with projections, `projection_se(...)`. `diagnostics`: `components` (by method),
        `sample` (rows lost by step) and `checks`.

    Raises
    ------
    SpecError
        Unknown options, arrays of different lengths, covariates that are not numbers, too few projections.
    IdentificationError
        One caseworker, no citizen with several caseworkers, or no leave-out connected set.

    Notes
    -----
    Conventions are those of the reference code LeaveOutTwoWay (`leave_out_KSS`): the largest connected set
    (most caseworkers), pruned until it survives the loss of any one citizen, then without citizens of one
    row; rows as weights, divisor n - 1 in moments and correction; covariates partialled out; matches
    weighted by their rows; the variance of a match of a citizen with one caseworker from leaving out its
    rows. One difference: matches are centred at the mean of `y` before weighting, where the reference
    subtracts the plain mean of root-weighted match means; both are unbiased, this one does not change when a
    constant is added to `y`, and they agree where matches have one length or `leave_out="observation"`. Other
    packages (pytwoway) default to the homoskedastic correction, and give citizens with one caseworker their
    caseworker's mean error variance.

    Standard errors are those of KSS for the asymptotically normal case (no dominating eigenvalue), with
    error variances smoothed over rows of like leverage; a remark says when an eigenvalue dominates.
    Intervals for weak identification (their q = 1) are not computed.

    References
    ----------
    Kline, Saggio & Soelvsten (2020), Econometrica 88, 1859-1898; Andrews, Gill, Schank & Upward (2008),
    J. R. Stat. Soc. A 171, 673-697; Abowd, Kramarz & Margolis (1999), Econometrica 67, 251-333.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(1)
    >>> citizen, caseworker = np.repeat(np.arange(300), 4), rng.integers(0, 10, 1200)
    >>> y = rng.normal(0, 1, 300)[citizen] + rng.normal(0, 0.5, 10)[caseworker] + rng.normal(0, 1, 1200)
    >>> fit = two_way_variance(y, citizen, caseworker)
    >>> fit.sample.groups["caseworker"], round(float(fit.statistics["share_rows_kept"]), 2)
    (10, 1.0)
    """
    check_option("method", method, METHODS)
    check_option("leave_out", leave_out, LEVELS)
    if n_projections is not None and n_projections < 10:
        raise SpecError(f"n_projections={n_projections} is too few: use 10 or more, or None.")
    limits = thresholds or Thresholds()
    rows = read_rows(y, citizen, caseworker, covariates)
    kept = leave_out_set(rows.citizen, rows.caseworker)
    require_set(rows, kept)
    used = subset(rows, kept.rows)
    projections = n_projections
    if projections is None and int(used.caseworker.max()) >= EXACT_CASEWORKERS:
        projections = PROJECTIONS
    outcome, dropped = without_covariates(used)
    with one_thread:  # the projections share the work themselves
        found = two_way_components(
            outcome,
            used.citizen,
            used.caseworker,
            by_match=leave_out == "match",
            n_projections=projections,
            seed=seed,
            std_errors=std_errors and method == "kss",
        )
    asked = Asked(method, leave_out, projections, seed)
    return two_way_fit(rows, used, kept, found, outcome, dropped, asked, limits)
