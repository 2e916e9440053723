"""F15: share with the outcome within the horizon by the answer to the belief question: the raw gradient."""

from __future__ import annotations

import pandas as pd

from jobchance.disclosure.check import protect
from jobchance.disclosure.policy import DisclosurePolicy
from jobchance.findings.belief_distribution import answered
from jobchance.findings.context import add_context, interval_key, shares_by
from jobchance.findings.contrasts import contrast_rows
from jobchance.findings.model import Finding
from jobchance.panel.answers import DONT_KNOW, step_label, steps
from jobchance.panel.beliefs import belief_item
from jobchance.panel.model import AnalysisPanel
from jobchance.study.model import Study

NAME = "belief_gradient"


def needs(study: Study, panel: AnalysisPanel | None) -> tuple[str, ...]:
    """`need.outcome` without outcomes in a panel, `need.belief` if nobody with one chose a step."""
    if panel is None or not panel.frame["outcome"].notna().any():
        return ("need.outcome",)
    rows = answered(study, panel)
    known = rows["outcome"].notna()
    if len(rows) and not known.any():  # later measurements may have outcomes, the first ones have none
        return ("need.outcome",)
    return () if (known & (rows["level"] != DONT_KNOW)).any() else ("need.belief",)


def build(study: Study, panel: AnalysisPanel | None, *, policy: DisclosurePolicy) -> Finding:
    """Share with the outcome by answer, "don't know" apart, and the highest against the lowest answer.

    `P(Y = 1 | B = b)` over each citizen's first at-risk measurement: how much the answer *tells* about the
    outcome, not what the answer does. Citizens without a complete outcome window are left out (`N_censored`).

    Parameters
    ----------
    study, panel
        See `needs`.
    policy : DisclosurePolicy
        The contrast is between the outermost answers whose shares may be shown.

    Returns
    -------
    Finding
        Frame: `mark level compared_with label_da label_en estimate conf_low conf_high N_rows N_citizens
        N_events N_caseworkers`; `mark` is `level` (a share), `difference` (of shares) or `ratio`; then
        `item construct wording_status rounded N_censored` and the context.
    """
    if panel is None:
        raise ValueError("belief_gradient needs a panel; ask needs() first")
    item = belief_item(study)
    rows = answered(study, panel)
    known = rows[rows["outcome"].notna()]
    order = steps(item)
    shares = shares_by(known, "level").rename(columns={"share": "estimate"})
    frame = pd.DataFrame({"level": [*order, DONT_KNOW]}).merge(shares, on="level")
    frame.insert(0, "mark", "level")
    frame.insert(2, "compared_with", None)
    ends = _shown(frame, order, citizens=int(known["citizen_id"].nunique()), policy=policy)
    if len(ends) > 1:
        contrasts = contrast_rows(known, by="level", upper=ends[-1], lower=ends[0], policy=policy)
        frame = pd.concat([frame, pd.DataFrame(contrasts)], ignore_index=True)
    for place, lang in enumerate(("da", "en"), start=3):
        words = [level if level == DONT_KNOW else step_label(item, level, lang) for level in frame["level"]]
        frame.insert(place, f"label_{lang}", words)
    frame = frame.assign(
        item=item.item_id,
        construct=item.construct,
        instrument=study.instrument.name,
        wording_status=item.wording_status,
        rounded=bool(rows["rounded"].any()),
        N_censored=len(rows) - len(known),
    )
    frame = add_context(
        frame,
        study,
        panel,
        rows=known,
        estimand="predictive",
        population="first_at_risk",
        interval=interval_key(known),
    )
    return Finding("F15", NAME, frame, "Frequencies")


def _shown(frame: pd.DataFrame, order: list[str], *, citizens: int, policy: DisclosurePolicy) -> list[str]:
    """Answers in order whose shares disclosure control will leave standing, complementary hiding included."""
    protected = protect(frame.assign(N_citizens_total=citizens), policy, output=NAME)
    standing = set(protected.loc[protected["estimate"].notna(), "level"])
    return [step for step in order if step in standing]
