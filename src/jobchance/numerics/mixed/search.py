"""Minimum of a smooth expensive criterion with a proof from its gradient and Hessian at the end.

Letters as in `newton.py`: f = -2 log-likelihood, g gradient, H Hessian, L scale; B quasi-Newton inverse of H.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from jobchance.errors import EstimationError
from jobchance.numerics.mixed.newton import (
    Evaluator,
    ExhaustedError,
    Floats,
    Objective,
    OutOfDomain,
    Point,
    Probe,
)
from jobchance.numerics.mixed.optimum import EXHAUSTED, NO_MAXIMUM, NO_START, Optimum
from jobchance.numerics.mixed.phases import Search
from jobchance.numerics.mixed.runaway import RunawayError

__all__ = ["Optimum", "OutOfDomain", "Point", "Probe", "minimise"]


def minimise(
    objective: Objective,
    x0: ArrayLike,
    *,
    scale: ArrayLike,
    tolerance: float = 1e-7,
    differences: Literal["central", "forward"] = "central",
    hessian_step: float | None = None,
    switch: float = 1e-5,
    reach: float = 0.003,
    noise: float = 1e-9,
    max_evaluations: int | None = None,
) -> Optimum:
    r"""Minimise `f = -2 log-likelihood` and prove the minimum by gradient and Hessian there.

    Quasi-Newton steps until the predicted decrease :math:`g'Bg/2` is below `switch`; then a Hessian by
    differences of the gradient and Newton steps until

    .. math:: \sqrt{g' H^{-1} g / 2} \le \text{tolerance}.

    One Hessian serves as long as each step shortens this distance tenfold. Negative curvature (a saddle, as
    where a variance is falsely zero) is left along it. Flat directions do not stop
    convergence; they are counted.

    Parameters
    ----------
    objective : callable
        `x -> (value, gradient)` or `(value, gradient, extra)`; `extra` is kept with the point, unread. Raises
        `OutOfDomain`, or returns a value or gradient that is not finite, where it does not exist.
    x0 : array (k,)
        Start; must be in the domain.
    scale : array (k,) or (k, k)
        L with `H` about `2 inv(L L')`: standard errors, or a square root of the covariance of the estimates.
        Step lengths and the meaning of `flat` rest on it to a factor of 1000.
    tolerance : float
        Distance to the optimum in standard errors.
    differences : {"central", "forward"}
        `2k` or `k` evaluations per Hessian.
    hessian_step : float or None
        Step of the differences in standard errors; None = 1e-3 central, 1e-4 forward.
    switch : float
        Predicted decrease of `f` under which the Hessian is measured. A larger value rarely pays: a Hessian
        measured far from the minimum has to be measured again.
    reach : float
        The Hessian is measured again if the minimum is further than this, in standard errors, from its point.
    noise : float
        Changes of `f` under `noise * |f|` are read from the gradients instead.
    max_evaluations : int or None
        None = `200 + 20 k`.

    Returns
    -------
    Optimum
        Also where the search failed: `converged` is False and `message` says why.

    Raises
    ------
    ValueError
        Shapes that do not fit, a scale that is singular or not finite, an unknown `differences`.
    EstimationError
        The criterion does not exist at `x0`.

    References
    ----------
    Nocedal & Wright (2006), Numerical Optimization, 2nd ed.; Hager & Zhang (2005), SIAM Journal on
    Optimization 16, 170-192.

    Examples
    --------
    >>> found = minimise(lambda x: (float(x @ x), 2 * x), [3.0, -1.0], scale=[1.0, 1.0])
    >>> found.converged, found.n_evaluations
    (True, 6)
    """
    start, L = _checked(x0, scale, differences)
    central = differences == "central"
    step = hessian_step or (1e-3 if central else 1e-4)
    evaluate = Evaluator(objective, max_evaluations or 200 + 20 * len(start))
    first = evaluate(start)
    if first is None:
        raise EstimationError(NO_START)
    search = Search(evaluate, L, first, tolerance, switch, reach, noise, step, central)
    try:
        return search.run()
    except ExhaustedError:
        return search.failed(EXHAUSTED.format(evaluate.count))
    except RunawayError as far:
        return search.failed(NO_MAXIMUM.format(list(far.coordinates)), far.coordinates)


def _checked(x0: ArrayLike, scale: ArrayLike, differences: str) -> tuple[Floats, Floats]:
    """Start and square scale; everything wrong at once."""
    start, L = np.array(x0, dtype=np.float64), np.array(scale, dtype=np.float64)
    if L.ndim == 1:
        L = np.diag(L)
    wrong = []
    if start.ndim != 1 or not len(start) or not np.isfinite(start).all():
        wrong.append("x0 must be one finite row of numbers")
    if L.shape != (start.size, start.size):
        wrong.append(f"scale must have shape ({start.size},) or ({start.size}, {start.size})")
    elif not np.isfinite(L).all() or not L.any(axis=1).all() or _rank(L) < len(L):
        wrong.append("scale must be finite and invertible")
    if differences not in ("central", "forward"):
        wrong.append("differences must be 'central' or 'forward'")
    if wrong:
        raise ValueError("; ".join(wrong))
    return start, L


def _rank(L: Floats) -> int:
    """Rank whatever the units of the rows."""
    return int(np.linalg.matrix_rank(L / np.abs(L).max(axis=1, keepdims=True)))
