"""Cluster sums of products with residual-made columns, as operators on the multipliers of a wild bootstrap.

Letters: M = I - P_U - P_F takes columns U (orthonormal, orthogonal to F) and the level effects of one factor
F away; for columns a, b the operator is K_hg = (1_h a)' M (1_g b), h a cluster of the variance, g one of the
bootstrap. K = A - C E', C (H, k) and E (G, k), so that no draw ever touches a row (Roodman, MacKinnon,
Nielsen & Webb 2019, Stata J. 19, 4-60).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from jobchance.errors import DesignError
from jobchance.numerics.linalg import independent_columns

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

LARGEST = 1_000


@dataclass(frozen=True, eq=False)
class Operator:
    """K as an array (H, G), or as A - C E' with A a diagonal (G,) or a sparse matrix."""

    A: Floats | sparse.csr_array
    C: Floats | None
    E: Floats | None

    def __call__(self, v: Floats) -> Floats:
        """K v, (H, b)."""
        if self.C is None or self.E is None:
            whole: Floats = self.A @ v
            return whole
        own = self.A[:, None] * v if isinstance(self.A, np.ndarray) else self.A @ v
        out: Floats = own - self.C @ (self.E.T @ v)
        return out

    def dense(self) -> Floats:
        """K (H, G)."""
        if self.C is None or self.E is None:
            return np.asarray(self.A)
        own = np.diag(self.A) if isinstance(self.A, np.ndarray) else self.A.toarray()
        out: Floats = own - self.C @ self.E.T
        return out


def combined(parts: Sequence[Operator], weights: Floats) -> Operator:
    """K for b = sum of weights times the columns of the parts, which share a, the clusters and M."""
    if any(part.C is None for part in parts):
        whole = np.zeros(parts[0].dense().shape)
        for part, weight in zip(parts, weights, strict=True):
            whole += weight * part.dense()
        return Operator(whole, None, None)
    A, E = weights[0] * parts[0].A, weights[0] * _outer(parts[0])
    for part, weight in zip(parts[1:], weights[1:], strict=True):
        A, E = A + weight * part.A, E + weight * _outer(part)
    return Operator(A, parts[0].C, E)


def _outer(part: Operator) -> Floats:
    """E of an operator that has one."""
    assert part.E is not None
    return part.E


@dataclass(frozen=True, eq=False)
class Removed:
    """What M takes away: orthonormal columns U (n, k), and codes of the factor F or `None`."""

    U: Floats
    factor: Codes | None


def removed(X: Floats, factors: Sequence[Codes]) -> Removed:
    """M for columns X (n, k), orthogonal to all factors: the largest as F, the others as dummy variables.

    Raises
    ------
    DesignError
        The factors beside the largest have more than 1,000 levels together.
    """
    ordered = sorted(factors, key=lambda codes: int(codes.max()), reverse=True)
    parts = [X]
    if len(ordered) > 1:
        parts.append(_dummies(ordered[0], ordered[1:]))
    U = np.column_stack(parts)
    size = np.linalg.norm(U, axis=0)
    return Removed(np.linalg.qr(U / size)[0], ordered[0] if ordered else None)


def _dummies(first: Codes, others: Sequence[Codes]) -> Floats:
    """Independent dummy variables of further factors, less their means by level of the first."""
    count = sum(int(codes.max()) + 1 for codes in others)
    if count > LARGEST:
        raise DesignError(
            f"The absorbed factors beside the largest have {count:,} levels; the wild bootstrap takes up to "
            f"{LARGEST:,}. Absorb one of them less, or make one column of their combinations."
        )
    D = np.column_stack([codes[:, None] == np.arange(int(codes.max()) + 1) for codes in others]).astype(float)
    rows = sparse.csr_array((np.ones(len(first)), (first, np.arange(len(first)))))
    means = (rows @ D) / np.bincount(first)[:, None]
    D = D - means[first]
    D = D[:, np.linalg.norm(D, axis=0) > 1e-7]
    out: Floats = D[:, independent_columns(D)]
    return out


def operator(a: Floats, b: Floats, inner: Codes, outer: Codes, gone: Removed) -> Operator:
    """K for columns a, b (n,) orthogonal to F; clusters `inner` of the variance, `outer` of the draws."""
    H, G = int(inner.max()) + 1, int(outer.max()) + 1
    A = sparse.csr_array((a * b, (inner, outer)), shape=(H, G))
    same = inner is outer
    F = gone.factor
    # A level that lies in one cluster adds nothing: its rows of a, or of b, sum to zero there.
    if F is not None and not (_nested(F, inner) or _nested(F, outer)):
        left = sparse.csr_array((a, (inner, F)), shape=(H, int(F.max()) + 1))
        right = sparse.csr_array((b, (outer, F)), shape=(G, int(F.max()) + 1))
        scaled = left @ sparse.diags_array(1.0 / np.bincount(F))
        A, same = sparse.csr_array(A - scaled @ right.T), False
    C, E = sums(gone.U * a[:, None], inner, H), sums(gone.U * b[:, None], outer, G)
    if 2 * C.shape[1] > G or (A.nnz * 4 > H * G and not same):
        dense: Floats = A.toarray() - C @ E.T
        return Operator(dense, None, None)
    return Operator(A.diagonal() if same else A, C, E)


def sums(values: Floats, codes: Codes, count: int) -> Floats:
    """Columns (n, c) summed over clusters, (count, c)."""
    if values.shape[1] == 0:
        return np.zeros((count, 0))
    return np.column_stack([np.bincount(codes, weights=column, minlength=count) for column in values.T])


def _nested(codes: Codes, clusters: Codes) -> bool:
    """Whether every level lies within one cluster."""
    first = np.zeros(int(codes.max()) + 1, dtype=np.int64)
    first[codes] = clusters
    return bool(np.array_equal(first[codes], clusters))
