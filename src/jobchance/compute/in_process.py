"""The default place to run: this process, one task after the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from jobchance.compute.base import Compute, Outcomes
from jobchance.compute.blocks import BlockHolder, Blocks, check_specs, entries
from jobchance.compute.tasks import TaskFailure, run_task


class InProcess(Compute):
    """Run in this process: nothing is started, nothing is sent.

    Examples
    --------
    >>> with InProcess() as compute:
    ...     compute.map(len, ["a", "bc"])
    [1, 2]
    """

    def open_blocks(
        self, factory: Callable[[Any], Any], specs: Sequence[Any], *, rebuild: bool = False
    ) -> Blocks:
        """Build the blocks in this process; see `Compute.open_blocks`. They cannot be lost."""
        blocks = _Here(factory, check_specs(specs, factory), rebuild=rebuild)
        blocks.fill()
        return blocks

    def _outcomes(
        self, function: Callable[..., Any], tasks: list[Any], seed: np.random.SeedSequence | None
    ) -> Outcomes:
        for index, task in enumerate(tasks):
            yield index, run_task(function, task, seed, index=index)


class _Here(Blocks):
    """Blocks of this process."""

    def __init__(self, factory: Callable[[Any], Any], specs: list[Any], *, rebuild: bool) -> None:
        super().__init__(len(specs), rebuild=rebuild)
        self._factory, self._specs = factory, specs
        self._holder = BlockHolder()

    def _build(self, indices: list[int]) -> Mapping[int, TaskFailure | None]:
        return self._holder.build(self._factory, {index: self._specs[index] for index in indices})

    def _ask(
        self, method: str, shared: tuple[Any, ...], per_block: Sequence[Any] | None
    ) -> Mapping[int, Any]:
        return self._holder.call(method, shared, entries(per_block, range(len(self))))

    def _drop(self) -> None:
        self._holder = BlockHolder()


def choose_compute(compute: Compute | None) -> Compute:
    """Return the place to run that an argument `compute` means; `None` is this process."""
    return InProcess() if compute is None else compute
