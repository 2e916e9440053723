"""F16: cumulative share with the outcome by weeks since the measurement, one curve per answer."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from jobchance.disclosure.policy import DisclosurePolicy
from jobchance.findings.belief_distribution import answered
from jobchance.findings.context import add_context, cluster_labels, interval_key
from jobchance.findings.contrasts import may_show
from jobchance.findings.model import Finding
from jobchance.numerics.survival import cumulative_incidence, incidence_gap, pooled_steps
from jobchance.panel.answers import DONT_KNOW, step_label, steps
from jobchance.panel.beliefs import belief_item
from jobchance.panel.model import AnalysisPanel
from jobchance.study.model import Study

NAME = "job_curve_by_belief"
_COLUMNS = (
    "mark", "level", "compared_with", "week", "estimate", "conf_low", "conf_high", "N_citizens", "N_events",
    "N_caseworkers", "N_at_risk",
)  # fmt: skip


def needs(study: Study, panel: AnalysisPanel | None) -> tuple[str, ...]:
    """Outcomes, answers, and dates of the outcomes (`figure.job_curve_by_belief.need.dates`)."""
    if panel is None or not panel.frame["outcome"].notna().any():
        return ("need.outcome",)
    rows = answered(study, panel)
    if (rows["level"] == DONT_KNOW).all():
        return ("need.belief",)
    undated = rows["event_observed"] & rows["weeks_to_outcome"].isna()
    return (f"figure.{NAME}.need.dates",) if undated.any() or not rows["event_observed"].any() else ()


def build(study: Study, panel: AnalysisPanel | None, *, policy: DisclosurePolicy) -> Finding:
    """Kaplan–Meier curves by answer, a risk table in bands, and the gap between the outermost answers.

    Everyone counts until the end of their follow-up. A curve is given only at weeks between which at least
    `policy.curve_min_events` citizens got the outcome; the last one is always the end of the horizon.

    Parameters
    ----------
    study, panel
        See `needs`.
    policy : DisclosurePolicy
        Steps, bands and which curves may be shown.

    Returns
    -------
    Finding
        Frame: `mark level compared_with label_da label_en week estimate conf_low conf_high N_citizens
        N_events N_caseworkers N_at_risk`; `mark` is `curve` (share by the end of `week`; `N_citizens` at
        risk when the step began, rounded to `band`; `N_events` in the step), `at_risk` (`N_at_risk` after
        `week` weeks, rounded to `band`) or `gap` (highest minus lowest answer); then `band item construct`
        and the context.
    """
    if panel is None:
        raise ValueError("job_curve_by_belief needs a panel; ask needs() first")
    item = belief_item(study)
    rows = answered(study, panel).dropna(subset=["weeks_to_outcome"])
    horizon = int(str(panel.meta["horizon_weeks"]))
    band = policy.round_base or max(policy.min_persons, 5)
    parts = {level: rows[rows["level"] == level] for level in [*steps(item), DONT_KNOW]}
    shown = [level for level, part in parts.items() if _enough(part, policy=policy)]
    order = [level for level in shown if level != DONT_KNOW]
    records = [
        record for level in shown for record in _curve(parts[level], level, horizon, band=band, policy=policy)
    ]
    if not records:  # every answer has too few events: rows that disclosure control hides
        records = [_hidden(part, level, horizon) for level, part in parts.items() if len(part)]
    if len(order) > 1:
        records += _gaps(rows, order[-1], order[0], horizon, policy=policy)
    frame = pd.DataFrame(records, columns=_COLUMNS)
    words = {
        f"label_{lang}": [
            level if level == DONT_KNOW else step_label(item, level, lang) for level in frame["level"]
        ]
        for lang in ("da", "en")
    }
    frame = frame.assign(
        **words,
        band=band,
        min_events=policy.curve_min_events,
        item=item.item_id,
        construct=item.construct,
        instrument=study.instrument.name,
    )
    frame = add_context(
        frame,
        study,
        panel,
        rows=rows,
        estimand="predictive",
        population="first_at_risk",
        interval=interval_key(rows).replace("wilson", "greenwood"),
    )
    return Finding("F16", NAME, frame, "HazardSurvivalTables")


def quarters(horizon: int) -> list[int]:
    """Weeks of the risk table and of the gap: 0, 1/4, 1/2, 3/4 and all of the horizon."""
    return [round(horizon * part / 4) for part in range(5)]


def _enough(rows: pd.DataFrame, *, policy: DisclosurePolicy) -> bool:
    """Whether the answer's share may be shown and its curve has at least one full step."""
    return may_show(rows, policy=policy) and int(rows["event_observed"].sum()) >= policy.curve_min_events


