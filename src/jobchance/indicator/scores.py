"""Scores of the instrument's scales: reversal exactly once, and a stated rule for missing items."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from jobchance.errors import SpecError
from jobchance.study.instrument import Item, Scale
from jobchance.study.model import Study

DONT_KNOW = "dont_know"


def score_scale(study: Study, scale_id: str) -> pd.DataFrame:
    r"""Score of one scale for every measurement at which at least one of its items was put.

    .. math:: s_m = \frac{1}{|A_m|} \sum_{q \in A_m} x_{mq} \quad\text{if } |A_m| \ge \text{min\_answered},

    where `A_m` are the items with a number at measurement `m` and `x` the answer, turned for reversed items
    (`scale_min + scale_max - value`). This is the only place where a score turns an item.

    "Don't know" (`missing_reason = "dont_know"`) is an answer: it counts in `n_answered` and has a share of
    its own, but it has no number, so it neither enters the mean nor helps to reach `min_answered`.

    Parameters
    ----------
    study : Study
        Needs `rating`; the scale and its items come from `study.instrument`.
    scale_id : str
        One of the instrument's scales, for example `"core7_caseworker"`.

    Returns
    -------
    DataFrame
        One row per measurement, sorted by `measurement_id`: `measurement_id score n_answered n_items
        n_scored dont_know_share`. `score` is in scale points, NaN where fewer than `min_answered` items
        have a number; `n_answered` counts numbers and "don't know"; `n_scored` counts numbers;
        `dont_know_share` is the share of the scale's `n_items` items answered "don't know".

    Raises
    ------
    SpecError
        The instrument has no such scale, the scale names an item that the instrument lacks, or its items
        have different ranges, so that a mean would have no unit.

    Notes
    -----
    Nothing is imputed, and a scale is never rescaled to another range.

    Examples
    --------
    >>> import jobchance as jc
    >>> study = jc.simulate_study(seed=1)  # doctest: +SKIP
    >>> score_scale(study, "core7_caseworker").head()  # doctest: +SKIP
    """
    scale = study.instrument.scale(scale_id)
    items = _items(study, scale)
    rating = study.tables["rating"]
    rows = rating.loc[rating["item_id"].isin(scale.items), ["measurement_id", "item_id"]]
    value = turned(rating.loc[rows.index, "item_id"], rating.loc[rows.index, "value"], items)
    reason = rating.loc[rows.index, "missing_reason"] if "missing_reason" in rating else None
    unsure = pd.Series(False, index=rows.index) if reason is None else (reason == DONT_KNOW).fillna(False)
    counted = rows.assign(score=value, n_scored=value.notna(), n_unsure=unsure.astype(bool))
    scores = counted.groupby("measurement_id", sort=True, as_index=False).agg(
        score=("score", "mean"), n_scored=("n_scored", "sum"), n_unsure=("n_unsure", "sum")
    )
    scores["score"] = scores["score"].where(scores["n_scored"] >= scale.min_answered)
    scores["n_answered"] = scores["n_scored"] + scores["n_unsure"]
    scores["n_items"] = len(scale.items)
    scores["dont_know_share"] = scores["n_unsure"] / len(scale.items)
    return scores[["measurement_id", "score", "n_answered", "n_items", "n_scored", "dont_know_share"]]


def turned(item_id: pd.Series, value: pd.Series, items: Iterable[Item]) -> pd.Series:
    """Answers as floats with reversed items turned, so that higher always means more of the construct.

    Parameters
    ----------
    item_id, value : Series
        Item and answer of each rating, with one index.
    items : iterable of Item
        The items that may occur; an item that is not reversed leaves its answers as they are.

    Returns
    -------
    Series
        Floats on the item's own scale, NaN where there is no number.
    """
    pivot = {item.item_id: item.scale_min + item.scale_max for item in items if item.reversed}
    number = value.astype(float)
    turn = item_id.map(pivot).astype(float)
    return number.where(turn.isna(), turn - number)


def _items(study: Study, scale: Scale) -> list[Item]:
    """The scale's items, all on one range."""
    items = [study.instrument.item(item_id) for item_id in scale.items]
    ranges = sorted({(item.scale_min, item.scale_max) for item in items})
    if len(ranges) > 1:
        listed = ", ".join(f"{low:g}-{high:g}" for low, high in ranges)
        raise SpecError(f"scale {scale.scale_id!r} mixes items with different ranges: {listed}")
    return items
