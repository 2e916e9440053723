"""Shares of variance of a mixed model at given covariates and parameters."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.polynomial.hermite_e import hermegauss

from jobchance.design.codings import finite_values
from jobchance.design.formula import parse_formula
from jobchance.design.nodes import Name
from jobchance.errors import SpecError
from jobchance.inference.parameters import n_theta, placed_structures
from jobchance.inference.refit import n_thresholds
from jobchance.numerics.links import get_link
from jobchance.results.fit import Fit
from jobchance.results.parts import Floats

LATENT = {"logit": math.pi**2 / 3, "probit": 1.0, "cloglog": math.pi**2 / 6}
POINTS = 40


@dataclass(frozen=True, eq=False)
class Spot:
    """Covariates at which variances are taken.

    Parameters
    ----------
    moments : tuple of arrays (m, m)
        Mean of z z' of every random term.
    X : array (n, k) or None
        Columns of the coefficients, or their mean (1, k).
    shift : array (n,)
        Offset.
    """

    moments: tuple[Floats, ...]
    X: Floats | None
    shift: Floats


def spot_of(fit: Fit, frame: pd.DataFrame | None, scale: str) -> Spot:
    """What the variances need to know of the covariates."""
    moments = []
    for s in fit.structure:
        if s.predictor is None:
            moments.append(np.ones((1, 1)))
        else:
            assert frame is not None, "checked"
            z = s.predictor.matrix(frame)
            z = z[~np.isnan(z).any(axis=1)]
            moments.append(z.T @ z / max(len(z), 1))
    if scale == "latent" and fit.spec["family"] != "poisson":
        return Spot(tuple(moments), None, np.zeros(1))
    assert frame is not None, "checked"
    assert fit.predictor is not None, "mixed fits remember their design"
    X, shift = fit.predictor.matrix(frame), _shift(fit, frame)
    complete = ~(np.isnan(X).any(axis=1) | np.isnan(shift))
    if not complete.any():
        raise SpecError("variance_partition: a row of data is not complete in the columns of the model.")
    X, shift = X[complete], shift[complete]
    if scale == "probability":
        return Spot(tuple(moments), X.mean(axis=0, keepdims=True), shift.mean(keepdims=True))
    return Spot(tuple(moments), X, shift)


def _shift(fit: Fit, frame: pd.DataFrame) -> Floats:
    """Offset by row."""
    nodes = [*parse_formula(str(fit.spec["formula"])).offsets]
    nodes += [] if fit.spec["offset"] is None else [Name(str(fit.spec["offset"]))]
    made = np.zeros(len(frame))
    for node in nodes:
        made += finite_values(node, frame)
    return made


def _split(fit: Fit, values: Floats) -> tuple[Floats, float, Floats]:
    """Theta, sigma (1 where there is none) and coefficients of a vector ordered as `fit.joint`."""
    k = n_theta(fit)
    if fit.spec["family"] == "gaussian":
        return values[:k], math.exp(values[k]), values[k + 1 :]
    return values[:k], 1.0, values[k:]


def variances_at(fit: Fit, spot: Spot, values: Floats) -> tuple[dict[str, float], Floats, float]:
    """Variance by group, linear predictors of the fixed part, sigma."""
    theta, sigma, coefficients = _split(fit, values)
    made = dict.fromkeys((s.group for s in fit.structure), 0.0)
    for (s, at), moment in zip(placed_structures(fit), spot.moments, strict=True):
        factor = np.zeros((len(s.columns),) * 2)
        factor[s.places] = theta[at : at + len(s.theta)]
        made[s.group] += sigma**2 * float(np.sum(moment * (factor @ factor.T)))
    eta = spot.shift if spot.X is None else spot.shift + spot.X @ coefficients[n_thresholds(fit) :]
    return made, eta, sigma


def share(fit: Fit, spot: Spot, scale: str, members: frozenset[str], values: Floats) -> float:
    """One share or correlation at given parameters (ordered as `fit.joint`)."""
    variances, eta, sigma = variances_at(fit, spot, values)
    if scale == "probability":
        return _probability(fit, variances, eta, members)
    shared, total = sum(v for g, v in variances.items() if g in members), sum(variances.values())
    family = fit.spec["family"]
    if family == "gaussian":
        rest = sigma**2
    elif family == "poisson":
        rest = math.log1p(1.0 / float(np.exp(eta + total / 2).mean()))
    else:
        rest = LATENT[str(fit.spec["link"])]
    return shared / (total + rest)


def _probability(fit: Fit, variances: dict[str, float], eta: Floats, members: frozenset[str]) -> float:
    """Correlation of two 0/1 outcomes that share the effects of `members`."""
    shared = sum(v for g, v in variances.items() if g in members)
    rest = sum(v for g, v in variances.items() if g not in members)
    nodes, weights = hermegauss(POINTS)
    weights = weights / weights.sum()
    at = float(eta[0]) + math.sqrt(shared) * nodes[:, None] + math.sqrt(rest) * nodes
    given = get_link(str(fit.spec["link"])).inverse(at) @ weights
    mean = float(weights @ given)
    return float(weights @ (given - mean) ** 2) / (mean * (1.0 - mean))
