"""What a reader of several tables knows, and how closely that bounds the cells they do not show."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from jobchance.disclosure import columns as cols
from jobchance.disclosure.bounds import cell_ranges
from jobchance.disclosure.linked import CellSystem, Hierarchies, Linking, cell_system
from jobchance.disclosure.policy import DisclosurePolicy
from jobchance.errors import SpecError

OTHERS = "N_without_event"
_PROTECTION = 0.1  # of a magnitude, where the policy has no p% rule

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


def audit_tables(
    tables: Mapping[str, pd.DataFrame],
    policy: DisclosurePolicy,
    *,
    dimensions: Sequence[str],
    total: str = "total",
    apart: Sequence[str] = (),
    hierarchies: Hierarchies | None = None,
    sums: Sequence[str] = (),
    means: Sequence[str] = (),
    protection: int | None = None,
) -> pd.DataFrame:
    """What can be worked out about every hidden number of several tables, from what they show.

    The attack, not the defence: nothing but the shown numbers goes in. Counts that are multiples of
    `policy.round_base` throughout are taken as rounded, so that each is only known to within the base.

    Parameters
    ----------
    tables, policy, dimensions, total, apart, hierarchies, sums, means, protection
        As for `protect_tables`; rows are hidden where `suppressed` is true or the number is missing. `means`
        must truly add up once multiplied by the persons.

    Returns
    -------
    DataFrame
        One row per hidden cell and quantity: the dimensions, `quantity`, `low`, `high` (the smallest and
        largest value that fits) and `protected` (whether these are far enough apart). Not for export: the
        bounds are what must not be known. Cells hidden only to cover others may be unprotected.

    Raises
    ------
    SpecError
        As for `protect_tables`.
    DisclosureError
        No numbers fit what is shown, so that nothing can be said.

    Examples
    --------
    >>> shown = pd.DataFrame({"place": ["A", "B", "total"], "N_citizens": [None, 40.0, 43.0]})
    >>> audit = audit_tables({"by place": shown}, DisclosurePolicy(), dimensions=["place"])
    >>> audit[["place", "low", "high", "protected"]].values.tolist()
    [['A', 3.0, 3.0, False]]
    """
    linking = Linking(tuple(dimensions), total, tuple(apart), hierarchies)
    reader = Reader.of(tables, policy, linking, sums=sums, means=means, protection=protection)
    nothing = np.zeros(len(reader.system.keys), dtype=bool)
    records = []
    for quantity in reader.system.amounts:
        cells = np.flatnonzero(reader.system.printed & ~reader.known[quantity])
        low, high = reader.ranges(quantity, cells, nothing)
        safe = reader.far_enough(quantity, low, high)
        for cell, *found in zip(cells, low, high, safe, strict=True):
            place = [total if value is None else value for value in reader.system.keys[cell]]
            records.append((*place, quantity, *found))
    return pd.DataFrame(records, columns=[*dimensions, "quantity", "low", "high", "protected"])


@dataclass(frozen=True)
class Reader:
    """Somebody who has all tables before them.

    Parameters
    ----------
    system : CellSystem
        Cells, sums, and amounts as far as they are shown.
    linking : Linking
        How the dimensions hang together.
    policy : DisclosurePolicy
        What counts as far enough apart.
    persons : str
        Column of the persons.
    known : mapping of str to array of bool
        By quantity, the cells shown.
    protection : int
        Width in persons.
    rounded : bool
        Counts have been rounded to the policy's base.
    """

    system: CellSystem
    linking: Linking
    policy: DisclosurePolicy
    persons: str
    known: Mapping[str, Bools]
    protection: int
    rounded: bool

    @classmethod
    def of(
        cls,
        tables: Mapping[str, pd.DataFrame],
        policy: DisclosurePolicy,
        linking: Linking,
        *,
        sums: Sequence[str],
        means: Sequence[str],
        protection: int | None,
    ) -> Reader:
        """Read the tables; numbers of hidden rows are not looked at.

        Raises
        ------
        SpecError
            There is no table, or no column of persons that all have.
        """
        persons = next((c for c in cols.PERSONS if tables and all(c in f for f in tables.values())), None)
        if persons is None:
            raise SpecError(
                f"linked tables: give one or more tables, each with one of {', '.join(cols.PERSONS)}."
            )
        rounded = _is_rounded(tables.values(), persons, policy)
        ours = [persons, cols.EVENTS, *sums] + (
            [] if rounded else [OTHERS, *(product(m, persons) for m in means)]
        )
        readable = {
            name: _readable(_with_products(frame, persons, means), ours) for name, frame in tables.items()
        }
        quantities = [q for q in ours if any(q in frame for frame in readable.values())]
        system = cell_system(readable, linking, quantities, margins=policy.check_margins)
        known = {quantity: ~np.isnan(values) for quantity, values in system.amounts.items()}
        width = policy.min_persons if protection is None else protection
        return cls(system, linking, policy, persons, known, width, rounded)

    def ranges(self, quantity: str, cells: Iterable[int], hidden: Bools) -> tuple[Floats, Floats]:
        """Smallest and largest possible value of some cells if `hidden` were not shown."""
        low, high = self._limits(quantity, hidden)
        scale = 1.0 if _counts(quantity) else max(float(np.nanmax(low, initial=0.0)), 1e-300)
        ends = cell_ranges(self.system.sums, low / scale, high / scale, list(cells), whole=_counts(quantity))
        return ends[0] * scale, ends[1] * scale

    def exposed(
        self, cells: Iterable[int], hidden: Bools, *, quantities: Sequence[str] | None = None
    ) -> list[int]:
        """Those of the cells of which some quantity can be worked out too closely."""
        asked = list(cells)
        found = np.zeros(len(asked), dtype=bool)
        for quantity in self.system.amounts if quantities is None else quantities:
            found |= ~self.far_enough(quantity, *self.ranges(quantity, asked, hidden))
        return [cell for cell, bad in zip(asked, found, strict=True) if bad]

    def far_enough(self, quantity: str, low: Floats, high: Floats) -> Bools:
        """Whether the ends are as far apart as the policy wants."""
        if _counts(quantity):
            return np.asarray(high - low >= self._width(quantity))
        share = self.policy.p_percent or _PROTECTION
        return np.asarray((high > 0) & (high - low >= share * np.where(np.isinf(high), 1.0, high)))

    def wanted(self, quantity: str, amounts: Floats) -> float:
        """How far apart the ends of cells with these amounts should be, for a proposal."""
        if _counts(quantity):
            return float(self._width(quantity))
        share = self.policy.p_percent or _PROTECTION
        return float(share / (1 - share) * max(amounts.max(initial=0.0), 1e-9))

    def _width(self, quantity: str) -> int:
        """Least distance of the ends of a count."""
        return (
            max(self.policy.min_events, 1) if quantity in (cols.EVENTS, OTHERS) else max(self.protection, 1)
        )

    def _limits(self, quantity: str, hidden: Bools) -> tuple[Floats, Floats]:
        """What is known of each cell by itself."""
        shown = self.known[quantity] & ~hidden
        value = np.where(shown, np.nan_to_num(self.system.amounts[quantity]), 0.0)
        base = self.policy.round_base
        if self.rounded and base is not None and _counts(quantity):
            low, high = np.ceil(value - base / 2), np.ceil(value + base / 2) - 1
        elif _counts(quantity):
            low, high = value, value
        else:
            slack = np.abs(value) * 0.5 * 10.0 ** (1 - self.policy.digits)
            low, high = value - slack, value + slack
        return np.where(shown, np.maximum(low, 0.0), 0.0), np.where(shown, high, np.inf)


def _counts(quantity: str) -> bool:
    """Whether a quantity is a number of persons, a whole number."""
    return quantity.startswith("N_")


def product(mean: str, persons: str) -> str:
    """Name of a mean times the persons it is the mean of."""
    return f"{mean} x {persons}"


def _with_products(frame: pd.DataFrame, persons: str, means: Sequence[str]) -> pd.DataFrame:
    """The frame with those numbers that add up once multiplied by the persons."""
    n = cols.numbers(frame, persons)
    more = {product(mean, persons): cols.numbers(frame, mean) * n for mean in means if mean in frame}
    if cols.EVENTS in frame:
        more[OTHERS] = n - cols.numbers(frame, cols.EVENTS)
    return frame.assign(**more)


def _readable(frame: pd.DataFrame, quantities: Sequence[str]) -> pd.DataFrame:
    """The frame without the quantities of hidden rows."""
    if "suppressed" not in frame:
        return frame
    gone = frame["suppressed"].eq(True).fillna(False).to_numpy(dtype=bool)
    return frame.assign(**{q: cols.numbers(frame, q).mask(gone) for q in quantities if q in frame})


def _is_rounded(tables: Iterable[pd.DataFrame], persons: str, policy: DisclosurePolicy) -> bool:
    """Whether every shown count is a multiple of the policy's base."""
    base = policy.round_base
    if base is None:
        return False
    shown = [cols.numbers(frame, persons).dropna() for frame in tables]
    return all(bool(counts.mod(base).eq(0).all()) for counts in shown)
