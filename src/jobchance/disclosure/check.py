"""`check`: every rule that a frame breaks, by name and number of rows, and `require`, which refuses.

Breaches and messages name output, rule and counts of rows, never a value.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import pandas as pd

from jobchance.disclosure import columns as cols
from jobchance.disclosure.classes import CLASSES
from jobchance.disclosure.export import export_frame, significant
from jobchance.disclosure.policy import DisclosurePolicy
from jobchance.disclosure.protect import protect
from jobchance.disclosure.rules import contrasts_with_hidden, small_side_counts, unsafe_rows
from jobchance.errors import DisclosureError
from jobchance.options import check_option

__all__ = ["Breach", "check", "export_frame", "protect", "require"]


@dataclass(frozen=True)
class Breach:
    """One rule that one output breaks, and in how many rows."""

    output: str
    rule: str
    n_rows: int


def check(
    frame: pd.DataFrame, policy: DisclosurePolicy, *, output: str, disclosure_class: str | None = None
) -> list[Breach]:
    """Rules that the frame breaks as it stands; an empty list means that it may be saved.

    Cell rules look at rows that still show a number: a row that `protect` has hidden passes, and a row that
    is marked `suppressed` but can still be read does not.

    Parameters
    ----------
    frame : DataFrame
        Tidy, after `protect` and `export_frame`.
    policy : DisclosurePolicy
        The thresholds.
    output : str
        Name of the output.
    disclosure_class : str, optional
        Word of `disclosure.classes.CLASSES`; `"Endpoints"` and `"Position"` need the policy's leave.

    Returns
    -------
    list of Breach
        In a fixed order. Rules: those of the policy's fields, and `key_column` (identifiers), `numeric_key`
        (codes as numbers where texts are due), `number_as_text` (no rule can read it),
        `dominance_shown`, `hidden_but_readable`, `compared_with_hidden`, `nothing_left` (every row is
        hidden), `count_missing`, `count_in_text`.

    Raises
    ------
    SpecError
        `disclosure_class` is not in the vocabulary.
    """
    every = len(frame)
    shown = _shows_a_result(frame)
    broken: dict[str, int] = {}
    if disclosure_class is not None:
        check_option("disclosure_class", disclosure_class, CLASSES)
        broken["allow_extremes"] = (
            every if disclosure_class == "Endpoints" and not policy.allow_extremes else 0
        )
        broken["allow_quantiles"] = (
            every if disclosure_class == "Position" and not policy.allow_quantiles else 0
        )
    broken["key_column"] = every if cols.key_columns(frame) else 0
    broken["number_as_text"] = every if cols.numbers_as_text(frame) else 0
    broken["numeric_key"] = every if cols.numeric_keys(frame) else 0
    thresholds = _after_rounding(frame, policy)
    for rule, mask in unsafe_rows(frame, thresholds, exact=thresholds is policy).items():
        broken[rule] = max(broken.get(rule, 0), int((mask & shown).sum()))
    small = list(small_side_counts(frame, policy).values())
    small_rows = int(pd.concat(small, axis=1).any(axis=1).sum()) if small else 0
    broken["min_persons"] = max(broken.get("min_persons", 0), small_rows, _small_study(frame, policy))
    broken |= _hiding(frame, shown)
    broken["count_missing"] = _uncounted(frame)
    broken["count_in_text"] = int(cols.small_counts_in_text(frame, policy.min_persons).sum())
    for rule, named in (
        ("allow_extremes", cols.extreme_columns(frame)),
        ("allow_quantiles", cols.quantile_columns(frame)),
    ):
        if named and not getattr(policy, rule):
            broken[rule] = max(broken.get(rule, 0), int(frame[named].notna().any(axis=1).sum()))
    measures = [column for column in cols.DOMINANCE if column in frame]
    broken["dominance_shown"] = int(frame[measures].notna().any(axis=1).sum()) if measures else 0
    broken["max_digits"] = _too_many_digits(frame, policy)
    broken["round_base"] = _unrounded(frame, policy)
    return [Breach(output, rule, n) for rule, n in broken.items() if n]


def require(
    frame: pd.DataFrame, policy: DisclosurePolicy, *, output: str, disclosure_class: str | None = None
) -> None:
    """Refuse a frame that breaks a rule.

    Raises
    ------
    DisclosureError
        Names the output, each broken rule and its number of rows; never a value.
    """
    breaches = check(frame, policy, output=output, disclosure_class=disclosure_class)
    if breaches:
        rules = "; ".join(f"{breach.rule} ({breach.n_rows} rows)" for breach in breaches)
        raise DisclosureError(f"{output} is not saved under policy {policy.name}: {rules}.")


def _shows_a_result(frame: pd.DataFrame) -> pd.Series[bool]:
    """Rows with any number that hiding would have blanked."""
    results = cols.result_columns(frame)
    return frame[results].notna().any(axis=1) if results else pd.Series(False, index=frame.index)


def _hiding(frame: pd.DataFrame, shown: pd.Series[bool]) -> dict[str, int]:
    """Rows marked hidden that can be read, and comparisons that give a hidden row back."""
    if "suppressed" not in frame:
        return {}
    hidden = frame["suppressed"].eq(True).fillna(False).astype(bool)
    given_back = contrasts_with_hidden(frame, hidden) & shown
    return {
        "hidden_but_readable": int((hidden & (shown | cols.results_in_text(frame))).sum()),
        "compared_with_hidden": int(given_back.sum()),
        "nothing_left": len(frame) if bool(hidden.all()) else 0,
    }


def _uncounted(frame: pd.DataFrame) -> int:
    """Rows of a study's frame that show an estimate without the number of persons behind it."""
    if "N_citizens_total" not in frame:
        return 0  # not from a study: published results, for example
    estimates = cols.estimate_columns(frame)
    if not estimates:
        return 0
    shown = frame[estimates].notna().any(axis=1)
    persons = next((column for column in cols.PERSONS if column in frame), None)
    return int((shown if persons is None else shown & frame[persons].isna()).sum())


