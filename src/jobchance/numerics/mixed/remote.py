"""Blocks of rows that live elsewhere: their pool, and evaluations that start again where blocks were lost.

A `Held` is what lives at one place: the engine's blocks of one partition of the data. A lost one is built
anew by whoever holds it, without the modes it had found; the evaluation then starts from modes of zero.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from jobchance.numerics.mixed.estimate_laplace import LaplaceRows
from jobchance.numerics.mixed.estimate_linear import LinearRows
from jobchance.numerics.mixed.laplace import LaplaceProblem, LaplaceState
from jobchance.numerics.mixed.linear import LinearProblem, LinearState
from jobchance.numerics.mixed.modes import Finished
from jobchance.numerics.mixed.pool import Pool

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

MAX_RESTARTS = 5


class Interrupted(Exception):  # noqa: N818 - an event that `restarted` answers
    """Blocks were lost, and built again without their state, within an evaluation."""


class RemoteBlocks(Protocol):
    """Objects that live elsewhere and are called all together, such as `jobchance.compute.blocks.Blocks`."""

    def call(self, method: str, *shared: Any) -> list[Any]:
        """Result of the method of every object, in order."""
        ...


@dataclass(frozen=True, eq=False)
class Held:
    """What lives at one place: blocks of one partition, and texts of its levels by grouping."""

    blocks: Sequence[Any]
    labels: dict[str, tuple[str, ...]]

    def each(self, method: str, arguments: tuple[Any, ...]) -> list[Any]:
        """Result of the method of every block."""
        return [getattr(block, method)(*arguments) for block in self.blocks]

    def texts(self) -> dict[str, tuple[str, ...]]:
        """Texts of the levels by grouping."""
        return self.labels


class RemotePool:
    """Pool of blocks inside `Held` objects that live elsewhere.

    Parameters
    ----------
    remote : RemoteBlocks
        The `Held` objects.
    lost : type
        The exception that says that objects were lost and built again.
    """

    shares_memory = False

    def __init__(self, remote: RemoteBlocks, lost: type[Exception]) -> None:
        self.remote, self.lost = remote, lost
        self.evaluating = False
        self.recover: Callable[[], None] | None = None

    def call(self, method: str, *arguments: Any) -> list[Any]:
        """Result of the method of every block, in block order.

        Between evaluations lost blocks are brought to the last point, and the call is made again.
        """
        return [part for parts in self.ask("each", method, arguments) for part in parts]

    def ask(self, method: str, *arguments: Any) -> list[Any]:
        """Result of the method of every `Held`."""
        for _ in range(MAX_RESTARTS):
            try:
                return self.remote.call(method, *arguments)
            except self.lost as error:
                if self.evaluating:
                    raise Interrupted from error
            if self.recover is not None:
                self.recover()
        return self.remote.call(method, *arguments)


def restarted(pool: Pool, evaluate: Callable[[], Any], reset: Callable[[], None]) -> Any:
    """Carry out an evaluation, from its beginning where blocks are lost on the way."""
    if not isinstance(pool, RemotePool):
        return evaluate()
    for _ in range(MAX_RESTARTS):
        pool.evaluating = True
        try:
            return evaluate()
        except Interrupted:
            pool.evaluating = False
            pool.recover = None
            reset()
        finally:
            pool.evaluating = False
    return evaluate()


class RemoteLinearProblem(LinearProblem):
    """A linear problem whose blocks may be lost and built again."""

    def evaluate(self, theta: Floats) -> LinearState:
        """Criterion, gradient and profiled estimates at theta."""
        once = super().evaluate
        state: LinearState = restarted(self.pool, lambda: once(theta), lambda: None)
        if isinstance(self.pool, RemotePool):
            self.pool.recover = lambda: self._repeat(theta)
        return state

    def _repeat(self, theta: Floats) -> None:
        """Evaluate again after the loss of blocks."""
        self.evaluate(theta)


class RemoteLaplaceProblem(LaplaceProblem):
    """A generalised linear or ordinal problem whose blocks may be lost and built again."""

    def evaluate(self, theta: Floats, alpha: Floats, beta: Floats) -> LaplaceState:
        """Modes, criterion and gradient."""
        once = super().evaluate
        state: LaplaceState = restarted(self.pool, lambda: once(theta, alpha, beta), self.reset)
        if isinstance(self.pool, RemotePool):
            self.pool.recover = lambda: self._repeat(theta, alpha, beta)
        return state

    def _repeat(self, theta: Floats, alpha: Floats, beta: Floats) -> None:
        """Evaluate again after the loss of blocks, from modes of zero."""
        assert isinstance(self.pool, RemotePool), "nothing else loses blocks"
        self.pool.recover = None
        self.reset()
        self.evaluate(theta, alpha, beta)


def least_information(pool: Pool, n: int) -> float:
    """Least information about a coefficient of the search, against the mean of W, at the last parameters."""
    parts: list[tuple[float, Floats]] = pool.call("information_left")
    mean = sum(total for total, _ in parts) / n
    left = np.sum([matrix for _, matrix in parts], axis=0) / n
    return float(np.linalg.eigvalsh(left)[0]) / max(mean, 1e-300) if len(left) else 1.0


class LinearPart(LinearRows):
    """A block of a linear model that keeps its rows to itself; `tells`: whether effects are wanted."""

    tells = True

    def finish(self, Q: Floats, xr: Floats, inverse: Floats) -> Finished:
        """Modes at the last theta."""
        return level_effects(super().finish(Q, xr, inverse), self.tells)


class LaplacePart(LaplaceRows):
    """A block of other models that keeps its rows to itself; `tells`: whether effects are wanted."""

    tells = True

    def information_left(self) -> tuple[float, Floats]:
        """Sum of W, and X'WX, at the last parameters."""
        return float(self.W.sum()), (self.X * self.W[:, None]).T @ self.X

    def finish(self, ur: Floats, inverse: Floats) -> Finished:
        """Modes at the last parameters."""
        return level_effects(super().finish(ur, inverse), self.tells)


def level_effects(made: Finished, tells: bool) -> Finished:
    """What a block knows of its levels, if wanted, and nothing of its rows."""
    n = len(made.levels) if tells else 0
    return replace(
        made,
        rows=made.rows[:0],
        random=made.random[:0],
        levels=made.levels[:n],
        u=made.u[:n],
        covariances=made.covariances[:n],
    )
