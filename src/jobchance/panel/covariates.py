"""Covariates of a panel: columns of the citizen table that were known at the measurement."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import pandas as pd

from jobchance.errors import SpecError
from jobchance.options import check_option

# Columns that describe what happened after the measurement: adjusting for them biases every estimand.
_AFTER = {"any_intervention": "it is measured during follow-up, after the measurement"}


def covariate_columns(citizen: pd.DataFrame, names: Iterable[str], *, taken: Collection[str]) -> pd.DataFrame:
    """The chosen columns of the citizen table, by citizen.

    Parameters
    ----------
    citizen : DataFrame
        The citizen table; any column of the study's own counts.
    names : iterable of str
        Columns wanted.
    taken : collection of str
        Names that the panel uses itself.

    Returns
    -------
    DataFrame
        The columns wanted, indexed by `citizen_id`.

    Raises
    ------
    SpecError
        A name does not exist, is a column of the panel, or is not known at the measurement.
    """
    if isinstance(names, str) or not isinstance(names, Iterable):
        raise SpecError("covariates takes several column names: covariates=[...].")
    wanted = list(dict.fromkeys(names))
    usable = [c for c in citizen.columns if c not in _AFTER and c not in taken]
    late = [f"covariate {name!r} cannot be used: {_AFTER[name]}." for name in wanted if name in _AFTER]
    if late:
        raise SpecError(" ".join(late))
    unknown = [name for name in wanted if name not in usable]
    if len(unknown) > 1:
        raise SpecError(f"covariates {', '.join(unknown)} are not known. Allowed: {', '.join(usable)}.")
    for name in unknown:
        check_option("covariates", name, usable)
    return citizen.set_index("citizen_id")[wanted]
