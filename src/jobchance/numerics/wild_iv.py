"""The wild restricted efficient bootstrap (WRE) of one endogenous variable, clustered.

Letters: y, x outcome and endogenous variable less the exogenous columns W, Q (n, L) orthonormal instruments
given W, tau the null. Under it u = y - tau x; x is regressed on Q and u, which gives pi and v = x - Q pi. A
draw w makes u* = M(u w), x* = Q pi + M(v w), M the residual maker of W; z_u = Q'(u w), z_x = pi + Q'(v w),
delta* = z_x'z_u / z_x'z_x and cluster scores z_x'(Q_h'u*_h - delta* Q_h'x*_h). Davidson & MacKinnon (2010),
J. Bus. Econ. Statist. 28, 128-144; Roodman et al. (2019), Stata J. 19, 4-60.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from jobchance.numerics.wild_linear import Term
from jobchance.numerics.wild_sums import Operator, Removed, combined, operator, sums
from jobchance.numerics.wild_weights import weight_blocks

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class IvBootstrap:
    """Columns less the exogenous part, and what that part is; `t` draws for any null.

    Everything that a null needs is linear in y, x and Q, so their sums by cluster are made once.
    """

    y: Floats
    x: Floats
    Q: Floats
    gone: Removed
    terms: Sequence[Term]
    outer: Codes
    weights: str
    seed: int | np.random.SeedSequence

    def t(self, tau: float, draws: int) -> Floats:
        """Studentised draws under the null `tau`; NaN where the variance is not positive."""
        pi = self._efficient(tau)
        of_u = np.concatenate([[1.0, -tau], np.zeros(len(pi))])
        of_v = np.concatenate([[0.0, 1.0], -pi])
        from_u, from_v = (np.tensordot(c, self._products, axes=1) for c in (of_u, of_v))
        made = [
            (
                [
                    (combined(parts, of_u), combined(parts, of_v), means @ pi[:, None])
                    for parts, means in zip(operators, instruments, strict=True)
                ],
                term.factor,
            )
            for term, (operators, instruments) in zip(self.terms, self._operators, strict=True)
        ]
        blocks = weight_blocks(self.weights, int(self.outer.max()) + 1, draws, self.seed)
        return np.concatenate([self._block(w, from_u, from_v, pi, made) for w in blocks])

    @cached_property
    def _columns(self) -> Floats:
        """What residuals are made of: y, x and Q, (2 + L, n)."""
        return np.vstack([self.y, self.x, self.Q.T])

    @cached_property
    def _gram(self) -> Floats:
        """Cross-products of y, x and Q."""
        return self._columns @ self._columns.T

    @cached_property
    def _products(self) -> Floats:
        """Q times each column, summed over the clusters of the draws: (2 + L, G, L)."""
        count = int(self.outer.max()) + 1
        return np.stack([sums(self.Q * column[:, None], self.outer, count) for column in self._columns])

    @cached_property
    def _operators(self) -> list[tuple[list[list[Operator]], list[Floats]]]:
        """By term and instrument: operators of all columns, and sums of the instrument times Q (H, L)."""
        made = []
        for term in self.terms:
            inner = self.outer if np.array_equal(term.codes, self.outer) else term.codes
            count = int(inner.max()) + 1
            operators = [
                [operator(q, column, inner, self.outer, self.gone) for column in self._columns]
                for q in self.Q.T
            ]
            made.append((operators, [sums(self.Q * q[:, None], inner, count) for q in self.Q.T]))
        return made

    def _efficient(self, tau: float) -> Floats:
        """Coefficients of Q in the regression of x on Q and u = y - tau x."""
        gram, of_u = self._gram, np.array([1.0, -tau])
        to_x, to_u = gram[2:, 1], gram[2:, :2] @ of_u
        rest = float(of_u @ gram[:2, :2] @ of_u - to_u @ to_u)
        slope = float(of_u @ gram[:2, 1] - to_u @ to_x) / rest if rest > 0 else 0.0
        out: Floats = to_x - slope * to_u
        return out

    def _block(
        self,
        w: Floats,
        from_u: Floats,
        from_v: Floats,
        pi: Floats,
        made: Sequence[tuple[list[tuple[Operator, Operator, Floats]], float]],
    ) -> Floats:
        """Studentised draws of a block of multipliers (G, b)."""
        z_u, z_x = from_u.T @ w, pi[:, None] + from_v.T @ w
        strength = np.sum(z_x**2, axis=0)
        delta = np.sum(z_x * z_u, axis=0) / strength
        variance = np.zeros(w.shape[1])
        for maps, factor in made:
            scores = sum(
                z_x[i] * (of_u(w) - delta * (mean + of_v(w))) for i, (of_u, of_v, mean) in enumerate(maps)
            )
            variance += factor * np.sum(np.square(scores), axis=0)
        with np.errstate(invalid="ignore", divide="ignore"):
            t = delta * strength / np.sqrt(variance)
        return np.where(variance > 0, t, np.nan)
