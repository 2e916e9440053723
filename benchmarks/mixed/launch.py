"""One engine on one panel in a process of its own, within limits of time and memory."""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from book import COLUMNS, NUMBERS, Case, Row
from generate import write_panel

HERE = Path(__file__).parent
OWN = "jobchance"
LOADING = 600  # seconds that loading the package and reading the data may take
Stages = dict[str, dict[str, Any]]
IN_R = ("lmer", "lmer_blas", "glmer", "glmer_blas", "clmm", "glmmTMB")


class Runner:
    """Runs one engine on one panel in a process of its own, within limits of time and memory."""

    def __init__(self, args: argparse.Namespace, folder: Path) -> None:
        self.args, self.folder = args, folder

    def run(self, case: Case, engine: str, beside: str = "") -> Row:
        """One run as a row of results."""
        args = self.args
        panel = self.folder / f"{case.generator}-{case.n_citizens}"
        write_panel(panel, case.n_citizens, generator=case.generator)
        out, log = self.folder / f"stages-{os.getpid()}.jsonl", self.folder / f"{engine}-{case.model}.log"
        out.unlink(missing_ok=True)
        arguments = [engine, case.model, str(panel), str(out), str(args.threads), str(args.warm_below)]
        with log.open("w", encoding="utf-8") as file:
            process = subprocess.Popen(
                [*self.interpreter(engine), *arguments],
                env=self.environment(engine),
                stdout=file,
                stderr=subprocess.STDOUT,
            )
            try:
                stop = watch(process, out, limit=args.limit, memory_mb=args.memory)
            finally:
                process.kill()
        stages = read_stages(out)
        row = dict.fromkeys(COLUMNS, "") | {
            "model": case.model,
            "generator": case.generator,
            "n_citizens": str(case.n_citizens),
            "n_rows": str(json.loads((panel / "columns.json").read_text(encoding="utf-8"))["n_rows"]),
            "engine": engine,
            "beside": beside,
            "repeat": str(case.repeat),
            "threads": str(args.threads),
            "limit": f"{args.limit:g}",
        }
        return row | describe(stages, stop, log)

    def interpreter(self, engine: str) -> list[str]:
        """Interpreter and script that hold an engine."""
        if engine in IN_R:
            return [self.args.rscript, str(HERE / "peers.R")]
        return [sys.executable if engine == OWN else self.args.peers_python, str(HERE / "peers.py")]

    def environment(self, engine: str) -> dict[str, str]:
        """The same number of threads for every engine and its linear algebra."""
        libraries = ("OMP", "OPENBLAS", "MKL", "NUMBA", "RAYON")
        threads = {f"{library}_NUM_THREADS": str(self.args.threads) for library in libraries}
        preload = {"LD_PRELOAD": self.args.r_preload} if engine.endswith("_blas") else {}
        return {**os.environ, **threads, **preload}


def watch(process: subprocess.Popen[bytes], out: Path, *, limit: float, memory_mb: float) -> str:
    """Wait for a run; stop it when one call takes longer than the limit or the process grows too large.

    Returns "", "over_limit", "over_memory", or "failed" when the data are not read in time. The clock starts
    anew with every stage the run reports.
    """
    seen, since = 0, time.monotonic()
    while process.poll() is None:
        time.sleep(0.2)
        stages = len(read_stages(out))
        if stages > seen:
            seen, since = stages, time.monotonic()
        elapsed, reason = time.monotonic() - since, ""
        if elapsed > (limit if seen else LOADING):
            reason = "over_limit" if seen else "failed"
        if resident_mb(process.pid) > memory_mb:
            reason = "over_memory"
        if reason:
            process.kill()
            process.wait()
            return reason
    return ""


def resident_mb(pid: int) -> float:
    """Memory a process holds now; 0 when it has just ended."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    except (OSError, IndexError):
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def read_stages(out: Path) -> Stages:
    """What a run has reported so far, by stage; a line still being written is left out."""
    if not out.exists():
        return {}
    text = out.read_text(encoding="utf-8")
    lines = [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]
    return {line["stage"]: line for line in lines}


def describe(stages: Stages, stop: str, log: Path) -> Row:
    """Version, times, memory, estimates and status of one run."""
    loaded, first, warm = (stages.get(stage, {}) for stage in ("loaded", "first", "warm"))
    status = stop or "failed"
    if first:
        status = "ok" if first["converged"] else "not_converged"
    if status == "failed":
        print(f"failed; the last lines of {log}:\n" + "\n".join(tail(log)))

    def written(stage: dict[str, Any], name: str, form: str) -> str:
        return format(float(stage[name]), form) if stage else ""

    return {
        "version": str(loaded.get("version", "")),
        "seconds_first": written(first, "seconds", ".4f"),
        "seconds_warm": written(warm, "seconds", ".4f"),
        "peak_mb": written(first, "peak_mb", ".1f"),
        "base_mb": written(loaded, "base_mb", ".1f"),
        **{name: written(first, name, ".6f" if name == "loglik" else ".8g") for name in NUMBERS},
        "status": status,
    }


def tail(log: Path, lines: int = 8) -> list[str]:
    return log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:]


def machine(args: argparse.Namespace) -> dict[str, object]:
    """Facts about the machine that times depend on."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    cpu = next((line.split(":")[1].strip() for line in lines if "model name" in line), platform.machine())
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "ram_gb": round(memory / 2**30, 1),
        "threads": args.threads,
        "python": platform.python_version(),
        "limit_seconds": args.limit,
        "limit_memory_mb": args.memory,
    }
