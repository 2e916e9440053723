"""Hazards along paths of periods, averaged over starting rows, with their derivative by the parameters.

Letters: n starting rows, T periods, K exits, p coefficients of an exit, eta (n, T, K), h hazards, F
incidences; e ~ N(0, v) the frailty of a person, the same in all periods, integrated by Gauss-Hermite points.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from jobchance.design.columns import Mask, level_text, require_columns
from jobchance.design.layout import Layout, read_layout
from jobchance.errors import DesignError, SpecError
from jobchance.numerics.hazard import Incidences, incidence_slopes, incidences
from jobchance.numerics.hazard_multinomial import multinomial_shares
from jobchance.numerics.links import get_link
from jobchance.results.fit import Fit
from jobchance.results.parts import Floats

POINTS = 31
FLAT = "random intercepts only"


@dataclass(frozen=True, eq=False)
class HazardModel:
    """What a fit of `fit_hazard` says of paths.

    Parameters
    ----------
    layout : Layout
        Coding of one exit's predictor.
    beta : array (K, p)
        Coefficients.
    covariance : array (P, P)
        Of the variance parameters of the frailties, if any, then of all coefficients.
    theta : array (P - K p,)
        Standard deviations of the frailties.
    link : str
        Link of separate exits.
    multinomial : bool
        One multinomial logit.
    periods, causes : tuple
        Periods in order and names of the exits.
    time, entity : str or None
        Columns of the period and of the person.
    """

    layout: Layout
    beta: Floats
    covariance: Floats
    theta: Floats
    link: str
    multinomial: bool
    periods: tuple[int | float | str, ...]
    causes: tuple[str, ...]
    time: str | None
    entity: str | None


@dataclass(frozen=True, eq=False)
class Curve:
    """Average incidences `values` (A, K) at the periods asked for, and `gradient` (A, K, P)."""

    values: Floats
    gradient: Floats


def read_model(fit: Fit, what: str) -> HazardModel:
    """The model behind a fit.

    Raises
    ------
    SpecError
        Not a fit of `fit_hazard`; clustered standard errors with frailty; one cause among several.
    """
    asked: Mapping[str, Any] | None = fit.spec.get("hazard") if isinstance(fit, Fit) else None
    if asked is None:
        given = fit.model if isinstance(fit, Fit) else type(fit).__name__
        raise SpecError(f"{what} needs a fit of fit_hazard, not {given}.")
    layout = fit.predictor if "layout" not in asked else read_layout(asked["layout"])
    if not isinstance(layout, Layout):
        raise SpecError(f"{what}: this fit does not hold its design.")
    causes = tuple(asked["causes"])
    theta, covariance = np.zeros(0), fit.covariance
    if asked["frailty"]:
        if fit.joint is None or fit.inference.kind != "model":
            raise SpecError(
                f"{what} integrates over the frailty, which needs the joint covariance of coefficients and "
                f'variances; this fit\'s is {fit.inference.label}. Use fit.with_vcov("model").'
            )
        assert all(len(term.theta) == 1 for term in fit.structure), FLAT
        sds = {f"theta[{term.group}.1]": term.theta[0] for term in fit.structure}
        theta = np.array([sds[name] for name in fit.joint.names[: len(sds)]])
        held = np.isnan(np.diag(fit.joint.covariance))
        covariance = np.where(held[:, None] | held[None, :], 0.0, fit.joint.covariance)
    return HazardModel(
        layout=layout,
        beta=fit.estimates.reshape(len(causes), -1),
        covariance=covariance,
        theta=theta,
        link=str(fit.spec["link"]),
        multinomial=bool(asked["multinomial"]),
        periods=tuple(asked["periods"]),
        causes=causes,
        time=asked["time"],
        entity=asked["entity"],
    )


def first_rows(model: HazardModel, rows: pd.DataFrame) -> pd.DataFrame:
    """The first row of every person; all rows where persons or periods are not known."""
    if model.entity is None or model.time is None:
        return rows
    require_columns((model.entity, model.time), rows)
    place = _places(model, rows)
    order = np.lexsort((place, pd.factorize(rows[model.entity])[0]))
    ordered = rows.iloc[order]
    return ordered.loc[~ordered[model.entity].duplicated().to_numpy()]


def complete_starts(model: HazardModel, rows: pd.DataFrame, n_periods: int) -> Mask:
    """Starting rows without missing values whose path stays within the periods of the fit.

    Raises
    ------
    DesignError
        No row is left.
    """
    used = list(model.layout.used_columns)
    require_columns([*used, *([model.time] if model.time else [])], rows)
    mask: Mask = rows[used].notna().all(axis=1).to_numpy(dtype=bool)
    if model.time is not None:
        place = _places(model, rows)
        mask = mask & (place >= 0) & (place + n_periods <= len(model.periods))
    if not mask.any():
        known = f"the fit knows {len(model.periods)} periods" if model.periods else "none is complete"
        raise DesignError(
            f"None of {len(rows)} starting rows is complete and can be followed for {n_periods} periods: "
            f"{known}."
        )
    return mask


def average_curve(
    model: HazardModel, starts: pd.DataFrame, *, n_periods: int, at: Sequence[int], from_first: bool = False
) -> Curve:
    """Average incidence of every exit by the ends of the periods `at` (0 is the first of a path).

    Covariates stay as they are in the starting row; the period moves on, from that of the row or, with
    `from_first`, from the first of the fit.
    """
    X = _path_matrix(model, starts, n_periods, from_first=from_first)
    eta = np.einsum("itp,kp->itk", X, model.beta)
    sd = float(np.sqrt(np.sum(model.theta**2)))
    nodes, weights = np.zeros(1), np.ones(1)
    if sd > 0:
        nodes, weights = np.polynomial.hermite_e.hermegauss(POINTS)
        weights = weights / weights.sum()
    K, p, q = len(model.causes), X.shape[2], len(model.theta)
    values, gradient = np.zeros((len(at), K)), np.zeros((len(at), K, q + K * p))
    for node, weight in zip(nodes, weights, strict=True):
        hazard = _hazards(model, eta + sd * node)
        made = incidences(hazard)
        for a, t in enumerate(at):
            values[a] += weight * made.share[:, t].mean(axis=0)
            for k in range(K):
                by_eta = _by_eta(model, eta + sd * node, hazard, made, cause=k, at=t) / len(starts)
                by_beta = np.einsum("isj,isp->jp", by_eta, X[:, : t + 1])
                gradient[a, k, q:] += weight * by_beta.ravel()
                if sd > 0:
                    gradient[a, k, :q] += weight * node * by_eta.sum() * model.theta / sd
    return Curve(values, gradient)


def _places(model: HazardModel, rows: pd.DataFrame) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Position of each row's period among those of the fit; -1 where it is none of them."""
    assert model.time is not None, "asked before"
    place = {level_text(value): s for s, value in enumerate(model.periods)}
    codes, values = pd.factorize(rows[model.time])
    known = np.array([place.get(level_text(value), -1) for value in values] + [-1], dtype=np.int64)
    return known[codes]


