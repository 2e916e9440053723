"""The leniency design as instrument for the exposure: its further assumptions, and the fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from jobchance.identification import leniency_checks as checks_of
from jobchance.identification.cards import Assumption, checks_frame, judge_p
from jobchance.identification.leniency_disposition import Disposition
from jobchance.identification.leniency_judge import judge_test
from jobchance.identification.leniency_report import (
    Tables,
    counts_and_rates,
    disposition_statistics,
    first_stage,
    first_stage_table,
    reading,
)
from jobchance.identification.leniency_rows import CASEWORKER, CITIZEN, LeniencyRows
from jobchance.identification.leniency_tables import conduct_table, monotonicity_table
from jobchance.identification.thresholds import Thresholds
from jobchance.models.iv import fit_iv
from jobchance.models.iv_ujive import ujive
from jobchance.results.fit import Fit
from jobchance.results.vcov import Cluster, Vcov

_EXCLUSION = (
    "An effect of the exposure only if optimistic caseworkers differ in nothing else that matters for the "
    "outcome (exclusion). They often do: they may meet citizens more, or offer other things. The reduced "
    "form does not need this."
)


def iv_checks(
    rows: LeniencyRows, names: Sequence[str], disposition: Disposition | None, *, thresholds: Thresholds
) -> tuple[list[Assumption], Tables]:
    """Monotonicity by subgroup, exclusion, and both together; each with its table.

    Exclusion is `doubtful` whatever the data say, and has no p-value, so that the analyst may vouch for it:
    what caseworkers do beside the exposure may be what the exposure does. `value` counts the recorded acts
    that go with optimism (Holm).
    """
    monotone, conduct = monotonicity_table(rows, names), conduct_table(rows)
    tables = {"monotonicity": monotone, "exclusion": conduct}
    least = float(monotone["p_holm"].min()) if len(monotone) else np.nan
    acts = float((conduct["p_holm"] < thresholds.doubt_p).sum())
    checks = [
        Assumption("exclusion", "doubtful", "acts_on_optimism", value=acts),
        Assumption("monotonicity", judge_p(least, thresholds), "first_stage_by_subgroup", p_value=least),
    ]
    if disposition is None:
        return [*checks, Assumption("exclusion_and_monotonicity", "untested", "judge_test")], tables
    judged = judge_test(rows, disposition)
    tables["judge"] = pd.DataFrame([judged._asdict()])
    both = Assumption(
        "exclusion_and_monotonicity",
        judge_p(judged.p_value, thresholds),
        "judge_test",
        statistic=judged.fit_statistic,
        df=judged.fit_df,
        p_value=judged.p_value,
        value=judged.slope,
    )
    return [*checks, both], tables


def iv_fit(
    rows: LeniencyRows,
    disposition: Disposition | None,
    *,
    method: str,
    vcov: Vcov,
    checks: Sequence[Assumption],
    tables: Tables,
    spec: Mapping[str, Any],
) -> Fit:
    """The fit of `models.iv` on the rows of the design, with the design's tables and checks."""
    made = _by_dummies(rows, vcov) if method == "ujive" else _by_optimism(rows, method, vcov)
    first = first_stage(rows, rows.optimism / rows.optimism.std(ddof=1))
    base = float(rows.y.mean())
    estimate = float(made.estimates[0])
    statistics = dict(made.statistics) | counts_and_rates(rows, tables["thirds"])
    statistics |= disposition_statistics(rows, disposition)
    statistics |= {"relative": estimate / base if base != 0 else np.nan}
    statistics |= {"estimate_pp": 100 * estimate} if rows.binary else {}
    if first is not None:
        statistics |= {"first_stage": float(first.beta[0]), "effective_f": checks_of.effective_f(first)}
    own = {"checks": checks_frame(checks), **tables, **first_stage_table(rows, first)}
    return replace(
        made,
        model=f"leniency design, {made.model}",
        outcome=rows.outcome,
        terms=(rows.exposure,),
        sample=replace(made.sample, dropped=rows.dropped | dict(made.sample.dropped)),
        spec=dict(made.spec) | dict(spec),
        statistics=statistics,
        remarks=(*made.remarks, reading(checks), _EXCLUSION),
        diagnostics=dict(made.diagnostics) | own,
    )


def _by_optimism(rows: LeniencyRows, method: str, vcov: Vcov) -> Fit:
    """The exposure instrumented by measured optimism, cells absorbed."""
    return fit_iv("outcome ~ [exposure ~ optimism]", rows.frame, method=method, absorb=("cell",), vcov=vcov)


def _by_dummies(rows: LeniencyRows, vcov: Vcov) -> Fit:
    """The exposure instrumented by who the caseworker is, without all rows of the citizen."""
    frame = rows.frame
    made = ujive(
        frame["outcome"],
        frame["exposure"],
        frame[CASEWORKER],
        cells=rows.cell,
        leave_out=frame[CITIZEN],
        cluster=frame[list(vcov.columns)] if isinstance(vcov, Cluster) else None,
    )
    return made if isinstance(vcov, Cluster) and vcov.kind == "CR1" else made.with_vcov(vcov)
