"""Notes and analyses against everything exported before: who is behind them, what must be withheld."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pandas as pd

from jobchance.disclosure.check import Breach
from jobchance.disclosure.clashes import LedgerError
from jobchance.disclosure.ledger import DisclosureLedger
from jobchance.disclosure.policy import DisclosurePolicy
from jobchance.disclosure.release import Release
from jobchance.errors import SpecError
from jobchance.panel.build import build_panel
from jobchance.panel.model import AnalysisPanel
from jobchance.report.bundle import check_target
from jobchance.report.output import Output
from jobchance.study.model import Study

_OF_A_CELL = ("cell", "hidden")


def open_ledger(ledger: DisclosureLedger | str | Path, target: Path) -> DisclosureLedger:
    """The ledger, refused where it lies among the files that are written."""
    book = ledger if isinstance(ledger, DisclosureLedger) else DisclosureLedger(ledger)
    if target in book.path.parents:
        raise SpecError(
            "the ledger lies in the folder of the outputs: keep it elsewhere, beside the project."
        )
    return book


def study_panel(study: Study) -> AnalysisPanel | None:
    """The study's own panel, or None where it has no outcome table."""
    return build_panel(study) if "outcome" in study.tables else None


def note_releases(study: Study, panel: AnalysisPanel | None, outputs: Sequence[Output] = ()) -> list[Release]:
    """The note itself, with everyone measured and everyone analysed, and each output with its cells."""
    measured, analysed = _persons(study, panel)
    whole = [Release("status note", measured), Release("status note, analysed", analysed)]
    return whole + [Release(release_name(output), analysed, output.frame) for output in outputs]


def check_analysis(
    ledger: DisclosureLedger | str | Path, study: Study, target: Path, *, name: str, policy: DisclosurePolicy
) -> tuple[DisclosureLedger, list[Release]]:
    """The ledger, and everyone measured and everyone analysed in the study as releases that it lets pass.

    Raises
    ------
    LedgerError, SpecError
        As `recorded_analysis`.
    """
    book = open_ledger(ledger, target)
    measured, analysed = _persons(study, study_panel(study))
    whole = [Release(f"analysis {name}", measured), Release(f"analysis {name}, analysed", analysed)]
    clashes = book.check(whole, policy)
    if clashes:
        raise LedgerError(clashes, policy)
    return book, whole


@contextmanager
def recorded_analysis(
    ledger: DisclosureLedger | str | Path, study: Study, out: Path, *, name: str, policy: DisclosurePolicy
) -> Iterator[Path]:
    """A folder for an analysis to write to, which becomes `out` when the ledger has recorded its tables.

    Everyone measured and everyone analysed in the study are held against the ledger before the analysis
    runs; after it, so are the persons in the cells of every csv file that it wrote. A refusal leaves `out`
    and the ledger as they were.

    Raises
    ------
    LedgerError
        The citizens, or those in a cell, differ from an earlier output by a few.
    SpecError
        The ledger lies in `out`, or there is none; `out` is a file or an export folder.
    """
    target = check_target(out)
    book, whole = check_analysis(ledger, study, target, name=name, policy=policy)
    analysed = whole[-1].sample
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        yield scratch
        files = sorted(path.relative_to(scratch) for path in scratch.rglob("*") if path.is_file())
        tables = [file for file in files if file.suffix == ".csv"]
        cells = [Release(f"{name}/{t.with_suffix('')}", analysed, _table(scratch / t)) for t in tables]
        book.record([*whole, *cells], policy)
        for file in files:
            (target / file).parent.mkdir(parents=True, exist_ok=True)
            (scratch / file).replace(target / file)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _persons(study: Study, panel: AnalysisPanel | None) -> tuple[pd.Series, pd.Series]:
    """Identifiers of everyone measured and of everyone analysed."""
    measured = study.tables["measurement"]["citizen_id"]
    return measured, measured if panel is None else panel.frame["citizen_id"]


def _table(path: Path) -> pd.DataFrame:
    """A csv with the types that it had, where a figure's description beside it tells them."""
    from jobchance.figures.save import read_frame

    return read_frame(path) if path.with_suffix(".json").is_file() else pd.read_csv(path)


def refuse_close_samples(
    ledger: DisclosureLedger, study: Study, panel: AnalysisPanel | None, policy: DisclosurePolicy
) -> None:
    """Refuse a note about nearly the same citizens as an earlier output, before anything is computed.

    Raises
    ------
    LedgerError
        Names the outputs; persons in bands only.
    """
    clashes = ledger.check(note_releases(study, panel), policy)
    if clashes:
        raise LedgerError(clashes, policy)


def release_name(output: Output) -> str:
    """What an output is called in refusals and in the ledger."""
    return f"{output.id} {output.name}"


def clashing_outputs(
    ledger: DisclosureLedger, releases: Sequence[Release], policy: DisclosurePolicy
) -> list[Breach]:
    """Outputs to withhold because of some of their cells; whole samples that clash are left to `record`."""
    cells: dict[str, int] = {}
    for clash in ledger.check(releases, policy):
        if clash.reason in _OF_A_CELL:
            cells[clash.output] = max(cells.get(clash.output, 0), clash.n)
    return [Breach(output, "differencing", n) for output, n in cells.items()]
