"""Deterministic data of the hazard and conditional-logit references: `rows()`, `sets()`, and csv for make.R.

Only uniform draws of PCG64 are used (normals by the inverse distribution function), so the numbers do not
depend on the version of NumPy's samplers; values are rounded to six decimals.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import expit, ndtri


def rows():
    """Person-period rows: 500 persons, up to 7 periods, exits job and education, x fixed and z moving."""
    generator = np.random.Generator(np.random.PCG64(20260))
    people, made = 500, []
    x = np.round(ndtri(generator.random(people)), 6)
    worker = np.floor(40 * generator.random(people)).astype(int) + 1
    last = 2 + np.floor(6 * generator.random(people)).astype(int)
    z = np.round(ndtri(generator.random((people, 8))), 6)
    u = generator.random((people, 8))
    for i in range(people):
        for t in range(1, last[i] + 1):
            job = np.exp(-2.0 + 0.08 * t + 0.5 * x[i] + 0.3 * z[i, t])
            education = np.exp(-2.6 - 0.1 * t - 0.3 * x[i])
            total = 1 + job + education
            code = "job" if u[i, t] < job / total else "education"
            code = "none" if u[i, t] >= (job + education) / total else code
            made.append((i + 1, t, worker[i], x[i], z[i, t], code))
            if code != "none":
                break
    frame = pd.DataFrame(made, columns=["id", "t", "worker", "x", "z", "exit"])
    return frame.assign(job=(frame["exit"] == "job").astype(int))


def sets():
    """Groups of 2 to 14 rows with a group effect, some of them without variation."""
    generator = np.random.Generator(np.random.PCG64(20261))
    size = 2 + np.floor(13 * generator.random(70)).astype(int)
    group = np.repeat(np.arange(1, 71), size)
    effect = np.repeat(1.5 * ndtri(generator.random(70)), size)
    x = np.round(ndtri(generator.random(len(group))) + 0.5 * effect, 6)
    k = np.floor(3 * generator.random(len(group))).astype(int)
    outcome = (
        generator.random(len(group)) < expit(effect + 0.6 * x - 0.4 * (k == 1) + 0.5 * (k == 2))
    ).astype(int)
    kind = np.array(["a", "b", "c"])[k]
    return pd.DataFrame({"group": group, "x": x, "kind": kind, "outcome": outcome})


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    rows().to_csv(folder / "rows.csv", index=False)
    sets().to_csv(folder / "sets.csv", index=False)
