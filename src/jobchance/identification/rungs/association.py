"""Rungs 1 and 2: the raw gradient over answers, and the association adjusted for what is measured."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from jobchance.design.nodes import quoted
from jobchance.effects.comparisons import comparisons
from jobchance.errors import EstimationError
from jobchance.identification.cards import PREDICTS, Assumption, Card
from jobchance.identification.rungs.model import Ground, Line, Rung, enough_clusters, line_of, two_way
from jobchance.models.glm import fit_glm
from jobchance.results.fit import Fit

_MOST_ANSWERS = 11
_EVENTS_PER_PERIOD = 20


def raw_gradient(ground: Ground) -> Rung:
    """Share with the outcome at the highest against the lowest answer: cell means, nothing adjusted."""
    rows = ground.relationships.dropna(subset=["belief", "caseworker_id"])
    answers = sorted(rows["belief"].unique())
    rows = rows.assign(answer=_answers(rows["belief"], answers))
    fit = fit_glm("outcome ~ answer", rows, family="gaussian", vcov=two_way(rows))
    top = fit.terms[-1]
    line = line_of(fit, top, rows=rows, unit="pp, highest against lowest answer", population="relationships")
    card = Card(
        "raw_gradient",
        "predictive",
        (
            enough_clusters(line.n_caseworkers, ground.thresholds),
            Assumption("no_confounding", "doubtful"),
        ),
        ceiling=PREDICTS,
    )
    return Rung(card, line, {"cell_means": fit})


def _answers(belief: pd.Series, answers: list[float]) -> pd.Series:
    """Answers as ordered text; finely graded ones in fifths."""
    if len(answers) <= _MOST_ANSWERS:
        order = {value: f"{place:02d}" for place, value in enumerate(answers)}
        return belief.map(order)
    cuts = np.unique(np.quantile(belief, [0.2, 0.4, 0.6, 0.8]))
    places = np.searchsorted(cuts, belief.to_numpy(), side="left")
    return pd.Series([f"{place:02d}" for place in places], index=belief.index)


def adjusted(ground: Ground) -> Rung:
    """Average difference per step of the answer, given covariates, jobcentre and period.

    A logit with average comparisons; where a level of a covariate has no events (or nothing else) the logit
    has no maximum, and the linear probability model stands in its place.
    """
    rows = ground.relationships.dropna(subset=["belief", "caseworker_id"])
    rows = rows.assign(period_group=_merged_periods(rows))
    formula = _formula(rows, ground.covariates)
    unit, population = "pp per step of the answer", "relationships"
    linear = fit_glm(formula, rows, family="gaussian", vcov=two_way(rows))
    line = line_of(linear, "belief", rows=rows.iloc[_used(linear)], unit=unit, population=population)
    fits: dict[str, Fit] = {}
    if _every_level_has_both(rows, ground.covariates):
        try:
            fits["logit"] = fit_glm(formula, rows, family="binomial", vcov=two_way(rows))
            line = _average(fits["logit"], line)
        except EstimationError:  # separation by several covariates together
            fits = {}
    fits["linear"] = linear
    return Rung(_card(ground, rows, line), line, fits)


def _average(logit: Fit, line: Line) -> Line:
    """The average difference of the logit in place of the linear coefficient."""
    found = comparisons(logit, "belief", contrast=1).iloc[0]
    return replace(
        line,
        estimate=float(found["estimate_pp"]),
        std_error=100 * float(found["std_error"]),
        df=float(found["df"]),
    )


def _used(fit: Fit) -> NDArray[np.int64]:
    """Positions of the rows behind a fit."""
    return fit.need_rows("The ladder").used


def _merged_periods(rows: pd.DataFrame) -> pd.Series:
    """Periods in order, joined to the one before until each has events enough for a logit."""
    if "period" not in rows:
        return pd.Series("all", index=rows.index)
    events = rows.groupby("period")["outcome"].sum().sort_index()
    group, inside, names = 0, 0.0, {}
    for period, count in events.items():
        names[period] = f"{group:03d}"
        inside += count
        if inside >= _EVENTS_PER_PERIOD:
            group, inside = group + 1, 0.0
    if inside and group:  # what is left over joins the last full group
        names = {p: min(g, f"{group - 1:03d}") for p, g in names.items()}
    return rows["period"].map(names)


def _every_level_has_both(rows: pd.DataFrame, covariates: tuple[str, ...]) -> bool:
    """Whether each level of each categorical covariate and place has events and other rows."""
    columns = [c for c in (*covariates, "jobcentre_id") if c in rows]
    for column in columns:
        if pd.api.types.is_numeric_dtype(rows[column]) and not pd.api.types.is_bool_dtype(rows[column]):
            continue
        shares = rows.groupby(column, observed=True)["outcome"].mean()
        if ((shares == 0) | (shares == 1)).any():
            return False
    return True


def _formula(rows: pd.DataFrame, covariates: tuple[str, ...]) -> str:
    """Belief, covariates, and jobcentre and period where they vary."""
    places = [c for c in ("jobcentre_id", "period_group") if c in rows and len(rows[c].dropna().unique()) > 1]
    terms = ["belief", *[quoted(c) for c in covariates], *[f"C({c})" for c in places]]
    return "outcome ~ " + " + ".join(terms)


def _card(ground: Ground, rows: pd.DataFrame, line: Line) -> Card:
    """What would have to be true for the association to be an effect, and why it is not."""
    drift = _answers_beyond_covariates(ground, rows)
    return Card(
        "adjusted",
        "predictive_adjusted",
        (
            enough_clusters(line.n_caseworkers, ground.thresholds),
            Assumption("all_confounders_measured", "doubtful"),
            drift,
        ),
        ceiling=PREDICTS,
    )


def _answers_beyond_covariates(ground: Ground, rows: pd.DataFrame) -> Assumption:
    """Test whether the answer goes with the citizen's own score, given the other covariates.

    A caseworker who sees more than the covariates hold answers in line with the citizen's own answers; then
    the covariates are not all that the answer knows.
    """
    if "citizen_score" not in rows or rows["citizen_score"].notna().sum() < ground.thresholds.min_citizens:
        return Assumption("no_private_information", "untested", test="citizen_score_on_belief")
    others = tuple(c for c in ground.covariates if c != "citizen_score")
    formula = _formula(rows, others).replace("outcome ~", "citizen_score ~", 1)
    fit = fit_glm(formula, rows, family="gaussian", vcov=two_way(rows))
    statistic = float(fit.statistic["belief"])
    p = float(2 * stats.t.sf(abs(statistic), float(fit.df["belief"])))
    status = "fails" if p < ground.thresholds.fail_p else "doubtful"
    return Assumption(
        "no_private_information", status, test="citizen_score_on_belief", statistic=statistic, p_value=p
    )
