"""F3: how the answers to the belief question are distributed at each citizen's first at-risk measurement."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from jobchance.disclosure.policy import DisclosurePolicy
from jobchance.disclosure.protect import protect
from jobchance.findings.context import add_context, cluster_labels, first_at_risk, interval_key
from jobchance.findings.model import Finding
from jobchance.numerics.proportions import share
from jobchance.panel.answers import DONT_KNOW, belief_steps, step_label, steps
from jobchance.panel.beliefs import belief_item
from jobchance.panel.model import AnalysisPanel
from jobchance.study.instrument import Item
from jobchance.study.model import Study

NAME = "belief_distribution"


def needs(study: Study, panel: AnalysisPanel | None) -> tuple[str, ...]:
    """`need.outcome` without a panel, `need.belief` without answers to the belief question."""
    if panel is None:
        return ("need.outcome",)
    return () if len(answered(study, panel)) else ("need.belief",)


def build(study: Study, panel: AnalysisPanel | None, *, policy: DisclosurePolicy) -> Finding:
    """Share of citizens with each answer, "don't know" among them, with an interval.

    The share of answer b is `n_b / n` over everyone who answered, "don't know" included; the interval is
    Wilson on the effective sample (clustered by caseworker where caseworkers are known). Answers between
    two steps are rounded to the nearest one (`rounded`).

    Parameters
    ----------
    study, panel
        See `needs`.
    policy : DisclosurePolicy
        Small answers are hidden together with a second one, since the shares add up to one.

    Returns
    -------
    Finding
        Frame: `level label_da label_en share conf_low conf_high N_citizens N_caseworkers N_answers
        suppressed item construct construct_da construct_en instrument
        wording_status rounded` and the context; one row per answer, low to high,
        "don't know" last where the question offers it.
    """
    if panel is None:
        raise ValueError("belief_distribution needs a panel; ask needs() first")
    item = belief_item(study)
    construct = study.instrument.construct(item.construct)
    rows = answered(study, panel)
    clusters = cluster_labels(rows)
    records = [
        _record(rows, level, clusters=clusters)
        | {f"label_{lang}": _words(item, level, lang) for lang in ("da", "en")}
        for level in [*steps(item), *([DONT_KNOW] if item.has_dont_know else [])]
    ]
    first = ["level", "label_da", "label_en"]
    frame = pd.DataFrame(records)
    frame = frame[first + [column for column in frame if column not in first]].assign(
        N_answers=int(rows["citizen_id"].nunique())
    )
    frame = protect(frame, policy, output=NAME, totals=())
    frame = frame.assign(
        item=item.item_id,
        construct=construct.construct_id,
        construct_da=construct.label.get("da", construct.construct_id),
        construct_en=construct.label.get("en", construct.construct_id),
        instrument=study.instrument.name,
        wording_status=item.wording_status,
        rounded=bool(rows["rounded"].any()),
    )
    frame = add_context(
        frame,
        study,
        panel,
        rows=rows,
        estimand="descriptive",
        population="first_at_risk",
        interval=interval_key(rows),
    )
    return Finding("F3", NAME, frame, "Frequencies")


def answered(study: Study, panel: AnalysisPanel) -> pd.DataFrame:
    """First at-risk measurements, one per citizen, with `level` as text and whether it was `rounded`.

    `level` is the step of the belief item (turned where the item is reversed) or `"dont_know"`.
    """
    rows = first_at_risk(panel)
    rows = rows[rows["belief"].notna() | rows["belief_dont_know"].astype(bool)]
    placed = belief_steps(study, rows)
    return rows.assign(
        level=[DONT_KNOW if np.isnan(number) else str(int(number)) for number in placed["step"]],
        rounded=placed["rounded"],
    )


def _record(rows: pd.DataFrame, level: str, *, clusters: NDArray[np.object_] | None) -> dict[str, object]:
    chosen = (rows["level"] == level).to_numpy()
    result = share(chosen, cluster=clusters)
    return {
        "level": level,
        "share": result.estimate,
        "conf_low": result.conf_low,
        "conf_high": result.conf_high,
        "N_citizens": int(rows.loc[chosen, "citizen_id"].nunique()),
        "N_caseworkers": int(rows.loc[chosen, "caseworker_id"].nunique()),
    }


def _words(item: Item, level: str, lang: str) -> str:
    return DONT_KNOW if level == DONT_KNOW else step_label(item, level, lang)
