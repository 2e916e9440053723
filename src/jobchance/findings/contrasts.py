"""Rows that set one group against another: the absolute and the relative difference, side by side."""

from __future__ import annotations

import numpy as np
import pandas as pd

from jobchance.disclosure.policy import DisclosurePolicy
from jobchance.findings.context import cluster_labels
from jobchance.numerics.contrasts import contrast_shares

CONTRAST_MARKS = ("difference", "ratio")


def may_show(rows: pd.DataFrame, *, policy: DisclosurePolicy, outcome: str = "outcome") -> bool:
    """Whether a share of these rows may be shown: enough citizens, with and without the outcome."""
    known = rows[rows[outcome].notna()]
    citizens = int(known["citizen_id"].nunique())
    events = int(known.loc[known[outcome] == 1, "citizen_id"].nunique())
    return citizens >= policy.min_persons and min(events, citizens - events) >= policy.min_events


def contrast_rows(
    rows: pd.DataFrame,
    *,
    by: str,
    upper: str,
    lower: str,
    policy: DisclosurePolicy,
    outcome: str = "outcome",
) -> list[dict[str, object]]:
    """Difference and ratio of the share in group `upper` against group `lower`, as two records.

    Parameters
    ----------
    rows : DataFrame
        Has `citizen_id`, `caseworker_id`, `by` and `outcome`; rows without an outcome are left out.
    by : str
        Column with the groups.
    upper, lower : str
        The two groups.
    policy : DisclosurePolicy
        No contrast is made where one of the two shares may not be shown: it would give that share back.
    outcome : str
        Column with zeros and ones.

    Returns
    -------
    list of dict
        `mark` (`"difference"` in shares, `"ratio"`), `level`, `compared_with`, `estimate`, `conf_low`,
        `conf_high`, `N_rows`, `N_citizens`, `N_events`, `N_caseworkers` of both groups together; `[]` where
        a group is missing or may not be shown.
    """
    known = rows[rows[outcome].notna() & rows[by].isin([upper, lower])]
    above = known[by] == upper
    if not all(may_show(part, policy=policy, outcome=outcome) for part in (known[above], known[~above])):
        return []
    found = contrast_shares(known[outcome], above, cluster=cluster_labels(known))
    estimates = {
        "difference": (found.difference, found.difference_low, found.difference_high),
        "ratio": (found.ratio, found.ratio_low, found.ratio_high),
    }
    common: dict[str, object] = {
        "N_rows": len(known),
        "N_citizens": int(known["citizen_id"].nunique()),
        "N_events": int(known.loc[known[outcome] == 1, "citizen_id"].nunique()),
        "N_caseworkers": int(known["caseworker_id"].nunique()),
    }
    return [
        {
            "mark": mark,
            "level": upper,
            "compared_with": lower,
            "estimate": estimate,
            "conf_low": low,
            "conf_high": high,
            **common,
        }
        for mark, (estimate, low, high) in estimates.items()
        if np.isfinite(estimate)
    ]
