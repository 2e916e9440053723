"""One thread per numerical library while a task runs, wherever it runs.

A matrix product or factorisation split over two threads is summed in another order and differs in its last
bits from one that is not; on a busy machine two threads on a matrix of order 300 took 100 times longer than
one. Work is spread over tasks and rows instead, so results never depend on the machine's size.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import scipy.linalg  # noqa: F401 - brings its own BLAS, which must be loaded before threads are counted
from threadpoolctl import ThreadpoolController

_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMBA_NUM_THREADS",
)


class _Limit:
    """A process-wide limit that several threads may hold at once; the last one out lifts it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._holders = 0
        self._limits: Any = None
        self._controller: ThreadpoolController | None = None  # looking for libraries takes milliseconds

    def __enter__(self) -> None:
        with self._lock:
            if self._holders == 0:
                self._controller = self._controller or ThreadpoolController()
                self._limits = self._controller.limit(limits=1)
            self._holders += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._holders -= 1
            if self._holders == 0:
                self._limits.restore_original_limits()
                self._limits = None


one_thread = _Limit()


@contextmanager
def one_thread_environment() -> Iterator[None]:
    """Processes started inside inherit variables that give each numerical library one thread."""
    before = {name: os.environ.get(name) for name in _VARIABLES}
    os.environ.update(dict.fromkeys(_VARIABLES, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
