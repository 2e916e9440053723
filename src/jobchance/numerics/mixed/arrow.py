"""The Schur complement S of the remaining columns: Cholesky factor, solutions, the inverse on its pattern.

S is an arrow matrix: diagonal blocks B_j, a border D, and couplings C_j of block j with the border columns it
touches. Without blocks it is one dense matrix. All parts lie in one flat array, addressed by `Layout.slots`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import blas, lapack

from jobchance.errors import EstimationError

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]


class Layout(Protocol):
    """Storage of S.

    Parameters
    ----------
    q : int
        Number of remaining columns.
    size : int
        Length of the flat store.
    order : int
        Order of S where it is one dense matrix, else 0.
    """

    @property
    def q(self) -> int: ...  # noqa: D102
    @property
    def size(self) -> int: ...  # noqa: D102
    @property
    def order(self) -> int: ...  # noqa: D102

    def slots(self, p: NDArray[Any], q: NDArray[Any]) -> Codes:
        """Index in the flat store of the elements (p, q), in either order."""
        ...


@dataclass(frozen=True, eq=False)
class ArrowLayout:
    """Where every remaining column lives.

    Parameters
    ----------
    block : integer array (q,)
        Block of each column, -1 for the border.
    local : integer array (q,)
        Position within its block or the border.
    n_of : integer array (J,)
        Columns of each block.
    touched : tuple of integer arrays
        Border columns that each block touches.
    nb : int
        Columns of the border.
    """

    block: Codes
    local: Codes
    n_of: Codes
    touched: tuple[Codes, ...]
    nb: int

    def __post_init__(self) -> None:
        widths = np.array([len(t) for t in self.touched], dtype=np.int64)
        off_b = np.concatenate([[0], np.cumsum(self.n_of**2)]).astype(np.int64)
        off_c = (off_b[-1] + np.concatenate([[0], np.cumsum(self.n_of * widths)])).astype(np.int64)
        active = np.full((max(len(self.n_of), 1), max(self.nb, 1)), -1, dtype=np.int64)
        for j, columns in enumerate(self.touched):
            active[j, columns] = np.arange(len(columns))
        for name, value in {
            "off_b": off_b,
            "off_c": off_c,
            "active": active,
            "off_d": int(off_c[-1]),
            "size": int(off_c[-1]) + self.nb**2,
        }.items():
            object.__setattr__(self, name, value)

    off_b: Codes = None  # type: ignore[assignment]
    off_c: Codes = None  # type: ignore[assignment]
    active: Codes = None  # type: ignore[assignment]
    off_d: int = 0
    size: int = 0

    @property
    def q(self) -> int:
        """Number of remaining columns."""
        return len(self.block)

    @property
    def order(self) -> int:
        """Order of S where it is one dense matrix, else 0."""
        return 0 if len(self.n_of) else self.nb

    def slots(self, p: NDArray[Any], q: NDArray[Any]) -> Codes:
        """Index in the flat store of the elements (p, q), in either order."""
        high, low = np.maximum(p, q), np.minimum(p, q)
        j, border = self.block[low], self.block[high] < 0
        h, i = self.local[high], self.local[low]
        if not len(self.n_of):
            return np.asarray(self.off_d + i * self.nb + h, dtype=np.int64)
        within = self.off_b[j] + i * self.n_of[j] + h
        across = self.off_c[j] + self.active[j, np.where(border, h, 0)] * self.n_of[j] + i
        corner = self.off_d + i * self.nb + h
        made: Codes = np.where(j < 0, corner, np.where(border, across, within))
        return made

    def parts(self, store: Floats) -> tuple[list[Floats], list[Floats], Floats]:
        """Blocks, couplings and border as Fortran-ordered views of a flat store."""
        blocks, couplings = [], []
        for j, n in enumerate(self.n_of.tolist()):
            blocks.append(store[self.off_b[j] : self.off_b[j + 1]].reshape((n, n), order="F"))
            width = len(self.touched[j])
            couplings.append(store[self.off_c[j] : self.off_c[j + 1]].reshape((n, width), order="F"))
        return blocks, couplings, store[self.off_d :].reshape((self.nb, self.nb), order="F")


def dense_layout(q: int) -> ArrowLayout:
    """One dense matrix of order q."""
    return ArrowLayout(
        np.full(q, -1, dtype=np.int64), np.arange(q, dtype=np.int64), np.zeros(0, dtype=np.int64), (), q
    )


class Arrow:
    """S with its Cholesky factor; `store` is filled by the blocks of rows, then `factor` is called."""

    exact = True
    logdet_error = 0.0

    def __init__(self, layout: ArrowLayout) -> None:
        self.layout = layout
        self.store = np.zeros(layout.size)
        self.columns = [np.flatnonzero(layout.block == j) for j in range(len(layout.n_of))]
        self.border = np.flatnonzero(layout.block < 0)
        self.logdet = 0.0

    def clear(self) -> None:
        """Set S to zero before the next filling."""
        self.store[:] = 0.0

    def add(self, stores: Sequence[Floats | None]) -> None:
        """Add parts of S that were made elsewhere."""
        for store in stores:
            if store is not None:
                self.store += store

    def factor(self) -> None:
        """Add I, factor S in place, and keep log|S|."""
        blocks, couplings, border = self.layout.parts(self.store)
        total = 0.0
        for j, (B, Y) in enumerate(zip(blocks, couplings, strict=True)):
            total += _cholesky(B)
            if Y.shape[1]:
                Y[:] = blas.dtrsm(1.0, B, Y, lower=1)
                inner = blas.dsyrk(1.0, Y, trans=1, lower=1)
                border[np.ix_(self.layout.touched[j], self.layout.touched[j])] -= _symmetric(inner)
        if self.layout.nb:
            total += _cholesky(border)
        self.logdet = total

    def solve(self, right: Floats) -> Floats:
        """S^{-1} right, for a vector or a matrix of columns."""
        made = np.array(right if np.ndim(right) == 2 else right[:, None], dtype=float, order="F")
        blocks, couplings, border = self.layout.parts(self.store)
        below = made[self.border]
        for columns, touched, B, Y in zip(self.columns, self.layout.touched, blocks, couplings, strict=True):
            made[columns] = blas.dtrsm(1.0, B, made[columns], lower=1)
            below[touched] -= Y.T @ made[columns]
        if self.layout.nb and made.shape[1]:
            below = lapack.dpotrs(border, below, lower=1)[0]
        made[self.border] = below
        for columns, touched, B, Y in zip(self.columns, self.layout.touched, blocks, couplings, strict=True):
            made[columns] = blas.dtrsm(1.0, B, made[columns] - Y @ below[touched], lower=1, trans_a=1)
        return made.reshape(np.shape(right))

    def inverse(self) -> Floats:
        """S^{-1} at every stored element (lower triangles), in a new flat store."""
        made = self.store.copy()
        blocks, couplings, border = self.layout.parts(made)
        if self.layout.nb:
            _invert(border)
        for j, (B, Y) in enumerate(zip(blocks, couplings, strict=True)):
            touched = self.layout.touched[j]
            X = blas.dtrsm(1.0, B, Y, lower=1, trans_a=1) if Y.shape[1] else Y
            _invert(B)
            if Y.shape[1]:
                corner = _symmetric(border[np.ix_(touched, touched)])
                XD = X @ corner
                B += XD @ X.T
                Y[:] = -XD
        return made


def _cholesky(a: Floats) -> float:
    """Add I, factor the lower triangle in place; returns the log-determinant."""
    order = np.arange(len(a))
    a[order, order] += 1.0
    made, info = lapack.dpotrf(a, lower=1, clean=0, overwrite_a=1)
    if info:
        raise EstimationError("The random-effects matrix is not positive definite: rescale covariates.")
    if made is not a:
        a[:] = made
    return 2.0 * float(np.log(np.diag(a)).sum())


def _invert(a: Floats) -> None:
    """Inverse (lower triangle) from a Cholesky factor, in place."""
    made, _ = lapack.dpotri(a, lower=1, overwrite_c=1)
    if made is not a:
        a[:] = made


def _symmetric(lower: Floats) -> Floats:
    """Full matrix from a lower triangle."""
    made = np.tril(lower)
    return made + np.tril(made, -1).T
