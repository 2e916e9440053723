"""Functions and blocks that travel to workers in the tests; they must live in an importable module."""

import os
import signal
import time
from pathlib import Path

import numpy as np

from jobchance.errors import DesignError


def draw(task, rng):
    """Random numbers, a product and a factorisation: sensitive to seed, thread count and task."""
    x = rng.normal(size=(150, 150 + task))
    return np.linalg.cholesky(x @ x.T).sum(axis=0)


def double(task):
    return 2 * task


def shape_and_flags(task):
    return task.shape, task.flags.writeable, task.flags.f_contiguous, float(task.sum())


def fill_megabytes(task):
    return float(np.ones(task * 1_000_000, dtype=np.uint8).sum())


def double_slowly(task):
    time.sleep(0.2)
    return 2 * task


def add_to(base, task):
    return float(base.sum()) + task


def fail_on_three(task):
    if task == 3:
        raise DesignError("group has 1 level; expected 2 or more.")
    if task == 4:
        raise ValueError("citizen 0101011234 has income 123")
    return task


def wait_then_write(task):
    """Leave a trace of having begun."""
    folder, number = task
    (Path(folder) / str(number)).touch()
    if number == 0:
        raise DesignError("stop")
    time.sleep(0.1)
    return number


def unpicklable_result(task):
    return lambda: task


def die_once(task):
    """The process of task 2 is killed the first time it runs."""
    folder, number = task
    mark = Path(folder) / "died"
    if number == 2 and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number * 1.5


def die_always(task):
    if task == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return task


def threads_in_use(task):
    import numba
    import threadpoolctl

    pools = [pool["num_threads"] for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas"]
    return max(pools), numba.config.NUMBA_NUM_THREADS


class Sums:
    """A block with state: columns made from a seed, and a running total."""

    def __init__(self, spec):
        if spec == "broken":
            raise DesignError("no rows in 1 file")
        self.x = np.random.default_rng(spec).normal(size=(400, 30))
        self.total = 0.0

    def cross(self, weights):
        return self.x.T @ (self.x * weights[:, None])

    def add(self, amount, own=0.0):
        self.total += amount + own
        return self.total

    def place(self):
        return os.getpid()

    def number(self, matrix):
        """Identity of the shared argument at the place where the block lives, and what it is like."""
        return id(matrix), matrix.flags.writeable, matrix.flags.c_contiguous, float(matrix[-1, -1])

    def die_in(self, pid):
        self.total += 1
        if os.getpid() == pid:
            os.kill(os.getpid(), signal.SIGKILL)
        return self.total

    def fail(self, own):
        if own:
            raise ValueError("citizen 0101011234 has income 123")
        return own
