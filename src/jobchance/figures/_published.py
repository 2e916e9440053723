"""Which published numbers may stand over a figure: those about the same outcome, horizon and respondent."""

from __future__ import annotations

import pandas as pd

from jobchance.figures import _phrases as phrase
from jobchance.labels.published import PublishedValue, published_value


def published(frame: pd.DataFrame, key: str) -> PublishedValue | None:
    """The published number if the frame's outcome, horizon and respondent are those it is about, else None.

    A horizon that the source does not state counts as a year, the horizon of the same project's other
    numbers; the figure's note must then say that it is not stated.
    """
    found = published_value(key)
    same = (
        found.outcome in ("", phrase.constant(frame, "outcome"))
        and found.respondent in ("", phrase.constant(frame, "respondent"))
        and (found.horizon_weeks or 52) == phrase.whole(frame, "horizon_weeks")
    )
    return found if same else None


def published_belief(frame: pd.DataFrame, rows: pd.DataFrame) -> dict[str, PublishedValue]:
    """Published one-year job shares by answer, for the lowest and the highest of the answers in `rows`.

    Empty unless the frame is about the caseworker's belief in a job within a year.
    """
    if phrase.constant(frame, "construct") != "caseworker_belief":
        return {}
    ends = {
        "p_job_1y_belief_low": str(rows["level"].iloc[0]),
        "p_job_1y_belief_high": phrase.last_answer(rows),
    }
    found = {level: published(frame, key) for key, level in ends.items()}
    return {level: value for level, value in found.items() if value is not None}
