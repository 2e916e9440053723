"""Tables beside the leniency design: balance, other things that optimists do, first stages by subgroup."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from jobchance.design.columns import counted, is_categorical, level_codes, numeric_values
from jobchance.errors import DesignError, SpecError
from jobchance.identification.leniency_regression import default_vcov, regress_within
from jobchance.identification.leniency_rows import (
    CASEWORKER,
    CITIZEN,
    FORMER_EXPOSURE,
    FORMER_OPTIMISM,
    LeniencyRows,
)
from jobchance.identification.leniency_strength import NO_COLUMNS, Strength, measure_strength
from jobchance.numerics.demean import demean
from jobchance.numerics.leave_out_tests import ChiOrF, score_test
from jobchance.numerics.linalg import independent_columns
from jobchance.panel.model import AnalysisPanel

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

RARE = 20  # rows; a rarer level says nothing and its name might say who it is
AT_FIRST = "citizen_belief"
TRAIT, FORMER, PREDICTED = "trait", "former_answer", "predicted_outcome"
CONDUCT = ("action", "relation_weeks", "measurements_with_caseworker")
_LEVELS = 12  # a number with more values than this has no subgroups


@dataclass(frozen=True, eq=False)
class Comparison:
    """Rows of a table: measured optimism in its standard deviations, cells, integer clusters."""

    frame: pd.DataFrame
    optimism: Floats
    cell: Codes
    clusters: pd.DataFrame

    def take(self, keep: NDArray[np.bool_]) -> Comparison:
        """Some of the rows."""
        return Comparison(self.frame[keep], self.optimism[keep], dense(self.cell[keep]), self.clusters[keep])


def comparison(rows: LeniencyRows, *, relationships: bool = False) -> Comparison:
    """The rows used, or the first of each citizen with each caseworker among them."""
    frame = rows.frame
    clusters = pd.DataFrame({c: pd.factorize(frame[c])[0] for c in (CASEWORKER, CITIZEN)})
    made = Comparison(frame, rows.optimism / rows.optimism.std(ddof=1), rows.cell, clusters)
    return made.take(~frame.duplicated([CITIZEN, CASEWORKER]).to_numpy()) if relationships else made


def covariate_names(panel: AnalysisPanel, covariates: Iterable[str] | None) -> tuple[str, ...]:
    """Columns asked for, or the panel's own covariates and what the citizen believed at the start.

    Raises
    ------
    SpecError
        A column asked for is not in the panel.
    """
    if isinstance(covariates, str):
        raise SpecError(f'covariates takes several columns: covariates=["{covariates}"].')
    present = set(panel.frame.columns)
    if covariates is None:
        own = panel.meta.get("covariates", ())
        names = [str(name) for name in own] if isinstance(own, tuple) else []
        return tuple(name for name in dict.fromkeys([*names, AT_FIRST]) if name in present)
    wanted = tuple(dict.fromkeys(covariates))
    absent = [name for name in wanted if name not in present]
    if absent:
        raise SpecError(f"covariates: the panel has no column {', '.join(absent)}.")
    return wanted


def balance_table(rows: LeniencyRows, names: Sequence[str]) -> tuple[pd.DataFrame, ChiOrF]:
    """Each covariate in its standard deviations on optimism in its, within cells; and the joint test.

    One row per citizen and caseworker, the first. Citizens who had another caseworker before have one trait
    more, `<exposure>_before`: what that caseworker first answered, given how optimistic that caseworker is.
    It also shows sorting on what no covariate holds; `role` tells it from the traits. The joint test is
    `score_test`, clustered by caseworker; a missing value stands at its mean there. With too many columns
    for it, the smallest p-value times their number (Bonferroni) is the joint p-value.

    Several covariates have a row more, `predicted_outcome`: what they predict, each weighing by what it says
    about the outcome among citizens of one caseworker. Where caseworkers' citizens differ a little in many
    such traits, one weighted sum shows it long before a test of all of them. The joint p-value is then twice
    the smaller of the two.
    """
    data = comparison(rows, relationships=True)
    columns = numbers(data.frame, names)
    tables = [slopes(columns, data).assign(role=TRAIT)]
    tested = [columns[name] for name in tables[0]["column"]]
    answer, optimism = (numeric_values(data.frame, name) for name in (FORMER_EXPOSURE, FORMER_OPTIMISM))
    # Whoever draws anyone but the former caseworker draws a little less of what that caseworker has; the
    # former caseworker's optimism, which the answer holds, is therefore held fixed.
    known = ~np.isnan(answer) & ~np.isnan(optimism)
    held = np.column_stack([known, np.where(known, optimism, 0.0)])
    former = slopes({f"{rows.exposure}_before": np.where(known, answer, np.nan)}, data, held=optimism)
    if len(former):
        tables.append(former.assign(role=FORMER))
        tested.append(np.where(known, answer - answer[known].mean(), 0.0))
    table = pd.concat([t for t in tables if len(t)], ignore_index=True) if len(former) else tables[0]
    joint = _joint(tested, held if len(former) else held[:, :0], data, table)
    predicted = _predicted_outcome([columns[name] for name in tables[0]["column"]], data)
    if predicted is None:
        return table, joint
    line = slopes({"predicted_outcome": predicted}, data).assign(role=PREDICTED)
    return pd.concat([table, line], ignore_index=True), _together(joint, line)


def balance_strength(rows: LeniencyRows, names: Sequence[str]) -> Strength:
    """What the covariates of the balance test say about the outcome, beside the exposure's say.

    The former caseworker's answer does not count here, since most rows have none.
    """
    data = comparison(rows, relationships=True)
    columns = list(numbers(data.frame, names).values())
    if not columns:
        return NO_COLUMNS
    return measure_strength(
        data.frame["outcome"].to_numpy(dtype=float),
        np.column_stack(columns),
        data.frame["exposure"].to_numpy(dtype=float),
        cell=data.cell,
        cluster=data.clusters[CASEWORKER].to_numpy(),
    )


def conduct_table(rows: LeniencyRows) -> pd.DataFrame:
    """What caseworkers do, as far as recorded, on their optimism; standardised like the balance table."""
    data = comparison(rows, relationships=True)
    counts = rows.ratings.groupby([CITIZEN, CASEWORKER]).size().rename(CONDUCT[-1])
    frame = data.frame.join(counts, on=[CITIZEN, CASEWORKER])
    names = [c for c in CONDUCT if c in frame.columns and frame[c].notna().any()]
    table = slopes({name: finite_values(frame, name) for name in names}, data)
    return table.assign(p_holm=holm(table["p_value"].to_numpy(dtype=float)))


def monotonicity_table(rows: LeniencyRows, names: Sequence[str]) -> pd.DataFrame:
    """First stage in every level of every covariate with few values, against optimism lowering the exposure.

    Columns `column level estimate std_error p_value p_holm n_rows n_caseworkers`; `estimate` is the change
    in the exposure per standard deviation of optimism; `p_value` is one-sided against a negative one.
    """
    data = comparison(rows)
    exposure = data.frame["exposure"].to_numpy(dtype=float)
    records = []
    for name, level, inside in _subgroups(data.frame, names):
        part = data.take(inside & ~np.isnan(exposure))
        y = exposure[inside & ~np.isnan(exposure)]
        made = regress_within(
            y, part.optimism[:, None], cell=part.cell, frame=part.clusters, vcov=default_vcov(part.clusters)
        )
        if made is not None:
            records.append(
                {"column": name, "level": level, "estimate": made.beta[0], "std_error": made.std_error}
                | {"p_value": made.p_value(side="below"), "n_rows": len(y)}
                | {"n_caseworkers": int(part.clusters[CASEWORKER].nunique())}
            )
    columns = ["column", "level", "estimate", "std_error", "p_value", "n_rows", "n_caseworkers"]
    table = pd.DataFrame(records, columns=columns)
    table.insert(5, "p_holm", holm(table["p_value"].to_numpy(dtype=float)))
    return table


def slopes(columns: dict[str, Floats], data: Comparison, *, held: Floats | None = None) -> pd.DataFrame:
    """Slope of every column on optimism, given `held`, both standardised.

    Columns `column estimate std_error p_value n_rows`.
    """
    records = []
    for name, values in columns.items():
        known = ~np.isnan(values)
        part, z = data.take(known), values[known]
        spread = float(z.std(ddof=1)) if len(z) > 1 else 0.0
        made = None
        if spread > 0:
            X = part.optimism[:, None]
            made = regress_within(
                z / spread,
                X if held is None else np.column_stack([X, held[known]]),
                cell=part.cell,
                frame=part.clusters,
                vcov=default_vcov(part.clusters),
            )
        if made is not None:
            records.append(
                {"column": name, "estimate": float(made.beta[0]), "std_error": made.std_error}
                | {"p_value": made.p_value(), "n_rows": len(z)}
            )
    return pd.DataFrame(records, columns=["column", "estimate", "std_error", "p_value", "n_rows"])


def numbers(frame: pd.DataFrame, names: Sequence[str]) -> dict[str, Floats]:
    """Columns as numbers: a 0/1 column `name=level` for each level of a text but the most common and rare.

    Raises
    ------
    DesignError
        A column holds infinite values.
    """
    made: dict[str, Floats] = {}
    for name in names:
        if not is_categorical(frame, name) or frame[name].dropna().isin([True, False]).all():
            made[name] = finite_values(frame, name)
            continue
        codes, levels = level_codes(frame, name)
        size = np.bincount(codes[codes >= 0], minlength=len(levels))
        for code in np.flatnonzero(size >= RARE):
            if code != size.argmax():
                made[f"{name}={levels[code]}"] = np.where(codes < 0, np.nan, codes == code).astype(float)
    return made


def finite_values(frame: pd.DataFrame, name: str) -> Floats:
    """A column as numbers, refused where any is infinite."""
    values = numeric_values(frame, name)
    endless = int(np.isinf(values).sum())
    if endless:
        raise DesignError(f"Column {name} is infinite in {counted(endless, 'row')}; make these rows missing.")
    return values


def holm(p: Floats) -> Floats:
    """P-values adjusted for their number by Holm's step-down method; NaN stay out."""
    adjusted = np.full(len(p), np.nan)
    known = np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known], kind="stable")]
    factors = np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] * factors), 1.0)
    return adjusted


