"""Joint test over a specification curve under the null of no association, respecting clusters.

Simonsohn, Simmons & Nelson (2020); Cameron, Gelbach & Miller (2008); Kline & Santos (2012).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from jobchance.compute.base import Compute
from jobchance.compute.tasks import check_seed
from jobchance.errors import SpecError
from jobchance.numerics.joint_signs import (
    STATISTICS,
    against_error,
    draw_signs,
    extreme_share,
    flipped_curves,
)
from jobchance.options import check_option
from jobchance.sensitivity.multiverse.joint_permute import permuted_curves
from jobchance.sensitivity.multiverse.joint_result import JointTest, statistics_frame
from jobchance.sensitivity.multiverse.joint_scores import ClusterScores, coarsest_cluster
from jobchance.sensitivity.multiverse.result_frame import known, same_question, unit_of
from jobchance.sensitivity.multiverse.specification import Specification
from jobchance.sensitivity.multiverse.workbench import Workbench

METHODS = ("sign_flip", "permute")
WITHIN = ("jobcentre_id", "period")
_FEW = 6  # clusters under which no p-value of all sign vectors can be below 5 per cent


def joint_test(
    frame: pd.DataFrame,
    specs: Sequence[Specification],
    workbench: Workbench,
    *,
    cluster: str | None = None,
    draws: int = 999,
    method: str = "sign_flip",
    within: Sequence[str] = WITHIN,
    level: float = 0.95,
    seed: int | np.random.SeedSequence,
    compute: Compute | None = None,
) -> JointTest:
    """How often a curve as far from zero as this one would come up if the exposure said nothing.

    Three statistics of the whole curve (Simonsohn, Simmons & Nelson): the median estimate; the share of
    specifications that are significant at 1 - `level` with the dominant sign (that of most estimates); and
    the average z, which is Stouffer's Z over the root of the number of specifications. All three are
    two-sided: curves under the null count as extreme by absolute value.

    `"sign_flip"` (default) draws one sign w_g for each cluster g, the same in every specification, and flips
    the cluster's residuals under the null with it. With the influence psi_sg of cluster g on the estimate
    b_s, and h_sg its share of the residual variation of the exposure, the score under the null is
    s_sg = psi_sg + b_s h_sg, and

        b*_s = sum_g w_g s_sg,    t*_s = b*_s / sqrt(G_s / (G_s - 1) sum_g s*_sg(w)^2),

    with s*_sg(w) the cluster's score when all coefficients of a linear specification, absorbed effects
    included, are estimated anew from the flipped residuals: the restricted wild cluster bootstrap (Cameron,
    Gelbach & Miller). For w = 1 that is b_s and its own clustered t, so that the observed share and average z
    are those of clustered tests on the common clusters with G_s - 1 degrees of freedom, whatever standard
    errors the specifications have; the p-value of the median compares it over the root of the mean variance
    of its curve. Likelihood specifications are not fitted again: their score is the
    influence at their own estimate, centred, with h_sg = 1 / G_s, and t* is the one-sample t of the flipped
    scores (Kline & Santos). If 2^(G - 1) <= draws + 1, all sign vectors are used: the statistics do not
    change when every sign turns, so half of them stand for all.

    `"permute"` gives units' exposures to other units in the same cell of `within` and estimates every linear
    specification anew. It needs that exposures are exchangeable within cells, and ignores clusters other than
    the units that move; see `joint_permute`.

    Parameters
    ----------
    frame : DataFrame
        Of the multiverse.
    specs : sequence of Specification
        Of its rows, in their order.
    workbench : Workbench
        Their rows.
    cluster : str, optional
        Column of the common clusters; `None` is the coarsest that any specification clusters by, and
        `citizen_id` if none does. It must be at least as coarse as what makes rows dependent.
    draws : int
        Random curves under the null.
    method : {"sign_flip", "permute"}
        See above.
    within : sequence of str
        Cells of `"permute"`.
    level : float
        Of significance, 1 - `level`.
    seed : int or SeedSequence
        Gives the draws, whatever `compute` is.
    compute : Compute, optional
        Where permuted curves are estimated; signs are drawn here.

    Returns
    -------
    JointTest
        p = (1 + number of curves at least as far from zero) / (1 + draws), ties counted as at least as far;
        number / draws where all sign vectors are used, the observed one among them.

    Raises
    ------
    SpecError
        An option is unknown, `draws` is not positive, a column is absent, or no specification has scores.
    IdentificationError
        `"permute"`: the exposure cannot change places within the cells.

    Notes
    -----
    The null is that the exposure is associated with the outcome in none of the specifications. A small p says
    that some association is there, not that it is causal, nor in which specification. Specifications without
    scores (failed ones, rungs of the ladder, other units) are left out, counted, and named in `notes`.

    References
    ----------
    Simonsohn, Simmons & Nelson (2020), Nature Human Behaviour 4, 1208-1214. Cameron, Gelbach & Miller (2008),
    Review of Economics and Statistics 90, 414-427. Kline & Santos (2012), Journal of Econometric Methods 1,
    23-41.
    """
    check_option("method", method, METHODS)
    if isinstance(draws, bool) or not isinstance(draws, int) or draws < 1:
        raise SpecError("draws must be a whole number of 1 or more.")
    rows = same_question(known(frame), frame)
    at = {key: place for place, key in enumerate(frame["key"])}
    asked = [specs[at[key]] for key in rows["key"]]
    if not asked:
        raise SpecError(f"joint_test: none of the {len(frame)} specifications has an estimate.")
    unit = unit_of(rows)
    if method == "permute":
        return permuted_curves(
            workbench, asked, n_all=len(frame), draws=draws, within=tuple(within), level=level, seed=seed,
            compute=compute, unit=unit,
        )  # fmt: skip
    column = cluster or coarsest_cluster(asked, workbench)
    scores = ClusterScores(workbench, asked, rows["estimate"].to_numpy(dtype=float), column)
    return _sign_flip(scores, n_all=len(frame), draws=draws, level=level, seed=seed, unit=unit)


def _sign_flip(
    scores: ClusterScores,
    *,
    n_all: int,
    draws: int,
    level: float,
    seed: int | np.random.SeedSequence,
    unit: str,
) -> JointTest:
    """The test from the clusters' scores."""
    n_clusters = len(scores.places)
    if n_clusters < 2:
        raise SpecError(f"joint_test: {scores.cluster} has {n_clusters} cluster; signs need at least two.")
    signs = draw_signs(n_clusters, draws, np.random.default_rng(check_seed(seed)))
    ones = np.ones((1, n_clusters), dtype=np.int8)
    curves, errors = flipped_curves(scores, np.vstack([ones, signs.values]), alpha=1 - level)
    observed, null = curves[0], curves[1:]
    compared = against_error(curves, errors)
    p = extreme_share(compared[0], compared[1:], is_complete=signs.is_complete)
    notes = list(scores.notes)
    if n_clusters < _FEW:
        notes.append(
            f"With {n_clusters} clusters no p-value below {2.0 ** (1 - n_clusters):.3g} is possible, "
            "whatever the data say."
        )
    return JointTest(
        frame=statistics_frame(observed, null, p),
        null=pd.DataFrame(null, columns=list(STATISTICS)),
        method="sign_flip",
        cluster=scores.cluster,
        n_clusters=n_clusters,
        n_specifications=scores.count,
        n_left_out=n_all - scores.count,
        is_complete=signs.is_complete,
        unit=unit,
        notes=tuple(notes),
    )
