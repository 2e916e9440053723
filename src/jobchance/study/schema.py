"""The table schemas, code lists and named rules, read once from the data files that ship with the package.

The files under `data/schemas` (Frictionless Table Schema v2) and `data/codelists` are the only source:
validation, the data dictionary and the dummy-data generator all read them through this module.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any

from jobchance.resources import read_data_text

TABLES = (
    "citizen",
    "jobcentre",
    "caseworker",
    "assignment",
    "measurement",
    "item",
    "rating",
    "outcome",
    "follow_up",
    "activity",
    "extract",
)
MINIMUM_TABLES = ("citizen", "measurement", "rating")


@dataclass(frozen=True)
class Field:
    """One column of a table: `type` is string, integer, number, boolean or date."""

    name: str
    type: str
    label: Mapping[str, str]
    note: Mapping[str, str]
    unit: str | None
    source_name: str | None
    codes: str | None
    codes_open: bool
    reference_type: str
    identifier: bool
    not_after: str | None
    example: str
    constraints: Mapping[str, Any]
    allowed: tuple[str, ...]
    true_values: tuple[str, ...]
    false_values: tuple[str, ...]

    @property
    def required(self) -> bool:
        """True where an empty cell is an error."""
        return bool(self.constraints.get("required", False))


@dataclass(frozen=True)
class ForeignKey:
    """Values of `column` stand in `target_column` of `target`."""

    column: str
    target: str
    target_column: str


@dataclass(frozen=True)
class TableSchema:
    """One table: its columns, keys and the texts that mean "missing"."""

    name: str
    title: Mapping[str, str]
    description: Mapping[str, str]
    fields: tuple[Field, ...]
    primary_key: tuple[str, ...]
    foreign_keys: tuple[ForeignKey, ...]
    missing_values: Mapping[str, str]

    def field(self, name: str) -> Field:
        """Return the column called `name`."""
        return next(field for field in self.fields if field.name == name)

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of all columns, in the order of the schema."""
        return tuple(field.name for field in self.fields)


@dataclass(frozen=True)
class Rule:
    """A named rule: `level` is E (error) or W (warning); `needs` lists tables and columns that it reads."""

    id: str
    level: str
    checked_in: str
    tables: tuple[str, ...]
    needs: Mapping[str, tuple[str, ...]]
    parameters: Mapping[str, Any]
    message: Mapping[str, str]
    variants: Mapping[str, Mapping[str, str]]


@dataclass(frozen=True)
class Code:
    """One entry of a code list; `certainty` is A, B, C or "design" (the project's own)."""

    code: str
    label: Mapping[str, str]
    valid_from: str
    valid_to: str
    certainty: str
    source: str


@cache
def load_schemas() -> Mapping[str, TableSchema]:
    """Read the schemas of all tables, in the order in which tables depend on each other."""
    return MappingProxyType({name: _table(read_schema_file(name)) for name in TABLES})


def read_schema_file(name: str) -> dict[str, Any]:
    """Return one schema file as it stands, for tools that want the Frictionless form."""
    content: dict[str, Any] = json.loads(read_data_text("schemas", f"{name}.json"))
    return content


@cache
def load_rules() -> Mapping[str, Rule]:
    """Read all named rules by id, in the order in which they are reported."""
    entries = json.loads(read_data_text("schemas", "rules.json"))["rules"]
    return MappingProxyType({entry["id"]: _rule(entry) for entry in entries})


@cache
def load_codelist(name: str) -> tuple[Code, ...]:
    """Read the entries of one code list, in the order of the file."""
    rows = csv.DictReader(io.StringIO(read_data_text("codelists", f"{name}.csv")))
    return tuple(
        Code(
            code=row["code"],
            label=MappingProxyType({"da": row["label_da"], "en": row["label_en"]}),
            valid_from=row["valid_from"],
            valid_to=row["valid_to"],
            certainty=row["certainty"],
            source=row["source"],
        )
        for row in rows
    )