def _path_matrix(model: HazardModel, starts: pd.DataFrame, n_periods: int, *, from_first: bool) -> Floats:
    """Design (n, T, p) of the paths."""
    if model.time is None:
        X = model.layout.matrix(starts)
        return np.repeat(X[:, None, :], n_periods, axis=1)
    begin = np.zeros(len(starts), dtype=np.int64) if from_first else _places(model, starts)
    periods = np.array(model.periods, dtype=object)
    numeric = all(isinstance(value, int | float) for value in model.periods)
    made = []
    for s in range(n_periods):
        now = periods[begin + s]
        made.append(model.layout.matrix(starts.assign(**{model.time: now.astype(float) if numeric else now})))
    return np.stack(made, axis=1)


def _hazards(model: HazardModel, eta: Floats) -> Floats:
    """Hazards (n, T, K); separate exits that sum to more than 1 are scaled to 1."""
    if model.multinomial:
        return multinomial_shares(eta)
    made = get_link(model.link).inverse(eta)
    total = made.sum(axis=2, keepdims=True)
    scaled: Floats = made / np.maximum(total, 1.0)
    return scaled


def _by_eta(
    model: HazardModel, eta: Floats, hazard: Floats, made: Incidences, *, cause: int, at: int
) -> Floats:
    """Derivative (n, at + 1, K) of an incidence by the linear predictors up to `at`."""
    slopes = incidence_slopes(made, cause, at)
    if not model.multinomial:
        return np.asarray(slopes * get_link(model.link).derivative(eta[:, : at + 1]))
    shares = hazard[:, : at + 1]
    return np.asarray(shares * (slopes - np.sum(slopes * shares, axis=2, keepdims=True)))
