"""How long the designs with many effects take on a million rows, the ladder at study size, peers on few rows.

    .venv/bin/python benchmarks/identification/run.py [rows]

writes `results.csv` beside this file. Times are the median of `REPEATS` calls after one on `FIRST_ROWS`
rows, which compiles the loops. Identifiers are text, and reading them counts. `seconds` is what a clock
shows and `cpu_seconds` what all threads used; `load` is the machine's over the minute before the job, the
job before it counted, so that seconds measured beside other work can be told (a load well above 2 on two
cores). Peers hold dummy variables in dense matrices and therefore get few rows; `estimate` shows that they
compute the same.
"""

from __future__ import annotations

import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from linearmodels.iv import IVJIVE

import jobchance as jc
from jobchance.identification import ladder
from jobchance.numerics.two_way_graph import leave_out_set

SEED = 2020
REPEATS = 3
ROWS = 1_000_000
PEER_ROWS = 4_000
FIRST_ROWS = 20_000
COVARIATES = ["sex", "education", "psychiatric_diagnosis", "job_education_share_5y"]
LAYOUTS = ("nested", "several_cells", "all_cells")

Arrays = dict[str, Any]


def measured(job: Callable[[], Any]) -> tuple[float, float, Any]:
    """Median wall and processor time of a job, and what it gave."""
    wall, cpu = [], []
    for _ in range(REPEATS):
        start, used = time.perf_counter(), time.process_time()
        made = job()
        wall.append(time.perf_counter() - start)
        cpu.append(time.process_time() - used)
    return statistics.median(wall), statistics.median(cpu), made


def text(prefix: str, codes: np.ndarray) -> pd.Series:
    """Identifiers as a register holds them, C0000123."""
    names = np.array([f"{prefix}{i:07d}" for i in range(int(codes.max()) + 1)], dtype=object)
    return pd.Series(names[codes])


