"""What a reader can work out about a hidden cell: the smallest and largest value that fits all that is shown.

Linear programming over the cells that are not known, whole numbers where the cells count something
(Fischetti and Salazar 2001, the attacker's problem).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from jobchance.errors import DisclosureError

_WHOLE = 1e-6
OPTIMAL, UNBOUNDED = 0, 3

Sums = Sequence[tuple[int, tuple[int, ...]]]
Floats = NDArray[np.float64]


def cell_ranges(
    sums: Sums, low: Floats, high: Floats, targets: Sequence[int], *, whole: bool
) -> tuple[Floats, Floats]:
    """Smallest and largest value of the target cells under all sums.

    Parameters
    ----------
    sums : sequence of (int, tuple of int)
        A cell and the cells that it is the sum of.
    low, high : array of float, one per cell
        What is known of each cell by itself; equal for a cell that is shown, 0 and infinity for a hidden one.
    targets : sequence of int
        Cells asked about.
    whole : bool
        The cells hold whole numbers.

    Returns
    -------
    (array, array)
        By target. Where whole-number programming does not end within 5 seconds, the range of the values it
        has found: they can be attained, so the true range is at least that wide.

    Raises
    ------
    DisclosureError
        Nothing fits what is shown.
    """
    parts = _Parts(sums, low, high)
    ends = np.array([[parts.end(cell, sign, whole=whole) for sign in (1, -1)] for cell in targets])
    return (ends[:, 0], ends[:, 1]) if len(targets) else (np.zeros(0), np.zeros(0))


class _Parts:
    """The unknown cells, split into groups that have no sum in common; each group is one small program."""

    def __init__(self, sums: Sums, low: Floats, high: Floats) -> None:
        self.low, self.high = low, high
        unknown = low < high
        rows = [(whole, parts) for whole, parts in sums if unknown[[whole, *parts]].any()]
        matrix = sum_matrix(rows, len(low))
        fixed = np.where(unknown, 0.0, low)
        self.right = -(matrix @ fixed)
        self.matrix = csr_array(matrix)
        loose = csr_array(matrix * unknown[None, :])
        _, self.group = connected_components(loose.T @ loose, directed=False)
        self.cache: dict[int, tuple[NDArray[np.int64], csr_array, Floats]] = {}

    def end(self, cell: int, sign: int, *, whole: bool) -> float:
        """Smallest (`sign` 1) or largest (-1) value of one cell."""
        if self.low[cell] == self.high[cell]:
            return float(self.low[cell])
        cells, matrix, right = self._program(int(self.group[cell]))
        if not matrix.shape[0]:
            return float(self.low[cell] if sign == 1 else self.high[cell])
        aim = np.zeros(len(cells))
        place = int(np.searchsorted(cells, cell))
        aim[place] = sign
        rules = [LinearConstraint(matrix, right, right)]
        limits = self.low[cells], self.high[cells]
        status, found = solve(aim, rules, *limits, whole=None)
        if status == UNBOUNDED:
            return float(-sign * np.inf)
        if found is None:
            raise DisclosureError("The hidden cells cannot be audited: no table fits the totals shown.")
        if whole and np.abs(found - np.round(found)).max() > _WHOLE:
            status, found = solve(aim, rules, *limits, whole=np.ones(len(cells), dtype=np.int64))
            if found is None:
                raise DisclosureError(
                    "The hidden cells cannot be audited: whole-number programming found no table in time. "
                    "Publish fewer tables together or combine categories."
                )
        return float(np.round(found[place])) if whole else float(found[place])

    def _program(self, group: int) -> tuple[NDArray[np.int64], csr_array, Floats]:
        """Cells, sums and right-hand side of one group."""
        if group not in self.cache:
            cells = np.flatnonzero((self.group == group) & (self.low < self.high))
            block = csr_array(self.matrix[:, cells])
            used = np.flatnonzero(np.diff(block.indptr))
            self.cache[group] = cells, csr_array(block[used]), self.right[used]
        return self.cache[group]


def solve(
    cost: Floats,
    rules: Sequence[LinearConstraint],
    low: Floats,
    high: Floats,
    *,
    whole: NDArray[np.int64] | None,
    seconds: float = 5.0,
) -> tuple[int, Floats | None]:
    """Smallest cost under linear rules: how the search ended, and the best values found, if any."""
    result = milp(
        cost,
        constraints=list(rules),
        bounds=Bounds(low, high),
        integrality=whole,
        options={"time_limit": seconds},
    )
    values = None if result.x is None else np.asarray(result.x, dtype=np.float64)
    return int(result.status), values


def sum_matrix(sums: Sums, n: int) -> csr_array:
    """One row per sum, one column per cell: 1 for the whole, -1 for each part."""
    rows = np.repeat(np.arange(len(sums)), [1 + len(parts) for _, parts in sums])
    cells = np.array([c for whole, parts in sums for c in (whole, *parts)], dtype=np.int64)
    signs = np.array([s for _, parts in sums for s in (1.0, *[-1.0] * len(parts))])
    return csr_array((signs, (rows, cells)), shape=(len(sums), n))
