"""The one way kernels are compiled: cached on disk, without the interpreter lock, dividing as numpy does."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

import numba

Kernel = TypeVar("Kernel", bound=Callable[..., object])


def njit(kernel: Kernel) -> Kernel:
    """Compile a kernel at its first call; the type checker goes on seeing the plain function."""
    return cast(Kernel, numba.njit(cache=True, nogil=True, error_model="numpy")(kernel))
