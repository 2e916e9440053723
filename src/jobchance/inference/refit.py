"""From a mixed fit and its data back to the arrays of the engine, to fit them again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, cast

import numpy as np
import pandas as pd

from jobchance.design.build import Design, build_design
from jobchance.design.layout import Layout
from jobchance.errors import SpecError
from jobchance.models.mixed_input import (
    MixedOptions,
    Term,
    check_design,
    check_options,
    fixed_columns,
    gather_terms,
    offsets,
    prior_weights,
)
from jobchance.models.mixed_result import MixedContext, assemble, collinear_terms
from jobchance.numerics.mixed.estimate_laplace import estimate_laplace
from jobchance.numerics.mixed.estimate_linear import estimate_linear
from jobchance.numerics.mixed.families import family_code
from jobchance.numerics.mixed.problem import Factor
from jobchance.numerics.mixed.threads import one_thread
from jobchance.results.fit import Fit
from jobchance.results.parts import Codes, Floats, Sample


@dataclass(frozen=True, eq=False)
class MixedModel:
    """A mixed model with its rows, ready to be fitted to any outcome.

    Parameters
    ----------
    options : MixedOptions
        Family, link, method, quadrature points, thresholds.
    X, y, w, offset : arrays
        Fixed columns (no thresholds), outcome, prior weights and offset by row used.
    terms, factors : tuples
        Random terms in the order of the formula, and one factor for each grouping.
    names : tuple of str
        Names of the columns of X.
    levels : tuple of str or None
        Texts of the outcome's levels.
    about : mapping of str to object
        Further arguments of `MixedContext`.
    counts : tuple
        Arguments of `Sample`: read-only mappings cannot travel to other processes, their makings can.
    used : integer array (n,)
        Positions of the rows in the data.
    """

    options: MixedOptions
    X: Floats
    y: Floats
    w: Floats
    offset: Floats
    terms: tuple[Term, ...]
    factors: tuple[Factor, ...]
    names: tuple[str, ...]
    levels: tuple[str, ...] | None
    about: Mapping[str, Any]
    counts: tuple[Any, ...]
    used: Codes

    @property
    def n_levels(self) -> int:
        """Levels of an ordinal outcome, else 0."""
        return len(self.levels or ()) if self.options.family == "ordinal" else 0

    def fit(self, y: Floats) -> Fit:
        """The model fitted to the outcome given; the fit has no rows."""
        options = self.options
        with one_thread():
            if options.family == "gaussian":
                estimate = estimate_linear(
                    self.factors,
                    self.X,
                    y,
                    w=self.w,
                    offset=self.offset,
                    restricted=options.method == "reml",
                )
            else:
                estimate = estimate_laplace(
                    self.factors,
                    self.X,
                    y,
                    family=family_code(options.family, options.link),
                    w=self.w,
                    offset=self.offset,
                    n_levels=self.n_levels,
                    thresholds=cast(Literal["free", "symmetric", "equidistant"], options.thresholds),
                    n_quad=options.n_quad,
                )
        made = assemble(
            estimate,
            self.terms,
            names=self.names,
            rows=(pd.DataFrame(), np.zeros(0, dtype=np.int64)),
            outcome=y,
            context=MixedContext(
                options=self.options, sample=Sample(*self.counts), levels=self.levels, **self.about
            ),
        )
        return replace(made, rows=None, random=())


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
    design = build_design(
        str(spec["formula"]),
        frame,
        weights=spec["weights"],
        offset=spec["offset"],
        outcome=options.family if options.family in ("binomial", "ordinal") else "numeric",
        allow_offset=True,
    )
    check_design(design, options)
    layout, X = fixed_columns(design, options)
    _check_same(fit, design, layout, what)
    terms, factors = gather_terms(design.random)
    about = {
        "outcome": design.outcome_name,
        "formula": design.formula.text,
        "predictor": layout,
        "weights": spec["weights"],
        "offset": spec["offset"],
        "notes": design.notes,
    }
    counts = (len(design.outcome), dict(design.groups), dict(design.dropped), 0, collinear_terms(design))
    y, w = np.ascontiguousarray(design.outcome, dtype=float), prior_weights(design)
    return MixedModel(
        options=options,
        X=X,
        y=y,
        w=w,
        offset=offsets(design),
        terms=terms,
        factors=factors,
        names=layout.columns,
        levels=design.outcome_levels,
        about=about,
        counts=counts,
        used=design.used,
    )


def _check_same(fit: Fit, design: Design, layout: Layout, what: str) -> None:
    """Refuse data that are not those of the fit, as far as can be seen without them."""
    problems = []
    if len(design.outcome) != fit.nobs:
        problems.append(f"{len(design.outcome)} usable rows, against {fit.nobs} in the fit")
    if design.groups != dict(fit.sample.groups):
        problems.append("other numbers of levels of the groups")
    if tuple(layout.columns) != tuple(fit.terms[len(fit.terms) - len(layout.columns) :]):
        problems.append("other columns of the design")
    elif fit.rows is not None and not np.array_equal(design.outcome, fit.rows.outcome):
        problems.append("other values of the outcome")
    if problems:
        raise SpecError(f"{what} needs the data of the fit; the data given have {', '.join(problems)}.")


def n_thresholds(fit: Fit) -> int:
    """Thresholds among the terms of a fit."""
    return len(fit.spec["levels"]) - 1 if fit.spec["family"] == "ordinal" else 0
