"""The one way kernels are compiled: cached on disk, without the interpreter lock, dividing as numpy does."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

import numba

Kernel = TypeVar("Kernel", bound=Callable[..., object])


def njit(kernel: Kernel) -> Kernel:
    """Compile a kernel at its first call; the type checker goes on seeing the plain function.

    Machine code is kept in numba's cache, beside the package or in the user's cache folder. Where neither can
    be written to, kernels are compiled anew in every session.
    """
    options = {"nogil": True, "error_model": "numpy"}
    try:
        return cast(Kernel, numba.njit(cache=True, **options)(kernel))
    except RuntimeError:  # no place for a cache
        return cast(Kernel, numba.njit(**options)(kernel))
