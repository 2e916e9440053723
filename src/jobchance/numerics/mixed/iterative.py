"""The Schur complement S when it is too large to be factored: exact solutions, an estimated log-determinant.

For the sparse columns S = D^{1/2} (I + K) D^{1/2}, D its diagonal. log|I + K| is the trace of log(1 + x) at
K: a polynomial c(x) of degree four whose traces are exact, and the remainder r(x) = log(1 + x) - c(x), a
Chebyshev series applied to a fixed basis Q of extreme directions, where it is exact, and to fixed random
probes orthogonal to Q (Meyer, Musco, Musco & Woodruff 2021, Hutch++), whose spread tells the error. `inverse`
is the exact derivative of this value, so criterion and gradient belong together. Dense columns are eliminated
exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import numpy as np
from numpy.polynomial import chebyshev, polynomial
from numpy.typing import NDArray
from scipy import linalg

from jobchance.errors import EstimationError
from jobchance.numerics.mixed import sparse_kernels
from jobchance.numerics.mixed.arrow import Arrow, ArrowLayout, Layout
from jobchance.numerics.mixed.sparse import SparseLayout

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

PROBES = 16
FEWEST, MOST = 6, 64
AIM = 2e-3
MAX_DEGREE = 64
EXACT_WORK = 400_000_000
SERIES = 1e-10
SOLVED = 1e-12
MAX_ITERATIONS = 1_000
CHUNK = 8
THREADED = 500_000


class SparseSchur:
    """S in sparse storage; `store` is filled by the blocks of rows, then `factor` is called.

    Attributes
    ----------
    exact : bool
        False: `logdet` is an estimate.
    logdet_error : float
        Its standard error.
    """

    exact = False

    def __init__(self, layout: SparseLayout, *, seed: int = 20_240_131) -> None:
        self.layout = layout
        self.store = np.zeros(layout.size)
        n = layout.n_sparse
        rows = np.repeat(np.arange(n), np.diff(layout.ptr))
        self.diagonal = np.flatnonzero(rows == layout.idx)
        below = np.flatnonzero(rows != layout.idx)
        one, two = rows[below], layout.idx[below]
        i, j = np.concatenate([one, two]), np.concatenate([two, one])
        order = np.lexsort((j, i))
        self.ptr = np.concatenate([[0], np.cumsum(np.bincount(i, minlength=n))]).astype(np.int64)
        self.idx = j[order].astype(np.int32)
        self.slot = np.tile(below, 2)[order].astype(np.int32)
        self.rows = i[order].astype(np.int32)
        self.below = below
        self.low_rows, self.low_idx = one, two
        self.lower = np.concatenate([[0], np.cumsum(np.bincount(one, minlength=n))]).astype(np.int64)
        degree = np.diff(self.ptr)
        self.powers = int(degree[self.idx].sum()) <= EXACT_WORK
        self.logdet = self.logdet_error = 0.0
        rng = np.random.default_rng(seed)
        self._signs = rng.integers(0, 2, (n, MOST), dtype=np.int8)
        self._start = rng.normal(size=(n, CHUNK))
        self._basis: Floats | None = None
        self._threads = ThreadPoolExecutor(2) if len(self.idx) > THREADED else None
        cut = int(np.searchsorted(self.ptr, len(self.idx) // 2))
        self._ranges = [(0, cut), (cut, n)] if self._threads is not None else [(0, n)]

    def clear(self) -> None:
        """Set S to zero before the next filling."""
        self.store[:] = 0.0

    def add(self, stores: Sequence[Floats | None]) -> None:
        """Add parts of S that were made elsewhere."""
        for store in stores:
            if store is not None:
                self.store += store

    def factor(self) -> None:
        """Add I, scale S, eliminate its dense columns, and estimate log|S| with its derivative."""
        values, couplings, corner = self.layout.parts(self.store)
        values[self.diagonal] += 1.0
        d = values[self.diagonal]
        if not (d > 0).all():
            raise EstimationError("The random-effects matrix is not positive definite: rescale covariates.")
        self.scale = 1.0 / np.sqrt(d)
        self.low_K = values[self.below] * self.scale[self.low_rows] * self.scale[self.low_idx]
        self.K = values[self.slot] * self.scale[self.rows] * self.scale[self.idx]
        k = self.layout.n_dense
        self.X = self._solve_sparse(np.ascontiguousarray(couplings))
        T = np.tril(corner) + np.tril(corner, -1).T + np.eye(k) - couplings.T @ self.X
        try:
            self.root = linalg.cholesky(T, lower=True)
        except linalg.LinAlgError as error:
            raise EstimationError(
                "The random-effects matrix is not positive definite: rescale covariates."
            ) from error
        if self._basis is None:
            self._prepare(couplings)
            self._log_trace()
            wanted = int(np.ceil(PROBES * (self.logdet_error / AIM) ** 2))
            self._take_probes(min(max(wanted, FEWEST), MOST))
        value, self.derivative = self._log_trace()
        self.logdet = float(np.log(d).sum()) + value + 2.0 * float(np.log(np.diag(self.root)).sum())

    def solve(self, right: Floats) -> Floats:
        """S^{-1} right, for a vector or a matrix of columns."""
        n = self.layout.n_sparse
        made = np.array(right if right.ndim == 2 else right[:, None], dtype=float)
        made[:n] = self._solve_sparse(np.ascontiguousarray(made[:n]))
        _, couplings, _ = self.layout.parts(self.store)
        made[n:] = linalg.cho_solve((self.root, True), made[n:] - couplings.T @ made[:n])
        made[:n] -= self.X @ made[n:]
        return made.reshape(np.shape(right))

    def inverse(self) -> Floats:
        """Derivative of `logdet` by S at every stored element: the estimate of S^{-1}, in a new store."""
        made = np.zeros(self.layout.size)
        values, couplings, corner = self.layout.parts(made)
        n, G = self.layout.n_sparse, self.derivative
        both = G * self.low_K
        along = np.bincount(self.low_rows, both, n) + np.bincount(self.low_idx, both, n)
        values[self.below] = G * self.scale[self.low_rows] * self.scale[self.low_idx]
        values[self.diagonal] = (1.0 - along) * self.scale**2
        corner[:] = linalg.cho_solve((self.root, True), np.eye(self.layout.n_dense))
        across = self.X @ corner
        couplings[:] = -across
        if self.layout.n_dense:
            sparse_kernels.add_products(self.layout.ptr, self.layout.idx, across, self.X, values)
        return made

    def _shared(self, kernel: Callable[..., float | None], *arguments: object) -> float:
        """Run a kernel over all rows, in two threads where there are many elements; sum of its results."""
        if self._threads is None:
            return kernel(*arguments, 0, self.layout.n_sparse) or 0.0
        waiting = [self._threads.submit(kernel, *arguments, *limits) for limits in self._ranges]
        return sum(done.result() or 0.0 for done in waiting)

    def _times(self, V: Floats) -> Floats:
        """K V for V (n, 8)."""
        out = np.empty_like(V)
        self._shared(sparse_kernels.multiply, self.ptr, self.idx, self.K, V, out)
        return out

    def _solve_sparse(self, right: Floats) -> Floats:
        """Solutions for the sparse columns, eight right sides at a time."""
        made = np.empty_like(right)
        for at in range(0, right.shape[1], CHUNK):
            part = right[:, at : at + CHUNK]
            made[:, at : at + CHUNK] = self._solve_few(_padded(part))[:, : part.shape[1]]
        return made

    def _solve_few(self, right: Floats) -> Floats:
        """Conjugate gradients, every column with its own steps; (n, 8)."""
        r = right * self.scale[:, None]
        x, p = np.zeros_like(r), r.copy()
        rr = np.einsum("nc,nc->c", r, r)
        goal = SOLVED**2 * rr
        for _ in range(MAX_ITERATIONS):
            if (rr <= goal).all():
                return x * self.scale[:, None]
            Ap = self._times(p)
            Ap += p
            step = np.where(rr > goal, rr / np.maximum(np.einsum("nc,nc->c", p, Ap), 1e-300), 0.0)
            x += step * p
            Ap *= step
            r -= Ap
            new = np.einsum("nc,nc->c", r, r)
            p *= np.where(rr > goal, new / np.maximum(rr, 1e-300), 0.0)
            p += r
            rr = np.where(rr > goal, new, rr)
        raise EstimationError(
            f"Conjugate gradients did not converge in {MAX_ITERATIONS:,} iterations for "
            f"{self.layout.n_sparse:,} random columns: rescale covariates."
        )

    def _prepare(self, couplings: Floats) -> None:
        """Choose, once, the basis Q of the extreme directions, the probes and the polynomial c."""
        few = couplings if couplings.shape[1] <= 16 * CHUNK else couplings[:, :0]
        Q = _orthonormal(np.hstack([few * self.scale[:, None], self._start]))
        top = self._extremes(Q)[1]
        for _ in range(8):
            parts = [self._times(_padded(Q[:, at : at + CHUNK])) for at in range(0, Q.shape[1], CHUNK)]
            Q = _orthonormal(np.hstack(parts)[:, : Q.shape[1]] - top * Q)
        self._basis = Q
        self._take_probes(PROBES)
        spread = min(3.0 * float(np.sqrt(np.mean(self.K**2) * len(self.K) / len(Q))), 0.9)
        x = max(spread, 1e-3) * np.cos(np.pi * (np.arange(64) + 0.5) / 64)
        degree = 4 if self.powers else 2
        self._c = np.zeros(5)
        self._c[: degree + 1] = polynomial.polyfit(x, np.log1p(x), degree)

    def _take_probes(self, n_probes: int) -> None:
        """Use at least so many probes, orthogonal to Q, so that all columns fill whole chunks."""
        Q = self._basis
        assert Q is not None
        n_probes = min(n_probes + -(Q.shape[1] + n_probes) % CHUNK, MOST)
        signs = self._signs[:, :n_probes] * 2.0 - 1.0
        self._vectors = np.hstack([Q, signs - Q @ (Q.T @ signs)])

    def _extremes(self, Q: Floats) -> tuple[float, float]:
        """About the least and the largest eigenvalue of K: Lanczos from a mixture of extreme directions."""
        v = self._start[:, 0] / np.sqrt(len(Q)) + Q.sum(axis=1)
        V, a, b = [v / np.linalg.norm(v)], [], []
        for _ in range(min(30, len(Q))):
            w = np.empty_like(v)
            sparse_kernels.multiply_one(self.ptr, self.idx, self.K, V[-1], w)
            a.append(float(w @ V[-1]))
            basis = np.array(V)
            w -= (basis @ w) @ basis
            length = float(np.linalg.norm(w))
            if length < 1e-12:
                break
            b.append(length)
            V.append(w / length)
        ritz = linalg.eigvalsh_tridiagonal(np.array(a), np.array(b[: len(a) - 1]))
        return float(ritz[0]), float(ritz[-1])

    def _log_trace(self) -> tuple[float, Floats]:
        """Log|I + K| and its derivative at the elements of K; sets `logdet_error`."""
        n, c = self.layout.n_sparse, self._c
        G = 2.0 * c[2] * self.low_K
        value = n * c[0] + 2.0 * c[2] * float(self.low_K @ self.low_K)
        if self.powers:
            second, third = np.empty_like(G), np.empty_like(G)
            fourth = self._shared(
                sparse_kernels.powers, self.ptr, self.idx, self.K, self.lower, second, third
            )
            value += 2.0 * c[3] * float(self.low_K @ second) + c[4] * fourth
            G += 3.0 * c[3] * second + 4.0 * c[4] * third
        coefficients, centre, half, left = self._series()
        moments = np.zeros(self._vectors.shape[1])
        H = _divided(coefficients) / half
        for at in range(0, len(moments), CHUNK):
            chunk = self._vectors[:, at : at + CHUNK]
            moments[at : at + CHUNK] = self._accumulate(chunk, coefficients, H, (centre, half), at, G)
        n_basis = self._basis.shape[1] if self._basis is not None else 0
        probes = moments[n_basis:]
        spread = float(probes.std(ddof=1)) / np.sqrt(len(probes))
        self.logdet_error = float(np.hypot(spread, n * left))
        return value + float(moments[:n_basis].sum() + probes.mean()), G

    def _series(self) -> tuple[Floats, float, float, float]:
        """Chebyshev coefficients of the remainder, centre and half-width of their interval, error left."""
        assert self._basis is not None
        low, high = self._extremes(self._basis)
        margin = 0.02 * (high - low) + 0.01
        low, high = max(low - margin, -1.0 + 0.7 * (1.0 + low)), high + margin
        centre, half = (low + high) / 2, (high - low) / 2
        root = np.sqrt((1.0 + high) / (1.0 + low))
        rate = (root + 1.0) / (root - 1.0)
        degree = int(min(MAX_DEGREE, max(6, np.ceil(-np.log(SERIES) / np.log(rate)))))

        nodes = chebyshev.chebpts1(degree + 1)
        x = centre + half * nodes
        remainder = np.log1p(x) - polynomial.polyval(x, self._c)
        made: Floats = np.asarray(chebyshev.chebfit(nodes, remainder, degree), dtype=np.float64)
        return made, centre, half, float(rate**-degree)

    def _accumulate(
        self,
        chunk: Floats,
        coefficients: Floats,
        H: Floats,
        interval: tuple[float, float],
        at: int,
        G: Floats,
    ) -> Floats:
        """Quadratic forms of the remainder by column, their derivatives added to G."""
        centre, half = interval
        d, n = len(coefficients) - 1, len(chunk)
        V = before = _padded(chunk)
        now = (self._times(before) - centre * before) / half
        T = np.empty((n, CHUNK, d))
        T[:, :, 0] = before
        moments = coefficients[0] * np.einsum("nk,nk->k", V, before)
        for j in range(1, d + 1):
            moments += coefficients[j] * np.einsum("nk,nk->k", V, now)
            if j < d:
                T[:, :, j] = now
                following = self._times(now)
                following -= centre * now
                following *= 2.0 / half
                following -= before
                before, now = now, following
        assert self._basis is not None
        n_basis = self._basis.shape[1]
        number = np.arange(at, at + CHUNK)
        weight = np.where(number < n_basis, 1.0, 1.0 / (self._vectors.shape[1] - n_basis))
        right = np.matmul(T, H)
        right *= weight[:, None]
        self._shared(
            sparse_kernels.dots, self.ptr, self.idx, self.lower, T.reshape(n, -1), right.reshape(n, -1), G
        )
        made: Floats = moments[: chunk.shape[1]]
        return made


def _padded(columns: Floats) -> Floats:
    """Up to eight columns with columns of zeros after them."""
    made = np.zeros((len(columns), CHUNK))
    made[:, : columns.shape[1]] = columns
    return made


def _orthonormal(block: Floats) -> Floats:
    """Orthonormal basis of the columns."""
    Q: Floats = np.linalg.qr(block)[0]
    return np.ascontiguousarray(Q)


def _divided(coefficients: Floats) -> Floats:
    """H with (f(x) - f(y)) / (x - y) = sum_jl H_jl T_j(x) T_l(y) for f = sum_k c_k T_k."""
    d = len(coefficients) - 1
    U = np.zeros((d, d))  # U_i in terms of T_l
    for i in range(d):
        if i >= 2:
            U[i] = U[i - 2]
        U[i, i] = 2.0 if i else 1.0
    H = np.zeros((d, d))
    for k in range(1, d + 1):
        for i in range(k):
            H[:, k - 1 - i] += coefficients[k] * U[i] * (2.0 if k - 1 - i else 1.0)
    return H


class Schur(Protocol):
    """What the criteria need of S; see `Arrow` and `SparseSchur`."""

    exact: bool
    logdet_error: float
    store: Floats
    logdet: float

    def clear(self) -> None:
        """Set S to zero."""
        ...

    def add(self, stores: Sequence[Floats | None]) -> None:
        """Add parts made elsewhere."""
        ...

    def factor(self) -> None:
        """Add I and factor."""
        ...

    def solve(self, right: Floats) -> Floats:
        """S^{-1} right."""
        ...

    def inverse(self) -> Floats:
        """S^{-1} at every stored element."""
        ...


def schur_complement(layout: Layout) -> Schur:
    """S in the storage of the layout."""
    if isinstance(layout, SparseLayout):
        return SparseSchur(layout)
    assert isinstance(layout, ArrowLayout)
    return Arrow(layout)
