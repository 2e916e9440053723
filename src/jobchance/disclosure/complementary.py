"""Complementary suppression: hide more, over several tables at once, until the hidden cells stay hidden.

A reader knows every cell shown, that parts add up to wholes, and that nothing counted is negative. Which
hidden cells are hidden for their own sake is not told.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from jobchance.disclosure.attack import Reader, product
from jobchance.disclosure.dominance import Contributors
from jobchance.disclosure.linked import CellSystem, Hierarchies, Linking, filled
from jobchance.disclosure.pattern import Problem, bad_group, propose, with_company
from jobchance.disclosure.policy import DisclosurePolicy
from jobchance.disclosure.protect import protect
from jobchance.disclosure.rules import small_side_counts, unsafe_rows
from jobchance.errors import DisclosureError

_MOST_TRIED_BACK = 40

Bools = NDArray[np.bool_]


def protect_tables(
    tables: Mapping[str, pd.DataFrame],
    policy: DisclosurePolicy,
    *,
    dimensions: Sequence[str],
    total: str = "total",
    apart: Sequence[str] = (),
    hierarchies: Hierarchies | None = None,
    sums: Sequence[str] = (),
    means: Sequence[str] = ("share", "mean"),
    protection: int | None = None,
    contributors: Contributors | None = None,
) -> dict[str, pd.DataFrame]:
    """`protect` for several tables about the same persons: what one hides, no other gives back.

    Hidden are the cells that break a cell rule (and rows marked `suppressed` already), wherever they stand,
    and beside them the fewest further cells such that of every sensitive cell a reader cannot tell the
    smallest from the largest possible value by less than `protection`. Sensitive are also crosses that no
    table prints but that the tables give, one grouping left out. The hidden parts of one sum hold at least
    `min_persons` together, since their sum can be read, and are not dominated by one contributor.

    Up to 60 cells and 10 sensitive ones the choice is the smallest possible (integer programming); beyond
    that one linear program for each sensitive cell and a clean-up, which may hide a few cells more. Either
    way the result is audited afterwards by exact programming, cell by cell; what fails is not returned.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        By name: one row per cell, with some of `dimensions` as columns, the persons (`N_citizens`) and
        numbers. Margins are rows of their own, or tables of their own.
    policy : DisclosurePolicy
        The thresholds. With `check_margins` off, crosses that no table prints do not count as known.
    dimensions : sequence of str
        Columns that name a cell, over all tables. A table without one of them has summed over it.
    total : str
        Value of a dimension that means "all"; a missing value means the same.
    apart : sequence of str
        Those dimensions that are never summed over, such as questions, waves or populations.
    hierarchies : mapping, optional
        By dimension, broader values and what they are made of: `{"place": {"north": ("A", "B")}}`.
    sums : sequence of str
        Columns that add up besides persons and `N_events`: hours, kroner; none is negative.
    means : sequence of str
        Columns that may add up once multiplied by the persons; where they do not, they are left alone.
    protection : int, optional
        Width in persons; None = `policy.min_persons`. `N_events` need `min_events`, sums and means
        `policy.p_percent` of the largest possible value (10 per cent without that rule).
    contributors : Contributors, optional
        The rows behind the tables, for dominance in cells and in sums of hidden cells.

    Returns
    -------
    dict of str to DataFrame
        The same rows in the same order with a column `suppressed`; other small counts (`N_censored`) are
        left out of all tables where one row would have to lose them.

    Raises
    ------
    SpecError
        No common persons column, two rows for one cell, tables that disagree, or parts that do not add up.
    DisclosureError
        The audit fails even so: nothing is returned.

    Notes
    -----
    Not done: tables of different populations (give them a dimension `apart`, and see `DisclosureLedger`);
    combinations of several sums are audited for single cells, not for every possible group of them; a reader
    who knows the rule that hid a cell knows also that one hidden cell is small.

    References
    ----------
    Fischetti, M. and Salazar, J. J. (2001). Solving the cell suppression problem on tabular data with linear
    constraints. Management Science 47, 1008-1027.

    Examples
    --------
    >>> by_place = pd.DataFrame({"place": ["A", "B", "C"], "N_citizens": [3, 40, 57]})
    >>> everyone = pd.DataFrame({"place": ["total"], "N_citizens": [100]})
    >>> hidden = protect_tables(
    ...     {"by place": by_place, "all": everyone}, DisclosurePolicy(), dimensions=["place"]
    ... )
    >>> hidden["by place"]["suppressed"].tolist(), hidden["all"]["suppressed"].tolist()
    ([True, True, False], [False])
    """
    linking = Linking(tuple(dimensions), total, tuple(apart), hierarchies)
    reader = Reader.of(tables, policy, linking, sums=sums, means=means, protection=protection)
    system = filled(reader.system, may_fail=[product(mean, reader.persons) for mean in means])
    broken = _broken(tables, system, policy)
    if contributors is not None:
        broken |= np.array([contributors.dominate([key], linking, policy) for key in system.keys])
    size = system.amounts[reader.persons]
    sensitive = broken & (system.printed | ~np.isnan(size))
    hidden = _pattern(reader, system, sensitive, contributors)
    left_out = _small_sides(tables, policy)
    result = {}
    for name, frame in tables.items():
        marked = frame.assign(suppressed=hidden[system.places[name]])
        marked = marked.assign(**{column: np.nan for column in left_out if column in frame})
        result[name] = protect(marked, replace(policy, check_margins=False), output=name)
    seen = Reader.of(result, policy, linking, sums=sums, means=means, protection=protection)
    nothing_more = np.zeros(len(hidden), dtype=bool)
    exposed = seen.exposed(np.flatnonzero(sensitive), nothing_more, quantities=list(system.amounts))
    if exposed:
        raise DisclosureError(
            f"linked tables: {len(exposed)} cells can be worked out from what is shown, whatever is hidden "
            f"beside them (policy {policy.name}). Combine categories or publish fewer tables together."
        )
    return result


def _broken(tables: Mapping[str, pd.DataFrame], system: CellSystem, policy: DisclosurePolicy) -> Bools:
    """Cells that break a cell rule by themselves, also such as no table prints."""
    broken = np.zeros(len(system.keys), dtype=bool)
    for name, frame in tables.items():
        if "suppressed" in frame:
            broken[system.places[name]] |= frame["suppressed"].eq(True).fillna(False).to_numpy(dtype=bool)
        for mask in unsafe_rows(frame, policy).values():
            broken[system.places[name]] |= mask.to_numpy(dtype=bool)
    counts = {q: values for q, values in system.amounts.items() if q.startswith("N_")}
    for mask in unsafe_rows(pd.DataFrame(counts), policy).values():
        broken |= mask.to_numpy(dtype=bool) & ~system.printed
    return broken


def _pattern(
    reader: Reader, system: CellSystem, sensitive: Bools, contributors: Contributors | None
) -> Bools:
    """Printed cells to hide: proposed, mended until the audit finds nothing, and thinned out again."""
    printed, size = system.printed, np.nan_to_num(system.amounts[reader.persons])
    primary = sensitive & printed
    hidden = primary.copy()
    targets = np.flatnonzero(sensitive)
    for quantity, amounts in system.amounts.items():
        held = np.nan_to_num(amounts)
        least = reader.policy.min_persons if quantity == reader.persons else 0
        while exposed := reader.exposed(targets, hidden, quantities=[quantity]):
            wanted = reader.wanted(quantity, held[exposed])
            problem = Problem(system.sums, held, ~printed | hidden, exposed, wanted, least)
            more = propose(problem) & printed & ~hidden
            hidden |= more if more.any() else _nearest(system, size, hidden, exposed)
    dominated = _dominated(reader, system, contributors)
    company = Problem(system.sums, size, ~printed, (), 0.0, reader.policy.min_persons)
    hidden = with_company(company, hidden, dominated=dominated)

    def safe(pattern: Bools) -> bool:
        return not bad_group(company, pattern, dominated=dominated) and not reader.exposed(
            targets, pattern, quantities=list(system.amounts)
        )

    return _thinned(hidden, primary, size, safe)


def _dominated(
    reader: Reader, system: CellSystem, contributors: Contributors | None
) -> Callable[[Sequence[int]], bool] | None:
    """Asks of cells taken together whether a contributor dominates them; None where nobody can say."""
    if contributors is None:
        return None
    return lambda cells: contributors.dominate(
        [system.keys[cell] for cell in cells], reader.linking, reader.policy
    )


def _nearest(system: CellSystem, size: NDArray[np.float64], hidden: Bools, exposed: Sequence[int]) -> Bools:
    """The smallest shown cell that stands in a sum with an exposed one, or with a hidden one."""
    shown = system.printed & ~hidden & (size > 0)
    for around in (set(exposed), set(np.flatnonzero(hidden).tolist()) | set(exposed)):
        near = {
            cell
            for whole, parts in system.sums
            if around & {whole, *parts}
            for cell in (whole, *parts)
            if shown[cell]
        }
        if near:
            result = np.zeros(len(size), dtype=bool)
            result[min(sorted(near), key=lambda cell: size[cell])] = True
            return result
    raise DisclosureError(
        f"linked tables: {len(exposed)} cells can be worked out from what is shown, and nothing is left "
        "to hide beside them. Combine categories or publish fewer tables together."
    )


def _thinned(
    hidden: Bools, primary: Bools, size: NDArray[np.float64], safe: Callable[[Bools], bool]
) -> Bools:
    """Show covering cells again, the largest first, as long as the rest stays safe."""
    cover = np.flatnonzero(hidden & ~primary)
    for cell in cover[np.argsort(-size[cover], kind="stable")][:_MOST_TRIED_BACK]:
        without = hidden.copy()
        without[cell] = False
        if safe(without):
            hidden = without
    return hidden


def _small_sides(tables: Mapping[str, pd.DataFrame], policy: DisclosurePolicy) -> list[str]:
    """Counts beside the persons that some row would have to lose: left out everywhere, as they add up too."""
    found = {
        column
        for frame in tables.values()
        for column, small in small_side_counts(frame, policy).items()
        if small.any()
    }
    return sorted(found)
