"""Compiled recursions of the conditional likelihood of one group after the other.

Letters: eta (n,) linear predictor, B(r, j) = sum over all sets of j among the first r rows of
exp(sum of eta), built by B(r, j) = B(r-1, j) + exp(eta_r) B(r-1, j-1); Gail, Lubin & Rubinstein (1981),
Biometrika 68, 703-707; Howard (1972). Kept as log B with the mean D and covariance C of the sum of x over
the sets, which are mixtures of those of the two terms: nothing overflows, and nothing cancels.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from jobchance.numerics.mixed.jit import njit

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]


@njit
def accumulate(
    X: Floats, eta: Floats, starts: Codes, events: Codes, logs: Floats, means: Floats, spreads: Floats
) -> None:
    """Log of the denominator, mean and covariance of the sum of x over the sets, by group.

    Parameters
    ----------
    X : array (n, k)
        Covariates, groups one after the other.
    eta : array (n,)
        Linear predictor.
    starts : integer array (G + 1,)
        First row of every group, and n.
    events : integer array (G,)
        Size of the sets of every group.
    logs : array (G,)
        Receives log B.
    means : array (G, k)
        Receives D.
    spreads : array (k, k)
        Receives the sum over groups of C.
    """
    k = X.shape[1]
    widest = 0
    for g in range(len(events)):
        widest = max(widest, events[g])
    log_b = np.empty(widest + 1)
    D = np.empty((widest + 1, k))
    C = np.empty((widest + 1, k, k))
    spreads[:] = 0.0
    for g in range(len(events)):
        first, size, m = starts[g], starts[g + 1] - starts[g], events[g]
        log_b[:] = -np.inf
        log_b[0] = 0.0
        D[:] = 0.0
        C[:] = 0.0
        for r in range(size):
            row = first + r
            # sets that can no longer reach m, and sets larger than the rows seen, are skipped
            lowest = max(1, m - (size - r - 1))
            for j in range(min(r + 1, m), lowest - 1, -1):
                joined = eta[row] + log_b[j - 1]
                above = max(log_b[j], joined)
                total = above + np.log(np.exp(log_b[j] - above) + np.exp(joined - above))
                share = np.exp(joined - total)
                for a in range(k):
                    gap_a = X[row, a] + D[j - 1, a] - D[j, a]
                    for b in range(a + 1):
                        gap_b = X[row, b] + D[j - 1, b] - D[j, b]
                        C[j, a, b] += share * (C[j - 1, a, b] - C[j, a, b]) + share * (1 - share) * (
                            gap_a * gap_b
                        )
                for a in range(k):
                    D[j, a] += share * (X[row, a] + D[j - 1, a] - D[j, a])
                log_b[j] = total
        logs[g] = log_b[m]
        for a in range(k):
            means[g, a] = D[m, a]
            for b in range(a + 1):
                spreads[a, b] += C[m, a, b]
    for a in range(k):
        for b in range(a):
            spreads[b, a] = spreads[a, b]


@njit
def inclusion(eta: Floats, starts: Codes, events: Codes, shares: Floats) -> None:
    """Probability (n,) that a row is among the events of its group, given their number.

    The derivative of log B by eta, by running the recursion forwards and then backwards.
    """
    widest, longest = 0, 0
    for g in range(len(events)):
        widest = max(widest, events[g])
        longest = max(longest, starts[g + 1] - starts[g])
    log_b = np.empty(widest + 1)
    kept = np.zeros((longest, widest + 2))
    weight = np.empty(widest + 2)
    for g in range(len(events)):
        first, size, m = starts[g], starts[g + 1] - starts[g], events[g]
        log_b[:] = -np.inf
        log_b[0] = 0.0
        for r in range(size):
            kept[r, :] = 0.0
            for j in range(min(r + 1, m), 0, -1):
                joined = eta[first + r] + log_b[j - 1]
                above = max(log_b[j], joined)
                total = above + np.log(np.exp(log_b[j] - above) + np.exp(joined - above))
                kept[r, j] = np.exp(joined - total)
                log_b[j] = total
        weight[:] = 0.0
        weight[m] = 1.0
        for r in range(size - 1, -1, -1):
            found = 0.0
            for j in range(0, m + 1):
                found += weight[j] * kept[r, j]
                weight[j] = weight[j] * (1.0 - kept[r, j]) + weight[j + 1] * kept[r, j + 1]
            shares[first + r] = found
