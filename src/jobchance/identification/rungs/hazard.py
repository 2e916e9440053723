"""Rung: the hazard of the outcome by quarter, with the answer in force, on the scale of the horizon."""

from __future__ import annotations

import pandas as pd

from jobchance.design.nodes import quoted
from jobchance.errors import IdentificationError
from jobchance.identification.cards import PREDICTS, Card
from jobchance.identification.hazard_checks import check_hazard
from jobchance.identification.person_periods import person_periods
from jobchance.identification.rungs.model import Ground, Line, Rung, counts, enough_clusters
from jobchance.models.hazard import fit_hazard
from jobchance.models.hazard_curves import hazard_contrast
from jobchance.results.vcov import Cluster

_PERIOD_WEEKS = 13
_EVENTS_PER_PERIOD = 5


def hazard(ground: Ground) -> Rung:
    """Complementary log-log hazard by quarter; one step more of the answer from now on, until the horizon."""
    periods = ground.horizon_weeks // _PERIOD_WEEKS
    if periods < 1:
        raise IdentificationError(
            f"A horizon of {ground.horizon_weeks} weeks holds no quarter of {_PERIOD_WEEKS} weeks.",
            ("quarters",),
        )
    rows = person_periods(ground.panel, period_weeks=_PERIOD_WEEKS)
    rows = _until_thin(rows.dropna(subset=["belief", "caseworker_id"]), periods)
    terms = " + ".join(["belief", *[quoted(c) for c in ground.covariates]])
    fit = fit_hazard(f"event ~ {terms}", rows, time="quarter", vcov=Cluster("caseworker_id"))
    found = hazard_contrast(fit, "belief", horizon_periods=periods).iloc[0]
    line = Line(
        estimate=float(found["estimate_pp"]),
        std_error=float(found["std_error_pp"]),
        conf_low=float(found["conf_low_pp"]),
        conf_high=float(found["conf_high_pp"]),
        p_value=float(found["p_value"]),
        df=float("inf"),
        unit="pp per step of the answer",
        population="all_rows",
        **counts(rows),
    )
    checks = check_hazard(fit, rows, thresholds=ground.thresholds)
    card = Card(
        "hazard",
        "predictive_timing",
        (enough_clusters(line.n_caseworkers, ground.thresholds), *checks),
        ceiling=PREDICTS,
    )
    return Rung(card, line, {"hazard": fit})


def _until_thin(rows: pd.DataFrame, periods: int) -> pd.DataFrame:
    """Quarters until the first with too few events for an intercept of its own."""
    events = rows.groupby("quarter")["event"].sum().sort_index()
    thin = events.index[events < _EVENTS_PER_PERIOD]
    last = int(thin[0]) if len(thin) else int(events.index[-1]) + 1
    if last < periods:
        raise IdentificationError(
            f"Only the first {last} quarters have at least {_EVENTS_PER_PERIOD} events, of {periods} needed.",
            ("events",),
        )
    return rows[rows["quarter"] < last]
