"""Whether the column `optimism` is what it says: how a caseworker rates citizens other than the row's own."""

from __future__ import annotations

import numpy as np
import pandas as pd

from jobchance.errors import DesignError
from jobchance.identification.cards import Assumption
from jobchance.identification.thresholds import Thresholds
from jobchance.indicator.optimism import leave_one_out_optimism

_PAIR = ["citizen_id", "caseworker_id"]


def require_one_optimism(frame: pd.DataFrame) -> None:
    """Refuse optimism that differs between rows of one citizen with one caseworker.

    Raises
    ------
    DesignError
        It does: then it holds something else than how the caseworker rates *other* citizens.
    """
    values = frame.groupby(_PAIR, sort=False)["optimism"].agg(["min", "max"])
    # the same mean summed in another order differs by rounding
    several = int((values["max"] - values["min"] > 1e-6 * frame["optimism"].std()).sum())
    if several:
        raise DesignError(
            f"optimism takes several values in {several} of {len(values)} pairs of citizen and caseworker. "
            "It is how a caseworker rates others than the citizen, so it has one value for each pair: "
            "leave_one_out_optimism computes it, and build_panel does."
        )


def leaves_out(ratings: pd.DataFrame, limits: Thresholds) -> Assumption:
    """Whether optimism agrees with what the ratings of other citizens give.

    `fails` where it does not, in level (correlation) or between the citizens of one caseworker: such
    differences would come from the citizen, whom optimism leaves out. The panel leaves out ratings of
    citizens who are not at risk, which optimism counts.

    Parameters
    ----------
    ratings : DataFrame
        `citizen_id caseworker_id jobcentre_id period belief optimism`.
    """
    name, test = "optimism_leaves_out", "optimism_recomputed"
    again = leave_one_out_optimism(ratings)
    known = again.notna() & ratings["optimism"].notna()
    given, again = ratings.loc[known, "optimism"].astype(float), again[known]
    spread = float(given.std()) if len(given) > 1 else 0.0
    if not spread > 0 or not float(again.std()) > 0:
        return Assumption(name, "untested", test, threshold=limits.optimism_agrees)
    gap = given - again
    within = gap - gap.groupby(ratings.loc[known, "caseworker_id"], sort=False).transform("mean")
    own, agree = float(within.std()) / spread, float(np.corrcoef(given, again)[0, 1])
    if own > limits.optimism_own_part:
        return Assumption(
            name, "fails", "optimism_between_own_citizens", value=own, threshold=limits.optimism_own_part
        )
    return Assumption(
        name,
        "holds" if agree > limits.optimism_agrees else "fails",
        test,
        value=agree,
        threshold=limits.optimism_agrees,
    )
