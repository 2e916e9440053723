"""Rules on keys and dates of every table."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from jobchance.study.problems import Problem
from jobchance.study.rule_context import Coverage, Tables, has
from jobchance.study.schema import Rule, load_schemas

_DAY = pd.Timedelta(days=1)


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
            if has(tables, name, (start, end)):
                n = int((tables[name][start] >= tables[name][end]).sum())
                yield Problem(rule.id, name, f"{start}, {end}", n, "order")
