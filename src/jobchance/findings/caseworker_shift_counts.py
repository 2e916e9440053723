"""F8: how many times citizens changed caseworker."""

from __future__ import annotations

import numpy as np
import pandas as pd

from jobchance.disclosure.policy import DisclosurePolicy
from jobchance.disclosure.protect import protect
from jobchance.findings.context import add_context, cluster_labels, counts, interval_key
from jobchance.findings.model import Finding
from jobchance.numerics.proportions import share
from jobchance.panel.model import AnalysisPanel
from jobchance.study.model import Study

NAME = "caseworker_shift_counts"
MOST = 3  # "3+"


def needs(study: Study, panel: AnalysisPanel | None) -> tuple[str, ...]:
    """`need.assignment` without a period that has a lead caseworker."""
    table = study.tables.get("assignment")
    return () if table is not None and (table["role"] == "lead").any() else ("need.assignment",)


def build(study: Study, panel: AnalysisPanel | None, *, policy: DisclosurePolicy) -> Finding:
    """Share of citizens with 0, 1, 2 and 3 or more shifts, and with any.

    A shift is two neighbouring periods of the lead role, in order of start, with different caseworkers; going
    back to an earlier caseworker is a shift too. Citizens are followed for different lengths of time, and
    no correction is made for that. Intervals are Wilson on the effective sample, clustered by the citizen's
    first caseworker.

    Parameters
    ----------
    study : Study
        Needs `assignment`.
    panel : AnalysisPanel or None
        Only names outcome and horizon in the context.
    policy : DisclosurePolicy
        Small groups are hidden with a second one; "any" with "none", which it would give away.

    Returns
    -------
    Finding
        Frame: `shifts share conf_low conf_high N_citizens N_caseworkers suppressed instrument` and the
        context; `shifts` is `"0" "1" "2" "3+"` and `"any"`.
    """
    citizens = _shifts_per_citizen(study)
    levels = [*(str(n) for n in range(MOST)), f"{MOST}+"]
    frame = pd.DataFrame([_record(citizens, level) for level in [*levels, "any"]])
    split = frame["shifts"].isin(["0", "any"]).map({True: "any or none", False: "how many"})
    frame = protect(frame.assign(_split=split), policy, output=NAME, totals=["_split"]).drop(columns="_split")
    frame = frame.assign(instrument=study.instrument.name)
    frame = add_context(
        frame,
        study,
        panel,
        rows=citizens,
        estimand="descriptive",
        population="all",
        interval=interval_key(citizens),
    )
    return Finding("F8", NAME, frame, "Frequencies")


def _shifts_per_citizen(study: Study) -> pd.DataFrame:
    """One row per citizen: `n_shifts`, first caseworker and that caseworker's jobcentre."""
    lead = study.tables["assignment"].query("role == 'lead'")
    lead = lead.sort_values(["citizen_id", "start", "assignment_id"], kind="stable")
    before = lead.groupby("citizen_id")["caseworker_id"].shift()
    lead = lead.assign(n_shifts=(before.notna() & (before != lead["caseworker_id"])).astype(int))
    citizens = lead.groupby("citizen_id").agg(
        n_shifts=("n_shifts", "sum"), caseworker_id=("caseworker_id", "first")
    )
    citizens = citizens.reset_index()
    if "caseworker" in study.tables:
        home = study.tables["caseworker"].set_index("caseworker_id")["jobcentre_id"]
        citizens["jobcentre_id"] = citizens["caseworker_id"].map(home)
    return citizens.assign(
        shifts=np.where(citizens["n_shifts"] >= MOST, f"{MOST}+", citizens["n_shifts"].astype(str))
    )


def _record(citizens: pd.DataFrame, level: str) -> dict[str, object]:
    chosen = citizens["n_shifts"] > 0 if level == "any" else citizens["shifts"] == level
    result = share(chosen, cluster=cluster_labels(citizens))
    return {
        "shifts": level,
        "share": result.estimate,
        "conf_low": result.conf_low,
        "conf_high": result.conf_high,
    } | counts(citizens[chosen])