def check_schema_files() -> tuple[str, ...]:
    """Check the schema and rule files against their meta-schemas and each other; one line per fault."""
    import jsonschema

    faults = []
    for name in (*TABLES, "rules"):
        content = read_schema_file(name)
        meta = json.loads(
            read_data_text("schemas", "meta", "rules.schema.json" if name == "rules" else "table.schema.json")
        )
        for error in jsonschema.Draft202012Validator(meta).iter_errors(content):
            faults.append(f"{name}.json, {error.json_path}: {error.message}")
    return tuple(faults) or tuple(_cross_faults())


def _cross_faults() -> list[str]:
    """Faults that no single file shows: keys to absent columns, categories unlike their code list."""
    schemas, faults = load_schemas(), []
    for name, table in schemas.items():
        if table.name != name or len(set(table.names)) != len(table.names):
            faults.append(f"{name}.json: wrong name or repeated columns")
        faults += [
            f"{name}.json: unknown key column {key}" for key in table.primary_key if key not in table.names
        ]
        for key in table.foreign_keys:
            if key.column not in table.names or key.target_column not in schemas[key.target].names:
                faults.append(f"{name}.json: foreign key {key.column} points nowhere")
        for field in table.fields:
            if field.example and not re.fullmatch(field.constraints["pattern"], field.example):
                faults.append(f"{name}.{field.name}: the example does not have the form")
            if field.codes and not field.codes_open:
                listed = {code.code for code in load_codelist(field.codes)}
                if listed != set(field.allowed):
                    faults.append(f"{name}.{field.name}: categories differ from code list {field.codes}")
    for rule in load_rules().values():
        for table_name, columns in rule.needs.items():
            unknown = set(columns) - set(schemas[table_name].names)
            faults += [f"rule {rule.id}: unknown column {table_name}.{column}" for column in sorted(unknown)]
    return faults


def _table(entry: Mapping[str, Any]) -> TableSchema:
    """Build a table from its file's content."""
    return TableSchema(
        name=entry["name"],
        title=MappingProxyType({"da": entry["title_da"], "en": entry["title_en"]}),
        description=MappingProxyType({"da": entry["description_da"], "en": entry["description_en"]}),
        fields=tuple(_field(field) for field in entry["fields"]),
        primary_key=tuple(entry["primaryKey"]),
        foreign_keys=tuple(
            ForeignKey(key["fields"][0], key["reference"]["resource"], key["reference"]["fields"][0])
            for key in entry["foreignKeys"]
        ),
        missing_values=MappingProxyType({item["value"]: item["label"] for item in entry["missingValues"]}),
    )


def _field(entry: Mapping[str, Any]) -> Field:
    """Build a column from its part of the file."""
    constraints = entry.get("constraints", {})
    allowed = [category["value"] for category in entry.get("categories", [])] or constraints.get("enum", [])
    return Field(
        name=entry["name"],
        type=entry["type"],
        label=MappingProxyType({"da": entry["label_da"], "en": entry["label_en"]}),
        note=MappingProxyType({"da": entry.get("note_da", ""), "en": entry.get("note_en", "")}),
        unit=entry["unit"],
        source_name=entry["source_name"],
        codes=entry["codes"],
        codes_open=entry.get("codes_open", False),
        reference_type=entry["reference_type"],
        identifier=entry.get("identifier", False),
        not_after=entry.get("not_after"),
        example=entry.get("example", ""),
        constraints=MappingProxyType(dict(constraints)),
        allowed=tuple(str(value) for value in allowed),
        true_values=tuple(entry.get("trueValues", ())),
        false_values=tuple(entry.get("falseValues", ())),
    )


def _rule(entry: Mapping[str, Any]) -> Rule:
    """Build a rule from its entry."""
    return Rule(
        id=entry["id"],
        level=entry["level"],
        checked_in=entry["checked_in"],
        tables=tuple(entry["tables"]),
        needs=MappingProxyType({table: tuple(columns) for table, columns in entry["needs"].items()}),
        parameters=MappingProxyType(dict(entry["parameters"])),
        message=MappingProxyType(dict(entry["message"])),
        variants=MappingProxyType(
            {key: MappingProxyType(dict(text)) for key, text in entry["variants"].items()}
        ),
    )