def dense(codes: Codes) -> Codes:
    """Codes renumbered without gaps."""
    renumbered: Codes = np.unique(codes, return_inverse=True)[1].astype(np.int64)
    return renumbered


def _predicted_outcome(columns: list[Floats], data: Comparison) -> Floats | None:
    """The part of the outcome that columns predict within cells and caseworkers; None for fewer than two."""
    if len(columns) < 2:
        return None
    Z = np.column_stack(columns)
    Z = np.where(np.isnan(Z), np.nanmean(Z, axis=0), Z)
    y = data.frame["outcome"].to_numpy(dtype=float)
    # within caseworkers, so that what their optimism does to the outcome is not in the weights
    groups = [data.cell, dense(data.clusters[CASEWORKER].to_numpy())]
    cleaned = demean(np.column_stack([y, Z]), groups)
    keep = independent_columns(cleaned[:, 1:])
    if len(keep) < 2:  # one column in several forms is its own prediction
        return None
    weights = np.linalg.lstsq(cleaned[:, 1:][:, keep], cleaned[:, 0], rcond=None)[0]
    predicted: Floats = Z[:, keep] @ weights
    return predicted


def _together(joint: ChiOrF, line: pd.DataFrame) -> ChiOrF:
    """The stronger of the joint test and that of the predicted outcome, its p-value doubled."""
    if line.empty or np.isnan(line["p_value"].iloc[0]):
        return joint
    p = float(line["p_value"].iloc[0])
    if not joint.p_value < p:
        joint = ChiOrF(float(line["estimate"].iloc[0] / line["std_error"].iloc[0]) ** 2, 1.0, p)
    return joint._replace(p_value=min(1.0, 2 * joint.p_value))


