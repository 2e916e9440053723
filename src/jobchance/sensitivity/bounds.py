"""`lee_bounds` and `manski_bounds`: how far a difference of two groups can lie when outcomes are missing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import pandas as pd

from jobchance.errors import SpecError
from jobchance.numerics import bounds as kernel
from jobchance.options import check_option
from jobchance.results.covariance import covariance
from jobchance.results.fit import Fit
from jobchance.results.parts import Rows, Sample
from jobchance.results.provenance import provenance
from jobchance.results.vcov import Cluster, Robust, Vcov
from jobchance.sensitivity.bounds_input import CLUSTER, BoundsInput, read_input, resample

Values: TypeAlias = pd.Series | np.ndarray | Sequence[object]
TERMS = ("lower", "upper")
SIDES = {"nothing": "both", "missing_no_better": "below", "missing_no_worse": "above"}


def lee_bounds(
    outcome: Values,
    treatment: Values,
    observed: Values | None = None,
    *,
    cells: Values | pd.DataFrame | None = None,
    cluster: Values | None = None,
    level: float = 0.95,
    bootstrap: int = 0,
    seed: int | None = None,
) -> Fit:
    r"""Lee's trimming bounds on a difference of means among those whose outcome is seen in either group.

    The group with the larger share of seen outcomes is cut at the top or at the bottom by
    :math:`p = 1 - a_{other} / a_{trimmed}`, the excess share, so that like is compared with like:

    .. math:: \Delta^{up} = E[Y \mid D{=}1, S{=}1, Y \ge y_p] - E[Y \mid D{=}0, S{=}1]

    Outcomes tied at the cut (a 0/1 outcome) count in part, so that exactly p is cut.

    Parameters
    ----------
    outcome : Series or array (n,)
        Numbers; may be missing where not observed.
    treatment : Series or array (n,)
        0/1 or true/false: the two groups.
    observed : Series or array (n,), or None
        Whether the outcome is seen; `None`: where `outcome` is not missing.
    cells : Series, array, DataFrame or None
        Groups of rows (all combinations of several columns) within which to trim; bounds become tighter
        where cells explain who is seen. Weighted by the seen rows of the group that is not trimmed.
    cluster : Series, array or None
        Cluster of each row, for standard errors and bootstrap; `None`: rows are independent.
    level : float
        Coverage of the interval.
    bootstrap : int
        Draws of a bootstrap of rows or clusters beside the analytic standard errors; 0 is none.
    seed : int or None
        Of the bootstrap; needed for it.

    Returns
    -------
    Fit
        Terms `lower` and `upper`, in units of the outcome. `statistics`: `conf_low`, `conf_high` (the
        interval of Imbens and Manski, which covers the difference itself), `trimmed`, `share_observed_1`,
        `share_observed_0`. `diagnostics`: `cells` (one row per cell), `intervals` (analytic, bootstrap).
        `with_vcov` works; `effect_interval` gives the interval of such a fit.

    Raises
    ------
    SpecError
        Columns of different length, a group that is not 0/1, `level` or `bootstrap` out of range, no seed.
    DesignError
        Missing outcomes where observed, missing groups, cells or clusters, cells without a seen outcome in
        both groups; all with counts.

    Notes
    -----
    Valid if being in the treated group moves everybody's chance of being seen in one direction
    (monotonicity) and groups are comparable, as if allocated at random (within cells). Belief groups are
    not: there the bounds hold for the *difference between the groups*, an association.
    Standard errors are Lee's (proposition 3) without a small-sample factor, by influence values, which also
    carry clusters and the weights of cells; they treat it as known which group is trimmed, and are
    unreliable where the shares seen are nearly equal. In a cell where the other group is seen more nothing
    is trimmed (as Stata's leebounds) and a remark says so.
    Not done: bounds smoothed over continuous covariates (Semenova 2023).

    References
    ----------
    Lee (2009), Review of Economic Studies 76, 1071-1102; Tauchmann (2014), Stata Journal 14, 884-894;
    Imbens & Manski (2004), Econometrica 72, 1845-1857.

    Examples
    --------
    >>> group = [1] * 5 + [0] * 5
    >>> fit = lee_bounds([1, 2, 3, 4, None, 1, 2, None, None, None], group)
    >>> fit.params.round(3).to_dict(), fit.statistics["trimmed"]
    ({'lower': 0.0, 'upper': 2.0}, 0.5)
    """
    data = read_input(outcome, treatment, observed, cells=cells, cluster=cluster, what="lee_bounds")
    made = kernel.lee_bounds(data.y, data.d, data.s, data.x)
    drawn = _bootstrap(data, kernel.lee_bounds, bootstrap, seed)
    remarks = ["The bounds speak of rows whose outcome would be seen in either group."]
    if made.n_opposite:
        remarks.append(
            f"In {made.n_opposite} of {len(made.cells)} cells the other group is seen more often: nothing is "
            "trimmed there, and the bounds hold only if that is chance."
        )
    return _fit(data, made, "Lee bounds", level=level, drawn=drawn, remarks=remarks, spec={})


def manski_bounds(
    outcome: Values,
    treatment: Values,
    observed: Values | None = None,
    *,
    limits: tuple[float, float] = (0.0, 1.0),
    assume: str = "nothing",
    cells: Values | pd.DataFrame | None = None,
    cluster: Values | None = None,
    level: float = 0.95,
    bootstrap: int = 0,
    seed: int | None = None,
) -> Fit:
    r"""Worst-case bounds on a difference of means: the missing outcomes may be anything within limits.

    .. math:: \Delta^{up} = E[Y S + h (1-S) \mid D{=}1] - E[Y S + l (1-S) \mid D{=}0]

    Parameters
    ----------
    outcome, treatment, observed, cluster, level, bootstrap, seed
        As in `lee_bounds`.
    limits : (float, float)
        Lowest and highest possible outcome l, h.
    assume : {"nothing", "missing_no_better", "missing_no_worse"}
        What is known of the missing, in both groups (and cells): their mean is not above, or not below,
        that of the seen. Each halves the range.
    cells : Series, array, DataFrame or None
        Cells within which bounds are formed, weighted by their rows: the difference at equal cells.

    Returns
    -------
    Fit
        As `lee_bounds`, about everybody and not only those seen in either group.

    Raises
    ------
    SpecError, DesignError
        As `lee_bounds`; also `limits` that are not in order, and seen outcomes outside them (a count).

    Notes
    -----
    Needs no monotonicity and no model; with `assume="nothing"` a group may have no seen outcome. The width is
    the sum of the shares missing times the range of the outcome. Not done: monotone instruments (Manski &
    Pepper 2000), whose sup and inf are biased in samples.

    References
    ----------
    Horowitz & Manski (2000), J. Am. Stat. Assoc. 95, 77-84; Imbens & Manski (2004).

    Examples
    --------
    >>> fit = manski_bounds([1, 0, None, 0, 0, None], [1, 1, 1, 0, 0, 0])
    >>> fit.params.round(3).to_dict()
    {'lower': 0.0, 'upper': 0.667}
    """
    side = SIDES[check_option("assume", assume, SIDES)]
    low, high = _limits(limits)
    data = read_input(
        outcome,
        treatment,
        observed,
        cells=cells,
        cluster=cluster,
        what="manski_bounds",
        limits=(low, high),
        all_missing=assume == "nothing",
    )

    def bounds(y: kernel.Floats, d: kernel.Mask, s: kernel.Mask, x: kernel.Codes) -> kernel.Bounds:
        return kernel.manski_bounds(y, d, s, x, low=low, high=high, side=side)

    made = bounds(data.y, data.d, data.s, data.x)
    drawn = _bootstrap(data, bounds, bootstrap, seed)
    remarks = [f"Missing outcomes may lie anywhere from {low:g} to {high:g}."]
    if assume != "nothing":
        word = "better" if assume == "missing_no_better" else "worse"
        remarks = [f"Assumed: the missing outcomes are on average no {word} than the seen ones."]
    spec: dict[str, object] = {"limits": [low, high], "assume": assume}
    return _fit(data, made, "worst-case bounds", level=level, drawn=drawn, remarks=remarks, spec=spec)


def effect_interval(fit: Fit, *, level: float = 0.95) -> tuple[float, float]:
    """Interval of Imbens and Manski of a fit of bounds, with its present standard errors.

    Raises
    ------
    SpecError
        The fit is none of bounds, or `level` is not between 0 and 1.
    """
    if tuple(fit.terms) != TERMS:
        raise SpecError("effect_interval takes a fit from lee_bounds or manski_bounds.")
    _check_level(level)
    sd = fit.std_errors
    low, high, _ = kernel.imbens_manski(
        fit.params["lower"], fit.params["upper"], sd["lower"], sd["upper"], level=level
    )
    return low, high


def _fit(
    data: BoundsInput,
    made: kernel.Bounds,
    model: str,
    *,
    level: float,
    drawn: np.ndarray | None,
    remarks: list[str],
    spec: dict[str, object],
) -> Fit:
    """The bounds as a fit with two terms."""
    _check_level(level)
    vcov: Vcov = Cluster(CLUSTER) if data.cluster is not None else Robust("HC0")
    rows = _rows(data, made)
    cov, inference = covariance(rows, vcov)
    sd = np.sqrt(np.diag(cov))
    ends = (made.lower, made.upper)
    intervals = [("analytic", sd, kernel.imbens_manski(*ends, *sd, level=level))]
    if drawn is not None:
        sd_drawn = drawn.std(axis=0, ddof=1)
        intervals.append(("bootstrap", sd_drawn, kernel.imbens_manski(*ends, *sd_drawn, level=level)))
    seen = [float(data.s[data.d].mean()), float(data.s[~data.d].mean())]
    return Fit(
        model=model,
        outcome=data.name,
        terms=TERMS,
        estimates=np.array(ends),
        covariance=cov,
        inference=inference,
        sample=Sample(len(data.y), {"cell": len(made.cells)} if len(made.cells) > 1 else {}),
        spec=spec | {"level": level, "n_observed": int(data.s.sum())},
        statistics={
            "conf_low": intervals[0][2][0],
            "conf_high": intervals[0][2][1],
            "trimmed": max(0.0, 1 - min(seen) / max(seen)) if model == "Lee bounds" else 0.0,
            "share_observed_1": seen[0],
            "share_observed_0": seen[1],
        },
        conventions={
            "interval": "Imbens & Manski: covers the difference, not the whole range between the bounds",
            "standard errors": "influence values, no small-sample factor unless clustered",
        },
        remarks=remarks,
        diagnostics={"intervals": _intervals(intervals), "cells": _cells(made)},
        provenance=provenance(None),
        rows=rows,
    )


def _rows(data: BoundsInput, made: kernel.Bounds) -> Rows:
    """Influence values as scores with an identity bread: their cross-product is the covariance."""
    n = len(data.y)
    frame = pd.DataFrame(index=data.index) if data.cluster is None else pd.DataFrame({CLUSTER: data.cluster})
    psi = made.influence
    return Rows(
        frame=frame,
        used=np.arange(n),
        outcome=np.where(data.s, data.y, np.nan),
        fitted=np.full(n, np.nan),
        fitted_fixed=np.full(n, np.nan),
        scores=psi,
        bread=np.eye(2),
        model_cov=psi.T @ psi,
        df_resid=np.inf,
        k=2,
        uses_t=False,
        model_label="influence values, rows independent",
    )


def _bootstrap(data: BoundsInput, bounds: object, draws: int, seed: int | None) -> np.ndarray | None:
    """Bounds (draws, 2) of resampled rows or clusters; draws that leave a cell empty are drawn again."""
    if draws == 0:
        return None
    if not isinstance(draws, int) or draws < 20 or not isinstance(seed, int | np.integer) or seed < 0:
        raise SpecError(
            "bootstrap= is 0 or a whole number of draws, at least 20, and needs seed=, a whole number of 0 "
            "or more."
        )
    assert callable(bounds)
    made = (bounds(*sample) for sample in resample(data, draws=draws, seed=seed))
    return np.array([(one.lower, one.upper) for one in made])


def _intervals(
    intervals: list[tuple[str, np.ndarray, tuple[float, float, float]]],
) -> pd.DataFrame:
    """One row per kind of standard error."""
    return pd.DataFrame(
        [
            {"kind": kind, "std_error_lower": sd[0], "std_error_upper": sd[1], "conf_low": low}
            | {"conf_high": high, "factor": c}
            for kind, sd, (low, high, c) in intervals
        ]
    )


def _cells(made: kernel.Bounds) -> pd.DataFrame:
    """One row per cell, in order of their labels, without naming them."""
    return pd.DataFrame(
        [
            {"lower": c.lower, "upper": c.upper, "share_observed_1": c.share_treated}
            | {"share_observed_0": c.share_control, "trimmed": c.trimmed, "weight": c.weight, "n_rows": c.n}
            for c in made.cells
        ]
    )


def _limits(limits: tuple[float, float]) -> tuple[float, float]:
    """The limits as floats in order."""
    try:
        low, high = (float(value) for value in limits)
    except (TypeError, ValueError):
        raise SpecError("limits= takes the lowest and the highest possible outcome: (0, 1).") from None
    if not (np.isfinite(low) and np.isfinite(high) and low < high):
        raise SpecError("limits= takes two finite numbers, the lower one first: (0, 1).")
    return low, high


def _check_level(level: float) -> None:
    if not 0 < level < 1:
        raise SpecError(f"level={level!r} must lie between 0 and 1, such as 0.95.")
