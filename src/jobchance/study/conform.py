"""Tables from raw columns to the types of their schema: plain, predictable columns."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from jobchance.study.columns import convert_column, convert_extra
from jobchance.study.files import raw_from_frame
from jobchance.study.problems import Problem, safe_name
from jobchance.study.raw import TEXT_DTYPE, RawTable
from jobchance.study.schema import Field, load_schemas
from jobchance.study.spec import TableSpec
from jobchance.study.suspicious import is_formula


def conform_table(
    raw: RawTable, spec: TableSpec, *, decimal: str | None
) -> tuple[pd.DataFrame, list[Problem]]:
    """Convert one table to its schema.

    Columns come in the order of the schema, then the user's own. Optional columns that are absent are null.
    Text is text; whole numbers and booleans are `int64`/`bool` where complete, else `float64`; dates are
    `datetime64[ns]`.

    Returns
    -------
    DataFrame
        Without required columns that are absent.
    list of Problem
        Absent columns, and every value that breaks its field, counted.
    """
    schema = load_schemas()[spec.table]
    found: list[Problem] = []
    frame: dict[str, pd.Series] = {}
    for field in schema.fields:
        if field.name in raw.columns:
            frame[field.name], problems = convert_column(
                raw.columns[field.name],
                field,
                table=spec.table,
                decimal=decimal,
                date_format=spec.date_format_of(field.name),
            )
            found += problems
        elif not field.required:
            frame[field.name] = _nulls(field, raw.n_rows)
        elif field.name not in spec.columns:
            found.append(Problem("column_missing", spec.table, field.name, fill={"mapped": ""}))
    for name, column in raw.columns.items():
        if name not in schema.names:
            if is_formula(name):
                found.append(Problem("formula_like", spec.table, safe_name(name)))
            frame[name], problems = convert_extra(column, safe_name(name), table=spec.table, decimal=decimal)
            found += problems
    if raw.n_rows == 0:
        found.append(Problem("no_rows", spec.table))
    return pd.DataFrame(frame), found


def conform_tables(tables: Mapping[str, pd.DataFrame]) -> tuple[dict[str, pd.DataFrame], list[Problem]]:
    """Convert frames made in memory to their schemas, exactly as if they had been read from files."""
    found: list[Problem] = []
    conformed = {}
    for name, frame in tables.items():
        if name not in load_schemas():
            found.append(
                Problem("unknown_table", name, fill={"near": "", "allowed": ", ".join(load_schemas())})
            )
            continue
        raw = raw_from_frame(frame)
        found += [Problem("column_type", name, safe_name(column)) for column in raw.unusable]
        conformed[name], problems = conform_table(_without_missing(raw, name), TableSpec(name), decimal=".")
        found += problems
    return conformed, found


def _without_missing(raw: RawTable, table: str) -> RawTable:
    """Texts that mean missing made null."""
    missing = load_schemas()[table].missing_values
    columns = {
        name: column.map(lambda text: None if text.strip() in missing else text.strip())
        for name, column in raw.columns.items()
    }
    return RawTable(columns, raw.n_rows, raw.unusable)


def _nulls(field: Field, n_rows: int) -> pd.Series:
    """An optional column that nobody filled."""
    kinds = {"string": TEXT_DTYPE, "date": "datetime64[ns]"}
    return pd.Series([None] * n_rows, dtype=kinds.get(field.type, "float64"))