def groups_in_cells(n: int, layout: str) -> Arrays:
    """Rows of n / 50 caseworkers, n / 200 cells and 3 n / 10 citizens who meet several caseworkers.

    `nested`: a caseworker works in one cell; `several_cells`: in ten; `all_cells`: anywhere, so that all
    cells hang together in one block.
    """
    rng = np.random.default_rng(SEED)
    n_groups, n_cells = n // 50, n // 200
    group = rng.integers(0, n_groups, n)
    if layout == "nested":
        cell = group % n_cells
    elif layout == "several_cells":
        cell = group % (n_cells // 10) * 10 + rng.integers(0, 10, n)
    else:
        cell = rng.integers(0, n_cells, n)
    belief = 0.5 * rng.normal(size=n_groups)[group] + rng.normal(size=n_cells)[cell] + rng.normal(size=n)
    return {
        "y": pd.Series(0.3 * belief + rng.normal(size=n)),
        "x": pd.Series(belief),
        "group": text("J", group),
        "cells": text("P", cell),
        "citizen": text("C", rng.integers(0, 3 * n // 10, n)),
    }


def movers(n: int) -> Arrays:
    """Rows of 3 n / 10 citizens, who stay or move (one row in four) among n / 50 caseworkers.

    A place has 20 caseworkers; one row in ten lies away from the citizen's place.
    """
    rng = np.random.default_rng(SEED)
    n_citizens, n_caseworkers, place = 3 * n // 10, n // 50, 20
    citizen = np.sort(rng.integers(0, n_citizens, n))
    changes = np.diff(citizen, prepend=-1) != 0
    changes |= rng.random(n) < 0.25
    home = rng.integers(0, n_caseworkers // place, n_citizens)[citizen]
    away = rng.random(n) < 0.1
    home[away] = rng.integers(0, n_caseworkers // place, int(away.sum()))
    new = home * place + rng.integers(0, place, n)
    caseworker = new[np.maximum.accumulate(np.where(changes, np.arange(n), 0))]
    y = 0.5 * rng.normal(size=n_citizens)[citizen] + 0.3 * rng.normal(size=n_caseworkers)[caseworker]
    mixed = rng.permutation(n)
    return {
        "y": pd.Series((y + rng.normal(size=n))[mixed]),
        "citizen": text("C", citizen[mixed]),
        "caseworker": text("J", caseworker[mixed]),
    }


def jackknife_job(n: int, layout: str, by_citizen: bool) -> Callable[[], Any]:
    """The public call of `ujive`."""
    data = groups_in_cells(n, layout)
    citizen = data.pop("citizen")
    return lambda: jc.ujive(**data, leave_out=citizen if by_citizen else None)


def variance_job(n: int, leave_out: str, std_errors: bool) -> Callable[[], Any]:
    """The public call of `two_way_variance`."""
    data = movers(n)
    return lambda: jc.two_way_variance(**data, leave_out=leave_out, std_errors=std_errors)


def jive_peer(data: Arrays) -> float:
    """Linearmodels: JIVE1 with dummy variables of cells and caseworkers."""
    cells = pd.get_dummies(data["cells"], dtype=float)
    groups = pd.get_dummies(data["group"], dtype=float)
    one_each = data["group"].groupby(data["cells"]).min()  # all caseworkers of a cell add up to the cell
    fit = IVJIVE(data["y"], cells, data["x"].rename("x"), groups.drop(columns=one_each)).fit(
        cov_type="robust"
    )
    return float(fit.params["x"])


def variance_peer(data: Arrays) -> float:
    """Dense dummy variables: the leave-out variance of caseworkers, observations left out one at a time."""
    y = data["y"].to_numpy()
    who, whom = (pd.get_dummies(data[name], dtype=float).to_numpy() for name in ("citizen", "caseworker"))
    X = np.column_stack([who, whom[:, 1:]])
    inverse = np.linalg.inv(X.T @ X)
    fitted = X @ (inverse @ (X.T @ y))
    effects = np.column_stack([np.zeros_like(who), whom[:, 1:]])
    effects -= effects.mean(axis=0)
    beta = inverse @ (X.T @ y)
    half = X @ inverse @ effects.T
    B = np.sum(half**2, axis=1)
    P = np.sum((X @ inverse) * X, axis=1)
    sigma = (y - y.mean()) * (y - fitted) / (1 - P)
    return float((np.sum((effects @ beta) ** 2) - B @ sigma) / (len(y) - 1))


def peer_rows() -> tuple[Arrays, Arrays]:
    """Few rows: nested groups, and the leave-out connected set of movers, which the peer does not find."""
    data = movers(PEER_ROWS)
    codes = [pd.factorize(data[name])[0].astype(np.int64) for name in ("citizen", "caseworker")]
    kept = leave_out_set(*codes).rows
    return groups_in_cells(PEER_ROWS, "nested"), {name: column[kept] for name, column in data.items()}


def ladder_seconds() -> tuple[int, dict[str, tuple[float, float]]]:
    """Rows of the panel; wall and processor time of each rung and of the whole ladder, in its order."""
    panel = jc.build_panel(jc.simulate_study(seed=SEED), covariates=COVARIATES)
    climb = ladder._climb
    times: dict[str, list[tuple[float, float]]] = {}

    def timed(name: str, *rest: Any) -> Any:
        start, used = time.perf_counter(), time.process_time()
        made = climb(name, *rest)
        took = time.perf_counter() - start, time.process_time() - used
        times.setdefault(f"ladder: {name}", []).append(took)
        return made

    ladder._climb = timed
    try:
        for _ in range(1 + REPEATS):
            start, used = time.perf_counter(), time.process_time()
            jc.evidence_ladder(panel, covariates=COVARIATES)
            took = time.perf_counter() - start, time.process_time() - used
            times.setdefault("ladder: all rungs", []).append(took)
    finally:
        ladder._climb = climb
    medians = {
        name: (statistics.median(t[0] for t in took[1:]), statistics.median(t[1] for t in took[1:]))
        for name, took in times.items()
    }
    return len(panel.frame), medians


class Book:
    """Times as they come, printed and kept."""

    def __init__(self) -> None:
        self.records: list[dict[str, Any]] = []

    def add(
        self, job: str, engine: str, rows: int, times: tuple[float, float], load: float, value: float
    ) -> None:
        """Write one line."""
        record: dict[str, Any] = {"job": job, "engine": engine, "rows": rows}
        record |= {"seconds": round(times[0], 3), "cpu_seconds": round(times[1], 3), "load": round(load, 2)}
        self.records.append(record | {"estimate": round(value, 8)})
        shown = f"{times[0]:8.2f} s {times[1]:8.2f} s cpu  load {load:4.1f}  {value:.8f}"
        print(f"{job:50s} {engine:13s} {rows:8d} rows {shown}", flush=True)

    def run(
        self, job: str, engine: str, rows: int, call: Callable[[], Any], pick: Callable[[Any], float]
    ) -> None:
        """Measure a job and write its line."""
        load = os.getloadavg()[0]
        wall, cpu, made = measured(call)
        self.add(job, engine, rows, (wall, cpu), load, float(pick(made)))


def large_jobs(book: Book, n: int) -> None:
    """Every layout and choice at full size."""
    for layout in LAYOUTS:
        for by_citizen in (False, True):
            jackknife_job(FIRST_ROWS, layout, by_citizen)()
            name = f"ujive {layout}, without the {'citizen' if by_citizen else 'row'}"
            book.run(name, "jobchance", n, jackknife_job(n, layout, by_citizen), lambda fit: fit.estimates[0])
    for leave_out in ("match", "observation"):
        for std_errors in (False, True):
            variance_job(FIRST_ROWS, leave_out, std_errors)()
            name = f"two_way_variance {leave_out}, {'with' if std_errors else 'no'} standard errors"
            call = variance_job(n, leave_out, std_errors)
            book.run(name, "jobchance", n, call, lambda fit: fit.estimates[1])


def peer_jobs(book: Book) -> None:
    """The same numbers from dense dummy variables."""
    few, connected = peer_rows()
    own = {name: column for name, column in few.items() if name != "citizen"}
    job = "jive1 nested, without the row"
    book.run(job, "jobchance", PEER_ROWS, lambda: jc.ujive(**own), lambda fit: fit.statistics["jive1"])
    jive_peer(few)
    book.run(job, "linearmodels", PEER_ROWS, lambda: jive_peer(few), float)
    job, size = "variance of caseworkers, without the row", len(connected["y"])

    def exact() -> Any:
        return jc.two_way_variance(**connected, leave_out="observation", std_errors=False)

    book.run(job, "jobchance", size, exact, lambda fit: fit.estimates[1])
    book.run(job, "dense dummies", size, lambda: variance_peer(connected), float)


def main() -> None:
    book = Book()
    large_jobs(book, int(sys.argv[1]) if len(sys.argv) > 1 else ROWS)
    peer_jobs(book)
    load = os.getloadavg()[0]
    rows, times = ladder_seconds()
    for name, took in times.items():
        book.add(name, "jobchance", rows, took, load, np.nan)
    frame = pd.DataFrame(book.records).assign(
        seed=SEED, python=platform.python_version(), machine=platform.machine(), cores=os.cpu_count()
    )
    frame.to_csv(Path(__file__).with_name("results.csv"), index=False, lineterminator="\n")


if __name__ == "__main__":
    main()
