"""Which columns of a matrix are independent, and its orthonormal form.

Letters: X (n, k) design matrix, Q R its thin QR factorisation.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

TOLERANCE = 1e-7


def independent_columns(X: Floats, *, tolerance: float = TOLERANCE) -> NDArray[np.int64]:
    """Positions of the columns that do not depend linearly on columns before them.

    A column is dependent when less than `tolerance` of its length is left after removing what earlier kept
    columns explain (the rule of R's `lm`). Later columns go, so the result does not depend on rounding in
    a pivot search.

    Parameters
    ----------
    X : array (n, k)
        Finite values.
    tolerance : float
        Share of a column's length.

    Returns
    -------
    integer array
        Kept positions in rising order.

    Examples
    --------
    >>> independent_columns(np.array([[1.0, 2.0, 0.0], [1.0, 2.0, 1.0]])).tolist()
    [0, 2]
    """
    length = np.linalg.norm(X, axis=0)
    scaled = X / np.where(length > 0, length, 1.0)
    # R has the geometry of the columns at (k, k) size; skipping within R cannot be misled by the
    # arbitrary direction that a plain QR gives to a dependent column.
    R: Floats = np.asarray(np.linalg.qr(scaled, mode="r"))
    basis = np.zeros((R.shape[0], min(R.shape)))
    kept: list[int] = []
    for j in range(R.shape[1]):
        rest = R[:, j]
        known = basis[:, : len(kept)]
        for _ in range(2):
            rest = rest - known @ (known.T @ rest)
        left = float(np.linalg.norm(rest))
        if left > tolerance:
            basis[:, len(kept)] = rest / left
            kept.append(j)
    return np.array(kept, dtype=np.int64)
