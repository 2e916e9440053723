"""From the rows behind a fit and a kind of standard error to a covariance and the record of its convention.

One place for every estimator, so that the same words mean the same arithmetic. Letters as in
`numerics.sandwich`: n rows, k parameters, G clusters.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from jobchance.errors import DesignError
from jobchance.formatting import Formatter
from jobchance.numerics.cluster_adjusted import adjusted_covariance
from jobchance.numerics.cluster_effective import fewest_effective
from jobchance.numerics.cluster_effects import with_spanning_effects
from jobchance.numerics.cluster_jackknife import jackknife_covariance
from jobchance.numerics.sandwich import (
    SandwichRecord,
    check_clusters,
    cluster_covariance,
    dense_codes,
    robust_covariance,
)
from jobchance.results.parts import Codes, Floats, Inference, Regressors, Rows
from jobchance.results.vcov import Cluster, Robust, Vcov

FEW_CLUSTERS = 30
_NUMBER = Formatter("en")


def covariance(rows: Rows, vcov: Vcov) -> tuple[Floats, Inference]:
    """Covariance (k, k) of the estimates and how it was computed.

    - `"model"`: the covariance that the model implies.
    - `Robust()`: `bread @ scores'scores @ bread`, times `n/(n-k)` for HC1; k counts all absorbed effects.
    - `Cluster(..., kind="CR2")`, `"CR3"`, `"jackknife"`: see `Cluster`; degrees of freedom there.
    - `Cluster(...)`: one dimension `G/(G-1) * (n-1)/(n-k)`; several dimensions by inclusion-exclusion,
      the intersection of all of them without a factor. k counts the coefficients, the effects of absorbed
      factors that are not nested in a cluster dimension, one for each factor that is, less one for each
      factor after the first (the rule of fixest and reghdfe).
      Reference distribution t with `min G - 1` degrees of freedom (normal for likelihood models).

    Raises
    ------
    DesignError
        A cluster column is absent, has missing values or fewer than two levels; random-effect groups are
        spread over several clusters; `Robust()` with random effects; a kind of cluster adjustment that the
        estimator or several dimensions do not have.
    """
    if isinstance(vcov, Cluster):
        return _clustered(rows, vcov)
    if isinstance(vcov, Robust):
        return _robust(rows, vcov)
    return rows.model_cov, Inference("model", rows.model_label, df=rows.df_resid)


def cluster_codes(frame: pd.DataFrame, columns: tuple[str, ...]) -> list[Codes]:
    """Integer cluster codes of each row by column, in the order of the labels; -1 where it is missing.

    Random draws by cluster thus do not depend on the order of the rows.

    Raises
    ------
    DesignError
        A column is absent; all absent columns are named at once.
    """
    absent = [column for column in columns if column not in frame.columns]
    if absent:
        raise DesignError(f"Cluster(...) names columns that the data do not have: {', '.join(absent)}.")
    return [_ordered_codes(frame[column]) for column in columns]


def _ordered_codes(column: pd.Series) -> Codes:
    """Codes in the order of the labels, or by first appearance where labels of several kinds have none."""
    try:
        return pd.factorize(column, sort=True)[0].astype(np.int64)
    except TypeError:
        return pd.factorize(column)[0].astype(np.int64)


def _clustered(rows: Rows, vcov: Cluster) -> tuple[Floats, Inference]:
    """Clustered covariance; see `covariance`."""
    codes = [c[rows.used] for c in cluster_codes(rows.frame, vcov.columns)]
    _check_bound(rows, vcov, codes)
    if vcov.kind != "CR1":
        return _adjusted(rows, vcov, codes)
    k = rows.k + _absorbed_parameters(rows, codes)
    made = cluster_covariance(
        rows.bread, rows.row_scores, codes, n=len(rows.outcome), k=k, names=vcov.columns
    )
    record = made.record
    df = float(record.df) if rows.uses_t and record.df is not None else math.inf
    effective = _effective(rows, codes, record.n_clusters)
    inference = Inference(
        "cluster",
        f"clustered by {' and '.join(vcov.columns)}",
        clusters=dict(zip(vcov.columns, record.n_clusters, strict=True)),
        factors=_factors(record, vcov.columns),
        df=df,
        notes=_notes(record, vcov.columns, effective, advised=_advice(rows, vcov))
        + _unit_note(rows, vcov.columns, codes),
        effective_clusters=effective,
    )
    return made.cov, inference


def _adjusted(rows: Rows, vcov: Cluster, codes: list[Codes]) -> tuple[Floats, Inference]:
    """CR2, CR3 and jackknife; see `Cluster`."""
    regressors = _regressors(rows, vcov)
    dense = [dense_codes(c) for c in codes]
    check_clusters(dense, codes, vcov.columns, n=len(rows.outcome), k=rows.k)
    counts = tuple(count for _, count in dense)
    factors = list(rows.absorbed.values())
    X, residual = regressors.scaled
    raised = 0
    df: float | tuple[float, ...]
    if vcov.kind == "jackknife":
        made = jackknife_covariance(X, residual, codes, factors)
        cov, lost, raised, df = made.cov, made.lost, made.raised, float(min(counts) - 1)
        labels = [" x ".join(vcov.columns[i] for i in term) for term in made.terms]
        scales = dict(zip(labels, made.factors, strict=True))
        words = "jackknife over clusters"
    else:
        full = with_spanning_effects(X, factors, dense[0][0])
        one = adjusted_covariance(
            full, residual, dense[0][0], kind=vcov.kind, m=X.shape[1], variance=regressors.variance
        )
        cov, lost, df, scales = one.cov, one.lost, tuple(one.df.tolist()), {}
        words = f"{vcov.kind}, Satterthwaite's degrees of freedom"
    effective = _effective(rows, codes, counts)
    record = SandwichRecord(vcov.kind, counts, (), (), None, raised)
    return cov, Inference(
        vcov.kind,
        f"clustered by {' and '.join(vcov.columns)} ({words})",
        clusters=dict(zip(vcov.columns, counts, strict=True)),
        factors=scales,
        df=df,
        notes=_lost_note(lost, vcov)
        + _notes(record, vcov.columns, effective, advised=_advice(rows, vcov))
        + _unit_note(rows, vcov.columns, codes),
        effective_clusters=effective,
    )


def _regressors(rows: Rows, vcov: Cluster) -> Regressors:
    """The regression that a leverage adjustment needs.

    Raises
    ------
    DesignError
        The estimator has none, or not the one that the kind needs; several dimensions.
    """
    found, asked = rows.regressors, f"kind={vcov.kind!r}"
    if found is None:
        raise DesignError(
            f"{asked} is not defined for this estimator: it adjusts the residuals of a regression for "
            "leverage, which least squares, two-stage least squares, logit and Poisson regression have. "
            "Use Cluster(...) without kind."
        )
    if vcov.kind != "jackknife" and found.weighted:
        raise DesignError(
            f"{asked} needs to know how the variance of a row goes with its weight, which sampling weights "
            "do not say: use kind='jackknife'."
        )
    if vcov.kind == "jackknife" and found.kind != "least squares":
        raise DesignError(
            f"{asked} is exact for least squares only, and this is {found.kind}: use kind='CR3', which takes "
            "one step towards the estimate without a cluster."
        )
    if vcov.kind != "jackknife" and len(vcov.columns) > 1:
        raise DesignError(
            f"{asked} is defined for one cluster dimension, not {len(vcov.columns)}: use kind='jackknife', "
            "or the column with the fewest clusters."
        )
    return found


def _effective(rows: Rows, codes: list[Codes], counts: tuple[int, ...]) -> tuple[float, ...]:
    """Effective number of clusters by term where clusters are few; see `Inference`."""
    few = counts.index(min(counts))
    if rows.regressors is None or counts[few] >= FEW_CLUSTERS:
        return ()
    X, _ = rows.regressors.scaled
    # Codes of the whole data may have gaps at the rows used; finding that out is cheaper than a sort.
    dense = codes[few] if int(codes[few].max()) < counts[few] else dense_codes(codes[few])[0]
    return tuple(fewest_effective(X, rows.bread, dense, counts[few]).tolist())


def _advice(rows: Rows, vcov: Cluster) -> str:
    """What to run where clusters are few; a kind in use is not advised again."""
    if rows.regressors is None:
        return "A randomisation test, where the exposure was assigned, does not rest on their number."
    randomise = "or a randomisation test where the exposure was assigned."
    adjusted = vcov.kind != "CR1"
    if rows.regressors.kind == "likelihood":
        own = "" if adjusted else "use kind='CR2' and "
        return (
            f"Before publishing, {own}compare with wild_bootstrap of the linear probability model, "
            f"{randomise}"
        )
    if adjusted:
        return f"Before publishing, run wild_bootstrap, {randomise}"
    second = "kind='CR2'" if rows.regressors.kind != "least squares" else "kind='CR2' or 'jackknife'"
    return f"Before publishing, run wild_bootstrap, use {second}, {randomise}"


def _lost_note(lost: Codes, vcov: Cluster) -> tuple[str, ...]:
    """A note where a coefficient rests on one cluster."""
    many = int((lost > 0).sum())
    if not many:
        return ()
    terms = "1 term is" if many == 1 else f"{many} terms are"
    said = (
        "what that cluster determines is left out of the variance (generalised inverse), which is then far "
        "too small"
        if vcov.kind == "CR2"
        else "their standard errors do not exist"
    )
    return (f"{terms} not identified without one of the clusters of {vcov.columns[0]}: {said}.",)


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


def _notes(
    record: SandwichRecord, names: tuple[str, ...], effective: tuple[float, ...], *, advised: str
) -> tuple[str, ...]:
    """What a reader of clustered standard errors must know about this sample."""
    notes = []
    fewest = min(record.n_clusters)
    if fewest < FEW_CLUSTERS:
        name = names[record.n_clusters.index(fewest)]
        text = f"Only {fewest} clusters of {name}"
        known = [value for value in effective if not math.isnan(value)]
        if known:
            text += f", effectively {_NUMBER.number(min(known), decimals=1)} for the term that has fewest"
        plain = record.kind == "cluster"
        text += (
            f": with fewer than {FEW_CLUSTERS} clusters, clustered standard errors are usually too small. "
            if plain
            else f": with fewer than {FEW_CLUSTERS} clusters, no standard error is safe alone. "
        )
        notes.append(text + advised)
    if record.n_raised_eigenvalues:
        notes.append(
            f"The multi-way covariance was not positive semi-definite; {record.n_raised_eigenvalues} "
            "negative eigenvalues were set to zero (Cameron, Gelbach & Miller 2011)."
        )
    return tuple(notes)
