"""What every cluster adds to an estimate: the vectors from which the whole curve is tested at once.

Letters: s_i score of row i, B inverse information, d derivative of the reported number by the coefficients;
psi_g = d'B sum_{i in g} s_i. For a linear model x_i is the exposure less what the other columns explain, over
its sum of squares.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from jobchance.numerics.demean import demean
from jobchance.numerics.joint_restricted import Anew, Cells, Crossing, Effects, effects_of
from jobchance.numerics.multiverse_scores import inner, product_sums, score_sums
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
    anew : Anew or None
        What estimating all coefficients anew takes off these scores after signs (linear models, if asked).
    """

    key: str
    estimate: float
    psi: Floats
    share: Floats | None
    anew: Anew | None = None


def shared_influence(
    spec: Specification,
    shared: Shared,
    codes: Codes,
    n_clusters: int,
    *,
    step: float,
    effects: Effects | None = None,
) -> Influence:
    """Influence from the work that linear specifications share; with `effects` also `anew`."""
    x, beta = shared.exposure(), float(shared.solution.beta[0])
    residual = shared.residual()
    anew = None
    if effects is not None:
        Z, kept = shared.ground.Z, shared.kept
        mean = None if shared.ground.factors else 1.0 / shared.ground.n
        anew = _anew(
            x, 100 * step * (residual + beta * x / inner(x, x)), codes, n_clusters,
            Z=Z, kept=kept, bread=shared.solution.bread, mean=mean, effects=effects,
        )  # fmt: skip
    return Influence(
        spec.key,
        100 * step * beta,
        100 * step * product_sums(x, residual, codes, n_clusters),
        _share(x, codes, n_clusters),
        anew,
    )


def _anew(
    x: Floats,
    null: Floats,
    codes: Codes,
    n_clusters: int,
    *,
    Z: Floats,
    kept: Codes,
    bread: Floats,
    mean: float | None,
    effects: Effects,
) -> Anew:
    """Sums by cluster from `x`, the residuals `null` under no difference, and the columns `kept` of Z.

    Columns without an intercept (`mean` is 1 / n) are centred, so that it stands beside them alone.
    """
    a, c = (score_sums(Z, kept, one, codes, n_clusters) for one in (x, null))
    left, right = [a[:, :-1] @ bread], [c[:, :-1]]
    if mean is not None:
        left, right = [*left, a[:, -1:] * mean], [*right, c[:, -1:]]
    if len(effects.columns):
        every = np.arange(len(effects.columns))
        left.append(score_sums(effects.columns, every, x, codes, n_clusters)[:, :-1])
        right.append(score_sums(effects.columns, every, null, codes, n_clusters)[:, :-1])
    if isinstance(effects.spread, Cells):
        left.append(effects.spread.sums(x) / effects.spread.size)
        right.append(effects.spread.sums(null))
    cross = effects.spread.matrix(x, null) if isinstance(effects.spread, Crossing) else None
    return Anew(np.hstack(left), np.hstack(right), cross)


def fitted_influence(
    spec: Specification,
    fit: Fit,
    codes: Codes,
    n_clusters: int,
    *,
    estimate: float,
    step: float,
    anew: bool = False,
) -> Influence:
    """Influence from the rows behind a fit; `anew` for linear estimators.

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
    again = None
    effects = effects_of(list(rows.absorbed.values()), codes, n_clusters) if anew else None
    if effects is not None and rows.regressors is not None:
        null = 100 * step * rows.regressors.residual + estimate * exposure / inner(exposure, exposure)
        again = _anew(
            exposure, null, codes, n_clusters, Z=np.ascontiguousarray(cleaned.T),
            kept=np.arange(cleaned.shape[1]), bread=rows.bread, mean=None, effects=effects,
        )  # fmt: skip
    return Influence(spec.key, estimate, psi, _share(exposure, codes, n_clusters), again)


def _share(exposure: Floats, codes: Codes, n_clusters: int) -> Floats:
    """Share of the variation of the exposure by cluster."""
    return product_sums(exposure, exposure, codes, n_clusters) / inner(exposure, exposure)
