"""Estimates without one cluster after another, and the covariance CV3 that they give.

Letters as in `cluster_adjusted`: beta_(g) = beta - (X'X - X_g'X_g)^{-1} X_g'e_g, exactly, for least squares.
MacKinnon, Nielsen & Webb (2023), J. Applied Econometrics 38, 671-694; two ways: the same authors (2024),
"Jackknife inference with two-way clustering".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jobchance.numerics.cluster_adjusted import adjusted_covariance
from jobchance.numerics.cluster_effects import with_spanning_effects
from jobchance.numerics.sandwich import dense_codes, dimension_sets, intersection, without_negative

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Jackknife:
    """CV3 (k, k), its factor (G - 1)/G by term of the inclusion-exclusion sum, and what went wrong.

    `lost` (k,) counts clusters without which a coefficient is not identified (its entries are NaN); `raised`
    negative eigenvalues set to zero.
    """

    cov: Floats
    counts: tuple[int, ...]
    terms: tuple[tuple[int, ...], ...]
    factors: tuple[float, ...]
    lost: Codes
    raised: int


def jackknife_covariance(
    X: Floats, residual: Floats, dimensions: Sequence[Codes], factors: Sequence[Codes]
) -> Jackknife:
    """CV3 = (G - 1)/G sum_g (beta_(g) - beta)(beta_(g) - beta)', several dimensions by inclusion-exclusion.

    Parameters
    ----------
    X, residual : array (n, k) and (n,)
        Least squares, absorbed effects removed.
    dimensions : sequence of integer arrays (n,)
        Clusters of each dimension.
    factors : sequence of integer arrays (n,)
        Absorbed factors; their effects are estimated again without each cluster.

    Returns
    -------
    Jackknife
    """
    dense = [dense_codes(codes) for codes in dimensions]
    total = np.zeros((X.shape[1],) * 2)
    lost = np.zeros(X.shape[1], dtype=np.int64)
    terms, scales = [], []
    for term in dimension_sets(len(dense)):
        codes, count = intersection([dense[i] for i in term])
        changes, gone = leave_out_changes(X, residual, codes, factors)
        scale = (count - 1) / count
        total += (-1) ** (len(term) + 1) * scale * (changes.T @ changes)
        lost = np.maximum(lost, gone)
        terms.append(term)
        scales.append(scale)
    raised, fine = 0, lost == 0
    if len(dense) > 1 and fine.any():
        part = np.ix_(fine, fine)
        total[part], raised = without_negative(total[part], 1 / np.linalg.norm(X[:, fine], axis=0))
    counts = tuple(count for _, count in dense)
    return Jackknife((total + total.T) / 2, counts, tuple(terms), tuple(scales), lost, raised)


def leave_out_changes(
    X: Floats, residual: Floats, codes: Codes, factors: Sequence[Codes]
) -> tuple[Floats, Codes]:
    """Changes beta - beta_(g), (G, k), NaN where not identified without one of `lost` (k,) clusters."""
    full = with_spanning_effects(X, factors, codes)
    made = adjusted_covariance(full, residual, codes, kind="CR3", m=X.shape[1])
    return made.changes, made.lost
