"""`dynamic_direction`: whether belief goes before activity or activity before belief."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from jobchance.design.columns import require_columns
from jobchance.errors import IdentificationError
from jobchance.identification.cards import Assumption, checks_frame, judge_p
from jobchance.identification.thresholds import Thresholds
from jobchance.models.dynamic_panel import Influence, estimate_dynamic_panel
from jobchance.panel.model import AnalysisPanel, require_panel
from jobchance.results.fit import Fit
from jobchance.results.parts import Floats, Inference, Sample
from jobchance.results.provenance import provenance

ENTITY, TIME = "citizen_id", "wave"
FORWARD, BACK = "belief_to_action", "action_to_belief"
TERMS = (FORWARD, BACK, "action_to_action", "belief_to_belief")
LAST_LAG = 5
"""Oldest instrument: four lags of each variable, one column each, whatever the number of waves."""
LEVEL = 0.95


def dynamic_direction(
    panel: AnalysisPanel,
    *,
    belief: str = "belief",
    action: str = "action",
    thresholds: Thresholds | None = None,
) -> Fit:
    r"""Lagged association in both directions, within citizens, by dynamic panel models.

    .. math::
        a_{it} = \rho_a a_{i,t-1} + \beta\, b_{i,t-1} + \delta_t + \mu_i + e_{it}, \quad
        b_{it} = \rho_b b_{i,t-1} + \gamma\, a_{i,t-1} + \tau_t + \nu_i + u_{it}

    with `a` 1 where an activity is going on and `b` the belief. What is stable in a citizen is differenced
    out. Each equation is a two-step difference GMM with Windmeijer's correction; instruments are levels,
    about their means, two to five waves back, one column per lag, so that belief and activity of the same
    wave may move each other.

    Parameters
    ----------
    panel : AnalysisPanel
        Citizens with at least three successive waves; column `action`.
    belief, action : str
        Columns of the panel; other numeric columns can stand in.
    thresholds : Thresholds or None
        Of the cards.

    Returns
    -------
    Fit
        Terms `belief_to_action` (share with an activity per step of the belief), `action_to_belief` (steps),
        `action_to_action`, `belief_to_belief`. `diagnostics["directions"]`: `model direction estimate
        std_error conf_low conf_high` on a common scale, standard deviations within citizens (taken as
        known); `statistics`: `direction_difference` (belief to action less action to belief, on that scale),
        `_se`, `_p`.
        `diagnostics["checks"]`: the assumptions; `diagnostics["equations"]`: tests by equation.

    Raises
    ------
    IdentificationError
        No activity column or one that does not vary (`action`), a belief that does not vary (`belief`), or no
        citizens with the successive waves that are needed (`waves`); all are listed.
    FormulaError
        The belief column is absent.

    Notes
    -----
    These are associations in time: they are effects only if nothing that changes over time moves both. Rows
    end with a job, so later waves are of citizens who have found none; that selects on `e` where job chances
    move with it. A linear model for a 0/1 activity gives differences in shares. Standard errors allow
    dependence within citizens, not among citizens of one caseworker.

    References
    ----------
    Arellano & Bond (1991), Review of Economic Studies 58, 277-297; Windmeijer (2005), Journal of Econometrics
    126, 25-51; Roodman (2009), Oxford Bulletin of Economics and Statistics 71, 135-158.

    Examples
    --------
    >>> from jobchance.panel.build import build_panel
    >>> from jobchance.simulate.bip import simulate_study
    >>> fit = dynamic_direction(build_panel(simulate_study(seed=1)))
    >>> list(fit.diagnostics["directions"]["direction"])
    ['belief_to_action', 'action_to_belief']
    """
    require_panel(panel, "dynamic_direction")
    limits = thresholds or Thresholds()
    rows = _rows(panel.frame, belief, action)
    equations = (_equation(rows, action, belief), _equation(rows, belief, action))
    fits = [fit for fit, _ in equations]
    covariance = _joint_covariance(equations)
    estimates = np.concatenate([fit.estimates[[1, 0]] for fit in fits])[[0, 2, 1, 3]]
    scale = _scales(rows, belief, action)
    directions = _directions(estimates, covariance, scale)
    contrast = np.array([scale, -1 / scale, 0.0, 0.0])
    difference, error = float(contrast @ estimates), math.sqrt(contrast @ covariance @ contrast)
    return Fit(
        model="dynamic panel in both directions (difference GMM, two-step)",
        outcome=f"{action}, {belief}",
        terms=TERMS,
        estimates=estimates,
        covariance=covariance,
        inference=Inference(
            "cluster",
            f"two-step, corrected (Windmeijer 2005), robust to correlation within {ENTITY}",
            clusters={ENTITY: int(max(fit.statistics["n_entities"] for fit in fits))},
            df=math.inf,
        ),
        sample=Sample(
            nobs=min(fit.nobs for fit in fits),
            groups={ENTITY: int(min(fit.statistics["n_entities"] for fit in fits))},
            dropped=dict(fits[0].sample.dropped),
        ),
        spec={"belief": belief, "action": action, "estimator": "dynamic_direction", "link": "identity"},
        statistics={
            "direction_difference": difference,
            "direction_difference_se": error,
            "direction_difference_p": float(2 * stats.norm.sf(abs(difference / error))),
            "n_instruments": max(fit.statistics["n_instruments"] for fit in fits),
        },
        conventions={
            "common scale": "times sd of the predictor over sd of the outcome, both within citizens",
            "instruments": f"levels about the mean, 2 to {LAST_LAG} waves back, collapsed; effects of waves",
            "covariance of the equations": "correlation of what citizens add to each, times corrected errors",
        },
        remarks=(
            "Lagged associations within citizens: effects only if nothing that changes over time moves both.",
            "Rows end with a job, so later waves are of citizens who have found none.",
            *dict.fromkeys(remark for fit in fits for remark in fit.remarks),
        ),
        diagnostics={
            "directions": directions,
            "checks": checks_frame(_assumptions(fits, limits)),
            "equations": _equations(fits),
        },
        provenance=provenance(None),
    )


def _rows(frame: pd.DataFrame, belief: str, action: str) -> pd.DataFrame:
    """The columns used, once they vary and citizens have enough successive waves."""
    require_columns((ENTITY, TIME, belief), frame)
    lacking: dict[str, str] = {}
    if action not in frame.columns:
        lacking["action"] = f"the panel has no column {action}; it comes from a table of activities"
    for key, name in (("action", action), ("belief", belief)):
        if key not in lacking and _is_constant(frame[name]):
            lacking[key] = f"{name} does not vary"
    known = frame.dropna(subset=[name for name in (belief, action) if name in frame.columns])
    runs = _successive(known)
    # the equation at t and at t - 1, each with a lag, and a level two waves back as instrument
    if not (runs >= 3).any():
        lacking["waves"] = "no citizen has three successive waves with both answers"
    if lacking:
        raise IdentificationError(
            "The direction between belief and activity cannot be identified here: "
            + "; ".join(lacking.values())
            + ".",
            tuple(lacking),
        )
    rows = frame[[ENTITY, TIME, belief, action]].astype({belief: float, action: float})
    # An absent instrument counts as 0: about the mean, the answers' origin does not matter.
    rows[[belief, action]] -= rows[[belief, action]].mean()
    return rows


def _is_constant(values: pd.Series) -> bool:
    """Whether a column has fewer than two values."""
    known = values.dropna()
    return known.empty or bool((known == known.iloc[0]).all())


def _successive(rows: pd.DataFrame) -> pd.Series:
    """Longest run of successive waves of every citizen."""
    ordered = rows.sort_values([ENTITY, TIME])
    new = (ordered.groupby(ENTITY)[TIME].diff() != 1).cumsum()
    return ordered.groupby([ordered[ENTITY], new]).size().groupby(level=0).max()


def _equation(rows: pd.DataFrame, outcome: str, other: str) -> tuple[Fit, Influence]:
    """One equation: the lag of the outcome first, then the lag of the other variable."""
    return estimate_dynamic_panel(
        f"`{outcome}` ~ lag(`{other}`)",
        rows,
        entity=ENTITY,
        time=TIME,
        lags=1,
        predetermined=(),
        endogenous=(f"`{other}`",),
        transformation="difference",
        steps="two",
        instrument_lags=(2, LAST_LAG),
        collapse=True,
        time_effects=True,
        vcov="windmeijer",
    )


def _joint_covariance(equations: tuple[tuple[Fit, Influence], tuple[Fit, Influence]]) -> Floats:
    """Covariance (4, 4) of `TERMS`: corrected errors, with the correlation of what citizens add."""
    n = 1 + max(int(influence.entity.max()) for _, influence in equations)
    added = np.zeros((n, 4))
    errors = np.zeros(4)
    for column, (fit, influence) in enumerate(equations):
        at = [column + 2, column]
        added[influence.entity[:, None], at] = influence.values[:, :2]
        errors[at] = fit.std_errors.to_numpy()[:2]
    together = added.T @ added
    size = np.sqrt(np.diag(together))
    return np.asarray(together / np.outer(size, size) * np.outer(errors, errors))


def _scales(rows: pd.DataFrame, belief: str, action: str) -> float:
    """Standard deviation of the belief over that of the activity, both of deviations from citizen means."""
    known = rows.dropna(subset=[belief, action])
    inside = known[[belief, action]] - known.groupby(ENTITY)[[belief, action]].transform("mean")
    spread = np.sqrt((inside**2).sum())
    return float(spread[belief] / spread[action])


def _directions(estimates: Floats, covariance: Floats, scale: float) -> pd.DataFrame:
    """Both directions in standard deviations within citizens."""
    reach = float(stats.norm.ppf((1 + LEVEL) / 2))
    factors = np.array([scale, 1 / scale])
    values = factors * estimates[:2]
    errors = factors * np.sqrt(np.diag(covariance)[:2])
    return pd.DataFrame(
        {
            "model": "dynamic_panel",
            "direction": [FORWARD, BACK],
            "estimate": values,
            "std_error": errors,
            "conf_low": values - reach * errors,
            "conf_high": values + reach * errors,
        }
    )


@dataclass(frozen=True)
class _Worst:
    """The worse of two tests: its statistic and degrees of freedom, and a p-value that allows for both."""

    statistic: float
    df: float
    p_value: float


def _worst(fits: list[Fit], name: str) -> _Worst:
    """The smaller of the two p-values, doubled (Bonferroni); NaN where neither test could be made."""
    made = [fit.statistics for fit in fits if not math.isnan(fit.statistics[f"{name}_p"])]
    if not made:
        return _Worst(math.nan, math.nan, math.nan)
    worst = min(made, key=lambda s: s[f"{name}_p"])
    return _Worst(worst[name], worst.get(f"{name}_df", math.nan), min(1.0, len(made) * worst[f"{name}_p"]))


def _assumptions(fits: list[Fit], thresholds: Thresholds) -> list[Assumption]:
    """What the design needs and what the data say of it."""
    serial, valid = _worst(fits, "m2"), _worst(fits, "hansen")
    citizens = min(fit.statistics["n_entities"] for fit in fits)
    instruments = max(fit.statistics["n_instruments"] for fit in fits)
    return [
        Assumption(
            "enough_waves",
            "holds" if citizens >= thresholds.min_citizens else "doubtful",
            test="citizens_with_three_waves",
            value=citizens,
            threshold=thresholds.min_citizens,
        ),
        Assumption(
            "no_serial_correlation",
            judge_p(serial.p_value, thresholds),
            test="arellano_bond_m2",
            statistic=serial.statistic,
            p_value=serial.p_value,
        ),
        Assumption(
            "valid_instruments",
            judge_p(valid.p_value, thresholds),
            test="hansen",
            statistic=valid.statistic,
            df=valid.df,
            p_value=valid.p_value,
        ),
        Assumption(
            "instrument_count",
            "holds" if instruments <= citizens else "doubtful",
            test="instruments_against_citizens",
            value=instruments,
            threshold=citizens,
        ),
        Assumption("no_time_varying_confounding", "doubtful"),
        Assumption("no_selective_exit", "doubtful"),
    ]


def _equations(fits: list[Fit]) -> pd.DataFrame:
    """Tests of both equations, one row each: `outcome`, m1, m2, Hansen, and counts."""
    names = ("m1", "m1_p", "m2", "m2_p", "hansen", "hansen_df", "hansen_p")
    return pd.DataFrame(
        [
            {"outcome": fit.outcome}
            | {name: fit.statistics[name] for name in names}
            | {"instruments": int(fit.statistics["n_instruments"])}
            | {"citizens": int(fit.statistics["n_entities"]), "rows": fit.nobs}
            for fit in fits
        ]
    )
