"""Which further cells to hide so that the sensitive ones cannot be worked out: few cells, then few persons.

Small systems by integer programming, others cell by cell with a linear program each and a clean-up
(Fischetti and Salazar 2001; Kelly, Golden and Assad 1992). Both only propose: the caller audits.
y+, y-: two ways in which the hidden cells can deviate from the truth while every sum still holds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import LinearConstraint
from scipy.sparse import block_diag, csr_array, eye_array, hstack, vstack

from jobchance.disclosure.bounds import OPTIMAL, Sums, solve, sum_matrix

_MOST_CELLS, _MOST_SENSITIVE = 60, 10
_SECONDS = 10.0
_NEARLY_FREE, _MOVED = 1e-4, 1e-7

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Problem:
    """A system of cells in which some must be hidden.

    Parameters
    ----------
    sums : sequence of (int, tuple of int)
        A cell and the cells that it is the sum of.
    size : array of float
        Persons in each cell.
    unknown : array of bool
        Cells that are hidden already, or that nobody prints.
    sensitive : sequence of int
        Cells to protect.
    needed : float
        How far apart the smallest and largest value must be that a reader cannot rule out.
    least : int
        Persons that the hidden parts of one sum must hold together.
    """

    sums: Sums
    size: Floats
    unknown: Bools
    sensitive: Sequence[int]
    needed: float
    least: int

    @property
    def candidates(self) -> Bools:
        """Shown cells with somebody in them; an empty cell is no cover."""
        return ~self.unknown & (self.size > 0)


def propose(problem: Problem) -> Bools:
    """Cells to hide beside those that are unknown already."""
    small = int(problem.candidates.sum()) <= _MOST_CELLS and 0 < len(problem.sensitive) <= _MOST_SENSITIVE
    chosen = _by_integer_program(problem) if small else None
    return _by_linear_programs(problem) if chosen is None else chosen


def with_company(
    problem: Problem, hidden: Bools, *, dominated: Callable[[Sequence[int]], bool] | None = None
) -> Bools:
    """Hide further cells until the hidden parts of no sum are a small or dominated group together."""
    hidden = hidden.copy()
    while group := bad_group(problem, hidden, dominated=dominated):
        shown = [cell for cell in group[1:] if not hidden[cell] and problem.candidates[cell]]
        known = [cell for cell in group[:1] if problem.candidates[cell]]
        if not shown and not known:
            break  # the whole is only known through other tables; the audit decides
        hidden[min(shown or known, key=lambda cell: problem.size[cell])] = True
    return hidden


def bad_group(
    problem: Problem, hidden: Bools, *, dominated: Callable[[Sequence[int]], bool] | None = None
) -> tuple[int, ...]:
    """A sum whose whole is known and whose hidden parts hold too few persons, or are dominated; else ()."""
    known = derivable(problem.sums, ~(problem.unknown | hidden))
    for whole, parts in problem.sums:
        gone = [cell for cell in parts if not known[cell]]
        if gone and known[whole]:
            few = 0 < problem.size[gone].sum() < problem.least
            if few or (dominated is not None and dominated(gone)):
                return whole, *parts
    return ()


def derivable(sums: Sums, known: Bools) -> Bools:
    """Cells that follow from the known ones by adding and subtracting, sum by sum."""
    known = known.copy()
    waiting = True
    while waiting:
        waiting = False
        for whole, parts in sums:
            missing = [cell for cell in (whole, *parts) if not known[cell]]
            if len(missing) == 1:
                known[missing[0]] = waiting = True
    return known


def _costs(problem: Problem) -> Floats:
    """A cell costs one, and a little more for more persons."""
    return np.asarray(1.0 + problem.size / max(float(problem.size.max()), 1.0))


def _by_integer_program(problem: Problem) -> Bools | None:
    """The fewest cells; None where the program does not end in time."""
    n, m = len(problem.size), len(problem.sensitive)
    free = problem.unknown | problem.candidates
    most = np.where(free, 4.0 * problem.needed + 1, 0.0)
    down = np.where(free, np.minimum(problem.size, most), 0.0)
    balance = sum_matrix(problem.sums, n)
    rows, moves = len(problem.sums), 2 * m * n
    # Columns: x (hidden or not), then y+ and y- of each sensitive cell.
    sums_hold = hstack([csr_array((2 * m * rows, n)), block_diag([balance] * (2 * m))])
    limit_up = hstack([vstack([csr_array(np.diag(-most))] * (2 * m)), eye_array(moves)])
    limit_down = hstack([vstack([csr_array(np.diag(down))] * (2 * m)), eye_array(moves)])
    apart = np.zeros((m, n + moves))
    for k, cell in enumerate(problem.sensitive):
        apart[k, n + 2 * k * n + cell], apart[k, n + (2 * k + 1) * n + cell] = 1.0, -1.0
    rules = [
        LinearConstraint(csr_array(sums_hold), 0.0, 0.0),
        LinearConstraint(csr_array(limit_up), -np.inf, 0.0),
        LinearConstraint(csr_array(limit_down), 0.0, np.inf),
        LinearConstraint(csr_array(apart), problem.needed, np.inf),
    ]
    together = _enough_together(problem, n + moves)
    if together is not None:
        rules.append(LinearConstraint(together, 0.0, np.inf))
    low = np.concatenate([problem.unknown.astype(float), np.full(moves, -np.inf)])
    high = np.concatenate([free.astype(float), np.full(moves, np.inf)])
    cost = np.concatenate([np.where(problem.unknown, 0.0, _costs(problem)), np.zeros(moves)])
    whole = np.concatenate([np.ones(n), np.zeros(moves)]).astype(np.int64)
    status, found = solve(cost, rules, low, high, whole=whole, seconds=_SECONDS)
    return None if status != OPTIMAL or found is None else (found[:n] > 0.5) & ~problem.unknown


def _enough_together(problem: Problem, width: int) -> csr_array | None:
    """Rules on x: the hidden parts of a sum hold `least` persons together, or the whole is hidden too."""
    rows = []
    for whole, parts in problem.sums:
        persons = np.zeros(width)
        persons[list(parts)] = problem.size[list(parts)]
        persons[whole] += problem.least
        for part in parts:
            if problem.size[part] > 0 and (problem.unknown[part] or problem.candidates[part]):
                row = persons.copy()
                row[part] -= problem.least
                rows.append(row)
    return csr_array(np.array(rows)) if rows else None


def _by_linear_programs(problem: Problem) -> Bools:
    """Each sensitive cell in turn: the cheapest deviations that keep all sums; their cells are hidden."""
    n = len(problem.size)
    hidden = np.zeros(n, dtype=bool)
    balance = sum_matrix(problem.sums, n)
    costs = _costs(problem)
    # Columns: how far each cell goes up and down in y+, then in y-.
    both = csr_array(block_diag([hstack([balance, -balance])] * 2))
    for cell in sorted(problem.sensitive, key=lambda c: problem.size[c]):
        free = problem.unknown | problem.candidates
        most = [np.where(free, np.inf, 0.0), np.where(free, problem.size, 0.0)] * 2
        price = np.where(problem.unknown | hidden, _NEARLY_FREE, costs)
        apart = np.zeros((1, 4 * n))
        apart[0, [cell, n + cell, 2 * n + cell, 3 * n + cell]] = (1.0, -1.0, -1.0, 1.0)
        rules = [LinearConstraint(both, 0.0, 0.0), LinearConstraint(csr_array(apart), problem.needed, np.inf)]
        _, found = solve(np.tile(price, 4), rules, np.zeros(4 * n), np.concatenate(most), whole=None)
        if found is not None:
            hidden |= (found.reshape(4, n) > _MOVED).any(axis=0) & ~problem.unknown
    return hidden
