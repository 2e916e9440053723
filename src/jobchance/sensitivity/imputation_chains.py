"""Chained equations: completed data sets, one chain each, without a trace in numpy's global state."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from statsmodels.imputation.mice import MICEData

from jobchance.errors import SpecError
from jobchance.numerics.linalg import independent_columns
from jobchance.sensitivity.imputation_plan import ImputationPlan

_TAKES_RNG = "rng" in inspect.signature(MICEData.__init__).parameters


@dataclass(frozen=True)
class Chains:
    """How many chains, how long, how many donors, and the seed of all draws."""

    imputations: int
    iterations: int
    donors: int
    seed: int


class NumberChain(MICEData):  # type: ignore[misc] # statsmodels has no types
    """Chained equations over columns that are numbers already.

    The formulas that statsmodels writes for a column (an intercept and all other columns) are not parsed
    anew at every step but taken from the columns: the same matrices, an order of magnitude sooner.
    """

    def get_split_data(self, vname: str) -> tuple[Any, ...]:
        """Known values, predictors where known and where missing; no further arguments of `predict`."""
        exog = self._others(vname)[:, self.kept]
        known = self.data[vname].to_numpy()[self.ix_obs[vname], None]
        return known, exog[self.ix_obs[vname]], exog[self.ix_miss[vname]], {}, {}

    def get_fitting_data(self, vname: str) -> tuple[Any, ...]:
        """Known values and their predictors, less those that earlier ones determine; fitted by QR."""
        known = self.ix_obs[vname]
        exog = self._others(vname)[known]
        # Each update fits a column first and predicts it next, from the same columns.
        self.kept = independent_columns(exog)
        return self.data[vname].to_numpy()[known], exog[:, self.kept], {}, {"method": "qr"}

    def _others(self, vname: str) -> NDArray[np.float64]:
        """Intercept and all other columns (n, k)."""
        rest = self.data.drop(columns=vname).to_numpy(dtype=float)
        return np.column_stack([np.ones(len(rest)), rest])


def completed_sets(
    frame: pd.DataFrame, plan: ImputationPlan, chains: Chains
) -> Iterator[tuple[pd.DataFrame, pd.DataFrame]]:
    """Completed copies of the rows of the plan, each with the trace of its chain.

    The trace has columns `imputation iteration column mean sd` of the filled-in values. Each chain has its
    own seed and its own order of rows, which breaks ties between donors at random.
    """
    rows = frame.loc[plan.numbers.index]
    seeds = np.random.SeedSequence(whole_seed(chains.seed)).spawn(chains.imputations)
    for number, seed in enumerate(seeds):
        filled, trace = _chain(plan, chains, seed)
        completed = rows.copy()
        for name in plan.impute:
            if name in plan.columns:
                completed[name] = _carried_back(filled[name], rows[name], plan.levels.get(name))
        yield completed, trace.assign(imputation=number)


def whole_seed(seed: int) -> int:
    """The seed, or a `SpecError` where it is no whole number of 0 or more."""
    if not isinstance(seed, int | np.integer) or isinstance(seed, bool) or seed < 0:
        raise SpecError(f"seed={seed!r} must be a whole number of 0 or more.")
    return int(seed)


def _chain(
    plan: ImputationPlan, chains: Chains, seed: np.random.SeedSequence
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """One chain: the filled-in numbers in the order of the rows, and the trace."""
    ours, theirs = seed.spawn(2)
    order = np.random.default_rng(ours).permutation(len(plan.numbers))
    plain = {name: f"x{place}" for place, name in enumerate(plan.numbers)}
    shuffled = plan.numbers.iloc[order].rename(columns=plain).reset_index(drop=True)
    blank = {name: shuffled[plain[name]].isna().to_numpy() for name in plan.columns}
    trace = []
    with _generator(int(theirs.generate_state(1)[0])) as options:
        donors = min(chains.donors, min(int((~where).sum()) for where in blank.values()))
        model = NumberChain(shuffled, k_pmm=donors, **options)
        for iteration in range(1, chains.iterations + 1):
            model.update_all(1)
            for name in plan.columns:
                values = model.data[plain[name]].to_numpy()[blank[name]]
                trace.append((iteration, name, values.mean(), values.std(ddof=1) if len(values) > 1 else 0.0))
    filled = pd.DataFrame(
        {name: model.data[plain[name]].to_numpy() for name in plan.columns}, index=plan.numbers.index[order]
    )
    return filled.loc[plan.numbers.index], pd.DataFrame(trace, columns=["iteration", "column", "mean", "sd"])


@contextmanager
def _generator(seed: int) -> Iterator[dict[str, np.random.RandomState]]:
    """Draws from `seed`: by argument where MICEData takes one, else by the global state, then put back."""
    if _TAKES_RNG:
        yield {"rng": np.random.RandomState(seed)}
        return
    before = np.random.get_state()  # noqa: NPY002
    np.random.seed(seed)  # noqa: NPY002
    try:
        yield {}
    finally:
        np.random.set_state(before)  # noqa: NPY002


def _carried_back(filled: pd.Series, column: pd.Series, levels: tuple[object, object] | None) -> pd.Series:
    """Filled-in numbers in the column's own kind; known values are untouched."""
    if levels is None:
        return column.astype(float).where(column.notna(), filled)
    return column.where(column.notna(), filled.map({0.0: levels[0], 1.0: levels[1]}))
