"""Evaluate specifications in chunks at a place to run, into a store if there is one, whatever dies."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol

from jobchance.compute.base import Compute
from jobchance.compute.tasks import CLUSTER_LOST, TaskFailure
from jobchance.errors import SpecError, UserError
from jobchance.sensitivity.multiverse.progress import Tracker
from jobchance.sensitivity.multiverse.rows import FAILED, failed_row
from jobchance.sensitivity.multiverse.specification import Specification
from jobchance.sensitivity.multiverse.store import Store
from jobchance.sensitivity.multiverse.store_log import Row, plain

Chunk = tuple[Specification, ...]


class Evaluator(Protocol):
    """What a chunk is given to: `Workbench`."""

    def evaluate(self, specs: Sequence[Specification]) -> list[dict[str, Any]]:
        """One row per specification."""


def evaluate_chunks(
    workbench: Evaluator, chunks: Iterable[Chunk], *, compute: Compute, store: Store | None, tracker: Tracker
) -> dict[str, Row]:
    """Evaluate every chunk and return the rows by key; each is on disk as soon as it is known.

    A chunk that gives no result (its worker ended each time, or memory was short) is split, so that only the
    specification that did it becomes a failed row.

    Raises
    ------
    UserError
        The Dask cluster is gone, or the disk does not take a row; what was finished is in the store.
    SpecError
        The workers cannot read what they are sent.
    """
    order = _every_kind_early(list(chunks))
    rows, lost = _round(workbench, order, compute=compute, store=store, tracker=tracker)
    again, _ = _round(workbench, lost, compute=compute, store=store, tracker=tracker)
    return rows | again


def _round(
    workbench: Evaluator, chunks: Sequence[Chunk], *, compute: Compute, store: Store | None, tracker: Tracker
) -> tuple[dict[str, Row], list[Chunk]]:
    """Run chunks once; return rows, and as chunks of one what stood in chunks without a result."""
    rows: dict[str, Row] = {}
    lost: list[Chunk] = []
    arriving = compute.imap_unordered(partial(evaluate_chunk, workbench), chunks)
    try:
        for index, outcome in arriving:
            chunk = chunks[index]
            if isinstance(outcome, TaskFailure):
                _stop_if_general(outcome, in_store=store is not None)
                if len(chunk) > 1:
                    lost += [(one,) for one in chunk]
                    continue
                outcome = [failed_row(chunk[0].key, f"{outcome.kind}: {outcome.message}")], 0.0
            found, seconds = outcome
            new = [plain(row) for row in found]
            if store is not None:
                store.append(new)
            rows |= {str(row["key"]): row for row in new}
            failed = sum(row["status"] == FAILED for row in new)
            tracker.tick([spec.estimator for spec in chunk], failed=failed, seconds=seconds)
    finally:
        arriving.close()
    return rows, lost


def evaluate_chunk(workbench: Evaluator, specs: Chunk) -> tuple[list[dict[str, Any]], float]:
    """Evaluate one chunk at a worker; its rows and the seconds it took."""
    start = time.perf_counter()
    rows = workbench.evaluate(specs)
    assert [row["key"] for row in rows] == [spec.key for spec in specs], "one row per specification, in order"
    return rows, time.perf_counter() - start


def pending_chunks(
    specs: Sequence[Specification], plan: Iterable[Sequence[int]], finished: Mapping[str, Row]
) -> list[Chunk]:
    """The chunks of a plan without the specifications that are finished."""
    left = (tuple(specs[i] for i in places if specs[i].key not in finished) for places in plan)
    return [chunk for chunk in left if chunk]


def _every_kind_early(chunks: list[Chunk]) -> list[Chunk]:
    """One chunk of each estimator first, so that the time left is soon known; the rest in order."""
    first: dict[str, int] = {}
    for place, chunk in enumerate(chunks):
        first.setdefault(chunk[0].estimator, place)
    early = set(first.values())
    return [chunks[i] for i in sorted(early)] + [c for i, c in enumerate(chunks) if i not in early]


def _stop_if_general(failure: TaskFailure, *, in_store: bool) -> None:
    """Raise where a failure is not one of its chunk: no other would fare better."""
    if failure.kind == CLUSTER_LOST:
        after = " Nothing was kept, as no folder `out` was named."
        if in_store:
            after = (
                " What was finished is safe on disk: start the cluster again, then run the same command with "
                "resume=True (--resume)."
            )
        raise UserError(f"The run stopped: {failure.message}.{after}")
    if isinstance(failure.error, SpecError):
        raise failure.error
