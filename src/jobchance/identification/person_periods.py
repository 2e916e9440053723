"""`person_periods`: an analysis panel as one row per citizen and period at risk, until the first event.

Letters, in whole weeks from the citizen's first window start: O the start of each measurement's window,
C the end of what its window knows, E the first event (none: FAR), Z the end of the data.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from jobchance.design.columns import require_columns
from jobchance.errors import DesignError, SpecError
from jobchance.panel.model import AnalysisPanel

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

FAR = 1e9
NEEDED = ("citizen_id", "date", "outcome", "weeks_to_outcome", "censored", "event_observed", "window_start")
_WINDOW = ("outcome", "weeks_to_outcome", "censored", "event_observed", "window_start")
MADE = ("quarter", "event", "weeks", "weeks_since_answer", "ending")
ENDINGS = ("event", "horizon", "data_end", "lost")


def person_periods(panel: AnalysisPanel | pd.DataFrame, *, period_weeks: int = 13) -> pd.DataFrame:
    """One row per citizen and quarter at risk, with the answer in force, for `fit_hazard`.

    **Clock.** `quarter` 0 starts with the citizen's first window (the first Monday after the measurement).
    From each measurement to the next there are as many periods as their distance holds, rounded, at least
    one: waves 11 to 15 weeks apart make one period of that length. After the last measurement periods of
    `period_weeks` follow, up to the horizon of the panel. A measurement after the first event is not used.

    **Answer in force.** All columns of a period, belief and caseworker too, are those of the measurement that
    the period starts from; the last answer stands until the horizon. An answer "don't know" is a missing
    belief; the rows are kept.

    **Event.** 1 in the period of the first event that any window of the citizen has seen; later periods are
    absent. A period is there only if it is known to its end, or had the event: one that the end of the
    data cuts is absent *whether or not an event was seen*, as counting only the events of such periods would
    raise every hazard. Between the horizon of one measurement and a later one nobody knows: these periods are
    absent, and `quarter` goes on counting over them.

    Parameters
    ----------
    panel : AnalysisPanel or DataFrame
        A panel with `at_risk="not_in_job"`, or its frame.
    period_weeks : int
        Length of a period in weeks.

    Returns
    -------
    DataFrame
        Sorted by citizen and quarter: the panel's columns but those of its windows, and `quarter`, `event`
        (0/1), `weeks` (length of the period), `weeks_since_answer` (age of the answer at its start) and
        `ending`, in the last row of a citizen why there is no further one: `"event"`, `"horizon"`,
        `"data_end"` or `"lost"` (left follow-up, or an event without a date); missing in other rows.
        `attrs["left_out"]` counts citizens without any period and events that no period holds.

    Raises
    ------
    SpecError
        `period_weeks` is not a whole number from 1; a panel that holds citizens already in the state.
    DesignError
        Columns of a panel are absent, two measurements of a citizen on one date, or no period is known.

    Notes
    -----
    A period that starts from a measurement is counted from the Monday after it; an event in the days
    between is seen only if it lasts until that Monday (it then counts in the period), as in `build_panel`.

    Examples
    --------
    >>> import jobchance as jc
    >>> panel = jc.build_panel(jc.simulate_study(seed=1, n_citizens=300))
    >>> rows = person_periods(panel)
    >>> bool(rows.groupby("citizen_id")["event"].sum().max() == 1)
    True
    """
    if isinstance(period_weeks, bool) or not isinstance(period_weeks, int | np.integer) or period_weeks < 1:
        raise SpecError(f"period_weeks={period_weeks!r} must be a whole number of weeks from 1.")
    if isinstance(panel, AnalysisPanel) and panel.meta.get("at_risk") == "all":
        raise SpecError(
            "The panel holds citizens who are in the state already: build it with at_risk='not_in_job', as "
            "only citizens who are not there yet are at risk of entering it."
        )
    frame = panel.frame if isinstance(panel, AnalysisPanel) else panel
    _check(frame)
    frame = frame.sort_values(["citizen_id", "date"], kind="stable").reset_index(drop=True)
    waves = _read_waves(frame)
    cells = _cut(waves, int(period_weeks))
    if not len(cells.wave):
        raise DesignError(f"No period of {period_weeks} weeks is known to its end for any citizen.")
    made = frame.drop(columns=list(_WINDOW)).iloc[cells.wave].reset_index(drop=True)
    made = made.assign(
        quarter=cells.number,
        event=cells.event.astype(np.int64),
        weeks=(cells.end - cells.start).astype(np.int64),
        weeks_since_answer=(cells.start - waves.start[cells.wave]).astype(np.int64),
        ending=_endings(waves, cells),
    )
    seen = np.unique(waves.citizen[waves.first_event < FAR])
    held = np.unique(waves.citizen[cells.wave[cells.event]])
    made.attrs["left_out"] = {
        "citizens_without_a_period": int(frame["citizen_id"].nunique() - made["citizen_id"].nunique()),
        "events_in_incomplete_periods": int(len(seen) - len(held)),
        "citizens_with_an_undated_event": len(np.unique(waves.citizen[waves.undated])),
    }
    return made


@dataclass(frozen=True, eq=False)
class _Waves:
    """Measurements in order, weeks from the citizen's first window start (see the letters).

    `start` is O, `stop` the first of C and the next measurement's O (or C), `known` C, `first_event` E of
    the citizen, `data_end` Z; `closes` says that the window ran to the horizon; `undated` an event with no
    week.
    """

    citizen: Ints
    start: Floats
    following: Floats
    known: Floats
    first_event: Floats
    data_end: Floats
    closes: NDArray[np.bool_]
    undated: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class _Cells:
    """Periods: measurement in force, number, start and end in weeks, and whether the event is in it."""

    wave: Ints
    number: Ints
    start: Floats
    end: Floats
    event: NDArray[np.bool_]


def _check(frame: pd.DataFrame) -> None:
    """Columns of a panel, none of those to be made, one measurement per date."""
    if isinstance(frame, pd.DataFrame) and "ending" in frame.columns:
        raise DesignError("The data hold periods already: person_periods takes a panel.")
    require_columns(NEEDED, frame)
    clash = [name for name in MADE if name in frame.columns]
    if clash:
        raise DesignError(f"The panel has columns that are to be made: {', '.join(clash)}. Rename them.")
    twice = int(frame.duplicated(["citizen_id", "date"]).sum())
    if twice:
        raise DesignError(f"{twice} rows repeat the date of another measurement of the same citizen.")


def _read_waves(frame: pd.DataFrame) -> _Waves:
    """Times of all measurements; an event without a week ends what is known at its window's start."""
    citizen = pd.factorize(frame["citizen_id"])[0].astype(np.int64)
    day = frame["window_start"].to_numpy(dtype="datetime64[D]").astype(np.int64)
    first = np.flatnonzero(np.diff(citizen, prepend=-1))
    origin = day[first][citizen]
    start = (day - origin) / 7.0
    weeks = frame["weeks_to_outcome"].to_numpy(dtype=np.float64)
    seen = frame["event_observed"].to_numpy(dtype=bool)
    undated = np.isnan(weeks)
    known = start + np.where(undated, 0.0, weeks)
    event = np.where(seen & ~undated, known, FAR)
    n_citizens = int(citizen.max()) + 1
    earliest, cut = np.full(n_citizens, FAR), np.full(n_citizens, FAR)
    np.minimum.at(earliest, citizen, event)
    np.minimum.at(cut, citizen, np.where(undated, start, FAR))
    # an undated event may have been the first: nothing after the start of its window is at risk for sure
    known = np.minimum(known, cut[citizen])
    first_event = np.where(earliest <= cut, earliest, FAR)[citizen]
    quiet = ~seen & ~undated
    last_day = float((day + 7 * np.where(quiet, weeks, 0.0))[quiet].max()) if quiet.any() else FAR
    following = np.append(start[1:], FAR)
    following[np.append(np.diff(citizen) != 0, True)] = FAR
    return _Waves(
        citizen=citizen,
        start=start,
        following=following,
        known=known,
        first_event=first_event,
        data_end=np.asarray((last_day - origin) / 7.0, dtype=np.float64),
        closes=~frame["censored"].to_numpy(dtype=bool),
        undated=undated,
    )


