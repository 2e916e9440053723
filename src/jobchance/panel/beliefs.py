"""Rows of a panel before outcomes: one belief per citizen and wave, with its caseworker and jobcentre."""

from __future__ import annotations

import pandas as pd

from jobchance.errors import SpecError
from jobchance.panel.flow import SampleFlow
from jobchance.study.instrument import Item
from jobchance.study.model import Study

_DONT_KNOW = "dont_know"
_USED = ("measurement_id", "citizen_id", "date", "wave", "respondent", "caseworker_id", "order_in_day")


def belief_rows(study: Study) -> tuple[pd.DataFrame, SampleFlow]:
    """One row per citizen x wave in which the belief item was answered ("don't know" is an answer).

    Returns
    -------
    rows : DataFrame
        `measurement_id citizen_id caseworker_id jobcentre_id wave date period belief belief_dont_know`,
        sorted by citizen, wave and date.
    flow : SampleFlow
        From all measurements to these rows.

    Raises
    ------
    SpecError
        The belief item is not in the instrument, or belongs to another respondent than the study names.
    """
    item = belief_item(study)
    table = study.tables["measurement"]
    table = table[[c for c in _USED if c in table]]  # a study's own columns may have any name
    flow = SampleFlow().add("measurements", table, reason="all_measurements")
    asked = table[table["respondent"] == item.respondent]
    flow = flow.add("respondent", asked, reason="other_respondent")
    answered = asked.merge(_answers(study, item), on="measurement_id", validate="one_to_one")
    flow = flow.add("belief_answered", answered, reason="belief_not_answered")
    order = [c for c in ("citizen_id", "wave", "date", "order_in_day", "measurement_id") if c in answered]
    rows = answered.sort_values(order, kind="stable").drop_duplicates(["citizen_id", "wave"])
    flow = flow.add("one_per_wave", rows, reason="repeated_in_wave")
    rows = rows.reset_index(drop=True)
    rows["caseworker_id"] = _caseworker(study, rows, respondent=item.respondent)
    rows["jobcentre_id"] = _jobcentre(study, rows)
    rows["period"] = half_year(rows["date"])
    columns = ["measurement_id", "citizen_id", "caseworker_id", "jobcentre_id", "wave", "date", "period"]
    return rows[[*columns, "belief", "belief_dont_know"]], flow


def belief_item(study: Study) -> Item:
    """The item whose answer is the belief of this study's analyses."""
    item = study.instrument.item(study.analysis.belief_item)
    if item.respondent != study.analysis.belief_respondent:
        raise SpecError(
            f"belief_respondent={study.analysis.belief_respondent!r}, but the item {item.item_id!r} is "
            f"answered by the {item.respondent}."
        )
    return item


def half_year(dates: pd.Series) -> pd.Series:
    """Calendar half-year as text, for example `"2014H1"`."""
    half: pd.Series = (dates.dt.month + 5) // 6
    period: pd.Series = dates.dt.year.astype(str) + "H" + half.astype(str)
    return period


def _answers(study: Study, item: Item) -> pd.DataFrame:
    """Answers to one item: `measurement_id belief belief_dont_know`."""
    rating = study.tables["rating"]
    own = rating[rating["item_id"] == item.item_id]
    value = own["value"].astype(float)
    unsure = value.isna()
    if "missing_reason" in own:
        unsure &= (own["missing_reason"] == _DONT_KNOW).fillna(False).astype(bool)
    else:
        unsure &= False
    answers = pd.DataFrame(
        {"measurement_id": own["measurement_id"], "belief": value, "belief_dont_know": unsure}
    )
    return answers[value.notna() | unsure]


def _caseworker(study: Study, rows: pd.DataFrame, *, respondent: str) -> pd.Series:
    """The rater; for other respondents the form's caseworker, else the lead caseworker on the date."""
    named = (
        _ids(rows["caseworker_id"]) if "caseworker_id" in rows else _ids(pd.Series(None, index=rows.index))
    )
    if respondent == "caseworker" or "assignment" not in study.tables or named.notna().all():
        return named
    spells = study.tables["assignment"]
    lead = spells.loc[spells["role"] == "lead", ["citizen_id", "caseworker_id", "start", "end"]]
    blank = rows.loc[named.isna(), ["citizen_id", "date"]]
    pairs = blank.reset_index(names="row").merge(lead, on="citizen_id")
    holds = (pairs["start"] <= pairs["date"]) & (pairs["end"].isna() | (pairs["date"] < pairs["end"]))
    latest = pairs[holds].sort_values(["row", "start"], kind="stable").drop_duplicates("row", keep="last")
    of_the_day = rows.index.to_series().map(latest.set_index("row")["caseworker_id"])
    return _first_known(named, of_the_day)


def _jobcentre(study: Study, rows: pd.DataFrame) -> pd.Series:
    """The caseworker's jobcentre; else the one jobcentre of the citizen's municipality; else missing."""
    found = _ids(pd.Series(None, index=rows.index))
    if "caseworker" in study.tables:
        office = study.tables["caseworker"].set_index("caseworker_id")["jobcentre_id"]
        found = _ids(rows["caseworker_id"].map(office))
    citizens, offices = study.tables["citizen"], study.tables.get("jobcentre")
    if offices is None or "municipality_at_entry" not in citizens or "municipality_code" not in offices:
        return found
    single = offices.drop_duplicates("municipality_code", keep=False).dropna(subset=["municipality_code"])
    by_code = single.set_index("municipality_code")["jobcentre_id"]
    home = citizens.set_index("citizen_id")["municipality_at_entry"].map(by_code)
    return _first_known(found, rows["citizen_id"].map(home))


def _first_known(first: pd.Series, second: pd.Series) -> pd.Series:
    """Ids of the first column, and where it has none those of the second."""
    return _ids(first.astype(object).where(first.notna(), second.astype(object)))


def _ids(column: pd.Series) -> pd.Series:
    """Text ids with None where missing, in the text type of the installed pandas."""
    return column.astype(object).where(column.notna(), None).infer_objects()
