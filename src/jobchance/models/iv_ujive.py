"""`ujive`: the effect of an exposure from which group a row was assigned to, within cells."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from jobchance.errors import DesignError
from jobchance.models.iv_jackknife import ERRORS, JACKKNIFES, Question, jackknife_fit
from jobchance.options import check_option
from jobchance.results.fit import Fit
from jobchance.results.parts import Codes, Floats
from jobchance.results.vcov import Cluster, Robust

_LARGEST = 1e100


def ujive(
    y: ArrayLike,
    x: ArrayLike,
    group: ArrayLike,
    *,
    cells: ArrayLike | None,
    covariates: pd.DataFrame | ArrayLike | None = None,
    method: str = "ujive",
    errors: str = "hte",
    cluster: pd.DataFrame | ArrayLike | None = None,
    leave_out: ArrayLike | None = None,
) -> Fit:
    r"""Jackknife instrumental variables with one dummy variable per group as instruments.

    The exposure of a row is predicted from the other rows of its group, compared with the other rows of its
    cell. With W the controls (cells, covariates), X = W and groups, H the hat matrices, M = I - H and h their
    diagonals, the instrument and estimate are

    .. math:: z = M_W x - \frac{1 - h_W}{1 - h_X} M_X x, \qquad b = z'y / z'x.

    Leverages are exact, without dummy variables: closed form where groups lie in one cell each, else from the
    inverse of each connected block of the shorter factor (cubic in its levels).

    Parameters
    ----------
    y, x, group : array or Series (n,)
        Outcome, exposure and group (the caseworker), matched by position. Rows with a missing value are left
        out and counted.
    cells : array or Series (n,), or None
        Cells within which groups are compared (jobcentre x period); groups may lie in several cells. `None`:
        all rows are one cell.
    covariates : DataFrame, array (n, p) or None
        Numeric controls beside the cells.
    method : {"ujive", "ujive_2013", "ijive", "jive1", "jive2"}
        `"ujive_2013"` is without the factor 1 - h_W; `"jive1"`, `"jive2"` are those of Angrist, Imbens and
        Krueger, `"ijive"` that of Ackerberg and Devereux.
    errors : {"hte", "robust"}
        `"hte"` allows another effect in every row, and instruments so many that their construction matters;
        `"robust"` takes the constructed instrument as known.
    cluster : array, Series, DataFrame or None
        Clusters; a DataFrame of several columns is multi-way. `None`: independent rows, no small-sample
        factor; with `leave_out`, clusters are the units left out.
    leave_out : array or Series (n,), or None
        Unit of each row (the citizen): the exposure is predicted without *all* rows of the unit. In the
        formulas 1 - h becomes the unit's block of M. `None`: without the row itself.

    Returns
    -------
    Fit
        One term, the exposure. `statistics`: every estimator by name (also `ols`, `tsls`), `se_robust`,
        `se_hte`, `n_dropped_leverage_one`, `rank_W`, `rank_X`, `n_instruments`,
        `first_stage_f_homoskedastic`. `diagnostics["estimators"]`: all with both standard errors.

    Raises
    ------
    SpecError
        `method` or `errors` is not known.
    DesignError
        Arrays of different length or of the wrong shape or kind, infinite values, no complete rows; units or
        crossing factors too large to compute with.
    IdentificationError
        `missing` holds `"rows"`, `"instrument"`, `"exposure"`, `"relevance"` or `"clusters"`.

    Notes
    -----
    Rows without a leave-out prediction (leverage one) are dropped first, since nothing can be said of them.
    UJIVE changes slightly when a constant is added to the outcome, and JIVE2 when one is added to the
    exposure (it keeps the share 1 - h of each row's mean, so that caseloads act as instruments); IJIVE and
    JIVE1 do not change.
    Not done here: weights, several exposures, intervals that are valid with weak instruments
    (`fit_iv` with the leave-one-out mean as its instrument has an Anderson-Rubin set).

    References
    ----------
    Kolesar (2013), Estimation in an instrumental variables model with treatment effect heterogeneity;
    Angrist, Imbens & Krueger (1999), J. Appl. Econom. 14, 57-67; Ackerberg & Devereux (2009), Rev. Econ.
    Stat. 91, 351-362; Goldsmith-Pinkham, Hull & Kolesar (2025) on leniency designs.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> caseworker = rng.integers(0, 40, 2_000)
    >>> belief = rng.normal(size=40)[caseworker] + rng.normal(size=2_000)
    >>> job = 0.5 * belief + rng.normal(size=2_000)
    >>> fit = ujive(job, belief, caseworker, cells=caseworker % 5)
    >>> round(float(fit.params["exposure"]), 1)
    0.5
    """
    check_option("method", method, JACKKNIFES)
    check_option("errors", errors, ERRORS)
    given = {"y": y, "x": x, "group": group, "cells": cells, "leave_out": leave_out}
    columns = {name: _one_dimension(name, value) for name, value in given.items() if value is not None}
    n = len(columns["y"])
    clusters, controls = _table("cluster", cluster, n), _table("covariates", covariates, n)
    _check_lengths(columns, clusters, controls)
    numbers = {name: columns.pop(name) for name in ("y", "x")}
    codes = {name: _codes(column) for name, column in columns.items()}
    if cluster is None and leave_out is not None:
        by = pd.DataFrame({"leave_out": codes["leave_out"]})
    else:
        by = pd.DataFrame({str(name): _codes(clusters[name]) for name in clusters}, index=clusters.index)
    keep, dropped = _complete(numbers, codes, by if cluster is not None else None, controls)
    at = np.flatnonzero(keep)
    C = _numbers(controls.iloc[at], "covariates")
    codes = {name: column[at] for name, column in codes.items()}
    names = list(by.columns)
    return jackknife_fit(
        Question(
            y=_numbers(numbers["y"].iloc[at].to_frame(), "y")[:, 0],
            d=_numbers(numbers["x"].iloc[at].to_frame(), "x")[:, 0],
            cells=codes.get("cells", np.zeros(len(at), dtype=np.int64)),
            groups=codes["group"],
            controls=C,
            instruments=np.empty((len(at), 0)),
            units=codes.get("leave_out"),
            frame=by,
            positions=at,
            outcome=_name(y, "outcome"),
            exposure=_name(x, "exposure"),
            method=method,
            errors=errors,
            vcov=Cluster(*names) if names else Robust("HC0"),
            dropped=dropped,
            spec={},
            absorbed="cells" if cells is not None else None,
            levels={name: codes[name] for name in ("group", "cells", "leave_out") if name in codes},
        )
    )


def _name(value: Any, default: str) -> str:
    """Name of a Series, else the default."""
    return str(value.name) if isinstance(value, pd.Series) and value.name is not None else default


def _one_dimension(name: str, value: Any) -> pd.Series:
    """An argument as a Series numbered from 0.

    Raises
    ------
    DesignError
        It is not one-dimensional.
    """
    if isinstance(value, pd.Series):
        return value.reset_index(drop=True)
    if isinstance(value, pd.Categorical | pd.api.extensions.ExtensionArray | pd.Index):
        return pd.Series(value)
    array = np.asarray(value)
    if array.ndim != 1:
        raise DesignError(f"{name} has {array.ndim} dimensions; one value per row is needed.")
    return pd.Series(array)


def _table(name: str, value: Any, n: int) -> pd.DataFrame:
    """Clusters or covariates as a table numbered from 0; no column where nothing is given."""
    if value is None:
        return pd.DataFrame(index=range(n))
    if isinstance(value, pd.DataFrame):
        if value.shape[1] == 0:
            raise DesignError(f"{name} is a table without columns; leave it out.")
        if value.columns.duplicated().any():
            raise DesignError(f"{name} has several columns of one name.")
        return value.reset_index(drop=True)
    if isinstance(value, pd.Series) or np.ndim(value) == 1:
        column = _one_dimension(name, value)
        return column.to_frame(name if column.name is None else str(column.name))
    array = np.asarray(value)
    if array.ndim != 2:
        raise DesignError(f"{name} has {array.ndim} dimensions; it holds one value or one row per row.")
    return pd.DataFrame(array, columns=[f"{name} {i + 1}" for i in range(array.shape[1])])


def _codes(column: pd.Series) -> Codes:
    """Integers in place of identifiers, -1 where one is missing: text is looked through once."""
    return pd.factorize(column)[0].astype(np.int64)


def _check_lengths(columns: dict[str, pd.Series], clusters: pd.DataFrame, controls: pd.DataFrame) -> None:
    """Raise where the arguments differ in length."""
    lengths = {name: len(column) for name, column in columns.items()}
    lengths |= {name: len(t) for name, t in (("cluster", clusters), ("covariates", controls)) if t.shape[1]}
    if len(set(lengths.values())) > 1:
        shown = ", ".join(f"{name} {n}" for name, n in lengths.items())
        raise DesignError(f"The arguments have different numbers of rows: {shown}.")


def _complete(
    numbers: dict[str, pd.Series],
    codes: dict[str, Codes],
    clusters: pd.DataFrame | None,
    controls: pd.DataFrame,
) -> tuple[np.ndarray[Any, np.dtype[np.bool_]], dict[str, int]]:
    """Rows without a missing value, and rows dropped by the first argument that is missing.

    Raises
    ------
    DesignError
        No row is complete.
    """
    missing: dict[str, Any] = {name: column.isna().to_numpy() for name, column in numbers.items()}
    missing |= {name: column < 0 for name, column in codes.items()}
    if clusters is not None:
        missing["cluster"] = (clusters < 0).to_numpy().any(axis=1)
    missing["covariates"] = controls.isna().to_numpy().any(axis=1)
    keep, dropped = np.ones(len(missing["y"]), dtype=bool), {}
    for name, gone in missing.items():
        if new := int((gone & keep).sum()):
            dropped[f"{name} is missing"] = new
        keep &= ~gone
    if not keep.any():
        raise DesignError(f"No complete row among {len(keep)}.")
    return keep, dropped


def _numbers(table: pd.DataFrame, name: str) -> Floats:
    """Columns as floats.

    Raises
    ------
    DesignError
        A column is not numeric, or holds infinite or very large values.
    """
    wrong = [c for c in table if not pd.api.types.is_numeric_dtype(table[c].dtype)]
    if wrong:
        raise DesignError(f"{name} must hold numbers; {len(wrong)} of {table.shape[1]} columns do not.")
    values = table.to_numpy(dtype=np.float64)
    if too_large := int(np.sum(~(np.abs(values) < _LARGEST))):
        raise DesignError(f"{name} holds {too_large} infinite or too large values.")
    return values
