"""Calling all blocks of rows: in this process, in threads when there are several.

The compiled loops release the interpreter lock, so threads share the work. Results come in block order and are
added in that order: the same numbers whatever the number of threads.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol


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
    """Blocks held in this process."""

    def __init__(self, blocks: Sequence[Any]) -> None:
        self.blocks = list(blocks)
        self.shares_memory = len(self.blocks) == 1
        self._threads = ThreadPoolExecutor(len(self.blocks)) if len(self.blocks) > 1 else None

    def call(self, method: str, *arguments: Any) -> list[Any]:
        """Result of the method of every block, in block order."""
        if self._threads is None:
            return [getattr(block, method)(*arguments) for block in self.blocks]
        waiting = [self._threads.submit(getattr(block, method), *arguments) for block in self.blocks]
        return [future.result() for future in waiting]
