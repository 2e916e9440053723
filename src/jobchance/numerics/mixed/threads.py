"""How many threads matrix routines may use: two of them on a small matrix cost more than they give.

On a busy machine a factorisation of order 300 took 100 times longer with two threads than with one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from threadpoolctl import threadpool_limits

from jobchance.numerics.mixed.problem import Factor

LARGE = 1_200


@contextmanager
def limited_threads(factors: Sequence[Factor]) -> Iterator[None]:
    """One thread in matrix routines, unless the matrices are large."""
    columns = sorted(factor.n_levels * factor.z.shape[1] for factor in factors)
    if sum(columns[:-1]) > LARGE:
        yield
        return
    with threadpool_limits(limits=1):
        yield
