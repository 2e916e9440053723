"""The linear estimators through `fit_glm` and `fit_panel`: what the shared computation must reproduce.

`pooled` is least squares (`fit_glm`, gaussian); with absorbed factors, and for `within`, it is the within
estimator of `fit_panel`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jobchance.design.nodes import quoted
from jobchance.errors import EstimationError, SpecError
from jobchance.models.glm import fit_glm
from jobchance.models.panel import fit_panel
from jobchance.results.covariance import FEW_CLUSTERS
from jobchance.results.fit import Fit
from jobchance.results.parts import Inference
from jobchance.results.vcov import Cluster, Robust, Vcov
from jobchance.sensitivity.multiverse.filled import Prepared
from jobchance.sensitivity.multiverse.rows import Answer
from jobchance.sensitivity.multiverse.samples import ENTITY, TIME, absorbed_factors
from jobchance.sensitivity.multiverse.specification import Specification


def formula_of(spec: Specification, terms: Sequence[str], *, random: bool = False) -> str:
    """The formula: the exposure first, so that collinear covariates go and not the exposure."""
    return "outcome ~ " + " + ".join([quoted(spec.exposure), *terms, *(spec.random if random else ())])


def vcov_of(spec: Specification) -> Vcov:
    """The kind of standard error.

    Raises
    ------
    SpecError
        It is not known.
    """
    if spec.vcov == "model":
        return "model"
    if spec.vcov == "robust":
        return Robust()
    if spec.clusters:
        return Cluster(*spec.clusters, kind=spec.cluster_kind)
    raise SpecError(f"vcov={spec.vcov!r} is not known. Allowed: model, robust, cluster:<column>.")


def fit_linear(spec: Specification, prepared: Prepared) -> Fit:
    """The fit of a linear specification.

    Raises
    ------
    FormulaError, DesignError, EstimationError, SpecError
        See `fit_glm` and `fit_panel`.
    """
    formula, factors = formula_of(spec, prepared.terms), absorbed_factors(spec)
    if not factors:
        return fit_glm(formula, prepared.frame, family="gaussian", vcov=vcov_of(spec))
    return fit_panel(
        formula,
        prepared.frame,
        estimator="within",
        entity=factors[0],
        time=TIME if factors[0] == ENTITY and TIME in prepared.frame else None,
        absorb=factors[1:],
        vcov=vcov_of(spec),
    )


def coefficient(spec: Specification, fit: Fit, *, step: float, unit: str) -> Answer:
    """The exposure's coefficient as percentage points of the outcome for a step.

    Raises
    ------
    EstimationError
        The exposure has no coefficient.
    """
    term = term_of(spec, fit)
    return Answer(
        estimate=100 * step * float(fit.params[term]),
        std_error=100 * step * float(fit.std_errors[term]),
        df=float(fit.df[term]),
        unit=unit,
        **about(fit),
    )


def term_of(spec: Specification, fit: Fit) -> str:
    """The name of the exposure's coefficient.

    Raises
    ------
    EstimationError
        It has none.
    """
    name = quoted(spec.exposure)
    if name in fit.terms:
        return name
    gone = [text for text in fit.sample.dropped_terms if text.startswith(f"{name} (")]
    raise EstimationError(
        f"The exposure has no coefficient: {gone[0] if gone else name + ' is not one number per row'}."
    )


def about(fit: Fit) -> dict[str, Any]:
    """What an answer says of its fit."""
    made = about_inference(fit.inference)
    doubts = () if fit.converged and not fit.is_singular else tuple(fit.remarks)
    return made | {
        "notes": (*left_out(fit.sample.dropped_terms), *doubts, *made["notes"]),
        "converged": bool(fit.converged),
        "is_singular": bool(fit.is_singular),
    }


def about_inference(inference: Inference) -> dict[str, Any]:
    """Notes on standard errors, whether they warn, and the number of clusters.

    On few clusters all specifications say the same: what the shared and the single computation know of the
    regression differs, and advice on one fit is no help with thousands.
    """
    clusters = min(inference.clusters.values(), default=None)
    few = clusters is not None and clusters < FEW_CLUSTERS
    mended = any("positive semi-definite" in note for note in inference.notes)
    notes = tuple(note for note in inference.notes if not (few and note.startswith(f"Only {clusters} ")))
    if few:
        notes = (_few_clusters(inference), *notes)
    return {"notes": notes, "alarming": few or mended, "n_clusters": clusters}


def _few_clusters(inference: Inference) -> str:
    """What to do where clusters are few."""
    name, count = min(inference.clusters.items(), key=lambda item: item[1])
    if inference.kind != "cluster":
        return f"Only {count} clusters of {name}: run wild_bootstrap on the main specification as well."
    return (
        f"Only {count} clusters of {name}: with fewer than {FEW_CLUSTERS}, clustered standard errors are "
        f"usually too small. Add 'cluster:{name}:CR2' to vcov, and run wild_bootstrap on the main "
        "specification."
    )


def left_out(dropped_terms: Sequence[str]) -> tuple[str, ...]:
    """A note on terms without a coefficient."""
    return (f"Left out: {', '.join(dropped_terms)}.",) if dropped_terms else ()
