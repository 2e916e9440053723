"""Answers by construct: one row per citizen, wave, respondent and construct, on the item's own steps.

A construct with several items enters with the mean of the answered items; a mean or a continuous answer is
rounded (half up) to the nearest step, and `rounded` says so. Reversed items are turned, so that a higher
step always means more of the construct. "Don't know" is an answer and keeps a row of its own.

A scale of more than `MAX_STEPS` steps (0 to 100, for example) is cut into `BANDS` bands of equal width, which
then are its steps `"1"` to `"5"`: single points would hold too few citizens to be shown.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from jobchance.formatting import Formatter
from jobchance.indicator.scores import DONT_KNOW as DONT_KNOW
from jobchance.indicator.scores import turned
from jobchance.panel.beliefs import belief_item
from jobchance.study.instrument import Construct, Item
from jobchance.study.model import Study

Floats = NDArray[np.float64]

MAX_STEPS = 11  # 0 to 10 is shown as it is
BANDS = 5


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
        `value` in steps, unrounded (NaN for don't know), `level` the step as text or `"dont_know"`. The
        caseworker of a form that does not name one is the one named by the other forms of that citizen and
        wave.
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
    return _with_levels(grouped.reset_index(), study)


def belief_steps(study: Study, rows: pd.DataFrame) -> pd.DataFrame:
    """Belief of panel rows as a `step`, turned if reversed (NaN for "don't know"), and whether `rounded`."""
    item = belief_item(study)
    value = rows["belief"].astype(float)
    oriented = item.scale_min + item.scale_max - value if item.reversed else value
    _, step, rounded = _on_steps(item, np.asarray(oriented, dtype=np.float64))
    return pd.DataFrame({"step": step, "rounded": rounded}, index=rows.index)


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
    """The item's steps from low to high as text: categories, whole numbers of its scale, or its bands."""
    numbers = range(1, BANDS + 1) if _in_bands(item) else _points(item)
    return [str(number) for number in numbers]


def step_label(item: Item, level: str, lang: str) -> str:
    """Wording of one step in `lang`; the number itself, or the band's ends, where there are no words."""
    number = int(level)
    if _in_bands(item):
        return _band_label(item, number, lang)
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


def _with_levels(answers: pd.DataFrame, study: Study) -> pd.DataFrame:
    """Levels of answers that are still on the scales of their items."""
    first = {(item.construct, item.respondent): item for item in reversed(study.instrument.items)}
    in_steps = answers["value"].to_numpy(dtype=float, copy=True)
    step, rounded = in_steps.copy(), np.zeros(len(answers), dtype=bool)
    for (construct, respondent), item in first.items():
        own = (answers["construct"] == construct) & (answers["respondent"] == respondent)
        places = own.to_numpy(dtype=bool)
        in_steps[places], step[places], rounded[places] = _on_steps(item, in_steps[places])
    names = {number: str(int(number)) for number in np.unique(step[~np.isnan(step)])}
    return answers.assign(
        value=in_steps,
        dont_know=np.isnan(in_steps),
        rounded=rounded,
        level=pd.Series(step, index=answers.index).map(names).fillna(DONT_KNOW),
    )


def _on_steps(item: Item, value: Floats) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Oriented answers in steps, the step each belongs to, and whether it was rounded to get there.

    In bands, `value` runs from half a step below the first to half a step above the last.
    """
    if _in_bands(item):
        in_steps = 0.5 + BANDS * (value - item.scale_min) / (item.scale_max - item.scale_min)
        return in_steps, np.clip(np.floor(in_steps + 0.5), 1, BANDS), np.zeros(len(value), dtype=bool)
    points = _points(item)
    step = np.clip(np.floor(value + 0.5), points[0], points[-1])
    return value, step, ~np.isnan(value) & (step != value)


def _points(item: Item) -> Sequence[int]:
    """Single points of the item's scale, low to high; at least one."""
    if item.categories:
        return sorted(item.categories)
    lowest = int(np.ceil(item.scale_min))
    return range(lowest, max(int(np.floor(item.scale_max)), lowest) + 1)


def _in_bands(item: Item) -> bool:
    return len(_points(item)) > MAX_STEPS


def _band_label(item: Item, number: int, lang: str) -> str:
    """Whole numbers of one band: `"20–39"`."""
    low, high = (
        item.scale_min + (item.scale_max - item.scale_min) * part / BANDS for part in (number - 1, number)
    )
    last = np.floor(high) if number == BANDS else np.ceil(high) - 1
    return Formatter(lang).range(np.ceil(low), last, decimals=0)
