"""The fit of `two_way_variance`: components by method, what they rest on, and what a reader must know."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from jobchance.identification.cards import Assumption, checks_frame
from jobchance.identification.thresholds import Thresholds
from jobchance.identification.two_way_rows import TwoWayRows, n_movers
from jobchance.numerics.two_way import TwoWayComponents
from jobchance.numerics.two_way_design import Floats
from jobchance.numerics.two_way_graph import LeaveOutSet
from jobchance.results.fit import Fit
from jobchance.results.parts import Inference, Sample
from jobchance.results.provenance import provenance
from jobchance.results.serialise import components_frame

_WEAK = 0.1  # share of the largest squared eigenvalue above which KSS (2020, section 6) doubt normality


@dataclass(frozen=True)
class Asked:
    """The choices of the caller; `n_projections` as used."""

    method: str
    leave_out: str
    n_projections: int | None
    seed: int


def two_way_fit(
    rows: TwoWayRows,
    used: TwoWayRows,
    kept: LeaveOutSet,
    found: TwoWayComponents,
    outcome: Floats,
    dropped: tuple[str, ...],
    asked: Asked,
    limits: Thresholds,
) -> Fit:
    """The result with what it rests on."""
    name, citizen, caseworker = used.labels
    method, leave_out, projections = asked.method, asked.leave_out, asked.n_projections
    by_method = {"kss": found.kss, "plugin": found.plug_in, "andrews": found.andrews}
    estimates = by_method[method]
    spread = float(np.var(outcome, ddof=1))
    terms = (f"variance({citizen})", f"variance({caseworker})", f"covariance({citizen}, {caseworker})")
    statistics = {
        "correlation": _correlation(estimates),
        "variance(y)": spread,
        "share_explained": float(estimates @ [1, 1, 2]) / spread,
        "sigma2": found.sigma2,
        "n_movers": float(n_movers(used)),
        "n_components": float(kept.n_components),
        "share_rows_kept": len(used.y) / len(rows.y),
        "max_leverage": found.max_leverage,
    }
    if np.isfinite(found.eigenvalue_share):
        statistics["largest_eigenvalue_share"] = found.eigenvalue_share
    if projections is not None:
        statistics["n_projections"] = float(projections)
        pairs = zip(terms, found.projection_se, strict=True)
        statistics |= {f"projection_se({term})": float(error) for term, error in pairs}
    return Fit(
        model=f"two-way effects, variance components ({method}, leave-{leave_out}-out set)",
        outcome=name,
        terms=terms,
        estimates=estimates,
        covariance=found.covariance,
        inference=Inference(
            "model", "heteroskedastic errors, leave-out (KSS 2020, asymptotically normal case)"
        ),
        sample=Sample(
            nobs=len(used.y),
            groups={citizen: int(used.citizen.max()) + 1, caseworker: int(used.caseworker.max()) + 1},
            dropped=_dropped(rows, kept),
            n_singletons=kept.n_singletons,
            dropped_terms=dropped,
        ),
        spec={"method": method, "leave_out": leave_out, "n_projections": projections}
        | {"seed": asked.seed}
        | {"covariates": list(used.names)},
        is_singular=bool((estimates[:2] <= 0).any()),
        variance_components=_components(estimates, found, used, method),
        statistics=statistics,
        conventions=_conventions(leave_out),
        remarks=_remarks(estimates, found, statistics, limits),
        diagnostics={
            "components": _by_method(by_method, terms),
            "sample": _sample_steps(rows, used, kept),
            "checks": checks_frame(_checks(statistics, limits)),
        },
        provenance=provenance(None),
    )


def _correlation(components: Floats) -> float:
    """Covariance over the product of standard deviations; NaN where a variance is not positive."""
    product = float(components[0] * components[1])
    return float(components[2]) / product**0.5 if (components[:2] > 0).all() else np.nan


def _components(estimates: Floats, found: TwoWayComponents, used: TwoWayRows, method: str) -> pd.DataFrame:
    """The frame that a fit promises."""
    residual = found.residual if method == "kss" else found.sigma2
    pairs = ((used.labels[1], estimates[0]), (used.labels[2], estimates[1]), ("Residual", residual))
    records: list[dict[str, Any]] = [
        {"group": group, "term": "residual" if group == "Residual" else "(Intercept)"}
        | {"variance": float(v), "sd": float(v) ** 0.5 if v >= 0 else np.nan, "correlation": None}
        for group, v in pairs
    ]
    records[1]["correlation"] = _correlation(estimates)
    return components_frame(records)


def _by_method(by_method: dict[str, Floats], terms: tuple[str, ...]) -> pd.DataFrame:
    """Components and correlation, one row per method."""
    return pd.DataFrame(
        [
            {"method": method}
            | dict(zip(terms, map(float, v), strict=True))
            | {"correlation": _correlation(v)}
            for method, v in by_method.items()
        ]
    )


def _sample_steps(rows: TwoWayRows, used: TwoWayRows, kept: LeaveOutSet) -> pd.DataFrame:
    """Rows, citizens and caseworkers before and after, with connected components."""
    return pd.DataFrame(
        [
            {
                "step": step,
                "n_rows": len(part.y),
                "n_citizens": int(part.citizen.max()) + 1,
                "n_caseworkers": int(part.caseworker.max()) + 1,
                "n_movers": n_movers(part),
                "n_components": components,
            }
            for step, part, components in (("all", rows, kept.n_components), ("leave_out_set", used, 1))
        ]
    )


def _checks(statistics: dict[str, float], limits: Thresholds) -> tuple[Assumption, ...]:
    """What two-way effects assume; only the size of the set can be looked at here."""
    share, movers = statistics["share_rows_kept"], statistics["n_movers"]
    return (
        Assumption(
            "leave_out_connected",
            "holds" if share >= limits.connected_share else "doubtful",
            "share_rows_kept",
            value=share,
            threshold=limits.connected_share,
        ),
        Assumption(
            "enough_movers",
            "holds" if movers >= limits.min_movers else "doubtful",
            "n_movers",
            value=movers,
            threshold=limits.min_movers,
        ),
        Assumption("exogenous_moves", "untested"),
    )


def _remarks(
    estimates: Floats, found: TwoWayComponents, statistics: dict[str, float], limits: Thresholds
) -> tuple[str, ...]:
    """What a reader must know."""
    made = ["The components describe the leave-out connected set, not citizens with one row or outside it."]
    if statistics["share_rows_kept"] < limits.connected_share:
        share = 100 * statistics["share_rows_kept"]
        made.append(f"Only {share:.0f} per cent of the rows are in the set: it is another population.")
    if (estimates[:2] <= 0).any():
        made.append("A variance is estimated at or below zero: noise alone would spread the effects as much.")
    if found.eigenvalue_share > _WEAK:
        made.append(
            "One direction of caseworkers carries more than a tenth of the squared eigenvalues: the normal "
            "interval of their variance is not reliable (few caseworkers, or parts joined by few citizens)."
        )
    return tuple(made)


def _conventions(leave_out: str) -> dict[str, str]:
    """Choices that other software makes differently."""
    unit = (
        "a row"
        if leave_out == "observation"
        else "a match (citizen with one caseworker); citizens with one match by rows"
    )
    return {
        "sample": "largest connected set, pruned until it survives the loss of any one citizen; citizens "
        "with one row dropped",
        "left out": unit,
        "weights": "rows; divisor n - 1 in moments and in the correction",
        "covariates": "partialled out first, their coefficients taken as known",
        "error variances": "(y - mean) times the leave-out residual",
    }


def _dropped(rows: TwoWayRows, kept: LeaveOutSet) -> dict[str, int]:
    """Rows left out, by reason."""
    counts = {
        "missing value": rows.n_missing,
        "outside the largest connected set": kept.n_outside,
        "citizen whose removal disconnects the set": kept.n_bridges,
        "citizen with one row": kept.n_singletons,
    }
    return {reason: n for reason, n in counts.items() if n}
