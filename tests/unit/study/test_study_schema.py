"""One source: schema files, data dictionary, dummy tables and validation agree, field by field."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import jsonschema
import pandas as pd
import pytest

from jobchance.errors import SpecError
from jobchance.resources import data_folder
from jobchance.simulate.dummy import DATA_THROUGH, dummy_tables
from jobchance.study.conform import conform_tables
from jobchance.study.dictionary import data_dictionary_markdown
from jobchance.study.instrument import read_instrument
from jobchance.study.load import check_tables
from jobchance.study.model import Analysis, Study
from jobchance.study.problems import Problem
from jobchance.study.rules import CHECKS
from jobchance.study.schema import (
    MINIMUM_TABLES,
    TABLES,
    Field,
    check_schema_files,
    load_codelist,
    load_rules,
    load_schemas,
    read_schema_file,
)
from jobchance.study.validate import validate_study

FIELDS = [(table.name, field.name) for table in load_schemas().values() for field in table.fields]
# Coded fields that are drawn at random in tables with rows enough for every code.
DRAWN = [
    (table, name)
    for table, name in FIELDS
    if load_schemas()[table].field(name).allowed
    and table in ("citizen", "assignment", "measurement", "rating", "activity")
    and name not in ("role", "respondent")
]
PAGE = Path(__file__).resolve().parents[3] / "docs" / "reference" / "data-dictionary.md"


def problems_of(tables: dict[str, pd.DataFrame]) -> set[tuple[str, str, str]]:
    """Everything that is wrong with tables in memory."""
    conformed, found = conform_tables(tables)
    found += check_tables(
        conformed,
        instrument=read_instrument("bip"),
        analysis=Analysis(belief_item="caseworker_1"),
        through=DATA_THROUGH.date(),
    )
    return {(p.table, p.column, p.rule) for p in found}


def test_schema_files_obey_the_meta_schemas() -> None:
    assert check_schema_files() == ()


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda t: t.pop("primaryKey"), "primaryKey"),
        (lambda t: t["fields"][0].pop("label_da"), "label_da"),
        (lambda t: t["fields"][0].update(type="text"), "text"),
        (lambda t: t["fields"][0].update(colour="red"), "colour"),
        (lambda t: t.update(fieldsMatch="exact"), "exact"),
    ],
)
def test_meta_schema_refuses(change: object, fault: str) -> None:
    content = read_schema_file("citizen")
    change(content)  # type: ignore[operator]
    meta = json.loads((data_folder() / "schemas" / "meta" / "table.schema.json").read_text(encoding="utf-8"))
    with pytest.raises(jsonschema.ValidationError, match=fault):
        jsonschema.validate(content, meta)


def test_files_and_tables_are_the_same() -> None:
    files = {path.stem for path in (data_folder() / "schemas").glob("*.json")}
    assert files == {*TABLES, "rules"}
    assert set(MINIMUM_TABLES) <= set(TABLES)


def test_code_lists_are_used_and_say_how_certain_they_are() -> None:
    used = {field.codes for table in load_schemas().values() for field in table.fields if field.codes}
    files = {path.stem for path in (data_folder() / "codelists").glob("*.csv")} - {"published_bip"}
    assert files == used
    for name in used:
        codes = load_codelist(name)
        assert len({code.code for code in codes}) == len(codes)
        for code in codes:
            assert code.certainty in ("A", "B", "C", "design")
            assert code.source
            assert all(code.label.values())
            for day in (code.valid_from, code.valid_to):
                assert not day or date.fromisoformat(day)


def test_every_rule_has_a_function_or_says_where_it_is_checked() -> None:
    rules = load_rules().values()
    across = {rule.id for rule in rules if rule.needs and rule.id != "C23"} | {"C01", "C02", "C03"}
    assert set(CHECKS) == across
    assert {rule.id for rule in rules if rule.checked_in == "panel"} == {"C14"}


@pytest.mark.parametrize("rule", load_rules().values(), ids=lambda rule: rule.id)
def test_messages_can_be_filled_in_both_languages(rule: object) -> None:
    fill = dict.fromkeys(
        (
            *("section", "near", "allowed", "expected", "file", "format", "place", "why", "mapped", "theirs"),
            *(
                "decimal",
                "target",
                "days",
                "citizens",
                "hours",
                "first",
                "last",
                "low",
                "high",
                "seen",
                "detail",
            ),
        ),
        "X",
    )
    for variant in list(rule.variants) or [""]:  # type: ignore[attr-defined]
        problem = Problem(rule.id, "citizen", "citizen_id", 1234, variant, fill)  # type: ignore[attr-defined]
        for lang, count in (("da", "1.234"), ("en", "1,234")):
            message = problem.message(lang)
            assert "{n}" not in rule.message[lang] or count in message  # type: ignore[attr-defined]
            assert message.endswith((".", "?", "X"))


def test_dictionary_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == data_dictionary_markdown("en")


@pytest.mark.parametrize("lang", ["da", "en"])
def test_dictionary_has_every_table_field_code_list_and_rule(lang: str) -> None:
    page = data_dictionary_markdown(lang)
    for table in load_schemas().values():
        part = page.split(f"## `{table.name}`:")[1].split("\n## ")[0]
        for field in table.fields:
            assert f"| `{field.name}` | {field.label[lang]}" in part
            assert not field.codes or f"#codes-{field.codes}" in part
    for rule in load_rules():
        assert f"| `{rule}` |" in page
    with pytest.raises(SpecError, match="lang"):
        data_dictionary_markdown("sv")


def test_dummy_tables_are_complete_valid_and_repeatable() -> None:
    tables = dummy_tables(n_citizens=120, seed=3)
    assert set(tables) == set(TABLES)
    for name, table in tables.items():
        assert tuple(table.columns) == load_schemas()[name].names
        assert len(table) > 0
    instrument = read_instrument("bip")
    study = Study(
        tables,
        instrument,
        "x",
        "y",
        "simulated",
        "da",
        DATA_THROUGH.date(),
        analysis=Analysis(belief_item="citizen_1"),
    )
    report = validate_study(study)
    assert report.problems.empty, report.render("en")
    again = dummy_tables(n_citizens=120, seed=3)
    assert all(tables[name].equals(again[name]) for name in TABLES)
    assert not tables["citizen"].equals(dummy_tables(n_citizens=120, seed=4)["citizen"])
    with pytest.raises(ValueError, match="at least 1"):
        dummy_tables(n_citizens=0, seed=1)


@pytest.mark.parametrize(("table", "name"), DRAWN)
def test_dummy_values_use_every_code(table: str, name: str) -> None:
    values = dummy_tables(n_citizens=400, seed=5)[table][name].dropna().astype(str)
    assert set(values) == set(load_schemas()[table].field(name).allowed)


def _violations(field: Field) -> list[tuple[str, object]]:
    """A rule and a value that breaks it, for every constraint of a field."""
    limits, broken = field.constraints, []
    if field.required:
        broken.append(("required", None))
    if field.type in ("integer", "number"):
        broken += [({"integer": "integer", "number": "number"}[field.type], "many"), ("not_finite", "inf")]
        broken += [("range", value) for value in _outside(field)]
    if field.type == "integer":
        broken += [("integer", "1.5"), ("integer", "1" + "0" * 20)]
    if field.type == "boolean":
        broken.append(("boolean", "maybe"))
    if field.type == "date":
        broken += [("date", "soon"), ("date_mixed", "31-12-2013"), ("date_serial", "41639")]
        broken += [("date_time", "2013-12-31 10:00:00"), ("C03", "1840-01-01"), ("C03", "9999-12-31")]
        if field.not_after:
            broken.append(("C03", "2030-01-01"))
    if field.allowed:
        broken.append(("code", "99" if field.type == "integer" else "no such code"))
    if field.codes_open:
        broken.append(("C23", "699"))
    if "pattern" in limits:
        broken.append(("pattern", "?!"))
    if "maxLength" in limits:
        broken.append(("too_long", "x" * (int(limits["maxLength"]) + 1)))
    if field.type == "string":
        broken += [("formula_like", "=1+1"), ("control_characters", "a\x00b")]
        broken += [("personal_number", "010190-1234")]
    return broken


def _outside(field: Field) -> list[str]:
    """Numbers just outside a field's limits."""
    limits, values = field.constraints, []
    if "minimum" in limits:
        values.append(str(limits["minimum"] - 1))
    if "exclusiveMinimum" in limits:
        values.append(str(limits["exclusiveMinimum"]))
    if "maximum" in limits:
        values.append(str(limits["maximum"] + 1))
    return values


