"""`value_added`: how much caseworkers of one jobcentre and period differ in their citizens' outcomes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from jobchance.design.formula import INTERCEPT
from jobchance.errors import SpecError
from jobchance.identification import value_added_checks as checks
from jobchance.identification.cards import checks_frame
from jobchance.identification.thresholds import Thresholds
from jobchance.identification.value_added_effects import (
    PP,
    Effects,
    Forecast,
    Spread,
    estimate_effects,
    estimate_spread,
    forecast,
    halves,
)
from jobchance.identification.value_added_rows import CASEWORKER, ValueAddedRows, value_added_rows
from jobchance.identification.value_added_tables import (
    caseload_table,
    counted_groups,
    interval_table,
    ranking_table,
    spread_table,
)
from jobchance.numerics.empirical_bayes import rank_units, robust_reach
from jobchance.panel.model import AnalysisPanel, require_panel
from jobchance.results.fit import Fit
from jobchance.results.parts import Inference, RandomPart, Sample
from jobchance.results.provenance import provenance
from jobchance.results.serialise import components_frame

SEED = 20170302
PERMUTATIONS = 999


def value_added(
    panel: AnalysisPanel,
    *,
    outcome: str | None = None,
    cells: Sequence[str] = ("jobcentre_id", "period"),
    covariates: Iterable[str] | None = None,
    rows: str = "first",
    level: float = 0.95,
    permutations: int = PERMUTATIONS,
    seed: int = SEED,
    thresholds: Thresholds | None = None,
) -> Fit:
    r"""Spread of caseworkers' effects on an outcome, and what of it is more than noise.

    .. math:: y_{ijc} = x_i'b + \mu_c + a_j + e_i, \qquad
              \hat\sigma_a^2 = \frac{\sum_c \{P_{1c} - N_{1c} P_{0c} / N_{0c}\}}{\sum_c N_{1c}}

    with P and N sums of products and numbers of pairs of different citizens of a cell, with the same (1) or
    with different caseworkers (0). Products of different citizens hold no noise of one of them, so this
    variance is unbiased and may come out negative. An effect of caseworkers is identified where citizens are
    allocated to them as good as at random within a cell; otherwise it is a difference between caseloads.

    Parameters
    ----------
    panel : AnalysisPanel
        With `caseworker_id`.
    outcome : str or None
        A numeric column; `None` is the panel's outcome.
    cells : sequence of str
        Columns within which caseworkers are compared.
    covariates : iterable of str or None
        Columns to adjust for; `None`: those of the panel, and the citizen's own belief. Their coefficients
        are estimated with caseworkers and cells held constant.
    rows : {"first", "relationships"}
        First row of each citizen; or first row of each citizen with each caseworker (more rows, but later
        ones exist only for citizens still without the outcome).
    level : float
        Coverage of the intervals.
    permutations : int
        Re-allocations of citizens to the caseworkers of their cell behind the p-value.
    seed : int
        Of the permutations, the noise benchmark and the ranks.
    thresholds : Thresholds or None
        Thresholds of the checks.

    Returns
    -------
    Fit
        One term, `variance(caseworker_id)`, in squared units of the outcome. `statistics`: `sd_pp` (NaN
        where the variance is negative) with `sd_pp_low` and `sd_pp_high` (multiplied by 100: percentage
        points for a 0/1 outcome), `p_value` (permutations, one-sided), `reliability` (median), `noise_sd_pp`,
        `forecast_slope`, `forecast_se`, `forecast_p` (of slope 1), `split_half_ratio`, `mean_outcome`.
        `diagnostics`: `spread` (outer thirds, quarters and tenths: raw, pure noise, shrunken), `shrinkage`,
        `ranking`, `caseload`, `covariates`, `checks`. Effects of single caseworkers are in `random` only,
        which is never stored: there is no list of caseworkers in any table.

    Raises
    ------
    SpecError
        Unknown `rows`, columns that the panel does not have, `level` or `permutations` out of range.
    IdentificationError
        No caseworkers (key `caseworkers`), too few (`clusters`), cells with one caseworker each
        (`assignment_within_cells`), one citizen per caseworker and cell (`citizens_per_caseworker`), too few
        citizens (`citizens`) or events (`events`), no variation (`outcome_variation`), no rows (`rows`).

    Notes
    -----
    The variance is weighted by pairs, so caseworkers with more citizens weigh more. The standard error of
    the term is the infinitesimal jackknife's over caseworkers. The interval of the standard deviation holds
    all values that a test does not reject, with the variance of the estimate taken at the value tested
    (normal effects, one error variance); its lower limit is 0 unless the permutations reject zero at half of
    1 - `level`, one-sided (which needs at least 39 of them at 0.95). Shrunken effects are `w_j d_j` with d_j
    the mean deviation from the other caseworkers of the cells and `w_j = s^2_a / (s^2_a + s^2_j)`, s^2_j from
    the caseload; robust intervals (`shrinkage`, half-width) are those of Armstrong, Kolesar &
    Plagborg-Moller with the second moment.
    Ranks: simultaneous over all pairs (Mogstad, Romano, Shaikh & Wilhelm), reported as counts only.
    The two-way model with citizen effects is `two_way_variance`.

    References
    ----------
    Kane & Staiger (2008), NBER 14607; Chetty, Friedman & Rockoff (2014), American Economic Review 104,
    2593-2632; Kline, Saggio & Soelvsten (2020), Econometrica 88, 1859-1898; Armstrong, Kolesar &
    Plagborg-Moller (2022), Econometrica 90, 2567-2602; Mogstad, Romano, Shaikh & Wilhelm (2024), Review of
    Economic Studies 91, 476-518.

    Examples
    --------
    >>> import jobchance as jc
    >>> panel = jc.build_panel(jc.simulate_study(n_citizens=1500, seed=3))
    >>> fit = value_added(panel, permutations=99)
    >>> list(fit.terms), sorted(fit.diagnostics)
    (['variance(caseworker_id)'], ['caseload', 'checks', 'covariates', 'ranking', 'shrinkage', 'spread'])
    """
    if not 0 < level < 1 or permutations < 19:
        raise SpecError(
            f"level={level!r} must lie between 0 and 1, and permutations={permutations!r} must be 19 or more."
        )
    limits = thresholds or Thresholds()
    data = value_added_rows(
        require_panel(panel, "value_added"),
        outcome=outcome,
        cells=cells,
        covariates=covariates,
        rows=rows,
        thresholds=limits,
    )
    spread = estimate_spread(data, level=level, permutations=permutations, seed=seed)
    effects = estimate_effects(data, spread.variance)
    ahead = forecast(data, spread)
    across = halves(data, spread)
    spec = {"cells": [cells] if isinstance(cells, str) else list(cells), "rows": rows, "seed": seed}
    return Fit(
        model="value added of caseworkers (pairs of different citizens)",
        outcome=data.outcome,
        terms=(f"variance({CASEWORKER})",),
        estimates=np.array([spread.variance]),
        covariance=np.array([[spread.std_error**2]]),
        inference=Inference("cluster", "infinitesimal jackknife over caseworkers"),
        sample=Sample(len(data.y), counted_groups(data), data.dropped),
        spec=spec | {"level": level, "permutations": permutations, "covariates": list(data.names)},
        is_singular=spread.variance <= 0,
        variance_components=_components(data, spread),
        statistics=_statistics(data, spread, effects, ahead, across),
        conventions=_conventions(),
        remarks=_remarks(spread),
        diagnostics={
            "spread": spread_table(data, effects, seed=seed),
            "shrinkage": interval_table(effects, spread, _reach(effects, spread, level)),
            "ranking": ranking_table(
                rank_units(effects.d, effects.s2, level=level, seed=seed), len(data.levels)
            ),
            "caseload": caseload_table(data),
            "covariates": _covariates(data),
            "checks": checks_frame(
                [
                    checks.assignment(data, limits),
                    *checks.balance(data, limits),
                    checks.unbiased(ahead, limits),
                    checks.stable(*across, spread, limits),
                    *checks.sizes(data, limits),
                    checks.selection(data),
                ]
            ),
        },
        provenance=provenance(None),
        random=(
            RandomPart(CASEWORKER, (INTERCEPT,), data.levels, effects.shrunken[:, None], effects.sd[:, None]),
        ),
    )


def _reach(effects: Effects, spread: Spread, level: float) -> np.ndarray | None:
    """Half-widths of robust intervals; None without spread."""
    return robust_reach(effects.s2, spread.variance, level=level) if spread.variance > 0 else None


def _root(variance: float) -> float:
    """Standard deviation times 100; NaN below zero."""
    return PP * float(variance) ** 0.5 if variance >= 0 else float("nan")


def _components(data: ValueAddedRows, spread: Spread) -> pd.DataFrame:
    """Between caseworkers of a cell, and within."""
    parts = ((CASEWORKER, INTERCEPT, spread.variance), ("Residual", "residual", data.spread_in_cells))
    return components_frame(
        [{"group": g, "term": t, "variance": v, "sd": _root(v) / PP} for g, t, v in parts]
    )


def _statistics(
    data: ValueAddedRows,
    spread: Spread,
    effects: Effects,
    ahead: Forecast | None,
    across: tuple[float, float, float],
) -> dict[str, float]:
    """Numbers beside the variance; those that could not be computed are left out."""
    v = max(spread.variance, 0.0)
    made = {
        "sd_pp": _root(spread.variance),
        "sd_pp_low": _root(spread.low),
        "sd_pp_high": _root(spread.high),
        "p_value": spread.p_value,
        "reliability": float(np.median(v / (v + effects.s2))),
        "noise_sd_pp": PP * float(np.median(np.sqrt(effects.s2))),
        "mean_outcome": float(data.y.mean()),
        "n_pairs": spread.n_pairs,
    }
    if spread.variance > 0 and np.isfinite(across[0]):
        made["split_half_ratio"] = across[0] / spread.variance
    if ahead is not None:
        made |= {
            "forecast_slope": ahead.slope,
            "forecast_se": ahead.std_error,
            "forecast_p": ahead.p_value,
            "n_movers": float(ahead.n_movers),
        }
    return made


def _covariates(data: ValueAddedRows) -> pd.DataFrame:
    """Coefficients of the adjustment."""
    return pd.DataFrame({"covariate": list(data.names), "estimate": data.slopes})


def _conventions() -> dict[str, str]:
    """Choices that other software makes differently."""
    return {
        "variance": "products over pairs of different citizens of a cell, weighted by pairs",
        "noise": "variance within caseworker and cell, pooled, over the caseload",
        "interval": "values not rejected, variance of the estimate taken at the value tested",
        "p-value": "citizens re-allocated at random to the caseworkers of their cell, one-sided",
    }


def _remarks(spread: Spread) -> tuple[str, ...]:
    """What a reader must know."""
    made = [
        "Effects of single caseworkers are not reported: noise orders them more than they differ.",
        "Against no differences stands p_value (permutations); the z of the variance is not a test at zero.",
    ]
    if spread.variance <= 0:
        made.append("The variance is estimated at or below zero: caseworkers differ no more than by chance.")
    return tuple(made)
