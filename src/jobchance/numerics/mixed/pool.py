"""Calling all blocks of rows: one after the other, or in threads when there are many rows.

The compiled loops release the interpreter lock, so threads share the work. Results come, and are added, in
block order: the numbers are the same whatever the number of threads.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

THREADED = 100_000


class Pool(Protocol):
    """Blocks of rows that live somewhere.

    Parameters
    ----------
    shares_memory : bool
        Whether a block may add to arrays of the caller in place, one block after the other.
    """

    shares_memory: bool

    def call(self, method: str, *arguments: Any) -> list[Any]:
        """Result of the method of every block, in block order."""
        ...


class LocalPool:
    """Blocks held in this process.

    Threads serve many rows, unless S has more elements than there are rows: its copies would cost more.

    Parameters
    ----------
    blocks : sequence of LinearBlock or LaplaceBlock
        The rows.
    """

    def __init__(self, blocks: Sequence[Any]) -> None:
        self.blocks = list(blocks)
        rows = sum(block.block.n for block in self.blocks)
        large = any(block.block.layout.size > rows for block in self.blocks)
        self.shares_memory = len(self.blocks) == 1 or rows < THREADED or large
        workers = min(len(self.blocks), os.cpu_count() or 1)
        self._threads = None if self.shares_memory else ThreadPoolExecutor(workers)

    def call(self, method: str, *arguments: Any) -> list[Any]:
        """Result of the method of every block, in block order."""
        if self._threads is None:
            return [getattr(block, method)(*arguments) for block in self.blocks]
        waiting = [self._threads.submit(getattr(block, method), *arguments) for block in self.blocks]
        return [future.result() for future in waiting]
