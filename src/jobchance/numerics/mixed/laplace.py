"""Generalised linear and ordinal mixed models: the Laplace approximation with its exact gradient.

eta = offset + X beta + Z Lambda u. At given parameters the modes u maximise sum l(eta) - u'u/2 by Newton's
method; the criterion is -2 sum l + u'u + log|M| at the modes, M = I + Lambda'Z'WZ Lambda, W = -d2 l/d eta2
(observed information). Its gradient includes the way the modes, and W through them, follow the parameters.
r = dl/d eta, W1 = dW/d eta, c = leverages (see `quadrature` for what more than one point adds).
Tierney & Kadane (1986), JASA 81; Bates et al. (2015), J. Stat. Softw. 67(1).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jobchance.errors import EstimationError
from jobchance.numerics.mixed import families
from jobchance.numerics.mixed.arrow import Layout
from jobchance.numerics.mixed.block import Block, RowIndex, Slots
from jobchance.numerics.mixed.iterative import schur_complement
from jobchance.numerics.mixed.pool import Pool
from jobchance.numerics.mixed.quadrature import correction, product_rule, runs
from jobchance.numerics.mixed.relative import Template, relative_factors
from jobchance.numerics.mixed.search import OutOfDomain

Floats = NDArray[np.float64]

MODE_TOLERANCE = 1e-18
MAX_STEPS = 200
CAPS = (np.inf, 8.0, 2.0, 0.5, 0.1, 0.02)  # longest changes of eta tried before the whole step is halved


@dataclass(frozen=True, eq=False)
class LaplaceGradient:
    """A block's part of the derivatives by Lambda (mt, mt), thresholds (K,) and beta (p,)."""

    factors: Floats
    alpha: Floats
    beta: Floats


