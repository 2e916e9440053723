"""How long the main job takes: simulate, build the panel, fit, write the note; peers in the same run.

    .venv/bin/python benchmarks/spine/run.py

writes `results.csv` beside this file. Times are the median of `REPEATS` runs after one that is not counted;
on a shared machine read the ratios, not the seconds.
"""

from __future__ import annotations

import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import statsmodels.api as sm
from linearmodels.panel import PanelOLS

import jobchance as jc

SEED = 2013
REPEATS = 5


def seconds(job: Callable[[], object], *, repeats: int = REPEATS) -> float:
    """Median wall time of `job` after one run that is not counted."""
    job()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        job()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def ols_peer(frame: pd.DataFrame) -> object:
    """Statsmodels: the same linear model with the same clustered standard errors."""
    exog = sm.add_constant(frame[["belief"]])
    groups = pd.factorize(frame["caseworker_id"])[0]
    return sm.OLS(frame["outcome"], exog).fit(cov_type="cluster", cov_kwds={"groups": groups})


def within_peer(frame: pd.DataFrame) -> object:
    """Linearmodels: the same within estimator with clustered standard errors."""
    indexed = frame.set_index(["citizen_id", "wave"])
    clusters = pd.Series(pd.factorize(indexed["caseworker_id"])[0], index=indexed.index, name="cluster")
    model = PanelOLS(indexed["outcome"], indexed[["belief"]], entity_effects=True)
    return model.fit(cov_type="clustered", clusters=clusters)


def main() -> None:
    study = jc.simulate_study(seed=SEED)
    panel = jc.build_panel(study)
    rows = panel.frame.dropna(subset=["outcome", "belief", "caseworker_id"])
    measurements = len(study.tables["measurement"])
    results = []

    def add(job: str, engine: str, rows: int, value: float) -> None:
        results.append({"job": job, "engine": engine, "rows": rows, "seconds": round(value, 4)})
        print(f"{job:28s} {engine:12s} {rows:8d} rows {value:9.3f} s")

    help_command = [str(Path(sys.executable).parent / "jobchance"), "--help"]
    add(
        "jobchance --help", "jobchance", 0, seconds(lambda: subprocess.run(help_command, capture_output=True))
    )
    add("simulate 4,000 citizens", "jobchance", measurements, seconds(lambda: jc.simulate_study(seed=SEED)))
    add("build the panel", "jobchance", measurements, seconds(lambda: jc.build_panel(study)))
    with tempfile.TemporaryDirectory() as folder:
        jc.write_study(study, Path(folder) / "study")
        add(
            "read and validate (parquet)",
            "jobchance",
            measurements,
            seconds(lambda: jc.read_study(Path(folder) / "study")),
        )
        note = Path(folder) / "note"
        add("status note", "jobchance", measurements, seconds(lambda: jc.status_note(study, note), repeats=3))
    cluster = jc.Cluster("caseworker_id")
    linear = "outcome ~ belief"
    add(
        "linear, clustered",
        "jobchance",
        len(rows),
        seconds(lambda: jc.fit_glm(linear, rows, family="gaussian", vcov=cluster)),
    )
    add("linear, clustered", "statsmodels", len(rows), seconds(lambda: ols_peer(rows)))
    add(
        "within, clustered", "jobchance", len(rows), seconds(lambda: jc.fit_panel(linear, rows, vcov=cluster))
    )
    add("within, clustered", "linearmodels", len(rows), seconds(lambda: within_peer(rows)))
    frame = pd.DataFrame(results).assign(seed=SEED, python=platform.python_version(), cores=2)
    frame.to_csv(Path(__file__).with_name("results.csv"), index=False, lineterminator="\n")


if __name__ == "__main__":
    main()
