"""Completed data sets in which the shift of `delta_adjustment` is still open."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import special

from jobchance.design.nodes import quoted
from jobchance.errors import SpecError
from jobchance.models.glm import fit_glm
from jobchance.results.fit import Fit
from jobchance.sensitivity.imputation import plan_imputation
from jobchance.sensitivity.imputation_chains import Chains, completed_sets, whole_seed
from jobchance.sensitivity.imputation_plan import formula_columns

_ITERATIONS, _DONORS = 10, 10


@dataclass(frozen=True, eq=False, repr=False)
class Filled:
    """One completed data set in which the shift is still open (microdata)."""

    rows: pd.DataFrame
    column: str
    missing: pd.Series
    center: pd.Series  # probability, or filled-in value, of the missing rows
    draw: pd.Series | None  # uniform numbers of the missing rows of a 0/1 column
    scale: float  # of one unit of delta

    def shifted(self, delta: float, only: pd.Series) -> pd.DataFrame:
        """The rows with the missing values filled in and those of `only` shifted."""
        where = self.missing.index[self.missing]
        moved = self.center.loc[where] + delta * self.scale * only.loc[where]
        values = moved if self.draw is None else (self.draw.loc[where] < moved).astype(float)
        made = self.rows.copy()
        made[self.column] = made[self.column].astype(float).where(~self.missing, values)
        return made


def filled_outcomes(
    frame: pd.DataFrame, formula: str, outcome: str, *, using: Iterable[str], imputations: int, seed: int
) -> tuple[list[Filled], str]:
    """Outcomes drawn from a regression on the right side, parameters drawn too; and the unit of delta.

    Raises
    ------
    SpecError
        No outcome is missing in rows that are otherwise complete.
    """
    _, right = formula_columns(formula)
    helpers = [name for name in dict.fromkeys(using) if name not in right]
    rows = frame[frame[[*right, *helpers]].notna().all(axis=1)]
    missing = rows[outcome].isna()
    if not missing.any():
        raise SpecError(f"delta_adjustment: no {outcome} is missing in rows that are otherwise complete.")
    known = rows[~missing]
    binary = bool(known[outcome].isin([0, 1]).all())
    text = formula + "".join(f" + {quoted(name)}" for name in helpers)
    model = fit_glm(text, known, family="binomial" if binary else "gaussian", vcov="model")
    draws = [
        np.random.default_rng(child) for child in np.random.SeedSequence(whole_seed(seed)).spawn(imputations)
    ]
    draw = _shares if binary else _values
    made = [draw(model, rows, outcome, missing, rng) for rng in draws]
    return made, "percentage points" if binary else f"standard deviations of {outcome}"


def filled_exposures(
    frame: pd.DataFrame, formula: str, term: str, *, using: Iterable[str], imputations: int, seed: int
) -> tuple[list[Filled], str]:
    """Exposures imputed by chained equations; and the unit of delta.

    Raises
    ------
    SpecError
        The term is not a numeric column; as `multiple_imputation`.
    """
    if term not in frame or not pd.api.types.is_numeric_dtype(frame[term].dtype):
        raise SpecError(f'delta_adjustment: shift="exposure" needs a numeric column as term, not {term!r}.')
    plan = plan_imputation(
        frame,
        formula,
        impute=[term],
        using=using,
        outcome=None,
        cluster_means=(),
        cluster_effects=(),
        impute_outcome=False,
    )
    chains = Chains(imputations=imputations, iterations=_ITERATIONS, donors=_DONORS, seed=seed)
    rows = frame.loc[plan.numbers.index]
    missing = rows[term].isna()
    scale = float(rows[term].std())
    made = [
        Filled(rows, term, missing, completed.loc[missing, term], None, scale)
        for completed, _ in completed_sets(frame, plan, chains)
    ]
    return made, f"standard deviations of {term}"


def _shares(
    model: Fit, rows: pd.DataFrame, outcome: str, missing: pd.Series, rng: np.random.Generator
) -> Filled:
    """Probabilities of a 0/1 outcome and the uniform numbers that decide; delta in percentage points."""
    index = rows.index[missing]
    share = special.expit(_predictor(model, rows[missing], rng))
    draw = pd.Series(rng.random(len(index)), index=index)
    return Filled(rows, outcome, missing, pd.Series(share, index=index), draw, 0.01)


def _values(
    model: Fit, rows: pd.DataFrame, outcome: str, missing: pd.Series, rng: np.random.Generator
) -> Filled:
    """Normal draws; delta in standard deviations of the known outcomes."""
    index = rows.index[missing]
    df = model.statistics["df_resid"]
    spread = model.statistics["sigma"] * np.sqrt(df / rng.chisquare(df))
    values = _predictor(model, rows[missing], rng) + spread * rng.standard_normal(len(index))
    return Filled(rows, outcome, missing, pd.Series(values, index=index), None, float(rows[outcome].std()))


def _predictor(model: Fit, rows: pd.DataFrame, rng: np.random.Generator) -> np.ndarray:
    """Linear predictor of the rows at parameters drawn from their distribution."""
    assert model.predictor is not None, "a fit of our own has its coding"
    drawn = rng.multivariate_normal(model.estimates, model.covariance, method="eigh")
    return np.asarray(model.predictor.matrix(rows) @ drawn)
