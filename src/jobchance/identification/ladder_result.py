"""`EvidenceLadder`: the rungs as one frame, their cards, and a text for readers who are not researchers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from jobchance.errors import SpecError
from jobchance.identification.cards import NOT_IDENTIFIED, Card
from jobchance.identification.cards_text import open_points, rests_on
from jobchance.identification.ladder_summary import render
from jobchance.identification.ladder_text import ladder_text
from jobchance.identification.rungs.model import Rung
from jobchance.identification.thresholds import Thresholds
from jobchance.results.fit import Fit

COLUMNS = (
    "rung",
    "estimand",
    "estimate",
    "std_error",
    "conf_low",
    "conf_high",
    "unit",
    "n",
    "assumption_status",
    "verdict",
)
FURTHER = (
    "p_value",
    "df",
    "relative",
    "relative_low",
    "relative_high",
    "base_rate",
    "population",
    "N_citizens",
    "N_rows",
    "N_caseworkers",
    "missing",
    "open_points",
    "rests_on",
)


@dataclass(frozen=True, eq=False, repr=False)
class EvidenceLadder:
    """All rungs of one study; made by `evidence_ladder`.

    Parameters
    ----------
    rungs : tuple of Rung
        In the order of the ladder.
    meta : mapping
        Outcome, horizon, study and conventions of the panel, `base_rate`, and `accepted` assumptions.
    thresholds : Thresholds
        Limits behind the verdicts.
    level : float
        Of the intervals.
    """

    rungs: tuple[Rung, ...]
    meta: Mapping[str, object]
    thresholds: Thresholds
    level: float = 0.95

    def __post_init__(self) -> None:
        object.__setattr__(self, "meta", MappingProxyType(dict(self.meta)))

    @property
    def frame(self) -> pd.DataFrame:
        """One row per rung.

        Columns `rung estimand estimate std_error conf_low conf_high unit n assumption_status verdict`
        (estimates in percentage points of `unit`; `n` citizens), then `p_value df`, the same relative to
        `base_rate` (`relative relative_low relative_high`: 0.32 is 32 per cent more), `population`, counts,
        `missing` where a rung is refused, `open_points`: what keeps the verdict down, and `rests_on`: what no
        test stands behind where it is credible, both as `status:assumption`.
        """
        return pd.DataFrame([self._row(rung) for rung in self.rungs], columns=[*COLUMNS, *FURTHER])

    def _row(self, rung: Rung) -> dict[str, object]:
        base = float(str(self.meta["base_rate"]))
        row: dict[str, object] = dict.fromkeys([*COLUMNS, *FURTHER], np.nan) | {
            "rung": rung.card.rung,
            "estimand": rung.card.estimand,
            "unit": "",
            "n": 0,
            "assumption_status": rung.card.status,
            "verdict": rung.card.verdict,
            "base_rate": base,
            "population": "",
            "N_citizens": 0,
            "N_rows": 0,
            "N_caseworkers": 0,
            "missing": "|".join(rung.card.missing),
            "open_points": "|".join(open_points(rung.card)),
            "rests_on": "|".join(rests_on(rung.card)),
        }
        line = rung.line
        if line is None or rung.card.verdict == NOT_IDENTIFIED:  # a number that nobody may read is not given
            return row
        low, high = line.interval(self.level)
        share = np.nan if line.unit.startswith("pp of activity") else 1 / (100 * base)
        return row | {
            "estimate": line.estimate,
            "std_error": line.std_error,
            "conf_low": low,
            "conf_high": high,
            "unit": line.unit,
            "n": line.n_citizens,
            "p_value": line.p,
            "df": line.df,
            "relative": line.estimate * share,
            "relative_low": low * share,
            "relative_high": high * share,
            "population": line.population,
            "N_citizens": line.n_citizens,
            "N_rows": line.n_rows,
            "N_caseworkers": line.n_caseworkers,
        }

    @property
    def cards(self) -> Mapping[str, Card]:
        """Assumption card of every rung, by rung."""
        return MappingProxyType({rung.card.rung: rung.card for rung in self.rungs})

    @property
    def assumptions(self) -> pd.DataFrame:
        """All cards as one table: `rung assumption status test statistic df p_value value threshold`."""
        parts = [rung.card.frame.assign(rung=rung.card.rung) for rung in self.rungs]
        table = pd.concat(parts, ignore_index=True)
        return table[["rung", *[c for c in table if c not in ("rung", "breaks")]]]

    @property
    def refusals(self) -> Mapping[str, str]:
        """Why a rung has no number, by rung."""
        return MappingProxyType({r.card.rung: r.reason for r in self.rungs if r.line is None})

    def fits(self, rung: str) -> Mapping[str, Fit]:
        """The fits behind one rung, the main one first.

        Raises
        ------
        SpecError
            The ladder has no such rung.
        """
        for found in self.rungs:
            if found.card.rung == rung:
                return MappingProxyType(dict(found.fits))
        raise SpecError(f"This ladder has no rung {rung!r}; it has {', '.join(self.cards)}.")

    def text(self, lang: str = "da") -> str:
        """The ladder in words for readers who decide and do not estimate, in Markdown.

        No sentence speaks of an effect unless the verdict is *credible under stated assumptions*.
        """
        return ladder_text(self.rungs, self.frame, self.meta, level=self.level, lang=lang)

    def summary(self) -> str:
        """Deterministic text for the console, in English: the rungs, then every card with its tests."""
        return render(self.frame, self.cards, self.refusals, level=self.level)

    def to_dict(self) -> dict[str, Any]:
        """The frame, the assumptions and the refusals as plain values; no rows, no fits."""
        return {
            "frame": self.frame.to_dict("records"),
            "assumptions": self.assumptions.to_dict("records"),
            "refusals": dict(self.refusals),
            "level": self.level,
        }

    def __reduce__(self) -> tuple[object, ...]:
        # Fits travel in their stored form, without rows.
        return (EvidenceLadder, (self.rungs, dict(self.meta), self.thresholds, self.level))

    def __repr__(self) -> str:
        verdicts = self.frame["verdict"].value_counts()
        return f"EvidenceLadder({', '.join(f'{n} {verdict}' for verdict, n in verdicts.items())})"
