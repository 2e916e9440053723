"""What every rung gets and what it gives: `Ground` (the panel, prepared once), `Line` and `Rung`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import pandas as pd
from scipy import stats

from jobchance.errors import IdentificationError
from jobchance.identification.cards import Assumption, Card
from jobchance.identification.thresholds import Thresholds
from jobchance.panel.model import AnalysisPanel
from jobchance.results.fit import Fit
from jobchance.results.vcov import Cluster

UNITS = (
    "pp, highest against lowest answer",
    "pp per step of the answer",
    "pp per sd of optimism",
    "pp, sd between caseworkers",
    "pp of activity per step of the answer",
)
POPULATIONS = ("relationships", "all_rows", "switchers", "two_raters", "waves")


@dataclass(frozen=True, eq=False)
class Ground:
    """The panel, prepared once for all rungs.

    Parameters
    ----------
    panel : AnalysisPanel
        As given.
    every : DataFrame
        Rows with a known outcome, sorted by citizen, wave and date.
    relationships : DataFrame
        The first of them with each caseworker: the ladder's common population.
    covariates : tuple of str
        Columns to adjust for: the panel's covariates and what the citizen answered.
    base_rate : float
        Share with the outcome in `relationships`; relative terms are against it.
    thresholds : Thresholds
        Of the cards.
    """

    panel: AnalysisPanel
    every: pd.DataFrame
    relationships: pd.DataFrame
    covariates: tuple[str, ...]
    base_rate: float
    thresholds: Thresholds

    @property
    def horizon_weeks(self) -> int:
        """Weeks of the outcome window."""
        return int(str(self.panel.meta["horizon_weeks"]))


@dataclass(frozen=True)
class Line:
    """The number of one rung, in percentage points of the outcome within the horizon.

    Parameters
    ----------
    estimate, std_error : float
        In percentage points of the unit.
    unit : str
        One of `UNITS`.
    population : str
        Whose average it is: one of `POPULATIONS`.
    df : float
        Degrees of freedom of the reference distribution.
    n_citizens, n_rows, n_caseworkers : int
        Behind the estimate.
    conf_low, conf_high : float or None
        Given where the interval is not symmetric; `None`: estimate -+ t standard errors.
    p_value : float or None
        Of the estimate against zero; `None`: from t.
    """

    estimate: float
    std_error: float
    unit: str
    population: str
    df: float
    n_citizens: int
    n_rows: int
    n_caseworkers: int
    conf_low: float | None = None
    conf_high: float | None = None
    p_value: float | None = None

    def interval(self, level: float) -> tuple[float, float]:
        """Ends of the interval."""
        if self.conf_low is not None and self.conf_high is not None:
            return self.conf_low, self.conf_high
        reach = float(stats.t.ppf((1 + level) / 2, self.df)) * self.std_error
        return self.estimate - reach, self.estimate + reach

    @property
    def p(self) -> float:
        """Two-sided p-value against zero."""
        if self.p_value is not None:
            return self.p_value
        return float(2 * stats.t.sf(abs(self.estimate / self.std_error), self.df))


@dataclass(frozen=True, eq=False)
class Rung:
    """One rung: its card, its number unless it is refused, and the fits behind it.

    Parameters
    ----------
    card : Card
        With the verdict.
    line : Line or None
        `None` where the rung is refused.
    fits : mapping of str to Fit
        The main fit first.
    reason : str
        Why it is refused, in words (counts and columns only).
    """

    card: Card
    line: Line | None = None
    fits: Mapping[str, Fit] = field(default_factory=dict)
    reason: str = ""

    def with_card(self, card: Card) -> Rung:
        """The rung with another card."""
        return replace(self, card=card)


def line_of(fit: Fit, term: str, *, rows: pd.DataFrame, unit: str, population: str) -> Line:
    """A coefficient of a linear model of a 0/1 outcome as a line, in percentage points.

    Raises
    ------
    IdentificationError
        The model had to leave the term out: it does not vary, or other columns determine it.
    """
    if term not in fit.terms:
        raise IdentificationError(
            f"{term} has no coefficient: {'; '.join(fit.sample.dropped_terms) or 'it does not vary'}.",
            ("belief_varies",),
        )
    return Line(
        estimate=100 * float(fit.params[term]),
        std_error=100 * float(fit.std_errors[term]),
        df=float(fit.df[term]),
        unit=unit,
        population=population,
        **counts(rows),
    )


def counts(rows: pd.DataFrame) -> dict[str, int]:
    """Citizens, rows and caseworkers of these rows."""
    return {
        "n_citizens": int(rows["citizen_id"].nunique()),
        "n_rows": len(rows),
        "n_caseworkers": int(rows["caseworker_id"].nunique()),
    }


def counts_of(fit: Fit) -> dict[str, int]:
    """The same from what a fit says of its sample, where its rows are not one per measurement."""
    groups = fit.sample.groups
    return {
        "n_citizens": groups.get("citizen_id", 0),
        "n_rows": fit.nobs,
        "n_caseworkers": groups.get("caseworker_id", 0),
    }


def enough_clusters(n: int, thresholds: Thresholds) -> Assumption:
    """Whether the clustered standard errors rest on enough clusters."""
    return Assumption(
        "enough_clusters",
        "holds" if n >= thresholds.min_clusters else "fails",
        test="count",
        value=float(n),
        threshold=thresholds.min_clusters,
    )


def two_way(rows: pd.DataFrame) -> Cluster:
    """Clusters of caseworker, and of citizen where a citizen has rows with several caseworkers."""
    pairs = rows[["citizen_id", "caseworker_id"]].drop_duplicates()
    if pairs["citizen_id"].duplicated().any():
        return Cluster("caseworker_id", "citizen_id")
    return Cluster("caseworker_id")
