"""Processes of this machine: order, seeds, failures, deaths, blocks, and nothing left behind."""

import multiprocessing
import os
import subprocess
import sys
from functools import partial

import compute_jobs as jobs
import numpy as np
import pytest

import jobchance as jc
from jobchance.compute.blocks import BlockLost
from jobchance.compute.in_process import InProcess, choose_compute
from jobchance.compute.tasks import TaskFailure, check_seed, task_generator
from jobchance.errors import DesignError, EstimationError, SpecError


@pytest.fixture(scope="module")
def two():
    with jc.LocalCompute(2) as compute:
        yield compute


@pytest.fixture(params=["in process", "two processes"])
def compute(request, two):
    return two if request.param == "two processes" else InProcess()


def test_a_task_draws_what_spawn_would_give_it():
    children = np.random.SeedSequence(11).spawn(5)
    for index, child in enumerate(children):
        expected = np.random.default_rng(child).normal(size=3)
        assert (task_generator(check_seed(11), index).normal(size=3) == expected).all()
    nested = children[2].spawn(2)[1]
    assert task_generator(np.random.SeedSequence(11).spawn(3)[2], 1).random() == (
        np.random.default_rng(nested).random()
    )


def test_results_stand_in_task_order(compute):
    assert compute.map(jobs.double, list(range(20))) == [2 * i for i in range(20)]
    assert compute.map(jobs.double, []) == []
    got = dict(compute.imap_unordered(jobs.double, [5, 6, 7]))
    assert got == {0: 10, 1: 12, 2: 14}


def test_arrays_arrive_as_they_left(compute):
    arrays = [np.asfortranarray(np.arange(12.0).reshape(3, 4)), np.zeros((0, 3)), np.ones((600, 600))]
    results = compute.map(jobs.shape_and_flags, arrays)
    assert [r[:2] for r in results] == [((3, 4), True), ((0, 3), True), ((600, 600), True)]
    assert results[0][2:] == (True, 66.0)
    assert results[2][3] == 360_000.0


def test_what_a_function_carries_travels_with_it(compute):
    assert compute.map(partial(jobs.add_to, np.ones(50_000)), [1, 2]) == [50_001.0, 50_002.0]


def test_failures_are_kept_without_foreign_texts(compute):
    results = compute.map(jobs.fail_on_three, list(range(6)), keep_going=True)
    assert [r for r in results if not isinstance(r, TaskFailure)] == [0, 1, 2, 5]
    own, foreign = results[3], results[4]
    assert (own.index, own.kind, own.message) == (3, "DesignError", "group has 1 level; expected 2 or more.")
    assert (foreign.index, foreign.kind) == (4, "ValueError")
    assert "compute_jobs.py, line" in foreign.message
    assert "0101011234" not in repr(foreign)


def test_a_failure_is_raised_as_what_it_is(compute):
    with pytest.raises(DesignError, match="1 level"):
        compute.map(jobs.fail_on_three, [1, 3])
    with pytest.raises(EstimationError, match="Task 1 failed: ValueError") as caught:
        compute.map(jobs.fail_on_three, [1, 4])
    assert "0101011234" not in str(caught.value)
    assert compute.map(jobs.double, [1, 2, 3]) == [2, 4, 6]


def test_tasks_that_have_not_begun_are_dropped_after_a_failure(compute, tmp_path):
    with pytest.raises(DesignError):
        compute.map(jobs.wait_then_write, [(str(tmp_path), i) for i in range(50)])
    assert compute.map(jobs.double, [4]) == [8]
    assert len(list(tmp_path.iterdir())) < 10


def test_a_run_may_be_left_in_the_middle(compute):
    for index, result in compute.imap_unordered(jobs.double, list(range(9))):
        assert result == 2 * index
        break
    assert compute.map(jobs.double, list(range(9))) == list(range(0, 18, 2))


def test_progress_counts_every_task(compute):
    seen = []
    compute.map(jobs.fail_on_three, list(range(6)), keep_going=True, progress=seen.append)
    assert [p.done for p in seen] == [1, 2, 3, 4, 5, 6]
    assert {p.total for p in seen} == {6}
    assert seen[-1].failed == 2
    assert seen[-1].seconds_left == 0
    assert seen[0].seconds_left == pytest.approx(5 * seen[0].seconds)


