"""The rows of a panel: complete, unique by entity and time, without rows that an absorbed effect explains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from jobchance.design.build import Design, build_design
from jobchance.design.columns import level_text
from jobchance.design.formula import INTERCEPT
from jobchance.design.layout import Layout, make_layout
from jobchance.errors import DesignError, SpecError
from jobchance.numerics.demean import singletons
from jobchance.results.parts import Codes, Floats


@dataclass(frozen=True, eq=False)
class PanelRows:
    """Rows that enter an estimator, in the order of the data.

    `names` are the columns of `X`; `factors` are the codes of the entity and of further absorbed factors,
    0..G-1 by name, the entity first; `time` is integer periods or `None`.
    """

    design: Design
    frame: pd.DataFrame
    used: Codes
    y: Floats
    X: Floats
    names: tuple[str, ...]
    factors: Mapping[str, Codes]
    levels: tuple[str, ...]
    entity: str
    time_name: str | None
    time: Codes | None
    gaps_known: bool
    dropped: Mapping[str, int]
    n_singletons: int

    @property
    def entity_codes(self) -> Codes:
        """Entity of each row."""
        return self.factors[self.entity]

    @property
    def group_counts(self) -> dict[str, int]:
        """Levels of the entity, of time and of the absorbed factors."""
        counts = {name: int(codes.max()) + 1 for name, codes in self.factors.items()}
        if self.time_name is not None and self.time is not None:
            counts.setdefault(self.time_name, len(np.unique(self.time)))
        return counts


def read_panel(
    formula: str,
    data: pd.DataFrame,
    *,
    entity: str,
    time: str | None,
    absorb: Sequence[str],
    clusters: Sequence[str],
    drop_singletons: bool,
) -> PanelRows:
    """Complete rows of a panel.

    Raises
    ------
    FormulaError
        Columns are absent.
    DesignError
        Random effects in the formula, several rows for the same entity and time, fewer than two entities.
    """
    further = (entity, *absorb, *([time] if time else []), *clusters)
    design = build_design(formula, data, required=tuple(dict.fromkeys(further)))
    if design.random:
        raise DesignError("fit_panel has no random-effects terms (x | group); use fit_mixed.")
    rows = data.iloc[design.used]
    _refuse_duplicates(rows, entity, time)
    names = dict.fromkeys([entity, *absorb])
    codes = {name: pd.factorize(rows[name])[0].astype(np.int64) for name in names}
    alone = singletons(list(codes.values())) if drop_singletons else np.zeros(len(rows), dtype=bool)
    keep = ~alone
    dropped = dict(design.dropped)
    if alone.any():
        dropped[f"alone in a level of {' or '.join(names)}"] = int(alone.sum())
    if not keep.any():
        raise DesignError(f"Every row is alone in a level of {' or '.join(names)}: no variation is left.")
    kept = rows.loc[keep] if keep.all() else rows[keep]
    dense = {name: np.unique(c[keep], return_inverse=True)[1].astype(np.int64) for name, c in codes.items()}
    if int(dense[entity].max()) == 0:
        raise DesignError(f"Column {entity} has one level in the rows used; a panel needs several.")
    if float(np.ptp(design.outcome[keep])) == 0:
        raise DesignError(
            f"The outcome {design.outcome_name} has the same value in all {int(keep.sum())} rows."
        )
    first = np.unique(dense[entity], return_index=True)[1]
    periods, gaps_known = _periods(kept[time]) if time else (None, False)
    return PanelRows(
        design=design,
        frame=data,
        used=design.used[keep],
        y=design.outcome[keep],
        X=design.matrix[keep],
        names=design.columns,
        factors=dense,
        levels=tuple(level_text(value) for value in kept[entity].iloc[first]),
        entity=entity,
        time_name=time,
        time=periods,
        gaps_known=gaps_known,
        dropped=dropped,
        n_singletons=int(alone.sum()),
    )


def narrowed(layout: Layout, names: Sequence[str]) -> Layout:
    """The layout with only these of its columns."""
    position = dict(zip(layout.columns, layout.kept, strict=True))
    return make_layout(layout.formula, layout.codings, layout.full, [position[name] for name in names])


def without_intercept(panel: PanelRows) -> tuple[Floats, tuple[str, ...]]:
    """Columns of the design but the intercept."""
    keep = [i for i, name in enumerate(panel.names) if name != INTERCEPT]
    return panel.X[:, keep], tuple(panel.names[i] for i in keep)


def check_absorb(absorb: Sequence[str], *, entity: str, estimator: str) -> tuple[str, ...]:
    """Further absorbed factors as a tuple; refuses them where the estimator does not absorb."""
    if isinstance(absorb, str):
        raise SpecError(f'absorb takes several columns: absorb=("{absorb}",).')
    names = tuple(dict.fromkeys(absorb))
    if names and estimator != "within":
        raise SpecError(f"absorb works with estimator='within', not with {estimator!r}.")
    if entity in names:
        raise SpecError(f"{entity} is the entity, which the within estimator absorbs already.")
    return names


def _refuse_duplicates(rows: pd.DataFrame, entity: str, time: str | None) -> None:
    """One row per entity and time."""
    if time is None:
        return
    duplicated = rows.duplicated([entity, time], keep=False)
    if duplicated.any():
        raise DesignError(
            f"{int(duplicated.sum())} of {len(rows)} rows share {entity} and {time} with another row; "
            "a panel has one row for each. Aggregate them, choose another time column, or use time=None "
            "where order does not matter."
        )


def _periods(values: pd.Series) -> tuple[Codes, bool]:
    """Time as integers; whole numbers keep their gaps, anything else is ranked among the periods seen."""
    if pd.api.types.is_numeric_dtype(values.dtype) and (values == np.round(values)).all():
        return values.to_numpy(dtype=np.int64), True
    return pd.factorize(values, sort=True)[0].astype(np.int64), False
