"""The note against everything exported before: who is behind its outputs, and which must be withheld."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from jobchance.disclosure.check import Breach
from jobchance.disclosure.clashes import clash_message
from jobchance.disclosure.ledger import DisclosureLedger
from jobchance.disclosure.policy import DisclosurePolicy
from jobchance.disclosure.release import Release
from jobchance.errors import DisclosureError, SpecError
from jobchance.panel.model import AnalysisPanel
from jobchance.report.output import Output
from jobchance.study.model import Study

_OF_A_CELL = ("cell", "hidden")


def open_ledger(ledger: DisclosureLedger | str | Path, target: Path) -> DisclosureLedger:
    """The ledger, refused where it lies among the files of the note."""
    book = ledger if isinstance(ledger, DisclosureLedger) else DisclosureLedger(ledger)
    if target in book.path.parents:
        raise SpecError("the ledger lies in the folder of the note: keep it elsewhere, beside the project.")
    return book


def note_releases(study: Study, panel: AnalysisPanel | None, outputs: Sequence[Output] = ()) -> list[Release]:
    """The note itself, with everyone measured and everyone analysed, and each output with its cells."""
    measured = study.tables["measurement"]["citizen_id"].unique()
    analysed = measured if panel is None else panel.frame["citizen_id"].unique()
    whole = [Release("status note", measured), Release("status note, analysed", analysed)]
    return whole + [Release(release_name(output), analysed, output.frame) for output in outputs]


def refuse_close_samples(
    ledger: DisclosureLedger, study: Study, panel: AnalysisPanel | None, policy: DisclosurePolicy
) -> None:
    """Refuse a note about nearly the same citizens as an earlier output, before anything is computed.

    Raises
    ------
    DisclosureError
        Names the outputs; persons in bands only.
    """
    clashes = ledger.check(note_releases(study, panel), policy)
    if clashes:
        raise DisclosureError(clash_message(clashes, policy))


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
