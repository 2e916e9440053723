"""Optimism on the scale of the disposition: shrunken for chance and in standard deviations of what is left.

Letters: caseworker j, citizen i, n_ij ratings, N their sum; tau2, s2, e2 the variances of ratings between
caseworkers, between the citizens of a caseworker, and within these (`numerics.leave_out_pairs`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from jobchance.errors import IdentificationError
from jobchance.numerics.leave_out_pairs import leave_out_loads, rating_parts


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

    The variances are moments of pairs of standardised beliefs within jobcentre x period (`rating_parts`).
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
    if reliability is None:
        tau2, noise = _disposition_and_noise(frame)
        share = tau2 / (tau2 + noise)
    else:
        tau2 = reliability * float(optimism.var())
        share = pd.Series(float(reliability), index=frame.index)
    if not tau2 > 0:
        raise IdentificationError(
            "Caseworkers do not differ in optimism beyond chance, so no change of caseworker is a change of "
            "optimism.",
            missing=("optimism",),
        )
    sd = float(np.sqrt(tau2))
    return OptimismScale(sd, share * optimism / sd, share)


def _disposition_and_noise(frame: pd.DataFrame) -> tuple[float, pd.Series]:
    """Variance of the disposition, and by row that of the noise in the leave-one-out mean."""
    named = frame["caseworker_id"].notna()
    rated = frame[named & frame["belief"].notna()]
    rater, raters = pd.factorize(rated["caseworker_id"])
    person, people = pd.factorize(rated["citizen_id"])
    cell = rated.groupby(["jobcentre_id", "period"], dropna=False, sort=False).ngroup().to_numpy()
    belief = rated["belief"].to_numpy(dtype=float)
    if len(raters) < 2 or not np.ptp(belief) > 0:
        return np.nan, pd.Series(np.nan, index=frame.index)
    parts = rating_parts(
        belief / belief.std(ddof=1),
        person=person.astype(np.int64),
        rater=rater.astype(np.int64),
        cell=cell.astype(np.int64),
    )
    at_rater = pd.Index(raters).get_indexer(frame["caseworker_id"]).astype(np.int64)
    at_person = pd.Index(people).get_indexer(frame["citizen_id"]).astype(np.int64)
    # a citizen without any rating leaves nothing out
    at_person[at_person < 0] = len(people)
    known = at_rater >= 0
    lasting, passing = leave_out_loads(
        person=person.astype(np.int64),
        rater=rater.astype(np.int64),
        at_person=at_person[known],
        at_rater=at_rater[known],
    )
    noise = pd.Series(np.nan, index=frame.index)
    noise[known] = max(parts.lasting, 0.0) * lasting + max(parts.passing, 0.0) * passing
    return parts.rater, noise
