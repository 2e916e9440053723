"""The csv of results: which runs are made already, and a row more after every run."""

from __future__ import annotations

import csv
import sys
from dataclasses import dataclass
from pathlib import Path

NUMBERS = ("loglik", "sd_citizen", "sd_caseworker", "sd_jobcentre", "beta_age", "se_age")
COLUMNS = (
    *("model", "generator", "n_citizens", "n_rows", "engine", "version", "seconds_first", "seconds_warm"),
    *("peak_mb", *NUMBERS, "status", "base_mb", "beside", "repeat", "threads", "limit"),
)
STOPPED = ("over_limit", "over_memory", "not_run")
Row = dict[str, str]


@dataclass(frozen=True)
class Case:
    """One panel and one model; `repeat` counts from 1."""

    model: str
    generator: str
    n_citizens: int
    repeat: int = 1


class Book:
    """The csv of results: what is done already, and a row more after every run."""

    def __init__(self, path: Path, *, resume: bool, again: tuple[str, ...], limit: float) -> None:
        if path.exists() and not resume:
            sys.exit(f"{path} exists: go on with --resume, or choose another --out.")
        self.path, self.limit = path, limit
        kept = [row for row in read_rows(path) if row["engine"] not in again and not self.is_open(row)]
        self.rows = kept
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(kept)

    def is_open(self, row: Row) -> bool:
        """A run to be made again: it failed, or it was stopped at a limit lower than the present one."""
        return row["status"] == "failed" or (row["status"] in STOPPED and float(row["limit"]) < self.limit)

    def find(self, case: Case, engine: str, beside: str) -> Row | None:
        """The row of a run that was made already."""
        wanted = (case.model, case.generator, str(case.n_citizens), engine, beside, str(case.repeat))
        names = ("model", "generator", "n_citizens", "engine", "beside", "repeat")
        return next((row for row in self.rows if tuple(row[name] for name in names) == wanted), None)

    def stopped(self, case: Case, engine: str) -> Row | None:
        """The largest panel, up to this one, on which an engine was stopped."""
        alike = [
            row
            for row in self.rows
            if (row["model"], row["generator"], row["engine"]) == (case.model, case.generator, engine)
            and row["status"] in STOPPED
            and int(row["n_citizens"]) <= case.n_citizens
        ]
        return max(alike, key=lambda row: int(row["n_citizens"]), default=None)

    def not_run(self, case: Case, stopped: Row) -> Row:
        """The row of a panel not tried, because the engine was stopped on a smaller one."""
        placed = {"n_citizens": str(case.n_citizens), "n_rows": "", "repeat": str(case.repeat)}
        return stopped | placed | {"base_mb": "", "status": "not_run"}

    def add(self, row: Row) -> None:
        """Write a row and say what it holds."""
        self.rows.append(row)
        with self.path.open("a", newline="", encoding="utf-8") as file:
            csv.DictWriter(file, COLUMNS, lineterminator="\n").writerow(row)
        timing = f"{row['seconds_first'] or '-':>9} s first {row['seconds_warm'] or '-':>9} s warm"
        label = f"{row['model']:8s} {row['generator']:10s} {row['n_citizens']:>7s} {row['engine']:12s}"
        print(f"{label} {timing} {row['peak_mb'] or '-':>8} MB {row['loglik'] or '-':>18} {row['status']}")
        sys.stdout.flush()


def read_rows(path: Path) -> list[Row]:
    """Rows of a csv of results; none when there is no such file."""
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
