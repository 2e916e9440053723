"""Two answers about one citizen, from a panel: two successive caseworkers, or citizen and caseworker."""

from __future__ import annotations

import pandas as pd

from jobchance.design.columns import as_floats
from jobchance.errors import IdentificationError
from jobchance.options import check_option
from jobchance.panel.model import AnalysisPanel

PAIRS = ("caseworkers", "citizen")
FORMER = "former_caseworker_id"


def two_rater_rows(panel: AnalysisPanel, *, pair: str = "caseworkers") -> pd.DataFrame:
    """One row per citizen with two answers about them, and the outcome after the second.

    Parameters
    ----------
    panel : AnalysisPanel
        From `build_panel`.
    pair : {"caseworkers", "citizen"}
        `"caseworkers"`: the first answer of each citizen's first two caseworkers; the outcome and everything
        else are those of the second's first row. `"citizen"`: the citizen's own answer first, the
        caseworker's second, at the citizen's first row that has both.

    Returns
    -------
    DataFrame
        The panel's columns, `belief_first` and `belief_second`, and with `"caseworkers"` the first one's id
        in `former_caseworker_id`; rows with a known outcome.

    Raises
    ------
    IdentificationError
        The panel has no second rater: one caseworker per citizen, or no answers of citizens.
    """
    check_option("pair", pair, PAIRS)
    frame = panel.frame.sort_values(["citizen_id", "wave", "date"], kind="stable")
    rows = _by_caseworkers(frame) if pair == "caseworkers" else _by_citizen(frame)
    known = rows[rows["outcome"].notna()].reset_index(drop=True)
    if known.empty:
        what = "a second caseworker" if pair == "caseworkers" else "answers of citizens (citizen_belief)"
        raise IdentificationError(f"The panel has no rows with {what}.", ("two_ratings",))
    return known


def _by_caseworkers(frame: pd.DataFrame) -> pd.DataFrame:
    """First answers of the first two caseworkers; the second's row."""
    answered = frame.dropna(subset=["belief", "caseworker_id"])
    first = answered.drop_duplicates(["citizen_id", "caseworker_id"])
    number = first.groupby("citizen_id").cumcount()
    before = first.loc[number == 0].set_index("citizen_id")
    second = first.loc[number == 1]
    return second.assign(
        belief_first=second["citizen_id"].map(before["belief"]),
        belief_second=as_floats(second["belief"], "belief"),
        **{FORMER: second["citizen_id"].map(before["caseworker_id"])},
    )


def _by_citizen(frame: pd.DataFrame) -> pd.DataFrame:
    """The citizen's own answer and the caseworker's in the same wave."""
    if "citizen_belief" not in frame:
        return frame.iloc[:0].assign(belief_first=0.0, belief_second=0.0)
    both = frame.dropna(subset=["belief", "citizen_belief"]).drop_duplicates("citizen_id")
    return both.assign(belief_first=both["citizen_belief"], belief_second=as_floats(both["belief"], "belief"))
