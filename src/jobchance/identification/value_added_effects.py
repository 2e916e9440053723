"""Spread and shrunken effects of caseworkers: pairs of different citizens, permutations, halves, movers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from jobchance.identification.leniency_regression import CellRegression, default_vcov, regress_within
from jobchance.identification.leniency_tables import dense
from jobchance.identification.value_added_rows import CASEWORKER, CITIZEN, ValueAddedRows
from jobchance.numerics.empirical_bayes import (
    Codes,
    Floats,
    pair_variance_terms,
    shrink,
    variance_interval,
)
from jobchance.numerics.leave_out_pairs import rating_parts

PP = 100.0


@dataclass(frozen=True, eq=False)
class Spread:
    """Variance between caseworkers within cells, with limits, and the p-value of no differences."""

    variance: float
    std_error: float
    low: float
    high: float
    p_value: float
    permutations: int
    n_pairs: float
    influence: Floats


@dataclass(frozen=True, eq=False)
class Effects:
    """Deviation of each caseworker from the others of the cells, its noise, and the shrunken effect (J,)."""

    d: Floats
    s2: Floats
    shrunken: Floats
    sd: Floats


def estimate_spread(rows: ValueAddedRows, *, level: float, permutations: int, seed: int) -> Spread:
    """Mean product of the outcomes of different citizens of one caseworker, above that across caseworkers."""
    parts = rating_parts(rows.net, person=rows.citizen, rater=rows.caseworker, cell=rows.cell)
    terms = pair_variance_terms(unit=rows.caseworker, cell=rows.cell)
    low, high = variance_interval(parts.rater, rows.spread_in_cells, terms, level=level)
    moves = parts.influence[:, 0]
    J = len(moves)
    return Spread(
        variance=parts.rater,
        std_error=float(np.sqrt(J / (J - 1) * moves @ moves)),
        low=low,
        high=high,
        p_value=_permutation_p(rows, permutations, seed),
        permutations=permutations,
        n_pairs=parts.n_pairs,
        influence=moves,
    )


def _permutation_p(rows: ValueAddedRows, permutations: int, seed: int) -> float:
    """Share of re-allocations of the rows of a cell to its caseworkers with as much spread, one-sided.

    Caseworkers keep their numbers of rows in every cell, so the weights of the cells stay.
    """
    order = np.argsort(rows.cell, kind="stable")
    cell, citizen = rows.cell[order], rows.citizen[order]
    caseworker = rows.caseworker[order]
    net = rows.net[order] - (np.bincount(cell, weights=rows.net[order]) / np.bincount(cell))[cell]
    width = int(cell.max()) + 1
    group = dense(caseworker * width + cell)
    of_cell = np.zeros(int(group.max()) + 1, dtype=np.int64)
    of_cell[group] = cell
    n = np.bincount(group)
    mates = np.bincount(of_cell, weights=n * (n - 1.0))
    others = np.bincount(cell) ** 2 - np.bincount(of_cell, weights=n**2)
    weight = 1 + np.divide(mates, others, out=np.zeros_like(mates), where=others > 0)
    repeats = bool(rows.frame[CITIZEN].duplicated().any())
    people = int(citizen.max()) + 1

    def statistic(values: Floats, who: Codes) -> float:
        total = float(weight[of_cell] @ np.bincount(group, weights=values) ** 2)
        if not repeats:
            return total
        keys, place = np.unique(group * people + who, return_inverse=True)
        own = np.bincount(place, weights=values) ** 2  # a citizen's rows with one caseworker are no pair
        return total - float(weight[of_cell[keys // people]] @ own)

    rng = np.random.default_rng(seed)
    observed, as_large = statistic(net, citizen), 0
    for _ in range(permutations):
        # A random number below 1 added to the cell keeps cells together and mixes within.
        mixed = np.argsort(cell + rng.random(len(cell)))
        as_large += statistic(net[mixed], citizen[mixed]) >= observed - 1e-12
    return (1 + as_large) / (1 + permutations)


def estimate_effects(rows: ValueAddedRows, variance: float) -> Effects:
    """Mean deviation of a caseworker's rows from the other caseworkers of their cells, shrunken to zero."""
    total, n, load = _deviations(rows)
    d = total / n
    s2 = rows.spread_in_cells * (1 / n + load / n**2)
    shrunken, sd = shrink(d, s2, max(variance, 0.0))
    return Effects(d, s2, shrunken, sd)


