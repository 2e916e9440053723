"""Rows of a two-way model: complete, coded, in the leave-out connected set, net of covariates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from jobchance.design.columns import as_floats, counted
from jobchance.errors import IdentificationError, SpecError
from jobchance.numerics.demean import demean
from jobchance.numerics.linalg import independent_columns
from jobchance.numerics.two_way_design import Codes, Floats, Mask
from jobchance.numerics.two_way_graph import LeaveOutSet, recode, several_caseworkers


@dataclass(frozen=True, eq=False)
class TwoWayRows:
    """Complete rows, coded from 0."""

    y: Floats
    citizen: Codes
    caseworker: Codes
    X: Floats
    names: tuple[str, ...]
    n_missing: int
    labels: tuple[str, str, str]


def read_rows(y: ArrayLike, citizen: ArrayLike, caseworker: ArrayLike, covariates: Any) -> TwoWayRows:
    """Arrays of one length without missing values."""
    outcome = as_floats(y, "y")
    ids = [
        pd.Series(np.asarray(v, dtype=object) if isinstance(v, list) else v) for v in (citizen, caseworker)
    ]
    table = pd.DataFrame(index=range(len(outcome))) if covariates is None else pd.DataFrame(covariates)
    lengths = {len(outcome), len(ids[0]), len(ids[1]), len(table)}
    if len(lengths) > 1 or outcome.ndim != 1:
        raise SpecError("y, citizen, caseworker and covariates must have one row each per observation.")
    words = [str(n) for n in table.columns if not pd.api.types.is_numeric_dtype(table[n])]
    if words:
        raise SpecError(f"covariates must be numbers; these are not: {', '.join(words)}.")
    X = table.to_numpy(dtype=float)
    codes = [pd.factorize(v)[0].astype(np.int64) for v in ids]
    whole = np.isfinite(outcome) & (codes[0] >= 0) & (codes[1] >= 0) & np.isfinite(X).all(axis=1)
    if not whole.any():
        raise SpecError("No row has an outcome, a citizen, a caseworker and all covariates.")
    labels = tuple(
        _label(v, name) for v, name in ((y, "y"), (citizen, "citizen"), (caseworker, "caseworker"))
    )
    return TwoWayRows(
        outcome[whole],
        recode(codes[0][whole]),
        recode(codes[1][whole]),
        X[whole],
        tuple(str(n) for n in table.columns),
        int((~whole).sum()),
        (labels[0], labels[1], labels[2]),
    )


def _label(values: object, default: str) -> str:
    """Name of a Series, or the argument's."""
    return str(values.name) if isinstance(values, pd.Series) and values.name is not None else default


def require_set(rows: TwoWayRows, kept: LeaveOutSet) -> None:
    """Everything that the data lack, at once."""
    problems: list[tuple[str, str]] = []
    n_caseworkers = int(rows.caseworker.max()) + 1
    if n_caseworkers < 2:
        problems.append(("several_caseworkers", "all rows have one caseworker"))
    elif n_movers(rows) == 0:
        problems.append(("movers", "no citizen has rows with several caseworkers"))
    elif not kept.rows.any():
        problems.append(
            (
                "connected_set",
                f"no set of caseworkers stays connected when any one citizen is left out "
                f"({counted(n_movers(rows), 'citizen')} with several caseworkers, "
                f"{counted(n_caseworkers, 'caseworker')})",
            )
        )
    if problems:
        raise IdentificationError(
            "Effects of citizens and of caseworkers cannot be told apart: "
            + "; ".join(text for _, text in problems)
            + ". Citizens who change caseworker are needed, at least two between any groups of caseworkers.",
            missing=tuple(key for key, _ in problems),
        )


def n_movers(rows: TwoWayRows) -> int:
    """Citizens with several caseworkers."""
    return int(several_caseworkers(rows.citizen, rows.caseworker).sum())


def subset(rows: TwoWayRows, mask: Mask) -> TwoWayRows:
    """Some of the rows, coded without gaps."""
    who, whom = recode(rows.citizen[mask]), recode(rows.caseworker[mask])
    return TwoWayRows(rows.y[mask], who, whom, rows.X[mask], rows.names, rows.n_missing, rows.labels)


def without_covariates(rows: TwoWayRows) -> tuple[Floats, tuple[str, ...]]:
    """Outcome less X b, b from the model with both sets of effects, and covariates that these explain."""
    if rows.X.shape[1] == 0:
        return rows.y, ()
    both = demean(np.column_stack([rows.y, rows.X]), [rows.citizen, rows.caseworker])
    length = np.linalg.norm(rows.X - rows.X.mean(axis=0), axis=0)
    varies = np.flatnonzero(np.linalg.norm(both[:, 1:], axis=0) > 1e-7 * np.where(length > 0, length, 1.0))
    kept = varies[independent_columns(both[:, 1 + varies])] if len(varies) else varies
    b = np.linalg.lstsq(both[:, 1 + kept], both[:, 0], rcond=None)[0]
    gone = sorted(set(range(len(rows.names))) - set(kept.tolist()))
    why = f"explained by {rows.labels[1]}, {rows.labels[2]} or other covariates"
    return rows.y - rows.X[:, kept] @ b, tuple(f"{rows.names[i]} ({why})" for i in gone)
