"""T7: how much of the variation in the outcome lies between citizens, caseworkers and jobcentres."""

from __future__ import annotations

import pandas as pd

from jobchance.disclosure.policy import DisclosurePolicy
from jobchance.errors import DesignError, EstimationError
from jobchance.findings.context import add_context, counts, first_at_risk
from jobchance.findings.model import Finding
from jobchance.models.mixed import fit_mixed
from jobchance.numerics.one_way import profile_one_way
from jobchance.panel.model import AnalysisPanel
from jobchance.study.model import Study

NAME = "variance_decomposition"
_COLUMNS = (
    "mark", "level", "estimate", "conf_low", "conf_high", "reason", "N_rows", "N_groups", "N_citizens",
    "N_events", "N_caseworkers",
)  # fmt: skip
LEVELS = ("citizen", "caseworker", "jobcentre")
MIN_GROUPS = 5
MIN_REPEATED = 30  # citizens measured twice or more


def needs(study: Study, panel: AnalysisPanel | None) -> tuple[str, ...]:
    """Outcomes, and at least one level with enough groups."""
    if panel is None or not panel.frame["outcome"].notna().any():
        return ("need.outcome",)
    if all(_refusal(_rows(panel, level), level) for level in LEVELS):
        return ("need.groups",)
    return ()


def build(study: Study, panel: AnalysisPanel | None, *, policy: DisclosurePolicy) -> Finding:
    """One random-intercept model per level: standard deviation and intraclass correlation with limits.

    `y = mu + b_g + e`, linear, by REML; the intraclass correlation is `tau^2 / (tau^2 + sigma^2)`. Each level
    has a model and rows of its own, so the levels do not add up: citizens all at-risk rows, caseworkers the
    first at-risk row of each citizen with each caseworker (repeated rows of one citizen would pass for
    agreement within the caseworker), jobcentres the first at-risk row of each citizen. Limits are profile
    likelihood.

    Parameters
    ----------
    study, panel
        See `needs`.
    policy : DisclosurePolicy
        Not used beyond the common control: every row is about the whole study.

    Returns
    -------
    Finding
        Frame: `mark level estimate conf_low conf_high reason N_rows N_groups N_citizens N_events
        N_caseworkers`; `mark` is `sd` (in shares), `icc` or `refused` (with a `reason`), and
        the context.
    """
    if panel is None:
        raise ValueError("variance_decomposition needs a panel; ask needs() first")
    records = [record for level in LEVELS for record in _level(_rows(panel, level), level)]
    frame = pd.DataFrame(records, columns=_COLUMNS)
    rows = panel.frame.dropna(subset=["outcome"])
    frame = add_context(
        frame,
        study,
        panel,
        rows=rows,
        estimand="descriptive",
        population="all_at_risk",
        interval="profile",
    )
    return Finding("T7", NAME, frame, "LinearAggregations")


def _rows(panel: AnalysisPanel, level: str) -> pd.DataFrame:
    """The rows of one level's model, with an outcome and a group."""
    column = f"{level}_id"
    rows = first_at_risk(panel) if level == "jobcentre" else panel.frame
    rows = rows.dropna(subset=["outcome", column])
    if level == "caseworker":
        ordered = rows.sort_values(["citizen_id", "caseworker_id", "wave", "date"], kind="stable")
        rows = ordered.drop_duplicates(["citizen_id", "caseworker_id"])
    return rows.assign(group=rows[column].astype(str), outcome=rows["outcome"].astype(float))


def _refusal(rows: pd.DataFrame, level: str) -> str:
    """Why a level gets no number: a key of `figure.variance_decomposition.reason`; "" if it gets one."""
    sizes = rows["group"].value_counts()
    if len(rows) == 0 or len(sizes) == 0:
        return "unknown"
    if level == "citizen":
        return "" if int((sizes > 1).sum()) >= MIN_REPEATED else "once"
    return "" if len(sizes) >= MIN_GROUPS and int((sizes > 1).sum()) >= MIN_GROUPS else "few"


def _level(rows: pd.DataFrame, level: str) -> list[dict[str, object]]:
    """Standard deviation and intraclass correlation of one level, or the reason why not."""
    behind = {
        "N_rows": len(rows),
        "N_groups": int(rows["group"].nunique()),
        **counts(rows, outcome="outcome"),
    }
    reason = _refusal(rows, level)
    if reason:
        return [{"mark": "refused", "level": level, "reason": reason}]
    try:
        components = fit_mixed("outcome ~ 1 + (1 | group)", rows).variance_components
    except (DesignError, EstimationError):  # no variation at all, or none within the groups
        return [{"mark": "refused", "level": level, "reason": "constant"}]
    assert components is not None  # a mixed model always has them
    variance = components.set_index("group")["variance"].astype(float)
    limits = profile_one_way(rows["outcome"], rows["group"])
    between, within = float(variance["group"]), float(variance.drop("group").sum())
    common = {"level": level, **behind}
    return [
        {
            "mark": "sd",
            "estimate": between**0.5,
            "conf_low": limits.sd_low,
            "conf_high": limits.sd_high,
            **common,
        },
        {
            "mark": "icc",
            "estimate": between / (between + within),
            "conf_low": limits.icc_low,
            "conf_high": limits.icc_high,
            **common,
        },
    ]
