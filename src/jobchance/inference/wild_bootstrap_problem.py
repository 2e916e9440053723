"""What a wild bootstrap takes from a fit: its regression, clusters of the variance and of the draws."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from jobchance.errors import SpecError
from jobchance.inference.again import known_term
from jobchance.models.iv_rows import IvRows, prepare, read_iv
from jobchance.numerics.sandwich import dense_codes, dimension_sets, intersection
from jobchance.numerics.wild_linear import Term
from jobchance.options import check_option
from jobchance.results.covariance import cluster_codes, covariance
from jobchance.results.fit import Fit
from jobchance.results.parts import Codes, Regressors, Rows
from jobchance.results.vcov import Cluster

INTERSECTION = "intersection"
_RAISED = (
    "The multi-way covariance of all terms has negative eigenvalues, which the fit sets to zero and this "
    "test, of one term, does not: the standard errors differ.",
)


@dataclass(frozen=True, eq=False)
class Problem:
    """One coefficient of a fit with clusters.

    `terms` of the variance CR1 with their signed factors, `outer` codes of the clusters whose rows share a
    multiplier; `counts` by column.
    """

    rows: Rows
    regressors: Regressors
    place: int
    estimate: float
    std_error: float
    terms: tuple[Term, ...]
    outer: Codes
    outer_name: str
    counts: dict[str, int]
    notes: tuple[str, ...]

    @property
    def is_iv(self) -> bool:
        """Whether the regression is two-stage least squares."""
        return self.regressors.kind != "least squares"

    def t(self, null: float) -> float:
        """Studentised distance of the estimate from a null."""
        return (self.estimate - null) / self.std_error

    @property
    def n_outer(self) -> int:
        """Clusters that get a multiplier."""
        return int(self.outer.max()) + 1


def regression_of(fit: Fit, what: str) -> tuple[Rows, Regressors]:
    """Rows and regression of a linear fit.

    Raises
    ------
    SpecError
        No rows; an estimator that is not linear, with what to do instead.
    """
    rows = fit.need_rows(what)
    found = rows.regressors
    if found is not None and found.kind != "likelihood":
        return rows, found
    if rows.bound or fit.structure:
        advice = "Use parametric_bootstrap or bootstrap_compare, which draw from the mixed model itself."
    elif found is not None:
        advice = (
            "Use the linear probability model, fit_glm(..., link='identity') or fit_panel, or "
            "vcov=Cluster(..., kind='CR2')."
        )
    else:
        advice = "Use fit_glm with an identity link, fit_panel (within, pooled, first_difference) or fit_iv."
    raise SpecError(
        f"{what} is defined for least squares and two-stage least squares, not for {fit.model}. {advice}"
    )


def place_of(fit: Fit, term: str) -> int:
    """Position of a term, or an error with the terms there are."""
    return list(fit.terms).index(known_term(fit, term))


def read_problem(
    fit: Fit, term: str, *, cluster: str | Sequence[str] | Cluster | None, bootstrap_cluster: str | None
) -> Problem:
    """The regression, clusters and CR1 standard error of one term.

    Raises
    ------
    SpecError
        As `regression_of`; no such term; no clusters; a bootstrap cluster that is none of the clusters.
    DesignError
        Cluster columns that cannot be used.
    """
    rows, regressors = regression_of(fit, "wild_bootstrap")
    place = place_of(fit, term)
    columns = cluster_columns(fit, cluster, "wild_bootstrap")
    _, inference = covariance(rows, Cluster(*columns))
    dense = [dense_codes(codes[rows.used]) for codes in cluster_codes(rows.frame, columns)]
    sets = dimension_sets(len(dense))
    cells = [intersection([dense[i] for i in chosen])[0] for chosen in sets]
    signs = [(-1.0) ** (len(chosen) + 1) for chosen in sets]
    factors = inference.factors.values()
    counts = dict(inference.clusters)
    fewest = min(counts, key=lambda name: counts[name])
    allowed = [*columns, INTERSECTION] if len(columns) > 1 else list(columns)
    name = check_option("bootstrap_cluster", bootstrap_cluster or fewest, allowed)
    terms = tuple(Term(c, s * f) for c, s, f in zip(cells, signs, factors, strict=True))
    influence = rows.row_scores @ rows.bread[:, place]
    variance = sum(part.factor * float(np.sum(np.bincount(part.codes, influence) ** 2)) for part in terms)
    return Problem(
        rows=rows,
        regressors=regressors,
        place=place,
        estimate=float(fit.estimates[place]),
        std_error=float(np.sqrt(variance)) if variance > 0 else np.nan,
        terms=terms,
        outer=cells[-1] if name == INTERSECTION else dense[columns.index(name)][0],
        outer_name=" x ".join(columns) if name == INTERSECTION else name,
        counts=counts,
        notes=_RAISED if any("negative eigenvalues" in note for note in inference.notes) else (),
    )


def cluster_columns(fit: Fit, cluster: str | Sequence[str] | Cluster | None, what: str) -> tuple[str, ...]:
    """Columns that name the clusters: those given, else those of the fit."""
    if cluster is None:
        columns = tuple(fit.inference.clusters)
        if not columns:
            raise SpecError(
                f"{what} needs clusters, and the standard errors of this fit have none: give "
                "cluster='jobcentre_id'."
            )
        return columns
    if isinstance(cluster, Cluster):
        return cluster.columns
    return Cluster(*((cluster,) if isinstance(cluster, str) else cluster)).columns


def read_iv_rows(fit: Fit, term: str, rows: Rows) -> IvRows:
    """Outcome, endogenous variable and instruments of a fit by two-stage least squares.

    Raises
    ------
    SpecError
        Several endogenous variables, or another term than the endogenous one.
    """
    source = read_iv(
        fit.spec["formula"], rows.frame.iloc[rows.used], absorb=tuple(fit.spec["absorbed"]), further=()
    )
    made = prepare(source, "model")
    if len(made.endogenous) != 1 or made.endogenous[0] != term:
        raise SpecError(
            f"wild_bootstrap of {fit.model} tests the coefficient of the one endogenous variable; this fit "
            f"has {', '.join(made.endogenous)}, and {term} was asked for."
        )
    return made
