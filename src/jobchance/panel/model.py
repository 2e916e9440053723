"""`AnalysisPanel`: one row per citizen and wave, who fell out on the way, and the conventions used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import pandas as pd

from jobchance.errors import DesignError, SpecError

NUMBERS = ("belief", "expectation", "optimism", "outcome", "weeks_to_outcome")


@dataclass(frozen=True)
class AnalysisPanel:
    """One row per citizen x wave, at risk at the measurement; built by `build_panel`.

    Parameters
    ----------
    frame : DataFrame
        Columns at least `citizen_id caseworker_id jobcentre_id wave date belief expectation
        expectation_within expectation_between optimism outcome weeks_to_outcome censored`.
    flow : DataFrame
        `step n_citizens n_rows reason`, one line per step that lost rows.
    meta : mapping
        Outcome rule, horizon, at-risk rule, belief item and respondent, covariates, study name and source,
        conventions in words.

    Raises
    ------
    DesignError
        `frame` is no DataFrame, has two columns of one name, citizens without an id, dates that are missing
        or in a time zone, or a belief, expectation, optimism or outcome that is not a finite number or
        missing; all are listed.
    """

    frame: pd.DataFrame
    flow: pd.DataFrame
    meta: Mapping[str, object]

    def __post_init__(self) -> None:
        _check(self.frame)
        object.__setattr__(self, "frame", self.frame.reset_index(drop=True))
        object.__setattr__(self, "meta", MappingProxyType(dict(self.meta)))

    def __repr__(self) -> str:
        return (
            f"AnalysisPanel({len(self.frame)} rows, {self.frame['citizen_id'].nunique()} citizens, "
            f"outcome={self.meta.get('outcome')!r}, horizon_weeks={self.meta.get('horizon_weeks')})"
        )


def require_panel(value: object, what: str) -> AnalysisPanel:
    """Return `value` if it is a panel.

    Raises
    ------
    SpecError
        It is something else; `what` names the function that was called.
    """
    if isinstance(value, AnalysisPanel):
        return value
    raise SpecError(
        f"{what} takes an AnalysisPanel, not {type(value).__name__}: {what}(build_panel(study), ...)."
    )


def _check(frame: pd.DataFrame) -> None:
    """What every analysis relies on, wherever the frame came from."""
    if not isinstance(frame, pd.DataFrame):
        raise DesignError(f"the frame of a panel is a DataFrame, not {type(frame).__name__}.")
    twice = sorted({str(c) for c in frame.columns[frame.columns.duplicated()]})
    if twice:
        raise DesignError(f"the frame of a panel has more than one column of the name {', '.join(twice)}.")
    faults = [_number_fault(frame[c]) for c in NUMBERS if c in frame]
    if "citizen_id" in frame and frame["citizen_id"].isna().any():
        faults.append(f"citizen_id is missing in {int(frame['citizen_id'].isna().sum())} rows")
    if "date" in frame:
        faults.append(_date_fault(frame["date"]))
    found = [fault for fault in faults if fault]
    if found:
        raise DesignError(f"this frame cannot be a panel: {'; '.join(found)}.")


def _number_fault(column: pd.Series) -> str:
    """What keeps a column from being numbers, finite or missing."""
    if isinstance(column.dtype, pd.CategoricalDtype) or not pd.api.types.is_numeric_dtype(column.dtype):
        return f"{column.name} must be numeric, not {column.dtype}"
    values = column.to_numpy(dtype=float, na_value=np.nan)
    endless = int(np.isinf(values).sum())
    return f"{column.name} is infinite in {endless} rows" if endless else ""


def _date_fault(column: pd.Series) -> str:
    """What keeps a column from being dates."""
    if not pd.api.types.is_datetime64_any_dtype(column.dtype):
        return f"date must hold dates, not {column.dtype}"
    if getattr(column.dtype, "tz", None) is not None:
        return "date is in a time zone; take it off with dt.tz_localize(None)"
    return f"date is missing in {int(column.isna().sum())} rows" if column.isna().any() else ""
