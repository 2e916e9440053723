"""Who holds how much of a cell: the (n, k) and p% rules from contributors, persons or entities.

x1 >= x2 >= ...: what the contributors hold of the cell, X their sum.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from jobchance.disclosure.linked import Key, Linking
from jobchance.disclosure.policy import DisclosurePolicy
from jobchance.errors import SpecError

_LARGEST = 2
"""Contributors looked at where the policy has no (n, k) rule."""


@dataclass(frozen=True, repr=False)
class Contributors:
    """The rows behind a table, and who stands behind each; never shown, saved or pickled with results.

    Parameters
    ----------
    rows : DataFrame
        Microdata with the dimensions of the tables as columns.
    contributor : str
        Column of those who contribute: `"citizen_id"`, `"caseworker_id"`, `"workplace_id"`.
    amount : str or None
        Column of what they contribute (hours, kroner); None counts different persons of `person`.
    person : str
        Column of the persons counted where there is no amount.
    """

    rows: pd.DataFrame
    contributor: str
    amount: str | None = None
    person: str = "citizen_id"

    def __post_init__(self) -> None:
        wanted = (self.contributor, self.amount or self.person)
        absent = [column for column in wanted if column not in self.rows]
        if absent:
            raise SpecError(f"contributors: the rows have no column {', '.join(absent)}.")

    def dominate(self, keys: Sequence[Key], linking: Linking, policy: DisclosurePolicy) -> bool:
        """Whether one or a few contributors dominate these cells taken together."""
        inside = np.zeros(len(self.rows), dtype=bool)
        for key in keys:
            inside |= self._inside(key, linking)
        held = _held(replace(self, rows=self.rows[inside]), [])
        return is_dominated(held["amount"].to_numpy(dtype=float), policy)

    def _inside(self, key: Key, linking: Linking) -> NDArray[np.bool_]:
        """Rows of one cell; a broader value stands for all that it is made of."""
        inside = np.ones(len(self.rows), dtype=bool)
        for dimension, value in zip(linking.dimensions, key, strict=True):
            if value is not None and dimension in self.rows:
                inside &= self.rows[dimension].astype(str).isin(linking.below(dimension, value)).to_numpy()
        return inside

    def __repr__(self) -> str:
        return f"Contributors(contributor={self.contributor!r}, amount={self.amount!r})"

    def __reduce__(self) -> str | tuple[object, ...]:
        raise TypeError("Contributors hold rows of persons and are not pickled.")


def dominance(contributors: Contributors, by: Sequence[str], *, policy: DisclosurePolicy) -> pd.DataFrame:
    """Share of the largest contributors in each cell, as the columns that the cell rules read.

    `dominance_share = (x1 + ... + xn) / X` with n of `policy.nk` (2 without one), unsafe from k up;
    `dominance_remainder = (X - x1 - x2) / x1`, unsafe below p: the second largest could work out the
    largest to within p. Amounts count by their size, whatever their sign.

    Parameters
    ----------
    contributors : Contributors
        Rows, and who contributes what.
    by : sequence of str
        Columns that define the cells.
    policy : DisclosurePolicy
        `nk` and `p_percent`.

    Returns
    -------
    DataFrame
        One row per cell, sorted: the columns of `by`, `N_contributors`, `dominance_share`,
        `dominance_remainder` (missing where all amounts are zero), and `dominated`, whether a rule of the
        policy is broken. Merge the two measures into a frame before `protect`; they are microdata-like
        themselves, so drop them before a frame is shown.

    Raises
    ------
    SpecError
        A column of `by` is absent.

    Examples
    --------
    >>> rows = pd.DataFrame({"place": "a", "firm": ["f1", "f2", "f3"], "hours": [90.0, 8.0, 2.0]})
    >>> measures = dominance(
    ...     Contributors(rows, "firm", "hours"), ["place"], policy=DisclosurePolicy.preset("sacro")
    ... )
    >>> measures["dominance_share"].item(), bool(measures["dominated"].item())
    (0.98, True)
    """
    absent = [column for column in by if column not in contributors.rows]
    if absent or not len(by):
        raise SpecError(f"dominance: the rows have no column {', '.join(absent) or 'to define cells by'}.")
    held = _held(contributors, list(by))
    records = []
    for key, amounts in held.groupby(list(by), sort=True, dropna=False)["amount"]:
        values = amounts.to_numpy(dtype=float)
        share, remainder = measures(values, policy)
        records.append((*key, len(values), share, remainder, is_dominated(values, policy)))
    names = [*by, "N_contributors", "dominance_share", "dominance_remainder", "dominated"]
    return pd.DataFrame(records, columns=names)


def measures(amounts: NDArray[np.float64], policy: DisclosurePolicy) -> tuple[float, float]:
    """`dominance_share` and `dominance_remainder` of one cell; NaN where nothing is held."""
    x = np.sort(np.abs(amounts))[::-1]
    total = float(x.sum())
    if total <= 0:
        return float("nan"), float("nan")
    n = policy.nk[0] if policy.nk else _LARGEST
    return float(x[:n].sum()) / total, float(x[_LARGEST:].sum()) / float(x[0])


def is_dominated(amounts: NDArray[np.float64], policy: DisclosurePolicy) -> bool:
    """Whether a cell with these contributions breaks the policy's (n, k) or p% rule."""
    share, remainder = measures(amounts, policy)
    by_share = policy.nk is not None and share >= policy.nk[1]
    return bool(by_share or (policy.p_percent is not None and remainder < policy.p_percent))


def _held(contributors: Contributors, by: list[str]) -> pd.DataFrame:
    """What each contributor holds of each cell: a sum, or a number of persons."""
    groups = contributors.rows.groupby([*by, contributors.contributor], dropna=False, sort=False)
    found = (
        groups[contributors.amount].sum()
        if contributors.amount is not None
        else groups[contributors.person].nunique()
    )
    return found.rename("amount").reset_index()