@pytest.mark.parametrize(("table", "name"), FIELDS)
def test_every_constraint_of_every_field_is_enforced(table: str, name: str) -> None:
    field = load_schemas()[table].field(name)
    tables = dummy_tables(n_citizens=20, seed=11)
    violations = _violations(field)
    assert violations
    for rule, value in violations:
        broken = tables[table].copy()
        texts = broken[name].astype(object).where(broken[name].notna(), None).tolist()
        if field.type == "date":
            texts = [None if pd.isna(v) else f"{v:%Y-%m-%d}" for v in texts]
            # A column needs a date in the expected form before another form is a mixture.
            texts[-1] = texts[-1] or "2013-02-01"
            if len(texts) == 1:
                texts = texts * 2
                broken = pd.concat([broken, broken], ignore_index=True)
        texts[0] = value
        broken[name] = pd.Series(texts, dtype=object)
        assert (table, name, rule) in problems_of({**tables, table: broken}), (rule, value)


@pytest.mark.parametrize("table", TABLES)
def test_keys_are_enforced(table: str) -> None:
    tables = dummy_tables(n_citizens=20, seed=12)
    schema = load_schemas()[table]
    twice = pd.concat([tables[table], tables[table].iloc[[0]]], ignore_index=True)
    assert (table, ", ".join(schema.primary_key), "C01") in problems_of({**tables, table: twice})
    for key in schema.foreign_keys:
        stray = tables[table].copy()
        stray[key.column] = stray[key.column].astype(object)
        stray.loc[0, key.column] = "860" if "municipality" in key.column else "nobody"
        assert (table, key.column, "C02") in problems_of({**tables, table: stray})


@pytest.mark.parametrize("table", TABLES)
def test_required_columns_must_be_there_and_optional_ones_are_filled(table: str) -> None:
    tables = dummy_tables(n_citizens=20, seed=13)
    for field in load_schemas()[table].fields:
        without = {**tables, table: tables[table].drop(columns=field.name)}
        missing = (table, field.name, "column_missing") in problems_of(without)
        assert missing is field.required
        if not field.required:
            assert conform_tables(without)[0][table][field.name].isna().all()
