"""A limit on the memory of worker processes: the task that asks for more fails, the process lives on."""

import compute_jobs as jobs
import pytest

import jobchance as jc
from jobchance.errors import SpecError


def test_a_task_that_asks_for_too_much_fails_and_its_worker_lives_on():
    pytest.importorskip("resource", reason="this system has no limits on memory")
    with jc.LocalCompute(1, memory_gb=1.0) as compute:
        results = compute.map(jobs.fill_megabytes, [10, 3000, 20], keep_going=True)
        assert (results[0], results[2]) == (10e6, 20e6)
        assert results[1].kind in ("MemoryError", "_ArrayMemoryError")
    with jc.LocalCompute(1) as compute:
        assert compute.map(jobs.fill_megabytes, [1200]) == [1200e6]


@pytest.mark.parametrize("memory_gb", [0, -1, float("inf"), float("nan"), True, "2"])
def test_the_limit_is_checked(memory_gb):
    with pytest.raises(SpecError, match="memory_gb="):
        jc.LocalCompute(1, memory_gb=memory_gb)
