"""A real Dask cluster of worker processes on the loopback interface, with workers killed on the way."""

import os
import socket
import sys
import time
import warnings

import compute_jobs as jobs
import numpy as np
import pytest

import jobchance as jc
from jobchance.compute.blocks import BlockLost
from jobchance.compute.tasks import TaskFailure
from jobchance.compute.versions import check_versions, installed_versions
from jobchance.errors import DesignError, EstimationError, SpecError


@pytest.fixture
def compute(cluster):
    with jc.DaskCompute(cluster.scheduler_address, wait_seconds=20) as compute:
        compute.client.wait_for_workers(2, timeout=20)
        yield compute


def test_results_stand_in_task_order(compute):
    seen = []
    assert compute.map(jobs.double, list(range(20)), progress=seen.append) == [2 * i for i in range(20)]
    assert [p.done for p in seen] == list(range(1, 21))
    assert compute.map(jobs.double, []) == []


def test_arrays_arrive_as_they_left(compute):
    arrays = [np.asfortranarray(np.arange(12.0).reshape(3, 4)), np.zeros((0, 3)), np.ones((600, 600))]
    results = compute.map(jobs.shape_and_flags, arrays)
    assert [r[:2] for r in results] == [((3, 4), True), ((0, 3), True), ((600, 600), True)]
    assert results[0][2:] == (True, 66.0)


def test_failures(compute):
    results = compute.map(jobs.fail_on_three, list(range(6)), keep_going=True)
    assert [r for r in results if not isinstance(r, TaskFailure)] == [0, 1, 2, 5]
    assert results[3].message == "group has 1 level; expected 2 or more."
    assert "0101011234" not in repr(results[4])
    with pytest.raises(DesignError, match="1 level"):
        compute.map(jobs.fail_on_three, [1, 3])
    with pytest.raises(EstimationError, match="Task 1 failed: ValueError"):
        compute.map(jobs.fail_on_three, [1, 4])


def test_tasks_that_have_not_begun_are_dropped_after_a_failure(compute, tmp_path):
    with pytest.raises(DesignError):
        compute.map(jobs.wait_then_write, [(str(tmp_path), i) for i in range(200)])
    time.sleep(1)
    begun = len(list(tmp_path.iterdir()))
    assert begun < 100
    time.sleep(0.5)
    assert len(list(tmp_path.iterdir())) == begun


def test_a_killed_worker_costs_no_result(compute, tmp_path):
    tasks = [(str(tmp_path), i) for i in range(12)]
    with pytest.warns(RuntimeWarning, match=r"1 Dask worker\(s\) left"):
        assert compute.map(jobs.die_once, tasks) == [i * 1.5 for i in range(12)]
    assert (tmp_path / "died").exists()


def test_blocks_are_dealt_out_and_keep_their_state(compute):
    matrix = np.random.default_rng(1).normal(size=(3000, 3000))
    with compute.open_blocks(jobs.Sums, [1, 2, 3, 4]) as blocks:
        places = blocks.call("place")
        assert places[0] == places[2] != places[1] == places[3]
        assert os.getpid() not in places
        got = blocks.call("number", matrix)
        assert got[0] == got[2]
        assert {entry[1:] for entry in got} == {(True, True, float(matrix[-1, -1]))}
        blocks.call("add", 1.0)
        assert blocks.call("add", 1.0, per_block=[0, 1, 2, 3]) == [2.0, 3.0, 4.0, 5.0]
        with pytest.raises(EstimationError, match="Block 1 failed: ValueError"):
            blocks.call("fail", per_block=[False, True, True, False])
    with pytest.raises(DesignError, match="no rows"):
        compute.open_blocks(jobs.Sums, [1, "broken"])


