"""What every cluster adds to an estimate: the vectors from which the whole curve is tested at once.

Letters: s_i score of row i, B inverse information, d derivative of the reported number by the coefficients;
psi_g = d'B sum_{i in g} s_i. For a linear model x_i is the exposure less what the other columns explain, over
its sum of squares.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from jobchance.numerics.demean import demean
from jobchance.numerics.multiverse_scores import inner, product_sums
from jobchance.results.fit import Fit
from jobchance.results.parts import Codes, Floats
from jobchance.sensitivity.multiverse.likelihood import delta
from jobchance.sensitivity.multiverse.linear import Shared
from jobchance.sensitivity.multiverse.linear_fit import term_of
from jobchance.sensitivity.multiverse.specification import LINEAR, Specification


@dataclass(frozen=True, eq=False, repr=False)
class Influence:
    """Influence of every cluster on one estimate (sums over clusters of persons: memory only).

    Parameters
    ----------
    key : str
        Key of the specification.
    estimate : float
        As in its row, in percentage points.
    psi : array (G,)
        Influence of each cluster, in the unit of the estimate; it sums to zero. With one dimension of
        clusters `factor * sum(psi**2)` is the clustered variance.
    share : array (G,) or None
        Share of the exposure's remaining variation that lies in each cluster, which sums to one (linear
        models). `psi + estimate * share` is then the score under no difference.
    """

    key: str
    estimate: float
    psi: Floats
    share: Floats | None


def shared_influence(
    spec: Specification, shared: Shared, codes: Codes, n_clusters: int, *, step: float
) -> Influence:
    """Influence from the work that linear specifications share."""
    exposure = shared.exposure()
    return Influence(
        spec.key,
        100 * step * float(shared.solution.beta[0]),
        100 * step * product_sums(exposure, shared.residual(), codes, n_clusters),
        _share(exposure, codes, n_clusters),
    )


def fitted_influence(
    spec: Specification, fit: Fit, codes: Codes, n_clusters: int, *, estimate: float, step: float
) -> Influence:
    """Influence from the rows behind a fit.

    Raises
    ------
    EstimationError
        The exposure has no coefficient.
    """
    rows = fit.need_rows("The influence of clusters")
    place = list(fit.terms).index(term_of(spec, fit))
    if spec.estimator not in LINEAR:
        weights = rows.bread @ delta(spec, fit, step=step)
        own = rows.row_scores @ weights
        return Influence(spec.key, estimate, product_sums(own, np.ones_like(own), codes, n_clusters), None)
    assert fit.predictor is not None, "fits of this package hold their design"
    X = fit.predictor.matrix(rows.frame.iloc[rows.used])
    cleaned = demean(X, list(rows.absorbed.values())) if rows.absorbed else X
    exposure, own = cleaned @ rows.bread[place], rows.row_scores @ rows.bread[place]
    psi = 100 * step * product_sums(own, np.ones_like(own), codes, n_clusters)
    return Influence(spec.key, estimate, psi, _share(exposure, codes, n_clusters))


def _share(exposure: Floats, codes: Codes, n_clusters: int) -> Floats:
    """Share of the variation of the exposure by cluster."""
    return product_sums(exposure, exposure, codes, n_clusters) / inner(exposure, exposure)
