"""What every fit of the leniency design reports beside its estimate, and the reduced form as a `Fit`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from jobchance.identification import leniency_checks as checks_of
from jobchance.identification.cards import CREDIBLE, Assumption, Card, checks_frame
from jobchance.identification.leniency_disposition import Disposition
from jobchance.identification.leniency_regression import CellRegression, default_vcov, regress_within
from jobchance.identification.leniency_rows import CASEWORKER, CITIZEN, LeniencyRows
from jobchance.identification.leniency_source import leaves_out
from jobchance.identification.leniency_strength import informative, only_if_informative
from jobchance.identification.leniency_tables import (
    AT_FIRST,
    balance_strength,
    balance_table,
    dense,
    numbers,
)
from jobchance.identification.thresholds import Thresholds
from jobchance.indicator.optimism import THIRDS, optimism_thirds
from jobchance.numerics.linalg import independent_columns
from jobchance.results.fit import Fit
from jobchance.results.parts import Sample
from jobchance.results.provenance import provenance

Floats = NDArray[np.float64]
Tables = dict[str, pd.DataFrame]

_BUNDLE = (
    "This is the effect of being given a more optimistic caseworker, with all else that such caseworkers do; "
    "it is not the effect of a belief."
)
_ASSOCIATION = (
    "This is an association between caseworkers' optimism about others and the outcome: of the {all} "
    "assumptions under which it would be an effect of the caseworker, {fails} fail and {open} are doubtful "
    "or untested (diagnostics['checks'])."
)
_LATER = (
    "rows='all': later measurements exist only for citizens still without the outcome, which an effect of "
    "the caseworker selects; the first measurement of each relationship does not have this."
)


class ReducedForm(NamedTuple):
    """The regressor (n,), the regression on it, what lies behind measured optimism, and the unit."""

    x: Floats
    made: CellRegression
    disposition: Disposition | None
    scale: str


def shared_checks(
    rows: LeniencyRows,
    names: Sequence[str],
    disposition: Disposition | None,
    *,
    rows_kind: str,
    thresholds: Thresholds,
) -> tuple[list[Assumption], Tables]:
    """Assumptions of the reduced form, which every method of the design shares."""
    balance, joint = balance_table(rows, names)
    first = first_stage(rows, rows.optimism / rows.optimism.std(ddof=1))
    share = float(disposition.reliability.mean()) if disposition else 0.0
    strength = informative(balance_strength(rows, names), thresholds)
    tested, size = checks_of.balance(balance, joint, thresholds)
    checks = [
        checks_of.assignment_rule(rows, thresholds),
        only_if_informative(tested, strength),
        size,
        strength,
        leaves_out(_plain(rows), thresholds),
        checks_of.selective_loss(rows, thresholds),
        checks_of.feedback(rows, thresholds),
        checks_of.relevance(first, thresholds),
        checks_of.reliability(share, thresholds),
        *checks_of.sizes(rows, thresholds),
        *checks_of.by_argument(rows_kind),
    ]
    return checks, {"balance": balance, "thirds": thirds_table(rows)}


def _plain(rows: LeniencyRows) -> pd.DataFrame:
    """Ratings of the exposure within the design's cells, in the columns of a panel."""
    given = rows.ratings[[CITIZEN, CASEWORKER, "optimism", "cell", "exposure"]]
    return given.rename(columns={"cell": "jobcentre_id", "exposure": "belief"}).assign(period=0)


def first_stage(rows: LeniencyRows, x: Floats) -> CellRegression | None:
    """The exposure on `x` within cells, with the default clusters."""
    exposure = rows.frame["exposure"].to_numpy(dtype=float)
    known = ~np.isnan(exposure)
    if not known.any():
        return None
    part = rows.frame[known]
    return regress_within(
        exposure[known], x[known, None], cell=dense(rows.cell[known]), frame=part, vcov=default_vcov(part)
    )


def thirds_table(rows: LeniencyRows) -> pd.DataFrame:
    """Share (mean) of the outcome by third of measured optimism, adjusted for cells, with counts.

    The shares are those of the linear regression on thirds and cells, each cell with its own mixture of the
    rows' thirds replaced by that of all rows.
    """
    frame = rows.frame
    third = optimism_thirds(frame).to_numpy()
    D = np.column_stack([third == name for name in THIRDS]).astype(float)
    sizes = D.sum(axis=0)
    made = None
    if (sizes > 0).all():
        made = regress_within(rows.y, D[:, 1:], cell=rows.cell, frame=frame, vcov=default_vcov(frame))
    gamma = np.full(3, np.nan) if made is None else np.append(0.0, made.beta)
    shares = rows.y.mean() + gamma - float(sizes @ gamma) / len(frame)
    counts = [frame[third == name] for name in THIRDS]
    return pd.DataFrame(
        {
            "third": THIRDS,
            "share": shares,
            "n_rows": [len(part) for part in counts],
            "n_citizens": [part[CITIZEN].nunique() for part in counts],
            "n_caseworkers": [part[CASEWORKER].nunique() for part in counts],
            "n_events": [int(part["outcome"].sum()) if rows.binary else -1 for part in counts],
        }
    )


def counts_and_rates(rows: LeniencyRows, thirds: pd.DataFrame) -> dict[str, float]:
    """Statistics that do not depend on the method."""
    return {
        "base_rate": float(rows.y.mean()),
        **{f"thirds_{t}": float(s) for t, s in zip(thirds["third"], thirds["share"], strict=True)},
        "n_caseworkers": float(rows.n(CASEWORKER)),
        "n_citizens": float(rows.n(CITIZEN)),
        "n_cells": float(rows.cell.max() + 1),
    }


