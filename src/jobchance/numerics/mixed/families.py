"""Row kernels of the families: log-likelihood and its derivatives in the linear predictor, in the thresholds.

Letters: `eta` linear predictor; `w` prior weight; `alpha` thresholds; `l` log-density without constants;
`r = dl/d eta`; `W = -dr/d eta`, the observed information; `W1 = dW/d eta`. Ordinal outcomes are codes 0..K
and `P(Y <= k) = F(alpha_k - eta)`. Binomial outcomes are shares of `w` trials.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from jobchance.numerics.mixed.families_logit import (
    binomial_logit_pass,
    logistic_interval,
    logistic_side,
    ordinal_logit_pass,
)
from jobchance.numerics.mixed.families_tails import (
    Row,
    extreme_interval,
    normal_interval,
    normal_side,
)
from jobchance.numerics.mixed.jit import njit
from jobchance.options import check_option

Floats = NDArray[np.float64]

BINOMIAL_LOGIT = 0
BINOMIAL_PROBIT = 1
BINOMIAL_CLOGLOG = 2
POISSON_LOG = 3
ORDINAL_LOGIT = 4
ORDINAL_PROBIT = 5
ORDINAL_CLOGLOG = 6

LINKS_OF = {
    "binomial": ("logit", "probit", "cloglog"),
    "poisson": ("log",),
    "ordinal": ("logit", "probit", "cloglog"),
}
DEFAULT_LINK = {family: links[0] for family, links in LINKS_OF.items()}

_CODES = {
    (family, link): code
    for code, (family, link) in enumerate(
        (family, link) for family, links in LINKS_OF.items() for link in links
    )
}
_BLOCK = 256  # rows summed before they join the total


def family_code(family: str, link: str | None = None) -> int:
    """Number by which the kernels know a family with its link.

    Parameters
    ----------
    family : {"binomial", "poisson", "ordinal"}
        Gaussian outcomes have an engine of their own.
    link : str or None
        One of `LINKS_OF[family]`; `None` = `DEFAULT_LINK[family]`.

    Returns
    -------
    int
        0..6, the constants of this module.

    Raises
    ------
    SpecError
        The family is not in the list, or has no such link.

    Examples
    --------
    >>> family_code("ordinal", "probit") == ORDINAL_PROBIT
    True
    """
    check_option("family", family, LINKS_OF)
    link = DEFAULT_LINK[family] if link is None else link
    return _CODES[family, check_option("link", link, LINKS_OF[family])]


def loglik_constant(family: int, y: Floats, w: Floats) -> float:
    r"""The part of the log-likelihood that depends on outcomes and weights only.

    .. math:: \sum \log\binom{w}{wy} \text{ (binomial)}, \quad -\sum w \log y! \text{ (Poisson)}, \quad 0
              \text{ (ordinal)}

    Parameters
    ----------
    family : int
        See `family_code`.
    y, w : array, shape (n,)
        Outcomes (binomial: shares) and prior weights (binomial: numbers of trials).

    Returns
    -------
    float
        To be added to `total_loglik`; makes the sum comparable with that of other programs.
    """
    if family <= BINOMIAL_CLOGLOG:
        return float(np.sum(gammaln(w + 1.0) - gammaln(w * y + 1.0) - gammaln(w * (1.0 - y) + 1.0)))
    if family == POISSON_LOG:
        return -float(np.sum(w * gammaln(y + 1.0)))
    return 0.0


@njit
def row_loglik(family: int, eta: float, y: float, w: float, alpha: Floats) -> float:
    """Log-density of one row, without the constant; minus infinity where its thresholds do not increase."""
    return _row(family, eta, y, w, alpha)[0]


@njit
def total_loglik(family: int, eta: Floats, y: Floats, w: Floats, alpha: Floats) -> float:
    """Sum of the rows' log-densities, without the constant."""
    sums, nothing = np.zeros(1), np.empty(0)
    _pass(family, eta, y, w, alpha, sums, nothing, nothing, nothing)
    return float(sums[0])


@njit
def derivatives(family: int, eta: Floats, y: Floats, w: Floats, alpha: Floats, r: Floats, W: Floats) -> None:
    """Fill `r` and `W`."""
    nothing = np.empty(0)
    _pass(family, eta, y, w, alpha, nothing, r, W, nothing)


@njit
def derivatives3(
    family: int, eta: Floats, y: Floats, w: Floats, alpha: Floats, r: Floats, W: Floats, W1: Floats
) -> None:
    """Fill `r`, `W` and `W1`."""
    _pass(family, eta, y, w, alpha, np.empty(0), r, W, W1)


