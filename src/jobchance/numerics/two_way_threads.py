"""Work that two threads share: compiled loops over a range of rows, and tasks independent of each other.

A range is cut at the same place whatever the machine, and each part writes numbers of its own: results do not
depend on the number of threads.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Given = TypeVar("Given")
Made = TypeVar("Made")

_WORTH = 50_000  # steps of a loop that are done before a thread has started


def in_two(
    kernel: Callable[..., object],
    n: int,
    *arguments: object,
    cut: int | None = None,
    steps: int | None = None,
) -> None:
    """Call `kernel(*arguments, low, high)` for the two parts of 0..n, cut in the middle or at `cut`.

    The kernel must release the interpreter lock and be free of sums over both parts. `steps` is how long its
    loop is, where that is not n.
    """
    if (n if steps is None else steps) < _WORTH:
        kernel(*arguments, 0, n)
        return
    middle = n // 2 if cut is None else cut
    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(kernel, *arguments, 0, middle)
        kernel(*arguments, middle, n)
        other.result()


def each(task: Callable[[Given], Made], given: Sequence[Given], *, steps: int) -> list[Made]:
    """Results of a task of about `steps` steps in the order of what it is given, two at a time."""
    if steps < _WORTH:
        return [task(part) for part in given]
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(task, given))
