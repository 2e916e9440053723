"""F17: share with the outcome by third of the caseworker's leave-one-out optimism."""

from __future__ import annotations

import pandas as pd

from jobchance.disclosure.policy import DisclosurePolicy
from jobchance.findings.context import add_context, interval_key, shares_by
from jobchance.findings.contrasts import contrast_rows
from jobchance.findings.model import Finding
from jobchance.findings.optimism_rows import optimism_needs, optimism_rows
from jobchance.indicator.optimism import THIRDS, optimism_thirds
from jobchance.panel.model import AnalysisPanel
from jobchance.study.model import Study

NAME = "optimism_terciles"


def needs(study: Study, panel: AnalysisPanel | None) -> tuple[str, ...]:
    """Outcomes, leave-one-out optimism and at least nine caseworkers."""
    return optimism_needs(panel)


def build(study: Study, panel: AnalysisPanel | None, *, policy: DisclosurePolicy) -> Finding:
    """Share with the outcome in each third of optimism, and the high against the low third.

    Rows are all at-risk measurements with an outcome; the thirds are thirds of rows. Optimism is the
    caseworker's mean answer about *other* citizens, within jobcentre and period. The contrast is an
    association; it is the effect of being assigned to a more optimistic caseworker only if citizens are as
    good as randomly assigned within jobcentre and period.

    Parameters
    ----------
    study, panel
        See `needs`.
    policy : DisclosurePolicy
        No contrast where one of its two shares may not be shown.

    Returns
    -------
    Finding
        Frame: `mark level compared_with estimate conf_low conf_high N_rows N_citizens N_events
        N_caseworkers`; `mark` is `level` (share in the third `low`, `middle`, `high`), `difference` or
        `ratio` (high against low), and the context.
    """
    if panel is None:
        raise ValueError("optimism_terciles needs a panel; ask needs() first")
    rows = optimism_rows(panel)
    rows = rows.assign(third=optimism_thirds(rows))
    shares = shares_by(rows, "third").rename(columns={"third": "level", "share": "estimate"})
    frame = pd.DataFrame({"level": list(THIRDS)}).merge(shares, on="level")
    frame.insert(0, "mark", "level")
    frame.insert(2, "compared_with", None)
    contrasts = contrast_rows(rows, by="third", upper="high", lower="low", policy=policy)
    frame = pd.concat([frame, pd.DataFrame(contrasts)], ignore_index=True)
    frame = add_context(
        frame,
        study,
        panel,
        rows=rows,
        estimand="dispositional",
        population="all_at_risk",
        interval=interval_key(rows),
    )
    return Finding("F17", NAME, frame, "Frequencies")