def _hidden(rows: pd.DataFrame, level: str, horizon: int) -> dict[str, object]:
    """The place of a curve that may not be shown."""
    return {"mark": "curve", "level": level, "week": horizon} | {
        "N_citizens": len(rows),
        "N_events": int(rows["event_observed"].sum()),
        "N_caseworkers": int(rows["caseworker_id"].nunique()),
    }


def _times(rows: pd.DataFrame, horizon: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Weeks under observation, and 1 for the outcome or 0 for the end of observation."""
    weeks = np.asarray(rows["weeks_to_outcome"].clip(upper=horizon), dtype=np.int64)
    return weeks, np.asarray(rows["event_observed"], dtype=np.int64)


def _curve(
    rows: pd.DataFrame, level: str, horizon: int, *, band: int, policy: DisclosurePolicy
) -> list[dict[str, object]]:
    """Knots of one curve and its risk table."""
    weeks, event = _times(rows, horizon)
    caseworkers = int(rows["caseworker_id"].nunique())
    curve = cumulative_incidence(weeks, event, horizon_weeks=horizon, cluster=cluster_labels(rows))
    knots = pooled_steps(curve.events, minimum=policy.curve_min_events)
    starts = np.concatenate([[0], knots[:-1] + 1]).astype(int)  # at least one knot: see _enough
    steps_shown = [
        {
            "mark": "curve",
            "level": level,
            "week": int(knot) + 1,
            "estimate": curve.incidence[knot],
            "conf_low": curve.conf_low[knot],
            "conf_high": curve.conf_high[knot],
            "N_citizens": _banded(curve.at_risk[start], band),
            "N_events": int(curve.events[start : knot + 1].sum()),
            "N_caseworkers": caseworkers,
        }
        for start, knot in zip(starts, knots, strict=True)
    ]
    table = [
        {"mark": "at_risk", "level": level, "week": week, "N_citizens": n, "N_at_risk": n}
        | {"N_caseworkers": caseworkers}
        for week in quarters(horizon)
        for n in [_banded(int((weeks >= week).sum()), band)]
    ]
    return [*steps_shown, *table]


def _gaps(
    rows: pd.DataFrame, upper: str, lower: str, horizon: int, *, policy: DisclosurePolicy
) -> list[dict[str, object]]:
    """Highest minus lowest answer at the quarters where both curves hold enough events."""
    both = rows[rows["level"].isin([upper, lower])]
    weeks, event = _times(both, horizon)
    above = (both["level"] == upper).to_numpy()
    found = incidence_gap(weeks, event, upper=above, horizon_weeks=horizon, cluster=cluster_labels(both))
    records: list[dict[str, object]] = []
    for week in quarters(horizon)[1:]:
        within = (weeks < week) & (event == 1)
        if min(int((within & above).sum()), int((within & ~above).sum())) < policy.curve_min_events:
            continue
        records.append(
            {
                "mark": "gap",
                "level": upper,
                "compared_with": lower,
                "week": week,
                "estimate": found.gap[week - 1],
                "conf_low": found.conf_low[week - 1],
                "conf_high": found.conf_high[week - 1],
                "N_citizens": len(both),
                "N_events": int(within.sum()),
                "N_caseworkers": int(both["caseworker_id"].nunique()),
            }
        )
    return records


def _banded(n: int, band: int) -> int:
    """`n` rounded to the nearest multiple of `band`."""
    return int(band * np.floor(n / band + 0.5))
