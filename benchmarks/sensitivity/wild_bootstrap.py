"""Seconds for 99,999 wild bootstrap draws at 27,000 rows, beside wildboottest on the same model.

    .venv/bin/python benchmarks/sensitivity/wild_bootstrap.py [peer's python]

writes `wild_bootstrap.csv` beside this file. Our seconds are the whole call on a fit: test, quantiles and
confidence set. Those of wildboottest (in an environment of its own, given by its interpreter) are the test
alone, after one call that compiles its loops; it has no absorbed effects and no interval. Median of `REPEATS`
calls; `load` is the machine's over the minute before.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from jobchance import Cluster, fit_glm, fit_iv, fit_panel
from jobchance.inference.wild_bootstrap import wild_bootstrap
from jobchance.results.fit import Fit

SEED = 2019
REPEATS = 3
ROWS, WAVES, DRAWS = 27_000, 3, 99_999
FORMULA = "y ~ x + w1 + w2 + C(wave)"

PEER = """
import json, statistics, sys, time
import pandas as pd, statsmodels.formula.api as smf
from wildboottest.wildboottest import wildboottest
path, formula, draws, repeats = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
data = pd.read_csv(path)
model = smf.ols(formula, data)
wildboottest(model, param="x", cluster=data["cluster"], B=999, seed=1, show=False)
seconds = []
for _ in range(repeats):
    start = time.perf_counter()
    made = wildboottest(model, param="x", cluster=data["cluster"], B=draws, seed=1, show=False)
    seconds.append(time.perf_counter() - start)
p = float(made["p-value"].iloc[0])
print(json.dumps({"seconds": statistics.median(seconds), "p_value": p}))
"""


def rows(count: int) -> pd.DataFrame:
    """Citizens of three waves in clusters; one in seven has changed cluster by the last (`moved`)."""
    rng = np.random.default_rng([SEED, count])
    citizen = np.repeat(np.arange(ROWS // WAVES), WAVES)
    frame = pd.DataFrame({"citizen_id": citizen, "wave": np.tile(np.arange(WAVES), ROWS // WAVES)})
    frame["cluster"] = rng.integers(0, count, ROWS // WAVES)[citizen]
    change = (citizen % 7 == 0) & (frame["wave"] == WAVES - 1)
    frame["moved"] = np.where(change, (frame["cluster"] + 1) % count, frame["cluster"])
    frame["x"] = rng.normal(size=ROWS) + 0.3 * rng.normal(size=count)[frame["cluster"]]
    frame["w1"], frame["w2"], frame["z"] = rng.normal(size=(3, ROWS))
    frame["d"] = frame["x"] + frame["z"]
    effects = 0.3 * rng.normal(size=count)[frame["cluster"]] + rng.normal(size=ROWS // WAVES)[citizen]
    frame["y"] = 0.02 * frame["x"] + effects + rng.normal(size=ROWS)
    return frame


def fits(data: pd.DataFrame) -> dict[str, tuple[Fit, str]]:
    """The models by name, each with its term."""
    linear = FORMULA.replace(" + C(wave)", "")
    vcov, moved = Cluster("cluster"), Cluster("moved")
    return {
        "pooled": (fit_glm(FORMULA, data, family="gaussian", vcov=vcov), "x"),
        "citizens and waves absorbed": (fit_panel(linear, data, absorb=("wave",), vcov=vcov), "x"),
        "the same, citizens move": (fit_panel(linear, data, absorb=("wave",), vcov=moved), "x"),
        "two-stage least squares": (fit_iv("y ~ w1 + w2 + [d ~ z]", data, vcov=vcov), "d"),
    }


def measured(job: Callable[[], Any]) -> tuple[float, Any]:
    """Median wall time of a job, and what it gave."""
    seconds = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        made = job()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds), made


def peer(python: str, data: pd.DataFrame) -> dict[str, float]:
    """Seconds and p-value of wildboottest."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.csv"
        data.to_csv(path, index=False)
        command = [python, "-c", PEER, str(path), FORMULA, str(DRAWS), str(REPEATS)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    made: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return made


def main(python: str | None) -> pd.DataFrame:
    """One row per model, number of clusters and package."""
    records = []
    for count in (10, 50, 300):
        data = rows(count)
        for name, (fit, term) in fits(data).items():
            seconds, made = measured(lambda f=fit, t=term: wild_bootstrap(f, t, draws=DRAWS, seed=1))
            records.append(
                {"model": name, "clusters": count, "package": "jobchance", "seconds": seconds}
                | {"p_value": made.p_value, "draws": made.draws, "load": os.getloadavg()[0]}
            )
        if python is not None:
            other = peer(python, data)
            records.append(
                {"model": "pooled", "clusters": count, "package": "wildboottest"}
                | other
                | {"draws": min(DRAWS, 2**count), "load": os.getloadavg()[0]}
            )
        print(pd.DataFrame(records).tail(5).to_string(index=False), flush=True)
    return pd.DataFrame(records).round({"seconds": 3, "p_value": 5, "load": 1})


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else None).to_csv(Path(__file__).with_suffix(".csv"), index=False)
