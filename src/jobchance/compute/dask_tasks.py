"""Independent tasks on a Dask cluster that loses workers, its memory or its connection on the way.

Dask suspects every task that waited at a worker when it died, and forgets what it was sent when the last
worker that held it goes. So suspects run again alone, and what was forgotten is sent again.
"""

from __future__ import annotations

import time
import warnings
from asyncio import CancelledError
from collections.abc import Generator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from jobchance.compute.shipping import Shipment
from jobchance.compute.tasks import CLUSTER_LOST, WORKER_LOST, TaskFailure
from jobchance.compute.worker import run_shipped

if TYPE_CHECKING:
    from distributed import Client, Future

_MAX_ALONE = 3
_LOOK_SECONDS = 1.0
_KILLED, _FORGOTTEN, _GONE = "killed", "forgotten", "gone"
_TEXTS = {
    _KILLED: "its worker process ended each time it ran; often memory: give workers more or use fewer",
    _FORGOTTEN: "all workers of the cluster ended each time it ran; often memory: give workers more",
    _GONE: "the scheduler of the Dask cluster ended or cannot be reached any more",
}


class TaskRun:
    """One run of a function over tasks.

    Parameters
    ----------
    client : Client
        Connection to the cluster.
    function : Shipment
        What every task calls; sent to every worker.
    tasks : sequence of Shipment
        Its arguments.
    reconnect_seconds : float
        How long the client tries to find a scheduler again before it gives up.
    """

    def __init__(
        self, client: Client, function: Shipment, tasks: Sequence[Shipment], *, reconnect_seconds: float
    ) -> None:
        self._client, self._function, self._tasks = client, function, tasks
        self._reconnect_seconds = reconnect_seconds
        self._everywhere: Future | None = None

    def outcomes(self) -> Generator[tuple[int, Any], None, None]:
        """Yield each task's index with its result, or a failure of kind `WorkerLost` or `ClusterLost`."""
        pending = list(range(len(self._tasks)))
        while pending:
            back = yield from self._together(pending)
            if _GONE in back.values():
                for index in back:
                    yield index, _failure(index, _GONE)
                return
            killed = [index for index, why in back.items() if why == _KILLED]
            if len(killed) == 1:  # nobody else was at a worker that died: this one ended them
                yield killed[0], _failure(killed[0], _KILLED)
                killed = []
            elif not killed and len(back) == len(pending):  # no step forward: one of them ends every worker
                killed = list(back)
            pending = [index for index in back if back[index] != _KILLED and index not in killed]
            pending = sorted(pending + (yield from self._one_by_one(killed)))

    def _one_by_one(self, suspects: list[int]) -> Generator[tuple[int, Any], None, list[int]]:
        """Run suspects alone, up to the first that ends its worker again; return those not yet run."""
        for place, index in enumerate(suspects):
            for _ in range(_MAX_ALONE):
                back = yield from self._together([index])
                if back.get(index) != _FORGOTTEN:
                    break
            if back:
                yield index, _failure(index, back[index])
                return suspects[place + 1 :]
        return []

    def _together(self, indices: list[int]) -> Generator[tuple[int, Any], None, dict[int, str]]:
        """Run tasks side by side; return why those came back that gave no result."""
        from distributed import as_completed

        back = dict.fromkeys(indices, _GONE)
        if not self._connected():
            return back
        futures: dict[str, tuple[int, Future]] = {}
        try:
            with suppress(*_connection_errors()):
                futures = self._submit(indices)
                for future in as_completed([one for _, one in futures.values()], loop=self._client.loop):
                    index = futures[future.key][0]
                    outcome, why = self._outcome(future)
                    if why:
                        back[index] = why
                    else:
                        del back[index]
                        yield index, outcome
                    future.release()
        finally:
            with suppress(Exception):  # the cluster may be gone; the outcomes are what matters
                self._client.cancel([one for _, one in futures.values() if one.status == "pending"])
        return back

    def _submit(self, indices: list[int]) -> dict[str, tuple[int, Future]]:
        """Hand tasks to the scheduler; the function goes to every worker unless some still hold it."""
        if self._everywhere is None or self._everywhere.status != "finished":
            self._wait_for_a_worker()
            # To every worker at once: it outlives the death of any of them, and travels once to each.
            (self._everywhere,) = self._client.scatter([self._function], broadcast=True, hash=False)
        chosen = [self._tasks[index] for index in indices]
        futures = self._client.map(_run_everywhere, indices, chosen, function=self._everywhere, pure=False)
        return {future.key: (index, future) for index, future in zip(indices, futures, strict=True)}

    def _wait_for_a_worker(self) -> None:
        """Wait as long as the scheduler is there: a queue may be slow to give machines."""
        if not self._client.nthreads():
            warnings.warn(
                "The Dask cluster has no worker left; the run waits for one.", RuntimeWarning, stacklevel=2
            )
        while not self._client.nthreads():
            time.sleep(_LOOK_SECONDS)

    def _outcome(self, future: Future) -> tuple[Any, str]:
        """Return what a future holds and "", or None and why it holds nothing."""
        from distributed import KilledWorker

        try:
            return future.result().open(), ""
        except KilledWorker:
            return None, _KILLED
        except (Exception, CancelledError):
            return None, _FORGOTTEN if self._connected() else _GONE

    def _connected(self) -> bool:
        """Whether the scheduler is there, after the time that a lost connection may take to come back."""
        deadline = time.monotonic() + self._reconnect_seconds
        while self._client.status == "connecting" and time.monotonic() < deadline:
            time.sleep(_LOOK_SECONDS / 10)
        return bool(self._client.status == "running")


def _run_everywhere(index: int, task: Shipment, *, function: Shipment) -> Shipment:
    """Run a task on a Dask worker."""
    return run_shipped(function, task, index)


def _failure(index: int, why: str) -> TaskFailure:
    return TaskFailure(index, CLUSTER_LOST if why == _GONE else WORKER_LOST, _TEXTS[why])


def _connection_errors() -> tuple[type[BaseException], ...]:
    """What a client raises when its scheduler goes in the middle of a request."""
    from distributed.comm import CommClosedError

    return (OSError, TimeoutError, CommClosedError, CancelledError)
