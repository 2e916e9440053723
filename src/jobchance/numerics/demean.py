"""Remove the effects of one or several factors: x minus its projection on their dummy variables.

Letters: M_f = I - D_f (D_f'D_f)^{-1} D_f' subtracts the means by factor f. One factor is exact; several are
alternating projections accelerated by conjugate gradients (Guimaraes & Portugal 2010, Stata J. 10, 628-649;
Correia 2016, "Linear models with high-dimensional fixed effects", section 3).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from jobchance.errors import EstimationError

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

_TOLERANCE = 1e-13
_ACCEPTED = 1e-9
_MAX_STEPS = 5_000


def group_means(values: Floats, codes: Codes) -> Floats:
    """Means by group, (G, c) from (n, c)."""
    counts = np.bincount(codes)
    sums = [np.bincount(codes, weights=column) for column in values.T]
    return np.column_stack(sums) / counts[:, None] if sums else np.empty((len(counts), 0))


def demean(values: Floats, factors: Sequence[Codes]) -> Floats:
    """Residuals of every column on the dummy variables of all factors together.

    Parameters
    ----------
    values : array (n, c)
        Columns to clean.
    factors : sequence of integer arrays (n,)
        Levels 0..G-1 of each factor.

    Returns
    -------
    array (n, c)

    Raises
    ------
    EstimationError
        The projections do not converge (factors that are hardly connected).

    Examples
    --------
    >>> demean(np.array([[1.0], [3.0], [4.0]]), [np.array([0, 0, 1])]).ravel().tolist()
    [-1.0, 1.0, 0.0]
    """
    if len(factors) == 1:
        return _without_means(values, factors[0])
    return np.column_stack([_conjugate_gradient(column[:, None], factors).ravel() for column in values.T])


def redundant_effects(factors: Sequence[Codes]) -> int:
    """How many dummy variables of all factors together depend on the others.

    Exact for one and two factors (connected components); for more, one for each further factor, which is a
    lower bound (the convention of reghdfe and fixest).
    """
    if len(factors) < 2:
        return 0
    first, second = factors[0], factors[1]
    n_first, n_second = int(first.max()) + 1, int(second.max()) + 1
    edges = coo_array(
        (np.ones(len(first)), (first, second + n_first)), shape=(n_first + n_second, n_first + n_second)
    )
    components, _ = connected_components(edges, directed=False)
    return int(components) + len(factors) - 2


def singletons(factors: Sequence[Codes]) -> NDArray[np.bool_]:
    """Rows that are alone in a level of a factor, repeatedly, since dropping one may leave another alone.

    Such rows are explained fully by their own effect and carry no information (Correia 2015).
    """
    alone = np.zeros(len(factors[0]), dtype=bool)
    while True:
        new = alone.copy()
        for codes in factors:
            counts = np.bincount(codes[~new], minlength=int(codes.max()) + 1)
            new |= counts[codes] == 1
        if new.sum() == alone.sum():
            return alone
        alone = new


def _without_means(values: Floats, codes: Codes) -> Floats:
    """M_f applied once."""
    out: Floats = values - group_means(values, codes)[codes]
    return out


def _symmetric_sweep(values: Floats, factors: Sequence[Codes]) -> Floats:
    """M_1 ... M_F ... M_1, a symmetric operator whose fixed points are the residuals sought."""
    for codes in (*factors, *reversed(factors[:-1])):
        values = _without_means(values, codes)
    return values


def _conjugate_gradient(column: Floats, factors: Sequence[Codes]) -> Floats:
    """Residual of one column (n, 1); the system is (I - sweep) x = 0 from the column itself."""
    scale = float(np.linalg.norm(column - column.mean()))
    current = _symmetric_sweep(column, factors)
    residual = current - _symmetric_sweep(current, factors)
    direction, length = residual, float(np.sum(residual**2))
    for _ in range(_MAX_STEPS):
        if np.sqrt(length) <= _TOLERANCE * scale:
            return _symmetric_sweep(current, factors)
        image = direction - _symmetric_sweep(direction, factors)
        curvature = float(np.sum(direction * image))
        if curvature <= 0:
            break
        step = length / curvature
        current, residual = current - step * direction, residual - step * image
        new = float(np.sum(residual**2))
        direction, length = residual + new / length * direction, new
    if np.sqrt(length) > _ACCEPTED * scale:
        raise EstimationError(
            "The absorbed factors could not be removed to the precision needed: their levels are hardly "
            "connected by common rows. Absorb fewer factors."
        )
    return _symmetric_sweep(current, factors)
