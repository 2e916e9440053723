"""Spread and shrunken effects of caseworkers: pairs of different citizens, permutations, halves, movers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from jobchance.identification.leniency_regression import default_vcov, regress_within
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


@dataclass(frozen=True)
class Forecast:
    """Slope of the outcomes of citizens with a new caseworker on that caseworker's shrunken effect."""

    slope: float
    std_error: float
    df: float
    n_movers: int

    @property
    def statistic(self) -> float:
        """Distance from slope 1 in standard errors."""
        return (self.slope - 1) / self.std_error

    @property
    def p_value(self) -> float:
        """Two-sided, against slope 1."""
        return float(2 * stats.t.sf(abs(self.statistic), self.df))


def estimate_spread(rows: ValueAddedRows, *, level: float, permutations: int, seed: int) -> Spread:
    """Mean product of the outcomes of different citizens of one caseworker, above that across caseworkers."""
    parts = rating_parts(rows.net, person=rows.citizen, rater=rows.caseworker, cell=rows.cell)
    terms = pair_variance_terms(unit=rows.caseworker, cell=rows.cell)
    low, high = variance_interval(parts.rater, rows.spread_in_cells, terms, level=level)
    moves = parts.influence[:, 0]
    J = len(moves)
    p = _permutation_p(rows, permutations, seed)
    if p > (1 - level) / 2:  # the estimate is skewed near zero; re-allocations know its law there exactly
        low = 0.0
    return Spread(
        variance=parts.rater,
        std_error=float(np.sqrt(J / (J - 1) * moves @ moves)),
        low=low,
        high=high,
        p_value=p,
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

    Each caseworker's rows are cut at their median date (or wave). Only pairs of different cells count: rows
    of one cell are compared with the same others, whose noise they share. The standard error is the
    jackknife's over caseworkers.
    """
    deviation, _ = row_deviations(rows)
    when = rows.frame["date" if "date" in rows.frame.columns else "wave"].rank(method="first").to_numpy()
    rank = pd.Series(when).groupby(rows.caseworker).rank().to_numpy()
    late = rank > (rows.cases[rows.caseworker] + 1) / 2
    J = len(rows.cases)
    group = dense(rows.caseworker * (int(rows.cell.max()) + 1) + rows.cell)
    owner = np.zeros(int(group.max()) + 1, dtype=np.int64)
    owner[group] = rows.caseworker

    def products(values: Floats) -> Floats:
        """Sum over pairs of a late and an early row of one caseworker in different cells, (J,)."""
        both = [np.bincount(group, weights=np.where(part, values, 0.0)) for part in (late, ~late)]
        whole = [np.bincount(owner, weights=part, minlength=J) for part in both]
        out: Floats = (
            whole[0] * whole[1] - np.bincount(owner, weights=both[0] * both[1], minlength=J)
        ).astype(np.float64)
        return out

    made, pairs = products(deviation), products(np.ones(len(deviation)))
    if pairs.sum() == 0:
        return float("nan"), float("nan"), float("nan")
    across = float(made.sum() / pairs.sum())
    moves = (made - across * pairs) / pairs.sum() - spread.influence
    return across, across - spread.variance, float(np.sqrt(J / (J - 1) * moves @ moves))


def forecast(rows: ValueAddedRows, spread: Spread) -> Forecast | None:
    """Outcome of citizens with a new caseworker on the shrunken effect of that caseworker, within cells.

    The effect leaves out all rows of the citizen; covariates stay out of the regression, since random
    allocation keeps them from going with the effect. The standard error adds that of the variance v that
    shrinks: the slope goes with 1/w, so by (1 - w) / v times the error of v. None where no effect varies.
    """
    variance = spread.variance
    later = rows.later[rows.later[CASEWORKER].isin(rows.levels)]
    if variance <= 0 or later.empty:
        return None
    at = pd.Index(rows.levels).get_indexer(pd.Index(later[CASEWORKER]))
    d, left, load = _without_citizen(rows, later[CITIZEN], at.astype(np.int64))
    use = left > 0
    s2 = rows.spread_in_cells * (1 / left[use] + load[use])
    effect, _ = shrink(d[use], s2, variance)
    part = later[use]
    made = regress_within(
        part["outcome"].to_numpy(dtype=float),
        effect[:, None],
        cell=dense(part["cell"].to_numpy()),
        frame=part,
        vcov=default_vcov(part),
    )
    if made is None or not made.std_error > 0:
        return None
    slope = float(made.beta[0])
    # at the slope tested, 1, where the estimate is smaller: near 0 the error of v would seem not to matter
    through = max(abs(slope), 1.0) * float(np.mean(s2 / (variance + s2))) / variance * spread.std_error
    return Forecast(slope, float(np.hypot(made.std_error, through)), made.df, len(part))


def _without_citizen(rows: ValueAddedRows, citizens: pd.Series, at: Codes) -> tuple[Floats, Floats, Floats]:
    """Mean deviation of caseworkers `at`, each without the rows of one citizen, its rows, the others' load.

    The citizen leaves the comparison too: a low outcome with another caseworker of the cell would make this
    caseworker look good, and the citizen's later outcome would then go against the forecast.
    """
    total, n, load = _deviations(rows)
    deviation, others = row_deviations(rows)
    table = pd.DataFrame(
        {CITIZEN: rows.frame[CITIZEN].to_numpy(), "by": rows.caseworker, "cell": rows.cell}
        | {"net": rows.net, "d": deviation, "N": others, "level": rows.net - deviation}
    )
    compared = table.groupby(["by", "cell"]).agg(
        n=("net", "size"), N=("N", "first"), level=("level", "first")
    )
    wanted = pd.DataFrame({CITIZEN: citizens.to_numpy(), "at": at, "row": np.arange(len(at))})
    own = wanted.merge(table[[CITIZEN, "by", "cell", "net", "d"]], on=CITIZEN)
    same = own[own["by"] == own["at"]]
    gone = same.groupby("row")["d"].agg(["sum", "size"]).reindex(wanted["row"], fill_value=0.0).to_numpy()
    elsewhere = own[own["by"] != own["at"]].groupby(["row", "at", "cell"])["net"].agg(["sum", "size"])
    pairs = elsewhere.reset_index().merge(compared, left_on=["at", "cell"], right_index=True)
    shift = pairs["n"] * (pairs["sum"] - pairs["size"] * pairs["level"]) / (pairs["N"] - pairs["size"])
    usable = pairs["N"] > pairs["size"]
    moved = np.bincount(pairs["row"][usable], weights=shift[usable], minlength=len(at))
    left = n[at] - gone[:, 1]
    with np.errstate(divide="ignore", invalid="ignore"):
        d = (total[at] - gone[:, 0] + moved * left / n[at]) / left
    return d, left, load[at] / n[at] ** 2
