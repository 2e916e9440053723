"""A panel with gaps, odd columns and few rows, and random specifications on it."""

from types import SimpleNamespace

import numpy as np
import pandas as pd

from jobchance import build_panel, simulate_study
from jobchance.panel.model import AnalysisPanel
from jobchance.results.vcov import Cluster, Robust
from jobchance.sensitivity.multiverse.specification import Specification
from jobchance.sensitivity.multiverse.workbench import Workbench

COLUMNS = ("sex", "education", "birth_year", "origin", "civil_status", "children_at_home")
TERMS = (
    "sex",
    "C(education)",
    "birth_year",
    "I(birth_year**2)",
    "origin",
    "C(jobcentre_id)",
    "C(wave)",
    "twice",
    "score",
    "colour",
    "relation_weeks",
    "poly(birth_year, 2)",
    "log(children_at_home + 1)",
)
VCOVS = (
    "model",
    "robust",
    "cluster:caseworker_id",
    "cluster:citizen_id",
    "cluster:jobcentre_id",
    "cluster:caseworker_id+citizen_id",
    "cluster:caseworker_id+citizen_id+wave",
)
WHOLE = {"outcome": "job", "horizon_weeks": 52, "at_risk": "not_in_job", "exposure": "belief"}


def gappy_panel(seed=4, n_citizens=500):
    """The simulated panel with a collinear column, gaps in a number and in categories, and lost clusters."""
    panel = build_panel(simulate_study(seed=seed, n_citizens=n_citizens), covariates=COLUMNS)
    rng = np.random.default_rng(seed)
    frame = panel.frame.copy()
    frame["twice"] = frame["birth_year"] * 2.0 + 7
    score = rng.normal(size=len(frame)) + frame["belief"].fillna(3).to_numpy()
    frame["score"] = np.where(rng.random(len(frame)) < 0.15, np.nan, score)
    colour = pd.Series(rng.choice(["green", "red", "blue"], size=len(frame)), dtype=object)
    frame["colour"] = colour.mask(rng.random(len(frame)) < 0.1)
    frame["caseworker_id"] = frame["caseworker_id"].astype(object).mask(rng.random(len(frame)) < 0.02)
    return AnalysisPanel(frame, panel.flow, panel.meta)


def random_specifications(n, *, seed, estimators=("pooled", "within"), per_sample=12):
    """Linear specifications, several on every sample so that they share work."""
    rng = np.random.default_rng(seed)
    made = {}
    while len(made) < n:
        sample, conditions = [("all", ()), ("one sex", (("sex", "==", 1.0),))][rng.integers(2)]
        absorb = tuple(c for c in ("wave", "jobcentre_id") if rng.random() < 0.35)
        missing = str(rng.choice(["complete", "common", "indicator"]))
        gappy = rng.random() < 0.3
        pool = TERMS if gappy or missing != "complete" else [t for t in TERMS if t not in ("score", "colour")]
        shared = {
            "estimator": str(rng.choice(estimators)),
            "absorb": absorb,
            "missing": missing,
            "sample": sample,
            "conditions": conditions,
            "waves": (None, 3) if rng.random() < 0.3 else (None, None),
        }
        for _ in range(per_sample):
            terms = tuple(sorted(t for t in pool if rng.random() < 0.3))
            exposure = str(rng.choice(["belief", "expectation_within"]))
            one = Specification(
                **WHOLE | {"exposure": exposure}, covariates=terms, vcov=str(rng.choice(VCOVS)), **shared
            )
            made[one.key] = one
    return list(made.values())[:n]


def workbench(source, specifications, *, scale="unit", level=0.95):
    """A workbench for these specifications."""
    return Workbench.build(source, specifications, SimpleNamespace(scale=scale, level=level))


def vcov_of(spec):
    """The kind of standard error as a user would write it."""
    return {"model": "model", "robust": Robust()}.get(spec.vcov) or Cluster(
        *spec.clusters, kind=spec.cluster_kind
    )
