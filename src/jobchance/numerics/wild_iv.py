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

import numpy as np
from numpy.typing import NDArray

from jobchance.numerics.wild_linear import Term
from jobchance.numerics.wild_sums import Operator, Removed, operator, sums
from jobchance.numerics.wild_weights import weight_blocks

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class IvBootstrap:
    """Columns less the exogenous part, and what that part is; `t` draws for any null."""

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
        u = self.y - tau * self.x
        pi = _efficient(self.Q, self.x, u)
        v = self.x - self.Q @ pi
        G = int(self.outer.max()) + 1
        from_u, from_v = (sums(self.Q * column[:, None], self.outer, G) for column in (u, v))
        made = [self._score_maps(term, u, v, pi) for term in self.terms]
        blocks = weight_blocks(self.weights, G, draws, self.seed)
        return np.concatenate([self._block(w, from_u, from_v, pi, made) for w in blocks])

    def _score_maps(
        self, term: Term, u: Floats, v: Floats, pi: Floats
    ) -> tuple[list[tuple[Operator, Operator, Floats]], float]:
        """For each instrument: its cluster sums with u*, with M(v w), and with Q pi (H, 1)."""
        inner = self.outer if np.array_equal(term.codes, self.outer) else term.codes
        mean = self.Q @ pi
        H = int(inner.max()) + 1
        maps = [
            (
                operator(q, u, inner, self.outer, self.gone),
                operator(q, v, inner, self.outer, self.gone),
                sums((q * mean)[:, None], inner, H),
            )
            for q in self.Q.T
        ]
        return maps, term.factor

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


def _efficient(Q: Floats, x: Floats, u: Floats) -> Floats:
    """Coefficients of Q in the regression of x on Q and u."""
    to_x, to_u = Q.T @ x, Q.T @ u
    rest = float(u @ u - to_u @ to_u)
    slope = float(u @ x - to_u @ to_x) / rest if rest > 0 else 0.0
    out: Floats = to_x - slope * to_u
    return out
