"""Days of the simulated study as whole numbers (days since 1970-01-01), and back to dates.

The calendar is that of BIP: measurements 2013-2016, almost all citizens entering in 2013. Registers run one
year longer, so that the year after the last measurement is complete.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Days = NDArray[np.int64]


def day(text: str) -> int:
    """Day number of an ISO date."""
    return int(np.datetime64(text, "D").astype(np.int64))


FIRST_ENTRY = day("2013-01-07")
LAST_ENTRY = day("2013-12-20")
LAST_MEASUREMENT = day("2016-12-23")  # the 52 weeks after it end before the registers do
PROJECT_END = day("2016-12-31")
END = day("2017-12-31")  # half-open end of registers and follow-up
NEVER = day("2099-01-01")
WAVE_DAYS = 91  # every third month
MAX_WAVES = 16
HORIZON_DAYS = 364  # 52 weeks
_DAY_BITS = 20  # a key holds days up to the year 4883


def dates(days: Days) -> NDArray[np.datetime64]:
    """Dates of day numbers; `NEVER` or later becomes a missing date."""
    result = days.astype("datetime64[D]").astype("datetime64[s]")
    result[days >= NEVER] = np.datetime64("NaT")
    return result


def workdays(days: Days) -> Days:
    """Move Saturdays and Sundays to the Monday after."""
    weekday = (days + 3) % 7  # 1970-01-01 was a Thursday; Monday is 0
    return days + np.where(weekday >= 5, 7 - weekday, 0)


def window_starts(days: Days) -> Days:
    """First Monday after each day: no outcome may be earlier than that."""
    return days + 7 - (days + 3) % 7


def key(citizen: Days, days: Days) -> Days:
    """One number that orders by citizen and, inside a citizen, by day."""
    return np.asarray((citizen << _DAY_BITS) + (days - FIRST_ENTRY))


def day_of(keys: Days) -> Days:
    """Day that a key holds."""
    return np.asarray((keys & ((1 << _DAY_BITS) - 1)) + FIRST_ENTRY)


def citizen_of(keys: Days) -> Days:
    """Citizen that a key holds."""
    return np.asarray(keys >> _DAY_BITS)
