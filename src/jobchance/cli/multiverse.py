"""`jobchance multiverse`: run every specification of a file, then write what may leave."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import typer

from jobchance import figures
from jobchance.cli.progress import multiverse_progress
from jobchance.compute.base import Compute
from jobchance.compute.dask_cluster import DaskCompute
from jobchance.compute.in_process import InProcess
from jobchance.compute.local import LocalCompute
from jobchance.disclosure.policy import DisclosurePolicy
from jobchance.errors import SpecError, UserError
from jobchance.figures.save import save_figure
from jobchance.findings.specification_curve import specification_frame
from jobchance.formatting import Formatter
from jobchance.labels.load import label
from jobchance.note.exported import check_analysis, recorded_analysis
from jobchance.sensitivity.multiverse.joint_result import JointTest
from jobchance.sensitivity.multiverse.progress import MultiverseProgress
from jobchance.sensitivity.multiverse.read import MultiverseSpec
from jobchance.sensitivity.multiverse.result import Multiverse
from jobchance.sensitivity.multiverse.rows import FAILED
from jobchance.sensitivity.multiverse.run import run_multiverse
from jobchance.sensitivity.multiverse.store import FRAME, WORK, check_folder
from jobchance.sensitivity.multiverse.workbench_panels import panel_key
from jobchance.study.model import Study

OUTPUTS = "outputs"
STEM = "F83_specification_curve"
_REASONS = 3  # of failures that are listed; the frame holds them all
_LONGEST = 160
_Checked = TypeVar("_Checked")


@dataclass(frozen=True)
class Request:
    """What stands on the command line."""

    spec: Path
    study: Path | None
    out: Path
    jobs: str | None
    scheduler: str | None
    wait: float
    memory: float | None
    resume: bool
    lang: str = "da"
    policy: str = "cautious_dk"
    draws: int = 999
    seed: int = 39
    ledger: Path | None = None


def run_command(request: Request, load_study: Callable[[], Study]) -> None:
    """Run the multiverse, say what came out and where it is, write the outputs.

    Raises
    ------
    SpecError
        Arguments are wrong; all that are are named in one message.
    UserError
        As `run_multiverse`, and from reading the study.
    DisclosureError
        The figure may not leave; the run itself is done and stored. With a ledger also before the run, where
        the study's citizens differ from those of an earlier output by a few.
    """
    spec, policy, compute = _checked(request)
    where = request.out / WORK
    with compute, _plain_warnings():
        study = load_study()
        outputs = request.out / OUTPUTS
        if request.ledger is not None:  # before hours are spent
            check_analysis(request.ledger, study, outputs.resolve(), name=_name(spec), policy=policy)
        seen: list[MultiverseProgress] = []
        try:
            with multiverse_progress(request.lang) as show:

                def tell(state: MultiverseProgress) -> None:
                    seen[:] = [state]
                    show(state)

                found = run_multiverse(
                    spec, study, compute=compute, out=request.out, resume=request.resume, progress=tell
                )
        except KeyboardInterrupt:
            typer.echo(label("multiverse_run.interrupted", request.lang, path=str(where)), err=True)
            raise
        typer.echo(_closing(seen[-1], found, where, request.lang))
        joint = _joint_test(found, request)
        with _destination(request.ledger, study, outputs, name=_name(spec), policy=policy) as folder:
            headline = _write_outputs(found, study, folder, joint=joint, lang=request.lang, policy=policy)
    typer.echo(headline)
    words = {"path": str(outputs), "policy": policy.name}
    typer.echo(label("multiverse_run.outputs", request.lang, **words))


def _name(spec: MultiverseSpec) -> str:
    """What the outputs are called in the ledger."""
    return f"multiverse {spec.name}"


def _destination(
    ledger: Path | None, study: Study, outputs: Path, *, name: str, policy: DisclosurePolicy
) -> AbstractContextManager[Path]:
    """The folder to write to; with a ledger one whose tables it has to let pass first."""
    if ledger is None:
        return nullcontext(outputs)
    return recorded_analysis(ledger, study, outputs, name=name, policy=policy)


def _checked(request: Request) -> tuple[MultiverseSpec, DisclosurePolicy, Compute]:
    """What the arguments mean; everything that is wrong with them in one error."""
    faults: list[str] = []

    def attempt(make: Callable[[], _Checked]) -> _Checked | None:
        try:
            return make()
        except UserError as error:
            faults.append(str(error))
            return None

    spec = attempt(lambda: MultiverseSpec.read(request.spec))
    policy = attempt(lambda: DisclosurePolicy.preset(request.policy))
    attempt(lambda: check_folder(request.out, resume=request.resume))
    attempt(lambda: _check_study(request.study))
    attempt(lambda: _check_ledger(request))
    attempt(lambda: _check_draws(request.draws))
    compute = attempt(lambda: _compute(request))
    if faults or spec is None or policy is None or compute is None:
        if compute is not None:
            compute.close()
        raise SpecError("\n".join(faults))
    return spec, policy, compute


def _check_study(folder: Path | None) -> None:
    if folder is not None and not folder.is_dir():
        raise SpecError(f"--study names no folder: {folder}")


def _check_ledger(request: Request) -> None:
    if request.ledger is not None and request.study is None:
        raise SpecError("--ledger records the citizens of a study: name its folder with --study too.")


def _check_draws(draws: int) -> None:
    if draws < 0:
        raise SpecError(f"--draws {draws} is below 0: name the number of curves, or 0 for no joint test.")


def _compute(request: Request) -> Compute:
    """The place to run; a cluster is asked at once, before hours are spent on anything else."""
    if request.jobs is not None and request.scheduler is not None:
        raise SpecError("--jobs and --scheduler exclude each other: processes of this machine, or a cluster.")
    if request.jobs is not None:
        number: Any = int(request.jobs) if request.jobs.isdecimal() else request.jobs
        return LocalCompute(number, memory_gb=request.memory)
    if request.memory is not None:
        raise SpecError("--memory limits the processes of --jobs: give both, or neither.")
    if request.scheduler is None:
        return InProcess()
    compute = DaskCompute(request.scheduler, wait_seconds=request.wait)
    assert compute.client, "connected and checked, or an error"
    for logger in ("distributed", "distributed.client"):  # what a loss means is said by the run itself, once
        logging.getLogger(logger).setLevel(logging.CRITICAL)
    return compute


@contextmanager
def _plain_warnings() -> Iterator[None]:
    """Show what a run warns of as one line each, without the place in the source."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", RuntimeWarning)
        warnings.showwarning = lambda message, *_, **__: typer.echo(str(message), err=True)
        yield


