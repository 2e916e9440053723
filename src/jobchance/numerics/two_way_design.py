"""Weighted least squares on two sets of effects, y = alpha_citizen + psi_caseworker + e, citizens eliminated.

Letters: w_i weight of row i; W_c, W_j weights of a citizen and of a caseworker; W_cj of a match; s_c = W_cj /
W_c a citizen's shares of caseworkers; L = diag(W_j) - sum_c W_c s_c s_c' the Schur complement (a Laplacian of
caseworkers), G its pseudo-inverse; f = e_j - s_c the row of a caseworker less its citizen's mean.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, diags_array

from jobchance.errors import EstimationError
from jobchance.numerics.ujive_inverse import invert_in_place

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]
Mask = NDArray[np.bool_]

_MAX_STEPS = 2_000


@dataclass(frozen=True, eq=False)
class TwoWayDesign:
    """Rows of a two-way model, with the operators that its estimators share.

    Parameters
    ----------
    citizen, caseworker : integer array (n,)
        Codes 0.. without gaps, one connected set.
    w : array (n,)
        Positive weights (person-waves behind the row).
    exact : bool
        Keep G as a dense matrix; otherwise every solve is by conjugate gradients.
    """

    citizen: Codes
    caseworker: Codes
    w: Floats
    exact: bool
    citizen_weight: Floats = field(init=False)
    caseworker_weight: Floats = field(init=False)
    matches: csr_array = field(init=False)
    shares: csr_array = field(init=False)
    laplacian: csr_array = field(init=False)
    inverse: Floats | None = field(init=False)

    def __post_init__(self) -> None:
        def keep(name: str, value: object) -> None:
            object.__setattr__(self, name, value)

        keep("citizen_weight", np.bincount(self.citizen, weights=self.w))
        keep("caseworker_weight", np.bincount(self.caseworker, weights=self.w))
        shape = (len(self.citizen_weight), len(self.caseworker_weight))
        matches = csr_array((self.w, (self.citizen, self.caseworker)), shape=shape)
        matches.sum_duplicates()
        matches.sort_indices()
        shares = (diags_array(1 / self.citizen_weight) @ matches).tocsr()
        shares.sort_indices()
        laplacian = (diags_array(self.caseworker_weight) - matches.T @ shares).tocsr()
        keep("matches", matches)
        keep("shares", shares)
        keep("laplacian", laplacian)
        keep("inverse", _dense_inverse(laplacian) if self.exact else None)

    @property
    def total(self) -> float:
        """Sum of the weights."""
        return float(self.w.sum())

    @property
    def n_effects(self) -> int:
        """Free effects of a connected set: citizens + caseworkers - 1."""
        return len(self.citizen_weight) + len(self.caseworker_weight) - 1

    def moves(self) -> Mask:
        """Whether the citizen of each row has several caseworkers, (n,)."""
        several: Mask = np.diff(self.matches.indptr)[self.citizen] > 1
        return several

    def solve_caseworkers(self, rhs: Floats, *, tolerance: float = 1e-11) -> Floats:
        """G rhs for columns that sum to zero, (J, m)."""
        if self.inverse is not None:
            out: Floats = self.inverse @ rhs
            return out
        return _conjugate_gradients(self.laplacian, rhs, tolerance)

    def solve(self, a: Floats, b: Floats, *, tolerance: float = 1e-11) -> tuple[Floats, Floats]:
        """Effects from right-hand sides of citizens (N, m) and caseworkers (J, m) with equal sums."""
        psi = self.solve_caseworkers(b - self.shares.T @ a, tolerance=tolerance)
        return a / self.citizen_weight[:, None] - self.shares @ psi, psi

    def gather(self, v: Floats) -> tuple[Floats, Floats]:
        """X'v: sums over the rows of each citizen and of each caseworker, v of shape (n, m)."""
        a, b = (
            np.array([np.bincount(codes, weights=column) for column in v.T], dtype=float).T
            for codes in (self.citizen, self.caseworker)
        )
        return a, b

    def spread(self, alpha: Floats, psi: Floats) -> Floats:
        """X beta: effects at the rows, (n, m)."""
        out: Floats = alpha[self.citizen] + psi[self.caseworker]
        return out

    def effects(self, y: Floats) -> tuple[Floats, Floats]:
        """Weighted least-squares effects of citizens (N,) and caseworkers (J,) for an outcome (n,)."""
        alpha, psi = self.solve(*self.gather((self.w * y)[:, None]))
        return alpha[:, 0], psi[:, 0]


def _dense_inverse(laplacian: csr_array) -> Floats:
    """Inverse of L with its null space (the constant) given a weight; the same as G on contrasts."""
    n = laplacian.shape[0]
    matrix: Floats = np.ascontiguousarray(laplacian.toarray())
    matrix += float(matrix.trace()) / n**2
    if not invert_in_place(matrix):
        raise EstimationError(
            "The graph of citizens and caseworkers is not connected, so their effects cannot be compared."
        )
    return matrix


def _conjugate_gradients(laplacian: csr_array, rhs: Floats, tolerance: float) -> Floats:
    """Columns solved side by side, each with its own step; preconditioned by the diagonal of L."""
    scale = 1 / laplacian.diagonal()[:, None]
    target = tolerance * np.linalg.norm(rhs, axis=0)
    x, residual = np.zeros_like(rhs), rhs - rhs.mean(axis=0)
    z = scale * residual
    direction, length = z.copy(), np.einsum("ij,ij->j", residual, z)
    for _ in range(_MAX_STEPS):
        if (np.sqrt(np.einsum("ij,ij->j", residual, residual)) <= target).all():
            return np.asarray(x - x.mean(axis=0))
        image = laplacian @ direction
        curvature = np.einsum("ij,ij->j", direction, image)
        step = np.divide(length, curvature, out=np.zeros_like(length), where=curvature > 0)
        x += step * direction
        residual -= step * image
        np.multiply(scale, residual, out=z)
        new = np.einsum("ij,ij->j", residual, z)
        direction *= np.divide(new, length, out=np.zeros_like(new), where=length > 0)
        direction += z
        length = new
    raise EstimationError(
        "The effects of caseworkers could not be separated: their graph is hardly connected by citizens "
        "with several caseworkers."
    )
