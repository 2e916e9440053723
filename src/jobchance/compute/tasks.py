"""One task: its own random numbers, what its failure may say, and how far a run has come."""

from __future__ import annotations

import pickle
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from jobchance.compute.threads import one_thread
from jobchance.errors import EstimationError, JobchanceError, SpecError

WORKER_LOST = "WorkerLost"
CLUSTER_LOST = "ClusterLost"


@dataclass(frozen=True)
class TaskFailure:
    """A task that gave no result, kept in its place among the results.

    Parameters
    ----------
    index : int
        Place of the task in the list, from 0.
    kind : str
        Name of the error's type; `WorkerLost` if the worker process ended each time the task ran,
        `ClusterLost` if there is no cluster any more to run it.
    message : str
        The error's text if it is one of this package's own, which never hold a value of data; of any other
        error only where it was raised.
    error : JobchanceError or None
        The own error itself.
    """

    index: int
    kind: str
    message: str
    error: JobchanceError | None = field(default=None, compare=False, repr=False)

    def as_error(self, what: str) -> JobchanceError:
        """Return the error to raise: the package's own as it was, any other as an `EstimationError`."""
        if self.error is not None:
            return self.error
        return EstimationError(f"{what} {self.index} failed: {self.kind}; {self.message}")


@dataclass(frozen=True)
class Progress:
    """How far a run has come.

    Parameters
    ----------
    done, total : int
        Tasks that ended (failures included) and tasks in all.
    failed : int
        How many of `done` failed.
    seconds : float
        Time since the start.
    seconds_left : float
        Time still needed at the pace so far.
    """

    done: int
    total: int
    failed: int
    seconds: float
    seconds_left: float


class Clock:
    """Counts ended tasks and tells the callback."""

    def __init__(self, total: int, callback: Callable[[Progress], None] | None) -> None:
        self._total, self._callback = total, callback
        self._done, self._failed = 0, 0
        self._start = time.monotonic()

    def tick(self, outcome: object) -> None:
        """One more task has ended."""
        self._done += 1
        self._failed += isinstance(outcome, TaskFailure)
        if self._callback is not None:
            seconds = time.monotonic() - self._start
            left = seconds / self._done * (self._total - self._done)
            self._callback(Progress(self._done, self._total, self._failed, seconds, left))


def task_generator(seed: np.random.SeedSequence, index: int) -> np.random.Generator:
    """Random numbers of task `index`: those of the child that `seed.spawn` would give it."""
    child = np.random.SeedSequence(seed.entropy, spawn_key=(*seed.spawn_key, index), pool_size=seed.pool_size)
    return np.random.default_rng(child)


def check_seed(seed: int | np.random.SeedSequence | None) -> np.random.SeedSequence | None:
    """Return the seed as a `SeedSequence`; `SpecError` unless it is one, a whole number >= 0, or None."""
    if seed is None or isinstance(seed, np.random.SeedSequence):
        return seed
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise SpecError(
            f"seed is {type(seed).__name__}; expected a whole number of 0 or more, a numpy SeedSequence, "
            "or None for tasks without random numbers."
        )
    return np.random.SeedSequence(int(seed))


def run_task(
    function: Callable[..., Any], task: Any, seed: np.random.SeedSequence | None, *, index: int
) -> Any:
    """Return `function(task)` or, with a seed, `function(task, generator)`; a failure instead of an error."""
    arguments = (task,) if seed is None else (task, task_generator(seed, index))
    try:
        with one_thread:
            return function(*arguments)
    except Exception as error:
        return describe_failure(error, index)


def describe_failure(error: Exception, index: int) -> TaskFailure:
    """Return what may be told of an error: all of our own, of others the type and the place."""
    kind = type(error).__name__
    if isinstance(error, JobchanceError):
        return TaskFailure(index, kind, str(error), _portable(error))
    place = traceback.extract_tb(error.__traceback__)[-1:]
    where = "".join(f"raised in {Path(p.filename).name}, line {p.lineno}, {p.name}" for p in place)
    return TaskFailure(index, kind, f"{where}; its text is withheld, since it may hold values of data")


def lost_worker(index: int, runs: int) -> TaskFailure:
    """Return the failure of a task that ended its worker every time."""
    text = f"its worker process ended each of the {runs} times it ran; often memory: use fewer workers"
    return TaskFailure(index, WORKER_LOST, text)


def first_failure(outcomes: Sequence[Any]) -> TaskFailure | None:
    """Return the failure of the lowest index, if there is one."""
    return next((outcome for outcome in outcomes if isinstance(outcome, TaskFailure)), None)


def _portable(error: JobchanceError) -> JobchanceError | None:
    """Return the error if another process can read it, else None."""
    try:
        copy = pickle.loads(pickle.dumps(error))
    except Exception:
        return None
    return copy if isinstance(copy, JobchanceError) else None
