"""Average predictions under counterfactual values, with their derivative by the parameters.

Letters: X (n, p) design matrix of the rows averaged over, eta = offset + X beta, v (n,) variance of the
random part of each row (0 where random effects are at zero), mu = E h(eta + e), e ~ N(0, v), h the inverse
link. Ordinal outcomes are averaged as the shares P(y <= k) = E h(alpha_k - eta + e), of which everything else
is a linear function.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd
from scipy import stats

from jobchance.design.columns import Floats, Mask, level_text, require_columns
from jobchance.design.layout import Layout
from jobchance.effects.weighting import fit_weights, mean, require_with_weights, row_weights, times
from jobchance.errors import DesignError, SpecError
from jobchance.numerics.marginal import marginal
from jobchance.options import check_option
from jobchance.results.fit import Fit
from jobchance.results.offsets import offset_columns
from jobchance.results.prediction import (
    check_structure,
    integrates,
    is_ordinal,
    level_scores,
    linear_predictor,
    link_name,
    n_thresholds,
)
from jobchance.results.variance import row_variance

Random: TypeAlias = Literal[False, "integrated"]


@dataclass(frozen=True, eq=False)
class Question:
    """What is averaged: a fit, its random effects integrated or at zero, and the covariance for that.

    Parameters
    ----------
    fit : Fit
        The fit.
    layout : Layout
        Its design.
    integrated : bool
        Random effects are integrated over; parameters are then those of `fit.joint`, else the fit's terms.
    covariance : array
        Covariance of the parameters; 0 for those held fixed.
    held : tuple of str
        Variance parameters on their boundary, held fixed.
    """

    fit: Fit
    layout: Layout
    integrated: bool
    covariance: Floats
    held: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of the data that a prediction reads."""
        random = [term.predictor for term in self.fit.structure] if self.integrated else []
        more = [name for layout in random if isinstance(layout, Layout) for name in layout.used_columns]
        return tuple(dict.fromkeys([*self.layout.used_columns, *offset_columns(self.fit), *more]))

    @property
    def weights(self) -> str | None:
        """Column of the weights of the rows in an average: that of the fit."""
        return fit_weights(self.fit)

    @property
    def labels(self) -> dict[str, str]:
        """How random effects were treated and what the averages are weighted by, where these matter."""
        known = {"random_effects": self.random_effects, "weighted_by": self.weights}
        return {name: text for name, text in known.items() if text is not None}

    @property
    def n_theta(self) -> int:
        """Number of parameters before the fit's terms."""
        return len(self.covariance) - len(self.fit.terms)

    @property
    def random_effects(self) -> str | None:
        """How random effects were treated, in words; `None` where that does not matter."""
        if not integrates(self.fit):
            return None
        if not self.integrated:
            return "at zero"
        return f"integrated ({', '.join(self.held)} held at the boundary)" if self.held else "integrated"


@dataclass(frozen=True, eq=False)
class Rowwise:
    """Predictions of complete rows: `shares` (n, c) are means (c = 1) or P(y <= k), with derivatives.

    `matrix` (n, p) is X, `by_theta` (n, n_theta) the derivative of v, `weights` (n,) those of the rows in
    an average.
    """

    eta: Floats
    shares: Floats
    by_eta: Floats
    by_variance: Floats
    matrix: Floats
    by_theta: Floats
    weights: Floats | None = None


@dataclass(frozen=True, eq=False)
class Average:
    """Averages (c,) of one set of rows and their derivative (c, k) by the parameters."""

    values: Floats
    gradient: Floats


def ask(fit: Fit, random: Random) -> Question:
    """The question to a fit, refused where it cannot be answered.

    Raises
    ------
    SpecError
        The fit has no design, or no covariance of its random effects where that is needed; `random` is
        neither False nor "integrated".
    """
    if not isinstance(fit.predictor, Layout):
        raise SpecError(f"The fit ({fit.model}) does not hold a design, so nothing can be predicted from it.")
    if random is not False and random != "integrated":
        raise SpecError(
            f'random={random!r} is not known. Allowed: "integrated" (averaged over random effects) and False '
            "(at zero). For particular persons and caseworkers use fit.predict(data, random=True)."
        )
    if random is False or not integrates(fit):
        return Question(fit, fit.predictor, False, fit.covariance)
    check_structure(fit)
    if fit.joint is None or fit.inference.kind != "model":
        raise SpecError(
            'random="integrated" needs the joint covariance of coefficients and variances, which only the '
            f"model's own standard errors have; this fit's are {fit.inference.label}. Use random=False, or "
            'fit.with_vcov("model").'
        )
    gone = np.isnan(np.diag(fit.joint.covariance))
    covariance = np.where(gone[:, None] | gone[None, :], 0.0, fit.joint.covariance)
    held = tuple(name for name, lost in zip(fit.joint.names, gone, strict=True) if lost)
    return Question(fit, fit.predictor, True, covariance, held)


def rows_of(fit: Fit, data: pd.DataFrame | None) -> pd.DataFrame:
    """The rows to average over: `data`, or the rows used in the fit."""
    if data is not None:
        require_columns((), data)
        return data
    rows = fit.need_rows("Averaging without data")
    # rows that only the model of the weights used have no outcome
    return rows.frame.iloc[rows.used[~np.isnan(rows.outcome)]]


