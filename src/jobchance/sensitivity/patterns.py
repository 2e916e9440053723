"""`pattern_comparison`: the association among those who stayed and among those who were lost."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pandas as pd
from scipy import stats

from jobchance.design.nodes import quoted
from jobchance.errors import DesignError, SpecError
from jobchance.models.glm import fit_glm
from jobchance.panel.model import AnalysisPanel, require_panel
from jobchance.results.fit import Fit
from jobchance.results.vcov import Cluster, Vcov
from jobchance.sensitivity import attrition_steps as step

PATTERN = "pattern"
_WEEK = pd.Timedelta(days=7)


def pattern_comparison(
    panel: AnalysisPanel,
    *,
    exposure: str = "expectation",
    covariates: Iterable[str] = (),
    landmark_wave: int = 3,
    min_citizens: int = 50,
    min_events: int = 5,
    interval_days: int | None = None,
    slack_days: int = 14,
    vcov: Vcov | None = None,
) -> Fit:
    r"""The association by drop-out pattern, its pattern-mixture mean, and a test that patterns are alike.

    .. math:: y_i = a_{p(i)} + b_{p(i)} x_i + z_i'c, \qquad \bar b = \sum_p \pi_p b_p

    **Landmark.** Citizens are compared as they stand when wave `landmark_wave` is due: those who by then
    had the outcome or another exit are left out, so that the pattern (`"lost after wave 1"`, ...,
    `"measured at wave 3"`; waves are counted from the citizen's first row) cannot be a consequence of the
    outcome. Exposure and covariates are those of
    the first row; the outcome is that of its window, of which the part behind the landmark counts.

    Parameters
    ----------
    panel : AnalysisPanel
        The horizon must reach beyond the landmark.
    exposure : str
        Numeric column of the first row.
    covariates : iterable of str
        Columns of the first row that enter with one coefficient for all patterns.
    landmark_wave : int
        At least 2; with 2 there are two patterns.
    min_citizens, min_events : int
        Patterns of fewer citizens, or fewer with the outcome, join the neighbour of later loss.
    interval_days, slack_days
        As in `dropout_model`; wave k is due k - 1 intervals after the first row, and `slack_days`.
    vcov : Cluster, Robust or None
        `None`: clustered by caseworker.

    Returns
    -------
    Fit
        Terms `<exposure>: <pattern>` and `<exposure>: mean over patterns`. `diagnostics`: `patterns`
        (citizens, events, share with the outcome, association), `test` (all patterns alike: F with the
        clusters' degrees of freedom, or chi-square).

    Raises
    ------
    SpecError
        Absent or non-numeric columns, `landmark_wave` below 2, `vcov="model"`.
    DesignError
        The horizon ends before the landmark; fewer than two patterns are large enough.

    Notes
    -----
    A linear model (percentage points for a 0/1 outcome). Shares :math:`\pi_p` are taken as known. Alike
    patterns do not prove that drop-out is harmless for beliefs of later waves, but unlike ones show that
    results on later waves do not carry over to all. Outcomes of those lost come from registers.

    References
    ----------
    Little (1993), J. Am. Stat. Assoc. 88, 125-134; Hedeker & Gibbons (1997), Psychol. Methods 2, 64-78.

    Examples
    --------
    >>> import jobchance as jc
    >>> panel = jc.build_panel(jc.simulate_study(n_citizens=1500, seed=4))
    >>> fit = pattern_comparison(panel, landmark_wave=2)
    >>> list(fit.diagnostics["patterns"]["pattern"])
    ['lost after wave 1', 'measured at wave 2']
    """
    names = [covariates] if isinstance(covariates, str) else list(dict.fromkeys(covariates))
    chosen = _check(require_panel(panel, "pattern_comparison"), exposure, names, landmark_wave, vcov)
    steps = step.read_steps(panel, interval_days=interval_days, slack_days=slack_days)
    rows, left_out = _landmark(panel, steps, landmark_wave, [exposure, *names])
    patterns = _patterns(rows, landmark_wave, min_citizens=min_citizens, min_events=min_events)
    rows = rows.assign(**{PATTERN: patterns})
    order = list(dict.fromkeys(rows.sort_values("_last", kind="stable")[PATTERN]))
    if len(order) < 2:
        raise DesignError(
            f"pattern_comparison: only one pattern has {min_citizens} citizens and {min_events} with the "
            "outcome; choose another landmark_wave or more data."
        )
    fit = _fit(rows, order, exposure, names, chosen)
    return _result(fit, rows, order, exposure, left_out, landmark_wave)


def _check(
    panel: AnalysisPanel, exposure: str, covariates: list[str], landmark_wave: int, vcov: Vcov | None
) -> Vcov:
    """One error for everything wrong with the arguments; the kind of standard error."""
    problems = [f"{c} is not in the panel" for c in [exposure, *covariates] if c not in panel.frame]
    if not problems and not pd.api.types.is_numeric_dtype(panel.frame[exposure].dtype):
        problems.append(f"exposure {exposure} is not a number")
    if not isinstance(landmark_wave, int) or landmark_wave < 2:
        problems.append(f"landmark_wave={landmark_wave!r} must be a whole number of at least 2")
    if vcov == "model":
        problems.append('vcov="model" takes citizens of one caseworker as independent; use Cluster(...)')
    if problems:
        raise SpecError(f"pattern_comparison: {'; '.join(problems)}.")
    return Cluster("caseworker_id") if vcov is None else vcov


def _landmark(
    panel: AnalysisPanel, steps: step.Steps, wave: int, needed: list[str]
) -> tuple[pd.DataFrame, dict[str, int]]:
    """First rows of the citizens still in the population at the landmark, with the number of rows by then."""
    frame = panel.frame.assign(_order=steps.order, _status=steps.status)
    first = frame[frame["_order"] == 0].set_index("citizen_id", drop=False)
    due = first["date"] + pd.Timedelta(days=(wave - 1) * steps.interval_days + steps.slack_days)
    event_at = first["window_start"] + first["weeks_to_outcome"].fillna(0) * _WEEK
    horizon = int(str(panel.meta.get("horizon_weeks", 0)))
    if horizon and (first["window_start"] + horizon * _WEEK <= due).all():
        raise DesignError(
            f"pattern_comparison: the outcome window of {horizon} weeks ends before wave {wave} is due; "
            "build the panel with a longer horizon or choose an earlier landmark_wave."
        )
    until = frame["date"].max()
    seen = frame[frame["date"] <= frame["citizen_id"].map(due)]
    last = seen.groupby("citizen_id")["_order"].max().reindex(first.index) + 1
    early = first["event_observed"].astype(bool) & (event_at <= due)
    gone = first["outcome"].isna()
    ended = due > until
    blank = first[needed].isna().any(axis=1)
    keep = ~early & ~gone & ~ended & ~blank
    left_out = {
        "outcome before the landmark": int(early.sum()),
        "outcome not known": int((gone & ~early).sum()),
        "landmark after the end of measurements": int((ended & ~early & ~gone).sum()),
        "exposure or covariate missing": int((blank & ~early & ~gone & ~ended).sum()),
    }
    made = first[keep].assign(_last=last[keep].clip(upper=wave).astype(int))
    return made.reset_index(drop=True), {reason: n for reason, n in left_out.items() if n}


def _patterns(rows: pd.DataFrame, wave: int, *, min_citizens: int, min_events: int) -> pd.Series:
    """Name of each citizen's pattern; small ones join the next later one, the last joins the one before."""
    groups: list[list[int]] = []
    pending: list[int] = []
    for last in range(1, wave + 1):
        pending.append(last)
        part = rows[rows["_last"].isin(pending)]
        events = int(part["outcome"].sum())
        if len(part) >= min_citizens and min(events, len(part) - events) >= min_events:
            groups.append(pending)
            pending = []
    if pending and groups:
        groups[-1] += pending
    names: dict[int, str] = {}
    for group in groups or [pending]:
        low, high = group[0], group[-1]
        lost = (
            f"lost after wave {low}"
            if low == min(high, wave - 1)
            else f"lost after wave {low}-{min(high, wave - 1)}"
        )
        text = f"measured at wave {wave}" if low == wave else lost
        if low < wave <= high:
            text = f"{lost} or measured at wave {wave}"
        names |= dict.fromkeys(group, text)
    return rows["_last"].map(names)


def _fit(rows: pd.DataFrame, order: list[str], exposure: str, covariates: list[str], vcov: Vcov) -> Fit:
    """One regression with an intercept and a slope for every pattern."""
    made = rows.copy()
    slopes = []
    for place, name in enumerate(order):
        column = f"slope_{place}"
        made[column] = made[exposure] * made[PATTERN].eq(name)
        slopes.append(column)
    terms = [PATTERN, *slopes, *map(quoted, covariates)]
    return fit_glm(f"outcome ~ {' + '.join(terms)}", made, family="gaussian", vcov=vcov)


def _result(
    fit: Fit, rows: pd.DataFrame, order: list[str], exposure: str, left_out: dict[str, int], wave: int
) -> Fit:
    """Slopes and their mean as terms, the table and the test."""
    k = len(order)
    if lost := [f"slope_{place}" for place in range(k) if f"slope_{place}" not in fit.terms]:
        raise DesignError(
            f"pattern_comparison: {exposure} has no association of its own in {len(lost)} of {k} patterns, "
            "where it does not vary or the covariates determine it; choose another landmark_wave or larger "
            "patterns."
        )
    places = [fit.terms.index(f"slope_{place}") for place in range(k)]
    share = rows[PATTERN].value_counts(normalize=True).reindex(order).to_numpy()
    L = np.zeros((k + 1, len(fit.terms)))
    L[np.arange(k), places] = 1.0
    L[k, places] = share
    estimates, cov = L @ fit.estimates, L @ fit.covariance @ L.T
    terms = [*(f"{exposure}: {name}" for name in order), f"{exposure}: mean over patterns"]
    grouped = rows.groupby(PATTERN)["outcome"]
    patterns = pd.DataFrame(
        {
            "pattern": order,
            "n_citizens": grouped.size().reindex(order).to_numpy(),
            "n_events": grouped.sum().reindex(order).astype(int).to_numpy(),
            "share": grouped.mean().reindex(order).to_numpy(),
            "estimate": estimates[:k],
            "std_error": np.sqrt(np.diag(cov)[:k]),
        }
    )
    df = [float(value) for value in fit.df.iloc[places]]
    test = _test(estimates[:k], cov[:k, :k], min(df))
    return replace(
        fit,
        model="linear regression by drop-out pattern",
        terms=terms,
        estimates=estimates,
        covariance=cov,
        inference=replace(fit.inference, df=(*df, min(df)), effective_clusters=()),
        sample=replace(fit.sample, dropped=dict(fit.sample.dropped) | left_out),
        spec={"exposure": exposure, "landmark_wave": wave},
        statistics={"n_patterns": float(k)},
        criterion=None,
        loglik=None,
        diagnostics={"patterns": patterns, "test": test},
        remarks=("Shares of the patterns are taken as known.", *_test_remark(test)),
        predictor=None,
        rows=None,
    )


def _test_remark(test: pd.DataFrame) -> tuple[str, ...]:
    """Why there is no test, where there is none."""
    if test["statistic"].notna().all():
        return ()
    return ("Clusters are fewer than patterns, so that there is no test that all patterns are alike.",)


def _test(b: np.ndarray, cov: np.ndarray, df: float) -> pd.DataFrame:
    """Wald test that all slopes are equal; missing where fewer clusters than patterns leave no covariance."""
    k = len(b)
    D = np.column_stack([-np.ones(k - 1), np.eye(k - 1)])
    away, spread = D @ b, D @ cov @ D.T
    sd = np.sqrt(np.diag(spread))
    known = bool(np.all(sd > 0)) and np.linalg.matrix_rank(spread / np.outer(sd, sd), tol=1e-9) == k - 1
    chi2 = float(away @ np.linalg.solve(spread, away)) if known else float("nan")
    p = float(stats.f.sf(chi2 / (k - 1), k - 1, df)) if np.isfinite(df) else float(stats.chi2.sf(chi2, k - 1))
    return pd.DataFrame(
        [
            {
                "hypothesis": "the same in all patterns",
                "statistic": chi2 / (k - 1),
                "df": k - 1,
                "df_resid": df,
                "p_value": p,
            }
        ]
    )
