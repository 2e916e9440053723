"""Estimation of a mixed model from arrays, with the reason in words where there is no estimate.

Letters: X fixed columns, y outcome, w prior weights, eta linear predictor, W information of a row about it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, cast

import numpy as np

from jobchance.compute.threads import one_thread
from jobchance.errors import DesignError, EstimationError
from jobchance.models.mixed_options import MixedOptions
from jobchance.numerics.mixed import families
from jobchance.numerics.mixed.estimate import MixedEstimate
from jobchance.numerics.mixed.estimate_laplace import estimate_laplace
from jobchance.numerics.mixed.estimate_linear import estimate_linear
from jobchance.numerics.mixed.problem import Factor
from jobchance.numerics.mixed.search import OutOfDomain
from jobchance.numerics.separation import find_separation, name_terms
from jobchance.results.parts import Floats

PERFECT = 1e-12  # residual standard deviation against the outcome under which only rounding is left
VANISHED = (
    1e-6  # information along some coefficient, against that of all, under which separation is looked for
)
SPAN = 500.0  # largest offset that covariates do not carry
LARGE = 20_000_000  # elements beyond which separation is not looked for to name columns

_NO_VALUE = (
    "The likelihood could not be computed. Usual causes are an offset far from what the outcome says, "
    "counts, trials or weights of very different sizes, and groups or random slopes that separate the "
    "outcomes: leave such rows or terms out."
)


def estimate_mixed(
    factors: Sequence[Factor],
    X: Floats,
    y: Floats,
    *,
    w: Floats,
    offset: Floats,
    options: MixedOptions,
    names: Sequence[str],
    n_levels: int = 0,
) -> MixedEstimate:
    """Estimates of any family.

    Parameters
    ----------
    factors : sequence of Factor
        Groupings with their effects.
    X, y, w, offset : arrays
        Fixed columns (n, p), outcome, prior weights and offset by row.
    options : MixedOptions
        Family, link, method, quadrature points, thresholds.
    names : sequence of str
        Names of the columns of X, for messages.
    n_levels : int
        Levels of an ordinal outcome, else 0.

    Raises
    ------
    DesignError
        The offset spans more than the linear predictor can.
    EstimationError
        The likelihood has no maximum (separation; an outcome that covariates determine), or cannot be
        computed.
    """
    try:
        with one_thread:
            if options.family == "gaussian":
                return _estimate_linear(factors, X, y, w=w, offset=offset, options=options)
            made = _estimate_laplace(factors, X, y, w, offset, options, n_levels)
    except (OutOfDomain, np.linalg.LinAlgError, EstimationError) as error:
        found = None if options.family == "gaussian" else _separating(X, y, options, n_levels)
        if found is not None:
            raise EstimationError(endless(options, names, found)) from error
        if isinstance(error, EstimationError):
            raise
        raise EstimationError(_NO_VALUE) from error
    if made.runaway or _information_vanishes(made, X, y, w, options, n_levels):
        found = _separating(X, y, options, n_levels)
        if made.runaway or found is not None:
            raise EstimationError(endless(options, names, found or ()))
    return made


def endless(options: MixedOptions, names: Sequence[str] = (), found: Sequence[int] = ()) -> str:
    """The message where the likelihood rises without end."""
    said = f"The likelihood of this {options.family} model has no maximum: it rises without end as "
    columns = [j for j in found if j >= 0]
    if columns:
        return said + (
            f"the coefficients of {name_terms(names, columns)} grow, since they predict outcomes without "
            "error (separation). Leave them out, or join rare levels."
        )
    return said + (
        "coefficients or variances grow. Usually the levels of a group separate the outcomes: look for "
        "levels with the same outcome in all their rows, and for random effects that the data cannot carry."
    )


def _estimate_linear(
    factors: Sequence[Factor], X: Floats, y: Floats, *, w: Floats, offset: Floats, options: MixedOptions
) -> MixedEstimate:
    """Estimates of a linear model that leave a residual."""
    made = estimate_linear(factors, X, y, w=w, offset=offset, restricted=options.method == "reml")
    if made.runaway or (made.sigma or 0.0) <= PERFECT * float(np.abs(y - offset).max()):
        raise EstimationError(
            "Covariates or random effects determine the outcome but for rounding: no residual variance is "
            "left to compare with. Look for a covariate computed from the outcome, or for groups in which it "
            "does not vary."
        )
    return made


def _estimate_laplace(
    factors: Sequence[Factor],
    X: Floats,
    y: Floats,
    w: Floats,
    offset: Floats,
    options: MixedOptions,
    n_levels: int,
) -> MixedEstimate:
    """Estimates; the part of the offset that coefficients can carry is taken out first and then put back."""
    shift, slopes, rest = _carried(offset, X, ordinal=n_levels > 0)
    if np.abs(rest).max() > SPAN:
        raise DesignError(
            f"The offset spans more than {2 * SPAN:.0f} units of the linear predictor beyond what the "
            "covariates carry. Give it on the scale of the link, such as the log of an exposure."
        )
    made = estimate_laplace(
        factors,
        X,
        y,
        family=families.family_code(options.family, options.link),
        w=w,
        offset=rest,
        n_levels=n_levels,
        thresholds=cast(Literal["free", "symmetric", "equidistant"], options.thresholds),
        n_quad=options.n_quad,
    )
    if rest is offset:
        return made
    cuts = max(n_levels - 1, 0)
    back = np.concatenate([np.full(cuts, shift), -slopes])
    return replace(made, coefficients=made.coefficients + back, linear=made.linear + shift)


def _carried(offset: Floats, X: Floats, *, ordinal: bool) -> tuple[float, Floats, Floats]:
    """The constant (ordinal only) and the coefficients that come nearest to the offset, and its rest."""
    n, p = X.shape
    if not offset.any():
        return 0.0, np.zeros(p), offset
    B = np.column_stack([np.ones(n), X]) if ordinal else X
    length = np.sqrt((B**2).mean(axis=0))
    found = np.linalg.lstsq(B / length, offset, rcond=None)[0] / length
    rest = offset - B @ found
    return (float(found[0]), found[1:], rest) if ordinal else (0.0, found, rest)


def _information_vanishes(
    made: MixedEstimate, X: Floats, y: Floats, w: Floats, options: MixedOptions, n_levels: int
) -> bool:
    """Whether some direction of the coefficients has lost its information: towards separation it does."""
    if not X.shape[1]:
        return False
    r, W = np.empty(len(y)), np.empty(len(y))
    alpha = np.ascontiguousarray(made.coefficients[: max(n_levels - 1, 0)])
    code = families.family_code(options.family, options.link)
    families.derivatives(code, made.linear + made.random, y, w, alpha, r, W)
    Q = np.linalg.qr(X / np.sqrt((X**2).mean(axis=0)))[0]
    least = float(np.linalg.eigvalsh((Q * W[:, None]).T @ Q)[0])
    return least < VANISHED * max(float(W.mean()), VANISHED)


def _separating(X: Floats, y: Floats, options: MixedOptions, n_levels: int) -> tuple[int, ...] | None:
    """Columns of X that separate the outcomes, `None` if none do; thresholds have negative numbers."""
    binary, cuts = y, max(n_levels - 1, 0)
    if n_levels:
        X, binary = _adjacent(X, y, cuts)
    if X.size > LARGE or not X.shape[1]:
        return None
    kind = "poisson" if options.family == "poisson" else "binomial"
    if kind == "binomial":  # a share of 0 < y < 1 is both
        mixed = (binary > 0) & (binary < 1)
        X, binary = np.vstack([X, X[mixed]]), np.concatenate([np.ceil(binary), np.zeros(int(mixed.sum()))])
    found = find_separation(X, binary, family=kind)
    return None if found is None else tuple(j - cuts for j in found.columns)


def _adjacent(X: Floats, y: Floats, cuts: int) -> tuple[Floats, Floats]:
    """An ordinal outcome as binary ones: above or below the thresholds next to it."""
    code = y.astype(np.int64)
    below, above = np.flatnonzero(code < cuts), np.flatnonzero(code > 0)
    place = np.zeros((len(below) + len(above), cuts))
    place[np.arange(len(below)), code[below]] = -1.0
    place[len(below) + np.arange(len(above)), code[above] - 1] = -1.0
    outcome = np.concatenate([np.zeros(len(below)), np.ones(len(above))])
    return np.hstack([place, X[np.concatenate([below, above])]]), outcome