def _deviations(rows: ValueAddedRows) -> tuple[Floats, Floats, Floats]:
    """Sums of deviations and rows per caseworker, and the load of the others' noise."""
    deviation, others = row_deviations(rows)
    n = np.bincount(rows.caseworker).astype(float)
    total: Floats = np.bincount(rows.caseworker, weights=deviation).astype(np.float64)
    group = dense(rows.caseworker * (int(rows.cell.max()) + 1) + rows.cell)
    size = np.bincount(group).astype(float)
    first = np.unique(group, return_index=True)[1]
    load: Floats = np.bincount(
        rows.caseworker[first], weights=size**2 / others[first], minlength=len(n)
    ).astype(np.float64)
    return total, n, load


def row_deviations(rows: ValueAddedRows) -> tuple[Floats, Floats]:
    """Each row less the mean of the cell's rows with other caseworkers, and their number."""
    group = dense(rows.caseworker * (int(rows.cell.max()) + 1) + rows.cell)
    in_cell, in_group = np.bincount(rows.cell)[rows.cell], np.bincount(group)[group]
    sums = np.bincount(rows.cell, weights=rows.net)[rows.cell]
    others = (in_cell - in_group).astype(float)
    level = (sums - np.bincount(group, weights=rows.net)[group]) / others
    return rows.net - level, others


def halves(rows: ValueAddedRows, spread: Spread) -> tuple[float, float, float]:
    """Covariance of a caseworker's earlier and later citizens, its distance from the variance, and its se.

    Each caseworker's rows are cut at their median date (or wave); caseworkers with rows on one side only
    drop out. The standard error is the jackknife's over caseworkers.
    """
    deviation, _ = row_deviations(rows)
    when = rows.frame["date" if "date" in rows.frame.columns else "wave"].rank(method="first").to_numpy()
    rank = pd.Series(when).groupby(rows.caseworker).rank().to_numpy()
    late = rank > (rows.cases[rows.caseworker] + 1) / 2
    J = len(rows.cases)
    S = [np.bincount(rows.caseworker[part], weights=deviation[part], minlength=J) for part in (late, ~late)]
    n = [np.bincount(rows.caseworker[part], minlength=J) for part in (late, ~late)]
    pairs = n[0] * n[1]
    if pairs.sum() == 0:
        return float("nan"), float("nan"), float("nan")
    across = float((S[0] * S[1]).sum() / pairs.sum())
    moves = (S[0] * S[1] - across * pairs) / pairs.sum() - spread.influence
    return across, across - spread.variance, float(np.sqrt(J / (J - 1) * moves @ moves))


def forecast(rows: ValueAddedRows, variance: float) -> CellRegression | None:
    """Outcome of citizens with a new caseworker on the shrunken effect of that caseworker, within cells.

    The effect leaves out all rows of the citizen; covariates stay out of the regression, since random
    allocation keeps them from going with the effect. None where no effect varies.
    """
    later = rows.later[rows.later[CASEWORKER].isin(rows.levels)]
    if variance <= 0 or later.empty:
        return None
    total, n, load = _deviations(rows)
    deviation, _ = row_deviations(rows)
    at = pd.Index(rows.levels).get_indexer(pd.Index(later[CASEWORKER]))
    own = (
        pd.DataFrame({CITIZEN: rows.frame[CITIZEN].to_numpy(), CASEWORKER: rows.caseworker, "d": deviation})
        .groupby([CITIZEN, CASEWORKER])["d"]
        .agg(["sum", "size"])
        .reindex(pd.MultiIndex.from_arrays([later[CITIZEN], at]))
        .fillna(0.0)
        .to_numpy()
    )
    left = n[at] - own[:, 1]
    use = left > 0
    d = (total[at] - own[:, 0])[use] / left[use]
    s2 = rows.spread_in_cells * (1 / left[use] + load[at][use] / n[at][use] ** 2)
    effect, _ = shrink(d, s2, variance)
    part = later[use]
    return regress_within(
        part["outcome"].to_numpy(dtype=float),
        effect[:, None],
        cell=dense(part["cell"].to_numpy()),
        frame=part,
        vcov=default_vcov(part),
    )
