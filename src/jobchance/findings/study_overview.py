"""T1: the size of the study, from jobcentres to answers."""

from __future__ import annotations

import pandas as pd

from jobchance.disclosure.policy import DisclosurePolicy
from jobchance.findings.context import add_context
from jobchance.findings.model import Finding
from jobchance.panel.answers import forms, one_decimal
from jobchance.panel.model import AnalysisPanel
from jobchance.study.model import Study

NAME = "study_overview"


def needs(study: Study, panel: AnalysisPanel | None) -> tuple[str, ...]:
    """Nothing beyond the tables of every study."""
    return ()


def build(study: Study, panel: AnalysisPanel | None, *, policy: DisclosurePolicy) -> Finding:
    """Counts, the years of measurement, waves per citizen and weeks of follow-up.

    Jobcentres and caseworkers are those with a measured citizen. Relationships are distinct pairs of citizen
    and caseworker in the assignments, or in the forms where there are no assignments. Only whole years of
    the measurement window are given: first and last day would be extremes; none where dates are not known.

    Parameters
    ----------
    study : Study
        Any study.
    panel : AnalysisPanel or None
        Only names outcome and horizon in the context.
    policy : DisclosurePolicy
        Not needed: every row counts the whole study.

    Returns
    -------
    Finding
        Frame: `quantity unit value value_to N_citizens instrument` and the context; `unit` is `count`,
        `years` (`value` to `value_to`), `per_citizen` or `weeks` (means, one decimal). A quantity that the
        tables do not hold has no row.
    """
    table = forms(study)
    records = [*_people(study, table), *_forms(study, table), *_follow_up(study)]
    frame = pd.DataFrame(records, columns=["quantity", "unit", "value", "value_to"])
    frame = frame.assign(
        N_citizens=int(table["citizen_id"].nunique()),
        instrument=study.instrument.name,
    )
    frame = add_context(
        frame, study, panel, rows=table, estimand="descriptive", population="all", interval="none"
    )
    return Finding("T1", NAME, frame, "Frequencies")


def _people(study: Study, table: pd.DataFrame) -> list[dict[str, object]]:
    counted = {
        "jobcentres": table["jobcentre_id"].nunique(),
        "caseworkers": table["caseworker_id"].nunique(),
        "citizens": table["citizen_id"].nunique(),
        "relationships": _relationships(study, table),
    }
    return [_count(quantity, n) for quantity, n in counted.items() if n]


def _relationships(study: Study, table: pd.DataFrame) -> int:
    spells = study.tables.get("assignment", table)
    return len(spells[["citizen_id", "caseworker_id"]].dropna().drop_duplicates())


def _forms(study: Study, table: pd.DataFrame) -> list[dict[str, object]]:
    rating = study.tables["rating"]
    years = table["date"].dt.year
    records: list[dict[str, object]] = []
    if study.dates_known:
        span = {"value": int(years.min()), "value_to": int(years.max())}
        records.append({"quantity": "measured", "unit": "years", **span})
    for respondent, part in table.groupby("respondent", sort=True):
        records.append(
            _count(f"forms_{respondent}", len(part)) | {"N_citizens": part["citizen_id"].nunique()}
        )
    if len(set(table["respondent"])) > 1:
        records.append(_count("forms_all", len(table)))
    records.append(_count("ratings", int(rating["value"].notna().sum() + _unsure(rating))))
    waves = table.drop_duplicates(["citizen_id", "wave"]).groupby("citizen_id").size()
    records.append({"quantity": "waves", "unit": "per_citizen", "value": one_decimal(waves.mean())})
    return records


def _unsure(rating: pd.DataFrame) -> int:
    return int((rating["missing_reason"] == "dont_know").sum()) if "missing_reason" in rating else 0


def _follow_up(study: Study) -> list[dict[str, object]]:
    table = study.tables.get("follow_up")
    if table is None or table.empty:
        return []
    weeks = (table["observed_to"] - table["observed_from"]).dt.days / 7
    return [{"quantity": "follow_up", "unit": "weeks", "value": one_decimal(weeks.mean())}]


def _count(quantity: str, n: int) -> dict[str, object]:
    return {"quantity": quantity, "unit": "count", "value": n}
