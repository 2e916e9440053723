"""Standardised lags and correlations of a cross-lagged model, with standard errors by the delta method.

A lag is multiplied by sd(predictor) / sd(outcome), both of the inside parts as the model implies them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from jobchance.models.cross_lagged_layout import Layout, inside, lag_places
from jobchance.numerics.sem import Structure, implied
from jobchance.results.parts import Floats

MEAN = "mean lag"
LEVEL = 0.95
_STEP = 1e-30


@dataclass(frozen=True, eq=False)
class Standardised:
    """Standardised quantities (s,), their covariance (s, s), and the frame that describes them."""

    frame: pd.DataFrame
    estimates: Floats
    covariance: Floats

    def contrast(self, weights: Floats) -> tuple[float, float, float]:
        """A weighted sum, its standard error and the two-sided p-value against zero."""
        at = np.flatnonzero(weights)
        value = float(weights[at] @ self.estimates[at])
        error = float(np.sqrt(weights[at] @ self.covariance[np.ix_(at, at)] @ weights[at]))
        return value, error, float(2 * stats.norm.sf(abs(value / error)))

    def where(self, kind: str, term: str | None = None) -> NDArray[np.bool_]:
        """Rows of a kind, and of a term without waves (`y~x`)."""
        mine = (self.frame["kind"] == kind).to_numpy()
        return mine if term is None else mine & (self.frame["direction"] == term).to_numpy()


def standardise(layout: Layout, structure: Structure, theta: Floats, covariance: Floats) -> Standardised:
    """Lags by wave and their mean over the waves, correlations within waves and of the random intercepts.

    Frame columns `term kind direction estimate std_error conf_low conf_high`; kinds `"lag"`,
    `"mean lag"`, `"correlation"`. Quantities with a variance below zero are NaN.
    """
    labels = _labels(layout)
    values = _values(layout, structure, theta.astype(complex))
    steps = np.eye(len(theta)) * 1j * _STEP
    jacobian = np.column_stack([_values(layout, structure, theta + step).imag / _STEP for step in steps])
    estimates = np.where(np.abs(values.imag) > 0, np.nan, values.real)
    cov = jacobian @ covariance @ jacobian.T
    error = np.where(np.isnan(estimates), np.nan, np.sqrt(np.maximum(np.diag(cov), 0)))
    reach = stats.norm.ppf((1 + LEVEL) / 2) * error
    frame = pd.DataFrame(labels, columns=["term", "kind", "direction"])
    frame = frame.assign(estimate=estimates, std_error=error)
    frame = frame.assign(conf_low=estimates - reach, conf_high=estimates + reach)
    return Standardised(frame, estimates, cov)


def cross_lag_tests(made: Standardised, layout: Layout) -> dict[str, float]:
    """Standardised `y~x` less `x~y`: mean over the waves, and a joint Wald test that no wave has one."""
    x, y = layout.names.stem_x, layout.names.stem_y
    forward, back = made.where(MEAN, f"{y}~{x}"), made.where(MEAN, f"{x}~{y}")
    value, error, p_value = made.contrast(forward.astype(float) - back.astype(float))
    numbers = {
        "cross_lag_difference": value,
        "cross_lag_difference_se": error,
        "cross_lag_difference_p": p_value,
    }
    if layout.choices.lags == "equal":
        # One pair of lags: the waves differ by their standard deviations only.
        return numbers
    rows = np.eye(len(made.estimates))
    differences = rows[made.where("lag", f"{y}~{x}")] - rows[made.where("lag", f"{x}~{y}")]
    at = np.flatnonzero(differences.any(axis=0))
    differences = differences[:, at]
    d = differences @ made.estimates[at]
    spread = differences @ made.covariance[np.ix_(at, at)] @ differences.T
    wald = float(d @ np.linalg.solve(spread, d))
    return numbers | {
        "cross_lag_wald": wald,
        "cross_lag_wald_df": float(len(d)),
        "cross_lag_wald_p": float(stats.chi2.sf(wald, len(d))),
    }


def _labels(layout: Layout) -> list[tuple[str, str, str]]:
    """Term, kind and direction of every quantity."""
    names = layout.names
    lags = [
        (f"{inside(layout, names.all[row])}~{inside(layout, names.all[col])}", "lag", f"{out}~{by}")
        for out, by, _, row, col in lag_places(names)
    ]
    means = [(f"{d} (mean)", MEAN, d) for d in dict.fromkeys(direction for _, _, direction in lags)]
    pairs = [
        (f"{inside(layout, a)}~~{inside(layout, b)}", "correlation", "within")
        for a, b in zip(names.x, names.y, strict=True)
    ]
    if layout.choices.random_intercepts:
        pairs.append((f"RI{names.stem_x}~~RI{names.stem_y}", "correlation", "between"))
    return [*lags, *means, *pairs]


def _values(layout: Layout, structure: Structure, theta: NDArray[np.complex128]) -> NDArray[np.complex128]:
    """The quantities at theta, in the order of `_labels`."""
    T = layout.names.waves
    at = implied(structure, theta)
    B, psi = np.tensordot(theta, structure.of_b, 1), np.tensordot(theta, structure.of_psi, 1)
    sd = np.sqrt(np.diag(at.W))
    places = lag_places(layout.names)
    lags = np.array([B[row, col] * sd[col] / sd[row] for *_, row, col in places])
    # Each wave has the same four lags in the same order.
    means = lags.reshape(T - 1, 4).mean(axis=0)
    t = np.arange(T)
    within = psi[t, T + t] / np.sqrt(psi[t, t] * psi[T + t, T + t])
    parts = [lags, means, within]
    if layout.choices.random_intercepts:
        parts.append(at.phi[:1, 1] / np.sqrt(at.phi[0, :1] * at.phi[1, 1]))
    return np.concatenate(parts)
