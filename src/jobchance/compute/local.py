"""Run on processes of this machine."""

from __future__ import annotations

import os
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from itertools import count
from math import inf
from multiprocessing.connection import wait
from typing import Any, Literal

import numpy as np

from jobchance.compute.base import Compute, Outcomes
from jobchance.compute.blocks import Blocks, check_specs, entries
from jobchance.compute.processes import Pool, WorkerEnded, WorkerProcess
from jobchance.compute.shipping import Shipment
from jobchance.compute.tasks import TaskFailure, lost_worker
from jobchance.errors import SpecError

MAX_RUNS = 3
_KEYS = count(1)


class LocalCompute(Compute):
    """Run on processes of this machine, one thread each.

    The processes start at the first use and end with `close` or the `with` block. A process that ends by
    itself (killed, out of memory) is reported by a warning and replaced; the task it had is run again, at
    most twice, then it is a `TaskFailure`. Not for use from several threads at once.

    Parameters
    ----------
    n_jobs : int or "all"
        Processes, 1 or more; `"all"` is one per processor.
    memory_gb : float, optional
        Most memory of each process, in units of 10^9 bytes: a task that asks for more fails with a
        `MemoryError`, instead of the system ending whatever process it likes. `None`: no limit of its own.

    Raises
    ------
    SpecError
        `n_jobs` is neither a whole number of 1 or more nor `"all"`; `memory_gb` is not positive, or given on
        a system without such limits.

    Examples
    --------
    >>> with LocalCompute(2) as compute:
    ...     compute.map(abs, [-1, 2, -3])
    [1, 2, 3]
    """

    def __init__(self, n_jobs: int | Literal["all"], *, memory_gb: float | None = None) -> None:
        self.n_jobs = _check_n_jobs(n_jobs)
        self.memory_gb = memory_gb
        self._pool = Pool(_check_memory(memory_gb))
        self._numbers = count(1)
        self._running = False
        self._closed = False

    def open_blocks(
        self, factory: Callable[[Any], Any], specs: Sequence[Any], *, rebuild: bool = False
    ) -> Blocks:
        """Build the blocks in the worker processes, dealt out in turn; see `Compute.open_blocks`."""
        blocks = _LocalBlocks(self, factory, check_specs(specs, factory), rebuild=rebuild)
        try:
            blocks.fill()
        except BaseException:
            blocks.close()
            raise
        return blocks

    def close(self) -> None:
        """End the processes; blocks that live there are gone, and the object cannot be used again."""
        self._closed = True
        self._pool.stop()

    def _outcomes(
        self, function: Callable[..., Any], tasks: list[Any], seed: np.random.SeedSequence | None
    ) -> Outcomes:
        packed = Shipment.pack((function, seed), what="function")
        return self._run(packed, [Shipment.pack(task, what=f"task {i}") for i, task in enumerate(tasks)])

    def _run(self, function: Shipment, tasks: list[Shipment]) -> Outcomes:
        """Keep one task at each worker; `at` is what each has, None for one of an earlier run."""
        with self.claim() as pool:
            pool.grow(min(self.n_jobs, len(tasks)))
            waiting, runs, number = deque(range(len(tasks))), Counter[int](), next(self._numbers)
            at: dict[WorkerProcess, int | None] = {worker: None for worker in pool.workers if worker.owed}
            while waiting or any(index is not None for index in at.values()):
                idle = [worker for worker in pool.workers if worker not in at]
                for worker in idle[: len(waiting)]:
                    at[worker] = waiting.popleft()
                    with suppress(WorkerEnded):  # seen below, when its pipe is read
                        _hand_over(worker, number, function, tasks, at[worker])
                for worker in _answering(at):
                    index = at.pop(worker)
                    try:
                        outcome = worker.receive()
                    except WorkerEnded:
                        pool.replace(worker)
                        if index is None:
                            continue
                        runs[index] += 1
                        if runs[index] < MAX_RUNS:
                            waiting.appendleft(index)
                            continue
                        outcome = lost_worker(index, MAX_RUNS)
                    if index is not None:
                        yield index, outcome

    @contextmanager
    def claim(self) -> Iterator[Pool]:
        """Lend the processes to one run or one call of blocks at a time."""
        if self._closed:
            raise SpecError("This LocalCompute is closed; make a new one.")
        if self._running:
            raise SpecError(
                "This LocalCompute is at work already: end that run first, or make another LocalCompute."
            )
        self._running = True
        try:
            self._pool.mend()
            yield self._pool
        finally:
            self._running = False


