"""What every finding shares: the population, shares with intervals, and the constants of the context.

A figure is a pure function of its frame, so whatever a headline or note says about the study stands as
columns at the end of the frame.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from jobchance.numerics.proportions import share
from jobchance.panel.model import AnalysisPanel
from jobchance.study.model import Study

CONTEXT_COLUMNS = (
    "estimand",
    "outcome",
    "horizon_weeks",
    "respondent",
    "population",
    "interval",
    "N_citizens_total",
    "N_caseworkers_total",
    "N_jobcentres_total",
    "study_name",
    "study_source",
    "data_kind",
)
ESTIMANDS = ("descriptive", "predictive", "dispositional")
POPULATIONS = (  # texts: label `population.<key>`
    "all",  # everyone in the study
    "first_measurement",  # each citizen's first measurement, at risk or not
    "first_at_risk",  # each citizen's first measurement at risk: one row per citizen
    "all_at_risk",  # every measurement at risk
    "first_with_caseworker",  # each citizen's first measurement at risk with each caseworker
    "any_with_caseworker",  # the same, at risk or not
    "all_measurements",  # every measurement, at risk or not
    "paired_measurements",  # measurements that citizen and caseworker both answered
    "shifted",  # citizens with a change of caseworker
    "followed",  # citizens followed for the whole horizon
)


# The same populations in a panel that also holds citizens who already have the outcome.
_EVERYONE = {
    "first_at_risk": "first_measurement",
    "all_at_risk": "all_measurements",
    "first_with_caseworker": "any_with_caseworker",
}


def first_at_risk(panel: AnalysisPanel) -> pd.DataFrame:
    """Each citizen's first at-risk measurement in the panel: one row per citizen, by wave and date."""
    ordered = panel.frame.sort_values(["citizen_id", "wave", "date"], kind="stable")
    return ordered.drop_duplicates("citizen_id").reset_index(drop=True)


def cluster_column(rows: pd.DataFrame) -> str | None:
    """Column that standard errors are clustered by: caseworker if known, else citizen; None = independent.

    Rows are independent when no caseworker is known and no citizen has more than one row.
    """
    if _distinct(rows, "caseworker_id") > 1:
        return "caseworker_id"
    return "citizen_id" if rows["citizen_id"].duplicated().any() else None


def interval_key(rows: pd.DataFrame) -> str:
    """Key of the `interval` column: `wilson` for independent rows, else `cluster_<caseworker or citizen>`.

    Shares of clustered rows have Wilson intervals on the effective sample size (`numerics.proportions`).
    """
    cluster = cluster_column(rows)
    return "wilson" if cluster is None else f"cluster_{cluster.removesuffix('_id')}"


def cluster_labels(rows: pd.DataFrame) -> NDArray[np.object_] | None:
    """Cluster of each row by `cluster_column`; where no caseworker is known, the citizen is the cluster."""
    column = cluster_column(rows)
    if column is None:
        return None
    citizen = rows["citizen_id"].astype(str).radd("citizen ").astype(object)
    labels = rows[column].astype(object)
    return np.asarray(labels.where(labels.notna(), citizen), dtype=object)


def shares_by(
    rows: pd.DataFrame,
    by: str | Sequence[str],
    *,
    outcome: str = "outcome",
    level: float = 0.95,
) -> pd.DataFrame:
    """Share with `outcome` = 1 in each group, with interval and counts; rows without an outcome are left out.

    Parameters
    ----------
    rows : DataFrame
        Has `citizen_id`, `outcome` (0/1, NaN = censored), the grouping columns and maybe `caseworker_id`.
    by : str or sequence of str
        Grouping columns; one returned row per group that occurs, in sorted order.
    outcome : str
        Column with zeros and ones.
    level : float
        Coverage of the interval.

    Returns
    -------
    DataFrame
        The grouping columns, `share conf_low conf_high N_rows N_citizens N_events N_caseworkers`;
        `N_events` counts *citizens* with the outcome, so that it may be held against `N_citizens`.
    """
    keys = [by] if isinstance(by, str) else list(by)
    known = rows[rows[outcome].notna()]
    labels = cluster_labels(known)
    clustered = known.assign(_cluster=range(len(known)) if labels is None else labels)
    records = []
    for level_values, part in clustered.groupby(keys, sort=True, observed=True):
        result = share(part[outcome], cluster=None if labels is None else part["_cluster"], level=level)
        records.append(
            dict(zip(keys, level_values, strict=True))
            | {"share": result.estimate, "conf_low": result.conf_low, "conf_high": result.conf_high}
            | {"N_rows": len(part)}
            | counts(part, outcome=outcome)
        )
    columns = [*keys, "share", "conf_low", "conf_high", "N_rows", "N_citizens", "N_events", "N_caseworkers"]
    return pd.DataFrame(records, columns=columns)


def counts(rows: pd.DataFrame, *, outcome: str | None = None) -> dict[str, int]:
    """`N_citizens`, with `outcome` also `N_events` (citizens with a 1), and `N_caseworkers` of these rows."""
    found = {"N_citizens": int(rows["citizen_id"].nunique())}
    if outcome is not None:
        found["N_events"] = int(rows.loc[rows[outcome] == 1, "citizen_id"].nunique())
    found["N_caseworkers"] = int(rows["caseworker_id"].nunique()) if "caseworker_id" in rows else 0
    return found


def add_context(
    frame: pd.DataFrame,
    study: Study,
    panel: AnalysisPanel | None,
    *,
    rows: pd.DataFrame,
    estimand: str,
    population: str,
    interval: str,
    respondent: str | None = None,
) -> pd.DataFrame:
    """`frame` with the constants of its context as last columns (`CONTEXT_COLUMNS`).

    A frame whose rows come from several respondents keeps its own `respondent` column.

    Parameters
    ----------
    frame : DataFrame
        The marks of a figure.
    study, panel
        Where they come from; without a panel the study's own defaults state outcome and horizon.
    rows : DataFrame
        The rows behind the figure: their distinct `citizen_id`, `caseworker_id` and `jobcentre_id` are the
        totals (a column that is absent counts 0).
    estimand, population, interval : str
        Keys from `ESTIMANDS` and `POPULATIONS`, and the rest of a label `interval.<key>`.
    respondent : str or None
        Who gave the answers; None = the study's belief respondent.

    Returns
    -------
    DataFrame
        A new frame; the given one is not changed.
    """
    analysis = study.analysis
    meta = {} if panel is None else panel.meta
    constants: dict[str, str | int] = {
        "estimand": estimand,
        "outcome": str(meta.get("outcome", analysis.outcome)),
        "horizon_weeks": int(str(meta.get("horizon_weeks", analysis.horizon_weeks))),
        "respondent": respondent or analysis.belief_respondent,
        "population": _EVERYONE.get(population, population) if meta.get("at_risk") == "all" else population,
        "interval": interval,
        "N_citizens_total": _distinct(rows, "citizen_id"),
        "N_caseworkers_total": _distinct(rows, "caseworker_id"),
        "N_jobcentres_total": _distinct(rows, "jobcentre_id"),
        "study_name": study.name,
        "study_source": study.source,
        "data_kind": study.data_kind,
    }
    framed = frame.reset_index(drop=True)
    for column, value in constants.items():
        if column not in framed:
            framed[column] = value
    return framed


def _distinct(rows: pd.DataFrame, column: str) -> int:
    return int(rows[column].nunique()) if column in rows else 0
