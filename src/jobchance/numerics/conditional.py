"""Conditional maximum likelihood of a logit with an effect of every group, exact whatever its size.

Letters: X (n, k), y (n,) 0/1, groups g of n_g rows with m_g events, beta (k,). The likelihood of a group is
that of its events among all sets of m_g of its rows: exp(sum_events x'beta) / B(n_g, m_g).
Chamberlain (1980), Rev. Econ. Stud. 47, 225-238; Gail, Lubin & Rubinstein (1981), Biometrika 68, 703-707.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, optimize, sparse

from jobchance.errors import EstimationError
from jobchance.numerics.conditional_kernels import accumulate, inclusion

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

MAX_ITERATIONS = 60
EDGE = 12.0  # a range of x'beta within a group beyond which separation is looked for


@dataclass(frozen=True, eq=False)
class ConditionalSolution:
    """Estimates at the optimum.

    Parameters
    ----------
    beta : array (k,)
        Coefficients.
    shares : array (n,)
        Probability that a row is an event, given the number of events of its group.
    bread : array (k, k)
        Inverse of the observed (and expected: they are one) information.
    loglik, loglik_null : float
        Conditional log-likelihood at the estimates and at zero.
    converged : bool
        The Newton decrement, the distance to the optimum in standard errors, is below 1e-8.
    iterations : int
        Newton steps.
    reach : float
        Largest range of `x'beta` within a group.
    """

    beta: Floats
    shares: Floats
    bread: Floats
    loglik: float
    loglik_null: float
    converged: bool
    iterations: int
    reach: float


@dataclass(frozen=True, eq=False)
class Groups:
    """Rows sorted by group, turned so that every group has at most as many events as others.

    With more events than others the roles are swapped, x with its sign turned: the sets of non-events
    determine those of events, so the likelihood is the same and the recursion shorter.
    """

    order: Codes
    starts: Codes
    events: Codes
    sign: Floats
    X: Floats
    observed: Floats

    @property
    def rows(self) -> Codes:
        """Group of each sorted row."""
        return np.repeat(np.arange(len(self.events)), np.diff(self.starts))


def sort_groups(X: Floats, y: Floats, codes: Codes) -> Groups:
    """Groups 0..G-1, each with variation in y, one after the other."""
    order = np.argsort(codes, kind="stable")
    sizes = np.bincount(codes)
    total = np.bincount(codes, weights=y).astype(np.int64)
    turned = 2 * total > sizes
    sign = np.where(turned, -1.0, 1.0)
    rows = codes[order]
    made = np.ascontiguousarray(X[order] * sign[rows][:, None])
    chosen = np.where(turned[rows], 1 - y[order], y[order])
    starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    observed = np.zeros((len(sizes), X.shape[1]))
    np.add.at(observed, rows, made * chosen[:, None])
    return Groups(order, starts, np.where(turned, sizes - total, total), sign, made, observed)


def solve_conditional(X: Floats, y: Floats, codes: Codes) -> ConditionalSolution:
    """Newton's method from zero, steps halved while the log-likelihood falls.

    Parameters
    ----------
    X : array (n, k)
        Covariates that vary within groups, of full rank there.
    y : array (n,)
        0/1, both in every group.
    codes : integer array (n,)
        Group of each row, 0..G-1.

    Returns
    -------
    ConditionalSolution
        Without a finite optimum it has not converged, or `reach` is large; `separated_rows` tells.

    Examples
    --------
    >>> X, y = np.array([[0.0], [1.0], [0.0], [2.0], [1.0], [0.0]]), np.array([0.0, 1, 1, 0, 1, 0])
    >>> solve_conditional(X, y, np.array([0, 0, 1, 1, 2, 2])).beta.round(3).tolist()
    [0.0]
    """
    scale = np.abs(X).max(axis=0)
    groups = sort_groups(X / scale, y, codes)
    gamma, step, converged = np.zeros(X.shape[1]), 0, False
    loglik, score, information = _evaluate(groups, gamma)
    null = loglik
    while step < MAX_ITERATIONS and not converged:
        step += 1
        try:
            change = np.asarray(linalg.cho_solve(linalg.cho_factor(information), score))
        except linalg.LinAlgError:
            break
        converged = float(change @ score) < 1e-16
        for _ in range(30):
            found = _evaluate(groups, gamma + change)
            if np.isfinite(found[0]) and found[0] >= loglik - 1e-9 * (abs(loglik) + 1):
                break
            change = change / 2
        gamma = gamma + change
        loglik, score, information = found
    eta = groups.X @ gamma
    shares = np.empty(len(y))
    inclusion(eta, groups.starts, groups.events, shares)
    turned = groups.sign[groups.rows] < 0
    own = np.empty(len(y))
    own[groups.order] = np.where(turned, 1 - shares, shares)
    return ConditionalSolution(
        gamma / scale,
        own,
        _inverse(information) / np.outer(scale, scale),
        loglik,
        null,
        converged,
        step,
        _reach(eta, groups),
    )


def separated_rows(X: Floats, y: Floats, codes: Codes) -> tuple[tuple[int, ...], int] | None:
    """Columns and number of rows of a direction in which the likelihood rises for ever; `None` without one.

    A direction d separates if within every group no non-event has a larger x'd than an event, and not all
    are equal: `x'd >= c_g` for events, `<= c_g` for others, a linear programme in d and c.

    Raises
    ------
    EstimationError
        The linear programme could not be solved.
    """
    length = np.abs(X).max(axis=0)
    toward = np.where(y > 0, 1.0, -1.0)
    n, k, n_groups = *X.shape, int(codes.max()) + 1
    levels = sparse.csr_array((-toward, (np.arange(n), codes)), shape=(n, n_groups))
    A = sparse.hstack([sparse.csr_array(X / length * toward[:, None]), levels], format="csr")
    result = optimize.linprog(
        -np.asarray(A.sum(axis=0)).ravel() / n,
        A_ub=-A,
        b_ub=np.zeros(n),
        bounds=[(-1, 1)] * k + [(None, None)] * n_groups,
        method="highs",
    )
    if result.x is None:
        raise EstimationError("Whether the outcome is separated could not be decided; leave out rare levels.")
    reach = A @ result.x
    if reach.max() < 1e-5 or reach.min() < -1e-6:
        return None
    columns = tuple(int(j) for j in np.flatnonzero(np.abs(result.x[:k]) > 1e-6))
    return columns, int(np.sum(reach > 1e-6))


def _evaluate(groups: Groups, gamma: Floats) -> tuple[float, Floats, Floats]:
    """Log-likelihood, score (k,) and information (k, k)."""
    k, n_groups = len(gamma), len(groups.events)
    logs, means, spread = np.empty(n_groups), np.empty((n_groups, k)), np.empty((k, k))
    accumulate(groups.X, groups.X @ gamma, groups.starts, groups.events, logs, means, spread)
    loglik = float(np.sum(groups.observed @ gamma) - logs.sum())
    return loglik, (groups.observed - means).sum(axis=0), spread


def _inverse(information: Floats) -> Floats:
    """Inverse; NaN where singular."""
    try:
        made = linalg.cho_solve(linalg.cho_factor(information), np.eye(len(information)))
    except linalg.LinAlgError:
        made = np.full_like(information, np.nan)
    return np.asarray(made)


def _reach(eta: Floats, groups: Groups) -> float:
    """Largest range of the linear predictor within a group."""
    return float(
        (np.maximum.reduceat(eta, groups.starts[:-1]) - np.minimum.reduceat(eta, groups.starts[:-1])).max()
    )
