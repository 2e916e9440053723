"""The logit behind `logit_confounding`: its likelihood at given strengths, and where a goal is met."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from scipy import stats
from scipy.optimize import brentq

from jobchance.design.formula import INTERCEPT
from jobchance.design.layout import Layout
from jobchance.errors import EstimationError, SpecError
from jobchance.inference.again import known_term, vcov_of
from jobchance.numerics.confound_logit import (
    LOGISTIC_VARIANCE,
    Confounded,
    Maximum,
    maximise,
    start_at,
    strength_of,
)
from jobchance.numerics.irls import fisher_scoring
from jobchance.numerics.links import get_link
from jobchance.results.covariance import covariance
from jobchance.results.fit import Fit
from jobchance.results.vcov import CLUSTER_KINDS
from jobchance.sensitivity.confounding_rows import LinearRows, read_columns

STRONGEST = 0.9
ADJUSTED_KINDS = tuple(kind for kind in CLUSTER_KINDS if kind != "CR1")


def read_logit(fit: Fit, term: str) -> ConfoundedLogit:
    """The rows of a logit, with the exposure in one column of its own."""
    if fit.model != "binomial logit":
        raise SpecError(
            f"logit_confounding works on fit_glm(family='binomial') with the logit link; this fit is "
            f"{fit.model}. Least squares have robustness_value."
        )
    known_term(fit, term)
    _check_kind(fit)
    layout = fit.predictor
    assert isinstance(layout, Layout), "fit_glm remembers its design"
    rows = read_columns(fit, layout, "logit_confounding")
    own = rows.sources[rows.names.index(term)]
    shared = [n for n, used in zip(rows.names, rows.sources, strict=True) if n != term and used & own]
    if shared or not own:
        raise SpecError(
            f"{term} must be a numeric column in a term of its own; its columns also stand in "
            f"{', '.join(shared) or 'no term'}."
        )
    if INTERCEPT not in rows.names:
        raise SpecError("logit_confounding needs an intercept in the formula.")
    return ConfoundedLogit(fit, term, rows)


def _check_kind(fit: Fit) -> None:
    """Raise a `SpecError` for what the likelihood with a confounder does not have."""
    problems = []
    if fit.spec.get("weights") is not None:
        problems.append(
            "it does not read weights: fit without them, or a linear probability model with "
            "robustness_value, which reads them"
        )
    if fit.inference.kind in ADJUSTED_KINDS:
        columns = ", ".join(map(repr, fit.inference.clusters))
        problems.append(
            f"standard errors of kind {fit.inference.kind} adjust the residuals of a regression, which there "
            f"is none of once a confounder is integrated out: use fit.with_vcov(Cluster({columns}))"
        )
    if problems:
        raise SpecError("logit_confounding: " + "; ".join(problems) + ".")


class ConfoundedLogit:
    """One logit with its exposure model; remembers the last optimum as the next start."""

    def __init__(self, fit: Fit, term: str, rows: LinearRows) -> None:
        place = rows.names.index(term)
        self.fit, self.term, self.rows = fit, term, rows
        self.keep = [i for i in range(len(rows.names)) if i != place]
        self.estimate = float(fit.params[term])
        w, X = rows.X[:, place], rows.X[:, self.keep]
        binary = bool(np.isin(w, [0, 1]).all())
        self.gamma = _exposure(w, X, binary=binary)
        self.scale = LOGISTIC_VARIANCE if binary else float(np.var(w - X @ self.gamma))
        # orthonormal covariates and a standardised exposure: no unit costs precision
        Q, R = np.linalg.qr(X)
        unit = np.sqrt(len(w))
        self.sd = 1.0 if binary else float(np.sqrt(self.scale))
        own = w if binary else (w - X @ self.gamma) / self.sd
        beta = np.asarray(fit.estimates)[self.keep] + (0 if binary else self.estimate * self.gamma)
        gamma = self.gamma if binary else np.zeros_like(self.gamma)
        self.problem = Confounded(rows.y, own, Q * unit, binary)
        self.start = start_at(self.problem, self.estimate * self.sd, R @ beta / unit, R @ gamma / unit)
        self._near = self.start

    def strengths(self, r2_exposure: float, r2_outcome: float) -> tuple[float, float]:
        """Alpha and delta; delta has the sign that makes the confounder explain the coefficient."""
        # of a normal exposure u takes its part out of the variance that the covariates leave
        scale = self.scale if self.problem.binary else self.scale * (1 - r2_exposure)
        sign = 1.0 if self.estimate >= 0 else -1.0
        return strength_of(r2_exposure, scale), sign * strength_of(r2_outcome, LOGISTIC_VARIANCE)

    def at(self, r2_exposure: float, r2_outcome: float) -> tuple[float, float, float]:
        """Coefficient, its standard error and the log-likelihood."""
        alpha, delta = self.strengths(r2_exposure, r2_outcome)
        found = maximise(self.problem, alpha / self.sd, delta, self._near)
        if not found.converged:
            found = maximise(self.problem, alpha / self.sd, delta, self.start)
        if not found.converged:
            raise EstimationError(
                f"logit_confounding did not reach an optimum at r2_exposure={r2_exposure:g}, "
                f"r2_outcome={r2_outcome:g}: try weaker confounders."
            )
        self._near = found.theta
        loglik = found.loglik - len(self.problem.w) * float(np.log(self.sd))
        return float(found.theta[0]) / self.sd, self._std_error(found) / self.sd, loglik

    def row(self, r2_exposure: float, r2_outcome: float, level: float) -> dict[str, float | bool]:
        """One row of the grid."""
        alpha, delta = self.strengths(r2_exposure, r2_outcome)
        tau, error, loglik = self.at(r2_exposure, r2_outcome)
        reach = float(stats.norm.ppf((1 + level) / 2)) * error
        return {
            "r2_exposure": r2_exposure,
            "r2_outcome": r2_outcome,
            "alpha": alpha,
            "delta": delta,
            "estimate": tau,
            "std_error": error,
            "statistic": tau / error,
            "conf_low": tau - reach,
            "conf_high": tau + reach,
            "loglik": loglik,
        }

    def crossing(self, r2_exposure: float, goal: Callable[[float, float], float]) -> dict[str, float]:
        """Strength with the outcome at which `goal` of coefficient and standard error passes zero."""

        def off(r2_outcome: float) -> float:
            tau, error, _ = self.at(r2_exposure, r2_outcome)
            return goal(tau, error)

        if off(0.0) <= 0:
            return {"r2_outcome": 0.0, "delta": 0.0}
        if off(STRONGEST) > 0:
            return {"r2_outcome": np.nan, "delta": np.nan}
        found = float(brentq(off, 0.0, STRONGEST, xtol=1e-5))
        return {"r2_outcome": found, "delta": self.strengths(r2_exposure, found)[1]}

    def _std_error(self, found: Maximum) -> float:
        """Of the fit's own kind, through the one road from scores to standard errors."""
        rows = replace(
            self.fit.need_rows("logit_confounding"),
            scores=found.scores,
            bread=found.bread,
            model_cov=found.bread,
            k=len(found.theta),
            regressors=None,
        )
        cov, _ = covariance(rows, vcov_of(self.fit))
        return float(np.sqrt(cov[0, 0]))


def _exposure(w: np.ndarray, X: np.ndarray, *, binary: bool) -> np.ndarray:
    """Coefficients of the exposure's regression on the covariates."""
    if binary:
        return fisher_scoring(X, w, family="binomial", link=get_link("logit")).beta
    Q, R = np.linalg.qr(X)
    return np.asarray(np.linalg.solve(R, Q.T @ w))
