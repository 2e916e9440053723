"""The thresholds of the assumption cards: every number that turns a test into a verdict, with its reason."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from numbers import Real

import pandas as pd

from jobchance.errors import SpecError


def _because(default: float, reason: str) -> float:
    """A threshold with the reason for its default."""
    value: float = field(default=default, metadata={"reason": reason})
    return value


@dataclass(frozen=True)
class Thresholds:
    """What counts as enough, as too little and as a warning; change one with `Thresholds(doubt_p=0.10)`.

    `Thresholds().frame` lists every threshold with its reason.

    Raises
    ------
    SpecError
        A threshold is not a positive number, or `fail_p` lies above `doubt_p`; all are listed.
    """

    doubt_p: float = _because(0.05, "the usual level: a test of an assumption below it leaves doubt")
    fail_p: float = _because(0.01, "several assumptions are tested per design; below it chance is no excuse")
    balance_sd: float = _because(
        0.10,
        "a covariate that moves by a tenth of its standard deviation per standard deviation of the exposure "
        "is out of balance in size, whatever its p-value (the usual bound for standardised differences)",
    )
    first_stage_f: float = _because(
        23.1,
        "effective F of Montiel Olea and Pflueger (2013): above it the bias of 2SLS with one instrument is "
        "at most a tenth of the worst case, at 5 per cent",
    )
    min_clusters: float = _because(10, "clustered standard errors have no known accuracy with fewer")
    few_clusters: float = _because(
        30, "with fewer, clustered standard errors are usually too small: a doubt, not a refusal"
    )
    min_cases: float = _because(10, "median citizens per caseworker below which one says nothing of them")
    min_citizens: float = _because(100, "fewer citizens cannot carry a share of a few per cent")
    min_events: float = _because(20, "ten events per coefficient and group, with two groups to compare")
    min_movers: float = _because(50, "citizens with a change of caseworker that a contrast rests on")
    min_waves: float = _because(3, "a person's level and a lag cannot be told apart with fewer waves")
    min_raters: float = _because(100, "citizens with two ratings that a model of disagreement rests on")
    chance_share: float = _because(
        0.8,
        "share of rows whose assignment rule leaves the caseworker to chance (day of birth, next free)",
    )
    connected_share: float = _because(
        0.5, "share of the rows in the leave-out connected set below which it is another population"
    )
    reliability: float = _because(0.4, "below it more than half of what is called optimism is noise")
    informative_share: float = _because(
        0.4,
        "what covariates explain of the outcome, as a share of what the caseworker's answer does: a test of "
        "balance in columns that say less cannot see sorting; chosen on simulated studies",
    )
    optimism_agrees: float = _because(
        0.8,
        "correlation of optimism with its value from the panel's own rows, 0.999 and more in sound panels",
    )
    optimism_own_part: float = _because(
        0.05,
        "share of the spread of optimism between citizens of one caseworker beyond leaving each out, 0.01 "
        "and less in sound panels: more would come from the citizen",
    )
    min_disagreement: float = _because(
        0.05, "share of a rating's variance that is the rater's own, below which there is nothing to use"
    )
    rmsea: float = _because(0.06, "the bound of Hu and Bentler (1999) for an adequate covariance structure")
    joint_level: float = _because(
        0.025,
        "chance of any false claim of a ladder, over its designs in their fixed order; half of the usual "
        "5 per cent: tests of assumptions miss faults, and clustered standard errors are a little small",
    )

    def __post_init__(self) -> None:
        wrong = [f.name for f in fields(self) if not _is_positive(getattr(self, f.name))]
        if not wrong and self.fail_p > self.doubt_p:
            wrong.append("fail_p (above doubt_p)")
        if wrong:
            raise SpecError(f"Thresholds must be positive numbers: {', '.join(wrong)}.")

    @property
    def frame(self) -> pd.DataFrame:
        """Columns `threshold value default reason`."""
        return pd.DataFrame(
            [
                {"threshold": f.name, "value": float(getattr(self, f.name)), "default": float(str(f.default))}
                | {"reason": f.metadata["reason"]}
                for f in fields(self)
            ]
        )


def _is_positive(value: object) -> bool:
    """Whether a value is a number above zero."""
    return isinstance(value, Real) and not isinstance(value, bool) and float(value) > 0
