"""Assumption cards: what a design assumes, what the data say of it, and the verdict that follows.

The rule is one function of the statuses, the same for every design; texts are in `labels`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from jobchance.identification.thresholds import Thresholds
from jobchance.options import check_option

PREDICTS = "predicts only"
SUGGESTIVE = "suggestive"
CREDIBLE = "credible under stated assumptions"
NOT_IDENTIFIED = "not identified here"
VERDICTS = (NOT_IDENTIFIED, PREDICTS, SUGGESTIVE, CREDIBLE)
"""From the weakest to the strongest."""

STATUSES = (
    "fails",  # tested and contradicted
    "doubtful",  # tested with a warning, or not testable and often wrong in this field
    "untested",  # testable, but the data lack what the test needs
    "accepted",  # doubtful or untested, and the analyst says that it holds here
    "stated",  # cannot be tested and is not known to be wrong: the verdict names it
    "by_design",  # documented by how the data came about
    "holds",  # tested; nothing found against it
)
"""What is known of an assumption, from the worst to the best."""

COLUMNS = ("assumption", "status", "test", "statistic", "df", "p_value", "value", "threshold")


@dataclass(frozen=True)
class Assumption:
    """One assumption of a design and what the data say of it.

    Parameters
    ----------
    name : str
        Key of the assumption, such as `"random_assignment"`; its texts are labels `assumption.<name>`.
    status : str
        One of `STATUSES`.
    test : str
        Key of what was looked at, such as `"balance_joint"`; empty where nothing can be tested.
    statistic, df, p_value : float
        Of the test; NaN where it has none. `df` is that of the numerator for F and the only one otherwise.
    value, threshold : float
        A number held against a threshold (effective F 31 against 23.1); NaN where there is none.
    breaks : str
        Verdict that a failure leads to: `PREDICTS` where the number is still an association,
        `NOT_IDENTIFIED` where it is not even that.
    """

    name: str
    status: str
    test: str = ""
    statistic: float = np.nan
    df: float = np.nan
    p_value: float = np.nan
    value: float = np.nan
    threshold: float = np.nan
    breaks: str = PREDICTS

    @property
    def is_tested(self) -> bool:
        """Whether the data speak of it: a p-value, or a number held against a threshold."""
        return not (np.isnan(self.p_value) and (np.isnan(self.value) or np.isnan(self.threshold)))

    def __post_init__(self) -> None:
        check_option("status", self.status, STATUSES)
        check_option("breaks", self.breaks, (PREDICTS, NOT_IDENTIFIED))


@dataclass(frozen=True)
class Card:
    """The assumption card of one rung.

    Parameters
    ----------
    rung : str
        Key of the rung, such as `"leniency"`.
    estimand : str
        Key of its estimand; the sentence is label `rung.<rung>.estimand`.
    assumptions : tuple of Assumption
        All assumptions, tested or not.
    missing : tuple of str
        Keys of what the data lack, where the rung is refused; label `missing.<key>`.
    ceiling : str
        The strongest verdict that the design can reach, whatever the tests say.
    lowered : tuple of str
        Keys of reasons outside the design for a lower verdict; label `ladder.lowered.<key>`.
    """

    rung: str
    estimand: str
    assumptions: tuple[Assumption, ...] = ()
    missing: tuple[str, ...] = ()
    ceiling: str = CREDIBLE
    lowered: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_option("ceiling", self.ceiling, VERDICTS)

    @property
    def verdict(self) -> str:
        """The weakest of: the ceiling, what failed assumptions leave, `suggestive` where any is open.

        `credible under stated assumptions` therefore needs every assumption to hold, to be documented by
        design or to be accepted by the analyst, and no reason to lower it.
        """
        if self.missing:
            return NOT_IDENTIFIED
        limits = [self.ceiling]
        limits += [a.breaks for a in self.assumptions if a.status == "fails"]
        if self.lowered or any(a.status in ("doubtful", "untested") for a in self.assumptions):
            limits.append(SUGGESTIVE)
        return min(limits, key=VERDICTS.index)

    @property
    def status(self) -> str:
        """The worst status among the assumptions; `"missing"` where the rung is refused."""
        if self.missing:
            return "missing"
        return min((a.status for a in self.assumptions), key=STATUSES.index, default="holds")

    @property
    def frame(self) -> pd.DataFrame:
        """One row per assumption, columns `COLUMNS`."""
        return checks_frame(self.assumptions)

    def text(self, lang: str = "da") -> str:
        """The card in words: what the design asks for, each assumption with its test, and the verdict."""
        from jobchance.identification.cards_text import card_text  # it needs the classes above

        return card_text(self, lang)

    def accept(self, names: Iterable[str]) -> Card:
        """The card once the analyst vouches for assumptions that no test contradicts."""
        vouched = set(names)
        changed = [
            replace(a, status="accepted")
            if a.name in vouched and a.status in ("doubtful", "untested") and not a.is_tested
            else a
            for a in self.assumptions
        ]
        return replace(self, assumptions=tuple(changed))


def judge_p(p_value: float, thresholds: Thresholds) -> str:
    """Status of an assumption whose test gives this p-value; a test that could not run leaves it untested."""
    if np.isnan(p_value):
        return "untested"
    if p_value < thresholds.fail_p:
        return "fails"
    return "doubtful" if p_value < thresholds.doubt_p else "holds"


def checks_frame(assumptions: Iterable[Assumption]) -> pd.DataFrame:
    """Assumptions as the table `diagnostics["checks"]` of a fit, columns `COLUMNS` and `breaks`."""
    columns = (*COLUMNS, "breaks")
    return pd.DataFrame([{c: getattr(a, c, a.name) for c in columns} for a in assumptions], columns=columns)


def read_checks(frame: pd.DataFrame) -> tuple[Assumption, ...]:
    """Assumptions back from `diagnostics["checks"]`."""
    records = frame.rename(columns={"assumption": "name"}).astype(object).to_dict("records")
    return tuple(Assumption(**{str(key): value for key, value in record.items()}) for record in records)
