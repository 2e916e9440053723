"""`choices.covariates` of a multiverse file: lists of terms, named sets, or all subsets of a list."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from jobchance.errors import FormulaError, SpecError
from jobchance.sensitivity.multiverse.choices import CovariateChoices
from jobchance.sensitivity.multiverse.spec_entries import MAX_CHOICES, entries, known_keys, once
from jobchance.sensitivity.multiverse.spec_terms import covariate_fault, read_term
from jobchance.sensitivity.multiverse.spec_text import Problems, kind, name_fault
from jobchance.sensitivity.multiverse.spec_values import is_list, whole_number

MAX_TERMS = 100
PLACE = "choices.covariates"
_KEYS = ("each", "subsets", "min_size", "max_size", "sets", "always")


def read_covariates(raw: object, exposures: Collection[str], problems: Problems) -> CovariateChoices:
    """Sets of terms from the short form (a list) or the table."""
    place = PLACE
    table: Mapping[Any, Any] = {"each": raw} if is_list(raw) or isinstance(raw, str) else {}
    if isinstance(raw, Mapping):
        table = raw
        known_keys(raw, _KEYS, place, problems)
        if not any(key in raw for key in ("each", "subsets", "sets")):
            problems.add(place, "names no terms; give each, subsets or sets")
        if "each" in raw and "subsets" in raw:
            problems.add(place, "each and subsets cannot stand together; keep one")
    elif not table:
        problems.add(place, f"a list of terms or a table is needed, not {kind(raw)}")
    reader = TermReader(exposures, problems)
    here = place if table is not raw else f"{place}.each"
    each = reader.terms(table.get("each", []), here)
    subsets = reader.terms(table.get("subsets", []), f"{place}.subsets")
    always = reader.terms(table.get("always", []), f"{place}.always")
    for name, terms in (("each", each), ("subsets", subsets)):
        for term in sorted(set(terms) & set(always)):
            problems.add(f"{place}.{name}", f"{term} stands in always too; keep one")
    low, high = _sizes(table, len(subsets), problems)
    return CovariateChoices(
        always=always,
        each=each,
        subsets=subsets,
        min_size=low,
        max_size=high,
        sets=_sets(table, reader, problems),
        columns=tuple(sorted(reader.columns.items())),
    )


def _sizes(table: Mapping[Any, Any], n: int, problems: Problems) -> tuple[int, int]:
    """Smallest and largest size of a subset."""
    sizes = {"min_size": 0, "max_size": n}
    for name in sizes:
        if name not in table:
            continue
        place = f"{PLACE}.{name}"
        if "subsets" not in table:
            problems.add(place, "limits the size of subsets, but there is no list subsets")
            continue
        try:
            sizes[name] = whole_number(table[name], 0, n)
        except SpecError as error:
            problems.add(place, str(error))
    if sizes["min_size"] > sizes["max_size"]:
        problems.add(f"{PLACE}.min_size", "is larger than max_size")
    return sizes["min_size"], sizes["max_size"]


def _sets(
    table: Mapping[Any, Any], reader: TermReader, problems: Problems
) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Named sets, sorted by name."""
    place = f"{PLACE}.sets"
    raw = table.get("sets", {})
    if not isinstance(raw, Mapping) or ("sets" in table and not 0 < len(raw) <= MAX_CHOICES):
        problems.add(place, "a table of named lists is needed: basic = ['age', 'sex']")
        return ()
    made = {}
    for name, terms in raw.items():
        fault = name_fault(name)
        if fault:
            problems.add(place, fault)
        elif name in ("none", "all") and ("each" in table or "subsets" in table):
            problems.add(
                f"{place}.{name}", f"each and subsets make a set of the name {name}; choose another name"
            )
        else:
            made[name] = reader.terms(terms, f"{place}.{name}")
    return tuple(sorted(made.items()))


class TermReader:
    """Reads lists of terms and remembers which columns each term names."""

    def __init__(self, exposures: Collection[str], problems: Problems) -> None:
        self.exposures = exposures
        self.problems = problems
        self.columns: dict[str, tuple[str, ...]] = {}

    def terms(self, raw: object, place: str) -> tuple[str, ...]:
        """Canonical terms of a list, sorted; problems are noted."""
        if is_list(raw) and not raw:
            return ()
        found: dict[Any, str] = {}
        for here, entry in entries(raw, place, self.problems, at_most=MAX_TERMS):
            try:
                term, columns = read_term(entry)
                fault = covariate_fault(columns, self.exposures)
                if fault:
                    raise SpecError(fault)
            except (SpecError, FormulaError) as error:
                self.problems.add(here, str(error))
                continue
            self.columns[term] = columns
            once(found, term, here, self.problems)
        return tuple(sorted(found))