class LaplaceBlock:
    """Rows of a generalised linear or ordinal mixed model, with the modes of its eliminated levels."""

    def __init__(
        self,
        index: RowIndex,
        z: Floats,
        slots: Slots,
        layout: Layout,
        *,
        family: int,
        X: Floats,
        y: Floats,
        w: Floats,
        offset: Floats,
        n_quad: int = 1,
    ) -> None:
        self.block = Block(index, z, slots, layout)
        self.family, self.X, self.y, self.w, self.offset = family, X, y, w, offset
        self.rule = product_rule(n_quad, slots.widths[0]) if n_quad > 1 else None
        self.own = index.r[:, : slots.widths[0] - self.block.m1]
        self.levels = runs(self.own) if self.own.size else index.start
        self.u1 = np.zeros(self.block.shape1)
        self.r, self.W = np.zeros(len(y)), np.zeros(len(y))
        self.alpha = np.zeros(0)

    def reset(self) -> None:
        """Modes back to zero."""
        self.u1 = np.zeros(self.block.shape1)

    def begin(self, factors: list[Floats], alpha: Floats, beta: Floats, ur: Floats) -> float:
        """New parameters at the present modes; returns the block's part of -sum l + u'u/2."""
        self.block.set_factor(self.block.slots.joined(factors))
        self.alpha, self.fixed = alpha, self.offset + self.X @ beta
        return self._at(self.u1, ur)

    def _at(self, u1: Floats, ur: Floats) -> float:
        """Part of -sum l + u'u/2 at the effects given, keeping eta, r and W."""
        self.eta = self.block.linear_predictor(self.fixed, u1, ur)
        loglik = families.fused(self.family, self.eta, self.y, self.w, self.alpha, self.r, self.W)
        return float(0.5 * np.vdot(u1, u1) - loglik)

    def ascent(self) -> Floats:
        """Block's part of the derivative of the penalised log-likelihood by the remaining effects."""
        self.g1, gr = self.block.transpose_sums(self.r)
        self.g1 -= self.u1
        return gr

    def weigh(self, into: Floats | None) -> tuple[float, Floats | None]:
        """Eliminate the block's levels at the present W; see `Block.weigh`."""
        if into is not None:
            return self.block.weigh(self.W, into), None
        store = np.zeros(self.block.layout.size)
        return self.block.weigh(self.W, store), store

    def forward(self) -> Floats:
        """Block's part of the right side of S for the Newton step."""
        right = np.zeros((self.block.layout.q, 1))
        self.t1 = self.block.forward(self.g1[:, :, None], right)
        return right[:, 0]

    def backward(self, dr: Floats) -> float:
        """Newton step of the eliminated levels; returns its part of g'd."""
        self.d1 = self.block.backward(self.t1, dr[:, None])[:, :, 0]
        return float(np.vdot(self.g1, self.d1))

    def attempt(self, step: float, cap: float, ur: Floats) -> float:
        """Objective of the modes after a step, no level's eta going further than `cap`; `accept` keeps it."""
        move = step * self.d1
        if cap < np.inf and move.size:
            reach = np.abs(move).max(axis=1) * self.reach()
            move *= np.minimum(1.0, cap / np.maximum(reach, cap))[:, None]
        self.proposed = self.u1 + move
        return self._at(self.proposed, ur)

    def reach(self) -> float:
        """Largest scaled random column: the most that eta moves with a unit of any effect."""
        return float(np.abs(self.block.zt).max(initial=0.0))

    def accept(self) -> None:
        """Keep the last step."""
        self.u1 = self.proposed

    def settle(self, ur: Floats) -> float:
        """Third derivatives at the modes; returns the part of sum c of the quadrature."""
        self.W1 = np.empty_like(self.W)
        families.derivatives3(self.family, self.eta, self.y, self.w, self.alpha, self.r, self.W, self.W1)
        if self.rule is None:
            return 0.0
        b = self.block
        u = ur[self.own[self.levels[:-1]]] if self.own.size else self.u1
        self.beyond = correction(
            self.rule, self.family, self.eta, self.y, self.w, self.alpha, self.W,
            self.levels, b.z, b.zt, b.step, u,
        )  # fmt: skip
        return self.beyond.total

    def implicit(self, inverse: Floats) -> Floats:
        """Leverages, and the right side left for S of M b = d(criterion)/du: Lambda'Z'(W1 c) for Laplace."""
        self.c, self.T, self.inverse_diagonal = self.block.leverage(self.W, inverse)
        beyond = self.beyond if self.rule else None
        if beyond:
            self.c -= 2.0 * beyond.bend
            m = len(beyond.factors)
            self.T[:m, :m] -= beyond.factors
        self.sv = self.W1 * self.c
        if beyond:
            self.sv -= 2.0 * (beyond.mean_r - self.r)
        g1, right = self.block.transpose_sums(self.sv)
        if beyond and self.own.size:
            right[self.own[self.levels[:-1]]] -= 2.0 * beyond.by_u
        elif beyond:
            g1 -= 2.0 * beyond.by_u
        column = right[:, None]
        self.t1 = self.block.forward(g1[:, :, None], column)
        return column[:, 0]

    def gradient(self, ur: Floats, br: Floats) -> LaplaceGradient:
        """Block's part of the gradient; `br` are the remaining elements of b."""
        block = self.block
        b1 = block.backward(self.t1, br[:, None])[:, :, 0]
        at = block.linear_predictor(np.zeros(block.n), b1, br)
        k = self.sv - self.W * at - 2.0 * self.r
        T = 2.0 * self.T + block.outer_sums(k, self.u1, ur) + block.outer_sums(self.r, b1, br)
        return LaplaceGradient(T, self._by_threshold(at), self.X.T @ k)

    def _by_threshold(self, at: Floats) -> Floats:
        """Derivative by the thresholds."""
        K = len(self.alpha)
        if not K:
            return self.alpha
        la, lb, ra, rb, wa, wb = (np.zeros(len(self.y)) for _ in range(6))
        families.threshold_derivatives(
            self.family, self.eta, self.y, self.alpha, self.w, la, lb, ra, rb, wa, wb
        )
        answer = self.y.astype(np.int64)
        if self.rule:
            la, lb = self.beyond.mean_la, self.beyond.mean_lb
        made = np.zeros(K + 1)  # the last place takes what belongs to no threshold, all of it zero
        np.add.at(made, answer, -2.0 * la + self.c * wa + at * ra)
        np.add.at(made, answer - 1, -2.0 * lb + self.c * wb + at * rb)
        return made[:-1]


@dataclass(frozen=True, eq=False)
class LaplaceState:
    """Criterion and gradient at one point, the latter by theta, thresholds and beta."""

    value: float
    by_theta: Floats
    by_alpha: Floats
    by_beta: Floats


