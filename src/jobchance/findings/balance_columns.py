"""Citizen traits as numbers: what was known at entry, each category of a text column as a 0/1 column."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from jobchance.disclosure.policy import DisclosurePolicy
from jobchance.study.schema import load_codelist, load_schemas

# Known at entry; nothing that happened afterwards belongs in a balance check.
TRAITS = (
    "birth_year",
    "sex",
    "origin",
    "education",
    "civil_status",
    "children_at_home",
    "job_education_share_5y",
    "psychiatric_diagnosis",
    "musculoskeletal_diagnosis",
    "convicted",
)
_CODED = ("sex", "origin", "education", "civil_status")


@dataclass(frozen=True)
class Trait:
    """One numeric column and what it is called."""

    column: str
    label_da: str
    label_en: str
    values: pd.Series


def traits_of(
    citizen: pd.DataFrame, citizens: pd.Series, *, covariates: tuple[str, ...], policy: DisclosurePolicy
) -> list[Trait]:
    """Traits of the citizens in the given rows, on the index of `citizens`.

    Parameters
    ----------
    citizen : DataFrame
        The citizen table.
    citizens : Series
        `citizen_id` of each row.
    covariates : tuple of str
        Columns to take; `()` = those of `TRAITS` that the table holds.
    policy : DisclosurePolicy
        A category that fewer than `min_persons` citizens have, or lack, is left out.

    Returns
    -------
    list of Trait
        A coded column gives one 0/1 trait per category but the most common; constants are left out.
    """
    table = citizen.set_index("citizen_id")
    found: list[Trait] = []
    for name in covariates or TRAITS:
        if name not in table or table[name].isna().all():
            continue
        values = citizens.map(table[name])
        text = not (pd.api.types.is_numeric_dtype(table[name]) or pd.api.types.is_bool_dtype(table[name]))
        if name in _CODED or text:
            found += _categories(name, values, citizens)
        else:
            found.append(Trait(name, *_field_words(name), values.astype(float)))
    return [trait for trait in found if _varies(trait.values, citizens, policy=policy)]


def _categories(name: str, values: pd.Series, citizens: pd.Series) -> list[Trait]:
    """One 0/1 column per category except the most common one."""
    first = values[~citizens.duplicated()].dropna()
    levels = first.value_counts().sort_index(kind="stable").sort_values(ascending=False, kind="stable")
    traits = []
    for level in levels.index[1:]:
        words = _code_words(name, level)
        traits.append(Trait(f"{name}={level}", *words, (values == level).astype(float).where(values.notna())))
    return traits


def _field_words(name: str) -> tuple[str, str]:
    """Label of a column in the schema; its own name where the schema does not know it."""
    schema = load_schemas()["citizen"]
    if name not in schema.names:
        return name, name
    words = schema.field(name).label
    return words["da"], words["en"]


def _code_words(name: str, level: object) -> tuple[str, str]:
    """Words of a category in the code list; for a column without one, column and category."""
    schema = load_schemas()["citizen"]
    codes = schema.field(name).codes if name in schema.names else None
    code = f"{level:g}" if isinstance(level, float) else str(level)
    words = {entry.code: entry.label for entry in load_codelist(codes)} if codes else {}
    if code in words:
        return words[code]["da"], words[code]["en"]
    da, en = _field_words(name)
    return f"{da}: {code}", f"{en}: {code}"


def _varies(values: pd.Series, citizens: pd.Series, *, policy: DisclosurePolicy) -> bool:
    """Whether enough citizens differ: both sides of a 0/1 trait, or any spread of another one."""
    known = values[~citizens.duplicated()].dropna()
    if set(known.unique()) <= {0.0, 1.0}:
        return min(int(known.sum()), int((1 - known).sum())) >= policy.min_persons
    return len(known) >= policy.min_persons and float(known.std()) > 0
