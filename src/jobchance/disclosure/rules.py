"""The cell rules: which rows of a frame may not be shown under a policy, rule by rule."""

from __future__ import annotations

import pandas as pd

from jobchance.disclosure import columns as cols
from jobchance.disclosure.policy import DisclosurePolicy

Mask = pd.Series  # boolean, aligned with the frame


def unsafe_rows(
    frame: pd.DataFrame, policy: DisclosurePolicy, *, exact: bool = True
) -> dict[str, Mask[bool]]:
    """Rows that break each cell rule; keys are the rules' names, rules that cannot apply are left out.

    `exact` is false for counts that have been rounded: that nobody had an event can then not be told.
    """
    found: dict[str, Mask[bool]] = {}
    persons = next((column for column in cols.PERSONS if column in frame), None)
    if persons is not None:
        n = cols.numbers(frame, persons)
        found["min_persons"] = n.lt(policy.min_persons) & n.gt(0)
        if policy.zeros_disclosive:
            found["zeros_disclosive"] = n.eq(0) | _full_cells(frame, n)
        if cols.EVENTS in frame:
            found |= _event_rules(frame, n, policy, exact=exact)
    for kind, least in policy.min_entities.items():
        column = f"N_{kind}s"
        if column in frame:
            n = cols.numbers(frame, column)
            # Zero means that the study does not know this kind of entity, not that nobody is behind the row.
            found[f"min_entities: {kind}"] = n.lt(least) & n.gt(0)
    if "df_resid" in frame:
        found["min_dof"] = cols.numbers(frame, "df_resid").lt(policy.min_dof)
    if policy.nk is not None and "dominance_share" in frame:
        found["nk"] = cols.numbers(frame, "dominance_share").ge(policy.nk[1])
    if policy.p_percent is not None and "dominance_remainder" in frame:
        found["p_percent"] = cols.numbers(frame, "dominance_remainder").lt(policy.p_percent)
    if not policy.allow_extremes:
        found["allow_extremes"] = cols.named_statistics(frame, "extreme")
    if not policy.allow_quantiles:
        found["allow_quantiles"] = cols.named_statistics(frame, "quantile")
    return found


def small_side_counts(frame: pd.DataFrame, policy: DisclosurePolicy) -> dict[str, Mask[bool]]:
    """Counts beside the persons (`N_rows`, `N_censored`, ...) of 1 to `min_persons` - 1, by column.

    The row may stand; only the small count itself is hidden.
    """
    ruled = {*cols.PERSONS, cols.EVENTS, *(f"N_{kind}s" for kind in policy.min_entities)}
    found = {}
    for column in cols.count_columns(frame):
        if column not in ruled:
            n = cols.numbers(frame, column)
            found[column] = n.lt(policy.min_persons) & n.gt(0)
    return found


def contrasts_with_hidden(frame: pd.DataFrame, hidden: Mask[bool]) -> Mask[bool]:
    """Rows that compare two levels of which one is hidden: the other level would give it back."""
    nothing = pd.Series(False, index=frame.index)
    if "level" not in frame or "compared_with" not in frame:
        return nothing
    within = [c for c in ("construct", "respondent", "series", "group", "item") if c in frame]
    place = (
        frame[within].astype(object).fillna("").astype(str).agg("|".join, axis=1)
        if within
        else pd.Series("", index=frame.index)
    )
    contrast = frame["compared_with"].notna()
    level, other = (place + "|" + frame[c].astype(str) for c in ("level", "compared_with"))
    lost = set(level[hidden & ~contrast])
    return contrast & (level.isin(lost) | other.isin(lost))


def _event_rules(
    frame: pd.DataFrame, n: pd.Series[float], policy: DisclosurePolicy, *, exact: bool
) -> dict[str, Mask[bool]]:
    """Too few with or without the event; for steps of a curve, too few events in the step."""
    events = cols.numbers(frame, cols.EVENTS)
    step = (
        frame["mark"].eq("curve").fillna(False).astype(bool)
        if "mark" in frame
        else pd.Series(False, frame.index)
    )
    others = n - events
    few = (events.lt(policy.min_events) | others.lt(policy.min_events)) & ~step
    found = {
        "min_events": few,
        "curve_min_events": step & events.lt(policy.curve_min_events),
    }
    if policy.zeros_disclosive and exact:
        found["zeros_disclosive: events"] = (events.eq(0) | others.eq(0)) & ~step
    return found


def _full_cells(frame: pd.DataFrame, n: pd.Series[float]) -> Mask[bool]:
    """Cells that hold everyone who answered: all persons of the group have the property."""
    if cols.DENOMINATOR not in frame:
        return pd.Series(False, index=frame.index)
    whole = cols.numbers(frame, cols.DENOMINATOR)
    return n.eq(whole) & n.gt(0)
