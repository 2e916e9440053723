"""`status_note`: panel -> findings -> disclosure control -> figures -> page, workbook, files and manifest."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd

from jobchance.disclosure.check import Breach, check, protect
from jobchance.disclosure.ledger import DisclosureLedger
from jobchance.disclosure.overlap import export_beside
from jobchance.disclosure.policy import DisclosurePolicy
from jobchance.errors import DisclosureError
from jobchance.findings.catalogue import CATALOGUE, Entry
from jobchance.labels.load import label
from jobchance.note.exported import (
    clashing_outputs,
    note_releases,
    open_ledger,
    refuse_close_samples,
    release_name,
    study_panel,
)
from jobchance.note.words import explanations, note_page
from jobchance.options import check_option
from jobchance.panel.model import AnalysisPanel
from jobchance.report.bundle import check_target, write_bundle
from jobchance.report.manifest import manifest_document
from jobchance.report.output import Output
from jobchance.report.page import render_page
from jobchance.report.workbook import workbook_bytes
from jobchance.study.fingerprint import fingerprint_tables
from jobchance.study.model import Study

Progress = Callable[[str, int, int], None]
"""Called with what is being done, the step's number and the number of steps."""


@dataclass(frozen=True)
class StatusNote:
    """What was written, and what was not.

    Parameters
    ----------
    folder : Path
        Where `status_note.html`, `status_note.xlsx`, `figures/` and `manifest.json` are.
    outputs : tuple of Output
        Everything drawn, in catalogue order.
    not_drawn : tuple of (Entry, tuple of str)
        Entries whose tables or columns are absent, with what they need (label keys).
    withheld : tuple of Breach
        Outputs that disclosure control refused: output, rule and number of rows, never values.
    """

    folder: Path
    outputs: tuple[Output, ...]
    not_drawn: tuple[tuple[Entry, tuple[str, ...]], ...]
    withheld: tuple[Breach, ...]


def status_note(
    study: Study,
    out: str | Path,
    *,
    lang: str = "da",
    policy: DisclosurePolicy | None = None,
    ledger: DisclosureLedger | str | Path | None = None,
    progress: Progress | None = None,
) -> StatusNote:
    """Write the status note of a study: one page, one workbook, the figures and a manifest.

    Every catalogue entry that the study's tables allow is computed, passes disclosure control and is drawn;
    entries that lack a table or column are listed as not drawn with what they need, and outputs that the
    policy refuses are listed as withheld. Running it twice on the same study gives byte-identical csv files.

    Parameters
    ----------
    study : Study
        From `read_study` or `simulate_study`; its `analysis` names outcome, horizon and covariates.
    out : str or Path
        Folder to write to; made if absent. Files of an earlier note are replaced, other files left alone.
    lang : {"da", "en"}
        Language of every text; switching never changes a number.
    policy : DisclosurePolicy or None
        What may be shown; None = `DisclosurePolicy.preset("cautious_dk")`.
    ledger : DisclosureLedger, str or Path, or None
        Everything exported so far (`DisclosureLedger.create` starts one): the note is refused where its
        citizens differ from those of an earlier output by a few, outputs whose cells differ by a few citizens
        or were hidden before are withheld, and what is written is recorded. None = no such check.
    progress : callable or None
        Told of every step; None = silent.

    Returns
    -------
    StatusNote
        The folder, what was drawn, what was not and why.

    Raises
    ------
    SpecError
        Unknown language, `out` is a file or an export folder, or the ledger lies in `out`; nothing is
        written.
    DisclosureError
        Fewer than `policy.min_persons` citizens are measured or analysed, or these differ from the citizens
        of an earlier output by fewer; nothing is written.

    Examples
    --------
    >>> import jobchance as jc
    >>> note = jc.status_note(jc.simulate_study(seed=1), "out", lang="en")  # doctest: +SKIP
    """
    check_option("lang", lang, ("da", "en"))
    target = check_target(Path(out))
    policy = policy or DisclosurePolicy.preset("cautious_dk")
    book = None if ledger is None else open_ledger(ledger, target)
    say = progress or _silent
    steps = len(CATALOGUE) + 2
    say(label("note.progress.panel", lang), 0, steps)
    panel = study_panel(study)
    _require_persons(study, panel, policy=policy)
    if book is not None:
        refuse_close_samples(book, study, panel, policy)
    outputs: list[Output] = []
    not_drawn: list[tuple[Entry, tuple[str, ...]]] = []
    withheld: list[Breach] = []
    files: dict[str, bytes] = {}
    with tempfile.TemporaryDirectory() as scratch:
        for number, entry in enumerate(CATALOGUE, start=1):
            say(
                label("note.progress.figure", lang, name=label(f"catalogue.{entry.name}", lang)),
                number,
                steps,
            )
            needs = entry.module.needs(study, panel)
            if needs:
                not_drawn.append((entry, needs))
                continue
            # Rounded counts give nobody away, and comparing with them would find what is not there.
            beside = [output.frame for output in outputs if output.round_base == policy.round_base]
            output, breaches, written = _draw(
                entry, study, panel, lang=lang, policy=policy, scratch=Path(scratch), beside=beside
            )
            withheld.extend(breaches)
            if output is not None:
                outputs.append(output)
                files.update(written)
    releases = [] if book is None else note_releases(study, panel, outputs)
    if book is not None:
        for breach in clashing_outputs(book, releases, policy):
            withheld.append(breach)
            outputs = [o for o in outputs if release_name(o) != breach.output]
            releases = [r for r in releases if r.name != breach.output]
        stems = {o.stem for o in outputs}
        files = {name: content for name, content in files.items() if Path(name).stem in stems}
    say(label("note.progress.write", lang), steps - 1, steps)
    page = note_page(study, panel, outputs, not_drawn, withheld, lang=lang, policy=policy)
    files["status_note.html"] = render_page(page).encode()
    files["status_note.xlsx"] = workbook_bytes(
        outputs,
        explanations(outputs, lang),
        contents_title=label("note.workbook.headline", lang),
        column_title=label("note.workbook.explanation", lang),
    )
    manifest = _manifest(study, panel, outputs, not_drawn, withheld, lang=lang, policy=policy)
    if book is not None:
        book.record(releases, policy)
    folder = write_bundle(target, files, manifest)
    say(label("note.progress.write", lang), steps, steps)
    return StatusNote(folder, tuple(outputs), tuple(not_drawn), tuple(withheld))


