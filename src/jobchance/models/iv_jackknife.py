"""From a design with many instruments to a `Fit`: checks, the chosen estimator, both kinds of score.

What `ujive` and `fit_iv` share. Letters as in `numerics.ujive`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from jobchance.compute.threads import one_thread
from jobchance.design.columns import counted
from jobchance.errors import IdentificationError
from jobchance.numerics.ujive import METHODS, JackknifeEstimates, ManyInstruments, jackknife, many_instruments
from jobchance.options import check_option
from jobchance.results.covariance import covariance
from jobchance.results.fit import Fit
from jobchance.results.parts import Codes, Floats, Rows, Sample
from jobchance.results.provenance import provenance
from jobchance.results.vcov import Cluster, Vcov

JACKKNIFES = ("ujive", "ujive_2013", "ijive", "jive1", "jive2")
ERRORS = ("hte", "robust")
_NAMES = {
    "ujive": "jackknife IV (UJIVE)",
    "ujive_2013": "jackknife IV (UJIVE of 2013, unweighted)",
    "ijive": "jackknife IV (IJIVE)",
    "jive1": "jackknife IV (JIVE1)",
    "jive2": "jackknife IV (JIVE2)",
}
_TINY = 1e-10


@dataclass(frozen=True, eq=False)
class Question:
    """Complete rows of a design with many instruments, and how it is to be estimated.

    `frame` and `positions` are the table that clusters are read from and the places of the rows in it;
    `units` are the rows that are left out together, and `unit_name` what they are called.
    """

    y: Floats
    d: Floats
    cells: Codes
    groups: Codes | None
    controls: Floats
    instruments: Floats
    units: Codes | None
    frame: pd.DataFrame
    positions: Codes
    outcome: str
    exposure: str
    method: str
    errors: str
    vcov: Vcov
    dropped: Mapping[str, int]
    spec: Mapping[str, Any]
    absorbed: str | None = None
    unit_name: str = "left-out unit"
    levels: Mapping[str, Codes] = field(default_factory=dict)


def jackknife_fit(question: Question) -> Fit:
    """The fit of one question.

    Raises
    ------
    IdentificationError
        No row is left once rows without a leave-out prediction are dropped; the instruments do not vary, or
        the exposure does not vary, given the controls; the instruments do not move the exposure at all;
        fewer than two clusters.
    """
    check_option("method", question.method, JACKKNIFES)
    check_option("errors", question.errors, ERRORS)
    with one_thread:  # the loops of the projections share the work themselves
        design = many_instruments(
            question.cells, question.groups, question.controls, question.instruments, question.units
        )
        y, d = question.y[design.used], question.d[design.used]
        _check_design(question, design, d)
        made = jackknife(design, y, d)
    j = METHODS.index(question.method)
    _check_relevance(made, d, j)
    kinds = {name: getattr(made, name) for name in ERRORS}
    base = _rows(question, design, made, j)
    rows = replace(base, scores=kinds[question.errors][:, [j]])
    cov, inference = covariance(rows, question.vcov)
    table = _estimators(question, base, made)
    table.loc[j, f"se_{question.errors}"] = float(np.sqrt(cov[0, 0]))  # the same to the last bit
    gone = len(question.y) - len(design.used)
    reason = _reason(question)
    return Fit(
        model=_NAMES[question.method],
        outcome=question.outcome,
        terms=(question.exposure,),
        estimates=made.estimates[[j]],
        covariance=cov,
        inference=inference,
        sample=Sample(
            nobs=len(y),
            groups={
                name: int(np.count_nonzero(np.bincount(codes[design.used])))
                for name, codes in question.levels.items()
            },
            dropped=dict(question.dropped) | ({reason: gone} if gone else {}),
        ),
        spec=dict(question.spec) | {"method": question.method, "errors": question.errors, "link": "identity"},
        statistics=_statistics(design, made, table.iloc[j], gone),
        conventions=_conventions(question),
        remarks=_remarks(design, made, question, j),
        diagnostics={"estimators": table},
        provenance=provenance(question.spec.get("formula")),
        rows=rows,
    )


def _check_design(question: Question, design: ManyInstruments, d: Floats) -> None:
    """Raise one error with everything that the rows left cannot give."""
    missing, problems = [], []
    if not len(design.used):
        missing.append("rows")
        problems.append(
            f"none of {counted(len(question.y), 'row')} has a prediction of the exposure without its own "
            f"{question.unit_name}: every group is alone in its cell or has one {question.unit_name}"
        )
    else:
        if design.n_instruments == 0:
            missing.append("instrument")
            problems.append("the instruments do not vary once the controls are removed")
        left = design.W.residuals(d[:, None])
        if float(np.linalg.norm(left)) <= _TINY * float(np.linalg.norm(d)):
            missing.append("exposure")
            problems.append(f"{question.exposure} does not vary once the controls are removed")
    if isinstance(question.vcov, Cluster):
        at = question.positions[design.used]
        few = [c for c in question.vcov.columns if question.frame[c].iloc[at].nunique() < 2]
        if few and len(design.used):
            missing.append("clusters")
            problems.append(f"fewer than 2 clusters of {', '.join(few)} are left")
    if problems:
        raise IdentificationError(
            "The effect cannot be estimated with these instruments: "
            + "; ".join(problems)
            + ". Use wider cells, or instruments with several units in each cell.",
            tuple(missing),
        )


def _check_relevance(made: JackknifeEstimates, d: Floats, j: int) -> None:
    """Raise where the constructed instrument and the exposure have no association at all."""
    size = float(np.linalg.norm(made.instruments[:, j]) * np.linalg.norm(d))
    if not abs(float(made.denominators[j])) > _TINY * size:
        raise IdentificationError(
            "The prediction of the exposure from the other rows is unrelated to the exposure, so the "
            "estimate divides by zero.",
            ("relevance",),
        )


def _rows(question: Question, design: ManyInstruments, made: JackknifeEstimates, j: int) -> Rows:
    """The rows behind estimator j; scores that take the instrument as known."""
    used = design.used
    y, e, z = question.y[used], made.residuals[:, j], made.instruments[:, j]
    bread = np.array([[1 / abs(float(made.denominators[j]))]])  # its sign does not matter to a variance
    sigma2 = float(e @ e) / max(len(y) - design.W.rank - 1, 1)
    cells = pd.factorize(question.cells[used])[0].astype(np.int64)
    return Rows(
        frame=question.frame,
        used=question.positions[used],
        outcome=y,
        fitted=y - e,
        fitted_fixed=y - e,
        scores=made.robust[:, [j]],
        bread=bread,
        model_cov=sigma2 * float(z @ z) * bread**2,
        model_label="from the model (independent errors with one variance, the instrument taken as known)",
        df_resid=np.inf,
        k=1 + question.controls.shape[1],
        absorbed={} if question.absorbed is None else {question.absorbed: cells},
        unit=None if question.units is None else (question.unit_name, question.units[used]),
    )


def _statistics(
    design: ManyInstruments, made: JackknifeEstimates, chosen: pd.Series, gone: int
) -> dict[str, float]:
    """Every estimator, both standard errors of the chosen one, ranks and counts."""
    values = dict(zip(METHODS, map(float, made.estimates), strict=True))
    return values | {
        "se_hte": float(chosen["se_hte"]),
        "se_robust": float(chosen["se_robust"]),
        "n_dropped_leverage_one": float(gone),
        "rank_W": float(design.W.rank),
        "rank_X": float(design.X.rank),
        "n_instruments": float(design.n_instruments),
        "first_stage_f_homoskedastic": made.first_stage_f,
    }


def _estimators(question: Question, base: Rows, made: JackknifeEstimates) -> pd.DataFrame:
    """All estimators with both standard errors, columns `method estimate se_robust se_hte`."""
    out: dict[str, Any] = {"method": METHODS, "estimate": made.estimates}
    several = isinstance(question.vcov, Cluster) and len(question.vcov.columns) > 1
    finite = np.flatnonzero(np.isfinite(made.estimates))
    for kind, scores in (("robust", made.robust), ("hte", made.hte)):
        out[f"se_{kind}"] = np.full(len(METHODS), np.nan)
        # Variances below zero, which several dimensions may give, are raised for each estimator by itself.
        for chosen in finite[:, None] if several else [finite]:
            bread = np.diag(1 / np.abs(made.denominators[chosen]))
            part = replace(base, scores=scores[:, chosen], bread=bread, unit=None)
            out[f"se_{kind}"][chosen] = np.sqrt(np.diag(covariance(part, question.vcov)[0]))
    return pd.DataFrame(out)


def _reason(question: Question) -> str:
    """Why rows were dropped for want of a prediction."""
    if question.units is None:
        return "leverage one (no prediction without the row itself)"
    return f"no prediction without the {question.unit_name}"


def _conventions(question: Question) -> dict[str, str]:
    """Choices that other software makes differently."""
    kind = {
        "hte": "allow another effect in every row and many instruments: each row's contribution holds what "
        "its exposure adds to the instruments of the others (ManyIV: hte)",
        "robust": "take the constructed instrument as known (ManyIV: robust)",
    }
    out = {
        "standard errors": kind[question.errors],
        "left out": "each row alone" if question.units is None else f"all rows of a {question.unit_name}",
        "small-sample factor": "none without clusters, as ManyIV; clustered G/(G-1) * (n-1)/(n-k)",
    }
    if question.method == "ujive":
        out["weights"] = "leave-out fits times 1 - h_W; without that factor the estimator is ujive_2013"
    return out


def _remarks(
    design: ManyInstruments, made: JackknifeEstimates, question: Question, j: int
) -> tuple[str, ...]:
    """What a reader must know about this design."""
    remarks = []
    if made.denominators[j] < 0:
        remarks.append(
            "The exposure falls with its own leave-out prediction: the first stage has the wrong sign, so "
            "the instruments carry no usable information."
        )
    if made.first_stage_f < 2:
        remarks.append(
            "The homoskedastic first-stage F is below 2: the instruments hardly move the exposure, and "
            "intervals from an estimate and its standard error may be far too narrow."
        )
    if question.method.startswith("ujive"):
        remarks.append(
            "UJIVE changes slightly when a constant is added to the outcome; its expectation does not."
        )
    return tuple(remarks)
