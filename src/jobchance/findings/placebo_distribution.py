"""F55: an estimate among those of other assignments, as a tidy frame."""

from __future__ import annotations

import numpy as np
import pandas as pd

from jobchance.disclosure.check import export_frame, protect
from jobchance.disclosure.policy import DisclosurePolicy
from jobchance.errors import SpecError
from jobchance.findings.context import add_context, counts
from jobchance.inference.randomisation import RandomisationTest, shown_count
from jobchance.panel.model import AnalysisPanel
from jobchance.study.model import Study

NAME = "placebo_distribution"
BINS = 41


def placebo_frame(
    test: RandomisationTest,
    study: Study,
    panel: AnalysisPanel | None,
    *,
    rows: pd.DataFrame,
    policy: DisclosurePolicy,
    population: str = "first_with_caseworker",
    bins: int = BINS,
) -> pd.DataFrame:
    """The distribution of the estimate over other assignments, after disclosure control.

    Parameters
    ----------
    test : RandomisationTest
        Of an outcome of zeros and ones: its statistic is a difference between shares.
    study, panel
        Where the rows come from.
    rows : DataFrame
        The rows of the test; they must all have an outcome.
    policy : DisclosurePolicy
        Its rules on persons and events hold for the whole test.
    population : str
        Key of who these rows are.
    bins : int
        Bars, an odd number from 5 to 201, so that one bar lies about zero.

    Returns
    -------
    DataFrame
        `mark value value_to arrangement_share p_value p_greater conf_low conf_high conf_level arrangements
        drawn exact N_citizens N_events N_caseworkers` and the context; `mark` is `bin` (from `value` to
        `value_to`) or `observed`. Bins are of equal width about zero, the observed value at the end of one,
        and hold the inner 99.9 per cent of the assignments; the outermost hold what lies beyond.

    Raises
    ------
    SpecError
        Not a randomisation test; a t-statistic; even or too few bins; rows whose outcome is not zero or one;
        a statistic that is nowhere defined or always the same.
    """
    if not isinstance(test, RandomisationTest):
        raise SpecError(f"placebo_frame takes a RandomisationTest, not {type(test).__name__}.")
    if isinstance(bins, bool) or not isinstance(bins, int) or bins % 2 == 0 or not 5 <= bins <= 201:
        raise SpecError("bins is an odd whole number from 5 to 201, such as 41.")
    censored = int(rows["outcome"].isna().sum())
    if censored:
        raise SpecError(f"{censored} of {len(rows)} rows have no outcome; give the rows of the test.")
    if not rows["outcome"].isin((0.0, 1.0)).all():
        raise SpecError("This figure is for outcomes of zeros and ones, whose differences are shares.")
    if test.conventions.get("statistic", "").startswith("t-statistic"):
        raise SpecError("This figure shows differences between shares: make the statistic without cluster=.")
    frame = _marks(test, bins).assign(
        p_value=test.p_value,
        p_greater=test.p_greater,
        conf_low=_finite(test.conf_low),
        conf_high=_finite(test.conf_high),
        conf_level=test.level,
        arrangements=shown_count(test.n_arrangements),
        drawn=f"{len(test.draws)}",
        exact="all" if test.exact else "drawn",
        **counts(rows, outcome="outcome"),
    )
    framed = add_context(
        frame, study, panel, rows=rows, estimand="predictive", population=population, interval="none"
    )
    return export_frame(protect(framed, policy, output=NAME), policy)


def _marks(test: RandomisationTest, bins: int) -> pd.DataFrame:
    """The bars and the observed value."""
    found = test.draws[~np.isnan(test.draws)]
    size = float(np.quantile(np.abs(found), 0.999)) if len(found) else 0.0
    if not size > 0:
        raise SpecError("The statistic is the same under every assignment, so there is no distribution.")
    width = _width(max(size, 1.05 * abs(test.observed)), abs(test.observed), bins)
    edges = width * (np.arange(bins + 1) - bins / 2)
    place = np.clip(np.searchsorted(edges, found, side="right") - 1, 0, bins - 1)
    shares = np.bincount(place, minlength=bins) / len(found)
    bars = pd.DataFrame(
        {"mark": "bin", "value": edges[:-1], "value_to": edges[1:], "arrangement_share": shares}
    )
    observed = pd.DataFrame([{"mark": "observed", "value": test.observed}])
    return pd.concat([bars, observed], ignore_index=True)


def _width(half: float, observed: float, bins: int) -> float:
    """Width of bins that reach as far as `half`, with the estimate at the end of a bin.

    Bars on either side of the estimate are then wholly as far from zero or wholly nearer, ties further out.
    """
    whole = int(np.floor(observed / (2 * half) * bins - 0.5))
    return 2 * half / bins if whole < 0 else observed * (1 - 1e-9) / (whole + 0.5)


def _finite(limit: float) -> float:
    """Open ends are missing in a table."""
    return limit if np.isfinite(limit) else np.nan
