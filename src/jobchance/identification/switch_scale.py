"""Optimism on the scale of the disposition: shrunken for chance and in standard deviations of what is left.

Letters: caseworker j, citizen i, n_ij ratings, N their sum; tau2, s2, e2 the variances between caseworkers,
between the citizens of a caseworker, and between ratings.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from jobchance.errors import IdentificationError

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class OptimismScale:
    """How far measured optimism is a disposition.

    Parameters
    ----------
    sd : float
        Standard deviation of the disposition between caseworkers, on the scale of `optimism` (standard
        deviations of belief).
    disposition : Series
        Shrunken optimism of every row in units of `sd`.
    reliability : Series
        Share of the variance of measured optimism that is disposition, by row.
    """

    sd: float
    disposition: pd.Series
    reliability: pd.Series

    def __repr__(self) -> str:
        return f"OptimismScale(sd={self.sd:.3g}, {len(self.disposition)} rows)"


def scale_optimism(frame: pd.DataFrame, *, reliability: float | None = None) -> OptimismScale:
    r"""Shrink measured optimism towards its mean by its reliability, in standard deviations of what is left.

    .. math::
        z_{ij} = \frac{w_{ij}\, o_{ij}}{\tau}, \qquad w_{ij} = \frac{\tau^2}{\tau^2 + v_{ij}}, \qquad
        v_{ij} = \frac{s^2 \sum_{k \ne i} n_{kj}^2}{N_{j,-i}^2} + \frac{e^2}{N_{j,-i}}

    The variances are moments of the standardised beliefs less the mean of their jobcentre x period: mean
    products of ratings by one caseworker of different citizens (tau2) and of one citizen (tau2 + s2).
    A shrunken value predicts the disposition without bias, so a slope on it is one per standard deviation of
    the disposition, where a slope on the measured value would be too small.

    Parameters
    ----------
    frame : DataFrame
        `citizen_id caseworker_id jobcentre_id period belief optimism`.
    reliability : float or None
        One reliability for all rows, from elsewhere; then `tau2` is that share of the variance of optimism.

    Raises
    ------
    IdentificationError
        There is no variation between caseworkers beyond chance (`optimism`).
    """
    optimism = frame["optimism"].astype(float)
    if optimism.notna().sum() < 2:
        raise IdentificationError("No row has a caseworker with a known optimism.", missing=("optimism",))
    if reliability is not None:
        tau2 = reliability * float(optimism.var())
        share = pd.Series(float(reliability), index=frame.index)
    else:
        tau2, s2, e2 = _variances(frame)
        share = tau2 / (tau2 + _noise(frame, s2, e2)) if tau2 > 0 else optimism * 0
    if not tau2 > 0:
        raise IdentificationError(
            "Caseworkers do not differ in optimism beyond chance, so no change of caseworker is a change of "
            "optimism.",
            missing=("optimism",),
        )
    sd = float(np.sqrt(tau2))
    return OptimismScale(sd, share * optimism / sd, share)


def _variances(frame: pd.DataFrame) -> tuple[float, float, float]:
    """tau2, s2 and e2 of standardised beliefs within jobcentre x period."""
    rated = frame[frame["belief"].notna() & frame["caseworker_id"].notna()]
    cell = rated.groupby(["jobcentre_id", "period"], dropna=False, sort=False)["belief"]
    e = (rated["belief"] - cell.transform("mean")) / rated["belief"].std()
    sums = pd.DataFrame({"j": rated["caseworker_id"], "i": rated["citizen_id"], "e": e, "n": 1.0})
    pair = sums.groupby(["j", "i"], sort=False)[["e", "n"]].sum()
    worker = pair.groupby("j", sort=False).sum()
    squares, of_pairs, of_workers = float((e**2).sum()), (pair**2).sum(), (worker**2).sum()
    across = _mean_product(of_workers["e"] - of_pairs["e"], of_workers["n"] - of_pairs["n"])
    within = _mean_product(of_pairs["e"] - squares, of_pairs["n"] - len(e))
    total = squares / max(len(e), 1)
    within = across if np.isnan(within) else within
    return across, max(within - across, 0.0), max(total - within, 0.0)


def _mean_product(total: float, pairs: float) -> float:
    """Mean over pairs; NaN without pairs."""
    return float(total / pairs) if pairs > 0 else np.nan


def _noise(frame: pd.DataFrame, s2: float, e2: float) -> pd.Series:
    """Error variance of the leave-one-out mean of every row; infinite where nobody else was rated."""
    rated = frame["belief"].notna()
    pair = frame["citizen_id"].where(rated).groupby([frame["caseworker_id"], frame["citizen_id"]])
    n = pair.transform("count").astype(float)
    worker = pd.DataFrame({"n": rated.astype(float), "n2": n.where(rated, 0.0)})
    sums = worker.groupby(frame["caseworker_id"]).transform("sum")
    others, squares = sums["n"] - n, sums["n2"] - n**2
    found: pd.Series = (s2 * squares / others**2 + e2 / others).where(others > 0, np.inf)
    return found
