"""`run_multiverse`: every specification, anywhere, resumable; one frame whatever happened on the way."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from jobchance.compute.base import Compute
from jobchance.compute.in_process import choose_compute
from jobchance.errors import SpecError
from jobchance.panel.model import AnalysisPanel
from jobchance.sensitivity.multiverse.expand import Expansion
from jobchance.sensitivity.multiverse.plan import chunks
from jobchance.sensitivity.multiverse.progress import Callback, Tracker
from jobchance.sensitivity.multiverse.read import MultiverseSpec
from jobchance.sensitivity.multiverse.result import Multiverse
from jobchance.sensitivity.multiverse.result_frame import build_frame
from jobchance.sensitivity.multiverse.rows import FAILED, choice_values
from jobchance.sensitivity.multiverse.run_chunks import evaluate_chunks, pending_chunks
from jobchance.sensitivity.multiverse.specification import Specification
from jobchance.sensitivity.multiverse.store import Store, check_folder
from jobchance.sensitivity.multiverse.store_data import fingerprint_data
from jobchance.sensitivity.multiverse.store_log import Row
from jobchance.sensitivity.multiverse.store_plan import Plan, processors, software
from jobchance.sensitivity.multiverse.workbench import Workbench
from jobchance.study.model import Study


def run_multiverse(
    spec: MultiverseSpec | str | Path | Mapping[str, object],
    panel: AnalysisPanel | Study,
    *,
    compute: Compute | None = None,
    out: str | Path | None = None,
    resume: bool = False,
    progress: Callback | None = None,
) -> Multiverse:
    """Run every specification of a multiverse.

    The same specification and data give the same frame, bit for bit, in this process, in processes of this
    machine or on a Dask cluster, with any number of workers, in one go or resumed.

    Parameters
    ----------
    spec : MultiverseSpec, path or mapping
        What to vary; a path is that of a TOML file.
    panel : AnalysisPanel or Study
        The data; a study where outcome, horizon or at-risk rule vary.
    compute : Compute, optional
        `LocalCompute(n)` or `DaskCompute(address)`; `None` is this process. A specification that ends its
        process (want of memory) ends this one where `None`, and is a failed row elsewhere.
    out : str or Path, optional
        New folder for the work files: each specification is on disk as soon as it is finished. They hold
        exact counts and are not for export. `None` keeps everything in memory.
    resume : bool
        Go on with the run in `out`, or begin if there is none. Finished rows are not run again; rows that
        failed for want of memory, a worker or a disk are.
    progress : callable, optional
        Called with a `MultiverseProgress` after each result.

    Returns
    -------
    Multiverse
        One row per specification; those that gave no number say why.

    Raises
    ------
    SpecError
        The specification asks for something that does not exist; `resume` without `out`; the folder is in
        use, in an export folder, holds something else, or an earlier run without `resume`; or a run of
        another specification, other data or other software.
    UserError
        The disk does not take a row or the Dask cluster is gone. What was finished is safe in `out`.
    DesignError
        The data lack what every specification needs.

    Notes
    -----
    What a run killed by SIGKILL was working on is run again on resume, everything else is not. A first run
    that meets a lost worker splits the chunk it had; only the specification at fault fails. Not done:
    choosing among specifications; see `Multiverse.joint_test` and `Multiverse.importance`.

    Examples
    --------
    >>> import jobchance as jc
    >>> panel = jc.build_panel(jc.simulate_study(seed=1, n_citizens=400))
    >>> choices = {"exposure": ["belief", "optimism"], "covariates": {"sets": {"none": []}}}
    >>> found = run_multiverse({"choices": choices | {"estimator": "pooled"}}, panel)
    >>> list(found.frame["exposure"])
    ['belief', 'optimism']
    """
    target = _check(out, resume=resume)
    chosen = _as_spec(spec, panel)
    expansion = chosen.expand()
    workbench = Workbench.build(panel, expansion.specifications, chosen)
    meta = {"spec": expansion.fingerprint, "data": fingerprint_data(panel), "versions": software()}
    with _store(target, chosen.name, expansion, meta, resume=resume) as store:
        rows = _rows(expansion.specifications, workbench, choose_compute(compute), store, progress)
        found = Multiverse(_frame(expansion, rows), chosen, expansion, meta, workbench)
        if store is not None:
            store.finish(found.frame, {**meta, "name": chosen.name, "hash": found.hash})
    return found


def _check(out: str | Path | None, *, resume: bool) -> Path | None:
    """The folder of the run, refused before any work if it cannot be used."""
    if out is None:
        if resume:
            raise SpecError("resume=True goes on with a run in a folder: name it with out.")
        return None
    check_folder(Path(out), resume=resume)
    return Path(out)


def _as_spec(
    spec: MultiverseSpec | str | Path | Mapping[str, object], panel: AnalysisPanel | Study
) -> MultiverseSpec:
    """The specification; where it is silent about outcome, horizon and at-risk rule, those of the data."""
    if isinstance(spec, str | Path):
        spec = MultiverseSpec.read(spec)
    elif not isinstance(spec, MultiverseSpec):
        spec = MultiverseSpec.from_dict(spec)
    own = panel.meta if isinstance(panel, AnalysisPanel) else asdict(panel.analysis)
    return spec.on_panel(
        outcome=str(own["outcome"]),
        horizon_weeks=int(str(own["horizon_weeks"])),
        at_risk=str(own["at_risk"]),
    )


def _store(
    target: Path | None, name: str, expansion: Expansion, meta: Mapping[str, Any], *, resume: bool
) -> AbstractContextManager[Store | None]:
    """The store of the run, or nothing where all stays in memory."""
    if target is None:
        return nullcontext()
    parts = chunks(expansion.specifications)
    plan = Plan(
        name=name,
        **meta,
        processors=processors(),
        keys=tuple(one.key for one in expansion.specifications),
        chunking=hashlib.sha256(repr(parts).encode()).hexdigest()[:16],
    )
    return Store(target, plan, resume=resume)


def _rows(
    specs: Sequence[Specification],
    workbench: Workbench,
    compute: Compute,
    store: Store | None,
    progress: Callback | None,
) -> dict[str, Row]:
    """Every row by key: those that an earlier run finished, and the others, evaluated now."""
    finished = {} if store is None else store.finished
    tracker = Tracker(
        [one.estimator for one in specs if one.key not in finished],
        resumed=len(finished),
        failed=sum(row["status"] == FAILED for row in finished.values()),
        callback=progress,
    )
    pending = pending_chunks(specs, chunks(specs), finished)
    return finished | evaluate_chunks(workbench, pending, compute=compute, store=store, tracker=tracker)


def _frame(expansion: Expansion, rows: Mapping[str, Row]) -> pd.DataFrame:
    """One row per specification: its choices and its result."""
    return build_frame(
        [
            {"main": place == expansion.main, **choice_values(one), **rows[one.key]}
            for place, one in enumerate(expansion.specifications)
        ]
    )