def check_variable(name: str, variable: str, question: Question) -> str:
    """`variable`, if predictions read a column of that name; `name` is the argument's.

    Raises
    ------
    SpecError
        They do not, or it is the column that weights the rows.
    """
    check_option(name, variable, question.columns)
    if variable == question.weights:
        raise SpecError(
            f"{name}: {variable} weights the rows of the fit and of its averages, so it cannot be set to a "
            "value too. Put a copy of it into the formula under another name."
        )
    return variable


def complete(question: Question, data: pd.DataFrame) -> Mask:
    """Rows without a missing value in a column that predictions or their weights read.

    Raises
    ------
    FormulaError
        The data lack columns; where the fit is weighted, also that of the weights.
    DesignError
        No row is complete.
    """
    used = require_with_weights(question.columns, question.weights, data)
    mask: Mask = np.asarray(data[used].notna().all(axis=1), dtype=bool)
    if not mask.any():
        raise DesignError(f"None of {len(data)} rows is complete in the columns that the fit uses.")
    return mask


def predict_rows(question: Question, data: pd.DataFrame) -> Rowwise:
    """Predictions of complete rows and their derivatives."""
    fit, n = question.fit, len(data)
    eta = linear_predictor(fit, data)
    variance, by_theta = np.zeros(n), np.zeros((n, question.n_theta))
    if question.integrated:
        made = row_variance(fit, data)
        variance, by_theta = made.values, made.gradient
    cuts = fit.estimates[: n_thresholds(fit)]
    at = [cut - eta for cut in cuts] if is_ordinal(fit) else [eta]
    found = [marginal(link_name(fit), one, variance) for one in at]
    return Rowwise(
        eta,
        np.column_stack([m.mean for m in found]),
        np.column_stack([m.by_eta for m in found]),
        np.column_stack([m.by_variance for m in found]),
        question.layout.matrix(data),
        by_theta,
        row_weights(question.weights, data),
    )


def average(question: Question, rowwise: Rowwise, mask: Mask | None = None) -> Average:
    """Mean over rows of the shares, weighted where the fit is."""
    rows = slice(None) if mask is None else mask
    by_eta, by_variance, X = rowwise.by_eta[rows], rowwise.by_variance[rows], rowwise.matrix[rows]
    w = None if rowwise.weights is None else rowwise.weights[rows]
    total, cuts = len(X) if w is None else float(w.sum()), n_thresholds(question.fit)
    by_beta = times(by_eta, w).T @ X / total
    by_theta = times(by_variance, w).T @ rowwise.by_theta[rows] / total
    by_cut = np.diag(mean(by_eta, w)) if cuts else np.zeros((1, 0))
    gradient = np.hstack([by_theta, by_cut, -by_beta if cuts else by_beta])
    return Average(mean(rowwise.shares[rows], w), gradient)


def quantities(question: Question, scale: str) -> tuple[list[str | None], Floats, Floats]:
    """Names (levels of an ordinal outcome), constant and matrix: quantities = constant + matrix @ shares."""
    fit, K = question.fit, n_thresholds(question.fit)
    if not is_ordinal(fit):
        return [None], np.zeros(1), np.eye(1)
    if scale != "probability":
        scores = level_scores(fit)
        return [None], scores[-1:], -np.diff(scores)[None, :]
    matrix = np.vstack([np.eye(K), np.zeros(K)]) - np.vstack([np.zeros(K), np.eye(K)])
    return list(fit.spec["levels"]), np.append(np.zeros(K), 1.0), matrix


def shown(question: Question, scale: str, made: Average) -> Average:
    """The quantities of a scale from the averages of shares."""
    _, constant, matrix = quantities(question, scale)
    return Average(constant + matrix @ made.values, matrix @ made.gradient)


def with_value(data: pd.DataFrame, variable: str, value: Any) -> pd.DataFrame:
    """The data with one column set to a value in all rows; a level may be given as its text."""
    text = level_text(value)
    known = {level_text(v): v for v in data[variable].dropna().unique()}
    return data.assign(**{variable: known.get(text, value)})


def standard_error(question: Question, gradient: Floats) -> float:
    """Delta method: `sqrt(g' V g)` with the covariance of the fit (clustered, if the fit is)."""
    variance = float(gradient @ question.covariance @ gradient)
    return float(np.sqrt(variance)) if variance >= 0 else np.nan


def degrees_of_freedom(question: Question, gradient: Floats) -> float:
    """Degrees of freedom: harmonic mean of those of the terms, weighted by their shares of the variance.

    The share of term j is |g_j (V g)_j|. Terms with equal degrees of freedom give exactly these.
    """
    df = question.fit.df.to_numpy()
    share = np.abs(gradient * (question.covariance @ gradient))[question.n_theta :]
    loss = float(np.sum(share / df))
    return float(share.sum()) / loss if loss > 0 else float(df.min())


def critical_value(df: float, level: float) -> float:
    """Half-width of an interval in standard errors.

    Raises
    ------
    SpecError
        `level` is not between 0 and 1.
    """
    if not isinstance(level, int | float | np.number) or not 0 < level < 1:
        raise SpecError(f"level={level!r} must lie between 0 and 1, such as 0.95.")
    return float(stats.t.ppf((1 + level) / 2, df))
