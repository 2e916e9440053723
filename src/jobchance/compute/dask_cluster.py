"""Run on an existing Dask cluster: connection and independent tasks."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from jobchance.compute.base import Compute, Outcomes
from jobchance.compute.blocks import Blocks, check_specs
from jobchance.compute.dask_tasks import TaskRun
from jobchance.compute.shipping import Shipment
from jobchance.compute.versions import check_versions, installed_versions
from jobchance.errors import SpecError

if TYPE_CHECKING:
    from distributed import Client

_CONNECT_SECONDS = 5.0
_SCHEDULER_PACKAGES = ("python", "dask", "distributed")


class DaskCompute(Compute):
    """Run on the workers of a Dask cluster that somebody else started and will end.

    The connection is made at the first use and closed by `close` or the `with` block; the cluster is never
    closed. A task whose worker dies is run again by the scheduler as often as its own setting
    `distributed.scheduler.allowed-failures` says (3 unless changed); of several such tasks each runs once
    more alone, since the scheduler also suspects those that only waited; then it is a `TaskFailure`. When the
    last worker goes, the run waits for another. When the scheduler goes, tasks without a result are failures
    of kind `ClusterLost`.

    Parameters
    ----------
    address : str
        Address of the scheduler, such as `tcp://127.0.0.1:8786`. Certificates for `tls://` come from Dask's
        own configuration.
    wait_seconds : float
        How long to wait for the first worker; more where workers queue for a machine.

    Raises
    ------
    SpecError
        `address` is no address or `wait_seconds` is not positive; at the first use: the package
        `distributed` is not installed, no scheduler answers, no worker arrives, or the cluster has other
        versions of Python or of the packages that decide the numbers.

    Examples
    --------
    >>> with DaskCompute("tcp://127.0.0.1:8786") as compute:  # doctest: +SKIP
    ...     compute.map(abs, [-1, 2, -3])
    [1, 2, 3]
    """

    def __init__(self, address: str, *, wait_seconds: float = 10.0) -> None:
        if not isinstance(address, str) or "://" not in address:
            raise SpecError(
                f"address={address!r} is no address. Expected tcp://host:port or tls://host:port."
            )
        if not wait_seconds > 0:
            raise SpecError(f"wait_seconds={wait_seconds!r} must be above 0.")
        self.address, self.wait_seconds = address, float(wait_seconds)
        self._connection: Client | None = None
        self._closed = False

    @property
    def client(self) -> Client:
        """The connection to the cluster, made and checked at the first use, and again once it was lost."""
        if self._closed:
            raise SpecError("This DaskCompute is closed; make a new one.")
        if self._connection is not None and self._connection.status == "closed":
            self._connection = None
        if self._connection is None:
            client = _connect(self.address)
            try:
                _check_workers(client, self.wait_seconds)
            except BaseException:
                client.close()
                raise
            self._connection = client
        return self._connection

    def open_blocks(
        self, factory: Callable[[Any], Any], specs: Sequence[Any], *, rebuild: bool = False
    ) -> Blocks:
        """Build the blocks on the workers, dealt out in turn; see `Compute.open_blocks`."""
        from jobchance.compute.dask_blocks import DaskBlocks

        blocks = DaskBlocks(
            self.client, factory, check_specs(specs, factory), rebuild=rebuild, wait_seconds=self.wait_seconds
        )
        try:
            blocks.fill()
        except BaseException:
            blocks.close()
            raise
        return blocks

    def _reached(self) -> tuple[Client, set[str]]:
        """The connection and the workers there; one that is lost between check and use is made anew."""
        try:
            client = self.client
            return client, set(client.nthreads())
        except (RuntimeError, OSError):
            lost, self._connection = self._connection, None
            if lost is not None:
                with suppress(Exception):
                    lost.close()
        client = self.client
        return client, set(client.nthreads())

    def close(self) -> None:
        """Close the connection, not the cluster; blocks opened through it are freed on the workers."""
        self._closed = True
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _outcomes(
        self, function: Callable[..., Any], tasks: list[Any], seed: np.random.SeedSequence | None
    ) -> Outcomes:
        packed = Shipment.pack((function, seed), what="function")
        return self._run(packed, [Shipment.pack(task, what=f"task {i}") for i, task in enumerate(tasks)])

    def _run(self, function: Shipment, tasks: list[Shipment]) -> Outcomes:
        """Hand all tasks to the scheduler and yield outcomes as they arrive."""
        if not tasks:
            return
        client, workers = self._reached()
        run = TaskRun(client, function, tasks, reconnect_seconds=2 * _CONNECT_SECONDS)
        try:
            yield from run.outcomes()
        finally:
            with suppress(Exception):  # the cluster may be gone; the outcomes are what matters
                _report_losses(len(workers - set(client.nthreads())))


def _connect(address: str) -> Client:
    """Return a client of the scheduler, within some seconds."""
    try:
        from distributed import Client
        from distributed.versions import VersionMismatchWarning
    except ImportError:
        raise SpecError(
            "DaskCompute needs the package `distributed`: install jobchance[dask], or use LocalCompute."
        ) from None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", VersionMismatchWarning)  # checked below, and refused
            return Client(address, timeout=_CONNECT_SECONDS, set_as_default=False, name="jobchance")
    except Exception as error:
        raise SpecError(
            f"No Dask scheduler answers at {address} ({type(error).__name__}). Expected a running scheduler "
            "that this machine can reach, of the same version; see the address that `dask scheduler` prints."
        ) from None


def _check_workers(client: Client, wait_seconds: float) -> None:
    """Refuse a cluster without workers, or with other versions than here."""
    try:
        client.wait_for_workers(1, timeout=wait_seconds)
    except TimeoutError:
        raise SpecError(
            f"The Dask cluster has no worker after {wait_seconds:g} seconds. Start workers, or wait longer "
            "with wait_seconds."
        ) from None
    scheduler = client.get_versions()["scheduler"]
    packages = {**scheduler["packages"], "python": ".".join(scheduler["host"]["python"].split(".")[:2])}
    check_versions({"scheduler": {name: packages[name] for name in _SCHEDULER_PACKAGES}})
    try:
        found = client.run(installed_versions)
    except Exception as error:
        raise SpecError(
            f"The workers of the Dask cluster cannot run jobchance ({type(error).__name__}): start them from "
            "the same environment as this process, with the same version of jobchance installed."
        ) from None
    check_versions(found)


def _report_losses(n_lost: int) -> None:
    """Warn of workers that were there at the start and are not at the end."""
    if n_lost:
        warnings.warn(
            f"{n_lost} Dask worker(s) left during the run; their tasks ran again elsewhere.",
            RuntimeWarning,
            stacklevel=2,
        )
