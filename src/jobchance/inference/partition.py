"""`variance_partition`: shares of the variance of an outcome that lie between groups."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
from scipy import special, stats

from jobchance.errors import SpecError
from jobchance.inference.partition_values import Spot, share, spot_of, variances_at
from jobchance.inference.refit import check_mixed
from jobchance.options import check_option
from jobchance.results.fit import Fit
from jobchance.results.parts import Codes, Floats

SCALES = ("latent", "probability")
STEP = 1e-5
EDGE = 1e-8
ALL = "all"


def variance_partition(
    fit: Fit, *, scale: str = "latent", data: pd.DataFrame | None = None, level: float = 0.95
) -> pd.DataFrame:
    r"""Variance partition coefficients and intraclass correlations of a mixed fit.

    .. math:: \rho_S = \frac{\sum_{g \in S} v_g}{\sum_g v_g + v_e}, \qquad v_g = \overline{z'\Sigma_g z}

    Latent scale: :math:`v_e` is :math:`\sigma^2` (linear), :math:`\pi^2/3` (logit), 1 (probit),
    :math:`\pi^2/6` (cloglog), or :math:`\log(1 + 1/\lambda)` (Poisson, with :math:`\lambda` the mean count,
    averaged over rows and random effects). Probability scale (binomial): with :math:`p` the probability,

    .. math:: \rho_S = \frac{\mathrm{Var}\,E[p \mid b_S]}{\bar p (1 - \bar p)},

    the correlation of two 0/1 outcomes that share the effects S, by two-dimensional Gauss-Hermite quadrature.

    Parameters
    ----------
    fit : Fit
        Of `fit_mixed`.
    scale : str
        `"latent"` or `"probability"`.
    data : DataFrame or None
        Covariates. Latent scale: rows over which random slopes and :math:`\lambda` are averaged.
        Probability scale: one result per row. `None`: the rows behind the fit; probabilities at the means of
        their columns.
    level : float
        Confidence level.

    Returns
    -------
    DataFrame
        `quantity group row variance estimate std_error conf_low conf_high remark`. `quantity` is `"share"`,
        the part of one group (S = that group), `"same group"`, the correlation of two outcomes of one level
        of the group, S holding also the groups in which it is nested, or `"all groups"`. `row` is the label
        in `data` on the probability scale. Intervals are the delta method's on the logit scale, from
        `Fit.joint`; NaN with a remark where a variance is estimated at zero (use `profile_intervals` there);
        the others then take it to be zero.

    Raises
    ------
    SpecError
        Not a mixed fit; probability scale of another family; random slopes, Poisson or probabilities without
        data.

    Notes
    -----
    For the probability scale row weights play no role: it is that of single 0/1 outcomes.

    References
    ----------
    Goldstein, Browne & Rasbash (2002), Understanding Statistics 1, 223-231; Nakagawa, Johnson & Schielzeth
    (2017), J. R. Soc. Interface 14, 20170213; Johnson (2014), Methods Ecol. Evol. 5, 944-946.

    Examples
    --------
    >>> from jobchance import fit_mixed
    >>> data = pd.DataFrame({"y": [1.0, 2, 4, 5, 9, 8], "g": ["a", "a", "b", "b", "c", "c"]})
    >>> variance_partition(fit_mixed("y ~ 1 + (1 | g)", data))["estimate"].round(3).tolist()
    [0.96, 0.96, 0.96]
    """
    check_mixed(fit, "variance_partition")
    check_option("scale", scale, SCALES)
    _check(fit, scale, data, level)
    if data is None:
        frame = None if fit.rows is None else fit.rows.frame.iloc[fit.rows.used]
        return _table(fit, [(None, spot_of(fit, frame, scale))], scale, level)
    if scale == "latent":
        return _table(fit, [(None, spot_of(fit, data, scale))], scale, level)
    return _table(
        fit, [(row, spot_of(fit, data.iloc[[i]], scale)) for i, row in enumerate(data.index)], scale, level
    )


@dataclass(frozen=True)
class Sum:
    """Groups whose variances are added."""

    quantity: str
    group: str
    members: frozenset[str]


def _check(fit: Fit, scale: str, data: pd.DataFrame | None, level: float) -> None:
    """Everything that does not fit together."""
    problems = []
    family = fit.spec["family"]
    if not 0 < level < 1:
        problems.append(f"level={level!r} must lie between 0 and 1, such as 0.95")
    if scale == "probability" and family != "binomial":
        problems.append(f"scale='probability' is that of binomial fits, not {family}: use scale='latent'")
    slopes = any(s.predictor is not None for s in fit.structure)
    if data is None and fit.rows is None and (slopes or scale == "probability" or family == "poisson"):
        problems.append("the fit has no rows in memory: give data, on which this partition depends")
    if problems:
        raise SpecError("variance_partition: " + "; ".join(problems) + ".")


def _groups(fit: Fit) -> list[str]:
    return list(dict.fromkeys(s.group for s in fit.structure))


def _sums(fit: Fit) -> list[Sum]:
    """Shares, then the correlations within groups, then all groups together."""
    groups = _groups(fit)
    shares = [Sum("share", g, frozenset({g})) for g in groups]
    within = [Sum("same group", g, frozenset(o for o in groups if _inside(fit, g, o))) for g in groups]
    return [*shares, *within, Sum("all groups", ALL, frozenset(groups))]


def _inside(fit: Fit, inner: str, outer: str) -> bool:
    """Whether each level of one group lies within one level of the other: by rows, else by name (`a:b`)."""
    if inner == outer:
        return True
    if fit.rows is not None and {inner, outer} <= set(fit.rows.bound):
        return _nested(fit.rows.bound[inner], fit.rows.bound[outer])
    return set(outer.split(":")) < set(inner.split(":"))


def _nested(inner: Codes, outer: Codes) -> bool:
    pairs = np.unique(np.column_stack([inner, outer]), axis=0)
    return len(np.unique(pairs[:, 0])) == len(pairs)


def _table(fit: Fit, spots: list[tuple[object, Spot]], scale: str, level: float) -> pd.DataFrame:
    """All sums at all spots, with intervals."""
    assert fit.joint is not None, "mixed fits have it"
    at, records = fit.joint.estimates, []
    for row, spot in spots:
        variances = variances_at(fit, spot, at)[0]
        for one in _sums(fit):
            value = partial(share, fit, spot, scale, one.members)
            records.append(
                {
                    "quantity": one.quantity,
                    "group": one.group,
                    "row": row,
                    "variance": sum(v for g, v in variances.items() if g in one.members),
                    "estimate": value(at),
                    **_interval(value(at), _error(fit, value), level),
                }
            )
    return pd.DataFrame(records)


def _error(fit: Fit, value: Callable[[Floats], float]) -> float:
    """Standard error by the delta method; NaN where a variance that matters is at zero."""
    assert fit.joint is not None, "mixed fits have it"
    at, C = fit.joint.estimates, fit.joint.covariance
    gone = np.isnan(np.diag(C))
    sizes = np.sqrt(np.where(gone, 1.0, np.diag(C)))
    steps = STEP * np.maximum(sizes, STEP)
    slope = np.array([(value(at + h) - value(at - h)) / 2 for h in np.diag(steps)]) / steps
    if (gone & (at == 0)).any() and value(at) < EDGE:
        return math.nan
    known = np.where(np.isnan(C), 0.0, C)
    return math.sqrt(max(float(slope @ known @ slope), 0.0))


def _interval(estimate: float, error: float, level: float) -> dict[str, object]:
    """Standard error and limits on the logit scale."""
    if not error > 0 or not EDGE < estimate < 1 - EDGE:
        words = "estimated at the edge of its range: no interval from standard errors; use profile_intervals"
        return {"std_error": math.nan, "conf_low": math.nan, "conf_high": math.nan, "remark": words}
    reach = stats.norm.ppf((1 + level) / 2) * error / (estimate * (1 - estimate))
    low, high = special.expit(special.logit(estimate) + np.array([-reach, reach]))
    return {"std_error": error, "conf_low": float(low), "conf_high": float(high), "remark": ""}