def _joint(columns: list[Floats], held: Floats, data: Comparison, table: pd.DataFrame) -> ChiOrF:
    """Score test of all columns together, given `held`; Bonferroni where there are too many for it."""
    if table.empty:
        return ChiOrF(np.nan, 0.0, np.nan)
    Z = np.column_stack(columns)
    # At its mean a missing value neither helps nor harms: it is the same for optimists and pessimists.
    Z = np.where(np.isnan(Z), np.nanmean(Z, axis=0), Z)
    k = Z.shape[1]
    cleaned = demean(np.column_stack([Z, data.optimism, held]), [data.cell])
    rest, H = cleaned[:, : k + 1], cleaned[:, k + 1 :]
    rest = rest - H @ np.linalg.lstsq(H, rest, rcond=None)[0] if H.shape[1] else rest
    Z, x = rest[:, :-1], rest[:, -1]
    Z = Z[:, independent_columns(Z)]
    tested = score_test(Z * x[:, None], data.clusters[CASEWORKER].to_numpy())
    if np.isnan(tested.p_value):
        least = float(table["p_value"].min())
        return ChiOrF(np.nan, tested.df, min(1.0, least * len(table)))
    return tested


def _subgroups(frame: pd.DataFrame, names: Sequence[str]) -> Iterable[tuple[str, str, NDArray[np.bool_]]]:
    """Column, level and rows of every level that is not rare, of columns with few values."""
    for name in names:
        if frame[name].nunique() > _LEVELS:
            continue
        codes, levels = level_codes(frame, name)
        for code, level in enumerate(levels):
            inside = codes == code
            if RARE <= inside.sum() < len(frame):
                yield name, level, inside
