"""The data dictionary: one page in Danish or English made from the schema files, code lists and rules."""

from __future__ import annotations

from collections.abc import Iterable

from jobchance.options import check_option
from jobchance.study.problems import LANGUAGES
from jobchance.study.schema import Field, Rule, TableSchema, load_codelist, load_rules, load_schemas

_WORDS = {
    "en": {
        "title": "Data dictionary",
        "intro": (
            "Made from the files in `data/schemas` and `data/codelists`; edit those, not this page. "
            "Periods are half-open: the end is the first day that no longer counts. Ids are text. "
            "Columns of your own are kept."
        ),
        "key": "Key",
        "points": "Points to",
        "missing": "Texts that mean missing",
        "columns": "column meaning type allowed unit required register_type register_name",
        "required": "yes",
        "codes": "Code lists",
        "code_columns": "code English Danish valid_from valid_to certainty source",
        "certainty": (
            "Certainty: A confirmed in a published source, B the family is confirmed, C own knowledge that "
            "must be checked, design = the project's own."
        ),
        "rules": "Rules",
        "rules_intro": (
            "E is an error, W a warning. Messages carry counts, never a value or an id. `{...}` is filled in."
        ),
        "rule_columns": "rule level checked_in tables message",
        "validation": "validation",
        "panel": "panel",
        "string": "text",
        "integer": "whole number",
        "number": "number",
        "boolean": "yes/no",
        "date": "date",
        "data_through": "not after the last day of data",
        "day_after_data_through": "not after the day following the last day of data",
        "earliest": "from {day}",
        "length": "at most {n} characters",
        "list": "list",
        "open": "open list",
    },
    "da": {
        "title": "Dataordbog",
        "intro": (
            "Lavet af filerne i `data/schemas` og `data/codelists`; ret dem og ikke denne side. "
            "Perioder er halvåbne: slutdatoen er den første dag, der ikke tæller med. Id er tekst. "
            "Egne kolonner bevares."
        ),
        "key": "Nøgle",
        "points": "Peger på",
        "missing": "Tekster, der betyder mangler",
        "columns": "kolonne betydning type tilladt enhed krævet registertype registernavn",
        "required": "ja",
        "codes": "Kodelister",
        "code_columns": "kode engelsk dansk gyldig_fra gyldig_til sikkerhed kilde",
        "certainty": (
            "Sikkerhed: A bekræftet i en offentliggjort kilde, B familien er bekræftet, C egen viden, "
            "som skal kontrolleres, design = projektets egen."
        ),
        "rules": "Regler",
        "rules_intro": (
            "E er en fejl, W en advarsel. Meddelelser har antal, aldrig en værdi eller et id. "
            "`{...}` udfyldes."
        ),
        "rule_columns": "regel niveau kontrolleres_i tabeller meddelelse",
        "validation": "validering",
        "panel": "panel",
        "string": "tekst",
        "integer": "helt tal",
        "number": "tal",
        "boolean": "ja/nej",
        "date": "dato",
        "data_through": "ikke efter datas sidste dag",
        "day_after_data_through": "ikke efter dagen efter datas sidste dag",
        "earliest": "fra {day}",
        "length": "højst {n} tegn",
        "list": "liste",
        "open": "åben liste",
    },
}


def data_dictionary_markdown(lang: str = "en") -> str:
    """Return the data dictionary as Markdown.

    Parameters
    ----------
    lang : str
        `"da"` or `"en"`.

    Returns
    -------
    str
        Tables with all their columns, code lists with their certainty, and the named rules.

    Raises
    ------
    SpecError
        `lang` is neither.

    Examples
    --------
    >>> data_dictionary_markdown("da").splitlines()[0]
    '# Dataordbog'
    """
    check_option("lang", lang, LANGUAGES)
    words = _WORDS[lang]
    parts = [f"# {words['title']}", words["intro"]]
    parts += [_table_part(table, lang) for table in load_schemas().values()]
    parts += [f"## {words['codes']}", words["certainty"]]
    parts += [_codelist_part(name, lang) for name in _codelists()]
    parts += [f"## {words['rules']}", words["rules_intro"], _rules_part(lang)]
    return "\n\n".join(parts) + "\n"


