"""From the rows behind a fit and a kind of standard error to a covariance and the record of its convention.

One place for every estimator, so that the same words mean the same arithmetic. Letters as in
`numerics.sandwich`: n rows, k parameters, G clusters.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from jobchance.errors import DesignError
from jobchance.numerics.sandwich import SandwichRecord, cluster_covariance, robust_covariance
from jobchance.results.parts import Codes, Floats, Inference, Rows
from jobchance.results.vcov import Cluster, Robust, Vcov

FEW_CLUSTERS = 30


def covariance(rows: Rows, vcov: Vcov) -> tuple[Floats, Inference]:
    """Covariance (k, k) of the estimates and how it was computed.

    - `"model"`: the covariance that the model implies.
    - `Robust()`: `bread @ scores'scores @ bread`, times `n/(n-k)` for HC1; k counts all absorbed effects.
    - `Cluster(...)`: one dimension `G/(G-1) * (n-1)/(n-k)`; several dimensions by inclusion-exclusion,
      the intersection of all of them without a factor. k counts the coefficients, the effects of absorbed
      factors that are not nested in a cluster dimension, one for each factor that is, less one for each
      factor after the first (the rule of fixest and reghdfe).
      Reference distribution t with `min G - 1` degrees of freedom (normal for likelihood models).

    Raises
    ------
    DesignError
        A cluster column is absent, has missing values or fewer than two levels; random-effect groups are
        spread over several clusters; `Robust()` with random effects.
    """
    if isinstance(vcov, Cluster):
        return _clustered(rows, vcov)
    if isinstance(vcov, Robust):
        return _robust(rows, vcov)
    return rows.model_cov, Inference("model", rows.model_label, df=rows.df_resid)


def cluster_codes(frame: pd.DataFrame, columns: tuple[str, ...]) -> list[Codes]:
    """Integer cluster codes of each row by column; -1 where the cluster is missing.

    Raises
    ------
    DesignError
        A column is absent; all absent columns are named at once.
    """
    absent = [column for column in columns if column not in frame.columns]
    if absent:
        raise DesignError(f"Cluster(...) names columns that the data do not have: {', '.join(absent)}.")
    return [pd.factorize(frame[column])[0].astype(np.int64) for column in columns]


def _clustered(rows: Rows, vcov: Cluster) -> tuple[Floats, Inference]:
    """Clustered covariance; see `covariance`."""
    codes = [c[rows.used] for c in cluster_codes(rows.frame, vcov.columns)]
    _check_bound(rows, vcov, codes)
    k = rows.k + _absorbed_parameters(rows, codes)
    made = cluster_covariance(
        rows.bread, rows.row_scores, codes, n=len(rows.outcome), k=k, names=vcov.columns
    )
    record = made.record
    df = float(record.df) if rows.uses_t and record.df is not None else math.inf
    inference = Inference(
        "cluster",
        f"clustered by {' and '.join(vcov.columns)}",
        clusters=dict(zip(vcov.columns, record.n_clusters, strict=True)),
        factors=_factors(record, vcov.columns),
        df=df,
        notes=_notes(record, vcov.columns) + _unit_note(rows, vcov.columns, codes),
    )
    return made.cov, inference


def _check_bound(rows: Rows, vcov: Cluster, codes: list[Codes]) -> None:
    """One dimension must hold whole groups of every random effect, or rows of different clusters depend.

    Raises
    ------
    DesignError
        No dimension does; the message names what can be done.
    """
    holds = [all(_nested(g, c) for g in rows.bound.values()) for c in codes]
    # The score of a group splits over its rows in the linear model only.
    if not rows.bound or (any(holds) if rows.uses_t else all(holds)):
        return
    groups = list(rows.bound)
    whole = [name for name, g in rows.bound.items() if all(_nested(o, g) for o in rows.bound.values())]
    spread = [name for name, g in rows.bound.items() if not any(_nested(g, c) for c in codes)] or groups
    columns = (*vcov.columns, *whole[:1]) if rows.uses_t else tuple(whole[:1])
    advice = (
        f"Use Cluster({', '.join(map(repr, columns))})."
        if whole
        else "They cross each other, so no single cluster holds them all: use the model's standard errors, "
        "or fit fewer random effects and cluster on the factor left out."
    )
    raise DesignError(
        f"Clustered standard errors are not defined here: the random effects of {', '.join(spread)} are "
        f"spread over several clusters of {', '.join(vcov.columns)}, so rows of different clusters "
        f"depend on each other. {advice}"
    )


def _robust(rows: Rows, vcov: Robust) -> tuple[Floats, Inference]:
    """Heteroskedasticity-robust covariance; see `covariance`."""
    if rows.bound:
        raise DesignError(
            "Robust() is not defined with random effects, whose rows depend on each other: "
            f"use Cluster({', '.join(map(repr, rows.bound))})."
        )
    n = len(rows.outcome)
    df = rows.df_resid
    k = rows.k if isinstance(df, tuple) or math.isinf(df) else round(n - df)
    made = robust_covariance(rows.bread, rows.row_scores, n=n, k=k, kind=vcov.kind)
    label = f"robust to unequal variances ({vcov.kind})"
    return made.cov, Inference(
        vcov.kind, label, factors={vcov.kind: made.record.factors[0]}, df=rows.df_resid
    )


def _absorbed_parameters(rows: Rows, clusters: list[Codes]) -> int:
    """Absorbed effects that count in the small-sample factor; see `covariance`."""
    counted = [
        1 if any(_nested(group, c) for c in clusters) else int(group.max()) + 1
        for group in rows.absorbed.values()
    ]
    return sum(counted) - max(len(counted) - 1, 0)


def _nested(inner: Codes, outer: Codes) -> bool:
    """Whether every level of `inner` lies within one level of `outer`."""
    pairs = pd.DataFrame({"inner": inner, "outer": outer}).drop_duplicates()
    return bool(pairs["inner"].is_unique)


def _factors(record: SandwichRecord, names: tuple[str, ...]) -> dict[str, float]:
    """Small-sample factor by the dimensions of its term."""
    labels = [" x ".join(names[i] for i in term) for term in record.terms]
    return dict(zip(labels, record.factors, strict=True))


def _unit_note(rows: Rows, names: tuple[str, ...], codes: list[Codes]) -> tuple[str, ...]:
    """A note where one unit's rows lie in several clusters, so that their dependence is not covered."""
    if rows.unit is None or any(_nested(rows.unit[1], c) for c in codes):
        return ()
    unit = rows.unit[0]
    both = ", ".join(map(repr, (*names, unit)))
    return (
        f"Rows of the same {unit} lie in several clusters; their dependence is covered only within "
        f"a cluster. Cluster({both}) covers both.",
    )


def _notes(record: SandwichRecord, names: tuple[str, ...]) -> tuple[str, ...]:
    """What a reader of clustered standard errors must know about this sample."""
    notes = []
    fewest = min(record.n_clusters)
    if fewest < FEW_CLUSTERS:
        name = names[record.n_clusters.index(fewest)]
        notes.append(
            f"Only {fewest} clusters of {name}: with fewer than {FEW_CLUSTERS} clusters, clustered standard "
            "errors are usually too small."
        )
    if record.n_raised_eigenvalues:
        notes.append(
            f"The multi-way covariance was not positive semi-definite; {record.n_raised_eigenvalues} "
            "negative eigenvalues were set to zero (Cameron, Gelbach & Miller 2011)."
        )
    return tuple(notes)
