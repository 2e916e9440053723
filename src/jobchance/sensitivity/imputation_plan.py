"""What is imputed from what: the columns checked once and turned into numbers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

from jobchance.design.columns import counted, is_categorical, numeric_values, require_columns
from jobchance.design.formula import parse_formula
from jobchance.design.nodes import columns_of
from jobchance.errors import DesignError, SpecError

MOST_EFFECTS = 50
_LATER = ("weeks_to_outcome", "event_observed", "censored", "window_start")
_DERIVED = ("expectation_within", "expectation_between", "optimism")


@dataclass(frozen=True, eq=False, repr=False)
class ImputationPlan:
    """Numbers of the imputation model (microdata) and how to carry them back.

    Parameters
    ----------
    impute : tuple of str
        Columns that are filled in in the completed data.
    columns : tuple of str
        All incomplete columns of the chains, `impute` first.
    numbers : DataFrame
        Every column of the imputation model as numbers, on the rows kept.
    levels : dict of str to tuple of str
        For a two-level text column its levels, coded 0 and 1.
    remarks : tuple of str
        What a reader must know.
    """

    impute: tuple[str, ...]
    columns: tuple[str, ...]
    numbers: pd.DataFrame
    levels: dict[str, tuple[object, object]]
    remarks: tuple[str, ...]


def own_labels(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame itself where every row has its own label, else with rows numbered anew.

    Filled-in values find their row by its label; frames put together by `concat` have labels twice.
    """
    return frame if frame.index.is_unique else frame.reset_index(drop=True)


def formula_columns(formula: str) -> tuple[list[str], list[str]]:
    """Columns of the left and of the right side.

    Raises
    ------
    SpecError
        The formula has no outcome or has random effects.
    """
    parsed = parse_formula(formula)
    if parsed.outcome is None or parsed.random:
        raise SpecError(
            "multiple_imputation takes a formula of fit_glm, with an outcome and without random effects; for "
            "other models give a function from a data frame to a fit."
        )
    left = [name.name for name in columns_of(parsed.outcome)]
    return left, [name for name in parsed.columns if name not in left]


def make_plan(
    frame: pd.DataFrame,
    *,
    left: list[str],
    right: list[str],
    impute: Iterable[str] | None,
    using: Iterable[str],
    cluster_means: Iterable[str],
    cluster_effects: Iterable[str],
    impute_outcome: bool,
) -> ImputationPlan:
    """Check the columns and build the imputation model; see `multiple_imputation` for the errors."""
    helpers, means, effects = _names(using), _names(cluster_means), _names(cluster_effects)
    wanted = None if impute is None else _names(impute)
    require_columns([*left, *right, *helpers, *means, *effects, *(wanted or ())], frame)
    if wanted is None:
        wanted = tuple(name for name in right if frame[name].isna().any())
    problems = _refused(frame, wanted, left, impute_outcome=impute_outcome)
    aids = [name for name in dict.fromkeys([*right, *helpers]) if name not in wanted and name not in left]
    gaps = [name for name in aids if frame[name].isna().any()]
    problems += _refused(frame, gaps, left, impute_outcome=False)
    problems += [f"{name} names persons: use cluster_means=" for name in aids if name.endswith("_id")]
    problems += [
        f"{name} has {frame[name].nunique()} levels, more than the {MOST_EFFECTS} that effects may have; use "
        "cluster_means="
        for name in effects
        if frame[name].nunique() > MOST_EFFECTS
    ]
    problems += [f"{name} is missing in some rows" for name in (*means, *effects) if frame[name].isna().any()]
    if problems:
        raise SpecError(f"multiple_imputation: {'; '.join(dict.fromkeys(problems))}.")
    known = frame[left].notna().all(axis=1) if not impute_outcome else pd.Series(True, index=frame.index)
    rows = frame[known]
    if not any(rows[name].isna().any() for name in wanted):
        raise SpecError(
            "multiple_imputation: nothing to impute, no column of the model has missing values in the rows "
            "with an outcome."
        )
    numbers, levels = _numbers(rows, [*wanted, *left, *aids])
    incomplete = [str(name) for name in numbers if numbers[name].isna().any()]
    numbers = _with_clusters(numbers, rows, [*incomplete, *left], means, effects)
    _check_known(numbers, incomplete)
    remarks = []
    if len(rows) < len(frame):
        lost = counted(len(frame) - len(rows), "row")
        remarks.append(f"{lost} without an outcome left out of imputation and fit.")
    ordered = tuple(dict.fromkeys([*(n for n in wanted if n in incomplete), *incomplete]))
    remarks.append(
        f"Imputed: {', '.join(ordered)}; predicted by every other column of the model"
        + (f", means over {', '.join(means)}" if means else "")
        + (f", effects of {', '.join(effects)}" if effects else "")
        + "."
    )
    return ImputationPlan(wanted, ordered, numbers, levels, tuple(remarks))


