"""`cluster_jackknife`: the estimates without one cluster after another.

Letters: beta_(g) the estimate without cluster g of G.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from jobchance.errors import SpecError
from jobchance.inference.wild_bootstrap_problem import cluster_columns, regression_of
from jobchance.numerics.cluster_jackknife import leave_out_changes
from jobchance.numerics.sandwich import check_clusters, dense_codes
from jobchance.results.covariance import cluster_codes
from jobchance.results.fit import Fit
from jobchance.results.vcov import Cluster


@dataclass(frozen=True, eq=False, repr=False)
class ClusterJackknife:
    """Leave-one-cluster-out estimates; clusters are numbered by size and never named.

    Parameters
    ----------
    cluster : str
        The column that names the clusters.
    table : DataFrame
        One row per coefficient: `term estimate bias corrected std_error std_error_centred df conf_low
        conf_high lowest highest lost`.
    estimates : DataFrame
        One row per cluster left out (index 1 is the largest), one column per coefficient; missing where the
        coefficient is not identified without the cluster.
    level : float
        Of the intervals.
    """

    cluster: str
    table: pd.DataFrame
    estimates: pd.DataFrame
    level: float

    def __repr__(self) -> str:
        return f"ClusterJackknife({self.cluster!r}, {len(self.estimates)} clusters)"


def cluster_jackknife(
    fit: Fit, *, cluster: str | Sequence[str] | Cluster | None = None, level: float = 0.95
) -> ClusterJackknife:
    r"""Estimates without each cluster in turn, the standard error and the bias that they give.

    .. math:: V = \frac{G-1}{G} \sum_g (\hat\beta_{(g)} - \hat\beta)(\hat\beta_{(g)} - \hat\beta)', \qquad
              \text{bias} = (G - 1) (\bar\beta_{(\cdot)} - \hat\beta)

    Exact, without a fit per cluster: the cross-products of the cluster are taken away. Effects that were
    absorbed are estimated again.

    Parameters
    ----------
    fit : Fit
        Of `fit_glm` with an identity link or `fit_panel` by least squares.
    cluster : str, sequence of str, Cluster or None
        The column that names the clusters; `None`: as the fit.
    level : float
        Of the intervals, t with G - 1 degrees of freedom.

    Returns
    -------
    ClusterJackknife
        `std_error` is that of `Cluster(..., kind="jackknife")` (CV3); `std_error_centred` takes deviations
        from the mean of the leave-one-out estimates instead (CV3J, never larger). Where a coefficient is not
        identified without `lost` clusters, its errors are missing.

    Raises
    ------
    SpecError
        Another kind of model, no rows, no clusters, several cluster columns, a level outside (0, 1).
    DesignError
        The cluster column cannot be used.

    Notes
    -----
    Not done here: models that are not linear, for which every cluster left out is a fit of its own.

    References
    ----------
    MacKinnon, Nielsen & Webb (2023), J. Applied Econometrics 38, 671-694.

    Examples
    --------
    >>> data = pd.DataFrame({"y": [1.0, 2, 4, 3, 6, 7, 5, 9], "x": [0.0, 1, 0, 1, 1, 2, 0, 2]})
    >>> data["g"] = list("aabbccdd")
    >>> import jobchance as jc
    >>> fit = jc.fit_glm("y ~ x", data, family="gaussian", vcov=jc.Cluster("g"))
    >>> cluster_jackknife(fit).estimates["x"].round(3).tolist()
    [1.75, 2.5, 2.1, 2.059]
    """
    rows, regressors = regression_of(fit, "cluster_jackknife")
    if regressors.kind != "least squares":
        raise SpecError(f"cluster_jackknife is exact for least squares, not for {fit.model}.")
    if not 0 < level < 1:
        raise SpecError(f"level={level!r} must lie between 0 and 1, such as 0.95.")
    columns = cluster_columns(fit, cluster, "cluster_jackknife")
    if len(columns) > 1:
        raise SpecError(
            f"cluster_jackknife leaves out the clusters of one column, not of {len(columns)}: give "
            f"cluster={columns[0]!r}. Cluster(..., kind='jackknife') has standard errors for several."
        )
    given = cluster_codes(rows.frame, columns)[0][rows.used]
    codes, count = dense_codes(given)
    check_clusters([(codes, count)], [given], columns, n=len(rows.outcome), k=rows.k)
    changes, lost = leave_out_changes(regressors.X, regressors.residual, codes, list(rows.absorbed.values()))
    estimates = fit.estimates - changes
    bias = (count - 1) * (estimates.mean(axis=0) - fit.estimates)
    std_error = np.sqrt((count - 1) / count * np.sum(changes**2, axis=0))
    centred = np.sqrt((count - 1) / count * np.sum((estimates - estimates.mean(axis=0)) ** 2, axis=0))
    reach = stats.t.ppf((1 + level) / 2, count - 1) * std_error
    table = pd.DataFrame(
        {
            "term": list(fit.terms),
            "estimate": fit.estimates,
            "bias": bias,
            "corrected": fit.estimates - bias,
            "std_error": std_error,
            "std_error_centred": centred,
            "df": count - 1,
            "conf_low": fit.estimates - reach,
            "conf_high": fit.estimates + reach,
            "lowest": estimates.min(axis=0),
            "highest": estimates.max(axis=0),
            "lost": lost,
        }
    )
    order = np.argsort(-np.bincount(codes), kind="stable")
    index = pd.RangeIndex(1, count + 1, name="cluster")
    return ClusterJackknife(
        columns[0], table, pd.DataFrame(estimates[order], columns=list(fit.terms), index=index), level
    )
