"""A study typed in by hand: `forms` and `answers` in a few words, everything else by default."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pandas as pd

from jobchance.disclosure.policy import DisclosurePolicy
from jobchance.panel.model import AnalysisPanel
from jobchance.study.instrument import read_instrument
from jobchance.study.model import Analysis, Study

START = pd.Timestamp("2013-03-04")
OPEN = DisclosurePolicy(
    min_persons=0, min_events=0, min_entities={}, zeros_disclosive=False, check_margins=False
)
STRICT = DisclosurePolicy(min_entities={}, zeros_disclosive=False)


def make_study(
    forms, *, assignment=None, caseworkers=("s1", "s2", "s3", "s4"), instrument=None, analysis=None
):
    """Forms are `(citizen, wave, respondent, caseworker or None, {item: value or None for "don't know"})`."""
    measurement, rating = [], []
    for number, (citizen, wave, respondent, caseworker, answers) in enumerate(forms):
        key = f"form{number}"
        day = START + pd.Timedelta(weeks=13 * (wave - 1))
        measurement.append((key, citizen, day, wave, respondent, caseworker))
        rating += [
            (
                key,
                item,
                float("nan") if value is None else float(value),
                "dont_know" if value is None else None,
            )
            for item, value in answers.items()
        ]
    tables = {
        "citizen": pd.DataFrame({"citizen_id": sorted({form[0] for form in forms})}),
        "caseworker": pd.DataFrame({"caseworker_id": list(caseworkers), "jobcentre_id": "j1"}),
        "measurement": pd.DataFrame(
            measurement,
            columns=["measurement_id", "citizen_id", "date", "wave", "respondent", "caseworker_id"],
        ),
        "rating": pd.DataFrame(rating, columns=["measurement_id", "item_id", "value", "missing_reason"]),
    }
    if assignment is not None:
        tables["assignment"] = assignment
    return Study(
        tables,
        instrument or read_instrument("bip"),
        "Small study",
        "typed in",
        "simulated",
        "da",
        date(2016, 12, 31),
        analysis=analysis or Analysis(),
    )


def make_panel(rows, *, outcome="job", horizon_weeks=52):
    """Rows are `(citizen, caseworker, wave, belief or None for "don't know", outcome)`."""
    frame = pd.DataFrame(rows, columns=["citizen_id", "caseworker_id", "wave", "belief", "outcome"])
    frame["belief_dont_know"] = frame["belief"].isna()
    frame["belief"] = frame["belief"].astype(float)
    frame["outcome"] = frame["outcome"].astype(float)
    frame["jobcentre_id"] = "j1"
    frame["date"] = [START + pd.Timedelta(weeks=13 * (wave - 1)) for wave in frame["wave"]]
    frame["window_start"] = frame["date"] + pd.Timedelta(days=7)
    meta = {"outcome": outcome, "horizon_weeks": horizon_weeks}
    return AnalysisPanel(frame, pd.DataFrame(), meta)


def with_item(instrument, item_id, **changes):
    """The instrument with one item changed."""
    items = tuple(replace(item, **changes) if item.item_id == item_id else item for item in instrument.items)
    return replace(instrument, items=items)