def test_one_thread_per_library_in_a_worker(two):
    before = {k: os.environ.get(k) for k in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS")}
    assert two.map(jobs.threads_in_use, [0, 1]) == [(1, 1), (1, 1)]
    assert before == {k: os.environ.get(k) for k in before}


def test_one_blas_thread_in_this_process_while_a_task_runs():
    from threadpoolctl import threadpool_info, threadpool_limits

    with threadpool_limits(2, user_api="blas"):
        assert InProcess().map(jobs.threads_in_use, [0])[0][0] == 1
        assert max(p["num_threads"] for p in threadpool_info() if p["user_api"] == "blas") == 2


def test_what_cannot_travel_is_named(two):
    with pytest.raises(SpecError, match="function cannot be sent"):
        two.map(lambda x: x, [1])
    with pytest.raises(SpecError, match="task 1 cannot be sent"):
        two.map(jobs.double, [1, lambda: 1])
    (failure,) = two.map(jobs.unpicklable_result, [1], keep_going=True)
    assert failure.kind == "SpecError"
    assert "result of type function cannot be sent" in failure.message


def test_one_run_at_a_time(two):
    run = two.imap_unordered(jobs.double, [1, 2, 3])
    next(run)
    with pytest.raises(SpecError, match="at work already"):
        two.map(jobs.double, [1])
    run.close()
    assert two.map(jobs.double, [1]) == [2]


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_killed_process_costs_no_result(n_jobs, tmp_path):
    tasks = [(str(tmp_path), i) for i in range(8)]
    with jc.LocalCompute(n_jobs) as compute, pytest.warns(RuntimeWarning, match="signal 9"):
        assert compute.map(jobs.die_once, tasks) == [i * 1.5 for i in range(8)]
    assert (tmp_path / "died").exists()


def test_a_task_that_kills_every_time_is_given_up():
    with jc.LocalCompute(2) as compute, pytest.warns(RuntimeWarning) as warned:
        results = compute.map(jobs.die_always, [0, 1, 2, 3], keep_going=True)
    assert [r for r in results if not isinstance(r, TaskFailure)] == [0, 2, 3]
    assert (results[1].kind, results[1].index) == ("WorkerLost", 1)
    assert len(warned) == 3


def test_blocks_answer_in_order_and_keep_their_state(compute):
    with compute.open_blocks(jobs.Sums, [1, 2, 3, 4, 5]) as blocks:
        assert len(blocks) == 5
        assert blocks.call("add", 2.0) == [2.0] * 5
        assert blocks.call("add", 1.0, per_block=[0, 1, 2, 3, 4]) == [3.0, 4.0, 5.0, 6.0, 7.0]
        weights = np.linspace(0, 1, 400)
        expected = [jobs.Sums(spec).cross(weights) for spec in (1, 2, 3, 4, 5)]
        for got, want in zip(blocks.call("cross", weights), expected, strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-12)


def test_blocks_are_dealt_out_and_stay(two):
    with two.open_blocks(jobs.Sums, [1, 2, 3, 4, 5]) as blocks:
        places = blocks.call("place")
        assert places[0] == places[2] == places[4] != places[1] == places[3]
        assert os.getpid() not in places
        two.map(jobs.double, list(range(9)))
        assert blocks.call("place") == places


def test_a_shared_matrix_is_sent_once_per_worker(two):
    matrix = np.random.default_rng(1).normal(size=(3000, 3000))
    with two.open_blocks(jobs.Sums, [1, 2, 3, 4]) as blocks:
        got = blocks.call("number", matrix)
    assert got[0] == got[2]
    assert got[1] == got[3]
    assert {entry[1:] for entry in got} == {(True, True, float(matrix[-1, -1]))}


def test_failures_of_blocks(compute):
    with pytest.raises(DesignError, match="no rows"):
        compute.open_blocks(jobs.Sums, [1, "broken", 3])
    with compute.open_blocks(jobs.Sums, [1, 2, 3]) as blocks:
        with pytest.raises(EstimationError, match="Block 1 failed: ValueError") as caught:
            blocks.call("fail", per_block=[False, True, True])
        assert "0101011234" not in str(caught.value)
        with pytest.raises(EstimationError, match="AttributeError"):
            blocks.call("no_such_method")
        with pytest.raises(SpecError, match="2 entries for 3 blocks"):
            blocks.call("add", 1.0, per_block=[1, 2])
        assert blocks.call("add", 1.0) == [1.0, 1.0, 1.0]
    with pytest.raises(SpecError, match="closed"):
        blocks.call("add", 1.0)
    with pytest.raises(SpecError, match="empty"):
        compute.open_blocks(jobs.Sums, [])


@pytest.mark.filterwarnings("ignore:A worker process ended:RuntimeWarning")
class TestLostBlocks:
    def test_they_are_rebuilt_without_state(self):
        with (
            jc.LocalCompute(2) as compute,
            compute.open_blocks(jobs.Sums, [1, 2, 3], rebuild=True) as blocks,
        ):
            blocks.call("add", 5.0)
            victim = blocks.call("place")[1]
            with pytest.raises(BlockLost, match="1 of 3 blocks were lost") as caught:
                blocks.call("die_in", victim)
            assert (caught.value.lost, caught.value.rebuilt) == ((1,), True)
            assert blocks.call("add", 0.0) == [6.0, 0.0, 6.0]

    def test_they_stay_lost_unless_asked(self):
        with jc.LocalCompute(2) as compute, compute.open_blocks(jobs.Sums, [1, 2, 3]) as blocks:
            victim = blocks.call("place")[0]
            for _ in range(2):
                with pytest.raises(BlockLost) as caught:
                    blocks.call("die_in", victim)
                assert (caught.value.lost, caught.value.rebuilt) == ((0, 2), False)
            assert compute.map(jobs.double, [1, 2]) == [2, 4]

    def test_a_loss_between_calls_is_noticed(self, tmp_path):
        with (
            jc.LocalCompute(2) as compute,
            compute.open_blocks(jobs.Sums, [1, 2], rebuild=True) as blocks,
        ):
            compute.map(jobs.die_once, [(str(tmp_path), i) for i in range(4)])
            with pytest.raises(BlockLost):
                blocks.call("add", 1.0)
            assert sorted(blocks.call("add", 1.0)) == [1.0, 2.0]


def test_closing_leaves_no_process_even_one_at_work():
    before = set(multiprocessing.active_children())
    compute = jc.LocalCompute(2)
    next(compute.imap_unordered(jobs.double, list(range(30))))
    assert len(set(multiprocessing.active_children()) - before) == 2
    compute.close()
    assert set(multiprocessing.active_children()) == before
    with pytest.raises(SpecError, match="closed"):
        compute.map(jobs.double, [1])


def test_a_script_without_a_main_guard_is_told_so(tmp_path):
    script = tmp_path / "unguarded.py"
    script.write_text("import jobchance as jc\nprint(jc.LocalCompute(1).map(abs, [-1]))\n")
    result = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, timeout=60, check=False
    )
    assert result.returncode == 1
    assert "if __name__ == '__main__':" in result.stderr
    assert "SpecError" in result.stderr


