"""Entities that a cross-lagged model rests on, from long or wide data or from published moments."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from jobchance.errors import DesignError, FormulaError, SpecError
from jobchance.models.cross_lagged_layout import Names, free_of_waves
from jobchance.models.cross_lagged_moments import Moments
from jobchance.models.cross_lagged_window import choose_waves, uneven
from jobchance.numerics.sem_patterns import Codes, Patterns, from_cases
from jobchance.results.parts import Floats


@dataclass(frozen=True, eq=False, repr=False)
class Cases:
    """The entities of a cross-lagged model: one row each in `values` (n, 2T), NaN where missing.

    `frame` has a row per entity with the cluster columns, `used` are the positions of `values` in it. All
    three are `None` for published moments.
    """

    names: Names
    patterns: Patterns
    dropped: Mapping[str, int]
    remarks: tuple[str, ...] = ()
    values: Floats | None = None
    codes: Codes | None = None
    frame: pd.DataFrame | None = None
    used: Codes | None = None


def read_cases(
    data: pd.DataFrame | Moments,
    *,
    x: str | Sequence[str],
    y: str | Sequence[str],
    entity: str,
    time: str,
    waves: Sequence[Hashable] | None,
    listwise: bool,
    clusters: Sequence[str],
    least_waves: int,
) -> Cases:
    """Entities with something observed, or with everything if `listwise`.

    Raises
    ------
    SpecError
        `x` and `y` are of different kinds or lengths; `waves` with wide data; clusters with moments.
    FormulaError
        Columns are absent.
    DesignError
        Too few waves, several rows for an entity and wave, variables that are not numbers or do not vary,
        pairs of variables that nobody has, clusters that entities are spread over.
    """
    if isinstance(x, str) != isinstance(y, str):
        raise SpecError("x and y are either both one column of long data or both a list of columns by wave.")
    if isinstance(x, str) and isinstance(y, str):
        if isinstance(data, Moments):
            raise SpecError("Moments are wide: x and y are lists with the variable of each wave.")
        return _long(
            data, x, y, entity=entity, time=time, waves=waves, listwise=listwise, clusters=clusters,
            least_waves=least_waves,
        )  # fmt: skip
    _check_lists(data, x, y, waves=waves, least_waves=least_waves)
    names = Names(tuple(x), tuple(y), free_of_waves(x, "x"), free_of_waves(y, "y"))
    if names.stem_x == names.stem_y:
        names = Names(names.x, names.y, "x", "y")
    if isinstance(data, Moments):
        if clusters:
            raise SpecError("Moments have no rows, so vcov='model' is the only kind of standard error.")
        return Cases(names, data.of(names.all), {})
    _need_columns(data, clusters)
    return _cases(names, data, _numbers(data, names.all), listwise=listwise, clusters=clusters, dropped={})


def _long(
    data: pd.DataFrame,
    x: str,
    y: str,
    *,
    entity: str,
    time: str,
    waves: Sequence[Hashable] | None,
    listwise: bool,
    clusters: Sequence[str],
    least_waves: int,
) -> Cases:
    """One row per entity from one row per entity and wave."""
    _need_columns(data, (x, y, entity, time, *clusters))
    if x == y:
        raise SpecError(f"x and y are both {x!r}; a cross-lagged model has two variables.")
    rows = data[list(dict.fromkeys((entity, time, *clusters)))].copy()
    rows["__x"], rows["__y"] = _numbers(data, (x, y)).T
    keyed = rows[[entity, time]].notna().all(axis=1)
    dropped = {f"{entity} or {time} missing": int((~keyed).sum())}
    rows = rows[keyed]
    shared = int(rows.duplicated([entity, time], keep=False).sum())
    if shared:
        raise DesignError(
            f"{shared} of {len(rows)} rows share {entity} and {time} with another row; one row for each is "
            "needed."
        )
    window = choose_waves(rows, entity=entity, time=time, waves=waves, least=least_waves)
    inside = rows[time].isin(window)
    dropped[f"{time} outside the window"] = int((~inside).sum())
    rows = rows[inside]
    frame = _constant(rows, entity, clusters)
    values = _wide(rows, frame.index, entity, time, window)
    labels = [_label(wave) for wave in window]
    names = Names(tuple(f"{x}{w}" for w in labels), tuple(f"{y}{w}" for w in labels), x, y)
    made = _cases(names, frame, values, listwise=listwise, clusters=clusters, dropped=dropped)
    return made if not uneven(window) else _with_remark(made, time)


def _wide(
    rows: pd.DataFrame, entities: pd.Index, entity: str, time: str, window: Sequence[Hashable]
) -> Floats:
    """Values (n, 2T) of the two variables by entity, NaN where there is no row."""
    T = len(window)
    values = np.full((len(entities), 2 * T), np.nan)
    when = rows[time].map({wave: t for t, wave in enumerate(window)}).to_numpy(dtype=np.int64)
    who = entities.get_indexer(pd.Index(rows[entity]))
    values[who, when], values[who, T + when] = rows["__x"], rows["__y"]
    return values


def _cases(
    names: Names,
    frame: pd.DataFrame,
    values: Floats,
    *,
    listwise: bool,
    clusters: Sequence[str],
    dropped: Mapping[str, int],
) -> Cases:
    """Entities that can be used, by pattern."""
    have = ~np.isnan(values)
    keep = have.all(axis=1) if listwise else have.any(axis=1)
    reason = "entities without all values" if listwise else "entities without any value"
    counts = dict(dropped) | {reason: int((~keep).sum())}
    clustered = frame[list(clusters)].notna().all(axis=1).to_numpy(dtype=bool)
    counts["entities without a cluster"] = int((keep & ~clustered).sum())
    keep &= clustered
    p = values.shape[1]
    if keep.sum() <= p:
        raise DesignError(f"{int(keep.sum())} entities cannot carry {p} variables.")
    patterns, codes = from_cases(values[keep])
    _check_variation(values[keep], patterns, names)
    return Cases(
        names,
        patterns,
        {reason: n for reason, n in counts.items() if n},
        _binary(names, values[keep]),
        values[keep],
        codes,
        frame,
        np.flatnonzero(keep),
    )


def _check_lists(
    data: pd.DataFrame | Moments,
    x: Sequence[str],
    y: Sequence[str],
    *,
    waves: Sequence[Hashable] | None,
    least_waves: int,
) -> None:
    """Variables of wide data."""
    have = data.names if isinstance(data, Moments) else tuple(data.columns)
    absent = [name for name in (*x, *y) if name not in have]
    if absent:
        raise FormulaError(f"The data have no {', '.join(absent)}.")
    problems = []
    if len(x) != len(y):
        problems.append(f"x has {len(x)} waves and y has {len(y)}")
    if len({*x, *y}) < len(x) + len(y):
        problems.append("a variable is named twice")
    if min(len(x), len(y)) < least_waves:
        problems.append(f"{min(len(x), len(y))} waves were given, the model needs {least_waves}")
    if waves is not None:
        problems.append("waves= is for long data; name the variables of the waves wanted")
    if problems:
        raise SpecError("x and y cannot be used: " + "; ".join(problems) + ".")


def _need_columns(data: pd.DataFrame, columns: Sequence[str]) -> None:
    """All absent columns at once."""
    absent = [name for name in dict.fromkeys(columns) if name not in data.columns]
    if absent:
        raise FormulaError(f"The data have no {', '.join(absent)}.")


def _numbers(data: pd.DataFrame, columns: Sequence[str]) -> Floats:
    """Columns as numbers (n, k)."""
    texts = [c for c in columns if not pd.api.types.is_numeric_dtype(data[c].dtype)]
    if texts:
        raise DesignError(f"Not numbers: {', '.join(texts)}. Code the answers, low to high.")
    values = np.column_stack([data[c].to_numpy(dtype=float, na_value=np.nan) for c in columns])
    infinite = [c for c, v in zip(columns, values.T, strict=True) if np.isinf(v).any()]
    if infinite:
        raise DesignError(f"Infinite values in {', '.join(infinite)}.")
    return values


def _constant(rows: pd.DataFrame, entity: str, clusters: Sequence[str]) -> pd.DataFrame:
    """Cluster columns by entity, each of which must have one."""
    others = [c for c in clusters if c != entity]
    spread = [c for c in others if rows[[entity, c]].drop_duplicates()[entity].duplicated().any()]
    if spread:
        raise DesignError(
            f"{', '.join(spread)} varies within {entity}: the waves of one {entity} are one case of this "
            f"model, so a cluster must hold all of them. Use Robust() or a column that does not change."
        )
    frame = rows.groupby(entity)[others].first() if others else pd.DataFrame(index=rows[entity].unique())
    return frame.assign(**{entity: frame.index}) if entity in clusters else frame


def _check_variation(values: Floats, patterns: Patterns, names: Names) -> None:
    """Variables that vary and pairs that somebody has."""
    with np.errstate(invalid="ignore"):
        still = [n for n, v in zip(names.all, values.T, strict=True) if not np.nanstd(v) > 0]
    if still:
        raise DesignError(f"No variation: {', '.join(still)}.")
    never = int((np.triu(patterns.coverage < 2)).sum())
    if never:
        raise DesignError(
            f"{never} pairs of variables are observed together for fewer than two entities, so their "
            "covariance is unknown. Use fewer waves."
        )


def _binary(names: Names, values: Floats) -> tuple[str, ...]:
    """What a variable with two values means here."""
    T = names.waves
    sides = ((names.stem_x, values[:, :T]), (names.stem_y, values[:, T:]))
    two = [stem for stem, v in sides if len(np.unique(v[~np.isnan(v)])) == 2]
    if not two:
        return ()
    return (
        f"{' and '.join(two)}: two values, treated linearly. Coefficients are differences in shares; the "
        "variance then depends on the level, so standard errors and likelihood ratios from the model are "
        "approximate; Robust() and the scaled ratios allow for it.",
    )


def _label(wave: Hashable) -> str:
    """A wave as the end of a variable's name: 1.0 is 1, a moment in time its day."""
    if isinstance(wave, pd.Timestamp):
        return str(wave.date())
    return str(int(wave)) if isinstance(wave, float) and wave.is_integer() else str(wave)


def _with_remark(cases: Cases, time: str) -> Cases:
    """The cases with a warning about unequal steps."""
    text = f"The waves of {time} have unequal steps; each lag goes from one wave used to the next."
    return replace(cases, remarks=(*cases.remarks, text))