def _closing(last: MultiverseProgress, found: Multiverse, where: Path, lang: str) -> str:
    """How many ran and failed and why, the hash of the frame, where it is."""
    text = Formatter(lang)
    counts = {
        "total": text.count(last.total),
        "new": text.count(last.total - last.resumed),
        "resumed": text.count(last.resumed),
        "failed": text.count(last.failed),
    }
    frame = {"path": str(where / f"{FRAME}.csv"), "hash": found.hash}
    title = found.spec.title_da if lang == "da" else found.spec.title_en
    return "\n".join(
        [
            *([title] if title else []),
            label("multiverse_run.done", lang, **counts),
            *_reasons(found, lang),
            label("multiverse_run.frame", lang, **frame),
        ]
    )


def _reasons(found: Multiverse, lang: str) -> list[str]:
    """The most frequent reasons of failure, in the words of the frame, and how many had others."""
    reasons = found.frame.loc[found.frame["status"] == FAILED, "reason"].value_counts()
    text = Formatter(lang)
    lines = [
        "  " + label("multiverse_run.reason", lang, n=text.count(n), reason=_short(str(reason)))
        for reason, n in sorted(reasons.items(), key=lambda one: (-one[1], str(one[0])))[:_REASONS]
    ]
    others = int(reasons.sum()) - sum(sorted(reasons, reverse=True)[:_REASONS])
    rest = "  " + label("multiverse_run.others", lang, n=text.count(others))
    return [*lines, rest] if others else lines


def _short(reason: str) -> str:
    """A reason on one line of a terminal or two."""
    return reason if len(reason) <= _LONGEST else f"{reason[: _LONGEST - 3].rstrip()}..."


def _joint_test(found: Multiverse, request: Request) -> JointTest | None:
    """The whole curve against no association at all, unless it is not asked for or has no scores."""
    if request.draws == 0:
        return None
    typer.echo(label("multiverse_run.joint", request.lang), err=True)
    try:
        return found.joint_test(draws=request.draws, seed=request.seed)
    except SpecError as error:
        typer.echo(str(error), err=True)
        return None


def _write_outputs(
    found: Multiverse,
    study: Study,
    folder: Path,
    *,
    joint: JointTest | None,
    lang: str,
    policy: DisclosurePolicy,
) -> str:
    """The specification curve and its words, after disclosure control; returns the headline."""
    specs = found.expansion.specifications
    panels = found.need_workbench("the specification curve").panels
    panel = panels[panel_key(specs[found.expansion.main or 0])]
    frame = specification_frame(found, study, panel, policy=policy, joint=joint)
    figure = figures.specification_curve(frame, lang=lang)
    save_figure(figure, frame, folder / STEM, policy=policy)
    words = figure.description
    text = "\n\n".join(
        part for part in (f"# {words.headline}", words.subtitle, words.note, words.source) if part
    )
    (folder / f"{STEM}.md").write_text(f"{text}\n", encoding="utf-8")
    return words.headline
