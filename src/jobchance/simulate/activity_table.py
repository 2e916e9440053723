"""The table of activities of a simulated study: spells that agree with the activity of every wave.

Types, hours, sectors and budget lines are invented and have nothing to do with anything else.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from jobchance.simulate import calendar as cal
from jobchance.simulate.actions import ActivityRuns
from jobchance.simulate.hazards import World
from jobchance.simulate.histories import History

Ints = NDArray[np.int64]
Texts = NDArray[np.object_]

# type, share, hours a week from and below, sectors to draw from, could decide alone (share), budget line
_TYPES: tuple[tuple[str, float, int, int, tuple[str, ...], float, str], ...] = (
    ("virksomhedspraktik", 0.36, 6, 31, ("private", "public"), 0.9, "placements"),
    ("loentilskud_off", 0.03, 20, 38, ("public",), 0.6, "placements"),
    ("loentilskud_priv", 0.02, 20, 38, ("private",), 0.6, "placements"),
    ("nytteindsats", 0.07, 13, 38, ("public",), 0.8, "placements"),
    ("vejledning_opkvalificering", 0.26, 4, 26, (), 0.8, "courses"),
    ("ordinaer_uddannelse", 0.01, 20, 38, (), 0.2, "courses"),
    ("mentor", 0.13, 1, 6, (), 0.5, "support"),
    ("health", 0.10, 1, 9, (), 0.4, "support"),
    ("other", 0.02, 1, 16, (), 0.5, "other"),
)
INTERRUPTED = 0.2
STILL_OFFERED = 0.7  # share of the activities whose offer has no known end


def activity_table(
    rng: np.random.Generator, world: World, history: History, *, ids: dict[str, Texts]
) -> pd.DataFrame:
    """One row per activity, cut where the case or the citizen's follow-up ends.

    An activity is going on on the day of a form exactly where the simulation has one. Who is said to have
    had an intervention, but none on the day of any wave, gets a short one after the last form.
    """
    spells = _kept(world, history)
    size = spells.citizen.size
    shares = np.array([row[1] for row in _TYPES])
    kind = rng.choice(len(_TYPES), size, p=shares / shares.sum())
    low, high, alone = (np.array([row[column] for row in _TYPES])[kind] for column in (2, 3, 5))
    names, budgets = (np.array([row[column] for row in _TYPES], dtype=object)[kind] for column in (0, 6))
    tenures = world.tenures
    in_charge = np.searchsorted(
        cal.key(tenures.citizen, tenures.start), cal.key(spells.citizen, spells.start), side="right"
    )
    offered = spells.start - rng.integers(30, 700, size)
    withdrawn = np.where(rng.random(size) < STILL_OFFERED, cal.NEVER, spells.end + rng.integers(1, 300, size))
    return pd.DataFrame(
        {
            "activity_id": [f"V{number:07d}" for number in range(1, size + 1)],
            "citizen_id": ids["citizen"][spells.citizen],
            "decided_by": ids["caseworker"][tenures.caseworker[in_charge - 1]],
            "type": names,
            "sector": _sectors(rng, kind),
            "start": cal.dates(spells.start),
            "end": cal.dates(spells.end),
            "hours_per_week": rng.integers(low, high),
            "minutes_per_week": rng.choice([0, 30], size, p=[0.8, 0.2]),
            "status": np.where(rng.random(size) < INTERRUPTED, "interrupted", "completed").astype(object),
            "could_decide_self": rng.random(size) < alone,
            "budget_line": budgets,
            "available_from": cal.dates(offered),
            "available_to": cal.dates(withdrawn),
        }
    )


def _sectors(rng: np.random.Generator, kind: Ints) -> Texts:
    """Sector of the workplace; None where there is none."""
    luck = rng.random(kind.size)
    result = np.full(kind.size, None, dtype=object)
    for number, row in enumerate(_TYPES):
        own = kind == number
        if row[4]:
            result[own] = np.array(row[4], dtype=object)[(luck[own] * len(row[4])).astype(np.int64)]
    return result


def _kept(world: World, history: History) -> ActivityRuns:
    """Spells inside the case and follow-up, and one for everybody else said to have had an intervention."""
    stop = history.observed_to.copy()
    # ordered by citizen and start: the last spell of each citizen wins
    last_day = np.full(stop.size, cal.NEVER)
    last_day[history.tenures.citizen] = history.tenures.end
    stop = np.minimum(stop, last_day)
    runs = world.runs[0.0]
    kept = runs.start < stop[runs.citizen]
    citizen, start, end = runs.citizen[kept], runs.start[kept], runs.end[kept]
    forms = np.flatnonzero(history.measured)
    last_form = np.full(stop.size, cal.NEVER)
    last_form[world.beliefs.citizen[forms]] = world.beliefs.day[forms]
    without = world.propensity.any & ~np.isin(np.arange(stop.size), citizen) & (last_form + 1 < stop)
    who = np.flatnonzero(without)
    citizen = np.concatenate((citizen, who))
    start = np.concatenate((start, last_form[who] + 1))
    end = np.concatenate((end, last_form[who] + 1 + cal.WAVE_DAYS // 3))
    order = np.lexsort((start, citizen))
    citizen = citizen[order]
    return ActivityRuns(citizen, start[order], np.minimum(end[order], stop[citizen]))
