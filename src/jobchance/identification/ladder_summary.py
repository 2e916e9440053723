"""The ladder as plain text for the console: one line per rung, then each card with its tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from jobchance.formatting import DASH, Formatter
from jobchance.identification.cards import Assumption, Card

_TEXT = Formatter("en")
_GAP = "  "


def render(
    frame: pd.DataFrame, cards: Mapping[str, Card], refusals: Mapping[str, str], *, level: float
) -> str:
    """Everything that `EvidenceLadder.summary` prints.

    Parameters
    ----------
    frame : DataFrame
        `EvidenceLadder.frame`.
    cards, refusals : mapping
        By rung.
    level : float
        Of the intervals.
    """
    base = _TEXT.percent(frame["base_rate"].iloc[0], decimals=1) if len(frame) else DASH
    head = ["rung", "estimate", f"{100 * level:g}% interval", "relative", "citizens", "verdict", "unit"]
    lines = [f"Evidence ladder (relative to a share of {base})", ""]
    lines += _columns([head, *(_rung(row) for _, row in frame.iterrows())], right=(1, 2, 3, 4))
    for name, card in cards.items():
        lines += ["", f"{name}: {card.verdict}"]
        if name in refusals:
            lines.append(f"{_GAP}{refusals[name]}")
        if card.lowered:
            lines.append(f"{_GAP}lowered by: {', '.join(card.lowered)}")
        if card.assumptions:
            lines += [_GAP + line for line in _columns([_assumption(a) for a in card.assumptions])]
    return "\n".join(lines) + "\n"


def _rung(row: pd.Series) -> list[str]:
    """One rung as cells."""
    if pd.isna(row["estimate"]):
        return [str(row["rung"]), DASH, DASH, DASH, DASH, str(row["verdict"]), ""]
    return [
        str(row["rung"]),
        _TEXT.number(row["estimate"], decimals=2),
        _TEXT.range(row["conf_low"], row["conf_high"], decimals=2),
        DASH if pd.isna(row["relative"]) else _TEXT.percent(row["relative"]),
        _TEXT.count(row["n"]),
        str(row["verdict"]),
        str(row["unit"]),
    ]


def _assumption(assumption: Assumption) -> list[str]:
    """One assumption as cells: status, name, test, numbers."""
    numbers = [
        f"{name} {_TEXT.significant(value)}"
        for name, value in (
            ("statistic", assumption.statistic),
            ("df", assumption.df),
            ("value", assumption.value),
            ("threshold", assumption.threshold),
        )
        if np.isfinite(value)
    ]
    if np.isfinite(assumption.p_value):
        p = _TEXT.p_value(assumption.p_value)
        numbers.append(f"p {p}" if not p[:1].isdigit() else f"p = {p}")
    return [assumption.status, assumption.name, assumption.test or DASH, ", ".join(numbers)]


def _columns(rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()) -> list[str]:
    """Rows with their cells under one another."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [
        _GAP.join(
            cell.rjust(width) if i in right else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
