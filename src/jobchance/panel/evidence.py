"""Every window of the outcome table that speaks of a row, and what these windows say together.

Letters: `lo`, `hi` a supplied window clipped to follow-up; `S` the row's window start; days since 1970-01-01.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from jobchance.errors import SchemaError
from jobchance.panel.follow_up import FAR, Limits, day_numbers

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

_WEEK = 7


@dataclass(frozen=True)
class Evidence:
    """Pairs of a panel row and a supplied window of the same citizen; arrays with one entry per pair.

    `own` says whether the window speaks of the row's outcome: windows linked to a measurement speak of that
    citizen and wave only, windows without a link of every measurement of the citizen. `aligns` marks windows
    that may stand for the row's outcome window themselves: linked ones, and all windows of an outcome that
    has events without a date (status at follow-up). `event_closes` marks windows that end with the spell or
    the day after the event: such an end says nothing about follow-up.
    """

    n_rows: int
    row: Ints
    start: Ints
    stop: Ints
    lo: Ints
    hi: Ints
    positive: Bools
    event: Ints
    event_stop: Ints
    event_closes: Bools
    own: Bools
    aligns: Bools

    @property
    def dated(self) -> Bools:
        """Windows with an event of known date."""
        return self.positive & (self.event < FAR)

    def window_start(self, date: Ints) -> Ints:
        """First day of each row's outcome window.

        The first Monday strictly after the measurement; where a window that aligns starts within the seven
        days after the measurement, that window's own first day.
        """
        monday = first_monday_after(date)
        near = self.own & self.aligns & (self.start > date[self.row]) & (self.start <= date[self.row] + _WEEK)
        supplied = np.full(self.n_rows, FAR, dtype=np.int64)
        np.minimum.at(supplied, self.row[near], self.start[near])
        return np.where(supplied < FAR, supplied, monday)

    def state_on(self, date: Ints) -> tuple[Bools, Bools]:
        """Whether each row's citizen is in the outcome state on the date, and whether that is known."""
        on = date[self.row]
        inside = self.dated & (self.event <= on) & (on < np.minimum(self.event_stop, self.hi))
        speaks = (self.dated | ~self.positive) & (self.lo <= on) & (on < self.hi)
        return self._any(inside), self._any(inside | speaks)

    def first_event(self, S: Ints, length: int) -> tuple[Ints, Ints]:
        """Days from `S` to the first day in the state, and to the end of a window that its event closed.

        `FAR` and -1 where there is none.
        """
        s = S[self.row]
        first = np.maximum(np.maximum(self.event, self.lo), s)
        last = np.minimum(np.minimum(self.event_stop, self.hi), s + length)
        happens = self.own & self.dated & (first < last)
        event = np.full(self.n_rows, FAR, dtype=np.int64)
        np.minimum.at(event, self.row[happens], (first - s)[happens])
        closes = happens & self.event_closes & (self.hi == self.stop)
        closed = np.full(self.n_rows, -1, dtype=np.int64)
        np.maximum.at(closed, self.row[closes], (self.hi - s)[closes])
        return event, closed

    def undated_event(self, S: Ints, length: int) -> tuple[Bools, Bools, Ints]:
        """Rows with an undated event inside the window; rows with one only partly inside; its weeks.

        Less than a full week beyond the window's end counts as inside.
        """
        inside, partly = self._undated(S, length)
        fits = np.zeros(self.n_rows, dtype=np.int64)
        np.maximum.at(fits, self.row[partly], ((self.stop - S[self.row]) // _WEEK)[partly])
        return self._any(inside), self._any(partly), fits

    def known_days(self, S: Ints, length: int) -> Ints:
        """Days from `S`, at most `length`, over which windows cover the row without a break."""
        inside, _ = self._undated(S, length)
        speaks = self.own & (inside | self.dated | ~self.positive)
        lo = np.clip(self.lo - S[self.row], 0, length)[speaks]
        hi = np.clip(self.hi - S[self.row], 0, length)[speaks]
        row = self.row[speaks]
        order = np.lexsort((lo, row))
        row, lo, hi = row[order], lo[order], hi[order]
        base = row * (length + 1)
        reach = np.maximum.accumulate(base + hi) if len(row) else base
        before = np.maximum(np.concatenate([[0], reach[:-1]])[: len(row)] - base, 0)
        broken = np.maximum.accumulate(2 * row + (lo > before)) - 2 * row if len(row) else row
        known = np.zeros(self.n_rows, dtype=np.int64)
        np.maximum.at(known, row[broken == 0], hi[broken == 0])
        return known

    def _undated(self, S: Ints, length: int) -> tuple[Bools, Bools]:
        """Own windows with an undated event: wholly inside the row's window; only partly."""
        s = S[self.row]
        undated = self.own & self.positive & ~self.dated
        touches = undated & (self.lo < s + length) & (self.hi > s)
        whole = (self.start >= s) & (self.stop < s + length + _WEEK) & (self.hi == self.stop)
        return touches & whole, touches & ~whole & (self.hi == self.stop)

    def _any(self, pairs: Bools) -> Bools:
        found = np.zeros(self.n_rows, dtype=bool)
        found[self.row[pairs]] = True
        return found


def first_monday_after(days: Ints) -> Ints:
    """First Monday strictly after each day (days since 1970-01-01, a Thursday): the first full ISO week."""
    return days + _WEEK - (days + 3) % _WEEK


def gather_evidence(
    rows: pd.DataFrame, outcomes: pd.DataFrame, measurement: pd.DataFrame, limits: Limits
) -> Evidence:
    """Pair every row with its citizen's windows of one outcome.

    Parameters
    ----------
    rows : DataFrame
        `citizen_id wave`, one row per citizen x wave.
    outcomes : DataFrame
        Rows of the outcome table for the one outcome.
    measurement : DataFrame
        Measurement table, for the waves that linked windows belong to.
    limits : Limits
        Follow-up of each row.

    Raises
    ------
    SchemaError
        A window linked to a measurement starts on or before its date (rule C11).
    """
    windows = _windows(outcomes, measurement)
    left = pd.DataFrame(
        {
            "row": np.arange(len(rows)),
            "citizen_id": rows["citizen_id"].to_numpy(),
            "of": rows["wave"].to_numpy(),
        }
    )
    pairs = left.merge(windows, on="citizen_id")
    row = pairs["row"].to_numpy(dtype=np.int64)
    start, stop = pairs["start"].to_numpy(), pairs["stop"].to_numpy()
    linked = pairs["wave"].notna()
    return Evidence(
        n_rows=len(rows),
        row=row,
        start=start,
        stop=stop,
        lo=np.maximum(start, limits.start[row]),
        hi=np.minimum(stop, limits.stop[row]),
        positive=pairs["positive"].to_numpy(),
        event=pairs["event"].to_numpy(),
        event_stop=pairs["event_stop"].to_numpy(),
        event_closes=pairs["event_closes"].to_numpy(),
        own=(~linked | (pairs["wave"] == pairs["of"])).to_numpy(dtype=bool),
        aligns=(linked | pairs["status"]).to_numpy(dtype=bool),
    )


def _windows(outcomes: pd.DataFrame, measurement: pd.DataFrame) -> pd.DataFrame:
    """The supplied windows in days: `citizen_id`, the window and its event, `wave` if linked, `status`."""
    stop = day_numbers(outcomes["window_end"], missing=FAR)
    none = pd.Series(None, index=outcomes.index, dtype="datetime64[ns]")
    ended = day_numbers(outcomes.get("event_end", none), missing=FAR)
    windows = pd.DataFrame(
        {
            "citizen_id": outcomes["citizen_id"].to_numpy(),
            "start": day_numbers(outcomes["window_start"], missing=-FAR),
            "stop": stop,
            "positive": outcomes["value"].to_numpy(dtype=float) == 1,
            "event": day_numbers(outcomes.get("event_date", none), missing=FAR),
            "event_stop": np.minimum(ended, stop),
            "wave": np.nan,
        }
    )
    windows["event_closes"] = (stop == ended) | (stop == windows["event"] + 1)
    windows["status"] = bool((windows["positive"] & (windows["event"] == FAR)).any())
    if "measurement_id" not in outcomes or outcomes["measurement_id"].isna().all():
        return windows
    source = measurement.set_index("measurement_id").reindex(outcomes["measurement_id"].to_numpy())
    windows["wave"] = source["wave"].to_numpy(dtype=float, na_value=np.nan)
    early = windows["start"].to_numpy() <= day_numbers(source["date"], missing=-FAR)
    if early.any():
        raise SchemaError(f"C11: {int(early.sum())} outcome windows start on or before their measurement.")
    return windows
