"""One row per specification: its choices, its number, and what the number rests on.

A row holds plain values only (text, numbers, true/false, `None`), so that it can be written at once. Missing
numbers are NaN; counts that are not known are `None`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from scipy import special

from jobchance.sensitivity.multiverse.choices import DIMENSIONS, waves_text
from jobchance.sensitivity.multiverse.specification import Specification

OK, WARNED, FAILED = "ok", "warned", "failed"
SEPARATOR = " + "

_AFTER = DIMENSIONS.index("covariates") + 1
CHOICE_COLUMNS = (*DIMENSIONS[:_AFTER], "n_covariates", *DIMENSIONS[_AFTER:])
"""What was chosen; `choice_values` gives them from the specification."""

NUMBER_COLUMNS = ("estimate", "std_error", "statistic", "df", "p_value", "conf_low", "conf_high")
COUNT_COLUMNS = ("n_rows", "n_citizens", "n_events", "n_caseworkers", "n_jobcentres", "n_clusters")
RESULT_COLUMNS = (
    "status",
    "reason",
    *NUMBER_COLUMNS,
    "unit",
    *COUNT_COLUMNS,
    "converged",
    "is_singular",
    "sample_hash",
    "verdict",
    "note",
)
ROW_COLUMNS = ("key", *RESULT_COLUMNS)
"""Keys of the row that `Workbench.evaluate` gives for a specification."""

FRAME_COLUMNS = ("key", "main", *CHOICE_COLUMNS, *RESULT_COLUMNS)
"""Columns of `Multiverse.frame`."""


@dataclass(frozen=True)
class Answer:
    """The number of one specification, in the unit of the row.

    Parameters
    ----------
    estimate, std_error, df : float
        In percentage points; `df` is infinite for the normal distribution.
    unit : str
        What a point is per.
    notes : tuple of str
        What a reader must know.
    alarming : bool
        Whether the notes make the row a warned one.
    n_clusters : int or None
        Clusters of the standard error, the fewest of several dimensions.
    converged, is_singular : bool
        Of the fit.
    verdict : str
        Of a rung of the ladder.
    interval : tuple of float or None
        Given where it is not the estimate -+ t standard errors.
    p_value : float or None
        Given where it is not that of t.
    """

    estimate: float
    std_error: float
    df: float
    unit: str
    notes: tuple[str, ...] = ()
    alarming: bool = False
    n_clusters: int | None = None
    converged: bool = True
    is_singular: bool = False
    verdict: str = ""
    interval: tuple[float, float] | None = None
    p_value: float | None = None


@dataclass(frozen=True)
class Counts:
    """What a sample consists of; see `COUNT_COLUMNS`."""

    n_rows: int
    n_citizens: int | None = None
    n_events: int | None = None
    n_caseworkers: int | None = None
    n_jobcentres: int | None = None


def choice_values(spec: Specification) -> dict[str, object]:
    """The choices of a specification as the frame shows them; texts of several joined by ` + `."""
    return {
        "outcome": spec.outcome,
        "horizon_weeks": spec.horizon_weeks,
        "at_risk": spec.at_risk,
        "exposure": spec.exposure,
        "covariates": SEPARATOR.join(spec.covariates),
        "n_covariates": len(spec.covariates),
        "sample": spec.sample,
        "waves": waves_text(spec.waves),
        "estimator": spec.estimator,
        "absorb": SEPARATOR.join(spec.absorb),
        "random": SEPARATOR.join(spec.random),
        "vcov": spec.vcov,
        "missing": spec.missing,
    }


def answered_row(
    key: str, answer: Answer, counts: Counts, *, sample_hash: str, level: float
) -> dict[str, Any]:
    """The row of a specification that has a number."""
    low, high = answer.interval or _interval(answer, level)
    statistic = answer.estimate / answer.std_error if answer.std_error > 0 else math.nan
    p = _p_value(statistic, answer.df) if answer.p_value is None else answer.p_value
    doubt = answer.alarming or not answer.converged or answer.is_singular or math.isnan(statistic)
    return {
        "key": key,
        "status": WARNED if doubt else OK,
        "reason": "",
        "estimate": answer.estimate,
        "std_error": answer.std_error,
        "statistic": statistic,
        "df": answer.df,
        "p_value": p,
        "conf_low": low,
        "conf_high": high,
        "unit": answer.unit,
        "n_rows": counts.n_rows,
        "n_citizens": counts.n_citizens,
        "n_events": counts.n_events,
        "n_caseworkers": counts.n_caseworkers,
        "n_jobcentres": counts.n_jobcentres,
        "n_clusters": answer.n_clusters,
        "converged": answer.converged,
        "is_singular": answer.is_singular,
        "sample_hash": sample_hash,
        "verdict": answer.verdict,
        "note": " ".join(answer.notes),
    }


def failed_row(key: str, reason: str, *, verdict: str = "") -> dict[str, Any]:
    """The row of a specification without a number, and why, on one line."""
    row: dict[str, Any] = dict.fromkeys(ROW_COLUMNS)
    row |= dict.fromkeys(NUMBER_COLUMNS, math.nan)
    texts = dict.fromkeys(("unit", "sample_hash", "note"), "")
    return (
        row | texts | {"key": key, "status": FAILED, "reason": " ".join(reason.split()), "verdict": verdict}
    )


def _interval(answer: Answer, level: float) -> tuple[float, float]:
    """Estimate -+ t standard errors."""
    reach = _quantile((1 + level) / 2, answer.df) * answer.std_error
    return answer.estimate - reach, answer.estimate + reach


def _p_value(statistic: float, df: float) -> float:
    """Two-sided, from t; the functions behind scipy's distributions, which cost a thousandth of them."""
    if math.isinf(df):
        return float(2 * special.ndtr(-abs(statistic)))
    return float(2 * special.stdtr(df, -abs(statistic)))


def _quantile(share: float, df: float) -> float:
    """Of t; see `_p_value`."""
    if math.isinf(df):
        return float(special.ndtri(share))
    return float(special.stdtrit(df, share))