def _cut(waves: _Waves, length: int) -> _Cells:
    """All periods that are known to their end or hold the event, numbered within citizens."""
    n = len(waves.start)
    before = waves.following < FAR
    gap = np.where(before, waves.following - waves.start, 0.0)
    # coverage of a citizen reaches as far as any window so far knows
    reach = pd.Series(waves.known).groupby(waves.citizen).cummax().to_numpy(dtype=np.float64)
    has_event = waves.first_event < FAR
    reach = np.where(has_event, np.maximum(reach, np.where(reach >= waves.first_event, FAR, reach)), reach)
    open_end = np.where(has_event, waves.first_event + length, reach) - waves.start
    pieces = np.where(before, np.maximum(np.rint(gap / length), 1), np.maximum(np.ceil(open_end / length), 0))
    pieces = pieces.astype(np.int64)
    wave = np.repeat(np.arange(n), pieces)
    inner = np.arange(len(wave)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    total = pd.Series(pieces).groupby(waves.citizen).cumsum().to_numpy(dtype=np.int64) - pieces
    start = waves.start[wave] + length * inner
    last = inner == pieces[wave] - 1
    end = np.where(last & before[wave], waves.following[wave], start + length)
    event = (waves.first_event[wave] >= start) & (waves.first_event[wave] < end)
    keep = (event | (reach[wave] >= end)) & (start <= waves.first_event[wave]) & (end <= waves.data_end[wave])
    return _Cells(wave[keep], (total[wave] + inner)[keep], start[keep], end[keep], event[keep])


def _endings(waves: _Waves, cells: _Cells) -> NDArray[np.object_]:
    """Why there is no further row, in the last row of each citizen."""
    citizen = waves.citizen[cells.wave]
    last = np.append(np.diff(citizen) != 0, True)
    final = np.flatnonzero(np.append(np.diff(waves.citizen) != 0, True))[citizen]
    cut = cells.end + (cells.end - cells.start) > waves.data_end[cells.wave]
    reason = np.select(
        [cells.event, waves.closes[final] & ~waves.undated[final], cut],
        ["event", "horizon", "data_end"],
        "lost",
    )
    made = reason.astype(object)
    made[~last] = None
    return made
