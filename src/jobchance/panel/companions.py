"""What stands beside the belief of each row: the assignment, the citizen's own answers, ongoing activities.

These columns carry the designs of the evidence ladder. They describe the measurement date or time before it;
none looks ahead.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from jobchance.indicator.scores import score_scale, turned
from jobchance.study.model import Study

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

COLUMNS = (
    "assignment_rule",
    "shift_reason",
    "relation_weeks",
    "citizen_belief",
    "citizen_score",
    "action",
)
_OWN_BELIEF = "self_efficacy"  # the construct: the citizen's belief in managing a job
_NOT_HELD = ("planned", "not_started")


def companion_columns(study: Study, rows: pd.DataFrame) -> pd.DataFrame:
    """Columns `COLUMNS` on the index of `rows`; missing where the study lacks the table.

    Parameters
    ----------
    study : Study
        `assignment`, `activity` and the citizen's forms are used where they are there.
    rows : DataFrame
        `citizen_id caseworker_id wave date`, sorted by citizen and wave.

    Returns
    -------
    DataFrame
        `assignment_rule`: rule of the lead spell in force on the date. `shift_reason`: why the lead spell
        before it ended, in rows whose caseworker is not that of the citizen's row before. `relation_weeks`:
        weeks since the spell in force began, where it is that of the row's caseworker. `citizen_belief`:
        the citizen's own answer on the construct `self_efficacy` in the same wave. `citizen_score`: score of
        the instrument's scale of citizen items in that wave. `action`: 1 if an activity was going on on the
        date, else 0.
    """
    made = pd.DataFrame(index=rows.index)
    made[["assignment_rule", "shift_reason", "relation_weeks"]] = _assignment(study, rows)
    made["citizen_belief"] = _by_wave(study, rows, _own_belief(study))
    made["citizen_score"] = _by_wave(study, rows, _own_score(study))
    made["action"] = _action(study, rows)
    return made[list(COLUMNS)]


def _assignment(study: Study, rows: pd.DataFrame) -> pd.DataFrame:
    """Rule, reason and weeks from the lead spells of each citizen."""
    empty = pd.DataFrame(
        {"assignment_rule": None, "shift_reason": None, "relation_weeks": np.nan}, index=rows.index
    )
    table = study.tables.get("assignment")
    if table is None or table.empty or rows.empty:
        return empty
    lead = table[table["role"] == "lead"] if "role" in table else table
    spells = pd.DataFrame({c: lead[c] for c in ("citizen_id", "caseworker_id")}).assign(
        start=pd.to_datetime(lead["start"]).astype("datetime64[s]"),
        rule=lead["assignment_rule"].astype(object) if "assignment_rule" in lead else None,
        reason=lead["end_reason"].astype(object) if "end_reason" in lead else None,
    )
    spells = spells.sort_values(["start", "citizen_id", "caseworker_id"], kind="stable")
    spells["before"] = spells.groupby("citizen_id")["reason"].shift()
    wanted = rows[["citizen_id", "caseworker_id"]].assign(
        date=rows["date"].astype("datetime64[s]"), place=np.arange(len(rows))
    )
    found = pd.merge_asof(
        wanted.sort_values("date", kind="stable"),
        spells[["citizen_id", "caseworker_id", "start", "rule", "before"]],
        left_on="date",
        right_on="start",
        by="citizen_id",
        suffixes=("", "_spell"),
    ).sort_values("place")
    weeks = (found["date"] - found["start"]).dt.days / 7
    own = (found["caseworker_id"] == found["caseworker_id_spell"]).fillna(False).to_numpy(dtype=bool)
    empty["assignment_rule"] = _texts(found["rule"], own)
    empty["shift_reason"] = _texts(found["before"], own & _shifted(rows))
    empty["relation_weeks"] = np.where(own, weeks.to_numpy(dtype=float), np.nan)
    return empty


def _shifted(rows: pd.DataFrame) -> Bools:
    """Rows whose caseworker is known and not that of the same citizen's row before, which is known too."""
    same_citizen = rows["citizen_id"].eq(rows["citizen_id"].shift())
    before = rows["caseworker_id"].shift()
    known = rows["caseworker_id"].notna() & before.notna()
    changed: Bools = (same_citizen & known & rows["caseworker_id"].ne(before)).to_numpy(dtype=bool)
    return changed


def _texts(values: pd.Series, keep: Bools) -> NDArray[np.object_]:
    """Texts with None where not kept or missing."""
    texts = values.astype(object).to_numpy(copy=True)
    texts[~keep | pd.isna(texts)] = None
    return texts


def _own_belief(study: Study) -> pd.Series:
    """The citizen's answers on their own belief, by measurement."""
    items = [i for i in study.instrument.items if i.respondent == "citizen" and i.construct == _OWN_BELIEF]
    rating = study.tables["rating"]
    own = rating[rating["item_id"].isin([i.item_id for i in items[:1]])]
    values = turned(own["item_id"], own["value"], items[:1])
    return pd.Series(values.to_numpy(dtype=float), index=own["measurement_id"].to_numpy(), dtype=float)


def _own_score(study: Study) -> pd.Series:
    """Score of the first scale that holds nothing but items of the citizen, by measurement."""
    respondent = {item.item_id: item.respondent for item in study.instrument.items}
    scales = [
        s for s in study.instrument.scales if all(respondent.get(item) == "citizen" for item in s.items)
    ]
    if not scales:
        return pd.Series(dtype=float)
    return score_scale(study, scales[0].scale_id).set_index("measurement_id")["score"]


def _by_wave(study: Study, rows: pd.DataFrame, values: pd.Series) -> Floats:
    """Values of the citizen's first form in each row's wave; NaN where there is none."""
    table = study.tables["measurement"]
    forms = table.loc[table["respondent"] == "citizen", ["measurement_id", "citizen_id", "wave", "date"]]
    forms = forms.assign(value=forms["measurement_id"].map(values).astype(float)).dropna(subset=["value"])
    forms = forms.sort_values(["date", "measurement_id"], kind="stable")
    first = forms.drop_duplicates(["citizen_id", "wave"])[["citizen_id", "wave", "value"]]
    joined = rows[["citizen_id", "wave"]].merge(first, on=["citizen_id", "wave"], how="left")
    found: Floats = joined["value"].to_numpy(dtype=float)
    return found


def _action(study: Study, rows: pd.DataFrame) -> Floats:
    """1 where an activity of the citizen covers the date; NaN without an activity table."""
    table = study.tables.get("activity")
    if table is None:
        return np.full(len(rows), np.nan)
    held = table[~table["status"].isin(_NOT_HELD)] if "status" in table else table
    spells = held[["citizen_id", "start", "end"]]
    pairs = rows[["citizen_id", "date"]].assign(place=np.arange(len(rows))).merge(spells, on="citizen_id")
    on = (pairs["start"] <= pairs["date"]) & (pairs["end"].isna() | (pairs["date"] < pairs["end"]))
    going = np.zeros(len(rows))
    going[pairs.loc[on, "place"].to_numpy()] = 1.0
    return going
