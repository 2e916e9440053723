"""`cluster_diagnostics`: how many clusters a coefficient really rests on.

Letters as in `numerics.cluster_effective`: z the covariate less what the others explain.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from jobchance.errors import DesignError, SpecError
from jobchance.formatting import Formatter
from jobchance.inference.wild_bootstrap_problem import cluster_columns, place_of
from jobchance.numerics.cluster_effective import effective_numbers, partial_leverage
from jobchance.numerics.cluster_jackknife import leave_out_changes
from jobchance.numerics.sandwich import dense_codes
from jobchance.numerics.wild_sums import sums
from jobchance.results.covariance import cluster_codes
from jobchance.results.fit import Fit
from jobchance.results.parts import Codes, Floats, Regressors, Rows
from jobchance.results.vcov import Cluster

_FORMAT = Formatter("en")
_HALF = 0.5


@dataclass(frozen=True, eq=False, repr=False)
class ClusterDiagnostics:
    """Sizes and influence of clusters, which are numbered and never named.

    Parameters
    ----------
    cluster : str
        The column that names the clusters.
    n_clusters : int
        G.
    terms : DataFrame
        One row per coefficient: `term estimate effective_rho0 effective_rho1 largest_partial_leverage
        lowest_without highest_without sign_changes lost`.
    frame : DataFrame
        One row per coefficient and cluster: `term cluster rows leverage partial_leverage
        estimate_without`; cluster 1 has most rows.
    notes : tuple of str
        What a reader must know.
    """

    cluster: str
    n_clusters: int
    terms: pd.DataFrame
    frame: pd.DataFrame
    notes: tuple[str, ...] = field(default=())

    def summary(self) -> str:
        """Deterministic text."""
        rows = self.frame.drop_duplicates("cluster")["rows"]
        share = rows.max() / rows.sum()
        lines = [
            f"{_FORMAT.count(self.n_clusters)} clusters of {self.cluster}, {_FORMAT.count(int(rows.min()))} "
            f"to {_FORMAT.count(int(rows.max()))} rows; the largest holds {_number(100 * share, 0)}%",
        ]
        for row in self.terms.to_dict("records"):
            lines.append(
                f"{row['term']}: estimate {_number(row['estimate'])}, without one cluster "
                f"{_number(row['lowest_without'])} to {_number(row['highest_without'])}; effective "
                f"clusters {_number(row['effective_rho0'], 1)} (independent rows), "
                f"{_number(row['effective_rho1'], 1)} (rows of a cluster as one); largest partial "
                f"leverage {_number(row['largest_partial_leverage'], 2)}"
            )
        return "\n".join([*lines, *(f"Note: {text}" for text in self.notes)]) + "\n"

    def __repr__(self) -> str:
        return f"ClusterDiagnostics({self.cluster!r}, {self.n_clusters} clusters, {len(self.terms)} terms)"


def cluster_diagnostics(
    fit: Fit, term: str | None = None, *, cluster: str | Sequence[str] | Cluster | None = None
) -> ClusterDiagnostics:
    r"""Sizes, leverage and effective number of the clusters of a fit.

    With z the covariate less what the others explain and :math:`\gamma_g(\rho) = \rho (\sum_g z)^2 + (1 -
    \rho) \sum_g z^2`, the effective number of clusters is

    .. math:: G^*(\rho) = \frac{G}{1 + \frac1G \sum_g (\gamma_g / \bar\gamma - 1)^2},

    G where all clusters are alike and near 1 where one decides.

    Parameters
    ----------
    fit : Fit
        Of least squares (absorbed effects included), two-stage least squares, logit or Poisson regression.
    term : str or None
        One coefficient; `None` is all.
    cluster : str, sequence of str, Cluster or None
        Column that names the clusters; of several, that with the fewest. `None`: as the fit.

    Returns
    -------
    ClusterDiagnostics
        `effective_rho0` takes the rows of a cluster as independent and `effective_rho1`, the usual choice, as
        moving as one (missing where cluster effects are absorbed, since z then sums to zero within clusters).
        `leverage` is the trace of X_g B X_g', absorbed effects apart; it sums to the number of coefficients.
        `partial_leverage` is the cluster's share of the sum of z^2. `estimate_without` leaves the cluster
        out (least squares only; missing where the coefficient is then not identified, counted in `lost`).

    Raises
    ------
    SpecError
        Another kind of model, no rows, no clusters, no such term.
    DesignError
        A cluster column is absent.

    Notes
    -----
    The table holds counts of rows by cluster: pass it through `disclosure.protect` before it leaves a secure
    server.

    References
    ----------
    Carter, Schnepel & Steigerwald (2017), Rev. Econ. Statist. 99, 698-709; MacKinnon, Nielsen & Webb (2023),
    Stata J. 23, 942-982.

    Examples
    --------
    >>> data = pd.DataFrame({"y": [1.0, 2, 4, 3, 6, 7, 5, 9], "x": [0.0, 1, 0, 1, 1, 2, 0, 2]})
    >>> data["g"] = list("aabbccdd")
    >>> import jobchance as jc
    >>> fit = jc.fit_glm("y ~ x", data, family="gaussian", vcov=jc.Cluster("g"))
    >>> round(float(cluster_diagnostics(fit, "x").terms["effective_rho0"].iloc[0]), 2)
    3.4
    """
    rows, regressors = _regression(fit)
    places = range(len(fit.terms)) if term is None else [place_of(fit, term)]
    name, codes, count = _fewest(fit, rows, cluster)
    X, residual = regressors.scaled
    sizes = np.bincount(codes, minlength=count).astype(np.int64)
    order = np.lexsort((np.arange(count), -sizes))
    leverage = sums(((X @ rows.bread) * X).sum(axis=1, keepdims=True), codes, count)[:, 0]
    without, lost, why = _without(fit, regressors, (X, residual), codes, rows)
    made = []
    summaries = []
    for j in places:
        z = X @ rows.bread[:, j] / rows.bread[j, j]
        partial = partial_leverage(z, codes, count)
        made.append(_clusters(str(fit.terms[j]), sizes, leverage, partial, without[:, j], order))
        summaries.append(
            _term(fit, j, effective_numbers(z, codes, count), partial, without[:, j], int(lost[j]))
        )
    terms = pd.DataFrame(summaries)
    return ClusterDiagnostics(
        cluster=name,
        n_clusters=count,
        terms=terms,
        frame=pd.concat(made, ignore_index=True),
        notes=((why,) if why else ()) + _notes(terms),
    )


def _regression(fit: Fit) -> tuple[Rows, Regressors]:
    """Rows and regression, or why there is none."""
    rows = fit.need_rows("cluster_diagnostics")
    if rows.regressors is None:
        raise SpecError(
            "cluster_diagnostics is defined for least squares, two-stage least squares, logit and Poisson "
            f"regression, not for {fit.model}."
        )
    return rows, rows.regressors


def _fewest(fit: Fit, rows: Rows, cluster: str | Sequence[str] | Cluster | None) -> tuple[str, Codes, int]:
    """Name, codes and number of the clusters in the dimension with the fewest."""
    columns = cluster_columns(fit, cluster, "cluster_diagnostics")
    dense = [dense_codes(codes[rows.used]) for codes in cluster_codes(rows.frame, columns)]
    at = int(np.argmin([count for _, count in dense]))
    return columns[at], *dense[at]


def _without(
    fit: Fit, regressors: Regressors, equations: tuple[Floats, Floats], codes: Codes, rows: Rows
) -> tuple[Floats, Codes, str]:
    """Estimates without each cluster (G, k), clusters that a term needs, and why there are none."""
    none = np.full((int(codes.max()) + 1, len(fit.terms)), np.nan), np.zeros(len(fit.terms), dtype=np.int64)
    if regressors.kind != "least squares":
        return *none, "Estimates without a cluster are given for least squares only."
    try:
        changes, lost = leave_out_changes(*equations, codes, list(rows.absorbed.values()))
    except DesignError as error:
        return *none, f"There are no estimates without a cluster: {error}"
    return fit.estimates - changes, lost, ""


def _clusters(
    term: str, sizes: Codes, leverage: Floats, partial: Floats, without: Floats, order: Codes
) -> pd.DataFrame:
    """One row per cluster, by size."""
    return pd.DataFrame(
        {
            "term": term,
            "cluster": np.arange(1, len(order) + 1),
            "rows": sizes[order],
            "leverage": leverage[order],
            "partial_leverage": partial[order],
            "estimate_without": without[order],
        }
    )


def _term(
    fit: Fit, j: int, effective: tuple[float, float], partial: Floats, without: Floats, lost: int
) -> dict[str, object]:
    """One row about a coefficient."""
    estimate = float(fit.estimates[j])
    known = without[~np.isnan(without)]
    return {
        "term": fit.terms[j],
        "estimate": estimate,
        "effective_rho0": effective[0],
        "effective_rho1": effective[1],
        "largest_partial_leverage": float(partial.max()),
        "lowest_without": float(known.min()) if len(known) else np.nan,
        "highest_without": float(known.max()) if len(known) else np.nan,
        "sign_changes": bool((np.sign(known) == -np.sign(estimate)).any()),
        "lost": lost,
    }


def _notes(terms: pd.DataFrame) -> tuple[str, ...]:
    """What the numbers mean for this fit."""
    notes = []
    heavy = terms.loc[terms["largest_partial_leverage"] > _HALF, "term"].tolist()
    if heavy:
        notes.append(f"One cluster holds more than half of the variation of {', '.join(heavy)}.")
    bound = terms.loc[terms["lost"] > 0, "term"].tolist()
    if bound:
        notes.append(
            f"Without one of the clusters {', '.join(bound)} would not be identified: no clustered standard "
            "error and no bootstrap is reliable there."
        )
    return tuple(notes)


def _number(value: float, decimals: int | None = None) -> str:
    """A number as text."""
    if decimals is None:
        return _FORMAT.significant(value, 4)
    return _FORMAT.number(value, decimals=decimals)
