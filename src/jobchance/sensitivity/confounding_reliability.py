"""`belief_reliability`: how much of the answers is about the citizen, from answers given again."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import norm

from jobchance.design.columns import as_floats
from jobchance.errors import DesignError, FormulaError, SpecError

_NEEDED = ("citizen_id", "caseworker_id", "wave")
_FEWEST = 30


def belief_reliability(data: pd.DataFrame, *, belief: str = "belief", level: float = 0.95) -> pd.DataFrame:
    r"""Share of the variance of beliefs that says something about this citizen, between two limits.

    Two consecutive answers about one citizen, t and t + 1, share what is seen of the citizen. The mean of the
    caseworker's answers about *other* citizens takes the disposition away:

    .. math:: r = E[(b_t - \bar b_{others}) (b_{t+1} - \bar b)] / var(b)

    Parameters
    ----------
    data : DataFrame
        One row per citizen and wave with `citizen_id caseworker_id wave`: `panel.frame`.
    belief : str
        The answer, as a number.
    level : float
        Of the intervals, which resample nothing: normal, clustered by the caseworker of the first answer.

    Returns
    -------
    DataFrame
        Two rows by `answers`: `"same caseworker"`, an upper limit, since what a caseworker misreads again
        counts as seen; `"another caseworker"`, a lower limit, since what only one of the two sees counts as
        noise. Columns `answers reliability conf_low conf_high N_pairs N_citizens N_caseworkers`; NaN where
        there are fewer than 30 pairs.

    Raises
    ------
    FormulaError
        Columns are absent.
    SpecError
        `level` is not between 0 and 1.
    DesignError
        The belief does not vary, or no caseworker has two citizens.

    Notes
    -----
    Citizens with a second answer had no job in between and did not drop out. A caseworker who reads the file
    before answering shares the former one's view, which raises the lower limit.

    Examples
    --------
    >>> import jobchance as jc
    >>> from jobchance.sensitivity.confounding_reliability import belief_reliability
    >>> panel = jc.build_panel(jc.simulate_study(seed=1, n_citizens=1000))
    >>> found = belief_reliability(panel.frame)
    >>> found["answers"].tolist()
    ['same caseworker', 'another caseworker']
    """
    absent = [column for column in (*_NEEDED, belief) if column not in data.columns]
    if absent:
        raise FormulaError(f"belief_reliability: the data have no column {', '.join(absent)}.")
    if not 0 < level < 1:
        raise SpecError(f"level={level!r} must lie between 0 and 1, such as 0.95.")
    rows = data[[*_NEEDED, belief]].dropna().rename(columns={belief: "b"})
    rows = rows.sort_values(["citizen_id", "wave"], kind="stable").reset_index(drop=True)
    rows["b"] = as_floats(rows["b"], belief)
    variance = float(rows["b"].var()) if len(rows) > 1 else 0.0
    if not variance > 0:
        raise DesignError(f"belief_reliability: {belief} does not vary in the {len(rows)} complete rows.")
    pairs = _pairs(rows)
    if pairs.empty:
        raise DesignError("belief_reliability: no citizen has two answers, or no caseworker two citizens.")
    pairs["share"] = (pairs["b"] - pairs["others"]) * (pairs["next"] - rows["b"].mean()) / variance
    same = pairs["caseworker_id"] == pairs["next_caseworker"]
    kinds = (("same caseworker", pairs[same]), ("another caseworker", pairs[~same]))
    return pd.DataFrame([{"answers": name} | _average(part, level) for name, part in kinds])


def _pairs(rows: pd.DataFrame) -> pd.DataFrame:
    """Consecutive answers about one citizen, with the mean of the first caseworker's other citizens."""
    both = rows.groupby("citizen_id", sort=False)
    following = both[["b", "caseworker_id"]].shift(-1)
    own = rows.groupby(["caseworker_id", "citizen_id"], sort=False)["b"]
    whole = rows.groupby("caseworker_id", sort=False)["b"]
    total = whole.transform("sum") - own.transform("sum")
    count = whole.transform("size") - own.transform("size")
    made = rows.assign(
        next=following["b"],
        next_caseworker=following["caseworker_id"],
        others=total / count.where(count > 0),
    )
    return made.dropna(subset=["next", "others"])


def _average(pairs: pd.DataFrame, level: float) -> dict[str, float]:
    """Mean of the shares with its interval, and the counts behind it."""
    counts = {
        "N_pairs": len(pairs),
        "N_citizens": pairs["citizen_id"].nunique(),
        "N_caseworkers": pairs["caseworker_id"].nunique(),
    }
    if len(pairs) < _FEWEST:
        return {"reliability": np.nan, "conf_low": np.nan, "conf_high": np.nan} | counts
    mean = float(pairs["share"].mean())
    sums = (pairs["share"] - mean).groupby(pairs["caseworker_id"], sort=False).sum()
    groups = len(sums)
    spread = np.sqrt(float((sums**2).sum()) * groups / max(groups - 1, 1)) / len(pairs)
    reach = float(norm.ppf((1 + level) / 2)) * spread
    return {"reliability": mean, "conf_low": mean - reach, "conf_high": mean + reach} | counts
