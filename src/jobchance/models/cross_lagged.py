"""`fit_cross_lagged`: cross-lagged panel models with and without random intercepts, by maximum likelihood."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import pandas as pd

from jobchance.errors import SpecError
from jobchance.models.cross_lagged_data import read_cases
from jobchance.models.cross_lagged_layout import Choices
from jobchance.models.cross_lagged_moments import Moments
from jobchance.models.cross_lagged_result import assemble
from jobchance.options import check_option
from jobchance.results.fit import Fit
from jobchance.results.vcov import Vcov, check_vcov, vcov_columns

OVER_WAVES = ("free", "equal")
MISSING = ("fiml", "listwise")


def fit_cross_lagged(
    data: pd.DataFrame | Moments,
    *,
    x: str | Sequence[str],
    y: str | Sequence[str],
    random_intercepts: bool = True,
    entity: str = "citizen_id",
    time: str = "wave",
    waves: Sequence[Hashable] | None = None,
    lags: str = "free",
    means: str = "free",
    residuals: str = "free",
    missing: str = "fiml",
    vcov: Vcov = "model",
) -> Fit:
    r"""Estimate which of two variables goes before the other, within entities.

    .. math::
        x_{it} = \mu_{xt} + \xi_i + w^x_{it}, \quad y_{it} = \mu_{yt} + \eta_i + w^y_{it}, \quad
        \begin{pmatrix} w^x_{it} \\ w^y_{it} \end{pmatrix} = B_t
        \begin{pmatrix} w^x_{i,t-1} \\ w^y_{i,t-1} \end{pmatrix} + e_{it}

    The random intercepts :math:`\xi_i, \eta_i` (RI-CLPM) hold what is stable in an entity, so that the lags
    speak of deviations from its own level. Without them (CLPM) lags mix both. A lag is the coefficient of
    what was there a wave before; it is an effect only if nothing that changes over time moves both.

    Parameters
    ----------
    data : DataFrame or Moments
        Long (one row per entity and time), wide (one row per entity), or published moments.
    x, y : str or sequence of str
        One column each of long data; for wide data and moments the variable of every wave, in order.
    random_intercepts : bool
        `True` RI-CLPM, at least 3 waves; `False` CLPM, at least 2.
    entity, time : str
        Columns of long data.
    waves : sequence or None
        Values of `time` to use. `None`: the first 5 that have both variables for at least 50 entities (a
        tenth, if fewer) who had them the wave before too.
    lags, means : {"free", "equal"}
        Whether lags and means may differ from wave to wave.
    residuals : {"free", "equal"}
        The same of residual variances and covariances from the second wave on; the first wave's are free.
    missing : {"fiml", "listwise"}
        Full-information likelihood of whatever is observed (missing at random given what is observed), or
        only entities with everything.
    vcov : "model", Robust or Cluster
        `"model"`: inverse expected information for complete data, observed where values are missing.
        `Robust` and `Cluster` sum the scores of entities; a cluster must hold all waves of its entities.

    Returns
    -------
    Fit
        Terms: lags `wy2~wx1` (outcome~predictor; `y2~x1` without random intercepts, `y~x` with equal lags),
        `RIx~~RIx RIy~~RIy RIx~~RIy`, (residual) variances and covariances `wx1~~wy1` (`ex~~ey` where
        equal), means `x1~1` (not intercepts). `statistics`: `chisq df p cfi tli rmsea rmsea_low rmsea_high
        srmr`, for data with rows `chisq_scaled` (not normal; `chisq_scale` its divisor, `p_scaled`), the
        difference between the standardised directions (`cross_lag_difference`, `_se`, `_p`), and with free
        lags `cross_lag_wald`, a joint test over the waves. `diagnostics["standardised"]`: lags
        and correlations on a common scale, with standard errors of the kind asked for here (`with_vcov`
        changes those of the terms alone).
        `diagnostics["comparisons"]`: likelihood ratios against equal (free) lags and the model without
        (with) random intercepts, also scaled for data that are not normal. `is_singular`: a variance below
        zero or a correlation beyond 1; they are reported as they come, never cut.

    Raises
    ------
    SpecError
        Unknown options; `x` and `y` that do not go together; standard errors that moments do not allow.
    FormulaError
        Columns are absent.
    DesignError
        Too few waves or entities, repeated rows, columns that are not numbers or do not vary, pairs never
        observed together, variables that determine each other, entities spread over clusters.
    EstimationError
        No optimum with a positive definite information was found.

    Notes
    -----
    Not done: measurement error (it is in the deviations, and pulls their lags towards zero), more than two
    variables, lags beyond one wave, growth, links other than linear.
    With random intercepts the ratio against the CLPM is chi-squared with 3 degrees of freedom because
    variances may go below zero; a one-sided test would have a smaller p-value.

    References
    ----------
    Hamaker, Kuiper & Grasman (2015), Psychological Methods 20, 102-116; Mulder & Hamaker (2021), Structural
    Equation Modeling 28, 638-648; Arbuckle (1996) on full information; Satorra & Bentler (2001),
    Psychometrika 66, 507-514, and Yuan & Bentler (2000) on scaled ratios.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(1)
    >>> level, x, y = rng.normal(size=400), [rng.normal(size=400)], [rng.normal(size=400)]
    >>> for _ in range(3):
    ...     x, y = [*x, rng.normal(size=400)], [*y, 0.5 * x[-1] + rng.normal(size=400)]
    >>> wide = pd.DataFrame({f"x{t + 1}": x[t] + level for t in range(4)})
    >>> wide = wide.assign(**{f"y{t + 1}": y[t] + level for t in range(4)})
    >>> fit = fit_cross_lagged(wide, x=["x1", "x2", "x3", "x4"], y=["y1", "y2", "y3", "y4"], lags="equal")
    >>> bool(fit.params["y~x"] > 0.4), bool(abs(fit.params["x~y"]) < 0.1)
    (True, True)
    """
    for name, value, allowed in (
        ("lags", lags, OVER_WAVES),
        ("means", means, OVER_WAVES),
        ("residuals", residuals, OVER_WAVES),
        ("missing", missing, MISSING),
    ):
        check_option(name, value, allowed)
    kind = check_vcov(vcov)
    if isinstance(data, Moments) and kind != "model":
        raise SpecError("Moments have no rows, so vcov='model' is the only kind of standard error.")
    cases = read_cases(
        data,
        x=x,
        y=y,
        entity=entity,
        time=time,
        waves=waves,
        listwise=missing == "listwise",
        clusters=vcov_columns(kind),
        least_waves=3 if random_intercepts else 2,
    )
    choices = Choices(random_intercepts, lags, means, residuals)
    unit = entity if isinstance(x, str) else "entities"
    return assemble(cases, choices, kind, missing, unit=unit)
