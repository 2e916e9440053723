"""Answers by construct: one row per citizen, wave, respondent and construct, on the item's own steps.

A construct with several items enters with the mean of the answered items; a mean or a continuous answer is
rounded (half up) to the nearest step, and `rounded` says so. Reversed items are turned, so that a higher
step always means more of the construct. "Don't know" is an answer and keeps a row of its own.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from jobchance.indicator.scores import DONT_KNOW as DONT_KNOW
from jobchance.indicator.scores import turned
from jobchance.panel.beliefs import belief_item
from jobchance.study.instrument import Construct, Item
from jobchance.study.model import Study


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
    construct = {item.item_id: item.construct for item in study.instrument.items}
    rating = study.tables["rating"]
    unsure = rating["missing_reason"] == DONT_KNOW if "missing_reason" in rating else False
    answered = rating["item_id"].isin(list(construct)) & (rating["value"].notna() | unsure)
    rows = rating.loc[answered, ["measurement_id", "item_id", "value"]]
    rows = rows.assign(
        construct=rows["item_id"].map(construct),
        value=turned(rows["item_id"], rows["value"], study.instrument.items),
    ).merge(forms(study), on="measurement_id")
    keys = ["citizen_id", "wave", "respondent", "construct"]
    context = ["date", "caseworker_id", "jobcentre_id"]
    grouped = rows.groupby(keys, sort=True).agg({"value": "mean", **dict.fromkeys(context, "first")})
    return _with_levels(grouped.reset_index())


def belief_steps(study: Study, rows: pd.DataFrame) -> pd.Series:
    """Belief of panel rows as a step: turned if reversed, rounded half up; NaN for "don't know"."""
    item = belief_item(study)
    value = rows["belief"].astype(float)
    oriented = item.scale_min + item.scale_max - value if item.reversed else value
    return pd.Series(np.floor(oriented.to_numpy() + 0.5), index=rows.index)


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


def construct_columns(study: Study, construct: Construct, respondent: str) -> dict[str, str | int]:
    """What a row says about its construct: id, number, names, and how certain construct and wording are."""
    items = items_of(study, construct.construct_id, respondent)
    unsure = [item.wording_status for item in items if item.wording_status != "verified"]
    return {
        "construct": construct.construct_id,
        "number": construct.number,
        "construct_da": construct.label.get("da", construct.construct_id),
        "construct_en": construct.label.get("en", construct.construct_id),
        "construct_status": construct.status,
        "wording_status": unsure[0] if unsure else "verified",
        "respondent": respondent,
    }


def one_decimal(mean: float) -> float:
    """A mean rounded half up to one decimal, as it is printed."""
    return float(np.floor(mean * 10 + 0.5) / 10)


def _with_levels(answers: pd.DataFrame) -> pd.DataFrame:
    value = answers["value"]
    step = np.floor(value + 0.5)
    answers["dont_know"] = value.isna()
    answers["rounded"] = value.notna() & (step != value)
    names = {number: str(int(number)) for number in step.dropna().unique()}
    answers["level"] = step.map(names).fillna(DONT_KNOW)
    return answers
