"""Leverages of the rows of a two-way model, and their weights in the bias of its variance components.

Letters as in `numerics.two_way_design`; for row i with f its contrast of caseworkers and z = G f:
q = f'z, t = z' diag(W_J) z, m = W_J'z, x = s_c'z, W total weight. Then P = w (1/W_c + q) and
B_psi = w (t - m^2/W), B_alpha = w (1/W_c - 2x + t - q - (1-m)^2/W), B_cov = w (x - t + q - (1-m) m/W).
Random projections: Johnson-Lindenstrauss with Rademacher signs, KSS (2020), Computational Appendix 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jobchance.numerics.mixed.jit import njit
from jobchance.numerics.two_way_design import Codes, Floats, TwoWayDesign
from jobchance.numerics.two_way_threads import each

_BLOCK = 20
_PROJECTED = 1e-6  # relative accuracy of solves that a projection with sampling error rests on


@dataclass(frozen=True, eq=False)
class Leverages:
    """Of every row: P, 1 - P (kept apart, since it may be tiny) and the weights B (divided by nothing).

    Parameters
    ----------
    P, M : array (n,)
        Leverage and its complement.
    inverse_m : array (n,)
        Estimate of 1 / (1 - P); corrected for the curvature of 1/M where M is estimated.
    B : array (3, n)
        Citizens, caseworkers, covariance.
    """

    P: Floats
    M: Floats
    inverse_m: Floats
    B: Floats


def exact_leverages(design: TwoWayDesign) -> Leverages:
    """P and B from the dense inverse of the caseworkers' Laplacian; needs `design.exact`."""
    if design.inverse is None:
        raise ValueError("exact leverages need a design with its dense inverse")
    G, W = design.inverse, design.caseworker_weight
    spread = (G * W) @ G
    centred = G @ (W - W.mean())
    q, t, m, x = np.zeros((4, len(design.matches.data)))
    shares = design.shares
    starts, places = shares.indptr.astype(np.int64), shares.indices.astype(np.int64)
    _contrasts(starts, places, shares.data, G, spread, centred, q, t, m, x)
    at = _match_of_row(design)
    return _assemble(design, q[at], t[at], m[at], x[at])


