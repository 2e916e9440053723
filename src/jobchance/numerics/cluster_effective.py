"""How unequal clusters are for one coefficient: effective number of clusters and partial leverage.

Letters: B bread, z = X B e_j / (B_jj), the covariate less what the others explain, over its sum of squares;
gamma_g(rho) = rho (sum_g z)^2 + (1 - rho) sum_g z^2. Carter, Schnepel & Steigerwald (2017), Rev. Econ.
Statist. 99, 698-709; MacKinnon, Nielsen & Webb (2023), Stata J. 23, 942-982.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

_NOTHING = 1e-8
_MOSTLY = 0.5


def effective_number(gamma: Floats) -> float:
    """G* = G / (1 + Gamma), Gamma the squared coefficient of variation of gamma_g: G where all are alike."""
    mean = float(gamma.mean())
    if not mean > 0:
        return float("nan")
    return len(gamma) / (1 + float(np.mean((gamma / mean - 1) ** 2)))


def partial_leverage(z: Floats, codes: Codes, count: int) -> Floats:
    """Share (G,) of the coefficient's own variation that lies in each cluster; sums to 1."""
    sums = np.bincount(codes, weights=z**2, minlength=count)
    out: Floats = sums / sums.sum()
    return out


def effective_numbers(z: Floats, codes: Codes, count: int) -> tuple[float, float]:
    """G* for independent rows (rho = 0) and for rows of a cluster that move as one (rho = 1).

    The second is NaN where z sums to zero in every cluster, as with effects of the clusters absorbed.
    """
    squares = np.bincount(codes, weights=z**2, minlength=count).astype(np.float64)
    sums = np.bincount(codes, weights=z, minlength=count).astype(np.float64)
    # Sums that are rounding errors of the absorbed effects would give a number that means nothing.
    alive = float(np.sum(sums**2)) > _NOTHING * float(np.sum(squares))
    return effective_number(squares), effective_number(sums**2) if alive else float("nan")


def telling_number(z: Floats, codes: Codes, count: int) -> float:
    """G* at rho = 0, or the smaller of both where more than half of z's variation lies between clusters.

    Where z varies by row its sums are mostly chance, and rho = 1 gives about G/3 however alike clusters are.
    """
    sizes = np.bincount(codes, minlength=count)
    sums = np.bincount(codes, weights=z, minlength=count)
    between = float(np.sum(sums**2 / np.maximum(sizes, 1))) / float(z @ z)
    alone, together = effective_numbers(z, codes, count)
    return min(alone, together) if between > _MOSTLY and together == together else alone


def fewest_effective(X: Floats, bread: Floats, codes: Codes, count: int) -> Floats:
    """The telling number of each coefficient (k,); NaN for a constant column, the intercept."""
    weights = (bread / np.diag(bread)).T @ X.T  # one covariate after another in memory
    constant = [bool((column == column[0]).all()) for column in X.T]
    numbers = [telling_number(z, codes, count) for z in weights]
    return np.where(constant, np.nan, numbers)