def _names(value: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys([value] if isinstance(value, str) else value))


def _refused(
    frame: pd.DataFrame, names: Iterable[str], left: list[str], *, impute_outcome: bool
) -> list[str]:
    """A problem for every column that must not be filled in."""
    problems = []
    for name in names:
        if name.endswith("_id"):
            problems.append(f"{name} is an identifier, which is never imputed")
        elif name in _LATER:
            problems.append(f"{name} lies after the measurement, so it is not missing but not yet known")
        elif name in _DERIVED:
            problems.append(
                f"{name} is derived from other rows: impute what it is made of and derive it in a function"
            )
        elif (name in left or name == "outcome") and not impute_outcome:
            problems.append(
                f"{name} is the outcome: rows without one add nothing, and censored windows are the future; "
                "use delta_adjustment or bounds, or impute_outcome=True"
            )
        elif pd.api.types.is_datetime64_any_dtype(frame[name].dtype):
            problems.append(f"{name} is a date")
        elif is_categorical(frame, name) and frame[name].nunique() > 2:
            n = frame[name].nunique()
            problems.append(f"{name} is text of {n} levels; code it as numbers or 0/1 columns")
    return problems


def _numbers(
    rows: pd.DataFrame, names: Iterable[str]
) -> tuple[pd.DataFrame, dict[str, tuple[object, object]]]:
    """Columns as numbers: complete texts as 0/1 columns, incomplete texts of two levels as 0 and 1."""
    made: dict[str, pd.Series] = {}
    levels: dict[str, tuple[object, object]] = {}
    for name in dict.fromkeys(names):
        if not is_categorical(rows, name):
            made[name] = pd.Series(numeric_values(rows, name), index=rows.index)
            continue
        found = sorted(rows[name].dropna().unique(), key=str)
        if rows[name].isna().any():
            if len(found) < 2:
                raise DesignError(f"multiple_imputation: {name} has one known level, so nothing predicts it.")
            levels[name] = (found[0], found[1])
            made[name] = rows[name].map({found[0]: 0.0, found[1]: 1.0}).astype(float)
            continue
        for level in found[1:]:
            made[f"{name}[{level}]"] = rows[name].eq(level).astype(float)
    return pd.DataFrame(made, index=rows.index), levels


def _check_known(numbers: pd.DataFrame, incomplete: list[str]) -> None:
    """Raise where a column has too few known values for a regression on all others."""
    k = numbers.shape[1]  # the others and an intercept
    few = [f"{name} is known in {n} rows" for name in incomplete if (n := int(numbers[name].count())) <= k]
    if few:
        raise DesignError(
            f"multiple_imputation: {'; '.join(few)}, and a regression on {counted(k, 'predictor')} needs "
            "more. Leave the column out, or use fewer predictors."
        )


def _with_clusters(
    numbers: pd.DataFrame,
    rows: pd.DataFrame,
    varying: list[str],
    means: tuple[str, ...],
    effects: tuple[str, ...],
) -> pd.DataFrame:
    """The numbers with means over the other rows of each cluster, and with fixed effects."""
    added: dict[str, pd.Series] = {}
    for cluster in means:
        codes = rows[cluster]
        for name in dict.fromkeys(varying):
            if name not in numbers:
                continue
            own = numbers[name]
            total = own.groupby(codes).transform("sum") - own.fillna(0.0)
            count = own.notna().groupby(codes).transform("sum") - own.notna().astype(int)
            added[f"{name} in {cluster}"] = (total / count.where(count > 0)).fillna(float(own.mean()))
    for cluster in effects:
        for level in sorted(rows[cluster].unique())[1:]:
            added[f"{cluster}[{level}]"] = rows[cluster].eq(level).astype(float)
    return numbers.assign(**added)
