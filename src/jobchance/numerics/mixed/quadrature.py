r"""Adaptive Gauss-Hermite quadrature over the effects of the eliminated factor (citizens).

For each level i of that factor the integral over its own effects, the other effects at their modes, is taken
by quadrature: f_c = f - 2 sum c_i, c_i = log(quadrature / Laplace of that integral). With one factor this is
the usual adaptive quadrature (Pinheiro & Bates 1995, JCGS 4, 12-35). Beside crossed factors the integral over
those stays Laplace's at the joint modes: how the levels' integrals tilt and bend with the other effects,
beyond the joint curvature M, is neglected. Letters as in `quadrature_kernels`.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.polynomial.hermite_e import hermegauss
from numpy.typing import NDArray

from jobchance.errors import SpecError
from jobchance.numerics.mixed import quadrature_kernels

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

MOST_EFFECTS = 3
MOST_NODES = 101


@dataclass(frozen=True, eq=False)
class Rule:
    """Nodes t (k, m) of the standard normal law, and log of their weights plus t't/2 (k,)."""

    nodes: Floats
    log_weights: Floats


def product_rule(n_quad: int, m: int) -> Rule:
    """Gauss-Hermite rule with `n_quad` points in each of `m` directions; SpecError where that is too many."""
    reason = unsupported_quadrature(n_quad, m)
    if reason:
        raise SpecError(f"Random effects: {reason}.")
    points, weights = hermegauss(n_quad)
    nodes = np.array(list(product(points, repeat=m)))
    shares = np.array(list(product(weights / weights.sum(), repeat=m)))
    return Rule(nodes, np.log(shares).sum(axis=1) + 0.5 * (nodes**2).sum(axis=1))


def unsupported_quadrature(n_quad: int, m1: int) -> str | None:
    """Why `n_quad` points cannot be used for a factor with `m1` effects per level; None where they can.

    Parameters
    ----------
    n_quad : int
        Points per effect; 1 is the Laplace approximation.
    m1 : int
        Effects per level of the factor with the most columns, which is the one integrated.

    Returns
    -------
    str or None
        Text for an error message.

    Examples
    --------
    >>> unsupported_quadrature(7, 1) is None
    True
    >>> unsupported_quadrature(7, 4)
    'quadrature over 4 effects per level is not offered (at most 3); use n_quad=1 or fewer random slopes'
    """
    if not 1 <= n_quad <= MOST_NODES:
        return f"n_quad must lie between 1 and {MOST_NODES}, not {n_quad}"
    if n_quad > 1 and m1 > MOST_EFFECTS:
        return (
            f"quadrature over {m1} effects per level is not offered (at most {MOST_EFFECTS}); "
            "use n_quad=1 or fewer random slopes"
        )
    return None


@dataclass(frozen=True, eq=False)
class Correction:
    """A block's part of sum c, with its derivatives.

    `total` sum c; by row: `mean_r` mean of dl/d eta over the nodes, `bend` dc/dW, `mean_la` and `mean_lb`
    means of dl by the upper and lower threshold; `by_u` (levels, m) dc/du at fixed eta; `factors` (m, m)
    derivative by the elements of Lambda through the scaled columns.
    """

    total: float
    mean_r: Floats
    bend: Floats
    by_u: Floats
    factors: Floats
    mean_la: Floats
    mean_lb: Floats


def correction(
    rule: Rule,
    family: int,
    eta: Floats,
    y: Floats,
    w: Floats,
    alpha: Floats,
    W: Floats,
    start: Codes,
    z: Floats,
    zt: Floats,
    step: int,
    u: Floats,
) -> Correction:
    """Correction of rows sorted by level (`start`) with effects `u` (levels, m), the first m columns of z."""
    n, m = len(y), u.shape[1]
    n_cut = n if len(alpha) else 0
    mean_r, bend, by_u, T = np.empty(n), np.empty(n), np.empty_like(u), np.zeros((m, m))
    mean_la, mean_lb = np.zeros(n_cut), np.zeros(n_cut)
    total = quadrature_kernels.correct(
        family, eta, y, w, alpha, W, start, z, zt, step, u, rule.nodes, rule.log_weights,
        mean_r, bend, by_u, T, mean_la, mean_lb,
    )  # fmt: skip
    return Correction(total, mean_r, bend, by_u, T, mean_la, mean_lb)


def runs(own: NDArray[np.int32]) -> Codes:
    """First row of each run of equal rows of `own` (n, m), and the end."""
    changed = np.flatnonzero((own[1:] != own[:-1]).any(axis=1)) + 1
    return np.concatenate([[0], changed, [len(own)]]).astype(np.int64)
