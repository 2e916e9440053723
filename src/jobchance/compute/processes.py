"""Worker processes of this machine, each at the other end of its own pipe, so that a death has one owner."""

from __future__ import annotations

import warnings
from multiprocessing import get_context
from typing import Any

from jobchance.compute.shipping import Shipment
from jobchance.compute.threads import one_thread_environment
from jobchance.compute.worker import serve
from jobchance.errors import SpecError

_PATIENCE_SECONDS = 2.0


class WorkerEnded(Exception):  # noqa: N818 - an event of the pool, never shown
    """The process at the other end of the pipe has ended."""


class WorkerProcess:
    """One process and what it owes: `owed` counts answers asked for and not yet read."""

    def __init__(self, memory_bytes: int | None = None) -> None:
        # A fresh interpreter: a fork would share locks and thread pools of numerical libraries.
        context = get_context("spawn")
        self.connection, theirs = context.Pipe()
        self._process = context.Process(
            target=serve, args=(theirs, memory_bytes), name="jobchance-worker", daemon=True
        )
        with one_thread_environment():
            self._process.start()
        theirs.close()
        self.owed = 0
        self.run = 0

    @property
    def pid(self) -> int | None:
        """Number of the process."""
        return self._process.pid

    def wait_until_ready(self) -> None:
        """Return once the process serves; `SpecError` if it ends before."""
        try:
            self.connection.recv()
        except (EOFError, OSError):
            raise SpecError(
                f"A worker process ended while starting ({self.cause()}); its own words are above. In a "
                "script, put the lines that run under `if __name__ == '__main__':`, since each worker reads "
                "the script's definitions once."
            ) from None

    def send(self, command: str, key: int, shipment: Shipment, *, answered: bool = True) -> None:
        """Send a message; answers that nobody waits for any more are read and dropped first."""
        while answered and self.owed:
            self.receive()
        try:
            self.connection.send((command, key))
            shipment.send(self.connection)
        except OSError:
            raise WorkerEnded from None
        except BaseException:
            self.stop()
            raise
        self.owed += answered

    def receive(self) -> Any:
        """Wait for an answer and open it."""
        try:
            shipment = Shipment.receive(self.connection)
        except (EOFError, OSError):
            raise WorkerEnded from None
        except BaseException:
            # An interrupt in the middle of a message leaves a pipe that nobody can read.
            self.stop()
            raise
        self.owed -= 1
        return shipment.open()

    def cause(self) -> str:
        """Say how the process ended."""
        self._process.join(_PATIENCE_SECONDS)
        code = self._process.exitcode
        if code == -9:
            return "killed by signal 9, often for want of memory"
        return f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"

    def stop(self) -> None:
        """End the process: at once if it is at work, by closing its pipe if it waits."""
        self.connection.close()
        if self.owed:
            self._process.terminate()
        self._process.join(_PATIENCE_SECONDS)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self.owed = 0


class Pool:
    """Worker processes in numbered places; a place keeps its number when its process is replaced."""

    def __init__(self, memory_bytes: int | None = None) -> None:
        self.workers: list[WorkerProcess] = []
        self._memory_bytes = memory_bytes

    def grow(self, n_workers: int) -> list[WorkerProcess]:
        """Start processes until there are `n_workers`, and return them all."""
        new = [WorkerProcess(self._memory_bytes) for _ in range(n_workers - len(self.workers))]
        self.workers += new
        try:
            for worker in new:
                worker.wait_until_ready()
        except BaseException:
            self.stop()
            raise
        return self.workers

    def replace(self, worker: WorkerProcess) -> WorkerProcess:
        """Start a process in place of one that ended, and warn."""
        warnings.warn(
            f"A worker process ended ({worker.cause()}); another one takes its place and its work.",
            RuntimeWarning,
            stacklevel=2,
        )
        worker.stop()
        place = self.workers.index(worker)
        self.workers[place] = WorkerProcess(self._memory_bytes)
        self.workers[place].wait_until_ready()
        return self.workers[place]

    def mend(self) -> None:
        """Replace processes that an interrupt had to stop."""
        for place, worker in enumerate(self.workers):
            if worker.connection.closed:
                self.workers[place] = WorkerProcess(self._memory_bytes)
                self.workers[place].wait_until_ready()

    def stop(self) -> None:
        """End all processes."""
        for worker in self.workers:
            worker.stop()
        self.workers = []
