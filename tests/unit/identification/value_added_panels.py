"""Panels with known caseworker effects for the tests of value added."""

from __future__ import annotations

import numpy as np
import pandas as pd

from jobchance.panel.model import AnalysisPanel


def draw_panel(
    seed, *, sd=0.05, n_caseworkers=40, citizens=30, n_jobcentres=4, moves=0.4, sorting=0.0, drift=0.0
):
    """First and later rows of citizens; the outcome has the true effects `sd`, in shares.

    `sorting` moves citizens with a high `skill` to caseworkers with high effects; with `drift` a
    caseworker's effect on later citizens is a fresh one to that share.
    """
    rng = np.random.default_rng(seed)
    n = n_caseworkers * citizens
    effect, fresh = sd * rng.normal(size=(2, n_caseworkers))
    caseworker = np.repeat(np.arange(n_caseworkers), citizens)
    skill = rng.normal(size=n)
    if sorting:
        for office in range(n_jobcentres):
            inside = np.flatnonzero(caseworker % n_jobcentres == office)
            place = np.argsort(sorting * effect[caseworker[inside]] / sd + rng.normal(size=len(inside)))
            skill[inside[place]] = np.sort(skill[inside])
    later = rng.random(n) < moves
    office = caseworker % n_jobcentres
    other = (caseworker + n_jobcentres * rng.integers(1, n_caseworkers // n_jobcentres, n)) % n_caseworkers
    late = rng.random(n) < 0.5
    first = pd.DataFrame({"citizen_id": np.arange(n), "caseworker_id": caseworker, "wave": 1, "late": late})
    second = pd.DataFrame({"citizen_id": np.arange(n), "caseworker_id": other, "wave": 2, "late": late})[
        later
    ]
    frame = pd.concat([first.assign(office=office), second.assign(office=office[later])])
    at = frame["caseworker_id"].to_numpy()
    a = np.where(frame["late"], (1 - drift) * effect[at] + drift * fresh[at], effect[at])
    chance = 0.3 + 0.02 * frame["office"] + a + 0.08 * skill[frame["citizen_id"]]
    frame["outcome"] = (rng.random(len(frame)) < np.clip(chance, 0, 1)).astype(float)
    frame["skill"] = skill[frame["citizen_id"]]
    frame["date"] = pd.Timestamp("2014-01-01") + pd.to_timedelta(frame["late"] * 180, unit="D")
    frame["period"] = "all"
    frame["assignment_rule"] = "day_of_birth"
    frame["caseworker_id"] = "W" + frame["caseworker_id"].astype(str) + "X"
    frame["citizen_id"] = "P" + frame["citizen_id"].astype(str) + "X"
    frame = frame.rename(columns={"office": "jobcentre_id"}).drop(columns="late").reset_index(drop=True)
    flow = pd.DataFrame(columns=["step", "n_citizens", "n_rows", "reason"])
    return AnalysisPanel(frame, flow, {"outcome": "job"}), effect