def test_lost_blocks_are_rebuilt_without_state(compute):
    with compute.open_blocks(jobs.Sums, [1, 2, 3], rebuild=True) as blocks:
        blocks.call("add", 5.0)
        weights = np.linspace(0, 1, 400)
        before = blocks.call("cross", weights)
        victim = blocks.call("place")[1]
        with pytest.raises(BlockLost) as caught:
            blocks.call("die_in", victim)
        assert (caught.value.lost, caught.value.rebuilt) == ((1,), True)
        assert blocks.call("add", 0.0) == [6.0, 0.0, 6.0]
        after = blocks.call("cross", weights)
        assert all((a == b).all() for a, b in zip(before, after, strict=True))
        assert victim not in blocks.call("place")


def test_lost_blocks_stay_lost_unless_asked(compute):
    with compute.open_blocks(jobs.Sums, [1, 2, 3]) as blocks:
        victim = blocks.call("place")[0]
        for _ in range(2):
            with pytest.raises(BlockLost) as caught:
                blocks.call("die_in", victim)
            assert (caught.value.lost, caught.value.rebuilt) == ((0, 2), False)


def test_closing_frees_the_blocks_and_spares_the_cluster(compute, cluster):
    from distributed import Client

    with Client(cluster.scheduler_address, set_as_default=False) as watcher:
        blocks = compute.open_blocks(jobs.Sums, [1, 2, 3])
        assert sum(watcher.run(_count_actors).values()) == 2
        blocks.close()
        _until(lambda: sum(watcher.run(_count_actors).values()) == 0)
        compute.open_blocks(jobs.Sums, [1, 2, 3])
        compute.close()
        _until(lambda: sum(watcher.run(_count_actors).values()) == 0)
        assert len(watcher.nthreads()) == 2
    with pytest.raises(SpecError, match="closed"):
        compute.map(jobs.double, [1])


def _count_actors(dask_worker):
    return len(dask_worker.state.actors)


def _until(condition):
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "not reached within 10 seconds"
        time.sleep(0.1)


def test_an_address_nobody_listens_at_is_refused_within_seconds():
    pytest.importorskip("distributed", reason="the extra `dask` is not installed")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    start = time.monotonic()
    with pytest.raises(SpecError, match="No Dask scheduler answers"):
        jc.DaskCompute(f"tcp://127.0.0.1:{port}").map(jobs.double, [1])
    assert time.monotonic() - start < 15


def test_a_cluster_without_workers_is_refused():
    distributed = pytest.importorskip("distributed", reason="the extra `dask` is not installed")
    with (
        distributed.LocalCluster(n_workers=0, host="127.0.0.1", dashboard_address="127.0.0.1:0") as empty,
        jc.DaskCompute(empty.scheduler_address, wait_seconds=0.5) as compute,
        pytest.raises(SpecError, match=r"no worker after 0\.5 seconds"),
    ):
        compute.map(jobs.double, [1])


def test_other_versions_are_refused(cluster, monkeypatch):
    monkeypatch.setattr(
        "jobchance.compute.versions.installed_versions",
        lambda: {**installed_versions(), "numpy": "1.0", "distributed": "1999.1"},
    )
    with (
        jc.DaskCompute(cluster.scheduler_address) as compute,
        pytest.raises(SpecError, match=r"distributed 1999\.1 here"),
    ):
        compute.map(jobs.double, [1])


def test_every_difference_of_versions_is_told_at_once():
    other = installed_versions() | {"numpy": "1.0", "scipy": "1.1"}
    with pytest.raises(SpecError, match=r"numpy .* here, 1\.0 at 2 of 3; scipy"):
        check_versions({"a": other, "b": other, "c": installed_versions()})


@pytest.mark.parametrize("address", ["localhost", "", None, 8786])
def test_the_address_is_checked(address):
    with pytest.raises(SpecError, match="tcp://host:port"):
        jc.DaskCompute(address)


def test_without_the_package_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(SpecError, match=r"jobchance\[dask\]"):
        jc.DaskCompute("tcp://127.0.0.1:1").map(jobs.double, [1])


def test_no_warning_where_nothing_was_lost(compute):
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        assert compute.map(jobs.double, [1, 2]) == [2, 4]
