"""`WildBootstrap`: what a wild cluster bootstrap found, without rows or clusters by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType

import pandas as pd

from jobchance.formatting import Formatter

_FORMAT = Formatter("en")


@dataclass(frozen=True, eq=False, repr=False)
class WildBootstrap:
    """One coefficient tested by a wild cluster bootstrap.

    Parameters
    ----------
    term : str
        The coefficient.
    estimate, std_error, null, t : float
        Estimate, its CR1 standard error, the value tested and (estimate - null) / std_error.
    p_value : float
        Two-sided, symmetric: share of draws with |t*| >= |t|.
    p_equal_tailed : float
        Twice the smaller one-sided p-value, at most 1.
    p_lower, p_upper : float
        One-sided: against a smaller value (share with t* <= t), against a larger one (t* >= t).
    level, conf_low, conf_high : float
        Values of the null with `p_value` above 1 - level; infinite where the set has no end.
    interval : str
        `"closed"`, `"open"` (an end is infinite) or `"disjoint"` (gaps; the limits are the outermost).
    draws : int
        Draws used: all sign vectors where `enumerated`.
    enumerated : bool
        Every sign vector was taken once, so that there is no simulation error.
    ties, undefined : int
        Draws with |t*| = |t| up to rounding, which count as extreme; draws left out because the multi-way
        variance was not positive.
    weights : str
        Distribution of the multipliers.
    restricted : bool
        The null was imposed on the draws.
    clusters : mapping of str to int
        Number of clusters by column; `bootstrap_cluster` names what shared a multiplier.
    distribution : DataFrame
        Columns `probability t`: quantiles of t* under the null.
    conventions : mapping of str to str
        Choices that other software makes differently.
    notes : tuple of str
        What a reader must know.
    """

    term: str
    estimate: float
    std_error: float
    null: float
    t: float
    p_value: float
    p_equal_tailed: float
    p_lower: float
    p_upper: float
    level: float
    conf_low: float
    conf_high: float
    interval: str
    draws: int
    enumerated: bool
    ties: int
    undefined: int
    weights: str
    restricted: bool
    clusters: Mapping[str, int]
    bootstrap_cluster: str
    distribution: pd.DataFrame
    conventions: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("clusters", "conventions"):
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))

    @property
    def frame(self) -> pd.DataFrame:
        """One row: estimate, interval, p-values and how they were made."""
        apart = ("clusters", "distribution", "conventions", "notes")
        row = {part.name: getattr(self, part.name) for part in fields(self) if part.name not in apart}
        return pd.DataFrame([row | {"n_clusters": min(self.clusters.values())}])

    def summary(self) -> str:
        """Deterministic text: estimate and interval first."""
        p, level = _FORMAT.p_value, _FORMAT.number(100 * self.level, decimals=0)
        how = "all sign vectors" if self.enumerated else f"{self.weights} draws"
        kind = "the null imposed" if self.restricted else "the null not imposed"
        clusters = ", ".join(f"{_FORMAT.count(n)} clusters of {name}" for name, n in self.clusters.items())
        ends = f"{_end(self.conf_low)} to {_end(self.conf_high)}"
        gaps = ", with gaps" if self.interval == "disjoint" else ""
        lines = [
            f"Wild cluster bootstrap: {self.term}",
            f"Estimate {_number(self.estimate)}, {level}% set {ends}{gaps}",
            f"Null {_number(self.null)}: t {_FORMAT.number(self.t, decimals=2)}, p {p(self.p_value)} "
            f"(symmetric), {p(self.p_equal_tailed)} (equal tails)",
            f"One-sided: against smaller {p(self.p_lower)}, against larger {p(self.p_upper)}",
            f"{_FORMAT.count(self.draws)} {how}, {kind}, multipliers by {self.bootstrap_cluster}; {clusters}",
        ]
        lines += [f"Convention, {name}: {text}" for name, text in self.conventions.items()]
        lines += [f"Note: {text}" for text in self.notes]
        return "\n".join(lines) + "\n"

    def __reduce__(self) -> tuple[type[WildBootstrap], tuple[object, ...]]:
        # Read-only mappings cannot be pickled as they are.
        values = [getattr(self, part.name) for part in fields(self)]
        return type(self), tuple(dict(v) if isinstance(v, Mapping) else v for v in values)

    def __repr__(self) -> str:
        return f"WildBootstrap({self.term!r}, p_value={self.p_value:.4g}, draws={self.draws})"


def _end(value: float) -> str:
    """A limit as text."""
    if value in (float("inf"), float("-inf")):
        return "infinity" if value > 0 else "minus infinity"
    return _number(value)


def _number(value: float) -> str:
    """Four significant digits."""
    return _FORMAT.significant(value, 4)
