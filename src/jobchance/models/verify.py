"""`verify`: what a fit claims, computed again from the data at its stored parameters."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from jobchance.compute.threads import one_thread
from jobchance.design.build import Design, build_design
from jobchance.design.layout import Layout
from jobchance.errors import SpecError
from jobchance.models.mixed_input import gather_terms, offsets, prior_weights
from jobchance.numerics.demean import demean
from jobchance.numerics.irls import loglikelihood, saturated_loglikelihood
from jobchance.numerics.links import get_link
from jobchance.numerics.mixed.criterion import Criterion, laplace_criterion, linear_criterion
from jobchance.numerics.mixed.families import family_code
from jobchance.results.fit import Fit
from jobchance.results.parts import Codes, Floats
from jobchance.results.prediction import n_thresholds

RELATIVE = 1e-9
NEAR = 1e-4
COLUMNS = ["check", "stored", "recomputed", "difference", "tolerance", "passes"]


def verify(fit: Fit, data: pd.DataFrame) -> pd.DataFrame:
    r"""Compute again, from the data and the stored parameters alone, what a fit says of itself.

    Nothing is searched: design and likelihood are built anew and evaluated once. For mixed models the
    distance from the optimum is :math:`\sqrt{s'I^{-1}s}` with the score s there and the information I, so
    that 0.01 means that no estimate is further than a hundredth of its standard error from where it should
    be.

    Parameters
    ----------
    fit : Fit
        From `fit_mixed`, `fit_glm` or `fit_panel` (pooled and within); also one read back by `Fit.from_dict`.
    data : DataFrame
        The data that the fit was made on.

    Returns
    -------
    DataFrame
        A row per check: `check stored recomputed difference tolerance passes`. Rows used and levels of groups
        must be equal; the log-likelihood (residual sum of squares; deviance of a weighted fit) to 1e-9 of its
        size; mixed models lie within 1e-4 standard errors of the optimum. `passes.all()` is the verdict.

    Raises
    ------
    SpecError
        The fit is of another kind, or holds no design; the data give other terms or outcome levels.
    FormulaError, DesignError
        The data lack columns, or have levels that the fit has not seen.

    References
    ----------
    Dennis & Schnabel (1983), Numerical Methods for Unconstrained Optimization, section 7.2, on scaled
    gradients.

    Examples
    --------
    >>> from jobchance import fit_mixed
    >>> data = pd.DataFrame({"y": [1.0, 2, 4, 5, 9, 8], "g": ["a", "a", "b", "b", "c", "c"]})
    >>> bool(verify(fit_mixed("y ~ 1 + (1 | g)", data), data)["passes"].all())
    True
    """
    if not isinstance(fit.predictor, Layout) or "formula" not in fit.spec:
        raise SpecError(f"The fit ({fit.model}) does not hold its design, so it cannot be verified.")
    if fit.structure:
        return _mixed(fit, fit.predictor, data)
    estimator = fit.spec.get("estimator")
    if estimator not in (None, "pooled", "within") or (estimator is None and "family" not in fit.spec):
        raise SpecError(
            "verify() knows fits of fit_mixed, fit_glm and fit_panel (pooled and within); this one is "
            f"{fit.model}."
        )
    return _single(fit, fit.predictor, data)


def _mixed(fit: Fit, layout: Layout, data: pd.DataFrame) -> pd.DataFrame:
    """Checks of a mixed model."""
    spec = fit.spec
    design = build_design(
        spec["formula"],
        data,
        weights=spec["weights"],
        offset=spec["offset"],
        outcome="numeric" if spec["family"] in ("gaussian", "poisson") else spec["family"],
        allow_offset=True,
    )
    _check_same(fit, design)
    made = _criterion(fit, design, layout.matrix(data.iloc[design.used]))
    checks = [_equal("rows used", fit.nobs, len(design.outcome))]
    checks += [_equal(f"levels of {g}", fit.sample.groups[g], n) for g, n in design.groups.items()]
    checks += [_close("log-likelihood", fit.loglik, made.loglik)]
    checks += [_check("standard errors from the optimum", 0.0, made.distance, NEAR)]
    return pd.DataFrame(checks, columns=COLUMNS)


def _check_same(fit: Fit, design: Design) -> None:
    """Raise where the data give other effects or outcome levels than the fit has."""
    problems = []
    mine = [term.columns for term in fit.structure]
    if mine != [block.layout.columns for block in design.random]:
        problems.append("random effects")
    levels = fit.spec.get("levels")
    if levels is not None and list(levels) != list(design.outcome_levels or ()):
        problems.append("levels of the outcome")
    if problems:
        raise SpecError(f"These are not the data of the fit: they give other {' and other '.join(problems)}.")


def _criterion(fit: Fit, design: Design, X: Floats) -> Criterion:
    """The likelihood at the stored parameters."""
    _, factors = gather_terms(design.random)
    theta = [
        np.array([t for term in fit.structure if term.group == group for t in term.theta])
        for group in dict.fromkeys(term.group for term in fit.structure)
    ]
    if fit.joint is None:
        raise SpecError("The fit holds no joint covariance, in which distances are measured: fit it again.")
    y, w, cuts = np.ascontiguousarray(design.outcome), prior_weights(design), n_thresholds(fit)
    k, spec = sum(map(len, theta)), fit.spec
    with one_thread:
        if spec["family"] == "gaussian":
            return linear_criterion(
                factors,
                X,
                y,
                w=w,
                offset=offsets(design),
                restricted=spec["method"] == "reml",
                theta=theta,
                sigma=math.exp(float(fit.joint.estimates[k])),
                coefficients=fit.estimates,
                theta_covariance=fit.joint.covariance[:k, :k],
            )
        return laplace_criterion(
            factors,
            X,
            y,
            family=family_code(spec["family"], spec["link"]),
            w=w,
            offset=offsets(design),
            n_quad=int(spec["n_quad"]),
            theta=theta,
            alpha=np.array(fit.estimates[:cuts]),
            beta=np.array(fit.estimates[cuts:]),
            covariance=fit.joint.covariance,
        )


def _single(fit: Fit, layout: Layout, data: pd.DataFrame) -> pd.DataFrame:
    """Checks of a model without random effects."""
    absorbed = list(fit.spec.get("absorbed") or ())
    # Clusters and periods that cost the fit rows are not in its formula, but among its reasons.
    named = [str(name) for name in data.columns if f"{name} is missing" in fit.sample.dropped]
    required = tuple(dict.fromkeys([*absorbed, *named]))
    design = build_design(fit.spec["formula"], data, required=required, weights=fit.spec.get("weights"))
    rows, y = data.iloc[design.used], design.outcome
    X = layout.matrix(rows)
    checks = []
    if absorbed:
        codes: list[Codes] = [pd.factorize(rows[name])[0].astype(np.int64) for name in absorbed]
        cleaned = demean(np.column_stack([y, X]), codes)
        y, X = cleaned[:, 0], cleaned[:, 1:]
        # Rows alone in an absorbed level are not in the fit, and add nothing to the sum of squares.
        checks.append(_equal("rows read", fit.nobs + fit.sample.n_singletons, len(y)))
    else:
        checks.append(_equal("rows used", fit.nobs, len(y)))
    checks.append(_likelihood(fit, X @ fit.estimates, y, design.weights))
    return pd.DataFrame(checks, columns=COLUMNS)


def _likelihood(fit: Fit, eta: Floats, y: Floats, w: Floats | None) -> dict[str, object]:
    """Log-likelihood, sum of squares, or deviance: a weighted fit has no log-likelihood."""
    link, family = get_link(str(fit.spec.get("link", "identity"))), str(fit.spec.get("family"))
    if link.name == "identity":
        squares = (y - eta) ** 2 if w is None else w * (y - eta) ** 2
        return _close("residual sum of squares", fit.criterion, float(np.sum(squares)))
    found = loglikelihood(eta, y, family, link, w)
    if fit.loglik is not None:
        return _close("log-likelihood", fit.loglik, found)
    return _close("deviance", fit.criterion, 2 * (saturated_loglikelihood(y, family, w) - found))


def _equal(name: str, stored: int, found: int) -> dict[str, object]:
    """A check of two counts."""
    return _check(name, stored, found, 0.0)


def _close(name: str, stored: float | None, found: float) -> dict[str, object]:
    """A check of two numbers to `RELATIVE` of their size."""
    assert stored is not None, "a model has a log-likelihood or a criterion"
    return _check(name, stored, found, RELATIVE * (1 + abs(stored)))


def _check(name: str, stored: float, found: float, tolerance: float) -> dict[str, object]:
    """One row."""
    difference = found - stored
    passes = bool(abs(difference) <= tolerance)
    return dict(zip(COLUMNS, (name, stored, found, difference, tolerance, passes), strict=True))
