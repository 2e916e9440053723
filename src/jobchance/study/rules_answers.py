"""Rules on measurements, answers and items."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from jobchance.study.problems import Problem
from jobchance.study.rule_context import Coverage, Tables
from jobchance.study.schema import Rule


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


def _rated(tables: Tables) -> pd.DataFrame:
    """Ratings beside their item's scale and respondent, by version where both sides name one."""
    measurement = tables.get("measurement")
    if measurement is None or "measurement_id" not in measurement:
        measurement = pd.DataFrame({"measurement_id": []}, dtype=tables["rating"]["measurement_id"].dtype)
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