@njit
def fused(family: int, eta: Floats, y: Floats, w: Floats, alpha: Floats, r: Floats, W: Floats) -> float:
    """Fill `r` and `W`, return `total_loglik`: one pass over the rows."""
    sums = np.zeros(1)
    _pass(family, eta, y, w, alpha, sums, r, W, np.empty(0))
    return float(sums[0])


@njit
def threshold_derivatives(
    family: int,
    eta: Floats,
    y: Floats,
    alpha: Floats,
    w: Floats,
    la: Floats,
    lb: Floats,
    ra: Floats,
    rb: Floats,
    wa: Floats,
    wb: Floats,
) -> None:
    """Fill the derivatives of `l`, `r`, `W` in the row's upper and lower threshold; 0 where there is none."""
    for i in range(len(eta)):
        row = _ordinal_row(family, eta[i], y[i], alpha)
        la[i], lb[i] = w[i] * row[4], w[i] * row[5]
        ra[i], rb[i] = w[i] * row[6], w[i] * row[7]
        wa[i], wb[i] = w[i] * row[8], w[i] * row[9]


@njit
def _pass(
    family: int,
    eta: Floats,
    y: Floats,
    w: Floats,
    alpha: Floats,
    sums: Floats,
    r: Floats,
    W: Floats,
    W1: Floats,
) -> None:
    """One pass: fills the log-likelihood `sums` (1,), `r` and `W`, `W1`; an empty array is not wanted."""
    if family == BINOMIAL_LOGIT:
        binomial_logit_pass(eta, y, w, sums, r, W, W1)
        return
    if family == ORDINAL_LOGIT:
        ordinal_logit_pass(eta, y, w, alpha, sums, r, W, W1)
        return
    summed, second, third = len(sums) > 0, len(W) > 0, len(W1) > 0
    total = part = 0.0
    for i in range(len(eta)):
        loglik, row_r, row_W, row_W1 = _row(family, eta[i], y[i], w[i], alpha)
        part += loglik
        if second:
            r[i], W[i] = row_r, row_W
        if third:
            W1[i] = row_W1
        if i % _BLOCK == _BLOCK - 1:
            total += part
            part = 0.0
    if summed:
        sums[0] = total + part


@njit
def _row(family: int, eta: float, y: float, w: float, alpha: Floats) -> tuple[float, float, float, float]:
    """`l, r, W, W1` of one row of any family."""
    if family >= ORDINAL_LOGIT:
        row = _ordinal_row(family, eta, y, alpha)
        return w * row[0], w * row[1], w * row[2], w * row[3]
    if family == POISSON_LOG:
        mean = w * math.exp(eta)
        return w * y * eta - mean, w * y - mean, mean, mean
    yes, no = w * y, w * (1.0 - y)
    if family == BINOMIAL_CLOGLOG:
        loglik, r, W, W1 = _cloglog_yes(eta) if yes > 0.0 else (0.0, 0.0, 0.0, 0.0)
        hazard = no * math.exp(min(eta, 700.0))
        return yes * loglik - hazard, yes * r - hazard, yes * W + hazard, yes * W1 + hazard
    l1, r1, W_1, bend1 = _symmetric_side(family, eta) if yes > 0.0 else (0.0, 0.0, 0.0, 0.0)
    l0, r0, W_0, bend0 = _symmetric_side(family, -eta) if no > 0.0 else (0.0, 0.0, 0.0, 0.0)
    return yes * l1 + no * l0, yes * r1 - no * r0, yes * W_1 + no * W_0, yes * bend1 - no * bend0


@njit
def _cloglog_yes(eta: float) -> tuple[float, float, float, float]:
    """`log(1 - exp(-e^eta))`, its slope, minus its curvature, and the slope of that."""
    log_P, r, W, W1 = extreme_interval(eta, -math.inf, math.inf)[:4]
    return log_P, -r, W, -W1


@njit
def _ordinal_row(family: int, eta: float, y: float, alpha: Floats) -> Row:
    """`l, r, W, W1` and the derivatives in both thresholds of one ordinal row."""
    k, K = int(y), len(alpha)
    a = alpha[k] - eta if k < K else math.inf
    b = alpha[k - 1] - eta if k > 0 else -math.inf
    d = alpha[k] - alpha[k - 1] if 0 < k < K else math.inf
    if not d > 0.0:
        return -math.inf, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    if family == ORDINAL_PROBIT:
        return normal_interval(a, b, d)
    if family == ORDINAL_CLOGLOG:
        return extreme_interval(a, b, d)
    return logistic_interval(a, b, d)


@njit
def _symmetric_side(family: int, t: float) -> tuple[float, float, float, float]:
    """`log F(t)`, its slope, minus its curvature, and the slope of that: probit or logit."""
    return normal_side(t) if family == BINOMIAL_PROBIT else logistic_side(t)
