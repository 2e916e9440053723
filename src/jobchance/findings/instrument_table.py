"""T2: the instrument's constructs, who answers about each, and how certain construct and wording are."""

from __future__ import annotations

import pandas as pd

from jobchance.disclosure.policy import DisclosurePolicy
from jobchance.findings.context import add_context
from jobchance.findings.model import Finding
from jobchance.panel.answers import constructs_of, forms, items_of
from jobchance.panel.model import AnalysisPanel
from jobchance.study.instrument import Construct
from jobchance.study.model import Study

NAME = "instrument_table"
RESPONDENTS = ("citizen", "caseworker", "partner")


def needs(study: Study, panel: AnalysisPanel | None) -> tuple[str, ...]:
    """Nothing: every study has an instrument."""
    return ()


def build(study: Study, panel: AnalysisPanel | None, *, policy: DisclosurePolicy) -> Finding:
    """One row per construct; no answers are used.

    Parameters
    ----------
    study : Study
        Its instrument is described.
    panel : AnalysisPanel or None
        Only names outcome and horizon in the context.
    policy : DisclosurePolicy
        Not needed: the table holds questions, not answers.

    Returns
    -------
    Finding
        Frame: `construct number construct_da construct_en core7 construct_status items_citizen
        items_caseworker items_partner wording_citizen wording_caseworker wording_partner scale_status steps
        instrument instrument_version N_citizens` and the context. `items_...` counts questions (as text),
        `wording_...` and `scale_status` are the least certain status among them (empty without a question),
        `steps` is the answer scale as text; `N_citizens` is everyone measured with the instrument.
    """
    table = forms(study)
    frame = pd.DataFrame([_row(study, construct) for construct in constructs_of(study)])
    frame = frame.assign(
        instrument=study.instrument.name,
        instrument_version=study.instrument.version,
        N_citizens=int(table["citizen_id"].nunique()),
    )
    frame = add_context(
        frame, study, panel, rows=table, estimand="descriptive", population="all", interval="none"
    )
    return Finding("T2", NAME, frame, "Frequencies")


def _row(study: Study, construct: Construct) -> dict[str, object]:
    sides = {side: items_of(study, construct.construct_id, side) for side in RESPONDENTS}
    scales = sorted(
        {(i.scale_min, i.scale_max, bool(i.categories)) for items in sides.values() for i in items}
    )
    return (
        {
            "construct": construct.construct_id,
            "number": construct.number,
            "construct_da": construct.label.get("da", construct.construct_id),
            "construct_en": construct.label.get("en", construct.construct_id),
            "core7": "yes" if construct.core7 else "no",
            "construct_status": construct.status,
        }
        | {f"items_{side}": str(len(items)) for side, items in sides.items()}
        | {
            f"wording_{side}": _least_certain([i.wording_status for i in items])
            for side, items in sides.items()
        }
        | {"scale_status": _least_certain([i.scale_status for items in sides.values() for i in items])}
        | {"steps": "; ".join(f"{low:g}–{high:g}" + ("" if steps else "*") for low, high, steps in scales)}
    )


def _least_certain(statuses: list[str]) -> str:
    order = ("placeholder", "inferred", "verified")
    return next((status for status in order if status in statuses), "")
