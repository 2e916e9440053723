"""A progress bar on a terminal; elsewhere silence, or a plain line now and then for runs of hours."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import isfinite
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jobchance.note.status_note import Progress
    from jobchance.sensitivity.multiverse.progress import MultiverseProgress

_SHARE, _LEAST_SECONDS, _SECONDS = 0.1, 1.0, 10.0
_PATIENCE = 0.05  # of the time passed: a run of a day writes lines by the hour


@contextmanager
def progress_bar() -> Iterator[Progress | None]:
    """Yield a callable `(what, step, steps)` that moves a bar on standard error, or None off a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (BarColumn(), TextColumn("{task.completed:.0f}/{task.total:.0f}"), TimeElapsedColumn())
    bar = Progress(*columns, TextColumn("{task.description}"), console=Console(stderr=True), transient=True)
    with bar:
        task = bar.add_task("", total=1)
        yield lambda what, step, steps: bar.update(task, description=what, completed=step, total=steps)


@contextmanager
def multiverse_progress(lang: str) -> Iterator[Callable[[MultiverseProgress], None]]:
    """Yield a callable that shows a run on standard error: one moving line, sparse lines off a terminal."""
    if not sys.stderr.isatty():
        yield SparseLines(lambda state: print(progress_line(state, lang), file=sys.stderr, flush=True))
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    columns = (BarColumn(), TextColumn("{task.description}", markup=False))
    bar = Progress(*columns, console=Console(stderr=True), transient=True)
    with bar:
        task = bar.add_task("", total=1)
        yield lambda state: bar.update(
            task, description=progress_line(state, lang), completed=state.done, total=max(state.total, 1)
        )


class SparseLines:
    """Passes a state on after another tenth of the work, or after ten seconds and more as time goes by."""

    def __init__(self, write: Callable[[MultiverseProgress], None]) -> None:
        self._write = write
        self._last: tuple[float, int] | None = None
        self._start = time.monotonic()

    def __call__(self, state: MultiverseProgress) -> None:
        """Write the state, or pass over it."""
        now = time.monotonic()
        if self._last is not None:
            waited, further = now - self._last[0], state.done - self._last[1]
            much = further >= _SHARE * state.total and waited >= _LEAST_SECONDS
            if not much and waited < max(_SECONDS, _PATIENCE * (now - self._start)):
                return
        self._last = now, state.done
        self._write(state)


def progress_line(state: MultiverseProgress, lang: str) -> str:
    """Done and total, failed, rate and time left in words."""
    from jobchance.formatting import Formatter
    from jobchance.labels.load import label

    text = Formatter(lang)
    counts = {name: text.count(getattr(state, name)) for name in ("done", "total", "failed")}
    if not state.rate or not isfinite(state.seconds_left):
        return label("multiverse_run.progress_start", lang, **counts)
    rate = text.number(state.rate, decimals=0 if state.rate >= 10 else 1)
    return label("multiverse_run.progress", lang, rate=rate, left=_clock(state.seconds_left), **counts)


def _clock(seconds: float) -> str:
    """Hours, minutes and seconds as `1:02:03` or `2:03`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
