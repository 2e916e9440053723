"""What becomes of every citizen after every measurement: measured again, or gone, and why.

A step leads from one row of the panel to the citizen's next. Time is in days.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from jobchance.errors import SpecError
from jobchance.options import check_option
from jobchance.panel.model import AnalysisPanel
from jobchance.study.model import Study

MEASURED, LOST, OUTCOME, EXIT, ENDED, AFTER_GAP = "measured", "lost", "outcome", "exit", "ended", "after_gap"
STATUSES = (MEASURED, LOST, OUTCOME, EXIT, ENDED, AFTER_GAP)
GAPS = ("return", "lost")
NEEDED = (
    "citizen_id", "wave", "date", "window_start", "weeks_to_outcome", "event_observed", "outcome",
)  # fmt: skip
_WEEK = pd.Timedelta(days=7)
_LONG = 5200  # weeks; no event lies further away
_PERSONAL = ("death", "emigration", "pension", "withdrawn")


@dataclass(frozen=True, eq=False, repr=False)
class Steps:
    """The step after every row of a panel; microdata, in the order of `panel.frame`.

    Parameters
    ----------
    status : Series of str (n,)
        One of `STATUSES`: measured again; `lost` to measurement though still in the population; left
        because of the `outcome`; other `exit` (death, emigration, pension, withdrawn); measurements `ended`
        before the next was due; `after_gap`: a row behind a citizen's first gap, with `gaps="lost"`.
    reason : Series of str (n,)
        The same, with exits by name where the study gives them.
    due : Series of bool (n,)
        The next measurement was due before measurements ended.
    order : Series of int (n,)
        0 for a citizen's first row, 1 for the next, and so on.
    interval_days, slack_days : int
        Days to the next measurement, and how many more are allowed for.
    n_gaps : int
        Steps over at least one missing wave.
    horizon_short : bool
        Outcomes are known for a shorter time than a step takes, so some leave for reasons unseen.
    """

    status: pd.Series
    reason: pd.Series
    due: pd.Series
    order: pd.Series
    interval_days: int
    slack_days: int
    n_gaps: int
    horizon_short: bool

    @property
    def eligible(self) -> pd.Series:
        """Rows whose next measurement was due and whose citizen was then still in the population."""
        return self.due & self.status.isin([MEASURED, LOST])


def read_steps(
    panel: AnalysisPanel,
    *,
    study: Study | None = None,
    gaps: str = "return",
    interval_days: int | None = None,
    slack_days: int = 14,
    measured_until: object | None = None,
) -> Steps:
    """Classify every row's next step; see `jobchance.sensitivity.attrition.dropout_model` for the rules.

    Raises
    ------
    SpecError
        Columns that the panel does not have, a rule or number of days that makes no sense.
    """
    check_option("gaps", gaps, GAPS)
    absent = [column for column in NEEDED if column not in panel.frame]
    if absent:
        raise SpecError(f"drop-out needs columns that the panel does not have: {', '.join(absent)}.")
    frame = panel.frame.sort_values(["citizen_id", "wave", "date"], kind="stable")
    citizen = frame.groupby("citizen_id", sort=False)
    jump = citizen["wave"].shift(-1) - frame["wave"]
    interval = _interval(frame, citizen, jump, interval_days)
    limit = frame["date"] + pd.Timedelta(days=interval + _days("slack_days", slack_days))
    until = frame["date"].max() if measured_until is None else pd.Timestamp(str(measured_until))
    left, names = _exits(panel, frame, limit, study)
    known = frame["weeks_to_outcome"].clip(upper=_LONG)
    event = frame["event_observed"].astype(bool) & ~(frame["window_start"] + known * _WEEK > limit)
    due = limit <= until
    status = pd.Series(
        np.select([jump.notna(), event, left, ~due], [MEASURED, OUTCOME, EXIT, ENDED], default=LOST),
        index=frame.index,
    )
    if gaps == "lost":
        gap = jump > 1
        behind = gap.astype(int).groupby(frame["citizen_id"], sort=False).cumsum() - gap.astype(int) > 0
        status = status.mask(gap, LOST).mask(behind, AFTER_GAP)
    reason = status.mask(status.eq(EXIT) & names.notna(), names)
    horizon = float(str(panel.meta.get("horizon_weeks", np.inf)))
    return Steps(
        status=status.sort_index(),
        reason=reason.sort_index(),
        due=due.sort_index(),
        order=citizen.cumcount().sort_index(),
        interval_days=interval,
        slack_days=slack_days,
        n_gaps=int((jump > 1).sum()),
        horizon_short=7 * horizon < interval,
    )


def _interval(frame: pd.DataFrame, citizen: object, jump: pd.Series, interval_days: int | None) -> int:
    """Days from a measurement to the next: as given, else the median of steps without a gap."""
    if interval_days is not None:
        return _days("interval_days", interval_days)
    days = (frame.groupby("citizen_id", sort=False)["date"].shift(-1) - frame["date"]).dt.days
    usual = days[jump == 1]
    if usual.empty:
        raise SpecError(
            "No citizen has two waves in a row, so the time to the next measurement is not known: give "
            "interval_days=."
        )
    return int(usual.median())


def _days(name: str, value: int) -> int:
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not whole or not 0 <= value <= 3660:
        raise SpecError(f"{name}={value!r} must be a whole number of days, 0 to 3660.")
    return int(value)


def _exits(
    panel: AnalysisPanel, frame: pd.DataFrame, limit: pd.Series, study: Study | None
) -> tuple[pd.Series, pd.Series]:
    """Rows whose citizen left the population before `limit`, and the reason where the study names it."""
    if study is not None and "follow_up" in study.tables:
        table = study.tables["follow_up"].drop_duplicates("citizen_id").set_index("citizen_id")
        own = table.reindex(frame["citizen_id"].to_numpy()).set_index(frame.index)
        personal = own["exit_reason"].isin(_PERSONAL) if "exit_reason" in own else own["observed_to"].isna()
        gone = personal.astype(bool) & (pd.to_datetime(own["observed_to"]) <= limit)
        reason = own["exit_reason"] if "exit_reason" in own else pd.Series(None, index=frame.index)
        return gone, reason.astype(object).where(gone, None)
    # an outcome that is unknown although the data reach far enough: follow-up of the citizen has ended
    stop = frame["window_start"] + (frame["weeks_to_outcome"].fillna(_LONG) + 1) * _WEEK
    through = panel.meta.get("data_through")
    covered = True if through is None else stop <= pd.Timestamp(str(through))
    gone = frame["outcome"].isna() & ~frame["event_observed"].astype(bool) & (stop - _WEEK <= limit) & covered
    return gone, pd.Series(None, index=frame.index, dtype=object)
