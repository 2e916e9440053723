"""Statistics of one coefficient under random signs of the clusters, the same signs in several models.

Letters: V (B, G) signs; psi (G,) the influence of the clusters on the coefficient b, so that its CR0 standard
error is |psi|; X (n, k) columns and e (n,) residuals of a regression, A = (X'X)^{-1}, r = X A[:, j].
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jobchance.numerics.wild_sums import operator, removed

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class SignedModel:
    """What the draws of one model need: `numerator` (G,) and `scores` (G, G), both times the signs.

    `scores` is `None` where only the influence is known: the variance of a draw is then that of the signed
    influence about its mean.
    """

    numerator: Floats
    scores: Floats | None = None

    def t(self, V: Floats) -> Floats:
        """Studentised draws (B,); infinite where a draw has no variance."""
        top = V @ self.numerator
        if self.scores is None:
            count = max(int(np.count_nonzero(self.numerator)), 1)
            variance = np.sum(self.numerator**2) - top**2 / count
        else:
            signed = V @ self.scores.T
            variance = np.einsum("bg,bg->b", signed, signed)
        tiny = 1e-20 * np.sum(self.numerator**2)
        size = np.sqrt(np.where(variance > tiny, variance, np.nan))
        out: Floats = np.where(np.isnan(size), np.inf, top / np.where(np.isnan(size), 1.0, size))
        return out


def under_the_null(
    X: Floats,
    e: Floats,
    codes: Codes,
    n_clusters: int,
    *,
    place: int,
    b: float,
    factors: Sequence[Codes] = (),
) -> SignedModel:
    r"""Signs on the residuals under the null, estimates made anew in every draw (WCR).

    With :math:`e^0 = e + b x` (x column `place` less what the others explain) a draw has the numerator
    :math:`\sum_g v_g r_g'e^0_g` and cluster scores
    :math:`\sum_h r_g' M_{gh} v_h e^0_h`, M what X and the absorbed `factors` leave (removed from X and e).

    Raises
    ------
    DesignError
        The factors beside the largest have more than 1,000 levels together.
    """
    A = np.linalg.pinv(X.T @ X)
    r = X @ A[:, place]
    null = e + b * r / A[place, place]
    present, own = np.unique(codes, return_inverse=True)
    own = own.astype(np.int64)
    scores = np.zeros((n_clusters, n_clusters))
    scores[np.ix_(present, present)] = operator(r, null, own, own, removed(X, factors)).dense()
    numerator = np.bincount(codes, weights=r * null, minlength=n_clusters)
    return SignedModel(numerator.astype(np.float64), scores)
