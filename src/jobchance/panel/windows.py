"""Outcome windows: what is known about each row's outcome, strictly after its measurement.

Time is in whole days; intervals are half-open. Within a row, days count from its window start.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from jobchance.panel.evidence import gather_evidence
from jobchance.panel.follow_up import FAR, day_numbers, limits_of

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Observed:
    """What the outcome table says of each row; arrays of one length, in the order of the rows.

    `outcome` is NaN where censored; `reason` names why (`""` where known). `unplaced` marks rows with an
    event of unknown date whose supplied window lies only partly inside the row's; `supported_weeks` is the
    horizon at which it, or the row's unbroken information, would fit.
    """

    window_start: NDArray[np.datetime64]
    outcome: NDArray[np.float64]
    weeks: NDArray[np.float64]
    event_observed: Bools
    reason: NDArray[np.str_]
    in_state: Bools
    state_known: Bools
    unplaced: Bools
    supported_weeks: Ints


def observe_outcome(
    rows: pd.DataFrame, tables: dict[str, pd.DataFrame], *, outcome: str, horizon_weeks: int, data_end: int
) -> Observed:
    """Hold every row's window against the outcome table.

    Parameters
    ----------
    rows : DataFrame
        `citizen_id wave date`, one row per citizen x wave.
    tables : dict of DataFrame
        `outcome` and `measurement`, maybe `follow_up`.
    outcome : str
        Rule to look for.
    horizon_weeks : int
        Length of the window in full weeks.
    data_end : int
        First day, as days since 1970-01-01, that the outcome data no longer cover.

    Returns
    -------
    Observed
        In the order of the rows.

    Raises
    ------
    SchemaError
        A window linked to a measurement starts on or before its date (rule C11).
    """
    date = day_numbers(rows["date"], missing=-FAR)
    limits = limits_of(rows["citizen_id"], tables.get("follow_up"), data_end=data_end)
    table = tables["outcome"]
    evidence = gather_evidence(rows, table[table["outcome"] == outcome], tables["measurement"], limits)
    S = evidence.window_start(date)
    if (date >= S).any():
        raise AssertionError("C11: an outcome window starts on or before its measurement")
    length = 7 * horizon_weeks
    E = S + length
    in_state, state_known = evidence.state_on(date)
    event, closed = evidence.first_event(S, length)
    undated, unplaced, fits = evidence.undated_event(S, length)
    known = evidence.known_days(S, length)
    complete, dated = known >= length, event < known
    left = limits.left_early & (limits.stop < E) & (limits.data_stop >= E)
    value = np.where(complete, 0.0, np.nan)
    value[
        (dated & (complete | left | ((closed == known) & (limits.data_stop >= E)))) | (undated & complete)
    ] = 1.0
    if (np.minimum(known, limits.stop - S)[value == 0] < length).any():
        raise AssertionError("C12: a row without a complete window counts as zero")
    weeks = np.where(dated, event // 7, np.where(complete, horizon_weeks, known // 7)).astype(np.float64)
    weeks[undated] = np.nan
    return Observed(
        window_start=S.astype("datetime64[D]"),
        outcome=value,
        weeks=weeks,
        event_observed=dated | (undated & complete),
        reason=np.select(
            [~np.isnan(value), limits.data_stop < E, left, known == 0],
            ["", "end_of_data", "left_follow_up", "no_information"],
            "window_incomplete",
        ),
        in_state=in_state,
        state_known=state_known,
        unplaced=unplaced,
        supported_weeks=np.where(unplaced, fits, known // 7),
    )
