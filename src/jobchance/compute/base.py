"""What every place to run can do: independent tasks in order or as they come, and blocks that stay there."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from typing import Any, Self

import numpy as np

from jobchance.compute.blocks import Blocks
from jobchance.compute.tasks import Clock, Progress, TaskFailure, check_seed
from jobchance.errors import SpecError

Seed = int | np.random.SeedSequence | None
ProgressCallback = Callable[[Progress], None]
Outcomes = Generator[tuple[int, Any], None, None]


class Compute(ABC):
    """A place to run work: `InProcess`, `LocalCompute` or `DaskCompute`.

    The same tasks and seed give the same numbers, bit for bit, at every place and with any number of
    workers: task i draws from its own generator, made from the seed and i alone; numerical libraries use one
    thread while a task runs; results stand in task order. One run at a time per object.

    A function may be called more than once for a task (when its worker dies) and must not write into its
    arguments.
    """

    def map(
        self,
        function: Callable[..., Any],
        tasks: Sequence[Any],
        *,
        seed: Seed = None,
        progress: ProgressCallback | None = None,
        keep_going: bool = False,
    ) -> list[Any]:
        """Call the function once per task and return the results in task order.

        Parameters
        ----------
        function : callable
            `function(task)` without a seed, `function(task, generator)` with one; defined at the top of an
            importable module. What it carries (`functools.partial`) is sent once per worker.
        tasks : sequence
            One argument per task, small and picklable: a number, a path, a short array.
        seed : int or numpy.random.SeedSequence, optional
            Task i draws from child i of the seed's `SeedSequence.spawn`. `None`: no generator is given.
        progress : callable, optional
            Called with a `Progress` after each task.
        keep_going : bool
            True: a failed task leaves a `TaskFailure` in its place. False: the first failure to arrive is
            raised and the tasks that have not begun are dropped.

        Returns
        -------
        list
            One result per task.

        Raises
        ------
        SpecError
            The function or a task cannot be sent to another process; the seed is no seed; another run of
            this object is under way.
        JobchanceError
            A task failed and `keep_going` is False: one of this package's errors as it was raised, any other
            as an `EstimationError` that gives its type and place but not its text.

        Examples
        --------
        >>> from jobchance.compute.in_process import InProcess
        >>> InProcess().map(abs, [-1, 2, -3])
        [1, 2, 3]
        """
        outcomes: dict[int, Any] = {}
        arriving = self.imap_unordered(function, tasks, seed=seed, progress=progress)
        for index, outcome in arriving:
            if isinstance(outcome, TaskFailure) and not keep_going:
                arriving.close()
                raise outcome.as_error("Task")
            outcomes[index] = outcome
        return [outcomes[index] for index in range(len(tasks))]

    def imap_unordered(
        self,
        function: Callable[..., Any],
        tasks: Sequence[Any],
        *,
        seed: Seed = None,
        progress: ProgressCallback | None = None,
    ) -> Outcomes:
        """Yield `(index, result)` as tasks end, in any order; a `TaskFailure` in place of a missing result.

        Arguments are those of `map`. Closing the generator drops the tasks that have not begun.

        Raises
        ------
        SpecError
            As `map`; at once, before the first result.
        """
        if not callable(function):
            raise SpecError(f"function is {type(function).__name__}; expected something that can be called.")
        outcomes = self._outcomes(function, list(tasks), check_seed(seed))
        return _counted(outcomes, Clock(len(tasks), progress))

    @abstractmethod
    def open_blocks(
        self, factory: Callable[[Any], Any], specs: Sequence[Any], *, rebuild: bool = False
    ) -> Blocks:
        """Build one object per spec at the place where it will live, and return the handle to call them.

        Parameters
        ----------
        factory : callable
            `factory(spec)` builds a block; defined at the top of an importable module.
        specs : sequence
            What each block is made of, small and picklable: paths of files and options, never rows.
        rebuild : bool
            Whether blocks lost with a worker are built again elsewhere (see `Blocks.call`).

        Returns
        -------
        Blocks
            Blocks are dealt to the workers in turn and never move.

        Raises
        ------
        SpecError
            There is no spec, or the factory or a spec cannot be sent to another process.
        JobchanceError
            The factory failed (as in `map`).
        """

    def close(self) -> None:
        """End what this object started; nothing else."""
        return

    @abstractmethod
    def _outcomes(
        self, function: Callable[..., Any], tasks: list[Any], seed: np.random.SeedSequence | None
    ) -> Outcomes:
        """Pack what must travel, at once; run the tasks; yield each index with its result or failure."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _counted(outcomes: Outcomes, clock: Clock) -> Outcomes:
    """Pass outcomes on and tell the clock of each."""
    with closing(outcomes):
        for index, outcome in outcomes:
            clock.tick(outcome)
            yield index, outcome