class LaplaceProblem:
    """Criterion of a generalised linear or ordinal mixed model.

    Parameters
    ----------
    pool : Pool of LaplaceBlock
        All rows.
    layout : Layout
        Places in S.
    slots, templates : Slots, tuple of Template
        The factors in engine order.
    """

    def __init__(self, pool: Pool, layout: Layout, slots: Slots, templates: tuple[Template, ...]) -> None:
        self.pool, self.slots, self.templates = pool, slots, templates
        self.arrow = schur_complement(layout)
        self.ur = np.zeros(layout.q)
        self.factored_at: Floats | None = None
        self.n_evaluations = self.n_factorisations = 0

    def evaluate(self, theta: Floats, alpha: Floats, beta: Floats) -> LaplaceState:
        """Modes, criterion and gradient.

        Raises
        ------
        OutOfDomain
            Thresholds that do not increase, or no modes there.
        """
        self.n_evaluations += 1
        if len(alpha) and not (np.diff(alpha) > 0).all():
            raise OutOfDomain
        factors = relative_factors(self.templates, theta)
        try:
            objective = self._modes(factors, theta, alpha, beta)
        except OutOfDomain:
            self.reset()
            raise
        beyond = sum(self.pool.call("settle", self.ur))
        logdet = self._factor()
        inverse = self.arrow.inverse()
        right = np.sum(self.pool.call("implicit", inverse), axis=0)
        br = self.arrow.solve(right)
        parts: list[LaplaceGradient] = self.pool.call("gradient", self.ur, br)
        T = np.sum([part.factors for part in parts], axis=0)
        made = [t.gather(G) for t, G in zip(self.templates, self.slots.split(T), strict=True)]
        self.inverse = inverse
        return LaplaceState(
            2.0 * (objective - beyond) + logdet,
            np.concatenate(made),
            np.sum([part.alpha for part in parts], axis=0),
            np.sum([part.beta for part in parts], axis=0),
        )

    def reset(self) -> None:
        """Forget the modes and the factor of M of the last evaluation."""
        self.pool.call("reset")
        self.ur = np.zeros_like(self.ur)
        self.factored_at = None

    def _factor(self) -> float:
        """Factor M at the present weights; returns log|M|."""
        self.n_factorisations += 1
        self.arrow.clear()
        parts: list[tuple[float, Floats | None]] = self.pool.call(
            "weigh", self.arrow.store if self.pool.shares_memory else None
        )
        self.arrow.add([store for _, store in parts])
        try:
            self.arrow.factor()
        except EstimationError as error:
            raise OutOfDomain from error
        return sum(logdet for logdet, _ in parts) + self.arrow.logdet

    def _modes(self, factors: list[Floats], theta: Floats, alpha: Floats, beta: Floats) -> float:
        """Newton's method for u with the last factor of M while it serves; returns the objective."""
        objective = self._total("begin", self.ur, factors, alpha, beta, self.ur)
        if not np.isfinite(objective):
            self.reset()
            objective = self._total("begin", self.ur, factors, alpha, beta, self.ur)
        stale = self.factored_at is None or not _near(theta, self.factored_at)
        before = np.inf
        for _ in range(MAX_STEPS):
            gr = np.sum(self.pool.call("ascent"), axis=0) - self.ur
            if stale:
                self._factor()
                self.factored_at = theta.copy()
            right = gr + np.sum(self.pool.call("forward"), axis=0)
            dr = self.arrow.solve(right)
            decrement = float(gr @ dr) + sum(self.pool.call("backward", dr))
            if not np.isfinite(objective + decrement):
                raise OutOfDomain
            objective, full = self._line(objective, dr, decrement)
            if decrement < MODE_TOLERANCE or (decrement < 1e-10 and decrement > 0.5 * before):
                return objective
            stale = decrement > 0.02 * before or decrement > 1e-2 or not full
            before = decrement
        raise OutOfDomain

    def _total(self, method: str, ur: Floats, *arguments: object) -> float:
        """Objective of the modes: blocks' parts and the penalty of the remaining effects."""
        return float(sum(self.pool.call(method, *arguments)) + 0.5 * ur @ ur)

    def _line(self, objective: float, dr: Floats, decrement: float) -> tuple[float, bool]:
        """Shorten the step until the objective does not rise beyond rounding; whether it was taken in full.

        First only levels that would move far are held back, each by itself, then the whole step is halved.
        """
        slack, step, tries = 1e-11 * (1.0 + abs(objective)), 1.0, 0
        reach = 0.0
        while step >= 1e-12:
            cap = CAPS[tries] if tries < len(CAPS) else np.inf
            if cap < np.inf:
                reach = reach or max(self.pool.call("reach"))
            limit = cap / reach if reach else np.inf
            ur = self.ur + np.clip(step * dr, -limit, limit)
            made = self._total("attempt", ur, step, cap, ur)
            promised = 1e-4 * step * decrement if decrement > slack and cap == np.inf else 0.0
            if made <= objective + slack - promised:
                self.ur = ur
                self.pool.call("accept")
                return made, tries == 0
            tries += 1
            if tries >= len(CAPS):
                step /= 2.0
        raise OutOfDomain


def _near(a: Floats, b: Floats) -> bool:
    """Whether a factor of M made at theta = b is still a good guide at a."""
    return bool(np.abs(a - b).max(initial=0.0) <= 0.05 * (0.1 + np.abs(b).max(initial=0.0)))
