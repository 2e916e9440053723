"""Small generalised and ordinal mixed models, with their engine and their matrices in full."""

from dataclasses import dataclass

import numpy as np

from jobchance.numerics.mixed import families
from jobchance.numerics.mixed.block import Slots, index_rows
from jobchance.numerics.mixed.laplace import LaplaceBlock, LaplaceProblem
from jobchance.numerics.mixed.partition import elimination_order, plan_columns
from jobchance.numerics.mixed.pool import LocalPool
from jobchance.numerics.mixed.relative import Template, relative_factors

ALL_FAMILIES = range(7)


@dataclass
class Case:
    """Rows of a crossed design, factors in engine order, and a point (theta, alpha, beta)."""

    family: int
    codes: list
    z: list
    templates: tuple
    X: np.ndarray
    y: np.ndarray
    w: np.ndarray
    theta: np.ndarray
    alpha: np.ndarray
    beta: np.ndarray

    def problem(self, *, split=1, n_quad=1, **plan):
        levels, widths = [int(c.max()) + 1 for c in self.codes], [z.shape[1] for z in self.z]
        assert elimination_order(levels, widths) == list(range(len(levels)))
        partition = plan_columns(self.codes, levels, widths, **plan)
        slots, z = Slots(tuple(widths)), np.hstack(self.z)
        blocks = []
        for k in range(split):
            rows = np.flatnonzero(self.codes[0] % split == k)
            for index in index_rows([c[rows] for c in self.codes], partition):
                own = rows[index.rows]
                blocks.append(
                    LaplaceBlock(
                        index,
                        np.ones((1, slots.total)) if (z == 1).all() else z[own],
                        slots,
                        partition.layout,
                        family=self.family,
                        X=np.ascontiguousarray(self.X[own]),
                        y=self.y[own],
                        w=self.w[own],
                        offset=np.zeros(len(own)),
                        n_quad=n_quad,
                    )
                )
        return LaplaceProblem(LocalPool(blocks), partition.layout, slots, self.templates)

    @property
    def point(self):
        return np.concatenate([self.theta, self.alpha, self.beta])

    def evaluate(self, problem, point=None):
        """Value and gradient at a point, the case's own by default."""
        x = self.point if point is None else point
        state = problem.evaluate(*np.split(x, np.cumsum([len(self.theta), len(self.alpha)])))
        return state.value, np.concatenate([state.by_theta, state.by_alpha, state.by_beta])

    def differences(self, problem):
        """Gradient by differences of sixth order."""
        made = []
        for j in range(len(self.point)):
            step = 1e-3 * np.eye(len(self.point))[j]
            change = [
                self.evaluate(problem, self.point + k * step)[0]
                - self.evaluate(problem, self.point - k * step)[0]
                for k in (1, 2, 3)
            ]
            made.append((45 * change[0] - 9 * change[1] + change[2]) / 60e-3)
        return np.array(made)

    def scaled_columns(self):
        """Z Lambda in full."""
        parts = []
        for c, z, L in zip(self.codes, self.z, relative_factors(self.templates, self.theta), strict=True):
            indicator = (c[:, None] == np.arange(c.max() + 1)).astype(float)
            parts.append((indicator[:, :, None] * (z @ L)[:, None, :]).reshape(len(c), -1))
        return np.hstack(parts)

    def loglik(self, eta):
        return families.total_loglik(self.family, eta, self.y, self.w, self.alpha)


def renumber(codes):
    return np.unique(codes, return_inverse=True)[1].astype(np.int64)


def case(family, *, slopes=False, movers=0, crossed=True, seed=1, n=240):
    """Citizens (mostly within a jobcentre), caseworkers nested in jobcentres, jobcentres."""
    rng = np.random.default_rng(seed)
    centre = rng.integers(0, 4, n)
    worker = renumber(4 * rng.integers(0, 5, n) + centre)
    citizen = 4 * rng.integers(0, 15, n) + centre
    citizen[: 6 * movers] = np.repeat(np.arange(movers), 6)
    codes = [renumber(citizen), worker, renumber(centre)] if crossed else [renumber(citizen)]
    X = np.column_stack([np.ones(n), rng.normal(size=(n, 2))])
    w, alpha = np.ones(n), np.zeros(0)
    if family == families.POISSON_LOG:
        y = rng.poisson(1.0, n).astype(float)
    elif family < families.POISSON_LOG:
        w = rng.integers(1, 5, n).astype(float)
        y = rng.binomial(w.astype(int), 0.3) / w
    else:
        w, alpha, X = rng.uniform(0.5, 2.0, n), np.array([-1.0, 0.2, 1.0]), X[:, 1:]
        y = rng.integers(0, 4, n).astype(float)
    one = np.ones((n, 1))
    own = np.column_stack([one, X[:, -1]]) if slopes else one
    far = np.column_stack([one, X[:, -2]]) if slopes else one
    z, templates = [own, one, far], (Template((2,) if slopes else (1,)), Template((1,)))
    templates += (Template((1, 1) if slopes else (1,)),)
    keep = len(codes)
    theta = 0.7 * rng.normal(size=sum(t.n_theta for t in templates[:keep]))
    return Case(
        family, codes, z[:keep], templates[:keep], X, y, w, theta, alpha, 0.3 * rng.normal(size=X.shape[1])
    )
