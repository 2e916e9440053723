"""What a local worker process does: read a message from its pipe, work, answer.

Messages are `(command, key)` followed by a shipment; every command but `function` and `drop` is answered.
"""

from __future__ import annotations

import signal
from multiprocessing.connection import Connection
from typing import Any

from jobchance.compute.blocks import BlockHolder
from jobchance.compute.shipping import Shipment
from jobchance.compute.tasks import describe_failure, run_task
from jobchance.errors import SpecError


def serve(connection: Connection, memory_bytes: int | None = None) -> None:
    """Answer messages until the pipe closes; an interrupt at the terminal is the driver's business."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if memory_bytes is not None:
        limit_memory(memory_bytes)
    desk = _Desk()
    connection.send("ready")
    while True:
        try:
            command, key = connection.recv()
            answer = getattr(desk, command)(key, Shipment.receive(connection))
            if answer is not None:
                answer.send(connection)
        except (EOFError, BrokenPipeError, ConnectionResetError):
            return


def limit_memory(n_bytes: int) -> None:
    """Let this process have so much memory of its own; a request for more is a `MemoryError`."""
    import resource

    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    allowed = n_bytes if most == resource.RLIM_INFINITY else min(n_bytes, most)
    resource.setrlimit(resource.RLIMIT_DATA, (allowed, most))


class _Desk:
    """What the worker keeps between messages: the function of the run and its blocks by handle."""

    def __init__(self) -> None:
        self._function: Shipment | None = None
        self._holders: dict[int, BlockHolder] = {}

    def function(self, key: int, shipment: Shipment) -> None:
        """Keep the function of a run."""
        self._function = shipment

    def task(self, index: int, shipment: Shipment) -> Shipment:
        """Run one task."""
        assert self._function is not None, "a task came before its function"
        return run_shipped(self._function, shipment, index)

    def build(self, key: int, shipment: Shipment) -> Shipment:
        """Build blocks of the handle `key`."""
        holder = self._holders.setdefault(key, BlockHolder())
        return build_shipped(holder, shipment)

    def call(self, key: int, shipment: Shipment) -> Shipment:
        """Call all blocks of the handle `key` that live here."""
        return call_shipped(self._holders[key], shipment)

    def drop(self, key: int, shipment: Shipment) -> None:
        """Free the blocks of the handle `key`."""
        self._holders.pop(key, None)


def run_shipped(function: Shipment, task: Shipment, index: int) -> Shipment:
    """Open the function (once) and the task, run it, pack the outcome."""
    try:
        (call, seed), argument = function.open_once(), task.open()
    except Exception as error:
        return Shipment.pack(describe_failure(_unreadable(error), index), what="failure")
    return Shipment.pack(_portable(run_task(call, argument, seed, index=index), index), what="outcome")


def build_shipped(holder: BlockHolder, shipment: Shipment) -> Shipment:
    """Open the factory and specs by block, build, pack what became of each."""
    indices, work = shipment.open()
    try:
        factory, specs = work.open()
    except Exception as error:
        return _all_failed(indices, error)
    return Shipment.pack(holder.build(factory, specs), what="failures")


def call_shipped(holder: BlockHolder, shipment: Shipment) -> Shipment:
    """Open method and arguments, call the blocks, pack their results."""
    indices, work = shipment.open()
    try:
        method, shared, per_block = work.open()
    except Exception as error:
        return _all_failed(indices, error)
    answers = holder.call(method, shared, per_block)
    portable = {index: _portable(answer, index) for index, answer in answers.items()}
    return Shipment.pack(portable, what="results")


def _portable(outcome: Any, index: int) -> Any:
    """Return a result as it is, or, if it cannot travel, a failure that says so."""
    try:
        Shipment.pack(outcome, what=f"result of type {type(outcome).__name__}")
    except SpecError as error:
        return describe_failure(error, index)
    return outcome


def _all_failed(indices: list[int], error: Exception) -> Shipment:
    """Pack one failure per block whose message could not be read."""
    failures = {index: describe_failure(_unreadable(error), index) for index in indices}
    return Shipment.pack(failures, what="failures")


def _unreadable(error: Exception) -> SpecError:
    """Say what a worker could not unpack, by type only."""
    return SpecError(
        f"A worker cannot read what it was sent ({type(error).__name__}). Functions and classes must be "
        "defined in a module that the worker can import, not in a notebook cell or the script itself; the "
        "same version of that module must be installed there."
    )
