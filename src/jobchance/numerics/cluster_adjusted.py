"""Clustered covariances adjusted for leverage (CR2, CR3) and Satterthwaite's degrees of freedom.

Letters: X = Q R with Q (n, k) orthonormal, e residuals, N_g = Q_g'Q_g with eigenvalues lambda in [0, 1],
H_gg = Q_g Q_g', v working variances of a likelihood. Since f(Q_g Q_g') Q_g = Q_g f(N_g), every adjustment
f(I - H_gg) is made at (k, k) size, whatever the size of a cluster. Bell & McCaffrey (2002); Pustejovsky &
Tipton (2018), J. Bus. Econ. Statist. 36, 672-683, equations 6-11 and theorem 2 (absorbed effects).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from jobchance.errors import DesignError
from jobchance.options import check_option

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

ADJUSTMENTS = ("CR2", "CR3")
_SINGULAR = 1e-10
_LARGEST = 4_000


@dataclass(frozen=True, eq=False)
class Adjusted:
    """Leverage-adjusted covariance of the first coefficients.

    Parameters
    ----------
    cov : array (m, m)
        Without small-sample factor.
    df : array (m,)
        Satterthwaite's degrees of freedom of each coefficient under independent errors with the working
        variance.
    changes : array (G, m)
        Adjusted influence of each cluster, `cov = changes' changes`; for CR3 the estimates less those without
        the cluster.
    lost : array (m,)
        Clusters without which the coefficient is not identified. CR2 leaves their undetermined direction
        out (a generalised inverse); CR3 has no number, and the coefficient's entries are NaN.
    """

    cov: Floats
    df: Floats
    changes: Floats
    lost: Codes


def adjusted_covariance(
    X: Floats,
    residual: Floats,
    codes: Codes,
    *,
    kind: str,
    m: int | None = None,
    variance: Floats | None = None,
) -> Adjusted:
    """Covariance with the scores of each cluster adjusted for its leverage.

    Parameters
    ----------
    X : array (n, k)
        Columns of full rank, in units in which the errors have one variance.
    residual : array (n,)
        In the same units.
    codes : integer array (n,)
        Cluster of each row, 0..G-1.
    kind : {"CR2", "CR3"}
        f(z) = z^{-1/2} or z^{-1} on I - H_gg.
    m : int or None
        Coefficients wanted, the first m; `None` is all.
    variance : array (n,) or None
        Working variances. CR2 then adjusts in the units of the outcome, which needs a decomposition of the
        size of a cluster (the symmetric root depends on the units; CR3 does not).

    Returns
    -------
    Adjusted

    Raises
    ------
    DesignError
        CR2 with working variances and a cluster of more than 4,000 rows.
    """
    check_option("kind", kind, ADJUSTMENTS)
    m = X.shape[1] if m is None else m
    Q, R = _whitened(X)
    contrasts = linalg.solve_triangular(R, np.eye(R.shape[0])[:, :m], trans="T")  # (k, m)
    count = int(codes.max()) + 1
    changes, own = np.empty((count, m)), np.empty((count, m))
    images = np.empty((count, R.shape[0], m))
    lost = np.zeros(m, dtype=np.int64)
    for g, rows in enumerate(_by_cluster(codes, count)):
        Q_g, e_g = Q[rows], residual[rows]
        if kind == "CR2" and variance is not None:
            half = _root_in_outcome_units(Q_g, variance[rows]).T @ (Q_g @ contrasts)
            changes[g], own[g], images[g] = half.T @ e_g, np.sum(half**2, axis=0), Q_g.T @ half
            continue
        values, vectors = _spectrum(Q_g)
        left = 1 - values
        whole = left > _SINGULAR
        f = np.zeros_like(left)
        f[whole] = left[whole] ** (-0.5 if kind == "CR2" else -1.0)
        inside = vectors.T @ contrasts
        lost += np.any(np.abs(inside[~whole]) > 1e-7 * np.linalg.norm(contrasts, axis=0), axis=0)
        changes[g] = inside.T @ (f * (vectors.T @ (Q_g.T @ e_g)))
        own[g] = (values * f**2) @ inside**2
        images[g] = vectors @ ((values * f)[:, None] * inside)
    if kind == "CR3":
        changes[:, lost > 0] = np.nan
    cov = changes.T @ changes
    return Adjusted((cov + cov.T) / 2, _satterthwaite(own, images, lost, kind), changes, lost)


def _whitened(X: Floats) -> tuple[Floats, Floats]:
    """Thin QR factorisation with columns scaled first, so that units cost no precision."""
    size = np.linalg.norm(X, axis=0)
    Q, R = np.linalg.qr(X / size)
    return Q, R * size


def _by_cluster(codes: Codes, count: int) -> Iterator[Codes]:
    """Positions of the rows of each cluster."""
    order = np.argsort(codes, kind="stable")
    ends = np.cumsum(np.bincount(codes, minlength=count))
    return iter(np.split(order, ends[:-1]))


def _spectrum(Q_g: Floats) -> tuple[Floats, Floats]:
    """Eigenvalues (r,) of Q_g'Q_g and eigenvectors (k, r); directions out of the cluster's reach may lack."""
    if Q_g.shape[0] > 4 * Q_g.shape[1]:
        values, vectors = np.linalg.eigh(Q_g.T @ Q_g)
    else:
        _, roots, transposed = np.linalg.svd(Q_g, full_matrices=False)
        values, vectors = roots**2, transposed.T
    return np.clip(values, 0.0, 1.0), vectors


def _root_in_outcome_units(Q_g: Floats, v: Floats) -> Floats:
    """G^{-1/2} v with G = v (I - H_gg) v: the symmetric adjustment of Pustejovsky & Tipton, equation 6."""
    if len(v) > _LARGEST:
        raise DesignError(
            f"CR2 of a model with working variances needs a matrix of {len(v):,} x {len(v):,} numbers for "
            f"its largest cluster; up to {_LARGEST:,} rows are taken. Use kind='CR3', which does not."
        )
    values, vectors = np.linalg.eigh(v[:, None] * (np.eye(len(v)) - Q_g @ Q_g.T) * v)
    root = np.zeros_like(values)
    kept = values > 1e-12
    root[kept] = values[kept] ** -0.5
    out: Floats = ((vectors * root) @ vectors.T) * v
    return out


def _satterthwaite(own: Floats, images: Floats, lost: Codes, kind: str) -> Floats:
    """Degrees of freedom (sum_g O_gg)^2 / sum_gh O_gh^2, O_gh = [g = h] own_g - image_g'image_h, by term."""
    out = np.empty(own.shape[1])
    for j in range(own.shape[1]):
        T = images[:, :, j]
        reach = np.sum(T**2, axis=1)
        total = float(np.sum(own[:, j] - reach))
        cross = T.T @ T if T.shape[0] > T.shape[1] else T @ T.T
        squares = float(np.sum(own[:, j] ** 2 - 2 * own[:, j] * reach) + np.sum(cross**2))
        out[j] = total**2 / squares if squares > 0 else np.nan
    if kind == "CR3":
        out[lost > 0] = np.nan
    return out
