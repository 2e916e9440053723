"""Specifications whose evaluation is cheap, or kills, for tests of what happens around it."""

import json
import os
import signal
import sys
import time
import warnings
from collections import Counter
from pathlib import Path

import numpy as np

from jobchance.compute.in_process import InProcess
from jobchance.compute.local import LocalCompute
from jobchance.errors import JobchanceError
from jobchance.sensitivity.multiverse.progress import Tracker
from jobchance.sensitivity.multiverse.rows import ROW_COLUMNS, failed_row
from jobchance.sensitivity.multiverse.run_chunks import evaluate_chunks, pending_chunks
from jobchance.sensitivity.multiverse.specification import Specification
from jobchance.sensitivity.multiverse.store import Store
from jobchance.sensitivity.multiverse.store_plan import Plan

N, CHUNK = 40, 4


def specifications(n=N):
    kinds = ("pooled", "logit")
    return [Specification("job", 52, "all", f"x{i}", estimator=kinds[i // CHUNK % 2]) for i in range(n)]


def make_plan(n=N, **changes):
    keys = tuple(spec.key for spec in specifications(n))
    facts = {"name": "small", "spec": "s", "data": "d", "versions": {"numpy": "2"}, "processors": "zen"}
    return Plan(**{**facts, "keys": keys, "chunking": "c", **changes})


class FakeWorkbench:
    """Gives each specification numbers of its own and leaves a trace of each evaluation in `folder`."""

    def __init__(self, folder, *, pause=0.0, deadly=(), hungry=()):
        self.folder, self.pause, self.deadly, self.hungry = folder, pause, deadly, hungry

    def evaluate(self, specs):
        return [self._row(spec) for spec in specs]

    def _row(self, spec):
        time.sleep(self.pause)
        with (Path(self.folder) / f"evaluated-{os.getpid()}").open("a") as trace:
            trace.write(f"{spec.key}\n")
        if spec.exposure in self.deadly:
            os.kill(os.getpid(), signal.SIGKILL)
        if spec.exposure in self.hungry:
            return failed_row(spec.key, "MemoryError: raised in linear.py, line 3")
        rng = np.random.default_rng(int(spec.key, 16))
        row = dict.fromkeys(ROW_COLUMNS) | {"key": spec.key, "status": "ok", "reason": "", "df": np.inf}
        return row | {"estimate": rng.normal() / 3, "std_error": np.nan, "n_rows": np.int64(7), "note": "æ"}


def evaluations(folder):
    """How often each key was evaluated."""
    return Counter(
        line for path in Path(folder).glob("evaluated-*") for line in path.read_text().splitlines()
    )


def run(workbench, *, compute=None, out=None, resume=False, callback=None, plan=None, n=N):
    """What `run_multiverse` does around its workbench."""
    specs = specifications(n)
    parts = [range(i, min(i + CHUNK, n)) for i in range(0, n, CHUNK)]
    store = Store(out, plan or make_plan(n), resume=resume) if out else None
    finished = store.finished if store else {}
    try:
        kinds = [spec.estimator for spec in specs if spec.key not in finished]
        tracker = Tracker(kinds, resumed=len(finished), failed=0, callback=callback)
        pending = pending_chunks(specs, parts, finished)
        found = evaluate_chunks(
            workbench, pending, compute=compute or InProcess(), store=store, tracker=tracker
        )
    finally:
        if store:
            store.close()
    rows = finished | found
    return [rows[spec.key] for spec in specs]


def as_text(rows):
    """Rows as one text that tells every bit."""
    return json.dumps(rows)


def main():
    """`multiverse_jobs.py OUT TRACE JOBS PAUSE`: a run that can be killed; a limit on files by variable."""
    out, trace, jobs, pause = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
    if limit := os.environ.get("LIMIT_BYTES"):
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), int(limit)))
    warnings.simplefilter("ignore")
    workbench = FakeWorkbench(trace, pause=pause)
    try:
        if jobs:
            with LocalCompute(jobs) as compute:
                run(workbench, compute=compute, out=out, resume=True)
        else:
            run(workbench, out=out, resume=True)
    except JobchanceError as error:
        print(type(error).__name__, error)
        sys.exit(2)


if __name__ == "__main__":
    main()