def projected_leverages(design: TwoWayDesign, n_projections: int, seed: int) -> tuple[Leverages, ...]:
    """P and B by random projections: with all of them first, then with each tenth (or so) alone.

    Rows of citizens with one caseworker need no projection: q = t = m = x = 0.
    """
    rng = np.random.default_rng(seed)
    moves = np.flatnonzero(design.moves())
    W = design.caseworker_weight
    centred = design.solve_caseworkers((W - W.mean())[:, None])
    m = _row_contrast(design, centred, moves)[0][:, 0]
    size = min(_BLOCK, max(2, n_projections // 5))
    n_batches = n_projections // size

    def draw() -> tuple[NDArray[np.int8], Floats]:
        signs = rng.integers(0, 2, size=(len(moves), size), dtype=np.int8)
        return signs, np.sqrt(W)[:, None] * (2.0 * rng.integers(0, 2, size=(len(W), size)) - 1.0)

    moments: list[Floats] = []
    while len(moments) < n_batches:  # signs of two batches at a time are held
        drawn = [draw() for _ in range(min(2, n_batches - len(moments)))]
        moments += each(lambda part: _project(design, moves, *part), drawn, steps=len(moves))
    total: Floats = np.mean(moments, axis=0)
    together = _from_moments(design, moves, total, m, size * n_batches)
    return together, *(_from_moments(design, moves, part, m, size) for part in moments)


def _project(design: TwoWayDesign, moves: Codes, signs: NDArray[np.int8], left: Floats) -> Floats:
    """Means over k projections of f^2, (u-f)^2, f^4, (u-f)^4, f^2 (u-f)^2, x and t at moving rows, (7, r)."""
    root = np.sqrt(design.w)
    a = np.zeros((len(design.citizen_weight), signs.shape[1]))
    b = np.zeros((len(design.caseworker_weight), signs.shape[1]))
    citizen, caseworker = design.citizen[moves], design.caseworker[moves]
    _scatter(citizen, caseworker, root[moves], signs, a, b)
    V = design.solve_caseworkers(b - design.shares.T @ a, tolerance=_PROJECTED)
    U = design.solve_caseworkers(left - left.mean(axis=0), tolerance=_PROJECTED)
    means = a / design.citizen_weight[:, None]
    out = np.zeros((7, len(moves)))
    shared = (V, design.shares @ V, U, design.shares @ U)
    _accumulate(citizen, caseworker, root[moves], signs, means, *shared, out)
    out /= signs.shape[1]
    return out


def _from_moments(design: TwoWayDesign, moves: Codes, moments: Floats, m: Floats, k: int) -> Leverages:
    """Ratio estimate of P with its known sum P + M = 1, and the second-order correction of 1/M."""
    A, C, AA, CC, AC, x, t = moments
    w, n = design.w[moves], len(design.w)
    own = 1 - w / design.citizen_weight[design.citizen[moves]]
    parts = np.zeros((4, n))
    parts[:, moves] = A / w, t, m, x
    raw = _assemble(design, *parts)
    p = own * A / (A + C)
    M = own - p
    curvature = (M * AA - p * CC + (M - p) * AC) / (k * own**2)
    variance = (p**2 * CC + M**2 * AA - 2 * p * M * AC) / (k * own**2)
    full, inverse = raw.M.copy(), raw.inverse_m.copy()
    full[moves] = M
    inverse[moves] = (1 - variance / M**2 + curvature / M) / M
    return Leverages(1 - full, full, inverse, raw.B)


def _assemble(design: TwoWayDesign, q: Floats, t: Floats, m: Floats, x: Floats) -> Leverages:
    """The formulas of the module docstring."""
    w, W = design.w, design.total
    inverse = 1 / design.citizen_weight[design.citizen]
    citizens = w * (inverse - 2 * x + t - q - (1 - m) ** 2 / W)
    caseworkers = w * (t - m**2 / W)
    covariance = w * (x - t + q - (1 - m) * m / W)
    P = w * (inverse + q)
    with np.errstate(divide="ignore"):
        return Leverages(P, 1 - P, 1 / (1 - P), np.array([citizens, caseworkers, covariance]))


def _match_of_row(design: TwoWayDesign) -> Codes:
    """Position of each row's match in `design.matches.data`."""
    n = design.matches.shape[1]
    rows = np.repeat(np.arange(design.matches.shape[0]), np.diff(design.matches.indptr))
    keys = rows * n + design.matches.indices
    return np.searchsorted(keys, design.citizen * n + design.caseworker).astype(np.int64)


def _row_contrast(design: TwoWayDesign, V: Floats, rows: Codes) -> tuple[Floats, Floats]:
    """Contrasts f'V and means s_c'V at some rows."""
    means = (design.shares @ V)[design.citizen[rows]]
    return V[design.caseworker[rows]] - means, means


@njit
def _contrasts(
    starts: Codes,
    caseworkers: Codes,
    shares: Floats,
    G: Floats,
    spread: Floats,
    centred: Floats,
    q: Floats,
    t: Floats,
    m: Floats,
    x: Floats,
) -> None:
    """Fill q, t, m, x of every match of a citizen with several caseworkers."""
    for c in range(len(starts) - 1):
        first, last = starts[c], starts[c + 1]
        if last - first < 2:
            continue
        for a in range(first, last):
            qa, ta, ma, xa = 0.0, 0.0, centred[caseworkers[a]], 0.0
            for b in range(first, last):
                g, h = G[caseworkers[b], caseworkers[a]], spread[caseworkers[b], caseworkers[a]]
                for e in range(first, last):
                    g -= shares[e] * G[caseworkers[b], caseworkers[e]]
                    h -= shares[e] * spread[caseworkers[b], caseworkers[e]]
                weight = -shares[b] + (1.0 if a == b else 0.0)
                qa += weight * g
                ta += weight * h
                xa += shares[b] * g
                ma -= shares[b] * centred[caseworkers[b]]
            q[a], t[a], m[a], x[a] = qa, ta, ma, xa


@njit
def _scatter(
    citizen: Codes, caseworker: Codes, root: Floats, signs: NDArray[np.int8], a: Floats, b: Floats
) -> None:
    """Add root-weighted signs to the sums of citizens and caseworkers."""
    for i in range(len(citizen)):
        for k in range(signs.shape[1]):
            value = root[i] * (2.0 * signs[i, k] - 1.0)
            a[citizen[i], k] += value
            b[caseworker[i], k] += value


@njit
def _accumulate(
    citizen: Codes,
    caseworker: Codes,
    root: Floats,
    signs: NDArray[np.int8],
    means: Floats,
    V: Floats,
    shares_V: Floats,
    U: Floats,
    shares_U: Floats,
    out: Floats,
) -> None:
    """Sum the moments of `_project` over the projections."""
    for i in range(len(citizen)):
        c, j = citizen[i], caseworker[i]
        for k in range(signs.shape[1]):
            contrast = V[j, k] - shares_V[c, k]
            f = root[i] * contrast
            rest = 2.0 * signs[i, k] - 1.0 - root[i] * means[c, k] - f
            f2, r2 = f * f, rest * rest
            out[0, i] += f2
            out[1, i] += r2
            out[2, i] += f2 * f2
            out[3, i] += r2 * r2
            out[4, i] += f2 * r2
            out[5, i] += shares_V[c, k] * contrast
            out[6, i] += (U[j, k] - shares_U[c, k]) ** 2
