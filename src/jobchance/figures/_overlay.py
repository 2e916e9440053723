"""Published numbers over the user's own: which of them match a frame, and hollow markers named in the key."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import pandas as pd
from matplotlib.axes import Axes

from jobchance.figures import _phrases as phrase
from jobchance.figures import marks, style
from jobchance.figures.direct import figure_of
from jobchance.labels.load import label
from jobchance.labels.published import PublishedValue, published_value

ENDS = {"1": "p_job_1y_belief_low", "5": "p_job_1y_belief_high"}  # on the published scale of five steps


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

    Empty unless the frame is about the caseworker's belief in a job within a year. An end of the scale that
    is not among the rows (hidden, or another scale) has no marker: its neighbour is another answer.
    """
    if phrase.constant(frame, "construct") != "caseworker_belief":
        return {}
    if phrase.constant(frame, "instrument") != "bip":  # the ends of another scale are other answers
        return {}
    ends = {str(rows["level"].iloc[0]), phrase.last_answer(rows)}
    found = {level: published(frame, key) for level, key in ENDS.items() if level in ends}
    return {level: value for level, value in found.items() if value is not None}


def draw_overlay(
    ax: Axes, places: Iterable[tuple[float, float]], values: Collection[PublishedValue], *, lang: str
) -> None:
    """Draw a hollow diamond at every place and name the sources in the key above the axes.

    Parameters
    ----------
    ax : Axes
        Axes made by `new_figure`.
    places : iterable of (float, float)
        One place in data units for each value.
    values : collection of PublishedValue
        Only their source keys are used here.
    lang : str
        Language of the key.
    """
    for x, y in places:
        marks.hollow_marker(ax, x, y)
    sources = [
        marks.KeyEntry(label("published.marker", lang, key=key), style.PUBLISHED, marker="D")
        for key in source_keys(values)
    ]
    marks.add_key(figure_of(ax), sources)


def source_keys(values: Iterable[PublishedValue]) -> tuple[str, ...]:
    """Source keys of the values, each once, for `Description.published`."""
    return tuple(sorted({value.source_key for value in values}))
