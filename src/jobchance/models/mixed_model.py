"""A mixed model with its rows: what `fit_mixed` fits, and what inference fits again to other outcomes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from jobchance.design.build import build_design
from jobchance.models.mixed_checks import check_design
from jobchance.models.mixed_estimate import estimate_mixed
from jobchance.models.mixed_input import Term, fixed_columns, gather_terms, offsets, prior_weights
from jobchance.models.mixed_options import MixedOptions
from jobchance.models.mixed_result import MixedContext, assemble, collinear_terms
from jobchance.numerics.mixed.problem import Factor
from jobchance.results.fit import Fit
from jobchance.results.parts import Codes, Floats, Sample

OUTCOMES = {"gaussian": "numeric", "binomial": "binomial", "poisson": "numeric", "ordinal": "ordinal"}


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

    def fit(self, y: Floats, data: pd.DataFrame) -> Fit:
        """The model fitted to the outcome given; `data` are the rows that the fit refers to.

        Raises
        ------
        EstimationError
            See `estimate_mixed`.
        """
        estimate = estimate_mixed(
            self.factors,
            self.X,
            y,
            w=self.w,
            offset=self.offset,
            options=self.options,
            names=self.names,
            n_levels=self.n_levels,
        )
        return assemble(
            estimate,
            self.terms,
            names=self.names,
            rows=(data, self.used),
            outcome=y,
            context=MixedContext(
                options=self.options, sample=Sample(*self.counts), levels=self.levels, **self.about
            ),
        )


def build_model(
    formula: str, data: pd.DataFrame, options: MixedOptions, *, weights: str | None, offset: str | None
) -> MixedModel:
    """Formula and data as arrays.

    Raises
    ------
    FormulaError, DesignError
        Everything that is wrong with formula and data; see `build_design` and `check_design`.
    """
    design = build_design(
        formula, data, weights=weights, offset=offset, outcome=OUTCOMES[options.family], allow_offset=True
    )
    check_design(design, options)
    layout, X = fixed_columns(design, options)
    terms, factors = gather_terms(design.random)
    return MixedModel(
        options=options,
        X=X,
        y=np.ascontiguousarray(design.outcome, dtype=float),
        w=prior_weights(design),
        offset=offsets(design),
        terms=terms,
        factors=factors,
        names=layout.columns,
        levels=design.outcome_levels,
        about={
            "outcome": design.outcome_name,
            "formula": design.formula.text,
            "predictor": layout,
            "weights": weights,
            "offset": offset,
            "notes": design.notes,
        },
        counts=(len(design.outcome), dict(design.groups), dict(design.dropped), 0, collinear_terms(design)),
        used=design.used,
    )
