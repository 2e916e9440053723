"""A multiverse in words for the console: what was run, what came out, and which choice matters."""

from __future__ import annotations

import pandas as pd

from jobchance.errors import SpecError
from jobchance.formatting import DASH, Formatter
from jobchance.sensitivity.multiverse.agreement import agreement
from jobchance.sensitivity.multiverse.importance import REST, importance
from jobchance.sensitivity.multiverse.result_frame import is_rung, known, same_question, unit_of

_TEXT = Formatter("en")
_GAP = "  "
_OPTIONS = 8  # of the choice that matters most; of more, the lowest and the highest median are given
_REASONS = 10  # kinds of failure that are listed; the frame holds them all


def render(frame: pd.DataFrame, *, title: str, level: float) -> str:
    """Everything that `Multiverse.summary` prints; the same text for the same frame."""
    rows = same_question(known(frame), frame)
    lines = [f"Multiverse: {title}" if title else "Multiverse", *_counts(frame, rows)]
    if rows.empty:
        return "\n".join([*lines, "No specification has an estimate."]) + "\n"
    lines += _estimates(frame, rows, level)
    lines += _choices(frame)
    return "\n".join([*lines, _caution(rows)]) + "\n"


def _counts(frame: pd.DataFrame, rows: pd.DataFrame) -> list[str]:
    """Specifications run, failed by reason, warned, and on another question."""
    failed = frame[frame["status"] == "failed"]
    warned = int((frame["status"] == "warned").sum())
    lines = [
        f"{_TEXT.count(len(frame))} specifications: {_TEXT.count(len(frame) - len(failed))} with a result "
        f"({_TEXT.count(warned)} of them with a warning), {_TEXT.count(len(failed))} failed"
    ]
    reasons = failed["reason"].value_counts().rename_axis("reason").reset_index(name="n")
    reasons = reasons.sort_values(["n", "reason"], ascending=[False, True], kind="stable")
    for reason, n in reasons.head(_REASONS).itertuples(index=False):
        lines.append(f"{_GAP}{_TEXT.count(n)} failed: {reason or 'no reason given'}")
    if len(reasons) > _REASONS:
        rest = reasons["n"].iloc[_REASONS:]
        lines.append(f"{_GAP}{_TEXT.count(rest.sum())} failed for {len(rest)} further reasons")
    others = len(frame) - len(failed) - len(rows)
    if others and len(rows):
        lines.append(
            f"{_GAP}{_TEXT.count(others)} on another question, in another unit or without a standard error: "
            "not counted below"
        )
    return lines


def _estimates(frame: pd.DataFrame, rows: pd.DataFrame, level: float) -> list[str]:
    """Main, median and inner 90 per cent; shares by sign and significance."""
    lines = ["", f"Estimates in {unit_of(rows)}"]
    main = rows[rows["main"]]
    if len(main):
        one = main.iloc[0]
        ends = _TEXT.range(one["conf_low"], one["conf_high"], decimals=2)
        lines.append(
            f"{_GAP}main specification    {_number(one['estimate'])} ({100 * level:g}% interval {ends})"
        )
    elif frame["main"].any():
        status = frame.loc[frame["main"], "status"].iloc[0]
        lines.append(f"{_GAP}main specification    {DASH} ({status})")
    low, median, high = rows["estimate"].quantile([0.05, 0.5, 0.95])
    lines.append(f"{_GAP}median                {_number(median)}")
    lines.append(f"{_GAP}inner 90%             {_TEXT.range(low, high, decimals=2)}")
    shares = agreement(frame, level=level)
    whole = shares[shares["dimension"] == "all"].set_index("reference").to_dict("index")
    any_row = whole["median"]
    lines.append(f"{_GAP}positive              {_percent(any_row['positive'])}")
    lines.append(f"{_GAP}interval above zero   {_percent(any_row['interval_above_zero'])}")
    lines.append(f"{_GAP}interval below zero   {_percent(any_row['interval_below_zero'])}")
    if "main" in whole:
        same = whole["main"]
        lines.append(
            f"{_GAP}agree with the main   sign {_percent(same['same_sign'])}, sign and significance "
            f"{_percent(same['same_both'])}"
        )
    return lines


def _choices(frame: pd.DataFrame) -> list[str]:
    """Share of the variance of the estimates by choice; nothing where no choice was varied."""
    try:
        found = importance(frame)
    except SpecError:
        return []
    lines = ["", "Variance of the estimates explained by the choice of"]
    for dimension, _, share in found.shares.itertuples(index=False):
        name = "combinations of choices" if dimension == REST else dimension
        lines.append(f"{_GAP}{name:<24}{_percent(share):>5}")
    if found.largest:
        part = found.options[found.options["dimension"] == found.largest]
        if len(part) > _OPTIONS:
            part = part.sort_values("median", kind="stable").iloc[[0, -1]]
        medians = [f"{o or DASH} {_number(m)}" for o, m in zip(part["option"], part["median"], strict=True)]
        lines.append(f"Median by {found.largest}: {', '.join(medians)}")
    return lines


def _caution(rows: pd.DataFrame) -> str:
    """What the numbers are; only rungs of the ladder have a verdict."""
    if not is_rung(rows).any():
        return "\nThe estimates are associations: agreement among specifications does not make them effects."
    counts = rows.loc[is_rung(rows), "verdict"].value_counts().sort_index()
    verdicts = ", ".join(f"{verdict or 'no verdict'} ({_TEXT.count(n)})" for verdict, n in counts.items())
    rest = "" if is_rung(rows).all() else " All other estimates are associations."
    return f"\nRungs of the ladder by verdict: {verdicts}.{rest}"


def _number(x: float) -> str:
    return _TEXT.number(x, decimals=2)


def _percent(share: float) -> str:
    """A share in whole per cent that says 100 only of all."""
    return _TEXT.percent(min(share, 0.99) if share < 1 else share)
