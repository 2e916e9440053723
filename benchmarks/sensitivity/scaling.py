"""One multiverse with one and with two workers: processes of this machine, and workers of a Dask cluster.

    .venv/bin/python benchmarks/sensitivity/scaling.py --out benchmarks/sensitivity/scaling.csv

Every line of the csv is one run: place, workers, specifications, seconds from call to frame, the frame's hash
(all alike, or the script fails), and the machine's load over the minute before. Starting processes and
building the panel are not counted; sending it to the workers is. A run on a machine with other work is
refused unless --busy, since its seconds say nothing.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pandas as pd

import jobchance as jc

SEED = 1
MAX_LOAD = 0.5
SPEC = {
    "name": "scaling",
    "choices": {
        "exposure": ["belief", "expectation"],
        "covariates": {
            "subsets": ["birth_year", "C(education)", "C(sex)", "C(origin)", "children_at_home", "convicted"]
        },
        "estimator": ["pooled", "within", "logit", "mixed"],
        "vcov": ["cluster:caseworker_id", "cluster:jobcentre_id"],
        "waves": ["all", "1-2"],
    },
}


def main() -> None:
    options = _options()
    study = jc.simulate_study(seed=SEED, n_citizens=options.citizens)
    terms = ["birth_year", "education", "sex", "origin", "children_at_home", "convicted"]
    panel = jc.build_panel(study, covariates=terms)
    rows = []
    for place in (_local, _dask):
        for n_workers in (1, 2):
            with place(n_workers) as compute:
                compute.map(abs, list(range(-2 * n_workers, 0)))  # processes are up and have imported
                for _ in range(options.repeat):
                    load = os.getloadavg()[0]
                    if load > MAX_LOAD + n_workers and not options.busy:
                        sys.exit(f"The machine is at work (load {load:.1f}): times would say nothing.")
                    start = time.perf_counter()
                    found = jc.run_multiverse(SPEC, panel, compute=compute)
                    seconds = time.perf_counter() - start
                    rows.append(
                        {
                            "place": place.__name__.strip("_"),
                            "workers": n_workers,
                            "specifications": len(found.frame),
                            "rows": len(panel.frame),
                            "seconds": round(seconds, 2),
                            "load_before": round(load, 2),
                            "hash": found.hash[:16],
                        }
                    )
                    print(rows[-1], flush=True)
    table = pd.DataFrame(rows)
    assert len(set(table["hash"])) == 1, "every place gives the same frame"
    best = table.pivot_table("seconds", "place", "workers", aggfunc="min")
    print((best[1] / best[2]).rename("times as fast with two workers").round(2).to_string())
    if options.out:
        table.to_csv(options.out, index=False)


@contextmanager
def _local(n_workers: int):
    with jc.LocalCompute(n_workers) as compute:
        yield compute


@contextmanager
def _dask(n_workers: int):
    """A scheduler and workers of one thread, each a process of its own."""
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    address, port = "tcp://127.0.0.1:18787", "18787"
    start = [sys.executable, "-m"]
    scheduler = [*start, "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", port]
    worker = [
        *start,
        "distributed.cli.dask_worker",
        address,
        "--nthreads",
        "1",
        "--no-nanny",
        "--no-dashboard",
    ]
    processes = [subprocess.Popen([*scheduler, "--no-dashboard"], **quiet)]
    time.sleep(3)
    processes += [subprocess.Popen(worker, **quiet) for _ in range(n_workers)]
    try:
        with jc.DaskCompute(address, wait_seconds=60) as compute:
            compute.client.wait_for_workers(n_workers, timeout=60)
            yield compute
    finally:
        for process in processes:
            process.kill()
            process.wait()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--citizens", type=int, default=4000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--busy", action="store_true", help="measure although the machine has other work")
    return parser.parse_args()


if __name__ == "__main__":
    main()
