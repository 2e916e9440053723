"""Terms of a multiverse file, read with the project's formula parser: covariates and random effects.

A text stands for exactly one kind of node that is allowed here, or it is refused; nothing is evaluated.
"""

from __future__ import annotations

from collections.abc import Iterable

from jobchance.design.formula import Formula, RandomTerm, Term, parse_formula, term_label
from jobchance.design.nodes import Call, Interaction, Name, Node, columns_of
from jobchance.design.parser import parse_sides
from jobchance.errors import FormulaError
from jobchance.sensitivity.multiverse.spec_text import FORMULA_SIGNS, column_fault, hidden_fault, kind, shown

MAX_TERM = 200
AFTER = {
    "outcome": "it is the outcome",
    "weeks_to_outcome": "it follows from the outcome",
    "event_observed": "it follows from the outcome",
    "censored": "it follows from the outcome",
    "window_start": "it belongs to the outcome's window",
    "any_intervention": "it is measured during follow-up, after the measurement",
}
IDS = ("measurement_id", "citizen_id", "caseworker_id", "jobcentre_id")
_SAME_ANSWER = ("belief", "expectation")
_FORMS = (*_SAME_ANSWER, "expectation_within", "expectation_between")


def read_term(text: object) -> tuple[str, tuple[str, ...]]:
    """Canonical text of one covariate term, and the columns that it names.

    Raises
    ------
    FormulaError
        Not a text, not one term (a column, `C(column)`, `log()`, `I()`, `poly()`, `spline()`, or such parts
        joined by `:`), or a column whose name is outside the closed set of letters.
    """
    written = _checked(text)
    if not isinstance(_node(written), Name | Call | Interaction):
        raise FormulaError(
            f"{shown(text)} is not one term; write a column, C(column), or arithmetic such as I(age**2); "
            "several terms are several entries of the list"
        )
    formula = _formula(written)
    if len(formula.terms) != 1 or formula.random or formula.offsets or not formula.intercept:
        raise FormulaError(f"{shown(text)} is not one covariate")
    (term,) = formula.terms
    columns = _columns([term])
    return ":".join(sorted(term_label((factor,)) for factor in term)), columns


def read_random(text: object) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Canonical random-effects terms of one structure, the columns of their effects and of their groups.

    Raises
    ------
    FormulaError
        Not a text, or something else than `(effects | group)` joined by plus signs.
    """
    written = _checked(text)
    if "|" not in written:
        raise FormulaError(f"{shown(text)} is no random-effects term; write (1 | caseworker_id)")
    formula = _formula(written)
    if formula.terms or formula.offsets or not formula.intercept:
        raise FormulaError(f"{shown(text)} holds more than random-effects terms such as (1 | caseworker_id)")
    effects = _columns(term for random in formula.random for term in random.terms)
    groups = tuple(dict.fromkeys(column for random in formula.random for column in random.group))
    _require_names(groups)
    return tuple(sorted(_random_text(random) for random in formula.random)), effects, groups


def covariate_fault(columns: Iterable[str], exposures: Iterable[str]) -> str:
    """Why a term with these columns cannot be adjusted for, given the exposures; "" if it can."""
    wanted = set(exposures)
    for column in columns:
        if column in AFTER:
            return f"{column} cannot be adjusted for: {AFTER[column]}"
        if column in IDS:
            return f"{column} is an identifier and no covariate; name it in choices.absorb or choices.random"
        if column == "date":
            return "date cannot be adjusted for; use C(wave) or C(period)"
        if column in wanted:
            return f"{column} is an exposure of this file and cannot be its own covariate"
        if column in _SAME_ANSWER and wanted.intersection(_FORMS):
            return f"{column} is another form of the exposure and cannot be its covariate"
    return ""


def _checked(text: object) -> str:
    """The text, if its length and characters are fit for the parser."""
    if not isinstance(text, str):
        raise FormulaError(f"a term is a text, not {kind(text)}")
    if len(text) > MAX_TERM:
        raise FormulaError(f"the term has {len(text)} characters; at most {MAX_TERM} are read")
    fault = hidden_fault(text)
    if not fault and ("`" in text or "~" in text):
        fault = "it holds ` or ~"
    if not fault and text.strip()[:1] in FORMULA_SIGNS:
        fault = "it is empty or begins with = + - @"
    if fault:
        raise FormulaError(f"{shown(text)} is no term: {fault}")
    return text.strip()


def _formula(written: str) -> Formula:
    """A right side as the project's grammar reads it."""
    try:
        return parse_formula(f"~ {written}")
    except FormulaError as error:
        raise _complaint(written, error) from None


def _node(written: str) -> Node:
    """A right side as one node, before the algebra of terms."""
    try:
        return parse_sides(f"~ {written}")[1]
    except FormulaError as error:
        raise _complaint(written, error) from None


def _complaint(written: str, error: FormulaError) -> FormulaError:
    """The parser's reason without its place, which counts in a text that the user did not write."""
    reason = str(error).splitlines()[0].partition(": ")[2] or "it is outside the grammar of formulas."
    return FormulaError(f"{shown(written)} cannot be read: {reason.rstrip('.')}")


def _columns(terms: Iterable[Term]) -> tuple[str, ...]:
    """Columns that terms name, each with a name from the closed set of letters."""
    factors = [factor for term in terms for factor in term]
    names = tuple(dict.fromkeys(name.name for factor in factors for name in columns_of(factor)))
    _require_names(names)
    return names


def _require_names(names: Iterable[str]) -> None:
    for name in names:
        fault = column_fault(name)
        if fault:
            raise FormulaError(fault)


def _random_text(term: RandomTerm) -> str:
    """Canonical text of a random-effects term."""
    effects = ["1" if term.intercept else "0", *sorted(term_label(t) for t in term.terms)]
    return f"({' + '.join(effects)} {'|' if term.correlated else '||'} {term.label})"
