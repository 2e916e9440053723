"""Every cross-table rule on an example that breaks it (with the right count) and on one that does not."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import pytest

from jobchance.simulate.dummy import DATA_THROUGH, dummy_tables
from jobchance.study.conform import conform_tables
from jobchance.study.problems import Problem
from jobchance.study.rule_context import Coverage
from jobchance.study.rules import CHECKS, check_rules

Tables = dict[str, pd.DataFrame]
Breaks = Callable[[Tables], None]
COVERAGE = Coverage(DATA_THROUGH.date(), {})
EXAMPLES: list[tuple[str, str, int, Breaks]] = []
DAY = pd.Timedelta(days=1)


def breaks(rule: str, *, n: int, variant: str = "") -> Callable[[Breaks], Breaks]:
    """Register an example of a broken rule with the number of rows that break it."""

    def register(change: Breaks) -> Breaks:
        EXAMPLES.append((rule, variant, n, change))
        return change

    return register


def _set(tables: Tables, table: str, row: int, **values: object) -> None:
    frame = tables[table].astype(object)
    for column, value in values.items():
        frame.loc[row, column] = value
    tables[table] = conform_tables({table: frame})[0][table]


def _second_activity(t: Tables, *, hours: int, first_status: str) -> None:
    """Give two citizens a second activity of the same days as the first, at the same hours."""
    both = t["activity"].iloc[[0, 1]].assign(hours_per_week=hours, status=first_status)
    again = both.assign(activity_id=["new 1", "new 2"], status="ongoing")
    rest = t["activity"].iloc[2:]
    t["activity"] = conform_tables({"activity": pd.concat([both, again, rest], ignore_index=True)})[0][
        "activity"
    ]


@breaks("C01", n=3)
def _(t: Tables) -> None:
    t["citizen"] = pd.concat([t["citizen"], t["citizen"].iloc[[0, 0]]], ignore_index=True)


@breaks("C02", n=2)
def _(t: Tables) -> None:
    t["follow_up"] = t["follow_up"].assign(citizen_id=["a", "b", *t["follow_up"]["citizen_id"].iloc[2:]])


@breaks("C03", n=1, variant="order")
def _(t: Tables) -> None:
    _set(t, "assignment", 0, end=t["assignment"].loc[0, "start"])


@breaks("C03", n=1, variant="early")
def _(t: Tables) -> None:
    _set(t, "citizen", 0, entry_date=pd.Timestamp("1991-08-04"))


@breaks("C03", n=2, variant="late")
def _(t: Tables) -> None:
    _set(t, "citizen", 0, entry_date=DATA_THROUGH + DAY)
    _set(t, "citizen", 1, entry_date=DATA_THROUGH + DAY)


@breaks("C06", n=1)
def _(t: Tables) -> None:
    extra = (
        t["assignment"]
        .iloc[[0]]
        .assign(assignment_id="new", start=t["assignment"].loc[0, "start"] + 90 * DAY)
    )
    t["assignment"] = pd.concat([t["assignment"], extra], ignore_index=True)


@breaks("C07", n=1, variant="follow_up")
def _(t: Tables) -> None:
    _set(t, "follow_up", 0, observed_from=t["assignment"].loc[0, "start"] + DAY)


@breaks("C07", n=20, variant="employment")
def _(t: Tables) -> None:
    _set(t, "caseworker", 0, left=DATA_THROUGH)


@breaks("C08", n=2)
def _(t: Tables) -> None:
    # Waves at 14, 105 and 196 days: with 14 days' grace an end at day 91 loses the last two.
    _set(t, "assignment", 0, end=t["assignment"].loc[0, "start"] + 91 * DAY)


@breaks("C09", n=2, variant="spacing")
def _(t: Tables) -> None:
    # The last of three caseworker forms is half a year late, and a citizen form comes after six weeks.
    asked = t["measurement"]
    mine = asked.index[(asked["citizen_id"] == "C000001") & (asked["respondent"] == "caseworker")]
    _set(t, "measurement", int(mine[2]), date=asked.loc[mine[1], "date"] + 136 * DAY)
    asked = t["measurement"]
    mine = asked.index[(asked["citizen_id"] == "C000002") & (asked["respondent"] == "citizen")]
    _set(t, "measurement", int(mine[2]), date=asked.loc[mine[1], "date"] + 44 * DAY)


@breaks("C09", n=1, variant="order")
def _(t: Tables) -> None:
    asked = t["measurement"]
    mine = asked.index[(asked["citizen_id"] == "C000001") & (asked["respondent"] == "citizen")]
    _set(t, "measurement", int(mine[0]), wave=2)
    _set(t, "measurement", int(mine[1]), wave=1)


@breaks("C10", n=2, variant="scale")
def _(t: Tables) -> None:
    _set(t, "rating", 0, value=5.5, missing_reason=None)
    _set(t, "rating", 1, value=0.0, missing_reason=None)


@breaks("C10", n=1, variant="unknown")
def _(t: Tables) -> None:
    _set(t, "rating", 0, item_id="citizen_9")


@breaks("C10", n=9, variant="unknown")
def _(t: Tables) -> None:
    # Items of another version than the one that the first three forms name.
    asked = t["measurement"].assign(
        instrument_version=["other"] * 3 + ["dummy"] * (len(t["measurement"]) - 3)
    )
    t["measurement"] = asked


@breaks("C11", n=1, variant="linked")
def _(t: Tables) -> None:
    asked = t["measurement"].set_index("measurement_id")["date"]
    _set(t, "outcome", 0, window_start=asked[t["outcome"].loc[0, "measurement_id"]], event_date=None, value=0)


@breaks("C11", n=1, variant="all")
def _(t: Tables) -> None:
    first = t["citizen"].loc[0, "entry_date"]
    row = t["outcome"].iloc[[0]].assign(measurement_id=None, citizen_id="C000001", outcome="education")
    row = row.assign(window_start=first, window_end=first + 14 * DAY, event_date=pd.NaT, value=0)
    t["outcome"] = pd.concat([t["outcome"], row], ignore_index=True)


@breaks("C12", n=1, variant="incomplete")
def _(t: Tables) -> None:
    row = int(t["outcome"].index[t["outcome"]["value"] == 0][0])
    person = t["follow_up"].index[t["follow_up"]["citizen_id"] == t["outcome"].loc[row, "citizen_id"]]
    others = (t["outcome"]["citizen_id"] == t["outcome"].loc[row, "citizen_id"]) & (t["outcome"].index != row)
    t["outcome"] = t["outcome"][~others]
    _set(t, "follow_up", int(person[0]), observed_to=t["outcome"].loc[row, "window_end"] - DAY)


@breaks("C12", n=3, variant="before")
def _(t: Tables) -> None:
    _set(t, "follow_up", 0, observed_from=pd.Timestamp("2016-01-01"))


@breaks("C12", n=1, variant="event")
def _(t: Tables) -> None:
    event = pd.Timestamp("2014-06-02")
    t["outcome"] = t["outcome"].iloc[[0]].assign(value=1, event_date=event)
    mine = t["follow_up"].index[t["follow_up"]["citizen_id"] == t["outcome"]["citizen_id"].iloc[0]]
    _set(t, "follow_up", int(mine[0]), observed_to=event)


@breaks("C13", n=2)
def _(t: Tables) -> None:
    asked = t["measurement"].drop_duplicates("citizen_id").iloc[0]
    row = (
        t["outcome"]
        .iloc[[0]]
        .assign(outcome="education", measurement_id=None, citizen_id=asked["citizen_id"])
    )
    # A citizen form and a caseworker form on the first day of a spell of ten days.
    spell = {"event_date": asked["date"], "event_end": asked["date"] + 10 * DAY, "value": 1}
    t["outcome"] = pd.concat(
        [
            t["outcome"],
            row.assign(window_start=asked["date"] - DAY, window_end=asked["date"] + 10 * DAY, **spell),
        ],
        ignore_index=True,
    )


@breaks("C03", n=1, variant="order")
def _(t: Tables) -> None:
    _set(t, "activity", 0, end=t["activity"].loc[0, "start"])


@breaks("C03", n=1, variant="order")
def _(t: Tables) -> None:
    _set(t, "activity", 0, available_to=t["activity"].loc[0, "available_from"])


@breaks("C02", n=1)
def _(t: Tables) -> None:
    _set(t, "activity", 0, decided_by="nobody")


@breaks("C18", n=2)
def _(t: Tables) -> None:
    _second_activity(t, hours=37, first_status="ongoing")


@breaks("activity_follow_up", n=2)
def _(t: Tables) -> None:
    # one ends on the first day of follow-up, one begins on the day that follow-up ends
    _set(t, "follow_up", 0, observed_from=t["activity"].loc[0, "end"])
    _set(t, "follow_up", 1, observed_to=t["activity"].loc[1, "start"])


@breaks("C22", n=1)
def _(t: Tables) -> None:
    t["jobcentre"] = pd.concat([t["jobcentre"], t["jobcentre"].assign(jobcentre_id="J2")], ignore_index=True)
    _set(t, "caseworker", 1, jobcentre_id="J2")
    later = t["assignment"].loc[0, "start"] + 30 * DAY
    extra = (
        t["assignment"].iloc[[0]].assign(assignment_id="new", caseworker_id="C000002", role="co", start=later)
    )
    t["assignment"] = pd.concat([t["assignment"], extra], ignore_index=True)


@breaks("C24", n=1)
def _(t: Tables) -> None:
    first = t["measurement"].groupby("citizen_id")["date"].min()
    _set(t, "citizen", 0, entry_date=first[t["citizen"].loc[0, "citizen_id"]] - 366 * DAY)


@breaks("C27", n=1)
def _(t: Tables) -> None:
    asked = t["measurement"].set_index("measurement_id")["caseworker_id"]
    same = (t["rating"]["measurement_id"].map(asked) == "C000001") & t["rating"]["value"].notna()
    t["rating"] = t["rating"].assign(value=t["rating"]["value"].mask(same, 3.0))


@breaks("rater_required", n=1)
def _(t: Tables) -> None:
    row = t["measurement"].index[t["measurement"]["respondent"] == "caseworker"][0]
    _set(t, "measurement", int(row), caseworker_id=None)


@breaks("value_or_reason", n=2)
def _(t: Tables) -> None:
    _set(t, "rating", 0, value=3.0, missing_reason="refused")
    _set(t, "rating", 1, value=None, missing_reason=None)


@breaks("item_respondent", n=120)
def _(t: Tables) -> None:
    row = t["item"].index[t["item"]["item_id"] == "citizen_1"][0]
    _set(t, "item", int(row), respondent="caseworker")


@breaks("scale_order", n=1)
def _(t: Tables) -> None:
    _set(t, "item", 8, scale_min=5.0, scale_max=5.0)


@breaks("event_in_window", n=1, variant="outside")
def _(t: Tables) -> None:
    row = int(t["outcome"].index[t["outcome"]["value"] == 1][0])
    _set(t, "outcome", row, event_date=t["outcome"].loc[row, "window_end"])


@breaks("event_in_window", n=1, variant="no_event")
def _(t: Tables) -> None:
    row = int(t["outcome"].index[t["outcome"]["value"] == 0][0])
    _set(t, "outcome", row, event_date=t["outcome"].loc[row, "window_start"])


@breaks("event_in_window", n=1, variant="end")
def _(t: Tables) -> None:
    row = int(t["outcome"].index[t["outcome"]["value"] == 1][0])
    _set(t, "outcome", row, event_end=t["outcome"].loc[row, "event_date"])


@breaks("outcome_link", n=1)
def _(t: Tables) -> None:
    other = t["outcome"].index[t["outcome"]["citizen_id"] != t["outcome"].loc[0, "citizen_id"]][0]
    _set(t, "outcome", 0, measurement_id=t["outcome"].loc[other, "measurement_id"])


@breaks("outcome_overlap", n=80)
def _(t: Tables) -> None:
    t["outcome"] = t["outcome"].assign(measurement_id=None)


def _found(tables: Tables, rule: str) -> list[Problem]:
    conformed, _ = conform_tables(tables)
    return [problem for problem in check_rules(conformed, COVERAGE) if problem.rule == rule]


def test_every_rule_has_an_example() -> None:
    assert {rule for rule, *_ in EXAMPLES} == set(CHECKS)


def test_good_tables_break_no_rule() -> None:
    assert check_rules(dummy_tables(n_citizens=40, seed=7), COVERAGE) == []


@pytest.mark.parametrize(
    ("rule", "variant", "n", "change"), EXAMPLES, ids=[f"{rule} {variant}" for rule, variant, *_ in EXAMPLES]
)
def test_rule_finds_its_example(rule: str, variant: str, n: int, change: Breaks) -> None:
    tables = dummy_tables(n_citizens=40, seed=7)
    change(tables)
    found = [problem for problem in _found(tables, rule) if problem.variant == variant]
    assert [problem.n for problem in found] == [n]


@pytest.mark.parametrize("rule", CHECKS)
def test_rules_wait_for_their_tables(rule: str) -> None:
    assert [p for p in check_rules({}, COVERAGE) if p.rule == rule] == []
    only = {"citizen": dummy_tables(n_citizens=3, seed=1)["citizen"]}
    assert [p for p in check_rules(only, COVERAGE) if p.rule == rule] == []


def test_adjacent_spells_are_no_overlap() -> None:
    tables = dummy_tables(n_citizens=5, seed=7)
    day = tables["assignment"].loc[0, "start"] + 30 * DAY
    extra = tables["assignment"].iloc[[0]].assign(assignment_id="new", start=day)
    _set(tables, "assignment", 0, end=day)
    tables["assignment"] = pd.concat([tables["assignment"], extra], ignore_index=True)
    assert not {"C06", "C22"} & {p.rule for p in check_rules(conform_tables(tables)[0], COVERAGE)}


@pytest.mark.parametrize(
    ("hours", "first_status", "n"),
    [(30, "completed", 2), (29, "completed", 0), (37, "planned", 0), (37, "not_started", 0)],
)
def test_only_full_time_activities_that_were_held_overlap(hours: int, first_status: str, n: int) -> None:
    tables = dummy_tables(n_citizens=5, seed=7)
    _second_activity(tables, hours=hours, first_status=first_status)
    assert sum(p.n for p in _found(tables, "C18")) == n


def test_an_open_activity_overlaps_the_next_one_and_touching_ones_do_not() -> None:
    for end, n in ((None, 1), ("start of the next", 0)):
        tables = dummy_tables(n_citizens=5, seed=7)
        day = tables["activity"].loc[0, "start"] + 30 * DAY
        _set(tables, "activity", 0, hours_per_week=37, status="ongoing", end=None if end is None else day)
        later = tables["activity"].iloc[[0]].assign(activity_id="new", start=day, end=day + 10 * DAY)
        tables["activity"] = pd.concat([tables["activity"], later], ignore_index=True)
        assert sum(p.n for p in _found(tables, "C18")) == n


def test_activities_may_reach_over_the_ends_of_follow_up() -> None:
    tables = dummy_tables(n_citizens=5, seed=7)
    _set(tables, "follow_up", 0, observed_from=tables["activity"].loc[0, "end"] - DAY)
    _set(tables, "follow_up", 1, observed_to=tables["activity"].loc[1, "start"] + DAY)
    assert _found(tables, "activity_follow_up") == []


def test_a_study_without_activities_is_no_problem() -> None:
    tables = dummy_tables(n_citizens=5, seed=7)
    del tables["activity"]
    assert check_rules(tables, COVERAGE) == []


def test_tolerance_of_fourteen_days() -> None:
    for late, n in ((13, 0), (14, 1)):
        tables = dummy_tables(n_citizens=5, seed=7)
        last = tables["measurement"].query("citizen_id == 'C000001'")["date"].max()
        _set(tables, "assignment", 0, end=last - late * DAY)
        assert sum(p.n for p in _found(tables, "C08")) == n


def test_last_day_of_single_tables_comes_from_extract() -> None:
    tables = dummy_tables(n_citizens=5, seed=7)
    early = Coverage(DATA_THROUGH.date(), {"citizen": pd.Timestamp("2013-01-01").date()})
    assert {(p.table, p.column) for p in check_rules(tables, early)} == {("citizen", "entry_date")}


def test_unread_cells_are_not_counted_as_empty() -> None:
    tables = dummy_tables(n_citizens=5, seed=7)
    _set(tables, "rating", 0, value=None, missing_reason=None)
    assert [p.rule for p in check_rules(tables, COVERAGE)] == ["value_or_reason"]
    assert check_rules(tables, COVERAGE, unread={("rating", "value")}) == []
