"""One thread in matrix routines while a model is estimated.

On a busy machine a factorisation of order 300 took 100 times longer with two threads than with one, and one
of order 1,500 ten times longer; the last digits differ between numbers of threads too. Rows are shared among
threads elsewhere, in `pool`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from threadpoolctl import threadpool_limits


@contextmanager
def one_thread() -> Iterator[None]:
    """Matrix routines use one thread within."""
    with threadpool_limits(limits=1):
        yield
