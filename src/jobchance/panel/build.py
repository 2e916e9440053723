"""`build_panel`: beliefs, then outcomes strictly after them, then who is at risk, then optimism and parts."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from jobchance.errors import DesignError, SpecError
from jobchance.indicator.optimism import leave_one_out_optimism
from jobchance.indicator.scores import score_scale, turned
from jobchance.options import check_option
from jobchance.panel import companions
from jobchance.panel.beliefs import belief_item, belief_rows
from jobchance.panel.covariates import covariate_columns
from jobchance.panel.describe import describe_rows, panel_meta
from jobchance.panel.flow import SampleFlow
from jobchance.panel.model import AnalysisPanel
from jobchance.panel.windows import Observed, observe_outcome
from jobchance.study.model import Study

_LONGEST = 5200  # a hundred years; more is a slip of the keyboard
AT_RISK = ("not_in_job", "all")
_ANALYSIS = " Look at belief_item and belief_respondent in [analysis] of study.toml."
_HINTS = {"respondent": _ANALYSIS, "belief_answered": _ANALYSIS}
COLUMNS = (
    "measurement_id",
    "citizen_id",
    "caseworker_id",
    "jobcentre_id",
    "wave",
    "date",
    "period",
    "belief",
    "belief_dont_know",
    "expectation",
    "expectation_within",
    "expectation_between",
    "optimism",
    "outcome",
    "weeks_to_outcome",
    "censored",
    "event_observed",
    "window_start",
    *companions.COLUMNS,
)


def build_panel(
    study: Study,
    *,
    outcome: str | None = None,
    horizon_weeks: int | None = None,
    covariates: Iterable[str] | None = None,
    at_risk: str | None = None,
) -> AnalysisPanel:
    """One row per citizen and wave at risk, with the outcome strictly after the measurement.

    **Window.** Starts on the first Monday after the measurement date (the first full ISO week) and lasts
    `horizon_weeks` weeks, half-open. A supplied window that is linked to the measurement, or that holds a
    status at follow-up without event dates, and that starts within the seven days after the measurement,
    gives the start itself.

    **Outcome.** 1 if the outcome holds on some day of the window, 0 if it holds on none and the whole window
    is known, NaN (`censored`) otherwise; never 0 for an incomplete window. Where the data end inside the
    window the outcome is NaN *whether or not an event was seen*: counting only the events of such windows
    would raise every share. `event_observed` and `weeks_to_outcome` still hold the event, for survival
    curves. A citizen who dies, emigrates, gets a pension or withdraws after an event keeps the 1.

    **At risk.** `"not_in_job"`: not in the outcome state on the measurement date (rows whose state that day
    is not known stay). `"all"`: every row; a citizen already in the state who is still in it when the window
    starts has outcome 1 at week 0.

    Parameters
    ----------
    study : Study
        Needs `citizen`, `measurement`, `rating` and `outcome`.
    outcome : str or None
        An outcome of the study's outcome table (`OUTCOMES` describes the named rules). None =
        `study.analysis.outcome`.
    horizon_weeks : int or None
        Full weeks, at least 1. None = `study.analysis.horizon_weeks`.
    covariates : iterable of str or None
        Columns of the citizen table known at the measurement. None = `study.analysis.covariates`.
    at_risk : {"not_in_job", "all"} or None
        None = `study.analysis.at_risk`.

    Returns
    -------
    AnalysisPanel
        `frame` with `measurement_id citizen_id caseworker_id jobcentre_id wave date period belief
        belief_dont_know expectation expectation_within expectation_between optimism outcome
        weeks_to_outcome censored event_observed window_start assignment_rule shift_reason relation_weeks
        citizen_belief citizen_score action` and the covariates, sorted by citizen and wave (the last six:
        `jobchance.panel.companions.companion_columns`). `weeks_to_outcome` counts full weeks from the window
        start: k for an event in week k (from 0),
        `horizon_weeks` for none, the full weeks observed when censored, NaN for an event without a date.
        `expectation_between` is the citizen's mean expectation over the panel's rows,
        `expectation_within` the deviation from it. `optimism`: `leave_one_out_optimism`, from every answered
        belief of the study's caseworkers, at risk or not; NaN if the citizen gave the belief.

    Raises
    ------
    SpecError
        Unknown outcome, rule, covariate or item; a horizon that the outcome data cannot support.
    SchemaError
        An outcome window starts on or before the measurement that it is linked to (rule C11).
    DesignError
        No row is left; the message names the step that lost the last ones.

    Examples
    --------
    >>> import jobchance as jc
    >>> panel = jc.build_panel(jc.simulate_study(seed=1), horizon_weeks=26)  # doctest: +SKIP
    >>> panel.flow  # doctest: +SKIP
    """
    analysis = study.analysis
    rule = _outcome(study, outcome or analysis.outcome)
    horizon = _horizon(analysis.horizon_weeks if horizon_weeks is None else horizon_weeks)
    risk = check_option("at_risk", at_risk or analysis.at_risk, AT_RISK)
    chosen = covariate_columns(
        study.tables["citizen"], analysis.covariates if covariates is None else covariates, taken=COLUMNS
    )
    rows, flow = belief_rows(study)
    _require_rows(flow)
    rows["optimism"] = _optimism(study, rows)
    rows = rows.join(companions.companion_columns(study, rows))
    rows["expectation"] = _expectation(study, rows)
    observed = observe_outcome(
        rows, dict(study.tables), outcome=rule, horizon_weeks=horizon, data_end=_data_end(study)
    )
    rows = _with_outcome(rows, observed)
    keep = ~observed.in_state if risk == "not_in_job" else np.ones(len(rows), dtype=bool)
    frame = rows[keep].reset_index(drop=True)
    flow = flow.add("at_risk", frame, reason=f"at_risk_{risk}")
    _require_rows(flow)
    _require_supported(observed, keep, outcome=rule, horizon_weeks=horizon)
    frame = _with_parts(frame)[list(COLUMNS)].join(chosen, on="citizen_id")
    flow = describe_rows(flow, frame)
    meta = panel_meta(study, frame, observed, keep, rule=rule, horizon_weeks=horizon, at_risk=risk)
    return AnalysisPanel(frame, flow.frame, meta | {"covariates": tuple(chosen.columns)})


def _outcome(study: Study, outcome: str) -> str:
    """The outcome, if the study's outcome table holds it."""
    if "outcome" not in study.tables:
        raise SpecError("the study has no outcome table, so no panel with outcomes can be built.")
    return check_option("outcome", outcome, sorted(study.tables["outcome"]["outcome"].dropna().unique()))


