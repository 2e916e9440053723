"""Blocks: objects that hold rows and state, stay where they were built, and are called all together."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self

from jobchance.compute.tasks import TaskFailure, describe_failure, first_failure
from jobchance.compute.threads import one_thread
from jobchance.errors import EstimationError, SpecError

MAX_BUILDS = 3


class BlockLost(EstimationError):  # noqa: N818 - an event that the caller answers, by its agreed name
    """Workers ended and their blocks with them; the call gave no result.

    Parameters
    ----------
    lost : tuple of int
        Places of the lost blocks, from 0.
    n_blocks : int
        Blocks in all.
    rebuilt : bool
        Whether they were built again from their specs. Their state (anything a method changed) is lost, and
        the surviving blocks have carried the call out: start the evaluation again from the first call.
    """

    def __init__(self, lost: tuple[int, ...], n_blocks: int, rebuilt: bool) -> None:
        self.lost, self.n_blocks, self.rebuilt = lost, n_blocks, rebuilt
        after = "They were built again, without their state: start the evaluation again."
        if not rebuilt:
            after = "They were not built again: open the blocks anew (rebuild=True does so by itself)."
        super().__init__(
            f"{len(lost)} of {n_blocks} blocks were lost because a worker process ended "
            f"(killed, or out of memory). {after}"
        )

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel with the three parts instead of the text."""
        return BlockLost, (self.lost, self.n_blocks, self.rebuilt)


class Blocks(ABC):
    """Handle on the blocks of one `open_blocks`; close it, or use it as a context manager, to free them."""

    def __init__(self, n_blocks: int, *, rebuild: bool) -> None:
        self._n, self._rebuild = n_blocks, rebuild
        self._missing: set[int] = set(range(n_blocks))
        self._closed = False

    def __len__(self) -> int:
        return self._n

    def call(self, method: str, *shared: Any, per_block: Sequence[Any] | None = None) -> list[Any]:
        """Call `block.method(*shared)` of every block and return the results in block order.

        Parameters
        ----------
        method : str
            Name of a method of every block.
        *shared : object
            The same arguments for all, sent once per worker however many blocks it holds. Methods must not
            write into them.
        per_block : sequence, optional
            One more, last argument for each block.

        Returns
        -------
        list
            One result per block. Sums over it are the same wherever the blocks live, since their order is.
            Methods should return fresh arrays, not views of the block's own.

        Raises
        ------
        BlockLost
            A worker ended before it had answered for all its blocks. With `rebuild=True` the lost blocks
            have been built again, here or elsewhere, without their state.
        EstimationError
            With `rebuild=True`: the lost blocks could not be built again.
        SpecError
            The blocks are closed; `per_block` has another length than the blocks; an argument cannot be sent.
        JobchanceError
            A method failed: the failure of the lowest block is raised, as in `Compute.map`. The other blocks
            have carried out the call.
        """
        self._check(per_block)
        answers = self._ask(method, shared, per_block)
        lost = tuple(i for i in range(self._n) if i not in answers)
        if lost:
            self._missing.update(lost)
            if self._rebuild:
                self.fill()
            raise BlockLost(lost, self._n, rebuilt=self._rebuild)
        results = [answers[i] for i in range(self._n)]
        if failure := first_failure(results):
            raise failure.as_error("Block")
        return results

    def fill(self) -> None:
        """Build every block that is missing; several rounds, as a worker may end meanwhile."""
        for _ in range(MAX_BUILDS):
            built = self._build(sorted(self._missing))
            if failure := first_failure([built[i] for i in sorted(built)]):
                raise failure.as_error("Block")
            self._missing.difference_update(built)
            if not self._missing:
                return
        raise EstimationError(
            f"{len(self._missing)} of {self._n} blocks could not be built: a worker process ended each of "
            f"the {MAX_BUILDS} times. Often memory: use fewer workers or smaller blocks."
        )

    def close(self) -> None:
        """Free the blocks; calling twice does no harm."""
        if not self._closed:
            self._closed = True
            self._drop()

    @abstractmethod
    def _ask(
        self, method: str, shared: tuple[Any, ...], per_block: Sequence[Any] | None
    ) -> Mapping[int, Any]:
        """Return results and failures by block; blocks that were lost are absent."""

    @abstractmethod
    def _build(self, indices: list[int]) -> Mapping[int, TaskFailure | None]:
        """Build blocks: None or the failure of each; absent where the worker ended."""

    @abstractmethod
    def _drop(self) -> None:
        """Free the blocks where they live."""

    def _check(self, per_block: Sequence[Any] | None) -> None:
        """Refuse calls that cannot be carried out."""
        if self._closed:
            raise SpecError("These blocks are closed: open them again before calling them.")
        if per_block is not None and len(per_block) != self._n:
            raise SpecError(
                f"per_block has {len(per_block)} entries for {self._n} blocks; expected one each."
            )
        if self._missing:
            raise BlockLost(tuple(sorted(self._missing)), self._n, rebuilt=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class BlockHolder:
    """The blocks that live at one place, and the way they are built and called there.

    Parameters
    ----------
    n_threads : int
        Threads that call blocks side by side; each block is called by one at a time.
    """

    def __init__(self, n_threads: int = 1) -> None:
        self._n_threads = n_threads
        self._blocks: dict[int, Any] = {}

    def build(self, factory: Callable[[Any], Any], specs: Mapping[int, Any]) -> dict[int, TaskFailure | None]:
        """Build blocks in place of those of the same number; None or the failure of each."""

        def build_one(index: int) -> TaskFailure | None:
            self._blocks.pop(index, None)
            try:
                with one_thread:
                    self._blocks[index] = factory(specs[index])
            except Exception as error:
                return describe_failure(error, index)
            return None

        return self._each(build_one, specs)

    def call(
        self, method: str, shared: tuple[Any, ...], per_block: Mapping[int, Any] | None
    ) -> dict[int, Any]:
        """Call every block held here; results and failures by block."""

        def call_one(index: int) -> Any:
            own = () if per_block is None else (per_block[index],)
            try:
                with one_thread:
                    return getattr(self._blocks[index], method)(*shared, *own)
            except Exception as error:
                return describe_failure(error, index)

        return self._each(call_one, self._blocks)

    def _each(self, function: Callable[[int], Any], indices: Iterable[int]) -> dict[int, Any]:
        """Apply a function to block numbers, on several threads if allowed."""
        numbers = sorted(indices)
        if self._n_threads == 1 or len(numbers) == 1:
            return {index: function(index) for index in numbers}
        with ThreadPoolExecutor(self._n_threads) as pool:
            return dict(zip(numbers, pool.map(function, numbers), strict=True))


def check_specs(specs: Sequence[Any], factory: Callable[[Any], Any]) -> list[Any]:
    """Return the specs as a list; `SpecError` if there are none or the factory cannot be called."""
    if not callable(factory):
        raise SpecError(f"factory is {type(factory).__name__}; expected something that can be called.")
    listed = list(specs)
    if not listed:
        raise SpecError("specs is empty: there is no block to build.")
    return listed


def entries(values: Sequence[Any] | None, indices: Iterable[int]) -> dict[int, Any] | None:
    """Return the entries of a per-block argument that a worker needs, None for no such argument."""
    return None if values is None else {index: values[index] for index in indices}