def _codelists() -> list[str]:
    """Code lists in use, by name."""
    fields = [field for table in load_schemas().values() for field in table.fields]
    return sorted({field.codes for field in fields if field.codes})


def _table_part(table: TableSchema, lang: str) -> str:
    """One table: title, description, keys and columns."""
    words = _WORDS[lang]
    lines = [f"## `{table.name}`: {table.title[lang]}", "", table.description[lang], ""]
    lines.append(f"{words['key']}: " + ", ".join(f"`{name}`" for name in table.primary_key) + ".")
    if table.foreign_keys:
        keys = (f"`{key.column}` → `{key.target}.{key.target_column}`" for key in table.foreign_keys)
        lines.append(f"{words['points']}: " + ", ".join(keys) + ".")
    texts = (f"`{text}` ({label})" if text else label for text, label in table.missing_values.items())
    lines += [f"{words['missing']}: {', '.join(texts)}.", ""]
    return "\n".join(lines + _grid(words["columns"], (_field_row(field, lang) for field in table.fields)))


def _field_row(field: Field, lang: str) -> list[str]:
    """One column of a table."""
    words = _WORDS[lang]
    meaning = f"{field.label[lang]}. {field.note[lang]}" if field.note[lang] else field.label[lang]
    return [
        f"`{field.name}`",
        meaning,
        words[field.type],
        _allowed(field, lang),
        field.unit or "",
        words["required"] if field.required else "",
        field.reference_type,
        f"`{field.source_name}`" if field.source_name else "",
    ]


def _allowed(field: Field, lang: str) -> str:
    """What a column may hold, in words."""
    words, limits, parts = _WORDS[lang], field.constraints, []
    if field.codes:
        parts.append(f"{words['open' if field.codes_open else 'list']} [{field.codes}](#codes-{field.codes})")
    elif field.allowed:
        parts.append(", ".join(f"`{code}`" for code in field.allowed))
    if "pattern" in limits:
        parts.append("`" + limits["pattern"].replace("|", "\\|") + "`")
    if "maxLength" in limits:
        parts.append(words["length"].format(n=limits["maxLength"]))
    if field.type == "date":
        parts.append(words["earliest"].format(day=limits["minimum"]))
    elif "exclusiveMinimum" in limits or "minimum" in limits:
        low = f"{limits['minimum']}" if "minimum" in limits else f"> {limits['exclusiveMinimum']}"
        parts.append(f"{low} – {limits['maximum']}" if "maximum" in limits else f"{low} –")
    if field.not_after:
        parts.append(words[field.not_after])
    if field.type == "boolean":
        parts.append(" / ".join((*field.true_values, *field.false_values)))
    return "; ".join(parts)


def _codelist_part(name: str, lang: str) -> str:
    """One code list."""
    rows = (
        [f"`{c.code}`", c.label["en"], c.label["da"], c.valid_from, c.valid_to, c.certainty, c.source]
        for c in load_codelist(name)
    )
    title = f'<a id="codes-{name}"></a>\n\n### {name}\n'
    return "\n".join([title, *_grid(_WORDS[lang]["code_columns"], rows)])


def _rules_part(lang: str) -> str:
    """All named rules."""
    return "\n".join(_grid(_WORDS[lang]["rule_columns"], (_rule_row(r, lang) for r in load_rules().values())))


def _rule_row(rule: Rule, lang: str) -> list[str]:
    """One rule, its variants after its message."""
    variants = "; ".join(text[lang].strip() for text in rule.variants.values() if text[lang].strip())
    message = rule.message[lang] + (f" ({variants})" if variants else "")
    tables = ", ".join(f"`{name}`" for name in rule.tables)
    return [f"`{rule.id}`", rule.level, _WORDS[lang][rule.checked_in], tables, message.replace("|", "\\|")]


def _grid(head: str, rows: Iterable[list[str]]) -> list[str]:
    """Build a Markdown table; the head is words with spaces between (and underscores inside)."""
    names = [name.replace("_", " ") for name in head.split()]
    lines = ["| " + " | ".join(names) + " |", "|" + " --- |" * len(names)]
    return lines + ["| " + " | ".join(row) + " |" for row in rows]
