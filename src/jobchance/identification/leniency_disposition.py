"""From measured optimism, a noisy mean, to the disposition it measures.

Letters: `o` measured leave-out mean, `a` disposition, `q` variance of the noise in `o`, `L` = reliability.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from jobchance.errors import IdentificationError
from jobchance.identification.leniency_regression import CellRegression
from jobchance.identification.leniency_rows import CASEWORKER, CITIZEN, LeniencyRows
from jobchance.numerics.leave_out_pairs import leave_out_loads, rating_parts
from jobchance.results.covariance import covariance
from jobchance.results.vcov import Vcov

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Disposition:
    r"""What a caseworker's measured optimism says of the disposition behind it.

    `predicted` (n,) is :math:`E[a_j \mid o_{ij}] = L_{ij} o_{ij}` and `L = s2_a / (s2_a + q_ij)` (n,), both
    in standard deviations of the exposure; `sd` is :math:`s_a`, `exposure_sd` that of the exposure.
    `slopes` (n, 3) is the derivative of `predicted / sd` by the three variance components, `influence` (J, 3)
    each caseworker's influence on them, `caseworker` (n,) the row's caseworker among the J.
    """

    predicted: Floats
    reliability: Floats
    sd: float
    exposure_sd: float
    slopes: Floats
    influence: Floats
    caseworker: Codes


def predict_disposition(rows: LeniencyRows) -> Disposition | None:
    """Regression calibration from variance components; None where caseworkers do not differ beyond noise.

    The noise of a leave-out mean is `q = s2_u sum m_k^2 / N^2 + s2_e / N` over the m_k ratings of each other
    citizen: what a caseworker makes of one citizen lasts over waves, so further ratings of the same citizen
    add little.
    """
    ratings = rows.ratings
    exposure_sd = float(ratings["exposure"].std())
    raters, rater = np.unique(ratings[CASEWORKER].to_numpy(dtype=object), return_inverse=True)
    people, person = np.unique(ratings[CITIZEN].to_numpy(dtype=object), return_inverse=True)
    parts = rating_parts(
        ratings["exposure"].to_numpy(dtype=float) / exposure_sd,
        person=person.astype(np.int64),
        rater=rater.astype(np.int64),
        cell=np.unique(ratings["cell"].to_numpy(), return_inverse=True)[1].astype(np.int64),
    )
    if not parts.rater > 0:
        return None
    at_rater = pd.Index(raters).get_indexer(rows.frame[CASEWORKER]).astype(np.int64)
    at_person = pd.Index(people).get_indexer(rows.frame[CITIZEN]).astype(np.int64)
    # Nobody's rating is left out for a citizen without ratings; a caseworker without is predicted at zero.
    at_person[at_person < 0] = len(people)
    at_rater[at_rater < 0] = len(raters)
    lasting, passing = leave_out_loads(
        person=person.astype(np.int64), rater=rater.astype(np.int64), at_person=at_person, at_rater=at_rater
    )
    s2, s = parts.rater, math.sqrt(parts.rater)
    known = np.isfinite(lasting)
    loads = [np.where(known, load, 0.0) for load in (lasting, passing)]
    # Sampling error can turn a small component negative.
    q = max(parts.lasting, 0.0) * loads[0] + max(parts.passing, 0.0) * loads[1]
    total = np.where(known, s2 + q, np.inf)
    by_noise = -s * rows.optimism / total**2
    by_rater = rows.optimism * (0.5 / (s * total) - s / total**2)
    return Disposition(
        predicted=s2 / total * rows.optimism,
        reliability=s2 / total,
        sd=s,
        exposure_sd=exposure_sd,
        slopes=np.column_stack([by_rater, *(by_noise * load for load in loads)]),
        influence=np.vstack([parts.influence, np.zeros(3)]),
        caseworker=at_rater,
    )


def need_disposition(disposition: Disposition | None) -> Disposition:
    """The disposition, or a refusal where nothing lies behind the differences but noise."""
    if disposition is None:
        raise IdentificationError(
            "Caseworkers' ratings of different citizens do not go together: within cells nothing is left of "
            "optimism but noise. scale='measured' gives the slope on the noisy measure.",
            missing=("disposition_variance",),
        )
    return disposition


def with_scale_uncertainty(
    made: CellRegression, disposition: Disposition, *, cell: Codes, vcov: Vcov
) -> CellRegression:
    r"""The regression on `predicted / sd`, its standard error enlarged for the estimated components.

    Each caseworker's influence on the slope through the variance components,
    :math:`\sum_m \partial\hat\beta/\partial\theta_m \; \psi_{jm}`, is added to the scores of the caseworker's
    rows (delta method, infinitesimal jackknife over caseworkers), so that clustering sums both.
    """
    D = disposition.slopes - _cell_means(disposition.slopes, cell)
    x, beta = made.X[:, 0], float(made.beta[0])
    gradient = D.T @ (made.residual - beta * x)
    by_caseworker = disposition.influence @ gradient
    size = np.bincount(disposition.caseworker, minlength=len(by_caseworker))
    share = by_caseworker[disposition.caseworker] / size[disposition.caseworker]
    scores = made.X * made.residual[:, None] + share[:, None]
    rows = replace(made.rows, scores=scores)
    cov, inference = covariance(rows, vcov)
    return replace(made, cov=cov, inference=inference, rows=rows)


def _cell_means(values: Floats, cell: Codes) -> Floats:
    """Cell means of each column, row by row."""
    size = np.bincount(cell)
    return np.column_stack([np.bincount(cell, weights=v) / size for v in values.T])[cell]