def _silent(_what: str, _step: int, _steps: int) -> None:
    """No progress shown."""


def _require_persons(study: Study, panel: AnalysisPanel | None, *, policy: DisclosurePolicy) -> None:
    """Refuse a study whose page would be about too few citizens whatever it shows."""
    measured = int(study.tables["measurement"]["citizen_id"].nunique())
    analysed = measured if panel is None else int(panel.frame["citizen_id"].nunique())
    if min(measured, analysed) < policy.min_persons:
        raise DisclosureError(
            f"The status note is not written under policy {policy.name}: fewer than {policy.min_persons} "
            "citizens are measured, or are left for the analysis (min_persons)."
        )


def _draw(
    entry: Entry,
    study: Study,
    panel: AnalysisPanel | None,
    *,
    lang: str,
    policy: DisclosurePolicy,
    scratch: Path,
    beside: Sequence[pd.DataFrame],
) -> tuple[Output | None, list[Breach], dict[str, bytes]]:
    """One entry: compute, control, draw, save to the scratch folder, read back as bytes.

    Counts are rounded where exact ones would give a few citizens away beside an output drawn before.
    """
    from jobchance import figures
    from jobchance.figures.save import save_figure

    finding = entry.module.build(study, panel, policy=policy)
    name = f"{entry.id} {entry.name}"
    hidden = protect(finding.frame, policy, output=name)
    frame, policy = export_beside(hidden, beside, policy)
    breaches = check(frame, policy, output=name)
    if breaches:
        return None, breaches, {}
    figure = getattr(figures, entry.name)(frame, lang=lang)
    words = figure.description
    stem = f"{entry.id}_{entry.name}"
    save_figure(figure, frame, scratch / stem, policy=policy)
    written = {f"figures/{p.name}": p.read_bytes() for p in sorted(scratch.glob(f"{stem}.*"))}
    output = Output(
        id=entry.id,
        name=entry.name,
        frame=frame,
        png=written[f"figures/{stem}.png"],
        headline=words.headline,
        note=words.note,
        source=words.source,
        alt=words.alt,
        disclosure_class=finding.disclosure_class,
        estimand=str(frame["estimand"].iloc[0]),
        round_base=policy.round_base,
    )
    return output, [], written


def _manifest(
    study: Study,
    panel: AnalysisPanel | None,
    outputs: list[Output],
    not_drawn: list[tuple[Entry, tuple[str, ...]]],
    withheld: list[Breach],
    *,
    lang: str,
    policy: DisclosurePolicy,
) -> dict[str, object]:
    """Everything a reader needs to make the note again; counts only."""
    counts = {f"N_{name}": len(table) for name, table in sorted(study.tables.items())}
    if panel is not None:
        analysed = int(panel.frame["citizen_id"].nunique())
        measured = int(study.tables["measurement"]["citizen_id"].nunique())
        if not 0 < measured - analysed < policy.min_persons:  # the difference would be shown as well
            counts |= {"N_panel_rows": len(panel.frame), "N_panel_citizens": analysed}
    return manifest_document(
        function="status_note",
        arguments={"lang": lang, **asdict(study.analysis)},
        study={
            "name": study.name,
            "source": study.source,
            "data_kind": study.data_kind,
            "data_through": study.data_through.isoformat() if study.dates_known else None,
            "instrument": f"{study.instrument.name} {study.instrument.version}",
            "fingerprint": study.fingerprint,
            "tables": {
                name: fingerprint_tables({name: table}) for name, table in sorted(study.tables.items())
            },
            "seed": None if study.truth is None else study.truth.get("seed"),
        },
        policy=asdict(policy),
        counts=counts,
        outputs=outputs,
        not_drawn=[{"id": e.id, "name": e.name, "needs": list(needs)} for e, needs in not_drawn],
        withheld=[asdict(b) for b in withheld],
    )
