"""Rules on who had which citizen when."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from jobchance.study.problems import Problem
from jobchance.study.rule_context import Coverage, Tables, follow_up_windows, has, overlaps
from jobchance.study.schema import Rule

_DAY = pd.Timedelta(days=1)


def lead_overlap(tables: Tables, rule: Rule, coverage: Coverage) -> Iterator[Problem]:
    """C06: at most one lead caseworker per citizen and day; counts assignments that begin too early."""
    lead = tables["assignment"].query("role == 'lead'")
    spells = lead[["citizen_id", "start", "end"]].dropna(subset=["citizen_id", "start"])
    yield Problem(rule.id, "assignment", "start, end", overlaps(spells, ["citizen_id"], "start", "end"))


def inside_employment_and_follow_up(tables: Tables, rule: Rule, coverage: Coverage) -> Iterator[Problem]:
    """C07: an assignment lies inside the caseworker's employment and the citizen's follow-up."""
    spells = tables["assignment"]
    if has(tables, "caseworker", ("caseworker_id", "hired", "left")):
        staff = tables["caseworker"][["caseworker_id", "hired", "left"]].drop_duplicates("caseworker_id")
        joined = spells.merge(staff, on="caseworker_id", how="inner")
        # An open assignment runs to the end of the data.
        end = joined["end"].fillna(coverage.last_day("assignment") + _DAY)
        outside = (joined["start"] < joined["hired"]) | (end > joined["left"])
        yield Problem(rule.id, "assignment", "start, end", int(outside.sum()), "employment")
    if has(tables, "follow_up", ("citizen_id", "observed_from", "observed_to")):
        joined = spells.merge(follow_up_windows(tables), on="citizen_id", how="inner")
        outside = (joined["start"] < joined["observed_from"]) | (joined["start"] >= joined["observed_to"])
        outside |= joined["end"] > joined["observed_to"]
        yield Problem(rule.id, "assignment", "start, end", int(outside.sum()), "follow_up")


def rating_inside_assignment(tables: Tables, rule: Rule, coverage: Coverage) -> Iterator[Problem]:
    """C08: a caseworker's answer falls inside an assignment of that rater to that citizen, give or take."""
    tolerance = pd.Timedelta(days=int(rule.parameters["tolerance_days"]))
    asked = tables["measurement"].query("respondent == 'caseworker'")
    asked = asked[["citizen_id", "caseworker_id", "date"]].dropna().reset_index(names="row")
    spells = tables["assignment"][["citizen_id", "caseworker_id", "start", "end"]]
    joined = asked.merge(spells, on=["citizen_id", "caseworker_id"], how="inner")
    inside = (joined["date"] >= joined["start"] - tolerance) & (
        joined["end"].isna() | (joined["date"] < joined["end"] + tolerance)
    )
    n = len(asked) - joined.loc[inside, "row"].nunique()
    fill = {"days": str(rule.parameters["tolerance_days"])}
    yield Problem(rule.id, "measurement", "date", n, fill=fill)


def one_jobcentre_a_day(tables: Tables, rule: Rule, coverage: Coverage) -> Iterator[Problem]:
    """C22: assignments of one citizen to caseworkers of different jobcentres do not overlap."""
    staff = tables["caseworker"][["caseworker_id", "jobcentre_id"]].drop_duplicates("caseworker_id")
    spells = tables["assignment"][["citizen_id", "caseworker_id", "start", "end"]]
    spells = spells.dropna(subset=["citizen_id", "start"]).merge(staff, on="caseworker_id", how="inner")
    spells = spells.reset_index(names="row")
    several = spells.groupby("citizen_id", sort=False)["jobcentre_id"].transform("nunique") > 1
    moved = spells[several]
    pairs = moved.merge(moved, on="citizen_id", suffixes=("", "_other"))
    pairs = pairs[pairs["jobcentre_id"] != pairs["jobcentre_id_other"]]
    starts_inside = (pairs["start"] >= pairs["start_other"]) & (
        pairs["end_other"].isna() | (pairs["start"] < pairs["end_other"])
    )
    n = pairs.loc[starts_inside & ((pairs["end"].isna()) | (pairs["end"] > pairs["start"])), "row"].nunique()
    yield Problem(rule.id, "assignment", "caseworker_id", int(n))
