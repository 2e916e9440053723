"""`allocation_rows`: rows on which caseworkers' general optimism can be dealt out again."""

from __future__ import annotations

import pandas as pd

from jobchance.errors import DesignError
from jobchance.panel.model import AnalysisPanel, require_panel


def allocation_rows(panel: AnalysisPanel) -> pd.DataFrame:
    r"""Each citizen's first row with each caseworker, with the caseworker's disposition as one number.

    .. math:: disposition_j = \bar o_j / sd(\bar o), \qquad
              \bar o_j = \text{mean of } optimism \text{ over the rows of caseworker } j

    Optimism leaves out the citizen's own answers, so it differs a little between the citizens of a
    caseworker. What could have been dealt otherwise is the caseworker, so the mean stands in all rows.

    Parameters
    ----------
    panel : AnalysisPanel
        From `build_panel`.

    Returns
    -------
    DataFrame
        Rows of the panel with a known outcome, optimism, caseworker and jobcentre, and `disposition`, in
        standard deviations between caseworkers. For `Assignment.shuffled(rows, "disposition",
        within=["jobcentre_id"], unit="caseworker_id")`.

    Raises
    ------
    SpecError
        Not a panel.
    DesignError
        Fewer than two caseworkers with different optimism.

    Examples
    --------
    >>> import jobchance as jc
    >>> panel = jc.build_panel(jc.simulate_study(seed=1, n_citizens=300))
    >>> rows = allocation_rows(panel)
    >>> bool(rows.groupby("caseworker_id")["disposition"].nunique().eq(1).all())
    True
    """
    frame = require_panel(panel, "allocation_rows").frame
    known = frame.dropna(subset=["outcome", "optimism", "caseworker_id", "jobcentre_id"])
    ordered = known.sort_values(["citizen_id", "wave", "date"], kind="stable")
    rows = ordered.drop_duplicates(["citizen_id", "caseworker_id"]).reset_index(drop=True)
    mean = rows.groupby("caseworker_id")["optimism"].mean()
    spread = float(mean.std())
    if not spread > 0:
        raise DesignError(
            f"{len(mean)} caseworkers with a known optimism, all alike: nothing could be dealt out otherwise."
        )
    return rows.assign(disposition=rows["caseworker_id"].map(mean / spread))
