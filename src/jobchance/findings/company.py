"""Company for hidden cells: what a shown total of events leaves over must not be a small count either."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from jobchance.disclosure.policy import DisclosurePolicy
from jobchance.disclosure.rules import unsafe_rows


def hidden_with_company(cells: pd.DataFrame, policy: DisclosurePolicy) -> NDArray[np.bool_]:
    """Cells to hide in a table whose total of persons and events is shown beside it.

    Total minus shown cells is the sum of the hidden ones. So cells are hidden, smallest first, until there
    are none or at least two of them that together hold enough persons, events and non-events.

    Parameters
    ----------
    cells : DataFrame
        Disjoint cells with `N_citizens`, `N_events` and maybe `N_caseworkers`.
    policy : DisclosurePolicy
        Thresholds; with `check_margins` off only the cells that break a rule by themselves are hidden.

    Returns
    -------
    array of bool, one per cell
    """
    hidden = np.zeros(len(cells), dtype=bool)
    for mask in unsafe_rows(cells, policy).values():
        hidden |= mask.to_numpy(dtype=bool)
    size = cells["N_citizens"].to_numpy(dtype=float)
    events = cells["N_events"].to_numpy(dtype=float)
    while policy.check_margins and hidden.any() and not hidden.all():
        n, y = size[hidden].sum(), events[hidden].sum()
        if hidden.sum() > 1 and n >= policy.min_persons and min(y, n - y) >= policy.min_events:
            break
        shown = np.flatnonzero(~hidden)
        hidden[shown[np.argmin(size[shown])]] = True
    return hidden
