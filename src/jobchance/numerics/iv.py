"""K-class estimators of linear models with endogenous variables, and the geometry that their tests use.

Letters: W exogenous columns, D endogenous columns, Z excluded instruments, X = [W, D]; M = I - P with P the
projection on [W, Z]; kappa = 1 is two-stage least squares. Q (n, L) orthonormal columns that span Z less its
projection on W. Davidson & MacKinnon (2004), Econometric Theory and Methods, sections 12.4-12.5.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from jobchance.numerics.linalg import independent_columns

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

VARIATION = 1e-9


@dataclass(frozen=True, eq=False)
class Geometry:
    """Orthonormal columns of the exogenous part `exogenous` (n, p) and of the instruments `excluded` (n, L).

    `kept` are the positions of the instruments that vary once the exogenous part, and the instruments before
    them, are removed.
    """

    exogenous: Floats
    excluded: Floats
    kept: Codes

    def without_exogenous(self, values: Floats) -> Floats:
        """Columns less their projection on W."""
        return _without(self.exogenous, values)

    def without_all(self, values: Floats) -> Floats:
        """Columns less their projection on [W, Z]."""
        return _without(self.excluded, _without(self.exogenous, values))


@dataclass(frozen=True, eq=False)
class KClass:
    """Coefficients of X, with scores (n, k) and bread (k, k) of the estimating equations at kappa."""

    beta: Floats
    scores: Floats
    bread: Floats
    residual: Floats
    kappa: float


def geometry(W: Floats, Z: Floats) -> Geometry:
    """Orthonormal columns of W (n, p), of full rank, and of Z (n, L) given W."""
    Q_w = np.linalg.qr(W)[0]
    rest = _without(Q_w, Z)
    varying = np.flatnonzero(np.linalg.norm(rest, axis=0) > VARIATION * np.linalg.norm(Z, axis=0))
    kept = varying[independent_columns(rest[:, varying])] if len(varying) else varying
    return Geometry(Q_w, np.linalg.qr(rest[:, kept])[0], kept)


def liml_kappa(space: Geometry, y: Floats, D: Floats) -> float:
    """Smallest root of det(Y'M_W Y - kappa Y'M Y) with Y = [y, D]; infinite where [W, Z] fit Y exactly."""
    Y = np.column_stack([y, D])
    outer = space.without_exogenous(Y)
    size = np.linalg.norm(outer, axis=0)
    outer = outer / np.where(size > 0, size, 1.0)
    inner = _without(space.excluded, outer)
    total, rest = outer.T @ outer, inner.T @ inner
    if np.linalg.eigvalsh(rest)[0] <= VARIATION**2:
        return float("inf")
    return float(linalg.eigh(total, rest, eigvals_only=True)[0])


def k_class(space: Geometry, X: Floats, y: Floats, kappa: float) -> KClass:
    """Solve X'(I - kappa M)(y - X beta) = 0; columns are scaled first, so that units cost no precision."""
    size = np.linalg.norm(X, axis=0)
    scaled = X / size
    instrument = scaled - kappa * space.without_all(scaled)
    moment = instrument.T @ scaled
    inverse = np.linalg.inv((moment + moment.T) / 2)
    beta = inverse @ (instrument.T @ y)
    beta = beta + inverse @ (instrument.T @ (y - scaled @ beta))
    residual = y - scaled @ beta
    return KClass(
        beta=beta / size,
        scores=(instrument * size) * residual[:, None],
        bread=inverse / np.outer(size, size),
        residual=residual,
        kappa=kappa,
    )


def _without(Q: Floats, values: Floats) -> Floats:
    """Columns less their projection on orthonormal columns; twice, against rounding errors."""
    for _ in range(2):
        values = values - Q @ (Q.T @ values)
    return values
