"""A forecaster with private information: the coefficient that foresight alone would make.

Letters: y, b outcome and belief given the covariates; S what the caseworker sees and the data do not,
s = corr(S, y0)^2 with y0 = y - beta b the outcome without the effect beta; r share of var(b) that S makes
(the rest, disposition and noise, has nothing to do with y0); R2 = corr(y, b)^2; h share of the coefficient c
that foresight makes, beta = (1 - h) c.

    cov(y0, b) = sqrt(r s var(y0) var(b)),   c = beta + sqrt(r s var(y0) / var(b))
    var(y0) = var(y) (1 - R2 (1 - h^2)),     so  s = h^2 R2 / (r (1 - R2 (1 - h^2)))
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def share_seen(r2: ArrayLike, *, explained: ArrayLike, reliability: ArrayLike) -> Floats:
    """s: share of the outcome's remaining variance to be seen for foresight to make the share h."""
    squared, h, r = (np.asarray(x, dtype=float) for x in (r2, explained, reliability))
    return np.asarray(h**2 * squared / (r * (1 - squared * (1 - h**2))))


def share_explained(r2: ArrayLike, *, seen: ArrayLike, reliability: ArrayLike) -> Floats:
    """h: share of the coefficient that foresight makes if the share s is seen; above 1 if more than all."""
    squared, s, r = (np.asarray(x, dtype=float) for x in (r2, seen, reliability))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.sqrt(s * r * (1 - squared) / (squared * (1 - s * r))))


def foresight_coefficient(
    seen: ArrayLike, *, reliability: ArrayLike, sd_outcome: float, sd_exposure: float
) -> Floats:
    """Coefficient of a belief without any effect: sqrt(r s) sd(y) / sd(b)."""
    s, r = (np.asarray(x, dtype=float) for x in (seen, reliability))
    return np.asarray(np.sqrt(r * s) * sd_outcome / sd_exposure)