@pytest.mark.parametrize("n_jobs", [0, -1, 1.5, True, "some", None])
def test_n_jobs_is_checked(n_jobs):
    with pytest.raises(SpecError, match="whole number of 1 or more"):
        jc.LocalCompute(n_jobs)


def test_all_processors():
    assert jc.LocalCompute("all").n_jobs == os.cpu_count()


@pytest.mark.parametrize("seed", [-1, 1.0, True, "a"])
def test_seed_is_checked(seed):
    with pytest.raises(SpecError, match="seed"):
        InProcess().map(jobs.draw, [1], seed=seed)


def test_none_means_this_process(two):
    assert isinstance(choose_compute(None), InProcess)
    assert choose_compute(two) is two


def test_an_interrupt_leaves_the_object_usable(monkeypatch):
    from jobchance.compute.shipping import Shipment

    def interrupted(connection):
        raise KeyboardInterrupt

    with jc.LocalCompute(2) as compute:
        assert compute.map(jobs.double, [1, 2]) == [2, 4]
        with monkeypatch.context() as patch:
            patch.setattr(Shipment, "receive", interrupted)
            with pytest.raises(KeyboardInterrupt):
                compute.map(jobs.double, [1, 2])
        assert compute.map(jobs.double, list(range(6))) == [0, 2, 4, 6, 8, 10]


def test_a_shipment_survives_a_second_journey_and_the_garbage_collector():
    """A buffer on a view crashes Python 3.11 when the collector finds both in a loop."""
    import gc
    import pickle

    from jobchance.compute.shipping import Shipment

    for _ in range(200):
        buffers = []
        stream = pickle.dumps(Shipment.pack(np.arange(5.0), what="array"), 5, buffer_callback=buffers.append)
        views = [memoryview(bytearray(buffer)) for buffer in buffers]
        arrived = pickle.loads(stream, buffers=views)
        loop = [arrived.__reduce_ex__(5)]
        loop.append(loop)
        again = pickle.loads(pickle.dumps(arrived, 4))
        assert (again.open() == np.arange(5.0)).all()
        del loop, arrived, again, views, buffers
    gc.collect()
