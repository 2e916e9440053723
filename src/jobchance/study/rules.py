"""The named cross-table rules, one function each; each counts rows and never says whose they are.

A rule runs when the tables and columns that it reads are there (`needs` in `data/schemas/rules.json`);
cells that did not convert are null by then, have their own problem, and are passed over here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import date

import pandas as pd

from jobchance.study.problems import Problem
from jobchance.study.schema import Rule, load_rules, load_schemas

Tables = Mapping[str, pd.DataFrame]
_DAY = pd.Timedelta(days=1)


@dataclass(frozen=True)
class Coverage:
    """Last day of the study, and of single tables where `extract` says so."""

    through: date
    by_table: Mapping[str, date]

    def last_day(self, table: str) -> pd.Timestamp:
        """Last day that a table covers."""
        return pd.Timestamp(self.by_table.get(table, self.through))


Check = Callable[[Tables, Rule, Coverage], Iterator[Problem]]


def check_rules(
    tables: Tables, coverage: Coverage, *, unread: AbstractSet[tuple[str, str]] = frozenset()
) -> list[Problem]:
    """Run every rule whose tables are there.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        Conformed tables (`conform_table`).
    coverage : Coverage
        How far the data reach.
    unread : set of (table, column)
        Columns with cells that did not convert; rules on empty cells would count those once more, so they
        wait.

    Returns
    -------
    list of Problem
        With counts above zero only.
    """
    found: list[Problem] = []
    for name, check in CHECKS.items():
        rule = load_rules()[name]
        if rule.parameters.get("reads_empty_cells") and _columns_of(rule) & unread:
            continue
        if all(_has(tables, table, columns) for table, columns in rule.needs.items()):
            found += [problem for problem in check(tables, rule, coverage) if problem.n]
    return found


def _columns_of(rule: Rule) -> set[tuple[str, str]]:
    """Every column that a rule reads."""
    return {(table, column) for table, columns in rule.needs.items() for column in columns}


def _has(tables: Tables, table: str, columns: tuple[str, ...]) -> bool:
    """True if a table has rows and these columns."""
    return table in tables and len(tables[table]) > 0 and set(columns) <= set(tables[table].columns)


def primary_keys(tables: Tables, rule: Rule, coverage: Coverage) -> Iterator[Problem]:
    """C01: no key is repeated (empty cells are counted as `required`)."""
    for name, table in tables.items():
        key = list(load_schemas()[name].primary_key)
        if not set(key) <= set(table.columns):
            continue
        required = [column for column in key if load_schemas()[name].field(column).required]
        whole = table.loc[table[required].notna().all(axis=1), key]
        yield Problem(rule.id, name, ", ".join(key), int(whole.duplicated(keep=False).sum()))


def foreign_keys(tables: Tables, rule: Rule, coverage: Coverage) -> Iterator[Problem]:
    """C02: what points to another table is found there, if that table is given."""
    for name, table in tables.items():
        for key in load_schemas()[name].foreign_keys:
            target = tables.get(key.target)
            if target is None or key.column not in table or key.target_column not in target:
                continue
            known = target[key.target_column].dropna()
            values = table[key.column].dropna()
            if known.empty:
                continue
            fill = {"target": f"{key.target}.{key.target_column}"}
            yield Problem(rule.id, name, key.column, int((~values.isin(known)).sum()), fill=fill)


def dates(tables: Tables, rule: Rule, coverage: Coverage) -> Iterator[Problem]:
    """C03: dates lie inside the period of their field, and start comes before end."""
    for name, table in tables.items():
        last = coverage.last_day(name)
        for field in load_schemas()[name].fields:
            if field.type != "date" or field.name not in table:
                continue
            days = table[field.name]
            first = field.constraints["minimum"]
            early = int((days < pd.Timestamp(first)).sum())
            yield Problem(rule.id, name, field.name, early, "early", {"first": first})
            if field.not_after:
                bound = last + _DAY if field.not_after == "day_after_data_through" else last
                late = int((days > bound).sum())
                yield Problem(rule.id, name, field.name, late, "late", {"last": str(bound.date())})
    for name, pairs in rule.parameters["pairs"].items():
        for start, end in pairs:
            if _has(tables, name, (start, end)):
                n = int((tables[name][start] >= tables[name][end]).sum())
                yield Problem(rule.id, name, f"{start}, {end}", n, "order")


def lead_overlap(tables: Tables, rule: Rule, coverage: Coverage) -> Iterator[Problem]:
    """C06: at most one lead caseworker per citizen and day; counts assignments that begin too early."""
    lead = tables["assignment"].query("role == 'lead'")
    spells = lead[["citizen_id", "start", "end"]].dropna(subset=["citizen_id", "start"])
    yield Problem(rule.id, "assignment", "start, end", _overlaps(spells, ["citizen_id"], "start", "end"))


def inside_employment_and_follow_up(tables: Tables, rule: Rule, coverage: Coverage) -> Iterator[Problem]:
    """C07: an assignment lies inside the caseworker's employment and the citizen's follow-up."""
    spells = tables["assignment"]
    if _has(tables, "caseworker", ("caseworker_id", "hired", "left")):
        staff = tables["caseworker"][["caseworker_id", "hired", "left"]].drop_duplicates("caseworker_id")
        joined = spells.merge(staff, on="caseworker_id", how="inner")
        # An open assignment runs to the end of the data.
        end = joined["end"].fillna(coverage.last_day("assignment") + _DAY)
        outside = (joined["start"] < joined["hired"]) | (end > joined["left"])
        yield Problem(rule.id, "assignment", "start, end", int(outside.sum()), "employment")
    if _has(tables, "follow_up", ("citizen_id", "observed_from", "observed_to")):
        joined = spells.merge(_windows(tables), on="citizen_id", how="inner")
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


def wave_spacing(tables: Tables, rule: Rule, coverage: Coverage) -> Iterator[Problem]:
    """C09: about three months between waves, and wave numbers that rise with the date."""
    low, high = int(rule.parameters["min_days"]), int(rule.parameters["max_days"])
    asked = tables["measurement"][["citizen_id", "respondent", "date", "wave"]].dropna().drop_duplicates()
    asked = asked.sort_values(["citizen_id", "respondent", "date", "wave"])
    steps = asked.groupby(["citizen_id", "respondent"], sort=False)
    waves, days = steps["wave"].diff(), steps["date"].diff().dt.days
    per_wave = days / waves
    unusual = (waves > 0) & ((per_wave < low) | (per_wave > high))
    fill = {"low": str(low), "high": str(high)}
    yield Problem(rule.id, "measurement", "date", int(unusual.sum()), "spacing", fill)
    yield Problem(rule.id, "measurement", "wave", int((waves <= 0).sum()), "order")


def rating_on_scale(tables: Tables, rule: Rule, coverage: Coverage) -> Iterator[Problem]:
    """C10: the item exists in the version that was used, and the value lies on the item's own scale."""
    rated = _rated(tables)
    unknown = rated["scale_min"].isna() & rated["item_id"].notna()
    yield Problem(rule.id, "rating", "item_id", int(unknown.sum()), "unknown")
    outside = (rated["value"] < rated["scale_min"]) | (rated["value"] > rated["scale_max"])
    yield Problem(rule.id, "rating", "value", int(outside.sum()), "scale")