def _small_study(frame: pd.DataFrame, policy: DisclosurePolicy) -> int:
    if "N_citizens_total" not in frame:
        return 0
    return int(cols.numbers(frame, "N_citizens_total").lt(policy.min_persons).sum())


def _after_rounding(frame: pd.DataFrame, policy: DisclosurePolicy) -> DisclosurePolicy:
    """Thresholds for counts that have been rounded to the base; those of the policy where they have not.

    Rounding keeps order, so a count that passed before is at least the rounded threshold; a difference of
    two rounded counts (non-events) can be off by one base, and zero then means no more than "few".
    """
    base = policy.round_base
    least_persons = 0 if base is None else base * int(policy.min_persons / base + 0.5)
    if base is None or _unrounded(frame, policy):
        return policy
    least = {kind: base * int(n / base + 0.5) for kind, n in policy.min_entities.items()}
    return replace(
        policy,
        min_persons=least_persons,
        zeros_disclosive=policy.zeros_disclosive and least_persons > 0,
        min_events=max(policy.min_events - base, 0),
        curve_min_events=max(policy.curve_min_events - base, 0),
        min_entities=least,
    )


def _too_many_digits(frame: pd.DataFrame, policy: DisclosurePolicy) -> int:
    rows = pd.Series(False, index=frame.index)
    for column in map(str, frame.columns):
        if cols.is_number(frame[column]) and not column.startswith("N_"):
            rows |= cols.numbers(frame, column).map(lambda x: x == x and significant(x, policy.digits) != x)
    return int(rows.sum())


def _unrounded(frame: pd.DataFrame, policy: DisclosurePolicy) -> int:
    if policy.round_base is None:
        return 0
    counts = [c for c in map(str, frame.columns) if c.startswith("N_")]
    off = [cols.numbers(frame, c).mod(policy.round_base).gt(0) for c in counts]
    return int(pd.concat(off, axis=1).any(axis=1).sum()) if off else 0
