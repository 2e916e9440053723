"""The assumption card of a mover contrast, from what its checks found."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from jobchance.identification.cards import Assumption, judge_p
from jobchance.identification.leniency_source import leaves_out
from jobchance.identification.leniency_strength import informative, only_if_informative
from jobchance.identification.switch_checks import TEST, Balance, Joint
from jobchance.identification.switch_moves import Moves
from jobchance.identification.thresholds import Thresholds


def assumptions(
    moves: Moves,
    *,
    chosen: Sequence[str] | None,
    exogenous: Sequence[str],
    frame: pd.DataFrame,
    balance: Balance,
    loss: tuple[float, Joint],
    trend: pd.DataFrame,
    symmetric: pd.DataFrame,
    thresholds: Thresholds,
) -> tuple[Assumption, ...]:
    """The card of the mover contrast; `frame` holds all rows of the panel."""
    strength = informative(balance.strength, thresholds)
    outside = moves.has_reasons and chosen is not None and set(chosen) <= set(exogenous)
    return (
        exogenous_timing(moves, exogenous),
        only_if_informative(_random_reassignment(balance, thresholds), strength),
        strength,
        leaves_out(frame, thresholds),
        _no_selective_loss(loss, thresholds),
        _no_pre_trend(trend, thresholds),
        Assumption("no_anticipation", "by_design" if outside else "doubtful", "shift_reason"),
        _symmetry(symmetric, thresholds),
        *_enough(moves, thresholds),
    )


def exogenous_timing(moves: Moves, exogenous: Sequence[str]) -> Assumption:
    """By design where every change that counts has a documented reason outside the citizen's case."""
    name, test = "exogenous_timing", "shift_reason"
    if not moves.has_reasons:
        return Assumption(name, "untested", test)
    share = float(moves.chosen["reason"].isin(list(exogenous)).mean())
    return Assumption(name, "by_design" if share == 1 else "doubtful", test, value=share, threshold=1.0)


def _random_reassignment(balance: Balance, limits: Thresholds) -> Assumption:
    """Balance by its joint test, and by the size of the largest imbalance."""
    found, size = balance.joint, balance.largest
    status = judge_p(found.p_value, limits)
    if status == "holds" and size > limits.balance_sd:
        status = "doubtful"
    name = "conditional_random_reassignment"
    return _tested(name, status, "balance_joint", found, value=size, threshold=limits.balance_sd)


def _no_selective_loss(loss: tuple[float, Joint], limits: Thresholds) -> Assumption:
    """Whether an unknown outcome goes with the change of optimism; holds where every outcome is known."""
    share, found = loss
    status = judge_p(found.p_value, limits) if share else "holds"
    return _tested("no_selective_loss", status, "loss_on_optimism", found, value=share)


def _no_pre_trend(trend: pd.DataFrame, limits: Thresholds) -> Assumption:
    """The belief's trend; without rows long enough before a change it stays untested."""
    line = trend[trend["outcome"] == "belief"]
    found = Joint(*line[list(TEST)].to_numpy(dtype=float)[0]) if len(line) else Joint()
    return _tested("no_pre_trend", judge_p(found.p_value, limits), "pre_trend_belief", found)


def _symmetry(table: pd.DataFrame, limits: Thresholds) -> Assumption:
    line = table[table["term"] == "difference"]
    found = Joint(*line[list(TEST)].to_numpy(dtype=float)[0])
    status = judge_p(found.p_value, limits)
    # chances that grow by a share are curved, so unequal slopes leave doubt and are no contradiction
    return _tested("symmetry", "doubtful" if status == "fails" else status, "symmetry_wald", found)


def _tested(
    name: str, status: str, test: str, found: Joint, *, value: float = np.nan, threshold: float = np.nan
) -> Assumption:
    """An assumption with a joint test."""
    return Assumption(
        name, status, test, found.statistic, found.df, found.p_value, value=value, threshold=threshold
    )


def _enough(moves: Moves, limits: Thresholds) -> tuple[Assumption, ...]:
    """Sizes held against their thresholds; below `min_movers` and `min_clusters` a contrast is refused."""
    rows = moves.chosen
    counts = (
        ("enough_movers", float(rows["citizen_id"].nunique()), limits.min_movers),
        ("enough_clusters", float(rows["caseworker_id"].nunique()), limits.few_clusters),
        ("enough_events", float(rows["outcome"].sum()), limits.min_events),
        ("optimism_reliable", float(moves.scale.reliability[rows.index].mean()), limits.reliability),
    )
    return tuple(
        Assumption(name, "holds" if value >= least else "doubtful", "size", value=value, threshold=least)
        for name, value, least in counts
    )