def window_after_measurement(tables: Tables, rule: Rule, coverage: Coverage) -> Iterator[Problem]:
    """C11: a linked window starts after its measurement; others do not all end before the first one."""
    outcome, measurement = tables["outcome"], tables["measurement"]
    linked = _linked(outcome)
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
    joined = tables["outcome"].merge(_windows(tables), on="citizen_id", how="inner")
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


def left_truncation(tables: Tables, rule: Rule, coverage: Coverage) -> Iterator[Problem]:
    """C24: the first measurement comes long after entry, so the time before it is unobserved."""
    days = int(rule.parameters["max_days"])
    first = tables["measurement"].groupby("citizen_id", sort=False)["date"].min()
    citizens = tables["citizen"]
    waited = citizens["citizen_id"].map(first) - citizens["entry_date"]
    n = int((waited > pd.Timedelta(days=days)).sum())
    yield Problem(rule.id, "citizen", "entry_date", n, fill={"days": str(days)})


def constant_raters(tables: Tables, rule: Rule, coverage: Coverage) -> Iterator[Problem]:
    """C27: caseworkers with one and the same number for everyone and everything."""
    citizens = int(rule.parameters["min_citizens"])
    asked = tables["measurement"].query("respondent == 'caseworker'")
    asked = (
        asked[["measurement_id", "citizen_id", "caseworker_id"]].dropna().drop_duplicates("measurement_id")
    )
    values = tables["rating"][["measurement_id", "value"]].dropna().merge(asked, on="measurement_id")
    raters = values.groupby("caseworker_id", sort=False).agg({"value": "nunique", "citizen_id": "nunique"})
    n = int(((raters["value"] == 1) & (raters["citizen_id"] >= citizens)).sum())
    yield Problem(rule.id, "rating", "value", n, fill={"citizens": str(citizens)})


def rater_named(tables: Tables, rule: Rule, coverage: Coverage) -> Iterator[Problem]:
    """rater_required: a caseworker's measurement says which caseworker."""
    table = tables["measurement"]
    n = int(((table["respondent"] == "caseworker") & table["caseworker_id"].isna()).sum())
    yield Problem(rule.id, "measurement", "caseworker_id", n)


