"""From t* of draws to p-values, and what a wild bootstrap says about itself."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from jobchance.inference.wild_bootstrap_problem import Problem
from jobchance.numerics.cluster_effective import telling_number
from jobchance.numerics.wild_interval import InvertedSet
from jobchance.numerics.wild_linear import exposure_alone
from jobchance.results.parts import Floats

_TIE = 1e-10
_FEW = 12
_TOO_FEW = 4
_PROBABILITIES = (0.005, 0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.975, 0.995)


@dataclass(frozen=True)
class Counts:
    """Draws by where their t* lies, and the p-values that follow."""

    draws: int
    extreme: int
    below: int
    above: int
    ties: int
    undefined: int
    enumerated: bool

    def share(self, count: int) -> float:
        """All sign vectors hold the observed one; random draws do not, so it is added."""
        return count / self.draws if self.enumerated else (1 + count) / (1 + self.draws)


def count_draws(stars: Floats, t: float, *, enumerated: bool) -> Counts:
    """Where the draws lie; ties, up to rounding, are on the extreme side of every comparison."""
    known = stars[~np.isnan(stars)]
    slack = _TIE * max(1.0, abs(t))
    size = np.abs(known)
    return Counts(
        draws=len(known),
        extreme=int(np.count_nonzero(size >= abs(t) - slack)),
        below=int(np.count_nonzero(known <= t + slack)),
        above=int(np.count_nonzero(known >= t - slack)),
        ties=int(np.count_nonzero(np.abs(size - abs(t)) <= slack)),
        undefined=len(stars) - len(known),
        enumerated=enumerated,
    )


def quantiles_of(stars: Floats) -> pd.DataFrame:
    """Quantiles of t*, columns `probability t`."""
    values = np.quantile(stars[~np.isnan(stars)], _PROBABILITIES, method="higher")
    return pd.DataFrame({"probability": _PROBABILITIES, "t": values})


def unrestricted_set(problem: Problem, stars: Floats, level: float, *, enumerated: bool) -> InvertedSet:
    """Estimate plus and minus the critical |t*|: the draws do not depend on the null."""
    size = np.sort(np.abs(stars[~np.isnan(stars)]))
    # A value is kept while the p-value, the share of draws at least as large, is above 1 - level.
    needed = (1 - level) * len(size) if enumerated else (1 - level) * (len(size) + 1) - 1
    above = math.floor(needed + 1e-9) + 1
    critical = float(size[-above]) if above <= len(size) else 0.0
    reach = critical * problem.std_error if above > 0 else math.inf
    return InvertedSet(problem.estimate - reach, problem.estimate + reach, False)


def shape_of(kept: InvertedSet) -> str:
    """The form of a confidence set in one word."""
    if kept.disjoint:
        return "disjoint"
    return "closed" if math.isfinite(kept.low) and math.isfinite(kept.high) else "open"


def conventions_of(
    problem: Problem, *, restricted: bool, enumerated: bool, reach: int, used: int
) -> dict[str, str]:
    """Choices that other software makes differently."""
    out = {
        "variance": "CR1 with the small-sample factors of the fit, in every draw",
        "ties": "|t*| >= |t| - 1e-10 counts as extreme",
        "p-value": "count / 2^G, the observed signs and their mirror image included"
        if enumerated
        else "(1 + count) / (1 + draws)",
        "interval": "nulls not rejected by the symmetric test"
        + ("" if reach == used else f", with the first {reach:,} draws"),
    }
    if problem.is_iv:
        out["first stage"] = (
            "efficient: with the residuals of the outcome under the null"
            if restricted
            else ("efficient, with the residuals of the estimate")
        )
    return out


def notes_of(
    problem: Problem, weights: str, found: Counts, kept: InvertedSet, level: float, *, restricted: bool
) -> list[str]:
    """What a reader must know about this bootstrap."""
    G, notes = problem.n_outer, []
    if weights == "rademacher" and G < _FEW:
        notes.append(
            f"{G} clusters have {2 ** (G - 1):,} pairs of sign vectors, so the smallest p-value is "
            f"1/{2 ** (G - 1):,}; weights='webb' has finer steps."
        )
    if found.undefined:
        notes.append(f"{found.undefined:,} draws without a positive multi-way variance are left out.")
    if not (math.isfinite(kept.low) and math.isfinite(kept.high)):
        notes.append(
            f"The confidence set has no end on a side: with {G} clusters no value is far enough from the "
            f"estimate to be rejected at {1 - level:.3g}."
        )
    if kept.disjoint:
        notes.append("The confidence set has gaps; the limits shown are the outermost.")
    z = exposure_alone(problem.regressors.X, problem.place)
    effective = telling_number(z, problem.outer, G)
    if effective < _TOO_FEW or (effective < G / 3 and effective < _FEW):
        fails = "reject too rarely" if restricted else "reject too often"
        notes.append(
            f"The exposure has effectively {effective:.1f} of {G} clusters: a bootstrap may {fails}. See "
            "cluster_diagnostics, and use a randomisation test if the exposure was assigned."
        )
    return notes
