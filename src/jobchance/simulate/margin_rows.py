"""Rows for the published margins, straight from a study's tables, without the panel's code."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from jobchance.study.model import Study

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

HORIZON_DAYS = 364
_DAY_BITS = 20


@dataclass(frozen=True)
class Spells:
    """Spells of one outcome, ordered by citizen and time, on citizens coded 0, 1, ..."""

    keys_of_end: Ints
    start: Ints
    citizen: Ints

    def touches(self, citizen: Ints, begin: Ints, end: Ints) -> Bools:
        """Whether a spell covers at least one day of [begin, end)."""
        if not self.start.size:
            return np.zeros(citizen.size, dtype=bool)
        row = np.searchsorted(self.keys_of_end, (citizen << _DAY_BITS) + begin, side="right")
        found = row < self.start.size
        row = np.minimum(row, self.start.size - 1)
        return np.asarray(found & (self.citizen[row] == citizen) & (self.start[row] < end))


def margin_rows(study: Study) -> pd.DataFrame:
    """One row per caseworker form with the belief answered: outcomes of the year after, who is at risk."""
    rating = study.tables["rating"]
    belief = rating[rating["item_id"] == "belief_job"]
    answered = belief["value"].notna() | (belief["missing_reason"] == "dont_know").fillna(False).astype(bool)
    forms = study.tables["measurement"]
    forms = forms[forms["respondent"] == "caseworker"]
    rows = forms[["measurement_id", "citizen_id", "caseworker_id", "date"]].merge(
        belief.loc[answered, ["measurement_id", "value"]], on="measurement_id"
    )
    rows = rows.rename(columns={"value": "belief"}).sort_values(["citizen_id", "date"], ignore_index=True)
    offices = study.tables["caseworker"].set_index("caseworker_id")["jobcentre_id"]
    rows["jobcentre_id"] = rows["caseworker_id"].map(offices)
    people = pd.Index(study.tables["citizen"]["citizen_id"])
    citizen = people.get_indexer(pd.Index(rows["citizen_id"]))
    day = day_numbers(rows["date"])
    rows["job"], rows["job_at_risk"] = year_after(study, "job", people, citizen, day)
    rows["shifted"] = _after_shift(study, people, citizen, day)
    return rows


def year_after(
    study: Study, outcome: str, people: pd.Index, citizen: Ints, day: Ints
) -> tuple[Floats, Bools]:
    """Outcome in the 52 weeks from the Monday after each day (NaN: not known); who is at risk that day."""
    begin = day + 7 - (day + 3) % 7  # 1970-01-01 was a Thursday
    stop = study.tables["follow_up"].set_index("citizen_id")["observed_to"].reindex(people)
    complete = begin + HORIZON_DAYS <= day_numbers(stop)[citizen]
    spells = _read_spells(study, outcome, people)
    happened = spells.touches(citizen, begin, begin + HORIZON_DAYS)
    return np.where(happened | complete, happened.astype(float), np.nan), ~spells.touches(
        citizen, day, day + 1
    )


def day_numbers(column: pd.Series) -> Ints:
    """Days since 1970-01-01."""
    return np.asarray(column.to_numpy().astype("datetime64[D]").astype(np.int64))


def _read_spells(study: Study, outcome: str, people: pd.Index) -> Spells:
    """Spells of one outcome from its windows."""
    table = study.tables["outcome"]
    table = table[(table["outcome"] == outcome) & (table["value"] == 1)]
    citizen = people.get_indexer(pd.Index(table["citizen_id"]))
    start, end = day_numbers(table["event_date"]), day_numbers(table["event_end"].fillna(table["window_end"]))
    order = np.lexsort((end, citizen))
    keys = (citizen[order] << _DAY_BITS) + end[order]
    return Spells(keys, start[order], citizen[order])


def _after_shift(study: Study, people: pd.Index, citizen: Ints, day: Ints) -> Bools:
    """Whether the citizen's second lead caseworker had begun by the day."""
    lead = study.tables["assignment"]
    lead = lead[lead["role"] == "lead"].sort_values(["citizen_id", "start"])
    later = lead[lead.duplicated("citizen_id")].drop_duplicates("citizen_id")
    first_shift = np.full(len(people), np.iinfo(np.int64).max)
    first_shift[people.get_indexer(pd.Index(later["citizen_id"]))] = day_numbers(later["start"])
    return np.asarray(first_shift[citizen] <= day)
