"""How long each citizen is followed: by the data for everybody, or only until the citizen leaves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Ints = NDArray[np.int64]

FAR = np.iinfo(np.int64).max // 4
_LEFT = ("death", "emigration", "pension", "withdrawn")


@dataclass(frozen=True)
class Limits:
    """First and last day of follow-up of each row, in days since 1970-01-01 (half-open).

    `stop` is where follow-up of the citizen ends; `data_stop` where it would have ended for the data's sake
    alone; `left_early` says that the citizen died, emigrated, got a pension or withdrew before that.
    """

    start: Ints
    stop: Ints
    data_stop: Ints
    left_early: NDArray[np.bool_]


def limits_of(citizen_id: pd.Series, follow_up: pd.DataFrame | None, *, data_end: int) -> Limits:
    """Limits of each row's citizen; without a follow-up row only the end of the data limits.

    An end without a personal reason counts as the end of the data.
    """
    n = len(citizen_id)
    if follow_up is None:
        end = np.full(n, data_end, dtype=np.int64)
        return Limits(np.full(n, -FAR, dtype=np.int64), end, end, np.zeros(n, dtype=bool))
    table = follow_up.drop_duplicates("citizen_id").set_index("citizen_id")
    own = table.reindex(citizen_id.to_numpy())
    start = day_numbers(own["observed_from"], missing=-FAR)
    stop = np.minimum(day_numbers(own["observed_to"], missing=FAR), data_end)
    personal = np.zeros(n, dtype=bool)
    if "exit_reason" in own:
        personal = own["exit_reason"].isin(_LEFT).to_numpy(dtype=bool)
    left_early = personal & (stop < data_end)
    return Limits(start, stop, np.where(left_early, data_end, stop), left_early)


def day_numbers(dates: pd.Series, *, missing: int) -> Ints:
    """Days since 1970-01-01, with `missing` where there is no date."""
    days = pd.to_datetime(dates).to_numpy(dtype="datetime64[D]")
    return np.where(np.isnat(days), missing, days.astype(np.int64)).astype(np.int64)
