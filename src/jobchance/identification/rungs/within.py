"""Rung 3: the same citizen at two answers (citizen effects; hybrid, first differences, conditional logit)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from jobchance.errors import DesignError, EstimationError, IdentificationError
from jobchance.identification.cards import Assumption, Card, judge_p
from jobchance.identification.rungs.model import (
    Ground,
    Rung,
    enough_clusters,
    line_of,
    two_way,
)
from jobchance.models.conditional_logit import fit_conditional_logit
from jobchance.models.panel import fit_panel
from jobchance.results.fit import Fit


def within_citizen(ground: Ground) -> Rung:
    """Citizen effects and wave effects; the lead of the answer tests feedback from outcome to answer."""
    rows = ground.every.dropna(subset=["belief", "caseworker_id"])
    _require(rows, ground)
    fit = fit_panel("outcome ~ belief", rows, absorb=("wave",), vcov=two_way(rows))
    fits = {"within": fit} | _others(rows)
    used = rows.iloc[fit.need_rows("The ladder").used]
    line = line_of(fit, "belief", rows=used, unit="pp per step of the answer", population="all_rows")
    return Rung(_card(ground, rows, line.n_caseworkers), line, fits)


def _require(rows: pd.DataFrame, ground: Ground) -> None:
    """Refuse a panel in which hardly anyone's answer and outcome change."""
    spread = rows.groupby("citizen_id")[["belief", "outcome"]].agg(["min", "max"])
    moves = np.logical_and(*(spread[c]["max"] > spread[c]["min"] for c in ("belief", "outcome")))
    if int(moves.sum()) < ground.thresholds.min_events:
        raise IdentificationError(
            f"Only {int(moves.sum())} citizens change both answer and outcome; at least "
            f"{ground.thresholds.min_events:g} are needed.",
            ("changes_within_citizens",),
        )


def _others(rows: pd.DataFrame) -> dict[str, Fit]:
    """The same comparison by the other estimators of the field, where they can be computed."""
    attempts: dict[str, Callable[[], Fit]] = {
        "hybrid": lambda: fit_panel("outcome ~ belief + C(wave)", rows, estimator="hybrid"),
        "first_difference": lambda: fit_panel("outcome ~ belief", rows, estimator="first_difference"),
        # without waves: a citizen's outcomes are zeros and then ones, which time tells apart without error
        "conditional_logit": lambda: fit_conditional_logit("outcome ~ belief", rows, group="citizen_id"),
    }
    made = {}
    for name, attempt in attempts.items():
        try:
            made[name] = attempt()
        except (DesignError, EstimationError):  # an alternative that the data cannot carry is left out
            continue
    return made


def _card(ground: Ground, rows: pd.DataFrame, n_caseworkers: int) -> Card:
    return Card(
        "within_citizen",
        "case_level_within",
        (
            enough_clusters(n_caseworkers, ground.thresholds),
            _no_feedback(ground, rows),
            Assumption("no_news_about_the_citizen", "doubtful"),
            Assumption("drop_out_unrelated", "doubtful"),
            Assumption("no_carry_over", "doubtful"),
        ),
    )


def _no_feedback(ground: Ground, rows: pd.DataFrame) -> Assumption:
    """Test whether the *next* answer goes with this outcome (Wooldridge 2010, section 10.7)."""
    following = rows["citizen_id"].eq(rows["citizen_id"].shift(-1))
    ahead = rows.assign(next_belief=np.where(following, rows["belief"].shift(-1), np.nan))
    try:
        fit = fit_panel("outcome ~ belief + next_belief", ahead, absorb=("wave",), vcov=two_way(rows))
        p, statistic = float(fit.pvalues["next_belief"]), float(fit.statistic["next_belief"])
    except (DesignError, EstimationError, KeyError):
        return Assumption("no_feedback", "untested", test="lead_of_belief")
    return Assumption(
        "no_feedback", judge_p(p, ground.thresholds), test="lead_of_belief", statistic=statistic, p_value=p
    )
