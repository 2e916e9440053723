"""The estimators of `fit_panel` as transformations of rows, with their degrees of freedom.

Letters: n rows, N entities, T_i rows of entity i, K coefficients. Random effects subtract the share
theta_i = 1 - sqrt(s2_e / (T_i s2_u + s2_e)) of the entity mean. Wooldridge (2010), chapter 10; Baltagi
(2013), chapters 2-3.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from jobchance.errors import DesignError
from jobchance.models.panel_data import PanelRows, without_intercept
from jobchance.numerics.demean import demean, group_means, redundant_effects
from jobchance.numerics.linalg import independent_columns
from jobchance.results.parts import Codes, Floats

_NO_VARIATION = 1e-8


@dataclass(frozen=True, eq=False)
class Regression:
    """A least-squares problem in transformed rows, and how to read it.

    `y`, `X` are transformed; `names` the columns; `frame`/`used` the rows they belong to; `extra_k` absorbed
    effects that count in the model's degrees of freedom; `raw_x`, `raw_y` undo the transformation for fitted
    values (`None` where they are the same).
    """

    y: Floats
    X: Floats
    names: tuple[str, ...]
    frame: pd.DataFrame
    used: Codes
    raw_y: Floats
    raw_x: Floats
    extra_k: int = 0
    absorbed: Mapping[str, Codes] = field(default_factory=dict)
    dropped: Mapping[str, int] = field(default_factory=dict)
    dropped_terms: tuple[str, ...] = ()
    unit: tuple[str, Codes] | None = None


def pooled(panel: PanelRows) -> Regression:
    """All rows as they are."""
    return Regression(
        y=panel.y,
        X=panel.X,
        names=panel.names,
        frame=panel.frame,
        used=panel.used,
        raw_y=panel.y,
        raw_x=panel.X,
        unit=(panel.entity, panel.entity_codes),
    )


def within(panel: PanelRows) -> Regression:
    """Rows less the effects of the entity and of further absorbed factors."""
    X, names = without_intercept(panel)
    factors = list(panel.factors.values())
    cleaned = demean(np.column_stack([panel.y, X]), factors)
    keep, gone = _varying(
        cleaned[:, 1:], X, names, reason=f"does not vary within {' and '.join(panel.factors)}"
    )
    if not _has_variation(cleaned[:, 0], panel.y):
        raise DesignError(f"The outcome does not vary within {' and '.join(panel.factors)}.")
    levels = sum(int(codes.max()) + 1 for codes in factors)
    return Regression(
        y=cleaned[:, 0],
        X=cleaned[:, 1:][:, keep],
        names=tuple(names[i] for i in keep),
        frame=panel.frame,
        used=panel.used,
        raw_y=panel.y,
        raw_x=X[:, keep],
        extra_k=levels - redundant_effects(factors),
        absorbed=panel.factors,
        dropped_terms=gone,
        unit=(panel.entity, panel.entity_codes),
    )


def between(panel: PanelRows) -> Regression:
    """One row per entity: means over its rows, each entity with the same weight."""
    codes = panel.entity_codes
    means = group_means(np.column_stack([panel.y, panel.X]), codes)
    y, X = means[:, 0], means[:, 1:]
    keep = independent_columns(X)
    gone = _dropped(panel.names, keep, "earlier columns determine its entity means")
    rows = panel.frame.iloc[panel.used]
    return Regression(
        y=y,
        X=X[:, keep],
        names=tuple(panel.names[i] for i in keep),
        frame=_constant_columns(rows, codes),
        used=np.arange(len(y)),
        raw_y=y,
        raw_x=X[:, keep],
        dropped_terms=gone,
    )


def first_difference(panel: PanelRows) -> Regression:
    """Each row less the row of the period before; rows without one are dropped and counted."""
    if panel.time is None or panel.time_name is None:
        raise DesignError("estimator='first_difference' needs the time column.")
    codes = panel.entity_codes
    order = np.lexsort((panel.time, codes))
    later, earlier = order[1:], order[:-1]
    same = codes[later] == codes[earlier]
    near = panel.time[later] - panel.time[earlier] == 1 if panel.gaps_known else np.ones_like(same)
    pairs = same & near
    if not pairs.any():
        raise DesignError(f"No two rows of one {panel.entity} lie one {panel.time_name} apart.")
    now, before = later[pairs], earlier[pairs]
    X, names = without_intercept(panel)
    change = X[now] - X[before]
    keep, gone = _varying(change, X[now], names, reason="does not change over time")
    if not _has_variation(panel.y[now] - panel.y[before], panel.y):
        raise DesignError("The outcome does not change over time.")
    dropped = {f"first row of its {panel.entity}": int(len(codes) - same.sum())}
    if (same & ~near).any():
        dropped[f"no row at the {panel.time_name} before"] = int((same & ~near).sum())
    return Regression(
        y=panel.y[now] - panel.y[before],
        X=change[:, keep],
        names=tuple(names[i] for i in keep),
        frame=panel.frame,
        used=panel.used[now],
        raw_y=panel.y[now] - panel.y[before],
        raw_x=change[:, keep],
        dropped=dropped,
        dropped_terms=gone,
        unit=(panel.entity, np.unique(codes[now], return_inverse=True)[1].astype(np.int64)),
    )


@dataclass(frozen=True, eq=False)
class VarianceParts:
    """Swamy-Arora variances and theta by entity."""

    residual: float
    entity: float
    theta: Floats


def swamy_arora(panel: PanelRows) -> VarianceParts:
    """Variances from the within and the between residuals (Swamy & Arora 1972).

    `s2_e = SSR_within / (n - N - K_within)`, `s2_u = max(0, SSR_between / (N - K_between) - s2_e / T)` with
    T the harmonic mean of T_i, which is T itself in a balanced panel.

    Raises
    ------
    DesignError
        Too few rows or entities for one of the two regressions.
    """
    codes = panel.entity_codes
    counts = np.bincount(codes)
    X, _ = without_intercept(panel)
    cleaned = demean(np.column_stack([panel.y, X]), [codes])
    keep, _ = _varying(cleaned[:, 1:], X, ("",) * X.shape[1], reason="", at_least_one=False)
    df_within = len(codes) - len(counts) - len(keep)
    means = group_means(np.column_stack([panel.y, panel.X]), codes)
    columns = independent_columns(means[:, 1:])
    df_between = len(counts) - len(columns)
    if min(df_within, df_between) <= 0:
        raise DesignError(
            f"Random effects need more rows: {len(codes)} rows of {len(counts)} levels of {panel.entity} "
            f"leave {df_within} degrees of freedom within and {df_between} between."
        )
    if not _has_variation(cleaned[:, 0], panel.y):
        raise DesignError(f"The outcome does not vary within {panel.entity}; use estimator='between'.")
    residual = _ssr(cleaned[:, 0], cleaned[:, 1:][:, keep]) / df_within
    spread = _ssr(means[:, 0], means[:, 1:][:, columns]) / df_between
    entity = max(0.0, spread - residual / (len(counts) / float(np.sum(1 / counts))))
    return VarianceParts(residual, entity, 1 - np.sqrt(residual / (counts * entity + residual)))


def random(panel: PanelRows, parts: VarianceParts) -> Regression:
    """Rows less the share theta of their entity mean (generalised least squares)."""
    codes = panel.entity_codes
    values = np.column_stack([panel.y, panel.X])
    transformed = values - (parts.theta[:, None] * group_means(values, codes))[codes]
    return Regression(
        y=transformed[:, 0],
        X=transformed[:, 1:],
        names=panel.names,
        frame=panel.frame,
        used=panel.used,
        raw_y=panel.y,
        raw_x=panel.X,
        unit=(panel.entity, codes),
    )


def split_within_between(panel: PanelRows) -> tuple[Floats, tuple[str, ...], tuple[str, ...]]:
    """Design of the hybrid model: `within(x)` deviations and `between(x)` entity means, after the intercept.

    Returns the matrix, its names, and the terms that have both parts. A term that does not vary within
    entities has its between part only.
    """
    X, names = without_intercept(panel)
    codes = panel.entity_codes
    means = group_means(X, codes)[codes]
    inner = X - means
    varies = np.linalg.norm(inner, axis=0) > _NO_VARIATION * np.linalg.norm(X, axis=0)
    columns = [np.ones(len(X)), *inner[:, varies].T, *means.T]
    labels = ["(Intercept)"]
    labels += [f"within({name})" for name, own in zip(names, varies, strict=True) if own]
    labels += [f"between({name})" for name in names]
    matrix = np.column_stack(columns)
    keep = independent_columns(matrix)
    kept = [labels[i] for i in keep]
    both = [name for name in names if f"within({name})" in kept and f"between({name})" in kept]
    return matrix[:, keep], tuple(kept), tuple(both)


def _varying(
    cleaned: Floats, original: Floats, names: Sequence[str], *, reason: str, at_least_one: bool = True
) -> tuple[list[int], tuple[str, ...]]:
    """Columns with variation left after cleaning and independent of those before, and the others by name."""
    left = np.linalg.norm(cleaned, axis=0) > _NO_VARIATION * np.linalg.norm(original, axis=0)
    varying: Codes = np.flatnonzero(left)
    kept = varying[independent_columns(cleaned[:, varying])] if len(varying) else varying
    gone = [f"{names[i]} ({reason})" for i in np.flatnonzero(~left).tolist()]
    lost = sorted(set(varying.tolist()) - set(kept.tolist()))
    gone += [f"{names[i]} (earlier columns determine it)" for i in lost]
    if at_least_one and len(kept) == 0:
        raise DesignError(f"No covariate is left: {'; '.join(gone) or 'the formula has none'}.")
    return [int(i) for i in kept], tuple(gone)


def _has_variation(cleaned: Floats, original: Floats) -> bool:
    """Whether more than rounding errors is left of a column."""
    return float(np.linalg.norm(cleaned)) > 1e-12 * float(np.linalg.norm(original))


def _dropped(names: Sequence[str], keep: Sequence[int] | Codes, reason: str) -> tuple[str, ...]:
    kept = {int(i) for i in keep}
    return tuple(f"{name} ({reason})" for i, name in enumerate(names) if i not in kept)


def _constant_columns(rows: pd.DataFrame, codes: Codes) -> pd.DataFrame:
    """One row per entity with the columns that do not vary within entities."""
    first = np.unique(codes, return_index=True)[1]
    constant = []
    for column in rows.columns:
        values = pd.factorize(rows[column], use_na_sentinel=False)[0]
        if np.array_equal(values[first][codes], values):
            constant.append(column)
    return rows[constant].iloc[first]


def _ssr(y: Floats, X: Floats) -> float:
    """Sum of squared residuals."""
    if X.shape[1] == 0:
        return float(y @ y)
    residual = y - X @ np.linalg.lstsq(X, y, rcond=None)[0]
    return float(residual @ residual)
