"""The same tasks and seed give the same bits in this process, on processes of this machine, and on Dask."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import jobchance as jc
from jobchance.compute.in_process import InProcess

SETTINGS = settings(
    max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def draw(size, rng):
    """Random numbers, a product and a factorisation; last bits depend on the number of BLAS threads."""
    x = rng.standard_normal(size=(size, size + 40))
    return np.linalg.cholesky(x @ x.T)


class Part:
    """A block with a warm start: its answer depends on all calls before."""

    def __init__(self, spec):
        self.x = np.random.default_rng(spec).standard_normal(size=(300, 200))
        self.mode = np.zeros(200)

    def step(self, matrix, shift):
        self.mode = np.tanh(matrix @ self.mode + self.x.sum(axis=0) + shift)
        return self.mode.copy(), self.x.T @ self.x


@pytest.fixture(scope="module")
def places():
    distributed = pytest.importorskip("distributed", reason="the extra `dask` is not installed")
    loopback = "127.0.0.1:0"
    with (
        distributed.LocalCluster(
            n_workers=3,
            threads_per_worker=2,
            processes=True,
            host="127.0.0.1",
            dashboard_address=loopback,
            worker_dashboard_address=loopback,
            memory_limit=0,
        ) as cluster,
        jc.LocalCompute(1) as one,
        jc.LocalCompute(2) as two,
        jc.DaskCompute(cluster.scheduler_address, wait_seconds=20) as dask,
    ):
        dask.client.wait_for_workers(3, timeout=20)
        yield {"one process": one, "two processes": two, "dask": dask}


def bits(arrays):
    return [np.ascontiguousarray(array).tobytes() for array in arrays]


@SETTINGS
@given(seed=st.integers(0, 2**64), sizes=st.lists(st.integers(1, 350), min_size=1, max_size=6))
def test_tasks_give_the_same_bits_everywhere(places, seed, sizes):
    expected = bits(InProcess().map(draw, sizes, seed=seed))
    for name, compute in places.items():
        assert bits(compute.map(draw, sizes, seed=seed)) == expected, name


def test_another_seed_and_another_task_give_other_numbers():
    first, second = InProcess().map(draw, [5, 5], seed=1)
    (other,) = InProcess().map(draw, [5], seed=2)
    assert (first != second).any()
    assert (first != other).any()


def test_the_first_tasks_do_not_depend_on_how_many_follow(places):
    for compute in places.values():
        assert bits(compute.map(draw, [20] * 2, seed=7)) == bits(compute.map(draw, [20] * 6, seed=7)[:2])


@pytest.mark.parametrize("n_blocks", [1, 2, 7])
def test_blocks_give_the_same_bits_everywhere(places, n_blocks):
    matrix = np.random.default_rng(3).standard_normal(size=(200, 200)) / 20
    shifts = np.linspace(-1, 1, n_blocks)

    def run(compute):
        with compute.open_blocks(Part, list(range(n_blocks))) as blocks:
            for _ in range(3):
                parts = blocks.call("step", matrix, per_block=shifts)
            return bits([sum(mode for mode, _ in parts), sum(cross for _, cross in parts)])

    expected = run(InProcess())
    for name, compute in places.items():
        assert run(compute) == expected, name
