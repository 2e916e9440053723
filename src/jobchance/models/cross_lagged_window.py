"""Which waves of long data a cross-lagged model uses."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
import pandas as pd

from jobchance.errors import DesignError

N_WAVES = 5
"""Waves that are used where the caller names none: further ones rest on few who are still observed."""
ENOUGH, ENOUGH_SHARE = 50, 0.1
"""A wave is used while this many entities, or this share if fewer, have both variables in it and before."""


def choose_waves(
    rows: pd.DataFrame, *, entity: str, time: str, waves: Sequence[Hashable] | None, least: int
) -> list[Hashable]:
    """The waves asked for, or the first ones with enough entities."""
    found = sorted(rows[time].unique().tolist())
    if waves is not None:
        absent = [str(wave) for wave in waves if wave not in found]
        if absent or len(set(waves)) < max(least, len(waves)):
            raise DesignError(
                f"waves must name at least {least} different values of {time}; given {len(set(waves))}, of "
                f"which {len(absent)} do not occur."
            )
        return sorted(waves, key=found.index)
    rows = rows.loc[rows[["__x", "__y"]].notna().all(axis=1), [entity, time]]
    window, enough = _first_waves(rows, entity, time, found)
    if len(window) < least:
        raise DesignError(
            f"The model needs {least} waves of {time} in a row with both variables for at least {enough} "
            f"entities who had them the wave before; {len(window)} of {len(found)} waves qualify."
        )
    return window


def usable_waves(data: pd.DataFrame, *, x: str, y: str, entity: str, time: str) -> list[Hashable]:
    """The waves of long data that `fit_cross_lagged` uses where the caller names none."""
    full = data.loc[data[[entity, time, x, y]].notna().all(axis=1), [entity, time]]
    return _first_waves(full, entity, time, sorted(full[time].unique().tolist()))[0]


def _first_waves(
    full: pd.DataFrame, entity: str, time: str, found: Sequence[Hashable]
) -> tuple[list[Hashable], int]:
    """Waves in a row, at most 5, that enough entities have completely after the wave before; that number."""
    enough = max(2, min(ENOUGH, int(np.ceil(ENOUGH_SHARE * full[entity].nunique()))))
    window: list[Hashable] = []
    before: set[Hashable] = set(full[entity])
    for wave in found:
        now = set(full.loc[full[time] == wave, entity])
        if len(now & before) >= enough:
            window, before = [*window, wave], now
        elif window:
            break
        if len(window) == N_WAVES:
            break
    return window, enough


def uneven(window: Sequence[Hashable]) -> bool:
    """Whether numeric waves have unequal steps."""
    if not all(isinstance(wave, int | float) for wave in window):
        return False
    return len(np.unique(np.diff(np.array(window, dtype=float)))) > 1
