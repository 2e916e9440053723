"""Rules on activities: not two on full time at once, and inside the citizen's follow-up."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from jobchance.study.problems import Problem
from jobchance.study.rule_context import Coverage, Tables, follow_up_windows, overlaps
from jobchance.study.schema import Rule


def full_time_overlap(tables: Tables, rule: Rule, coverage: Coverage) -> Iterator[Problem]:
    """C18: activities on full time that begin before an earlier one of the same citizen has ended."""
    hours = int(rule.parameters["full_time_hours"])
    table = tables["activity"]
    full = table["hours_per_week"] >= hours
    if "status" in table:
        full &= ~table["status"].isin(rule.parameters["not_held"])
    spells = table.loc[full.fillna(False), ["citizen_id", "start", "end"]].dropna(
        subset=["citizen_id", "start"]
    )
    n = overlaps(spells, ["citizen_id"], "start", "end")
    yield Problem(rule.id, "activity", "start, end", n, fill={"hours": str(hours)})


def inside_follow_up(tables: Tables, rule: Rule, coverage: Coverage) -> Iterator[Problem]:
    """activity_follow_up: an activity has a day in common with the citizen's follow-up."""
    joined = tables["activity"].merge(follow_up_windows(tables), on="citizen_id", how="inner")
    ended: pd.Series = joined["end"] <= joined["observed_from"]
    outside = ended | (joined["start"] >= joined["observed_to"])
    yield Problem(rule.id, "activity", "start, end", int(outside.sum()))