def disposition_statistics(rows: LeniencyRows, disposition: Disposition | None) -> dict[str, float]:
    """Reliability of measured optimism, spread of the disposition, and whether predictions come true."""
    if disposition is None:
        return {"reliability": 0.0, "disposition_sd": 0.0}
    made = first_stage(rows, disposition.predicted * disposition.exposure_sd)
    calibrated = (
        {} if made is None else {"calibration": float(made.beta[0]), "calibration_se": made.std_error}
    )
    return {
        "reliability": float(disposition.reliability.mean()),
        "disposition_sd": disposition.sd,
        **calibrated,
    }


def reduced_form_fit(
    rows: LeniencyRows,
    form: ReducedForm,
    names: Sequence[str],
    *,
    checks: Sequence[Assumption],
    tables: Tables,
    spec: Mapping[str, Any],
) -> Fit:
    """The reduced form with its tables and statistics."""
    made, slope = form.made, float(form.made.beta[0])
    base = float(rows.y.mean())
    first = first_stage(rows, form.x)
    statistics = counts_and_rates(rows, tables["thirds"]) | disposition_statistics(rows, form.disposition)
    statistics |= {"relative": slope / base if base != 0 else np.nan}
    statistics |= {"estimate_pp": 100 * slope} if rows.binary else {}
    if first is not None:
        statistics |= {"first_stage": float(first.beta[0]), "effective_f": checks_of.effective_f(first)}
    statistics |= adjusted(rows, form.x, names)
    return Fit(
        model="leniency design, reduced form",
        outcome=rows.outcome,
        terms=("optimism",),
        estimates=made.beta,
        covariance=made.cov,
        inference=made.inference,
        sample=sample_of(rows),
        spec=dict(spec) | {"link": "identity"},
        criterion=float(made.residual @ made.residual),
        statistics=statistics,
        conventions=_conventions(form.scale),
        remarks=(reading(checks), *((_LATER,) if spec["rows"] == "all" else ())),
        diagnostics={"checks": checks_frame(checks), **tables, **first_stage_table(rows, first)},
        provenance=provenance(None),
        rows=made.rows,
    )


def reading(checks: Sequence[Assumption]) -> str:
    """What the number may be called, by the verdict on its assumptions."""
    if Card("leniency", "dispositional", tuple(checks)).verdict == CREDIBLE:
        return _BUNDLE
    status = [a.status for a in checks]
    open_ = status.count("doubtful") + status.count("untested")
    return _ASSOCIATION.format(all=len(status), fails=status.count("fails"), open=open_)


def first_stage_table(rows: LeniencyRows, first: CellRegression | None) -> Tables:
    """The first stage as a table; empty mapping where the exposure is never known."""
    if first is None:
        return {}
    low, high = first.beta[0] + np.array([-1, 1]) * 1.959964 * first.std_error
    return {
        "first_stage": pd.DataFrame(
            {
                "exposure": [rows.exposure],
                "estimate": [float(first.beta[0])],
                "std_error": [first.std_error],
                "conf_low": [float(low)],
                "conf_high": [float(high)],
                "effective_f": [checks_of.effective_f(first)],
                "n_rows": [len(first.y)],
            }
        )
    }


def adjusted(rows: LeniencyRows, x: Floats, names: Sequence[str]) -> dict[str, float]:
    """The slope with the covariates that all rows know in the regression, and its standard error."""
    # What the citizen believed may follow from the caseworker; adjusting for it would take an effect away.
    columns = numbers(rows.frame, [name for name in names if name != AT_FIRST])
    complete = [values for values in columns.values() if not np.isnan(values).any()]
    if not complete:
        return {}
    X = np.column_stack([x, *complete])
    cleaned = X - _cell_means(X, rows)
    keep = independent_columns(cleaned)
    made = regress_within(rows.y, X[:, keep], cell=rows.cell, frame=rows.frame, vcov=default_vcov(rows.frame))
    if made is None or 0 not in keep:
        return {}
    return {"estimate_adjusted": float(made.beta[0]), "std_error_adjusted": made.std_error}


def sample_of(rows: LeniencyRows) -> Sample:
    """Rows used and dropped."""
    return Sample(
        nobs=len(rows.y),
        groups={CASEWORKER: rows.n(CASEWORKER), CITIZEN: rows.n(CITIZEN), "cell": int(rows.cell.max() + 1)},
        dropped=rows.dropped,
        n_singletons=rows.dropped.get("alone in a cell", 0),
    )


def _cell_means(X: Floats, rows: LeniencyRows) -> Floats:
    """Cell means of each column, row by row."""
    size = np.bincount(rows.cell)
    return np.column_stack([np.bincount(rows.cell, weights=v) / size for v in X.T])[rows.cell]


def _conventions(scale: str) -> dict[str, str]:
    """The unit and the clusters in words."""
    unit = {
        "disposition": "one standard deviation of caseworkers' disposition within cells: leave-out means "
        "shrunken by their reliability (regression calibration); standard error with that of the variance "
        "components (delta method, infinitesimal jackknife over caseworkers)",
        "measured": "one standard deviation of measured leave-out optimism over the rows used",
    }
    return {
        "unit of optimism": unit[scale],
        "clusters": "factor G/(G-1) * (n-1)/(n-k); cells count in k with all their levels",
    }
