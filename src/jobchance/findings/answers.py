"""Answers by construct: one row per citizen, wave, respondent and construct, on the item's own steps.

A construct with several items enters with the mean of the answered items; a mean or a continuous answer is
rounded (half up) to the nearest step, and `rounded` says so. Reversed items are turned, so that a higher
step always means more of the construct. "Don't know" is an answer and keeps a row of its own.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from jobchance.study.instrument import Construct, Item
from jobchance.study.model import Study

DONT_KNOW = "dont_know"


def construct_answers(study: Study) -> pd.DataFrame:
    """Every answer to the instrument's questions, by construct.

    Parameters
    ----------
    study : Study
        Needs `measurement` and `rating`.

    Returns
    -------
    DataFrame
        `citizen_id wave date respondent caseworker_id jobcentre_id construct level value dont_know rounded`:
        `value` on the scale (NaN for don't know), `level` the step as text or `"dont_know"`. The caseworker
        of a form that does not name one is the one named by the other forms of that citizen and wave.
    """
    items = pd.DataFrame(
        [(i.item_id, i.construct, i.scale_min + i.scale_max, i.reversed) for i in study.instrument.items],
        columns=["item_id", "construct", "_turn", "_reversed"],
    ).drop_duplicates("item_id")
    rating = study.tables["rating"]
    answered = rating[rating["value"].notna() | (rating["missing_reason"] == DONT_KNOW)]
    rows = answered[["measurement_id", "item_id", "value"]].merge(items, on="item_id")
    value = rows["value"].astype(float)
    rows["value"] = value.where(~rows["_reversed"].astype(bool), rows["_turn"] - value)
    rows = rows.merge(forms(study), on="measurement_id")
    keys = ["citizen_id", "wave", "respondent", "construct"]
    context = ["date", "caseworker_id", "jobcentre_id"]
    grouped = rows.groupby(keys, sort=True).agg({"value": "mean", **dict.fromkeys(context, "first")})
    return _with_levels(grouped.reset_index())


def forms(study: Study) -> pd.DataFrame:
    """One row per form: `measurement_id citizen_id wave date respondent caseworker_id jobcentre_id`."""
    table = study.tables["measurement"]
    columns = ["measurement_id", "citizen_id", "wave", "date", "respondent"]
    found = table[columns].copy()
    named = table["caseworker_id"] if "caseworker_id" in table else pd.Series(pd.NA, index=table.index)
    found["caseworker_id"] = named.astype("string").astype(object).where(named.notna(), None)
    by_wave = found.groupby(["citizen_id", "wave"])["caseworker_id"].transform("first")
    found["caseworker_id"] = found["caseworker_id"].where(found["caseworker_id"].notna(), by_wave)
    found["jobcentre_id"] = None
    if "caseworker" in study.tables:
        home = study.tables["caseworker"].set_index("caseworker_id")["jobcentre_id"]
        found["jobcentre_id"] = found["caseworker_id"].map(home)
    return found


def items_of(study: Study, construct: str, respondent: str) -> tuple[Item, ...]:
    """The construct's items for one respondent, in the instrument's order."""
    return tuple(
        item
        for item in study.instrument.items
        if item.construct == construct and item.respondent == respondent
    )


def constructs_of(study: Study) -> tuple[Construct, ...]:
    """The instrument's constructs by number."""
    return tuple(sorted(study.instrument.constructs, key=lambda construct: construct.number))


def steps(item: Item) -> list[str]:
    """The item's steps from low to high as text: its categories, or the whole numbers of its scale."""
    if item.categories:
        return [str(step) for step in sorted(item.categories)]
    return [str(step) for step in range(int(np.ceil(item.scale_min)), int(np.floor(item.scale_max)) + 1)]


def step_label(item: Item, level: str, lang: str) -> str:
    """Wording of one step in `lang`; the number itself where the item has no words for it."""
    number = int(level)
    words = item.categories.get(
        int(item.scale_min + item.scale_max) - number if item.reversed else number, {}
    )
    return words.get(lang) or words.get("en") or level


def is_placeholder(item: Item) -> bool:
    """Whether the wording is a placeholder and must be shown as such."""
    return item.wording_status == "placeholder"


def _with_levels(answers: pd.DataFrame) -> pd.DataFrame:
    value = answers["value"]
    step = np.floor(value + 0.5)
    answers["dont_know"] = value.isna()
    answers["rounded"] = value.notna() & (step != value)
    answers["level"] = step.map(lambda number: DONT_KNOW if np.isnan(number) else str(int(number)))
    return answers
