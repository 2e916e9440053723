"""Cells that add up to a printed total: hide a second cell where one hidden cell could be worked out.

Primary suppression is the disclosure room's; here only what a catalogue entry must add because its own
cells sum to a total that it prints.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from jobchance.disclosure.policy import DisclosurePolicy


def hide_small_cells(
    frame: pd.DataFrame,
    by: Sequence[str],
    *,
    policy: DisclosurePolicy,
    count: str = "N_citizens",
    values: Sequence[str] = ("share", "conf_low", "conf_high"),
) -> pd.DataFrame:
    """`frame` with small cells, and as many more as protect them, blanked and marked `suppressed`.

    In each group the cells with 1 to `min_persons - 1` persons are hidden (also empty ones where zeros are
    disclosive). Where the hidden cells of a group hold fewer than `min_persons` persons together, or only
    one cell is hidden, the smallest shown cell with persons in it is hidden as well, until neither is so.

    Parameters
    ----------
    frame : DataFrame
        One row per cell; the cells of a group add up to a total that is printed or implied (100 per cent).
    by : sequence of str
        Columns that define a group; `()` = all rows are one group.
    policy : DisclosurePolicy
        `min_persons` and `zeros_disclosive`.
    count : str
        Column with the persons in each cell.
    values : sequence of str
        Columns blanked beside `count`.

    Returns
    -------
    DataFrame
        A new frame with a boolean column `suppressed`; hidden cells have NaN in `count` and `values`.
    """
    hidden = pd.Series(False, index=frame.index)
    groups = frame.groupby(list(by), sort=False).groups.values() if by else [frame.index]
    for index in groups:
        hidden.loc[index] = hidden_cells(
            frame.loc[index, count].to_numpy(dtype=float),
            least=policy.min_persons,
            zeros=bool(policy.zeros_disclosive),
        )
    result = frame.assign(suppressed=hidden)
    blanked = [count, *values]
    result[blanked] = result[blanked].astype(float).mask(hidden)
    return result


def hidden_cells(n: NDArray[np.float64], *, least: int, zeros: bool) -> NDArray[np.bool_]:
    """Which of the cells `n` of one group must be hidden; shape (cells,), boolean."""
    hidden = (n < least) & ((n > 0) | zeros)
    while hidden.any() and not hidden.all() and (hidden.sum() < 2 or n[hidden].sum() < least):
        shown = np.flatnonzero(~hidden & ((n > 0) | zeros))
        if shown.size == 0:
            return np.ones_like(hidden)
        hidden[shown[np.argmin(n[shown])]] = True
    return np.asarray(hidden, dtype=bool)
