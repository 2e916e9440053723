"""What is wrong with a study, as values: one `Problem` per failing rule and column, with a count only.

The words stand in `data/schemas/rules.json`; a problem holds only what fills them in: column names of the
schema or of `study.toml`, file names, limits and counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches

import pandas as pd

from jobchance.formatting import Formatter
from jobchance.options import check_option
from jobchance.study.schema import TABLES, load_rules

LANGUAGES = ("da", "en")
STUDY_FILE = "study.toml"
_COLUMNS = ("table", "column", "rule", "level", "n", "hint")
_WORDS = {
    "da": {
        "fine": "Undersøgelsen er i orden: ingen fejl.",
        "fine_with_warnings": "Undersøgelsen kan bruges: ingen fejl; advarsler: {warnings}.",
        "wrong": "Undersøgelsen kan ikke bruges. Fejl: {errors}; advarsler: {warnings}.",
        "E": "FEJL",
        "W": "ADVARSEL",
        "near": " Mente du {near}?",
    },
    "en": {
        "fine": "The study is in order: no errors.",
        "fine_with_warnings": "The study can be used: no errors; warnings: {warnings}.",
        "wrong": "The study cannot be used. Errors: {errors}; warnings: {warnings}.",
        "E": "ERROR",
        "W": "WARNING",
        "near": " Did you mean {near}?",
    },
}


@dataclass(frozen=True)
class Problem:
    """One failing rule at one place; `fill` completes the rule's message and never holds a row's value."""

    rule: str
    table: str
    column: str = ""
    n: int = 1
    variant: str = ""
    fill: Mapping[str, str] = field(default_factory=dict)

    @property
    def level(self) -> str:
        """`"E"` (error) or `"W"` (warning)."""
        return load_rules()[self.rule].level

    def message(self, lang: str) -> str:
        """Return what is wrong, seen against expected, and what to do."""
        rule = load_rules()[self.rule]
        words = {"table": self.table, "column": self.column, "n": Formatter(lang).count(self.n)}
        words |= {key: text for key, text in self.fill.items() if key != "near"}
        near = self.fill.get("near", "")
        words["near"] = _WORDS[lang]["near"].format(near=near) if near else ""
        if self.variant:
            text = rule.variants[self.variant][lang].format(**words)
            words |= {"expected": text, "detail": text}
        return rule.message[lang].format(**words)


@dataclass(frozen=True)
class ValidationReport:
    """Every problem of a study at once; counts and names only.

    Parameters
    ----------
    entries : tuple of Problem
        In the order of the tables, errors before warnings.

    Examples
    --------
    >>> ValidationReport(()).ok
    True
    """

    entries: tuple[Problem, ...]

    @property
    def ok(self) -> bool:
        """True if there is no error; warnings are allowed."""
        return not any(entry.level == "E" for entry in self.entries)

    @property
    def problems(self) -> pd.DataFrame:
        """The problems as a frame `table column rule level n hint` (hints in English)."""
        rows = [(e.table, e.column, e.rule, e.level, e.n, e.message("en")) for e in self.entries]
        return pd.DataFrame(rows, columns=list(_COLUMNS))

    def render(self, lang: str = "da") -> str:
        """Return the verdict and one line per failing rule, in Danish (`"da"`) or English (`"en"`).

        Raises
        ------
        SpecError
            `lang` is neither.
        """
        check_option("lang", lang, LANGUAGES)
        words = _WORDS[lang]
        width = max((len(words[entry.level]) for entry in self.entries), default=0)
        lines = [
            f"{words[entry.level]:<{width}}  {place(entry)}  [{entry.rule}]  {entry.message(lang)}"
            for entry in self.entries
        ]
        return "\n".join([self._verdict(lang), *lines])

    def _verdict(self, lang: str) -> str:
        """Return the first line: usable or not, with the number of errors and warnings."""
        errors = sum(entry.level == "E" for entry in self.entries)
        warnings = len(self.entries) - errors
        key = "wrong" if errors else "fine_with_warnings" if warnings else "fine"
        return _WORDS[lang][key].format(errors=errors, warnings=warnings)

    def __repr__(self) -> str:
        errors = sum(entry.level == "E" for entry in self.entries)
        return f"ValidationReport({errors} errors, {len(self.entries) - errors} warnings)"


def make_report(problems: Iterable[Problem]) -> ValidationReport:
    """Sort problems (errors first, then table, column, rule) into a report."""
    tables = {name: number for number, name in enumerate((STUDY_FILE, *TABLES))}
    rules = {name: number for number, name in enumerate(load_rules())}
    ordered = sorted(
        set_of(problems),
        key=lambda p: (
            p.level,
            tables.get(p.table, len(tables)),
            p.table,
            rules[p.rule],
            p.column,
            p.variant,
        ),
    )
    return ValidationReport(tuple(ordered))


def set_of(problems: Iterable[Problem]) -> list[Problem]:
    """Return the problems without repetitions (one file may serve several tables)."""
    unique: dict[tuple[str, str, str, str, int], Problem] = {}
    for problem in problems:
        unique.setdefault((problem.rule, problem.table, problem.column, problem.variant, problem.n), problem)
    return list(unique.values())


def place(problem: Problem) -> str:
    """Return `table.column`, or `study.toml: key`."""
    if not problem.column:
        return problem.table
    return f"{problem.table}{': ' if problem.table == STUDY_FILE else '.'}{problem.column}"


def nearest(name: str, allowed: Iterable[str]) -> str:
    """Return the nearest allowed name, or an empty text."""
    return next(iter(get_close_matches(name, list(allowed), n=1)), "")


def safe_name(name: str) -> str:
    """Return a file's column name if it reads as a name; data strayed into the first line stay hidden."""
    named = re.fullmatch(r"[^\W\d_][\w .\-]{0,39}", name) and not re.search(r"\d{5}", name)
    return name if named else "(?)"
