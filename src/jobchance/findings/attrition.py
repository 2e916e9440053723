"""F90: what follows each measurement, who is still measured, and one difference however loss is treated."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from jobchance.disclosure.check import export_frame, protect
from jobchance.disclosure.policy import DisclosurePolicy
from jobchance.errors import DesignError, EstimationError, SpecError
from jobchance.findings.attrition_estimates import METHODS, estimate_record
from jobchance.findings.context import add_context, cluster_labels, interval_key
from jobchance.numerics.proportions import share
from jobchance.panel.model import AnalysisPanel
from jobchance.sensitivity import attrition_steps as step
from jobchance.study.model import Study

NAME = "attrition"
SEED = 20190501
MOST = 8  # measurements shown one by one
STAYED, LOST, OUTCOME, OTHER = "measured", "lost", "outcome", "other"
LEFT = "left"  # outcome and other exits together, where they are too few apart
COLUMNS = (
    "quantity", "series", "level", "number", "share", "estimate", "lower", "upper", "conf_low", "conf_high",
    "N_citizens", "N_events", "N_caseworkers", "missing", "suppressed", "answers_low", "answers_high",
)  # fmt: skip


def attrition_frame(
    study: Study,
    panel: AnalysisPanel,
    *,
    policy: DisclosurePolicy,
    imputations: int = 20,
    seed: int = SEED,
) -> pd.DataFrame:
    """The frame of figure F90, after disclosure control.

    Measurements are numbered within the citizen, so that whoever is at number k + 1 was measured again
    after number k: counts of neighbouring numbers differ by those who left. They are shown as long as every
    reason for leaving has nobody or at least `min_persons` citizens; then they are pooled ("4+"). Groups of
    low and high beliefs end where the number that left, in either group or outside both, gets small.

    Parameters
    ----------
    study, panel
        Where it comes from; beliefs need at least two levels.
    policy : DisclosurePolicy
        What may be shown.
    imputations : int
        Completed data sets behind multiple imputation and delta adjustment.
    seed : int
        Of their draws.

    Returns
    -------
    DataFrame
        Rows of `quantity` `step` (share of what followed measurement `level`, by `series`), `still` (share
        of the citizens of low or high first belief measured at least `number` times) and `estimate`
        (difference in the outcome between high and low beliefs by method `series`: `estimate`, or `lower`
        and `upper` for bounds, with interval; `missing` says why there is none), the constants of the
        context and `suppressed`.

    Raises
    ------
    SpecError
        The panel has no two levels of belief, or no two neighbouring waves.
    """
    steps = step.read_steps(panel)
    low, high = belief_groups(panel.frame["belief"])
    records = _steps(panel.frame, steps, policy)
    records += _still(panel.frame, steps, low=low, high=high, policy=policy)
    records += _estimates(panel, low=low, high=high, policy=policy, imputations=imputations, seed=seed)
    answers = {"answers_low": _answers(low), "answers_high": _answers(high)}
    frame = pd.DataFrame(records).reindex(columns=list(COLUMNS)).assign(**answers)
    frame["suppressed"] = frame["suppressed"].eq(True)
    framed = add_context(
        frame,
        study,
        panel,
        rows=panel.frame,
        estimand="predictive",
        population="all_at_risk",
        interval=interval_key(panel.frame),
    )
    return export_frame(protect(framed, policy, output=f"F90 {NAME}"), policy)


def belief_groups(belief: pd.Series) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Levels below and above the middle of the scale as it was used; a level in the middle is in neither.

    Raises
    ------
    SpecError
        Fewer than two levels.
    """
    levels = sorted(float(value) for value in belief.dropna().unique())
    if len(levels) < 2:
        raise SpecError("attrition: the belief has fewer than two levels, so there are no groups to compare.")
    half = len(levels) // 2
    return tuple(levels[:half]), tuple(levels[-half:])


def _answers(levels: tuple[float, ...]) -> str:
    """`"1-2"` or `"5"`."""
    ends = [f"{value:g}" for value in (levels[0], levels[-1])]
    return ends[0] if ends[0] == ends[1] else "–".join(ends)


def _steps(frame: pd.DataFrame, steps: step.Steps, policy: DisclosurePolicy) -> list[dict[str, object]]:
    """What followed each measurement; hidden as a whole where even pooling leaves small cells."""
    names = {step.MEASURED: STAYED, step.LOST: LOST, step.OUTCOME: OUTCOME}
    what = steps.status.map(lambda status: names.get(status, OTHER))
    for merged in (what, what.replace({OUTCOME: LEFT, OTHER: LEFT})):
        table = pd.crosstab(steps.order + 1, merged)
        first = _pooled_from(table, policy)
        if first is not None:
            return _step_records(frame, steps, merged, first)
    return [
        {"quantity": "step", "series": series, "level": "1+", "number": 1, "suppressed": True}
        for series in (STAYED, LOST, LEFT)
    ]


