"""Rules on outcome windows: after the measurement, seen to their end, holding their events."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from jobchance.study.problems import Problem
from jobchance.study.rule_context import Coverage, Tables, follow_up_windows, overlaps
from jobchance.study.schema import Rule


def window_after_measurement(tables: Tables, rule: Rule, coverage: Coverage) -> Iterator[Problem]:
    """C11: a linked window starts after its measurement; others do not all end before the first one."""
    outcome, measurement = tables["outcome"], tables["measurement"]
    linked = linked_rows(outcome)
    dated = measurement[["measurement_id", "date"]].dropna().drop_duplicates("measurement_id")
    joined = outcome[linked].merge(dated, on="measurement_id", how="inner")
    n = int((joined["window_start"] <= joined["date"]).sum())
    yield Problem(rule.id, "outcome", "window_start", n, "linked")
    first = measurement.groupby("citizen_id", sort=False)["date"].min()
    rest = outcome[~linked]
    names = [name for name in ("citizen_id", "outcome") if name in rest]
    last = rest.groupby(names, sort=False)["window_end"].max().reset_index()
    before = last["window_end"] <= last["citizen_id"].map(first)
    yield Problem(rule.id, "outcome", "window_end", int(before.sum()), "all")


def window_observed(tables: Tables, rule: Rule, coverage: Coverage) -> Iterator[Problem]:
    """C12: a 0 needs a window seen to its end; no window begins, and no event falls, outside follow-up."""
    joined = tables["outcome"].merge(follow_up_windows(tables), on="citizen_id", how="inner")
    incomplete = (joined["value"] == 0) & (joined["window_end"] > joined["observed_to"])
    yield Problem(rule.id, "outcome", "window_end", int(incomplete.sum()), "incomplete")
    before = joined["window_start"] < joined["observed_from"]
    yield Problem(rule.id, "outcome", "window_start", int(before.sum()), "before")
    if "event_date" in joined:
        event = joined["event_date"]
        outside = (event < joined["observed_from"]) | (event >= joined["observed_to"])
        yield Problem(rule.id, "outcome", "event_date", int(outside.sum()), "event")


def already_there(tables: Tables, rule: Rule, coverage: Coverage) -> Iterator[Problem]:
    """C13: measurements of citizens who already have the outcome, per outcome."""
    spells = tables["outcome"][["citizen_id", "outcome", "event_date", "event_end"]]
    spells = spells.dropna(subset=["event_date"])
    asked = tables["measurement"][["citizen_id", "date"]].dropna().reset_index(names="row")
    joined = asked.merge(spells, on="citizen_id", how="inner")
    inside = (joined["date"] >= joined["event_date"]) & (joined["date"] < joined["event_end"])
    yield Problem(rule.id, "measurement", "date", int(joined.loc[inside, "row"].nunique()))


def event_in_window(tables: Tables, rule: Rule, coverage: Coverage) -> Iterator[Problem]:
    """event_in_window: an event lies in its window, ends after it began, and a 0 has none."""
    table = tables["outcome"]
    event, end = table["event_date"], table["event_end"]
    outside = (event < table["window_start"]) | (event >= table["window_end"])
    yield Problem(rule.id, "outcome", "event_date", int(outside.sum()), "outside")
    none = (table["value"] == 0) & (event.notna() | end.notna())
    yield Problem(rule.id, "outcome", "event_date", int(none.sum()), "no_event")
    wrong_end = (
        (end <= event) | (end > table["window_end"]) | (end.notna() & event.isna() & (table["value"] == 1))
    )
    yield Problem(rule.id, "outcome", "event_end", int(wrong_end.sum()), "end")


def outcome_link(tables: Tables, rule: Rule, coverage: Coverage) -> Iterator[Problem]:
    """outcome_link: the linked measurement is the same citizen's."""
    outcome = tables["outcome"][["citizen_id", "measurement_id"]].dropna()
    asked = tables["measurement"][["measurement_id", "citizen_id"]].drop_duplicates("measurement_id")
    joined = outcome.merge(asked, on="measurement_id", suffixes=("", "_measured"))
    n = int((joined["citizen_id"] != joined["citizen_id_measured"]).sum())
    yield Problem(rule.id, "outcome", "measurement_id", n)


def outcome_overlap(tables: Tables, rule: Rule, coverage: Coverage) -> Iterator[Problem]:
    """outcome_overlap: windows that tile a citizen's follow-up do not overlap."""
    table = tables["outcome"]
    tiles = table.loc[~linked_rows(table), ["citizen_id", "outcome", "window_start", "window_end"]].dropna()
    n = overlaps(tiles, ["citizen_id", "outcome"], "window_start", "window_end")
    yield Problem(rule.id, "outcome", "window_start, window_end", n)


def linked_rows(outcome: pd.DataFrame) -> pd.Series:
    """Outcome rows that name a measurement."""
    if "measurement_id" not in outcome:
        return pd.Series(False, index=outcome.index)
    return outcome["measurement_id"].notna()
