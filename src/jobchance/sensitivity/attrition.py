"""`dropout_model`: who is lost from one measurement to the next, and who left for other reasons."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy import stats

from jobchance.errors import DesignError
from jobchance.models.glm import fit_glm
from jobchance.options import check_option
from jobchance.panel.model import AnalysisPanel, require_panel
from jobchance.results.fit import Fit
from jobchance.results.vcov import Vcov
from jobchance.sensitivity import attrition_steps as step
from jobchance.sensitivity.attrition_rows import WAVE, choose_covariates, model_rows
from jobchance.study.model import Study

LINKS = ("logit", "cloglog", "probit")
REASONS = (step.LOST, step.OUTCOME, step.EXIT)
_IN_PLACE = (step.MEASURED, *REASONS)


@dataclass(frozen=True, eq=False, repr=False)
class Dropout:
    """The drop-out model with the rows behind it (microdata; used inside this room only)."""

    fit: Fit
    steps: step.Steps
    rows: pd.DataFrame
    usable: pd.Series


def dropout_model(
    panel: AnalysisPanel,
    *,
    covariates: Iterable[str] | None = None,
    reason: str = "lost",
    study: Study | None = None,
    gaps: str = "return",
    interval_days: int | None = None,
    slack_days: int = 14,
    measured_until: object | None = None,
    link: str = "logit",
    vcov: Vcov | None = None,
) -> Fit:
    r"""Drop-out by wave as a discrete-time model: gone at the next wave, given what is known at this one.

    .. math:: g\{P(\text{lost}_{t+1} \mid \text{measured}_t)\} = a_t + x_t'b

    **Why a citizen has no next row.** In this order: the *outcome* came before the next measurement was due
    (the citizen is no longer in the population); another *exit* (death, emigration, pension, withdrawn);
    measurements *ended* before it was due; else the citizen is *lost*: still there, but not measured. Only
    the last is missing data. "Due" is `interval_days + slack_days` after the measurement.

    **Gaps.** A citizen who misses a wave and comes back is not lost (`gaps="return"`: monotone, a citizen is
    lost after the last row); with `gaps="lost"` the first gap is the loss and later rows are left out.

    Parameters
    ----------
    panel : AnalysisPanel
        As built; rows are the measurements at risk.
    covariates : iterable of str or None
        Columns known at the measurement. `None`: `expectation`, the panel's covariates and `jobcentre_id`.
        The wave is always in the model, its tail pooled to at least 20 lost and 20 measured rows. Missing
        numbers enter at the mean with an indicator, missing texts as a level.
    reason : {"lost", "outcome", "exit"}
        What is modelled. `"lost"`: among rows whose citizen was measured or lost; the others: among all
        rows whose next measurement was due.
    study : Study or None
        Where exits have names (table `follow_up`); `None`: exits are read from the panel's censored
        outcomes, without names.
    gaps : {"return", "lost"}
        See above.
    interval_days, slack_days : int
        Time to the next measurement (`None`: the median step between neighbouring waves), and what is
        added before it counts as missed.
    measured_until : date or None
        Last day of measurements; `None`: the last date in the panel.
    link : {"logit", "cloglog", "probit"}
        `"cloglog"` reads coefficients as log ratios of a hazard in continuous time.
    vcov : Cluster, Robust, "model" or None
        As in `fit_glm`.

    Returns
    -------
    Fit
        Outcome `lost` (or the reason asked for). `diagnostics`: `waves` (by wave: `n_measured`, of which
        the next step was `n_due`, `n_next`, `n_lost`, `n_outcome`, `n_exit`, `n_ended`; `share` lost among
        next and lost, and its `predicted` mean), `reasons`. `statistics`: `auc` (0.5: nothing known
        predicts who is lost), `n_gaps`, `interval_days`.

    Raises
    ------
    SpecError
        Unknown options, columns that are absent or lie after the measurement, no two neighbouring waves.
    DesignError
        Nobody, or everybody, is gone for that reason.
    EstimationError
        As in `fit_glm`.

    Notes
    -----
    Outcomes after the last measurement are in registers: drop-out leaves beliefs missing, not jobs. Not
    done: multinomial models of all reasons at once, and citizens who were never measured.

    References
    ----------
    Singer & Willett (1993), J. Educ. Stat. 18, 155-195; Fitzgerald, Gottschalk & Moffitt (1998), J. Human
    Resources 33, 251-299.

    Examples
    --------
    >>> import jobchance as jc
    >>> fit = dropout_model(jc.build_panel(jc.simulate_study(n_citizens=600, seed=4)))
    >>> list(fit.diagnostics), round(fit.statistics["interval_days"])
    (['waves', 'reasons'], 91)
    """
    check_option("reason", reason, REASONS)
    steps = step.read_steps(
        require_panel(panel, "dropout_model"),
        study=study,
        gaps=gaps,
        interval_days=interval_days,
        slack_days=slack_days,
        measured_until=measured_until,
    )
    return estimate(panel, steps, covariates=covariates, reason=reason, link=link, vcov=vcov).fit


def estimate(
    panel: AnalysisPanel,
    steps: step.Steps,
    *,
    covariates: Iterable[str] | None,
    reason: str = "lost",
    link: str = "logit",
    vcov: Vcov | None = None,
) -> Dropout:
    """The model and its rows; see `dropout_model`."""
    check_option("link", link, LINKS)
    names = choose_covariates(panel, covariates)
    usable = steps.eligible if reason == step.LOST else steps.due & steps.status.isin(_IN_PLACE)
    rows, terms = model_rows(panel, steps.status.eq(reason).rename(reason), usable, names)
    used = rows[usable]
    if used.empty or used[reason].nunique() < 2:
        raise DesignError(
            f"drop-out: {int(used[reason].sum()) if len(used) else 0} of {len(used)} rows whose next "
            f"measurement was due are gone for the reason {reason!r}; a model needs some that are and some "
            "that are not."
        )
    fit = fit_glm(f"{reason} ~ {' + '.join(terms) or '1'}", used, family="binomial", link=link, vcov=vcov)
    predicted = pd.Series(np.asarray(fit.predict(rows)), index=rows.index)
    fit = replace(
        fit,
        model=f"drop-out in discrete time ({reason}, {link})",
        statistics=dict(fit.statistics)
        | {
            "auc": _auc(predicted[usable].to_numpy(), used[reason].to_numpy()),
            "n_gaps": float(steps.n_gaps),
            "interval_days": float(steps.interval_days),
        },
        diagnostics={
            "waves": _waves(rows[WAVE], steps, predicted, reason=reason, usable=usable),
            "reasons": _reasons(steps),
        },
        remarks=(*fit.remarks, *_remarks(steps)),
    )
    return Dropout(fit, steps, rows, usable)


def _waves(
    wave: pd.Series, steps: step.Steps, predicted: pd.Series, *, reason: str, usable: pd.Series
) -> pd.DataFrame:
    """What followed the rows of each wave."""
    records = []
    for label in sorted(wave.unique()):
        here = wave == label
        due = here & steps.due
        counts = {
            f"n_{name}": int((here & steps.status.eq(name)).sum())
            for name in (step.LOST, step.OUTCOME, step.EXIT, step.ENDED)
        }
        base = here & usable
        share = float(steps.status[base].eq(reason).mean()) if base.any() else np.nan
        records.append(
            {"wave": label, "n_measured": int(here.sum()), "n_due": int(due.sum())}
            | {"n_next": int((here & steps.status.eq(step.MEASURED)).sum())}
            | counts
            | {"share": share, "predicted": float(predicted[base].mean()) if base.any() else np.nan}
        )
    return pd.DataFrame(records)


def _reasons(steps: step.Steps) -> pd.DataFrame:
    """Rows by what followed them."""
    counts = steps.reason.value_counts()
    known = [name for name in step.STATUSES if name in counts.index]
    named = sorted(str(name) for name in counts.index if name not in step.STATUSES)
    order = [*known, *named]
    n = [int(counts[name]) for name in order]
    return pd.DataFrame({"reason": order, "n_rows": n, "share": np.array(n) / len(steps.reason)})


def _auc(predicted: np.ndarray, event: np.ndarray) -> float:
    """Probability that a row with the event has the higher prediction; ties count half."""
    ranks = stats.rankdata(predicted)
    ones = int(event.sum())
    return float((ranks[event == 1].sum() - ones * (ones + 1) / 2) / (ones * (len(event) - ones)))


def _remarks(steps: step.Steps) -> list[str]:
    """What a reader must know about the steps."""
    made = []
    if steps.n_gaps:
        treated = "not as lost" if not steps.status.eq(step.AFTER_GAP).any() else "as lost"
        made.append(f"{steps.n_gaps} steps go over at least one missing wave; such citizens count {treated}.")
    if steps.horizon_short:
        made.append(
            "The outcome window is shorter than a step: who had the outcome between its end and the next "
            "measurement counts as lost. Build the panel with a longer horizon."
        )
    return made
