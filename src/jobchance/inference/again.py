"""`fit_again`: the same model on other rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

import pandas as pd

from jobchance.errors import SpecError
from jobchance.models.glm import fit_glm
from jobchance.models.iv import fit_iv
from jobchance.models.mixed import fit_mixed
from jobchance.models.panel import fit_panel
from jobchance.options import check_option
from jobchance.results.fit import Fit
from jobchance.results.vcov import Cluster, Robust, Vcov

Refit: TypeAlias = Callable[[pd.DataFrame], Fit]

# first differences need periods and "between" its rows, which a fit does not remember
_PANEL = ("within", "pooled", "random", "hybrid")
_IV = ("2sls", "liml", "fuller")


def fit_again(fit: Fit, data: pd.DataFrame) -> Fit:
    """The model of a fit, with its kind of standard error, on these rows.

    Parameters
    ----------
    fit : Fit
        Of `fit_glm`, `fit_panel` (not first differences or means, which come of other rows than a fit
        remembers), `fit_mixed` or `fit_iv` (two-stage least squares, LIML and Fuller's).
    data : DataFrame
        With the columns of the data that the fit was made on.

    Raises
    ------
    SpecError
        A fit of another function; `refit=` then says how.
    """
    require_record(fit)
    spec = dict(fit.spec)
    formula, vcov = str(spec["formula"]), vcov_of(fit)
    if "estimator" in spec:
        entity = str(spec["entity"])
        absorb = [name for name in spec.get("absorbed", ()) if name != entity]
        return fit_panel(
            formula,
            data,
            estimator=str(spec["estimator"]),
            entity=entity,
            time=None,
            absorb=absorb,
            vcov=vcov,
        )
    if _is_iv(spec):
        return fit_iv(
            formula,
            data,
            method=str(spec["method"]),
            absorb=list(spec["absorbed"]),
            vcov=vcov,
            alpha=float(spec.get("alpha", 1.0)),
        )
    if "n_quad" in spec:
        made = fit_mixed(
            formula,
            data,
            family=str(spec["family"]),
            link=None if spec["family"] == "gaussian" else str(spec["link"]),
            method=str(spec["method"]),
            n_quad=int(spec["n_quad"]),
            weights=spec["weights"],
            offset=spec["offset"],
            thresholds=spec.get("thresholds", "free"),
        )
        return made if fit.inference.kind == "model" else made.with_vcov(vcov)
    return fit_glm(
        formula,
        data,
        family=str(spec["family"]),
        link=str(spec["link"]),
        vcov=vcov,
        weights=spec.get("weights"),
    )


def shown_terms(terms: Iterable[str]) -> str:
    """Names of coefficients for messages, without the levels of categories, which may be identifiers."""
    return ", ".join(dict.fromkeys(map(_head, terms)))


def _head(name: str) -> str:
    """A coefficient's name without the level of a category."""
    return f"{name.partition('[')[0]}[...]" if "[" in name else name


def known_term(fit: Fit, term: str) -> str:
    """The term, if the fit has it.

    Raises
    ------
    SpecError
        It has not; the message names its terms, but no level of a category.
    """
    if term not in fit.terms:
        asked, heads = _head(str(term)), list(dict.fromkeys(map(_head, fit.terms)))
        if asked in heads:
            raise SpecError(
                f"The model has no such level of {asked}; its terms are {shown_terms(fit.terms)}."
            )
        check_option("term", asked, heads)
    return term


def vcov_of(fit: Fit) -> Vcov:
    """The kind of standard error that a fit has."""
    inference = fit.inference
    if inference.clusters:
        return Cluster(*inference.clusters, kind="CR1" if inference.kind == "cluster" else inference.kind)
    return Robust(inference.kind) if inference.kind in ("HC0", "HC1") else "model"


def has_record(fit: Fit) -> bool:
    """Whether `fit_again` can fit the model."""
    spec = fit.spec
    if "estimator" in spec:
        return spec["estimator"] in _PANEL and {"formula", "entity"} <= set(spec)
    return _is_iv(spec) or ({"formula", "family", "link"} <= set(spec) and "hazard" not in spec)


def _is_iv(spec: Mapping[str, Any]) -> bool:
    """Whether the record is that of a k-class estimator with instruments."""
    return spec.get("method") in _IV and {"formula", "absorbed"} <= set(spec) and "family" not in spec


def require_record(fit: Fit) -> None:
    """Raise a `SpecError` unless `fit_again` can fit the model."""
    if not has_record(fit):
        raise SpecError(
            f"The model {fit.model!r} cannot be fitted again from its record alone: give "
            "refit=, a function of the data that fits it."
        )
