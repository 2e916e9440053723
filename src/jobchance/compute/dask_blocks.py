"""Blocks on the workers of a Dask cluster: one actor per worker holds that worker's blocks.

An actor is neither copied, moved nor written to disk by Dask, and is freed when the connection ends, also
when this process is killed.
"""

from __future__ import annotations

import uuid
from asyncio import CancelledError
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from jobchance.compute.blocks import BlockHolder, Blocks, entries
from jobchance.compute.shipping import Shipment
from jobchance.compute.tasks import TaskFailure
from jobchance.compute.worker import build_shipped, call_shipped
from jobchance.errors import EstimationError

if TYPE_CHECKING:
    from distributed import Client

_LOOK_SECONDS = 1.0


class WorkerBlocks:
    """The actor: the blocks of one worker. `token` tells it from one that replaced it unasked."""

    def __init__(self, n_threads: int) -> None:
        self._holder = BlockHolder(n_threads)
        self._token = uuid.uuid4().hex

    def token(self) -> str:
        """Return what tells this holder from any other."""
        return self._token

    def build(self, token: str, shipment: Shipment) -> Shipment | None:
        """Build blocks; None if this is another holder than meant."""
        return build_shipped(self._holder, shipment) if token == self._token else None

    def call(self, token: str, shipment: Shipment) -> Shipment | None:
        """Call all blocks; None if this is another holder than meant."""
        return call_shipped(self._holder, shipment) if token == self._token else None


class DaskBlocks(Blocks):
    """Blocks by worker address: block i lives at address i modulo their number, while that worker lives."""

    def __init__(
        self,
        client: Client,
        factory: Callable[[Any], Any],
        specs: list[Any],
        *,
        rebuild: bool,
        wait_seconds: float,
    ) -> None:
        super().__init__(len(specs), rebuild=rebuild)
        self._client, self._factory, self._specs = client, factory, specs
        self._wait_seconds = wait_seconds
        self._actors: dict[str, _Remote] = {}
        self._homes: dict[int, str] = {}

    def _build(self, indices: list[int]) -> Mapping[int, TaskFailure | None]:
        Shipment.pack((self._factory, self._specs), what="factory or one of the specs")
        addresses = self._hire()
        self._homes |= {index: addresses[index % len(addresses)] for index in indices}
        return self._exchange(
            "build", indices, lambda own: (self._factory, {index: self._specs[index] for index in own})
        )

    def _ask(
        self, method: str, shared: tuple[Any, ...], per_block: Sequence[Any] | None
    ) -> Mapping[int, Any]:
        return self._exchange("call", range(len(self)), lambda own: (method, shared, entries(per_block, own)))

    def _drop(self) -> None:
        for remote in self._actors.values():
            remote.release()
        self._actors.clear()

    def _hire(self) -> list[str]:
        """Give every worker without one an actor; return the addresses of those that have one."""
        try:
            self._client.wait_for_workers(1, timeout=self._wait_seconds)
        except TimeoutError:
            raise EstimationError(
                f"No worker of the Dask cluster is left to hold blocks after {self._wait_seconds:g} seconds. "
                "Start workers, or wait longer with wait_seconds."
            ) from None
        threads = self._client.nthreads()
        for address in sorted(set(threads) - set(self._actors)):
            remote = _Remote(self._client, address, threads[address])
            if remote.token is not None:
                self._actors[address] = remote
        self._actors = {address: self._actors[address] for address in sorted(self._actors)}
        if not self._actors:
            raise EstimationError("No worker of the Dask cluster lived long enough to hold blocks.")
        return list(self._actors)

    def _exchange(
        self, command: str, indices: Iterable[int], content: Callable[[list[int]], Any]
    ) -> dict[int, Any]:
        """Send each worker its message, gather the answers; forget workers that have gone."""
        owners: dict[str, list[int]] = {}
        for index in indices:
            owners.setdefault(self._homes[index], []).append(index)
        messages = {
            address: Shipment.pack((own, Shipment.pack(content(own), what="argument")), what="message")
            for address, own in owners.items()
            if address in self._actors
        }
        pending = {
            address: self._actors[address].start(command, message) for address, message in messages.items()
        }
        answers: dict[int, Any] = {}
        for address, future in pending.items():
            answer = self._actors[address].finish(future)
            if answer is None:
                del self._actors[address]
            else:
                answers |= answer.open()
        return answers


class _Remote:
    """An actor on one worker, with calls that end when the worker does."""

    def __init__(self, client: Client, address: str, n_threads: int) -> None:
        self._client, self._address = client, address
        self._future = client.submit(
            WorkerBlocks, n_threads, actor=True, workers=[address], allow_other_workers=False, pure=False
        )
        self._actor = self._patiently(self._future)
        self.token: str | None = None
        if self._actor is not None:
            self.token = self._patiently(self._begin("token"))

    def start(self, command: str, message: Shipment) -> Any:
        """Send a message; None if the worker is known to have gone."""
        return self._begin(command, self.token, message)

    def finish(self, future: Any) -> Shipment | None:
        """Wait for the answer; None if the worker has gone."""
        answer: Shipment | None = self._patiently(future)
        return answer

    def release(self) -> None:
        """Free the actor; a closed connection has done so already."""
        if self._client.status == "running":
            # Older versions of Dask keep an actor as long as anything here refers to it.
            self._client.cancel([self._future], force=True)

    def _begin(self, command: str, *arguments: Any) -> Any:
        """Call a method of the actor without waiting; None if the worker is known to have gone."""
        # An actor looks for its connection among Dask's defaults, of which this one is not.
        with self._client.as_current():
            try:
                return getattr(self._actor, command)(*arguments)
            except RuntimeError:
                return None

    def _patiently(self, future: Any) -> Any:
        """Wait for a result as long as the worker lives; None if it does not.

        What an actor's methods raise themselves travels as a failure inside their answer: an error here
        comes from the cluster.
        """
        while future is not None:
            try:
                return future.result(timeout=_LOOK_SECONDS)
            except TimeoutError:
                if self._address not in self._client.nthreads():
                    break
            except (OSError, KeyError, RuntimeError, CancelledError):
                break
        return None
