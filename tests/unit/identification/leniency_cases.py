"""Made panels with known dispositions: who rates whom, how, and what follows."""

import numpy as np
import pandas as pd

from jobchance.indicator.optimism import leave_one_out_optimism
from jobchance.panel.model import AnalysisPanel

PERIODS = ("2014H1", "2014H2", "2015H1")


def made_panel(
    seed,
    *,
    citizens=1500,
    caseworkers=60,
    offices=4,
    effect=0.0,
    through=0.0,
    direct=0.0,
    sorting=0.0,
    binary=False,
    periods=PERIODS,
    spread=0.5,
    moved=0.3,
):
    """A panel; `effect` of disposition, `through` of the belief, `direct` of each caseworker on the outcome.

    Belief = theta + disposition + noise, rounded; the outcome also depends on theta. A share `moved` of the
    citizens has a second measurement with another caseworker of the jobcentre.
    """
    rng = np.random.default_rng(seed)
    office = rng.integers(0, offices, citizens)
    theta = rng.normal(size=citizens)
    per = caseworkers // offices
    z = np.sort(rng.normal(size=(offices, per)), axis=1).ravel()
    first = np.full(citizens, -1)
    own = rng.normal(0, direct, caseworkers) if direct else np.zeros(caseworkers)
    rows = []
    for wave in (1, 2):
        who = np.arange(citizens) if wave == 1 else np.flatnonzero(rng.random(citizens) < moved)
        score = sorting * theta[who] + np.sqrt(1 - sorting**2) * rng.normal(size=len(who))
        rank = pd.Series(score).rank(pct=True).to_numpy() * per - 1e-9
        j = office[who] * per + rank.astype(int)
        j = np.where(j == first[who], office[who] * per + (j + 1) % per, j)
        first[who] = j
        belief = np.clip(np.round(3 + theta[who] + spread * z[j] + rng.normal(0, 0.5, len(who))), 0, 6)
        index = effect * z[j] + through * belief + own[j] + 0.5 * theta[who]
        y = index + rng.normal(size=len(who))
        place = rng.integers(0, len(periods), len(who)) if wave == 1 else np.full(len(who), len(periods) - 1)
        rows.append(
            pd.DataFrame(
                {
                    "citizen_id": [f"C{i:05d}" for i in who],
                    "caseworker_id": [f"S{i:03d}" for i in j],
                    "jobcentre_id": [f"J{i}" for i in office[who]],
                    "wave": wave,
                    "period": np.array(periods)[place],
                    "date": pd.Timestamp("2014-01-01") + pd.to_timedelta(180 * place + 20 * wave, unit="D"),
                    "belief": belief,
                    "outcome": (y > 1.0).astype(float) if binary else y,
                    "older": (theta[who] + rng.normal(size=len(who)) > 0),
                    "score": 0.5 * theta[who] + rng.normal(size=len(who)),
                    "group": np.array(["a", "b", "c"])[rng.integers(0, 3, len(who))],
                    "assignment_rule": "next_free",
                }
            )
        )
    frame = pd.concat(rows).sort_values(["citizen_id", "wave"]).reset_index(drop=True)
    # traits belong to the citizen
    for column in ("older", "score", "group"):
        frame[column] = frame.groupby("citizen_id")[column].transform("first")
    return as_panel(frame)


def as_panel(frame):
    """The frame as a panel, with optimism from its own ratings."""
    frame = frame.assign(optimism=leave_one_out_optimism(frame))
    meta = {"outcome": "job", "covariates": ("older", "score", "group")}
    return AnalysisPanel(frame, pd.DataFrame(), meta)


def changed(panel, frame):
    """The same panel with another frame."""
    return AnalysisPanel(frame, panel.flow, panel.meta)
