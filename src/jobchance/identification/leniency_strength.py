"""What the columns of a balance test say of the outcome: a test of what says nothing tests nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from jobchance.identification.cards import Assumption
from jobchance.identification.thresholds import Thresholds
from jobchance.numerics.demean import demean
from jobchance.numerics.leave_out_tests import ChiOrF, score_test
from jobchance.numerics.linalg import independent_columns

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]


class Strength(NamedTuple):
    """Test of the outcome on the columns, and their R2 over that of the caseworker's answer; NaN: unknown."""

    joint: ChiOrF
    share: float


NO_COLUMNS = Strength(ChiOrF(np.nan, 0.0, np.nan), np.nan)


def measure_strength(
    y: Floats, columns: Floats, answer: Floats | None, *, cell: Codes, cluster: Codes
) -> Strength:
    """How much the columns (n, k) say about the outcome within cells.

    `joint` is the score test, or twice the p-value of the best single column (Bonferroni) where that is
    smaller. `share` compares adjusted R2 among citizens of one caseworker and cell, in the rows whose
    `answer` is known; it is NaN where the answer itself tells nothing. A missing value stands at its column's
    mean.
    """
    known = np.isfinite(columns).any(axis=0)
    if not known.any():
        return NO_COLUMNS
    Z = columns[:, known]
    Z = np.where(np.isnan(Z), np.nanmean(Z, axis=0), Z)
    cleaned = demean(np.column_stack([Z, y]), [cell])
    keep = independent_columns(cleaned[:, :-1])
    if not len(keep):
        return NO_COLUMNS
    Z, v = cleaned[:, keep], cleaned[:, -1]
    joint = score_test(Z * v[:, None], cluster)
    single = min(score_test((z * v)[:, None], cluster).p_value for z in Z.T) * Z.shape[1]
    best = np.nanmin([joint.p_value, single])
    joint = joint._replace(p_value=float(min(1.0, 2 * best)))
    if answer is None or not np.isfinite(answer).any():
        return Strength(joint, np.nan)
    use = np.isfinite(answer)
    groups = [_dense(codes[use]) for codes in (cell, cluster)]
    own = _adjusted_r2(y[use], answer[use, None], groups)
    return Strength(joint, _adjusted_r2(y[use], Z[use], groups) / own if own > 0 else np.nan)


def informative(strength: Strength, thresholds: Thresholds) -> Assumption:
    """Whether the columns of the balance test tell enough of the outcome for it to see sorting."""
    p, share = strength.joint.p_value, strength.share
    enough = p < thresholds.fail_p and not share < thresholds.informative_share
    return Assumption(
        "informative_covariates",
        "holds" if enough else "untested" if np.isnan(p) else "doubtful",
        "outcome_on_traits",
        statistic=strength.joint.statistic,
        df=strength.joint.df,
        p_value=p,
        value=share,
        threshold=thresholds.informative_share,
    )


def only_if_informative(balance: Assumption, strength: Assumption) -> Assumption:
    """Balance that holds in columns which tell too little is untested; what was found against it stays."""
    unseen = balance.status == "holds" and strength.status != "holds"
    return replace(balance, status="untested") if unseen else balance


def _dense(codes: Codes) -> Codes:
    """Codes renumbered without gaps."""
    return np.unique(codes, return_inverse=True)[1].astype(np.int64)


def _adjusted_r2(y: Floats, X: Floats, groups: list[Codes]) -> float:
    """Share of the variance within groups, less what as many columns of noise explain."""
    cleaned = demean(np.column_stack([y, X]), groups)
    v, Z = cleaned[:, 0], cleaned[:, 1:]
    Z = Z[:, independent_columns(Z)]
    df = len(v) - sum(int(codes.max()) + 1 for codes in groups) + 1
    total = float(v @ v)
    if total == 0 or df <= Z.shape[1]:
        return float("nan")
    left = np.asarray(v - Z @ np.linalg.lstsq(Z, v, rcond=None)[0], dtype=np.float64)
    noise: float = float(left @ left) / (df - int(Z.shape[1]))
    return 1.0 - noise / (total / df)
