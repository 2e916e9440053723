"""F10: the share in a job by the level of each indicator, from the caseworker's and the citizen's answers."""

from __future__ import annotations

import pandas as pd

from jobchance.disclosure.policy import DisclosurePolicy
from jobchance.findings.company import hidden_with_company
from jobchance.findings.context import add_context, cluster_labels, counts, interval_key, shares_by
from jobchance.findings.model import Finding
from jobchance.models.glm import fit_glm
from jobchance.panel.answers import construct_answers, construct_columns, constructs_of
from jobchance.panel.model import AnalysisPanel
from jobchance.results.vcov import Cluster
from jobchance.study.instrument import Construct
from jobchance.study.model import Study

NAME = "job_by_indicator_level"
RESPONDENTS = ("caseworker", "citizen")
LEVEL = 0.95


def needs(study: Study, panel: AnalysisPanel | None) -> tuple[str, ...]:
    """`need.outcome` without a panel; `need.answers` without a step and a known outcome in the same row."""
    if panel is None:
        return ("need.outcome",)
    return () if len(_rows(study, panel)) else ("need.answers",)


def build(study: Study, panel: AnalysisPanel | None, *, policy: DisclosurePolicy) -> Finding:
    """Share with the outcome on every step, and the linear trend over the steps.

    All at-risk measurements with a known outcome are used; the answer must have been given before the window
    of the outcome starts. The trend is the slope of a least-squares line of the outcome on the unrounded
    answer (change in the share per step; no line where the outcome is the same for all), clustered like the
    shares. Trend intervals are simultaneous over all m trends of the figure: level 1 - 0.05/m (Bonferroni).
    "Don't know" has no step and is left out.

    Parameters
    ----------
    study, panel
        See `needs`.
    policy : DisclosurePolicy
        Steps are protected by the general rules (persons, events); where each citizen has one row, hidden
        steps are given company, since the trend's counts are the sum over the steps.

    Returns
    -------
    Finding
        Frame: `quantity construct number construct_da construct_en construct_status wording_status
        respondent level estimate conf_low conf_high conf_level N_rows N_citizens N_events N_caseworkers
        suppressed rounded item instrument` and the context; `quantity` is `level` (a share) or `trend`
        (without `N_rows`, from which a hidden step's would follow).
    """
    if panel is None:
        raise ValueError("job_by_indicator_level needs a panel; ask needs() first")
    rows = _rows(study, panel)
    by_panel = dict(tuple(rows.groupby(["construct", "respondent"], sort=False)))
    chosen = [
        (construct, respondent, by_panel[construct.construct_id, respondent])
        for construct in constructs_of(study)
        for respondent in RESPONDENTS
        if (construct.construct_id, respondent) in by_panel
    ]
    trends = sum(_has_trend(part) for _, _, part in chosen)
    frame = pd.concat(
        [
            _panel_of(study, *entry, trend_level=1 - (1 - LEVEL) / max(trends, 1), policy=policy)
            for entry in chosen
        ],
        ignore_index=True,
    )
    frame = add_context(
        frame.assign(instrument=study.instrument.name),
        study,
        panel,
        rows=rows,
        estimand="predictive",
        population="all_at_risk" if panel.frame["citizen_id"].duplicated().any() else "first_at_risk",
        interval=interval_key(rows.drop_duplicates(["citizen_id", "wave"])),
    )
    return Finding("F10", NAME, frame, "LinearAggregations")


def _rows(study: Study, panel: AnalysisPanel) -> pd.DataFrame:
    """One row per at-risk measurement, construct and respondent, with `step` and a known `outcome`."""
    columns = ["citizen_id", "wave", "caseworker_id", "jobcentre_id", "window_start", "outcome"]
    known = panel.frame.loc[panel.frame["outcome"].notna(), columns]
    answers = construct_answers(study).drop(columns=["caseworker_id", "jobcentre_id"])
    answers = answers[answers["respondent"].isin(RESPONDENTS) & ~answers["dont_know"]]
    rows = answers.merge(known, on=["citizen_id", "wave"])
    rows = rows[rows["date"] < rows["window_start"]]
    return rows.assign(step=rows["level"].astype(float))


def _panel_of(
    study: Study,
    construct: Construct,
    respondent: str,
    rows: pd.DataFrame,
    *,
    trend_level: float,
    policy: DisclosurePolicy,
) -> pd.DataFrame:
    """One construct as one respondent sees it: a row per step in use, and the trend over the steps."""
    cells = shares_by(rows, "step").rename(columns={"share": "estimate"})
    cells["level"] = cells.pop("step").map(lambda step: str(int(step)))
    cells = cells.assign(quantity="level", conf_level=LEVEL)
    if _has_trend(rows):
        cells = pd.concat([cells, pd.DataFrame([_trend(rows, level=trend_level)])], ignore_index=True)
    cells["suppressed"] = _hidden(cells, rows, policy=policy)
    first = {"quantity": cells.pop("quantity")} | construct_columns(study, construct, respondent)
    table = pd.DataFrame(first, index=cells.index)
    return pd.concat([table, cells], axis=1).assign(rounded=bool(rows["rounded"].any()))


def _hidden(cells: pd.DataFrame, rows: pd.DataFrame, *, policy: DisclosurePolicy) -> list[bool]:
    """Steps to hide beyond the general rules: with one row per citizen they add up to the trend's counts."""
    steps = cells["quantity"] == "level"
    if bool(steps.all()) or bool(rows["citizen_id"].duplicated().any()):
        return [False] * len(cells)
    return [*hidden_with_company(cells[steps], policy), *[False] * int((~steps).sum())]


def _has_trend(rows: pd.DataFrame) -> bool:
    """Whether a line can be laid through the steps: answers and outcomes vary over enough clusters."""
    labels = cluster_labels(rows)
    clusters = rows["citizen_id"].nunique() if labels is None else len(set(labels))
    varies = all(rows[column].min() < rows[column].max() for column in ("value", "outcome"))
    return varies and len(rows) > 2 and clusters > 1


def _trend(rows: pd.DataFrame, *, level: float) -> dict[str, object]:
    """Slope of the outcome on the unrounded answer with a cluster-robust interval."""
    labels = cluster_labels(rows)
    clustered = rows.assign(cluster=rows["citizen_id"] if labels is None else labels)
    fit = fit_glm("outcome ~ value", clustered, family="gaussian", vcov=Cluster("cluster"))
    low, high = fit.conf_int(level).loc["value"].to_numpy(dtype=float)
    return {
        "quantity": "trend",
        "level": "all",
        "estimate": float(fit.params["value"]),
        "conf_low": float(low),
        "conf_high": float(high),
        "conf_level": level,
    } | counts(rows, outcome="outcome")
