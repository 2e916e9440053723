"""Outcomes before the measurement: the outcome table read in a window that ends where the future begins."""

from __future__ import annotations

import numpy as np
import pandas as pd

from jobchance.errors import SpecError
from jobchance.options import check_option
from jobchance.panel.evidence import gather_evidence
from jobchance.panel.follow_up import FAR, day_numbers, limits_of
from jobchance.study.model import Study

_WEEK = 7


def past_outcome(study: Study, rows: pd.DataFrame, *, outcome: str, weeks: int) -> pd.Series:
    """Whether an outcome held on some day of the weeks before each measurement.

    The window is half-open, from `7 weeks` days before the measurement to the day before it; the day of the
    measurement and all later ones are never read.

    Parameters
    ----------
    study : Study
        With an `outcome` table.
    rows : DataFrame
        `citizen_id wave date`, such as `panel.frame`.
    outcome : str
        An outcome of the outcome table.
    weeks : int
        Length of the window, at least 1.

    Returns
    -------
    Series
        By the index of `rows`: 1 or 0, NaN where the outcome data do not cover the whole window.

    Raises
    ------
    SpecError
        The study has no outcome table or no such outcome; `weeks` is no positive whole number.

    Examples
    --------
    >>> import jobchance as jc
    >>> from jobchance.sensitivity.confounding_past import past_outcome
    >>> study = jc.simulate_study(seed=1, n_citizens=300)
    >>> panel = jc.build_panel(study)
    >>> set(past_outcome(study, panel.frame, outcome="job", weeks=4).dropna()) <= {0.0, 1.0}
    True
    """
    if "outcome" not in study.tables:
        raise SpecError("the study has no outcome table, so no outcomes before the measurement.")
    if isinstance(weeks, bool) or not isinstance(weeks, int | np.integer) or weeks < 1:
        raise SpecError(f"weeks={weeks!r} must be a whole number of weeks, at least 1.")
    table = study.tables["outcome"]
    check_option("outcome", outcome, sorted(table["outcome"].dropna().unique()))
    date = day_numbers(rows["date"], missing=-FAR)
    known = _before(table[table["outcome"] == outcome], latest=int(date.max()))
    limits = limits_of(rows["citizen_id"], study.tables.get("follow_up"), data_end=int(date.max()) + 1)
    evidence = gather_evidence(rows, known, study.tables["measurement"], limits)
    length = _WEEK * int(weeks)
    start = date - length
    event, _ = evidence.first_event(start, length)
    complete = evidence.known_days(start, length) >= length
    value = np.where(complete, (event < length).astype(float), np.nan)
    return pd.Series(value, index=rows.index, name=f"{outcome}_before")


def _before(windows: pd.DataFrame, *, latest: int) -> pd.DataFrame:
    """Windows without a link (a linked one starts after its measurement) that begin before the last row."""
    keep = day_numbers(windows["window_start"], missing=-FAR) < latest
    if "measurement_id" in windows:
        keep &= windows["measurement_id"].isna().to_numpy()
    return windows[keep]