class _LocalBlocks(Blocks):
    """Blocks in worker processes: block i lives in place i modulo the number of places."""

    def __init__(
        self, compute: LocalCompute, factory: Callable[[Any], Any], specs: list[Any], *, rebuild: bool
    ) -> None:
        super().__init__(len(specs), rebuild=rebuild)
        self._compute, self._factory, self._specs = compute, factory, specs
        self._places = min(compute.n_jobs, len(specs))
        self._key = next(_KEYS)
        self._homes: dict[int, WorkerProcess] = {}

    def _build(self, indices: list[int]) -> Mapping[int, TaskFailure | None]:
        with self._compute.claim() as pool:
            pool.grow(self._places)
            self._homes |= {index: pool.workers[index % self._places] for index in indices}
            messages = self._messages(
                indices, lambda own: (self._factory, {index: self._specs[index] for index in own})
            )
            return _exchange(pool, "build", self._key, messages)

    def _ask(
        self, method: str, shared: tuple[Any, ...], per_block: Sequence[Any] | None
    ) -> Mapping[int, Any]:
        with self._compute.claim() as pool:
            here = [index for index, worker in self._homes.items() if worker in pool.workers]
            messages = self._messages(here, lambda own: (method, shared, entries(per_block, own)))
            return _exchange(pool, "call", self._key, messages)

    def _drop(self) -> None:
        for worker in set(self._homes.values()):
            with suppress(WorkerEnded):
                worker.send("drop", self._key, Shipment.pack(None, what="message"), answered=False)

    def _messages(
        self, indices: list[int], content: Callable[[list[int]], Any]
    ) -> dict[WorkerProcess, Shipment]:
        """Pack one message per worker that holds some of the blocks."""
        owners: dict[WorkerProcess, list[int]] = {}
        for index in sorted(indices):
            owners.setdefault(self._homes[index], []).append(index)
        return {
            worker: Shipment.pack((own, Shipment.pack(content(own), what="argument")), what="message")
            for worker, own in owners.items()
        }


def _hand_over(
    worker: WorkerProcess, run: int, function: Shipment, tasks: list[Shipment], index: int | None
) -> None:
    """Send a task, after the function of the run if the worker has not had it."""
    assert index is not None, "only tasks of this run are handed over"
    if worker.run != run:
        worker.send("function", run, function, answered=False)
        worker.run = run
    worker.send("task", index, tasks[index])


def _answering(at: Mapping[WorkerProcess, int | None]) -> list[WorkerProcess]:
    """Wait until some workers have answered or ended, and return them."""
    owners = {worker.connection: worker for worker in at}
    return [owners[connection] for connection in wait(list(owners))]  # type: ignore[index]


def _exchange(
    pool: Pool, command: str, key: int, messages: Mapping[WorkerProcess, Shipment]
) -> dict[int, Any]:
    """Send each worker its message, gather the answers; replace workers that ended, without answers."""
    ended = []
    for worker, message in messages.items():
        try:
            worker.send(command, key, message)
        except WorkerEnded:
            ended.append(worker)
    answers: dict[int, Any] = {}
    for worker in messages:
        if worker not in ended:
            try:
                answers |= worker.receive()
            except WorkerEnded:
                ended.append(worker)
    for worker in ended:
        pool.replace(worker)
    return answers


def _check_n_jobs(n_jobs: int | Literal["all"]) -> int:
    """Return the number of processes that the argument means."""
    if n_jobs == "all":
        return os.cpu_count() or 1
    if isinstance(n_jobs, bool) or not isinstance(n_jobs, int) or n_jobs < 1:
        raise SpecError(f"n_jobs={n_jobs!r} is not known. Expected a whole number of 1 or more, or 'all'.")
    return n_jobs


def _check_memory(memory_gb: float | None) -> int | None:
    """Return the limit in bytes."""
    if memory_gb is None:
        return None
    if isinstance(memory_gb, bool) or not isinstance(memory_gb, int | float) or not 0 < memory_gb < inf:
        raise SpecError(f"memory_gb={memory_gb!r} is no limit. Expected a number above 0, or None.")
    if find_spec("resource") is None:
        raise SpecError("memory_gb: this system has no limits on the memory of a process. Leave it out.")
    return int(memory_gb * 1e9)
