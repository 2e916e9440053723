"""`rosenbaum_bounds`: by how much may the odds of exposure differ inside matched pairs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from jobchance.design.columns import as_floats
from jobchance.errors import DesignError, SpecError
from jobchance.formatting import Formatter
from jobchance.labels.load import label
from jobchance.numerics import rosenbaum as numeric
from jobchance.options import check_option

ALTERNATIVES = ("two-sided", "greater", "less")
STATISTICS = ("signed_rank", "sign")
GAMMAS = (1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0)


@dataclass(frozen=True, eq=False)
class RosenbaumBounds:
    """What hidden bias does to a test of matched pairs.

    Parameters
    ----------
    statistic : str
        `"signed_rank"` or `"sign"` (McNemar's test for 0/1 outcomes).
    value : float
        The test statistic.
    n_pairs, n_equal : int
        Pairs with both outcomes known; those without a difference.
    alternative, method : str
        `method` is `"exact"` or `"normal"`.
    alpha, gamma_limit : float
        Bias at which the largest p-value passes `alpha`; NaN if it is above without bias, `inf` if beyond
        10,000.
    frame : DataFrame
        By `gamma`: `p_low p_high`, and for the signed rank `estimate_low estimate_high`, the range of the
        Hodges-Lehmann estimate of a constant shift (NaN above 5,000 pairs).
    """

    statistic: str
    value: float
    n_pairs: int
    n_equal: int
    alternative: str
    method: str
    alpha: float
    gamma_limit: float
    frame: pd.DataFrame

    def amplification(self, lambdas: Sequence[float] = (1.5, 2.0, 3.0, 4.0, 6.0)) -> pd.DataFrame:
        """What `gamma_limit` means for a confounder seen from both sides (Rosenbaum & Silber 2009).

        A confounder that multiplies the odds of exposure by `odds_exposure` and the odds of the larger
        outcome by `odds_outcome` biases as much; only pairs with `odds_exposure` above `gamma_limit` exist.
        """
        given = as_floats(lambdas, "lambdas")
        known = given[given > self.gamma_limit] if np.isfinite(self.gamma_limit) else given[:0]
        return pd.DataFrame(
            {"odds_exposure": known, "odds_outcome": numeric.amplified(self.gamma_limit, known)}
        )

    def text(self, lang: str = "da") -> str:
        """What the limit says, in words (`lang` is `"da"` or `"en"`)."""
        said = Formatter(lang)
        alpha = said.percent(self.alpha)
        if np.isnan(self.gamma_limit):
            return label("confounding.rosenbaum.none", lang, alpha=alpha)
        if np.isinf(self.gamma_limit):
            return label("confounding.rosenbaum.beyond", lang, alpha=alpha)
        gamma = said.number(self.gamma_limit, decimals=2)
        return label("confounding.rosenbaum.limit", lang, gamma=gamma, alpha=alpha)


def rosenbaum_bounds(
    treated: ArrayLike,
    control: ArrayLike | None = None,
    *,
    statistic: str | None = None,
    gammas: Sequence[float] = GAMMAS,
    alternative: str = "two-sided",
    alpha: float = 0.05,
    method: str | None = None,
    keep_ranks: bool = True,
) -> RosenbaumBounds:
    r"""Rosenbaum bounds of matched pairs.

    In a pair, hidden bias of at most :math:`\Gamma` lets the odds of being the exposed one differ between
    the two by a factor of :math:`\Gamma`. The test statistic then lies between sums of independent terms
    with probabilities :math:`1/(1+\Gamma)` and :math:`\Gamma/(1+\Gamma)`, and so does its p-value.

    Parameters
    ----------
    treated, control : array (n,)
        Outcomes of the exposed and of their partners, pair by pair; or differences alone. Pairs with a
        missing value are left out.
    statistic : {"signed_rank", "sign"} or None
        `None`: `"sign"` (McNemar) where all outcomes are 0/1, else Wilcoxon's signed rank.
    gammas : sequence of float
        Biases, from 1 (none).
    alternative : {"two-sided", "greater", "less"}
        `"greater"`: the exposed have the larger outcomes. Published tables are usually one-sided.
        Two-sided is twice the smaller one-sided bound.
    alpha : float
        Level for `gamma_limit`.
    method : {"exact", "normal"} or None
        `None`: exact for the sign test and up to 150 pairs, else the normal approximation (no continuity
        correction), which published tables use.
    keep_ranks : bool
        Signed rank: pairs without a difference keep their place in the ranking and count nothing, as in
        Rosenbaum's book; `False` leaves them out first, as R's rbounds does.

    Returns
    -------
    RosenbaumBounds

    Raises
    ------
    SpecError
        Unknown options, a bias below 1, lengths that differ.
    DesignError
        No pair with a difference.

    Notes
    -----
    The test is about no effect in any pair. Matched pairs are taken as given and independent: with one
    caseworker in many pairs they are not, and p-values are too small.

    References
    ----------
    Rosenbaum, P. R. (2002), Observational Studies, 2nd ed., sections 4.3-4.4; Rosenbaum & Silber (2009),
    JASA 104, 1398-1405.

    Examples
    --------
    >>> from jobchance.sensitivity.rosenbaum import rosenbaum_bounds
    >>> found = rosenbaum_bounds([5, 7, 6, 9, 8, 7], [3, 4, 5, 2, 3, 6], alternative="greater")
    >>> float(found.frame.loc[0, "p_high"])
    0.015625
    """
    check_option("alternative", alternative, ALTERNATIVES)
    if not 0 < alpha < 1:
        raise SpecError(f"alpha={alpha!r} must lie between 0 and 1, such as 0.05.")
    odds = as_floats(gammas, "gammas")
    if odds.ndim != 1 or not len(odds) or not (odds >= 1).all() or not np.isfinite(odds).all():
        raise SpecError("gammas are numbers from 1 (no hidden bias) up.")
    differences, binary = _differences(treated, control)
    name = check_option("statistic", statistic or ("sign" if binary else "signed_rank"), STATISTICS)
    found = (
        numeric.sign_scores(differences)
        if name == "sign"
        else numeric.signed_rank_scores(differences, keep_ranks=keep_ranks)
    )
    small = name == "sign" or len(found.scores) <= numeric.MOST_EXACT
    way = check_option("method", method or ("exact" if small else "normal"), ("exact", "normal"))
    exact = way == "exact"
    limits = [numeric.bounds(found, g, alternative=alternative, exact=exact) for g in odds]
    frame = pd.DataFrame({"gamma": odds}).assign(
        p_low=[low for low, _ in limits], p_high=[high for _, high in limits]
    )
    if name == "signed_rank":
        frame[["estimate_low", "estimate_high"]] = _estimates(differences, odds)
    return RosenbaumBounds(
        statistic=name,
        value=found.statistic,
        n_pairs=len(differences),
        n_equal=int((differences == 0).sum()),
        alternative=alternative,
        method=way,
        alpha=alpha,
        gamma_limit=numeric.gamma_limit(found, alpha, alternative=alternative, exact=exact),
        frame=frame,
    )


def _differences(treated: ArrayLike, control: ArrayLike | None) -> tuple[np.ndarray, bool]:
    """Differences of complete pairs, and whether the outcomes are all 0/1."""
    first = as_floats(treated, "treated")
    other = np.zeros_like(first) if control is None else as_floats(control, "control")
    if first.ndim != 1 or first.shape != other.shape:
        raise SpecError(
            f"treated and control are two columns of one length, pair by pair; here {first.shape} and "
            f"{other.shape}."
        )
    known = np.isfinite(first) & np.isfinite(other)
    first, other = first[known], other[known]
    differences = first - other
    if not np.any(differences):
        raise DesignError(f"None of the {len(differences)} complete pairs has a difference: nothing to test.")
    return differences, control is not None and bool(np.isin([first, other], [0, 1]).all())


def _estimates(differences: np.ndarray, odds: np.ndarray) -> np.ndarray:
    """Ranges of the Hodges-Lehmann estimate; NaN where there are too many pairs for all their means."""
    if len(differences) > numeric.MOST_WALSH:
        return np.full((len(odds), 2), np.nan)
    return numeric.hodges_lehmann(differences, odds)
