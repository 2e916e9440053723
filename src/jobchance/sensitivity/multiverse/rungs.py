"""A rung of the evidence ladder on the rows of a sample: its line, its verdict, or why it is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from jobchance.design.nodes import Call, Name
from jobchance.errors import IdentificationError, SpecError
from jobchance.identification.ladder import evidence_ladder
from jobchance.identification.rungs.model import Rung
from jobchance.panel.model import AnalysisPanel
from jobchance.results.parts import Codes
from jobchance.sensitivity.multiverse.filled import Prepared
from jobchance.sensitivity.multiverse.rows import Answer, Counts
from jobchance.sensitivity.multiverse.samples import one_term
from jobchance.sensitivity.multiverse.specification import Specification


class RungRefusedError(IdentificationError):
    """A rung that the sample does not carry, with the verdict that says so."""

    def __init__(self, message: str, verdict: str) -> None:
        super().__init__(message)
        self.verdict = verdict


def climb(
    spec: Specification, prepared: Prepared, panel: AnalysisPanel, *, level: float
) -> tuple[Answer, Counts, Codes | None]:
    """The answer of a rung, what it counts, and the positions in `prepared.frame` behind it (if known).

    Raises
    ------
    RungRefusedError
        The rung is not identified on these rows.
    SpecError, IdentificationError
        See `evidence_ladder`; a covariate that is no column.
    """
    assert spec.rung is not None, "only rungs are climbed"
    rows = replace(panel, frame=prepared.frame)
    ladder = evidence_ladder(rows, covariates=_columns(prepared.terms), rungs=[spec.rung], level=level)
    row, rung = ladder.frame.iloc[0], ladder.rungs[0]
    verdict = str(row["verdict"])
    if pd.isna(row["estimate"]):
        lacks = rung.reason or str(row["open_points"]).replace("|", ", ") or str(row["missing"])
        raise RungRefusedError(f"{verdict}: {lacks}", verdict)
    # a rung without rows of its own counts none of what it does not know
    counts = Counts(
        int(row["N_rows"]), int(row["N_citizens"]), n_caseworkers=int(row["N_caseworkers"]) or None
    )
    used = _used(rung, counts.n_rows, prepared.frame)
    open_points = str(row["open_points"]).replace("|", ", ")
    answer = Answer(
        estimate=float(row["estimate"]),
        std_error=float(row["std_error"]),
        df=float(row["df"]),
        unit=str(row["unit"]),
        notes=(f"Open: {open_points}.",) if open_points else (),
        verdict=verdict,
        interval=(float(row["conf_low"]), float(row["conf_high"])),
        p_value=float(row["p_value"]),
        **_of_fit(rung),
    )
    return answer, counts, used


def _columns(terms: tuple[str, ...]) -> tuple[str, ...]:
    """Covariates of the ladder: plain columns or `C(column)`."""
    columns = []
    for term in terms:
        match one_term(term).terms:
            case ((Name(name=column),),) | ((Call(function="C", arguments=(Name(name=column),)),),):
                columns.append(column)
            case _:
                raise SpecError(f"The rungs adjust for columns as they are, not for {term}.")
    return tuple(columns)


def _of_fit(rung: Rung) -> dict[str, Any]:
    """Whether the main fit converged and is singular, and its clusters."""
    fit = next(iter(rung.fits.values()), None)
    if fit is None:
        return {}
    clusters = min(fit.inference.clusters.values(), default=None)
    return {"converged": bool(fit.converged), "is_singular": bool(fit.is_singular), "n_clusters": clusters}


def _used(rung: Rung, n_rows: int, frame: pd.DataFrame) -> Codes | None:
    """Positions of the rows behind the rung's main fit, where these are measurements of the frame."""
    fit = next(iter(rung.fits.values()), None)
    if fit is None or fit.rows is None or len(fit.rows.used) != n_rows:
        return None
    if "measurement_id" not in frame or "measurement_id" not in fit.rows.frame:
        return None
    used = pd.Index(frame["measurement_id"]).get_indexer(fit.rows.column("measurement_id"))
    return None if (used < 0).any() or len(np.unique(used)) < n_rows else used.astype(np.int64)
