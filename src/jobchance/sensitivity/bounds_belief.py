"""`belief_bounds`: bounds on the difference between high and low beliefs when outcomes are missing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pandas as pd

from jobchance.errors import DesignError, SpecError
from jobchance.options import check_option
from jobchance.panel.model import AnalysisPanel, require_panel
from jobchance.results.fit import Fit
from jobchance.sensitivity import attrition_steps as step
from jobchance.sensitivity.bounds import lee_bounds, manski_bounds

METHODS = ("lee", "manski")
AT = ("first", "next")


def belief_bounds(
    panel: AnalysisPanel,
    *,
    method: str = "lee",
    outcome: str = "outcome",
    at: str = "first",
    exposure: str = "belief",
    low_at_most: float = 2,
    high_at_least: float = 4,
    cells: Iterable[str] = (),
    cluster: str = "caseworker_id",
    limits: tuple[float, float] | None = None,
    assume: str = "nothing",
    level: float = 0.95,
    bootstrap: int = 0,
    seed: int | None = None,
) -> Fit:
    """Bounds on the gradient: citizens of high against citizens of low belief, one row per citizen.

    Parameters
    ----------
    panel : AnalysisPanel
        As built.
    method : {"lee", "manski"}
        `lee_bounds`, or `manski_bounds` with `limits` and `assume`.
    outcome : str
        Numeric column.
    at : {"first", "next"}
        `"first"`: the outcome of the citizen's first row, missing where its window is censored. `"next"`:
        the value at the citizen's next measurement (an activity, a belief), missing for those lost; citizens
        who had the job or another exit before it was due are left out.
    exposure : str
        Column of the first row that makes the groups.
    low_at_most, high_at_least : float
        Ends of the two groups; answers between belong to neither.
    cells : iterable of str
        Columns within which to trim or to compare.
    cluster : str
        Clusters of the standard errors.
    limits : (float, float) or None
        For `method="manski"`; `None`: 0 and 1 for a 0/1 outcome, needed otherwise.
    assume, level, bootstrap, seed
        As in `lee_bounds` and `manski_bounds`.

    Returns
    -------
    Fit
        As `lee_bounds`, in units of the outcome.

    Raises
    ------
    SpecError
        Absent columns, groups that overlap, no limits for an outcome that is not 0/1.
    DesignError
        A group without rows; as the bounds.

    Notes
    -----
    Bounds deal with what is missing, not with how citizens came to be believed in: the difference stays an
    association.

    Examples
    --------
    >>> import jobchance as jc
    >>> panel = jc.build_panel(jc.simulate_study(n_citizens=600, seed=4))
    >>> fit = belief_bounds(panel, method="manski")
    >>> bool(fit.params["lower"] < fit.params["upper"])
    True
    """
    check_option("method", method, METHODS)
    check_option("at", at, AT)
    names = tuple(dict.fromkeys([cells] if isinstance(cells, str) else cells))
    frame = require_panel(panel, "belief_bounds").frame
    absent = [c for c in dict.fromkeys([outcome, exposure, cluster, *names]) if c not in frame]
    if absent:
        raise SpecError(f"belief_bounds: the panel has no column {', '.join(absent)}.")
    if not low_at_most < high_at_least:
        raise SpecError("belief_bounds: low_at_most= must lie below high_at_least=.")
    rows = _first_rows(panel, outcome, at)
    rows = rows[(rows[exposure] <= low_at_most) | (rows[exposure] >= high_at_least)]
    high = rows[exposure] >= high_at_least
    if high.all() or not high.any():
        raise DesignError(
            f"belief_bounds: {int(high.sum())} citizens have {exposure} of {high_at_least:g} or more and "
            f"{int((~high).sum())} of {low_at_most:g} or less; both groups are needed."
        )
    common = {
        "cells": rows[list(names)] if names else None,
        "cluster": rows[cluster],
        "level": level,
        "bootstrap": bootstrap,
        "seed": seed,
    }
    if method == "lee":
        fit = lee_bounds(rows["_value"], high, **common)  # type: ignore[arg-type]
    else:
        ends = limits or _limits(rows["_value"], outcome)
        fit = manski_bounds(rows["_value"], high, limits=ends, assume=assume, **common)  # type: ignore[arg-type]
    spec = {"exposure": exposure, "low_at_most": low_at_most, "high_at_least": high_at_least, "at": at}
    remark = (
        f"High belief: {int(high.sum())} citizens, low: {int((~high).sum())}. The difference between the "
        "groups is an association."
    )
    return replace(fit, outcome=outcome, spec=dict(fit.spec) | spec, remarks=(*fit.remarks, remark))


def _first_rows(panel: AnalysisPanel, outcome: str, at: str) -> pd.DataFrame:
    """Each citizen's first row with `_value`, the outcome there or at the next measurement."""
    frame = panel.frame.sort_values(["citizen_id", "wave", "date"], kind="stable")
    if at == "first":
        rows = frame.drop_duplicates("citizen_id")
        return rows.assign(_value=rows[outcome])
    steps = step.read_steps(panel)
    following = frame.groupby("citizen_id", sort=False)[outcome].shift(-1)
    rows = frame.assign(_value=following).loc[steps.order.loc[frame.index] == 0]
    return rows[steps.eligible.loc[rows.index]]


def _limits(values: pd.Series, outcome: str) -> tuple[float, float]:
    """0 and 1 for a 0/1 outcome."""
    if not values.dropna().isin([0, 1]).all():
        raise SpecError(f"belief_bounds: {outcome} is not 0/1, so worst-case bounds need limits=(low, high).")
    return 0.0, 1.0
