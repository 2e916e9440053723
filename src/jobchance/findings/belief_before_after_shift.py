"""F9: the belief about the same citizen before and after a change of caseworker, beside no change.

Answers also move between two waves when the caseworker stays. That is the benchmark: only what moves *more*
after a shift can have to do with the shift.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from jobchance.disclosure.policy import DisclosurePolicy
from jobchance.disclosure.protect import protect
from jobchance.findings.context import add_context, cluster_labels, counts, interval_key
from jobchance.findings.model import Finding
from jobchance.models.glm import fit_glm
from jobchance.numerics.proportions import mean_interval, share
from jobchance.panel.answers import belief_steps, step_label, steps
from jobchance.panel.beliefs import belief_item
from jobchance.panel.model import AnalysisPanel
from jobchance.results.vcov import Cluster
from jobchance.study.instrument import Item
from jobchance.study.model import Study

NAME = "belief_before_after_shift"
SHARES = ("changed", "up", "down")


def needs(study: Study, panel: AnalysisPanel | None) -> tuple[str, ...]:
    """`need.outcome` without a panel; `need.shifts` without pairs of waves on both sides of a shift."""
    if panel is None:
        return ("need.outcome",)
    pairs = _pairs(study, panel)
    return () if pairs["shift"].nunique() == 2 else ("need.shifts",)


def build(study: Study, panel: AnalysisPanel | None, *, policy: DisclosurePolicy) -> Finding:
    """Transitions of the belief over a shift, and how often and how far it moved with and without one.

    A pair is two consecutive waves (t, t + 1) of one citizen, at risk in both, with an answer on a step in
    both; it has a shift if the two answers came from different caseworkers. Differences (`group` =
    `difference`, with a shift minus without) are from a least-squares line on the indicator of a shift;
    all intervals are clustered by the caseworker who answered in wave t + 1.

    Parameters
    ----------
    study, panel
        See `needs`.
    policy : DisclosurePolicy
        Small transitions are hidden, with a second one on the same side of the diagonal.

    Returns
    -------
    Finding
        Frame: `quantity group level_before level_after estimate conf_low conf_high N_pairs
        N_citizens N_caseworkers suppressed` and the context. `quantity` is `cell` (share of the pairs with
        a shift), `changed`, `up`, `down` (shares) or `mean_change` (scale points).
    """
    if panel is None:
        raise ValueError("belief_before_after_shift needs a panel; ask needs() first")
    item = belief_item(study)
    pairs = _pairs(study, panel)
    cells = protect(_cells(item, pairs[pairs["shift"] == 1]), policy, output=NAME, totals=["direction"])
    frame = pd.concat([cells.drop(columns="direction"), _summary(pairs)], ignore_index=True)
    frame["suppressed"] = frame["suppressed"].eq(True)
    frame = add_context(
        frame.assign(item=item.item_id),
        study,
        panel,
        rows=pairs,
        estimand="descriptive",
        population="all_at_risk",
        interval=interval_key(pairs),
    )
    return Finding("F9", NAME, frame, "Frequencies")


def _pairs(study: Study, panel: AnalysisPanel) -> pd.DataFrame:
    """Consecutive waves with both beliefs on a step: `before after shift` and the later caseworker."""
    known = panel.frame[panel.frame["belief"].notna() & panel.frame["caseworker_id"].notna()]
    rows = known[["citizen_id", "caseworker_id", "jobcentre_id", "wave"]].assign(
        step=belief_steps(study, known)["step"]
    )
    earlier = rows.drop(columns="jobcentre_id").assign(wave=rows["wave"] + 1)
    pairs = rows.merge(earlier, on=["citizen_id", "wave"], suffixes=("", "_before"))
    before, after = pairs["step_before"], pairs["step"]
    return pairs.assign(
        before=before,
        after=after,
        shift=(pairs["caseworker_id"] != pairs["caseworker_id_before"]).astype(int),
        changed=(after != before).astype(float),
        up=(after > before).astype(float),
        down=(after < before).astype(float),
        mean_change=after - before,
    )


def _cells(item: Item, pairs: pd.DataFrame) -> pd.DataFrame:
    """Every transition between two steps over a shift, also those that did not occur."""
    records = []
    for before in steps(item):
        for after in steps(item):
            part = pairs[(pairs["before"] == float(before)) & (pairs["after"] == float(after))]
            records.append(
                {"quantity": "cell", "group": "shift", "level_before": before, "level_after": after}
                | {f"label_before_{lang}": step_label(item, before, lang) for lang in ("da", "en")}
                | {f"label_after_{lang}": step_label(item, after, lang) for lang in ("da", "en")}
                | {"estimate": len(part) / len(pairs), "conf_low": np.nan, "conf_high": np.nan}
                | {"N_pairs": len(part)}
                | counts(part)
                | {"direction": ("same", "up", "down")[int(np.sign(int(after) - int(before)))]}
            )
    return pd.DataFrame(records)


def _summary(pairs: pd.DataFrame) -> pd.DataFrame:
    """Shares that moved and the mean move, with a shift, without one, and the difference."""
    records = []
    for quantity in (*SHARES, "mean_change"):
        for group, part in (("shift", pairs[pairs["shift"] == 1]), ("stay", pairs[pairs["shift"] == 0])):
            low_mid_high = _interval(part, quantity)
            records.append(_record(quantity, group, low_mid_high, part))
        records.append(_record(quantity, "difference", _difference(pairs, quantity), pairs))
    return pd.DataFrame(records)


def _difference(pairs: pd.DataFrame, quantity: str) -> tuple[float, float, float]:
    """With a shift minus without; no limits where nothing varies or too little is there to tell."""
    means = pairs.groupby("shift")[quantity].mean()
    varies = pairs[quantity].min() < pairs[quantity].max()
    if not varies or len(pairs) < 3 or pairs["caseworker_id"].nunique() < 2:
        return float(means[1] - means[0]), np.nan, np.nan
    fit = fit_glm(f"{quantity} ~ shift", pairs, family="gaussian", vcov=Cluster("caseworker_id"))
    low, high = (float(end) for end in fit.conf_int().loc["shift"].to_numpy(dtype=float))
    return float(fit.params["shift"]), low, high


def _interval(part: pd.DataFrame, quantity: str) -> tuple[float, float, float]:
    clusters = cluster_labels(part)
    if quantity == "mean_change":
        return mean_interval(part[quantity], cluster=clusters)
    result = share(part[quantity], cluster=clusters)
    return result.estimate, result.conf_low, result.conf_high


def _record(
    quantity: str, group: str, interval: tuple[float, float, float], part: pd.DataFrame
) -> dict[str, object]:
    estimate, low, high = interval
    return {
        "quantity": quantity,
        "group": group,
        "estimate": estimate,
        "conf_low": low,
        "conf_high": high,
        "N_pairs": len(part),
    } | counts(part)
