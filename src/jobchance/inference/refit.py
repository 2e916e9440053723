"""From a mixed fit and its data back to the arrays of the engine, to fit them again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from jobchance.errors import SpecError
from jobchance.models.mixed_model import MixedModel, build_model
from jobchance.models.mixed_options import check_options
from jobchance.results.fit import Fit
from jobchance.results.parts import Floats


def check_mixed(fit: Fit, what: str) -> None:
    """Refuse what is not a fit of `fit_mixed`.

    Raises
    ------
    SpecError
        Saying what was given.
    """
    if not isinstance(fit, Fit) or not fit.structure or not {"family", "n_quad"} <= set(fit.spec):
        given = fit.model if isinstance(fit, Fit) else type(fit).__name__
        raise SpecError(f"{what} needs a fit of fit_mixed, not {given}.")


def rebuild(fit: Fit, data: pd.DataFrame | None, what: str, *, method: str | None = None) -> MixedModel:
    """The model of a fit with its rows.

    Parameters
    ----------
    fit : Fit
        Of `fit_mixed`.
    data : DataFrame or None
        The data it was fitted on; `None` takes those in memory.
    what : str
        Name of the calling function, for messages.
    method : str or None
        `"ml"` for another likelihood than that of the fit.

    Raises
    ------
    SpecError
        Not a fit of fit_mixed itself; no data at hand; data with other rows than those of the fit.
    """
    check_mixed(fit, what)
    if "estimator" in fit.spec:
        raise SpecError(
            f"{what} cannot rebuild the data of fit_panel ({fit.model}): write its between and within "
            "columns into a formula of fit_mixed."
        )
    frame = fit.need_rows(f"{what} without data").frame if data is None else data
    spec = fit.spec
    options = check_options(
        family=str(spec["family"]),
        link=None if spec["family"] == "gaussian" else str(spec["link"]),
        method=method or str(spec["method"]),
        n_quad=int(spec["n_quad"]),
        thresholds=str(spec.get("thresholds", "free")),
    )
    model = build_model(str(spec["formula"]), frame, options, weights=spec["weights"], offset=spec["offset"])
    _check_same(fit, model, what)
    return model


def refitted(model: MixedModel, y: Floats) -> Fit:
    """The model fitted to another outcome; the fit has neither rows nor random effects."""
    return replace(model.fit(y, pd.DataFrame()), rows=None, random=())


def _check_same(fit: Fit, model: MixedModel, what: str) -> None:
    """Refuse data that are not those of the fit, as far as can be seen without them."""
    problems = []
    if len(model.y) != fit.nobs:
        problems.append(f"{len(model.y)} usable rows, against {fit.nobs} in the fit")
    if {term.block.group: term.block.n_levels for term in model.terms} != dict(fit.sample.groups):
        problems.append("other numbers of levels of the groups")
    if model.names != tuple(fit.terms[len(fit.terms) - len(model.names) :]):
        problems.append("other columns of the design")
    elif fit.rows is not None and not np.array_equal(model.y, fit.rows.outcome):
        problems.append("other values of the outcome")
    if problems:
        raise SpecError(f"{what} needs the data of the fit; the data given have {', '.join(problems)}.")


def n_thresholds(fit: Fit) -> int:
    """Thresholds among the terms of a fit."""
    return len(fit.spec["levels"]) - 1 if fit.spec["family"] == "ordinal" else 0
