"""How far a run has come, its pace, and the time left by the kinds of specification still to run."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class MultiverseProgress:
    """How far a multiverse has come.

    Parameters
    ----------
    done, total : int
        Specifications that are finished, earlier runs included, and specifications in all.
    failed : int
        How many of `done` gave no estimate.
    resumed : int
        How many of `done` an earlier run had finished.
    seconds : float
        Time since this run began.
    rate : float
        Specifications per second in this run; 0 before the first.
    seconds_left : float
        Time still needed; not a number before the first result. Dear and cheap estimators are told apart.
    """

    done: int
    total: int
    failed: int
    resumed: int
    seconds: float
    rate: float
    seconds_left: float


Callback = Callable[[MultiverseProgress], None]


class Tracker:
    """Counts finished specifications and tells the callback.

    Parameters
    ----------
    kinds : iterable of str
        Kind (estimator) of every specification still to run.
    resumed, failed : int
        Specifications that an earlier run finished, and how many of them failed.
    callback : callable or None
        Called with a `MultiverseProgress` now and after each result.
    """

    def __init__(self, kinds: Iterable[str], *, resumed: int, failed: int, callback: Callback | None) -> None:
        self._left = Counter(kinds)
        self._total = resumed + self._left.total()
        self._resumed, self._failed, self._callback = resumed, failed, callback
        self._done: Counter[str] = Counter()
        self._spent: dict[str, float] = {}  # seconds at workers
        self._start = time.monotonic()
        self._tell()

    def tick(self, kinds: Sequence[str], *, failed: int, seconds: float) -> None:
        """Specifications of these kinds are finished, after `seconds` together at their worker."""
        for kind in kinds:
            self._left[kind] -= 1
            self._done[kind] += 1
            self._spent[kind] = self._spent.get(kind, 0.0) + seconds / len(kinds)
        self._failed += failed
        self._tell()

    def _tell(self) -> None:
        if self._callback is None:
            return
        done, seconds = self._done.total(), time.monotonic() - self._start
        self._callback(
            MultiverseProgress(
                done=self._resumed + done,
                total=self._total,
                failed=self._failed,
                resumed=self._resumed,
                seconds=seconds,
                rate=done / seconds if done else 0.0,
                seconds_left=self._seconds_left(seconds),
            )
        )

    def _seconds_left(self, seconds: float) -> float:
        """Work left at what each kind has cost so far, in the proportion of elapsed time to work done."""
        done, spent = self._done.total(), sum(self._spent.values())
        if not self._left.total():
            return 0.0
        if not done:
            return float("nan")
        if not spent:
            return seconds / done * self._left.total()
        cost = {kind: self._spent[kind] / n for kind, n in self._done.items() if n}
        work = sum(n * cost.get(kind, spent / done) for kind, n in self._left.items())
        return seconds * work / spent
