"""Facts about all rows from the triangles of their QR factors, which add up over partitions.

The R of [1, X, y] and of W^{1/2} [X, y] hold every inner product; partitions are joined by factoring their
triangles one under the other (Golub & Van Loan 2013, Matrix Computations, section 5.2), which loses nothing
to rounding.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from jobchance.errors import EstimationError
from jobchance.numerics.mixed.estimate_linear import LinearUnits

Floats = NDArray[np.float64]

NEAR = 1e-8
BLOCK_BYTES = 500_000


def triangle(columns: Floats) -> Floats:
    """R (k, k) of a QR factorisation of any number of rows, by blocks of rows."""
    n, k = columns.shape
    step = max(4 * k, BLOCK_BYTES // (8 * max(k, 1)))
    made = np.zeros((k, k))
    for first in range(0, n, step):
        R = np.asarray(np.linalg.qr(columns[first : first + step], mode="r"))
        made = _joined([made, R])
    return made


def join_triangles(parts: Sequence[Floats]) -> Floats:
    """R of the rows of all parts."""
    return _joined(list(parts))


def _joined(parts: list[Floats]) -> Floats:
    """R of matrices one under the other, padded with rows of zero to be square."""
    R = np.asarray(np.linalg.qr(np.vstack(parts), mode="r"))
    made = np.zeros((R.shape[1], R.shape[1]))
    made[: len(R)] = R
    return made


def orthonormal_map(R: Floats, n: int) -> Floats:
    """K, upper triangular with positive diagonal: columns with this R, times K, have mean squares of 1.

    Raises
    ------
    EstimationError
        The columns are nearly dependent.
    """
    R = R * np.sign(np.diag(R))[:, None]
    if (np.diag(R) <= NEAR * np.sqrt((R**2).sum(axis=0))).any():
        raise EstimationError("Covariates are nearly collinear: leave some out or centre them.")
    made: Floats = np.sqrt(n) * np.asarray(linalg.solve_triangular(R, np.eye(len(R))))
    return made


def linear_units(plain: Floats, weighted: Floats, n: int) -> LinearUnits:
    """Units of a linear model.

    Parameters
    ----------
    plain, weighted : array (p + 1, p + 1)
        R of [X, y - offset], without and with square roots of weights.
    n : int
        Number of rows.

    Raises
    ------
    EstimationError
        Covariates are nearly dependent, or explain the outcome exactly.
    """
    p = len(plain) - 1
    K = orthonormal_map(weighted[:p, :p], n)
    slope = K @ (K.T @ (weighted[:p, :p].T @ weighted[:p, p])) / n
    total, rest = float(plain[:, p] @ plain[:, p]), plain @ np.append(-slope, 1.0)
    plain_rest, weighted_rest = float(rest @ rest), float(weighted[p, p] ** 2)
    if not plain_rest > 1e-26 * total or not weighted_rest > 0:
        raise EstimationError(
            "The covariates explain the outcome exactly: nothing is left to estimate variances from."
        )
    stretch = plain_rest / weighted_rest
    K = K / np.sqrt(stretch)
    centre = stretch * K.T @ (weighted[:p, :p].T @ weighted[:p, p]) / n
    return LinearUnits(K, centre, float(np.sqrt(stretch * weighted_rest / n)), stretch)


def centred_triangle(plain: Floats, centre: Floats) -> Floats:
    """R of X - centre, from that of [1, X]."""
    turn = np.vstack([-centre, np.eye(len(centre))])
    return _joined([plain @ turn])


def carried(R: Floats) -> Floats:
    """Coefficients of columns X that come nearest to a last column, from the R of [X, last]."""
    p = R.shape[1] - 1
    length = np.sqrt((R[:, :p] ** 2).sum(axis=0))
    found: Floats = np.linalg.lstsq(R[:, :p] / length, R[:, p], rcond=None)[0] / length
    return found