def value_or_reason(tables: Tables, rule: Rule, coverage: Coverage) -> Iterator[Problem]:
    """value_or_reason: an answer is a number or the reason why there is none, never both or neither."""
    table = tables["rating"]
    n = int((table["value"].notna() == table["missing_reason"].notna()).sum())
    yield Problem(rule.id, "rating", "value, missing_reason", n)


def item_respondent(tables: Tables, rule: Rule, coverage: Coverage) -> Iterator[Problem]:
    """item_respondent: an item is answered by the one it was written for."""
    rated = _rated(tables)
    wrong = rated["item_respondent"].notna() & rated["respondent"].notna()
    wrong &= rated["item_respondent"] != rated["respondent"]
    yield Problem(rule.id, "rating", "item_id", int(wrong.sum()))


def scale_order(tables: Tables, rule: Rule, coverage: Coverage) -> Iterator[Problem]:
    """scale_order: the lowest answer is below the highest."""
    table = tables["item"]
    n = int((table["scale_min"] >= table["scale_max"]).sum())
    yield Problem(rule.id, "item", "scale_min, scale_max", n)


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
    tiles = table.loc[~_linked(table), ["citizen_id", "outcome", "window_start", "window_end"]].dropna()
    n = _overlaps(tiles, ["citizen_id", "outcome"], "window_start", "window_end")
    yield Problem(rule.id, "outcome", "window_start, window_end", n)


def _overlaps(spells: pd.DataFrame, by: list[str], start: str, end: str) -> int:
    """Spells that begin before an earlier one of the same group has ended; a null end is open."""
    ordered = spells.sort_values([*by, start], kind="stable")
    ends = ordered[end].fillna(pd.Timestamp("2200-12-31"))
    groups = [ordered[name] for name in by]
    latest = ends.groupby(groups, sort=False).cummax()
    earlier = latest.groupby(groups, sort=False).shift()
    return int((ordered[start] < earlier).sum())


def _windows(tables: Tables) -> pd.DataFrame:
    """Follow-up, one row per citizen."""
    names = ["citizen_id", "observed_from", "observed_to"]
    return tables["follow_up"][names].drop_duplicates("citizen_id")


def _linked(outcome: pd.DataFrame) -> pd.Series:
    """Outcome rows that name a measurement."""
    if "measurement_id" not in outcome:
        return pd.Series(False, index=outcome.index)
    return outcome["measurement_id"].notna()


def _rated(tables: Tables) -> pd.DataFrame:
    """Ratings beside their item's scale and respondent, by version where both sides name one."""
    measurement = tables.get("measurement", pd.DataFrame({"measurement_id": []}))
    names = [n for n in ("measurement_id", "instrument_version", "respondent") if n in measurement]
    rated = tables["rating"].merge(
        measurement[names].drop_duplicates("measurement_id"),
        on="measurement_id",
        how="left",
        suffixes=("_own", ""),
    )
    items = tables["item"].rename(columns={"respondent": "item_respondent", "instrument_version": "version"})
    items = items[
        [n for n in ("item_id", "version", "item_respondent", "scale_min", "scale_max") if n in items]
    ]
    if "version" in items and items["version"].notna().any() and "instrument_version" in rated:
        exact = rated.merge(
            items.drop_duplicates(["item_id", "version"]),
            left_on=["item_id", "instrument_version"],
            right_on=["item_id", "version"],
            how="left",
        )
        silent = exact["instrument_version"].isna()
        if not silent.any():
            return exact
        return pd.concat([exact[~silent], _by_item(rated[silent.to_numpy()], items)], ignore_index=True)
    return _by_item(rated, items)


def _by_item(rated: pd.DataFrame, items: pd.DataFrame) -> pd.DataFrame:
    """Ratings beside the item of that id, whatever its version."""
    return rated.merge(items.drop_duplicates("item_id"), on="item_id", how="left")


CHECKS: Mapping[str, Check] = {
    "C01": primary_keys,
    "C02": foreign_keys,
    "C03": dates,
    "C06": lead_overlap,
    "C07": inside_employment_and_follow_up,
    "C08": rating_inside_assignment,
    "C09": wave_spacing,
    "C10": rating_on_scale,
    "C11": window_after_measurement,
    "C12": window_observed,
    "C13": already_there,
    "C22": one_jobcentre_a_day,
    "C24": left_truncation,
    "C27": constant_raters,
    "rater_required": rater_named,
    "value_or_reason": value_or_reason,
    "item_respondent": item_respondent,
    "scale_order": scale_order,
    "event_in_window": event_in_window,
    "outcome_link": outcome_link,
    "outcome_overlap": outcome_overlap,
}
