"""Time the mixed models of this package beside their peers; every run is a fresh process, one at a time.

    python benchmarks/mixed/run.py --sizes 4000 --models linear,logit,ordinal --engines all \
        --peers-python PEERS/bin/python --limit 600 --out results.csv --resume

A row of the csv is written after every run, so a stopped run goes on with --resume. After each peer that
finishes, the package runs on the same data: ratios are taken within such a pair, which is fair on a machine
whose speed drifts. Times, limits, settings and columns: README.md; tables: summarise.py.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from book import Book, Case, Row
from generate import JOBCENTRES
from launch import HERE, OWN, Runner, machine

PEERS = {
    "linear": ("lmer", "lmer_blas", "glmmTMB", "glmm", "mixedlm", "statsmodels"),
    "logit": ("glmer", "glmer_blas", "glmmTMB", "glmm", "mixedlm"),
    "ordinal": ("clmm", "interlace"),
}
WARM_UP_CITIZENS = 300
SMALL = 5_000  # citizens: panels up to this size are repeated


def cases(args: argparse.Namespace) -> Iterator[Case]:
    """Panels from small to large; a small one several times, for medians."""
    for n_citizens in sorted(args.sizes):
        for generator in args.generators:
            for model in args.models:
                for repeat in range(args.repeats if n_citizens <= SMALL else 1):
                    yield Case(model, generator, n_citizens, repeat + 1)


def run_case(case: Case, engines: tuple[str, ...], book: Book, runner: Runner) -> None:
    """Every peer, and the package beside each that finishes; alone when none does."""
    paired = False
    for engine in (engine for engine in PEERS[case.model] if engine in engines):
        finished = once(case, engine, "", book, runner)["seconds_first"] != ""
        if finished and OWN in engines:
            once(case, OWN, engine, book, runner)
            paired = True
    if OWN in engines and not paired:
        once(case, OWN, "", book, runner)


def once(case: Case, engine: str, beside: str, book: Book, runner: Runner) -> Row:
    """The row of a run: found, or of a smaller panel on which the engine was stopped, or made now."""
    row = book.find(case, engine, beside)
    if row is not None:
        return row
    stopped = book.stopped(case, engine)
    if stopped is not None and int(stopped["n_citizens"]) == case.n_citizens:
        return stopped
    row = runner.run(case, engine, beside) if stopped is None else book.not_run(case, stopped)
    book.add(row)
    return row


def warm_up(args: argparse.Namespace, runner: Runner) -> tuple[str, ...]:
    """Every engine once on a tiny panel, not recorded: compiled code and files are in their caches.

    Returns the engines that work.
    """
    broken = set()
    for model in args.models:
        for engine in (*PEERS[model], OWN):
            if engine in args.engines:
                row = runner.run(Case(model, args.generators[0], WARM_UP_CITIZENS), engine)
                print(f"warm-up {model} {engine} {row['version']}: {row['status']}", flush=True)
                if row["status"] == "failed":
                    broken.add(engine)
    return tuple(engine for engine in args.engines if engine not in broken)


def words(text: str) -> tuple[str, ...]:
    return tuple(word for word in text.split(",") if word)


def parse() -> argparse.Namespace:
    every = tuple(dict.fromkeys((OWN, *(engine for peers in PEERS.values() for engine in peers))))
    memory = 0.7 * os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**20
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    add = parser.add_argument
    add("--sizes", type=lambda text: [int(size) for size in words(text)], default=[4000], help="citizens")
    add("--models", type=words, default=tuple(PEERS))
    add("--generators", type=words, default=tuple(JOBCENTRES))
    add("--engines", type=words, default=("all",), help="all, or of " + " ".join(every))
    add("--repeats", type=int, default=3, help=f"of panels up to {SMALL} citizens; larger ones run once")
    add("--limit", type=float, default=600, help="seconds one call may take")
    add("--memory", type=float, default=round(memory), help="MB one process may hold")
    add("--warm-below", type=float, default=60, help="a second call where the first took less than this")
    add("--threads", type=int, default=os.cpu_count() or 1)
    add("--peers-python", default=sys.executable, help="Python that has the peers installed")
    add("--rscript", default="Rscript")
    add("--r-preload", default="", help="faster BLAS and LAPACK for the engines *_blas, paths with :")
    add("--data", type=Path, default=Path(tempfile.gettempdir()) / "jobchance-benchmark-mixed")
    add("--out", type=Path, default=HERE / "results.csv")
    add("--resume", action="store_true", help="go on with --out; failed runs are made again")
    add("--again", type=words, default=(), help="engines whose rows are made anew")
    args = parser.parse_args()
    if "all" in args.engines:
        args.engines = every
    allowed = {"models": PEERS, "generators": JOBCENTRES, "engines": every, "again": every}
    for name, known in allowed.items():
        unknown = [word for word in getattr(args, name) if word not in known]
        if unknown:
            parser.error(f"--{name}: {', '.join(unknown)} not known; allowed: {', '.join(known)}")
    if not args.r_preload:
        args.engines = tuple(engine for engine in args.engines if not engine.endswith("_blas"))
    return args


def main() -> None:
    args = parse()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped; go on with --resume"))
    args.data.mkdir(parents=True, exist_ok=True)
    runner = Runner(args, args.data)
    book = Book(args.out, resume=args.resume, again=args.again, limit=args.limit)
    facts = machine(args)
    args.out.with_name("machine.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(facts))
    working = warm_up(args, runner)
    for case in cases(args):
        run_case(case, working, book, runner)
    if broken := [engine for engine in args.engines if engine not in working]:
        sys.exit(f"Left out, because they failed on the tiny panel: {', '.join(broken)}.")


if __name__ == "__main__":
    main()
