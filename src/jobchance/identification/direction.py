"""`which_leads`: whether beliefs go before actions within citizens, or actions before beliefs."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from scipy import stats

from jobchance.errors import IdentificationError
from jobchance.identification.cards import Assumption, checks_frame, judge_p
from jobchance.identification.thresholds import Thresholds
from jobchance.models.cross_lagged import fit_cross_lagged
from jobchance.models.cross_lagged_standardised import LEVEL, MEAN
from jobchance.models.cross_lagged_window import usable_waves
from jobchance.options import check_option
from jobchance.panel.model import AnalysisPanel, require_panel
from jobchance.results.fit import Fit
from jobchance.results.vcov import Robust, Vcov

ENTITY, TIME = "citizen_id", "wave"


def which_leads(
    panel: AnalysisPanel,
    *,
    belief: str = "belief",
    action: str = "action",
    waves: Sequence[Hashable] | None = None,
    vcov: Vcov | None = None,
    thresholds: Thresholds | None = None,
) -> Fit:
    r"""Compare both directions between belief and action within citizens, on one scale.

    A random-intercept cross-lagged model with lags that are the same in all waves: the belief of one wave
    and the action of the next, the action and the next belief, all as deviations from the citizen's own
    level. The plain cross-lagged model, which takes lasting differences between citizens for influence,
    stands beside it. Both directions are standardised by the deviations inside citizens; `difference` is
    belief to action less action to belief.

    A lag says what comes first. It is an effect only under the assumptions in `diagnostics["checks"]`, of
    which the decisive ones cannot be tested.

    Parameters
    ----------
    panel : AnalysisPanel
        From `build_panel`, with a column of actions (1 or 0: an activity was going on when the belief was
        measured).
    belief, action : str
        Columns of the panel.
    waves : sequence or None
        See `fit_cross_lagged`.
    vcov : Cluster, Robust, "model" or None
        `None`: `Robust()`, since neither variable is normal.
    thresholds : Thresholds or None
        `min_waves`, `min_citizens` and the levels of tests.

    Returns
    -------
    Fit
        The random-intercept model (see `fit_cross_lagged`). `diagnostics["directions"]`: `model direction
        estimate std_error conf_low conf_high standardised standardised_se standardised_low standardised_high`
        for `belief_to_action`, `action_to_belief` and `difference` (standardised only), by model.
        `diagnostics["checks"]`: the assumptions.

    Raises
    ------
    SpecError
        Not a panel; `belief` is not one of its numeric columns.
    IdentificationError
        No column of actions, or one that does not vary (`action`); too few waves with both (`waves`); too few
        citizens with two waves (`citizens`). All are listed.
    DesignError, EstimationError
        See `fit_cross_lagged`.

    Notes
    -----
    The action is read on the day of the belief. An activity that was booked before but starts later counts
    as belief to action even if the belief did nothing but foresee it.

    References
    ----------
    Hamaker, Kuiper & Grasman (2015), Psychological Methods 20, 102-116; Hu & Bentler (1999), Structural
    Equation Modeling 6, 1-55; Kenny & Zautra (1995) on why measurement error is not separated here.

    Examples
    --------
    >>> import jobchance as jc
    >>> from jobchance.identification.direction import which_leads
    >>> panel = jc.build_panel(jc.simulate_study(seed=1, n_citizens=1500))
    >>> directions = which_leads(panel).diagnostics["directions"]
    >>> directions["direction"].tolist()[:3]
    ['belief_to_action', 'action_to_belief', 'difference']
    """
    limits = thresholds or Thresholds()
    frame = _usable(panel, belief, action, waves, limits)
    window = waves
    if waves is None:
        window = usable_waves(frame, x=belief, y=action, entity=ENTITY, time=TIME)
    kind = Robust() if vcov is None else vcov
    within, plain = (
        fit_cross_lagged(
            frame,
            x=belief,
            y=action,
            entity=ENTITY,
            time=TIME,
            waves=window,
            lags="equal",
            random_intercepts=random,
            vcov=kind,
        )
        for random in (True, False)
    )
    directions = pd.concat(
        [_directions(fit, name, belief, action) for name, fit in (("RI-CLPM", within), ("CLPM", plain))],
        ignore_index=True,
    )
    checks = _checks(within, frame, window or (), limits)
    return replace(
        within,
        spec=dict(within.spec) | {"belief": belief, "action": action},
        diagnostics={"directions": directions} | dict(within.diagnostics) | {"checks": checks_frame(checks)},
    )


def _usable(
    panel: AnalysisPanel, belief: str, action: str, waves: Sequence[Hashable] | None, limits: Thresholds
) -> pd.DataFrame:
    """Rows of the panel with the columns needed, or everything that is missing."""
    frame = require_panel(panel, "which_leads").frame
    numeric = [str(c) for c in frame.columns if pd.api.types.is_numeric_dtype(frame[c].dtype)]
    check_option("belief", belief, numeric)
    if action not in numeric or frame[action].nunique() < 2:
        why = "varies in no row" if action in frame.columns else "is absent"
        raise IdentificationError(
            f"The column {action} {why}: without activities there is nothing that beliefs could come before. "
            "Add the activity table to the study.",
            missing=("action",),
        )
    both = frame[frame[[belief, action]].notna().all(axis=1)]
    found = waves if waves is not None else usable_waves(both, x=belief, y=action, entity=ENTITY, time=TIME)
    repeated = int((both[ENTITY].value_counts() > 1).sum())
    missing, texts = [], []
    if len(set(found)) < limits.min_waves:
        missing.append("waves")
        texts.append(f"{len(set(found))} waves with belief and action, of {limits.min_waves:.0f} needed")
    if repeated < limits.min_citizens:
        missing.append("citizens")
        texts.append(f"{repeated} citizens with two such waves, of {limits.min_citizens:.0f} needed")
    if missing:
        raise IdentificationError(
            f"Which comes first cannot be told: {'; '.join(texts)}.", missing=tuple(missing)
        )
    return frame[[ENTITY, TIME, *dict.fromkeys((belief, action))]]


def _directions(fit: Fit, model: str, belief: str, action: str) -> pd.DataFrame:
    """Both lags and their standardised difference."""
    interval, standard = fit.conf_int(), fit.diagnostics["standardised"]
    standard = standard[standard["kind"] == MEAN].set_index("direction")
    scale = standard[["estimate", "std_error", "conf_low", "conf_high"]]
    rows: list[list[object]] = []
    for name, term in (
        ("belief_to_action", f"{action}~{belief}"),
        ("action_to_belief", f"{belief}~{action}"),
    ):
        raw = [fit.params[term], fit.std_errors[term], *interval.loc[term]]
        rows.append([model, name, *raw, *scale.loc[term]])
    value, error = (fit.statistics[f"cross_lag_difference{end}"] for end in ("", "_se"))
    reach = float(stats.norm.ppf((1 + LEVEL) / 2)) * error
    rows.append([model, "difference", *[np.nan] * 4, value, error, value - reach, value + reach])
    columns = ["model", "direction", "estimate", "std_error", "conf_low", "conf_high"]
    ends = ("standardised", "standardised_se", "standardised_low", "standardised_high")
    return pd.DataFrame(rows, columns=[*columns, *ends])


def _checks(
    fit: Fit, frame: pd.DataFrame, window: Sequence[Hashable], limits: Thresholds
) -> tuple[Assumption, ...]:
    """What the comparison assumes."""
    lags, traits = (_test(fit, name) for name in ("equal_lags", "no_random_intercepts"))
    # Lags that differ over the waves make the common one an average, not a mistake: doubt, never failure.
    equal = judge_p(lags[2], limits).replace("fails", "doubtful")
    proper = "doubtful" if fit.is_singular else "holds"
    rmsea, left = float(fit.statistics["rmsea"]), _left(frame, window)
    return (
        Assumption("enough_waves", "holds", "waves", value=len(window), threshold=limits.min_waves),
        Assumption("equal_lags", equal, "equal_lags_scaled_lr", *lags),
        Assumption("stable_traits", proper, "random_intercepts_scaled_lr", *traits),
        Assumption(
            "model_fit",
            "holds" if rmsea <= limits.rmsea else "doubtful",
            "rmsea",
            value=rmsea,
            threshold=limits.rmsea,
        ),
        Assumption("drop_out_at_random", "doubtful" if left > 0 else "holds", "share_left", value=left),
        Assumption("no_measurement_error", "untested"),
        Assumption("no_time_varying_confounding", "doubtful"),
    )


def _test(fit: Fit, name: str) -> tuple[float, float, float]:
    """Scaled statistic, degrees of freedom and p-value of one likelihood ratio."""
    table = fit.diagnostics["comparisons"]
    columns = ["scaled_statistic", "df", "scaled_p_value"]
    statistic, df, p_value = table.loc[table["comparison"] == name, columns].to_numpy(dtype=float)[0]
    return float(statistic), float(df), float(p_value)


def _left(frame: pd.DataFrame, window: Sequence[Hashable]) -> float:
    """Share of the citizens in the first wave who are not in the last."""
    first, last = (set(frame.loc[frame[TIME] == wave, ENTITY]) for wave in (window[0], window[-1]))
    return 1 - len(first & last) / len(first)