def _horizon(weeks: int) -> int:
    whole = isinstance(weeks, int | np.integer) and not isinstance(weeks, bool)
    if not whole or not 1 <= weeks <= _LONGEST:
        raise SpecError(f"horizon_weeks={weeks!r} must be a whole number of weeks from 1 to {_LONGEST}.")
    return int(weeks)


def _data_end(study: Study) -> int:
    """First day that the outcome data no longer cover: of the study, or of an earlier outcome extract."""
    through = pd.Timestamp(study.data_through)
    if "extract" in study.tables:
        extract = study.tables["extract"]
        own = pd.to_datetime(extract.loc[extract["table_name"] == "outcome", "data_through"]).dropna()
        through = min([through, *own])
    return int(np.datetime64(through, "D").astype(np.int64)) + 1


def _optimism(study: Study, rows: pd.DataFrame) -> pd.Series:
    """Leave-one-out optimism of the row's caseworker; NaN where somebody else gave the belief."""
    item = belief_item(study)
    if item.respondent != "caseworker":
        return pd.Series(np.nan, index=rows.index)
    belief = turned(pd.Series(item.item_id, index=rows.index), rows["belief"], [item])
    return leave_one_out_optimism(rows.assign(belief=belief))


def _expectation(study: Study, rows: pd.DataFrame) -> pd.Series:
    """Score of the scale `expectation` if it holds the belief item; else the belief itself."""
    item = belief_item(study)
    scale = next((s for s in study.instrument.scales if s.scale_id == "expectation"), None)
    if scale is None or item.item_id not in scale.items:
        return turned(pd.Series(item.item_id, index=rows.index), rows["belief"], [item])
    scores = score_scale(study, scale.scale_id).set_index("measurement_id")["score"]
    return rows["measurement_id"].map(scores)


def _with_outcome(rows: pd.DataFrame, observed: Observed) -> pd.DataFrame:
    return rows.assign(
        outcome=observed.outcome,
        weeks_to_outcome=observed.weeks,
        censored=np.isnan(observed.outcome),
        event_observed=observed.event_observed,
        window_start=observed.window_start.astype("datetime64[s]"),
    )


def _with_parts(frame: pd.DataFrame) -> pd.DataFrame:
    """Between part (the citizen's mean over the panel's rows) and within part (the deviation)."""
    between = frame.groupby("citizen_id")["expectation"].transform("mean")
    return frame.assign(expectation_between=between, expectation_within=frame["expectation"] - between)


def _require_rows(flow: SampleFlow) -> None:
    """Refuse an empty panel, naming the step that lost the last rows."""
    for step, _, n_rows, reason in flow.lines:
        if n_rows == 0:
            hint = _HINTS.get(step, "")
            raise DesignError(f"no rows are left for the panel after the step {step!r} ({reason}).{hint}")


def _require_supported(
    observed: Observed, keep: NDArray[np.bool_], *, outcome: str, horizon_weeks: int
) -> None:
    """Refuse a horizon that some events cannot be placed in, or that no row has a complete window for."""
    weeks = observed.supported_weeks[keep]
    unplaced = observed.unplaced[keep] & ~observed.event_observed[keep]
    if unplaced.any():
        fits = sorted({int(w) for w in weeks[unplaced]} - {0, horizon_weeks})
        hint = (
            f"horizon_weeks the data support: {', '.join(map(str, fits[-5:]))}" if fits else "give event_date"
        )
        raise SpecError(
            f"outcome {outcome!r} with horizon_weeks={horizon_weeks}: {int(unplaced.sum())} rows have an "
            f"event without a date in a window that is only partly inside the horizon; {hint}."
        )
    if np.isnan(observed.outcome[keep]).all():
        raise SpecError(
            f"outcome {outcome!r} with horizon_weeks={horizon_weeks}: no row has a complete window; the "
            f"longest unbroken outcome information after a measurement is {int(weeks.max())} full weeks."
        )
