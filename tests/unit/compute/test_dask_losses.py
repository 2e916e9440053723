"""A Dask cluster that loses all workers, or its scheduler, and tasks that kill: who is told to fail."""

import os
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import compute_jobs as jobs
import pytest

import jobchance as jc
from jobchance.compute.tasks import CLUSTER_LOST, WORKER_LOST, TaskFailure
from jobchance.errors import SpecError

HERE = str(Path(jobs.__file__).parent)


@pytest.fixture
def cluster():
    """Start a scheduler that forgives no death; `start()` adds a worker that nobody starts again."""
    pytest.importorskip("distributed", reason="the extra `dask` is not installed")
    with _scheduler() as (address, scheduler):
        workers = []
        command = [sys.executable, "-m", "distributed.cli.dask_worker", address, "--nthreads", "1"]

        def start():
            worker = subprocess.Popen(
                [*command, "--no-nanny", "--no-dashboard"],
                env=os.environ | {"PYTHONPATH": HERE},
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            workers.append(worker)
            return worker

        try:
            yield address, scheduler, start
        finally:
            for worker in workers:
                worker.kill()
                worker.wait()


@contextmanager
def _scheduler():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "distributed.cli.dask_scheduler",
        "--no-dashboard",
        "--host",
        "127.0.0.1",
    ]
    process = subprocess.Popen(
        [*command, "--port", str(port)],
        env=os.environ | {"DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "0"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 30
        while not _listens(port):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield f"tcp://127.0.0.1:{port}", process
    finally:
        process.kill()
        process.wait()


def _listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.filterwarnings("ignore:.*Dask:RuntimeWarning")
def test_only_the_task_that_kills_is_told_to_have_failed(cluster):
    """One worker of three is enough for the rest; each death takes one for good."""
    address, _, start = cluster
    for _ in range(3):
        start()
    with jc.DaskCompute(address, wait_seconds=30) as compute:
        compute.client.wait_for_workers(3, timeout=30)
        results = compute.map(jobs.die_always, list(range(12)), keep_going=True)
    assert [r for r in results if not isinstance(r, TaskFailure)] == [0, *range(2, 12)]
    assert (results[1].kind, results[1].index) == (WORKER_LOST, 1)


def test_a_run_outlives_all_its_workers_and_not_its_scheduler(cluster):
    address, scheduler, start = cluster
    first = start()
    with jc.DaskCompute(address, wait_seconds=30) as compute:
        arriving = compute.imap_unordered(jobs.double_slowly, list(range(12)))
        found = dict([next(arriving), next(arriving)])
        first.kill()
        first.wait()
        start()
        with pytest.warns(RuntimeWarning, match="no worker left; the run waits for one"):
            found |= dict(islice(arriving, 4))
        assert found == {index: 2 * index for index in found}
        assert len(found) == 6
        scheduler.kill()
        rest = dict(arriving)
        lost = {index: one for index, one in rest.items() if isinstance(one, TaskFailure)}
        assert sorted([*found, *rest]) == list(range(12))
        assert len(lost) >= 5
        assert {one.kind for one in lost.values()} == {CLUSTER_LOST}
        assert "scheduler of the Dask cluster ended" in next(iter(lost.values())).message
        with pytest.raises(SpecError, match="No Dask scheduler answers"):
            compute.map(jobs.double, [1, 2])


def test_a_connection_lost_between_check_and_use_is_made_anew(monkeypatch):
    class Lost:
        status = "running"

        def nthreads(self):
            raise RuntimeError("ConnectionPool is closed")

        def close(self):
            self.status = "closed"

    compute = jc.DaskCompute("tcp://127.0.0.1:1")
    lost = compute._connection = Lost()
    asked = []

    def no_scheduler(address):
        asked.append(address)
        raise SpecError("No Dask scheduler answers")

    monkeypatch.setattr("jobchance.compute.dask_cluster._connect", no_scheduler)
    with pytest.raises(SpecError, match="No Dask scheduler answers"):
        compute.map(abs, [1, 2])
    assert lost.status == "closed"
    assert asked == ["tcp://127.0.0.1:1"]
