"""What a panel says of itself: the last lines of its flow, and its choices, counts and conventions."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from jobchance.panel.flow import SampleFlow
from jobchance.panel.windows import Observed
from jobchance.study.model import Study


def describe_rows(flow: SampleFlow, frame: pd.DataFrame) -> SampleFlow:
    """The last line of the sample, and the rows in it that have no outcome, no number or no optimism."""
    flow = flow.add("panel", frame, reason="panel")
    flow = flow.add("of_which_censored", frame[frame["censored"]], reason="censored")
    flow = flow.add("of_which_dont_know", frame[frame["belief_dont_know"]], reason="dont_know")
    return flow.add("of_which_no_optimism", frame[frame["optimism"].isna()], reason="no_optimism")


def panel_meta(
    study: Study,
    frame: pd.DataFrame,
    observed: Observed,
    keep: NDArray[np.bool_],
    *,
    rule: str,
    horizon_weeks: int,
    at_risk: str,
) -> dict[str, object]:
    """What the panel is: choices, counts, conventions (keys of `panel.convention.<key>`), no ids."""
    reasons, counts = np.unique(observed.reason[keep], return_counts=True)
    respondent = study.analysis.belief_respondent
    return {
        "outcome": rule,
        "horizon_weeks": horizon_weeks,
        "at_risk": at_risk,
        "belief_item": study.analysis.belief_item,
        "belief_respondent": respondent,
        "study_name": study.name,
        "study_source": study.source,
        "study_fingerprint": study.fingerprint,
        "data_kind": study.data_kind,
        "data_through": study.data_through,
        "n_rows": len(frame),
        "n_citizens": int(frame["citizen_id"].nunique()),
        "n_caseworkers": int(frame["caseworker_id"].nunique()),
        "n_jobcentres": int(frame["jobcentre_id"].nunique()),
        "n_events": int((frame["outcome"] == 1).sum()),
        "n_censored": int(frame["censored"].sum()),
        "n_censored_by_reason": {str(r): int(n) for r, n in zip(reasons, counts, strict=True) if r},
        "n_state_unknown": int((~observed.state_known[keep]).sum()),
        "conventions": (
            "window",
            "outcome",
            "censoring",
            f"at_risk_{at_risk}",
            "weeks_to_outcome",
            "one_row_per_wave",
            "dont_know",
            "expectation",
            "optimism" if respondent == "caseworker" else "no_optimism",
        ),
    }
