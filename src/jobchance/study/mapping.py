"""From a file's columns to ours: names, constants, row numbers, values, missing texts, wide to long."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from jobchance.study.problems import Problem, safe_name
from jobchance.study.raw import RawColumn, RawTable, concat_text, constant_column, numbered_column
from jobchance.study.schema import TableSchema, load_schemas
from jobchance.study.spec import TableSpec


def map_columns(raw: RawTable, spec: TableSpec, *, file: str) -> tuple[RawTable, list[Problem]]:
    """Give a file's columns our names and our values.

    Parameters
    ----------
    raw : RawTable
        The columns as the file has them.
    spec : TableSpec
        What `study.toml` says about the table.
    file : str
        The file's name, for the problems.

    Returns
    -------
    RawTable
        Columns by our names (lower case for names of the schema), missing texts null.
    list of Problem
        Mapped columns that the file lacks, columns that the mapping hides, columns of an unusable type.
    """
    schema = load_schemas()[spec.table]
    columns, found = _renamed(raw, spec, schema, file)
    for name in spec.row_id:
        columns[name] = numbered_column(raw.n_rows)
    for name, value in spec.constants.items():
        columns[name] = constant_column(value, raw.n_rows)
    for name, column in columns.items():
        columns[name] = _cleaned(column, name, spec, schema)
    table = RawTable(columns, raw.n_rows, raw.unusable)
    if spec.items:
        table, problems = _melted(table, raw, spec, file)
        found += problems
    return _reasons(table, spec) if spec.table == "rating" and spec.missing else table, found


def _renamed(
    raw: RawTable, spec: TableSpec, schema: TableSchema, file: str
) -> tuple[dict[str, RawColumn], list[Problem]]:
    """Columns under our names; the file's own columns of a name that is mapped or constant are not read."""
    theirs = {name.casefold(): name for name in raw.columns}
    found, columns = [], {}
    unusable = {name.casefold() for name in raw.unusable}
    taken = {wanted.casefold() for wanted in (*spec.columns.values(), *spec.items.values())}
    for ours, wanted in spec.columns.items():
        if wanted.casefold() in theirs:
            columns[ours] = raw.columns[theirs[wanted.casefold()]]
        elif wanted.casefold() not in unusable:
            found.append(
                Problem("mapped_column_missing", spec.table, ours, fill={"theirs": wanted, "file": file})
            )
    given = {*spec.columns, *spec.constants, *spec.row_id}
    for folded, name in theirs.items():
        ours = folded if folded in schema.names else name
        if ours in given:
            if folded not in taken:
                found.append(Problem("column_shadowed", spec.table, ours))
        elif folded not in taken and _is_kept(ours, spec, schema):
            columns[ours] = raw.columns[name]
    wanted_here = {*schema.names, *(wanted.casefold() for wanted in spec.columns.values())}
    for name in raw.unusable:
        if spec.keep is None or name.casefold() in wanted_here:
            found.append(Problem("column_type", spec.table, safe_name(name)))
    return columns, found


def _is_kept(name: str, spec: TableSpec, schema: TableSchema) -> bool:
    """Columns of the schema always; columns of the user's own unless `keep` leaves them out."""
    return (
        name in schema.names
        or spec.keep is None
        or name.casefold() in {kept.casefold() for kept in spec.keep}
    )


def _cleaned(column: RawColumn, name: str, spec: TableSpec, schema: TableSchema) -> RawColumn:
    """Surrounding spaces off, the user's values translated, missing texts null."""
    values = {text: _as_text(value) for text, value in spec.values.get(name, {}).items()}
    missing = set(schema.missing_values)
    is_id = name in schema.names and schema.field(name).identifier
    keeps_reason = spec.table == "rating" and name == "value"
    if not is_id and not keeps_reason:
        missing |= set(spec.missing)

    def clean(text: str) -> str | None:
        text = text.strip(" \u00a0")
        text = values.get(text, text)
        return None if text in missing else text

    return column.map(clean)


def _as_text(value: object) -> str:
    """A value of `study.toml` as the text that a file would hold."""
    return str(constant_column(value, 1).texts[0])


def _melted(table: RawTable, raw: RawTable, spec: TableSpec, file: str) -> tuple[RawTable, list[Problem]]:
    """One row per item from one column per item; an empty cell is no row: nothing says why it is empty."""
    theirs = {name.casefold(): name for name in raw.columns}
    schema, found, parts = load_schemas()["rating"], [], []
    measurement = table.columns.get("measurement_id")
    for item, wanted in spec.items.items():
        if wanted.casefold() not in theirs:
            found.append(
                Problem("mapped_column_missing", "rating", item, fill={"theirs": wanted, "file": file})
            )
        elif measurement is not None:
            values = _cleaned(raw.columns[theirs[wanted.casefold()]], "value", spec, schema)
            rows = np.flatnonzero(values.codes >= 0)
            parts.append((item, values.take(rows), measurement.take(rows)))
    if not parts:
        # measurement_id itself may be what is missing; the schema check says so.
        kept = {} if measurement is None else {"measurement_id": measurement}
        return RawTable(kept | _empty(len(measurement or ())), len(measurement or ())), found
    names = [constant_column(item, len(values)).to_text() for item, values, _ in parts]
    columns = {
        "measurement_id": concat_text([ids.to_text() for _, _, ids in parts]),
        "item_id": concat_text(names),
        "value": concat_text([values.to_text() for _, values, _ in parts]),
    }
    kinds = {values.kind for _, values, _ in parts}
    value = columns["value"]
    columns["value"] = RawColumn(value.codes, value.texts, kinds.pop() if len(kinds) == 1 else "text")
    return RawTable(columns, len(columns["value"])), found


def _empty(n_rows: int) -> dict[str, RawColumn]:
    """Rating columns without any value, so that only the real fault is reported."""
    nothing = RawColumn(np.full(n_rows, -1, dtype=np.intp), ())
    return {"item_id": nothing, "value": nothing}


def _reasons(table: RawTable, spec: TableSpec) -> RawTable:
    """Values of `rating` that mean missing become null, with their reason beside them."""
    value = table.columns.get("value")
    if value is None:
        return table
    reasons = _reason_of_each_row(value, spec.missing)
    nothing = np.full(table.n_rows, None, dtype=object)
    before = table.columns.get("missing_reason")
    given = before.to_text().to_numpy(dtype=object) if before is not None else nothing
    merged = np.where(reasons == "", given, reasons)
    columns = dict(table.columns)
    columns["value"] = value.map(lambda text: None if text in spec.missing else text)
    columns["missing_reason"] = _text_column(merged)
    return RawTable(columns, table.n_rows, table.unusable)


def _reason_of_each_row(value: RawColumn, missing: Mapping[str, str]) -> np.ndarray:
    """Reason per row, "" where there is none."""
    table = np.array([*(missing.get(text, "") for text in value.texts), ""], dtype=object)
    return table[value.codes]


def _text_column(values: np.ndarray) -> RawColumn:
    """A raw column from texts and nulls."""
    distinct: dict[str, int] = {}
    codes = [distinct.setdefault(v, len(distinct)) if isinstance(v, str) else -1 for v in values]
    return RawColumn(np.array(codes, dtype=np.intp), tuple(distinct))
