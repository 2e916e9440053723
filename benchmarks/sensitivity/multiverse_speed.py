"""How long thousands of specifications take on a panel of the field's size; the same by other packages.

    .venv/bin/python benchmarks/sensitivity/multiverse_speed.py [--peers PYTHON]

writes `multiverse_speed.csv` beside this file. Panels are simulated (seed 1): 4,000 citizens as in the field,
and 9,500. Jobs, all linear ones with standard errors clustered by caseworker:

- `linear, complete`: 10,240 specifications, half adjusted with absorbed jobcentres, half within citizens and
  waves: every subset of nine covariates, two exposures, five wave windows; no covariate is missing.
- `linear, gaps`: the same, but three covariates have gaps, so that every set of them has rows of its own.
- `mixed`: 1,000 of them as linear mixed models with crossed random intercepts of citizens and caseworkers.

Ours run on two processes and on one; starting processes, sending the panel, and samples are counted, building
the panel is not (`evaluate` on the parts of `plan.chunks`). `cpu_seconds` are those of all processes; `load`
is the machine's over the minute before, so that seconds measured beside other work can be told.
`linearmodels` and `statsmodels` fit a random subset of the very same specifications one after another from
columns made beforehand (`PanelOLS` with citizen and wave effects; `OLS` on columns less their jobcentre
means; neither is given what it could not use): `largest_gap` is the greatest relative distance of their
estimates to ours. With `--peers`, the python of an environment that has them, `specification_curve` and
`robustipy` run what they can: all subsets of four numeric covariates by least squares, without absorbed
effects and clusters; the second with the bootstrap draws and cross-validation that it always makes.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TextIO

SEED = 1
SIZES = (4_000, 9_500)
LINEAR, MIXED = 10_240, 1_000
PEER_SPECIFICATIONS = 16
VARYING = ("relation_weeks", "C(period)")
"""Covariates that change within citizens; the within estimator leaves the others out."""
GAPPY = ("origin", "children_at_home", "job_education_share_5y")
COVARIATES = (
    "sex",
    "C(education)",
    "birth_year",
    "C(civil_status)",
    "relation_weeks",
    "C(period)",
    *GAPPY,
)
EXPOSURES = ("belief", "citizen_score")
WINDOWS = ((None, None), (None, 2), (None, 3), (2, None), (1, 4))
NUMERIC = ("birth_year", "children_at_home", "job_education_share_5y", "sex")
DRAWS = 50
HERE = Path(__file__)


def main() -> None:
    """Measure ours and the peers on the same panels."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--peers", help="python of an environment with specification_curve and robustipy")
    parser.add_argument("--run-peer", nargs=2, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.run_peer:
        run_peer(*asked.run_peer)
        return
    with HERE.with_suffix(".csv").open("w", newline="") as file:
        writer = None
        for size in SIZES:
            for made in measure(size, asked.peers if size == SIZES[0] else None):
                writer = writer or _begin(file, made)
                writer.writerow(made)
                file.flush()
                print(json.dumps(made), flush=True)


def _begin(file: TextIO, first: dict[str, Any]) -> csv.DictWriter[str]:
    """A table with the columns of its first line."""
    writer = csv.DictWriter(file, list(first), lineterminator="\n")
    writer.writeheader()
    return writer


def measure(size: int, peers: str | None) -> Iterator[dict[str, Any]]:
    """All jobs on a panel of this many citizens."""
    whole, gappy = panels(size)
    linear, mixed = specifications()
    bench = workbench(whole, linear)
    for n_jobs in (2, 1):
        yield ours("linear, complete", whole, linear, n_jobs)
    yield ours("linear, gaps", gappy, linear, 2)
    yield from loops(bench, linear)
    if peers:
        yield from other_environment(whole, peers)
    yield ours("mixed", whole, mixed, 2)


def panels(size: int) -> tuple[Any, Any]:
    """The panel, and the same with gaps in three covariates."""
    import numpy as np

    import jobchance as jc

    constant = (name for name in COVARIATES if name not in VARYING)
    columns = [name.removeprefix("C(").removesuffix(")") for name in constant]
    panel = jc.build_panel(jc.simulate_study(seed=SEED, n_citizens=size), covariates=columns)
    rng, frame = np.random.default_rng(SEED), panel.frame.copy()
    for column in GAPPY:
        frame[column] = frame[column].mask(rng.random(len(frame)) < 0.05)
    return panel, type(panel)(frame, panel.flow, panel.meta)


def specifications() -> tuple[list[Any], list[Any]]:
    """The linear and the mixed ones."""
    from jobchance.sensitivity.multiverse.specification import Specification

    base = {"outcome": "job", "horizon_weeks": 52, "at_risk": "not_in_job"}
    sizes = range(len(COVARIATES) + 1)
    subsets = [tuple(sorted(s)) for r in sizes for s in itertools.combinations(COVARIATES, r)]
    kinds = (
        {"estimator": "pooled", "absorb": ("jobcentre_id",)},
        {"estimator": "within", "absorb": ("wave",)},
    )
    linear = [
        Specification(**base, **kind, exposure=exposure, covariates=subset, waves=waves)
        for kind, exposure, waves, subset in itertools.product(kinds, EXPOSURES, WINDOWS, subsets)
    ]
    random = ("(1 | caseworker_id)", "(1 | citizen_id)")
    mixed = [
        Specification(
            **base, exposure=exposure, covariates=subset, estimator="mixed", random=random, vcov="model"
        )
        for exposure, subset in itertools.product(EXPOSURES, subsets)
    ]
    assert len(linear) == LINEAR
    return linear, mixed[:: len(mixed) // MIXED][:MIXED]


def workbench(panel: Any, specs: Sequence[Any]) -> Any:
    """A workbench of one panel."""
    from jobchance.sensitivity.multiverse.workbench import Workbench

    return Workbench.build(panel, specs, SimpleNamespace(scale="unit", level=0.95))


def ours(job: str, panel: Any, specs: Sequence[Any], n_jobs: int) -> dict[str, Any]:
    """All specifications by `Workbench.evaluate`, in the parts of the plan."""
    from jobchance.compute.in_process import InProcess
    from jobchance.compute.local import LocalCompute
    from jobchance.sensitivity.multiverse.plan import chunks

    def run() -> list[list[dict[str, Any]]]:
        bench = workbench(panel, specs)
        parts = [[specs[i] for i in places] for places in chunks(specs)]
        with LocalCompute(n_jobs) if n_jobs > 1 else InProcess() as compute:
            return compute.map(bench.evaluate, parts)

    wall, cpu, found = clocked(run)
    rows = [row for part in found for row in part]
    failed = sum(row["status"] == "failed" for row in rows)
    most = max(row["n_rows"] or 0 for row in rows)
    return record(job, "jobchance", n_jobs, most, len(rows), wall, cpu, failed=failed)


def loops(bench: Any, specs: Sequence[Any]) -> Iterator[dict[str, Any]]:
    """The same specifications one after another by linearmodels (within) and statsmodels (adjusted)."""
    import numpy as np
    import pandas as pd
    import statsmodels.api as sm
    from linearmodels.panel import PanelOLS

    rng = np.random.default_rng(SEED)
    for engine, estimator in (("linearmodels PanelOLS", "within"), ("statsmodels OLS", "pooled")):
        pool = [spec for spec in specs if spec.estimator == estimator]
        picked = [pool[i] for i in rng.choice(len(pool), PEER_SPECIFICATIONS, replace=False)]
        rows = bench.evaluate(picked)
        made = [columns_for(bench, spec) for spec in picked]

        def run(made: list[Any] = made, estimator: str = estimator) -> list[tuple[float, float]]:
            found = []
            for y, X, frame in made:
                if estimator == "within":
                    index = pd.MultiIndex.from_arrays([frame["citizen_id"], frame["wave"]])
                    data = X.set_axis(index)
                    clusters = pd.DataFrame(pd.factorize(frame["caseworker_id"])[0], index=index)
                    fit = PanelOLS(
                        y.set_axis(index),
                        data,
                        entity_effects=True,
                        time_effects=True,
                        drop_absorbed=True,
                        check_rank=False,
                    ).fit(cov_type="clustered", clusters=clusters)
                    found.append((fit.params.iloc[0], fit.std_errors.iloc[0]))
                else:
                    centre = frame["jobcentre_id"].to_numpy()
                    less = pd.concat([y, X], axis=1)
                    less = less - less.groupby(centre).transform("mean")
                    codes = pd.factorize(frame["caseworker_id"])[0]
                    fit = sm.OLS(less.iloc[:, 0], less.iloc[:, 1:]).fit(
                        cov_type="cluster", cov_kwds={"groups": codes}
                    )
                    found.append((fit.params.iloc[0], fit.bse.iloc[0]))
            return found

        wall, cpu, found = clocked(run)
        gap = max(abs(100 * b / row["estimate"] - 1) for (b, _), row in zip(found, rows, strict=True))
        most = max(row["n_rows"] for row in rows)
        yield record(f"linear, complete ({estimator})", engine, 1, most, len(picked), wall, cpu, gap=gap)


def columns_for(bench: Any, spec: Any) -> tuple[Any, Any, Any]:
    """Outcome, columns and rows of a specification; what a within estimator cannot use is left out."""
    import pandas as pd

    frame = bench.prepared(spec).frame
    usable = [t for t in spec.covariates if spec.estimator == "pooled" or t in VARYING]
    names = [term.removeprefix("C(").removesuffix(")") for term in usable]
    coded = pd.get_dummies(frame[[spec.exposure, *names]], drop_first=True, dtype=float).astype(float)
    return frame["outcome"], coded, frame


def other_environment(panel: Any, python: str) -> Iterator[dict[str, Any]]:
    """specification_curve and robustipy, each in a process of the other environment."""
    frame = panel.frame[["outcome", "belief", "citizen_id", *NUMERIC]].dropna()
    frame = frame.assign(citizen_id=frame["citizen_id"].astype("category").cat.codes)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.csv"
        frame.to_csv(path, index=False)
        for name in ("specification_curve", "robustipy"):
            made = subprocess.run(
                [python, str(HERE), "--run-peer", name, str(path)], capture_output=True, text=True, cwd=folder
            )
            if made.returncode:
                print(name, "did not run:", made.stderr[-400:], file=sys.stderr)
                continue
            told = json.loads(made.stdout.splitlines()[-1])
            yield record(
                f"subsets of {len(NUMERIC)}, {told['what']}",
                f"{name} {told['version']}",
                1,
                len(frame),
                told["specifications"],
                told["seconds"],
                told["cpu_seconds"],
                load=told["load"],
            )


def run_peer(name: str, path: str) -> None:
    """In the other environment: one peer on the rows of a file; prints its time as JSON."""
    from importlib.metadata import version

    import pandas as pd

    frame = pd.read_csv(path)
    if name == "specification_curve":
        import specification_curve as sc

        def run() -> Any:
            curve = sc.SpecificationCurve(frame, y_endog="outcome", x_exog="belief", controls=list(NUMERIC))
            curve.fit()
            return curve.df_r

        wall, cpu, found = clocked(run)
        n, what = len(found), "least squares"
    else:
        from robustipy.models import OLSRobust

        def run() -> Any:
            model = OLSRobust(y=["outcome"], x=["belief"], data=frame.assign(constant=1.0))
            model.fit(controls=list(NUMERIC), draws=DRAWS, n_cpu=1, seed=SEED)
            return model

        wall, cpu, _ = clocked(run)
        n, what = 2 ** len(NUMERIC), f"least squares with {DRAWS} draws each"
    told = {"version": version(name), "specifications": n, "what": what, "load": os.getloadavg()[0]}
    print(json.dumps(told | {"seconds": wall, "cpu_seconds": cpu}))


def clocked(job: Callable[[], Any]) -> tuple[float, float, Any]:
    """Wall time, processor time of this process and its children, and what the job gave."""
    before, start = os.times(), time.perf_counter()
    made = job()
    wall, after = time.perf_counter() - start, os.times()
    return wall, sum(after[:4]) - sum(before[:4]), made


def record(
    job: str,
    engine: str,
    processes: int,
    rows: int,
    n: int,
    wall: float,
    cpu: float,
    *,
    failed: int = 0,
    gap: float | None = None,
    load: float | None = None,
) -> dict[str, Any]:
    """One line of the table."""
    return {
        "job": job,
        "engine": engine,
        "processes": processes,
        "rows": rows,
        "specifications": n,
        "seconds": round(wall, 2),
        "cpu_seconds": round(cpu, 2),
        "ms_per_specification": round(1000 * wall / n, 3),
        "cpu_ms_per_specification": round(1000 * cpu / n, 3),
        "failed": failed,
        "largest_gap": "" if gap is None else f"{gap:.1e}",
        "load": round(os.getloadavg()[0] if load is None else load, 2),
        "seed": SEED,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
    }


if __name__ == "__main__":
    main()