def _pooled_from(table: pd.DataFrame, policy: DisclosurePolicy) -> int | None:
    """First measurement of the pooled tail, so that all cells are large enough; None where none will do."""
    least = max(policy.min_persons, 1 if policy.zeros_disclosive else 0)
    for first in range(min(MOST, int(table.index.max())), 0, -1):
        pooled = table.groupby(np.minimum(table.index, first)).sum().to_numpy()
        safe = pooled >= least
        if not policy.zeros_disclosive:
            safe |= pooled == 0
        if safe.all():
            return first
    return None


def _step_records(
    frame: pd.DataFrame, steps: step.Steps, what: pd.Series, first: int
) -> list[dict[str, object]]:
    """One record per measurement and reason."""
    number = (steps.order + 1).clip(upper=first)
    last = int(steps.order.max()) + 1
    records: list[dict[str, object]] = []
    for k in range(1, first + 1):
        here = number == k
        level = f"{k}+" if k == first and last > first else f"{k}"
        for series in [name for name in (STAYED, LOST, OUTCOME, OTHER, LEFT) if (what == name).any()]:
            own = here & (what == series)
            place: dict[str, object] = {"quantity": "step", "series": series, "level": level, "number": k}
            n = int(frame.loc[own, "citizen_id"].nunique())
            records.append(place | {"share": float(own.sum() / here.sum()), "N_citizens": n})
    return records


def _still(
    frame: pd.DataFrame,
    steps: step.Steps,
    *,
    low: tuple[float, ...],
    high: tuple[float, ...],
    policy: DisclosurePolicy,
) -> list[dict[str, object]]:
    """Share of low and high first beliefs measured at least k times, while those who left are many enough."""
    first = frame[steps.order == 0].set_index("citizen_id", drop=False)
    times = frame.groupby("citizen_id").size().reindex(first.index)
    group = pd.Series("rest", index=first.index)
    group = group.mask(first["belief"].isin(low), "low").mask(first["belief"].isin(high), "high")
    records: list[dict[str, object]] = []
    for k in range(2, min(MOST, int(times.max())) + 1):
        left = ((times >= k - 1) & (times < k)).groupby(group).sum()
        stay = (times >= k).groupby(group).sum()
        if (left < policy.min_persons).any() or (stay[["low", "high"]] < policy.min_persons).any():
            break
        for name in ("low", "high"):
            own = group == name
            made = share((times[own] >= k).astype(float), cluster=cluster_labels(first[own]))
            place: dict[str, object] = {"quantity": "still", "series": name, "level": f"{k}", "number": k}
            ends = {"conf_low": made.conf_low, "conf_high": made.conf_high}
            records.append(place | ends | {"share": made.estimate, "N_citizens": int(stay[name])})
    return records or [
        {"quantity": "still", "series": name, "level": "2", "number": 2, "suppressed": True}
        for name in ("low", "high")
    ]


def _estimates(
    panel: AnalysisPanel,
    *,
    low: tuple[float, ...],
    high: tuple[float, ...],
    policy: DisclosurePolicy,
    imputations: int,
    seed: int,
) -> list[dict[str, object]]:
    """The difference by method; samples that differ by few citizens are not both shown."""
    grouped = panel.frame["belief"].map(dict.fromkeys(low, 0.0) | dict.fromkeys(high, 1.0))
    own = replace(panel, frame=panel.frame.assign(high=grouped))
    records: list[dict[str, object]] = []
    shown: list[tuple[int, int]] = []
    for method in METHODS:
        base: dict[str, object] = {"quantity": "estimate", "series": method}
        try:
            made, n = estimate_record(method, own, low=low, high=high, imputations=imputations, seed=seed)
        except (DesignError, EstimationError, SpecError):
            records.append(base | {"missing": "not_computed"})
            continue
        near = any(_near(n, other, policy) for other in shown)
        shown += [] if near else [n]
        counted = {"N_citizens": n[0], "N_events": n[1]}
        records.append(base | made | counted | ({"suppressed": True} if near else {}))
    return records


def _near(one: tuple[int, int], other: tuple[int, int], policy: DisclosurePolicy) -> bool:
    """Whether two samples differ by so few citizens, or so few with the event, that the rest can be told."""
    citizens, events = (abs(a - b) for a, b in zip(one, other, strict=True))
    return 0 < citizens < policy.min_persons or (citizens > 0 and 0 < events < policy.min_events)
